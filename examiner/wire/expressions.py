"""What crosses of SymPy: expressions as lists of nodes, each with a listed head. No text is ever evaluated.

A node stands after its arguments and names them by their places, so that a tree may be deep, and a part that
is used twice is sent once.
"""

import builtins
import keyword
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from examiner.wire.apart import LIBRARIES, Apart, Library, expect, module, only_if

MAX_NODES: Final = 5000  # of an expression written out, in which nothing is shared
MAX_BITS: Final = 4096  # of a number
# `lambdify` writes names into a program: none of these calls anything there, not even beside each other.
_SYMBOL: Final = re.compile(r"[\w\\{}^]{1,60}")
_FUNCTION: Final = re.compile(r"[^\W\d_]\w{0,20}")
_CONSTANTS: Final = (
    *("Exp1", "Pi", "ImaginaryUnit", "Infinity", "NegativeInfinity", "ComplexInfinity", "NaN"),
    *("GoldenRatio", "EulerGamma", "Catalan", "EmptySet", "Reals", "Integers", "Naturals", "Naturals0"),
    *("Rationals", "Complexes", "UniversalSet", "true", "false"),
)
# These take their arguments as they are; nothing is computed when they are made.
_ASSOCIATIVE: Final = ("Add", "Mul")
_UNEVALUATED: Final = (
    *(
        "Pow",
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "asin",
        "acos",
        "atan",
        "acot",
        "asec",
        "acsc",
        "atan2",
    ),
    *("sinh", "cosh", "tanh", "coth", "asinh", "acosh", "atanh", "exp", "log", "Abs", "sign", "floor"),
    *(
        "ceiling",
        "re",
        "im",
        "arg",
        "conjugate",
        "factorial",
        "binomial",
        "gamma",
        "erf",
        "erfc",
        "Heaviside",
    ),
    *("Min", "Max", "DiracDelta", "LambertW", "zeta", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not"),
)
_PLAIN: Final = (
    *("Tuple", "Integral", "Derivative", "Sum", "Product", "Limit", "Piecewise", "ExprCondPair", "Order"),
    *("FiniteSet", "Interval", "Union", "Lambda"),
)
_MATRICES: Final = ("MutableDenseMatrix", "ImmutableDenseMatrix")
_ASSUMPTIONS: Final = frozenset(
    {"commutative", "complex", "even", "extended_real", "finite", "imaginary", "infinite", "integer"}
    | {"irrational", "negative", "noninteger", "nonnegative", "nonpositive", "nonzero", "odd", "positive"}
    | {"prime", "rational", "real", "zero", "composite", "algebraic", "transcendental", "hermitian"}
)


def _sympy() -> Any:
    return module("sympy")


@cache
def _heads() -> dict[type, tuple[str, str]]:
    """Return by its class which group a head is in, and its name."""
    heads = {
        _class(name): (group, name)
        for group, names in (
            ("associative", _ASSOCIATIVE),
            ("unevaluated", _UNEVALUATED),
            ("plain", _PLAIN),
            ("matrix", _MATRICES),
        )
        for name in names
    }
    return heads | {type(_constant(name)): ("constant", name) for name in _CONSTANTS}


def _class(name: str) -> Any:
    if name == "ExprCondPair":
        return module("sympy.functions.elementary.piecewise").ExprCondPair
    return getattr(_sympy(), name)


def _constant(name: str) -> Any:
    return getattr(_sympy(), name) if name in {"true", "false"} else getattr(_sympy().S, name)


def take(value: Any) -> Apart | None:
    """Return an expression, a matrix or a set of SymPy as its nodes."""
    nodes: list[Any] = []
    _add(value, nodes, {}, [0])
    return Apart("sympy", nodes)


def _add(value: Any, nodes: list[Any], places: dict[int, int], written: list[int]) -> int:
    """Add the nodes of an expression; return the place of its own."""
    written[0] += 1
    only_if(written[0] <= MAX_NODES)
    node = _leaf(value)
    if node is None:
        group, name = _heads().get(type(value), ("", ""))
        if group == "matrix":
            rows, columns = value.shape
            below = [_add(one, nodes, places, written) for one in value.flat()]
            node = ("matrix", name, (int(rows), int(columns)), below)
        elif group:
            only_if(group != "constant" or value is _constant(name))
            node = (group, name, None, [_add(one, nodes, places, written) for one in value.args])
        else:
            node = _applied(value, nodes, places, written)
    nodes.append(node)
    return len(nodes) - 1


def _leaf(value: Any) -> Any:
    """Return the node of a number or a symbol; None if it is neither."""
    sympy, cls = _sympy(), type(value)
    if cls is sympy.Symbol:
        known = value._assumptions_orig  # noqa: SLF001 - what it was given, without what follows from it
        only_if(_is_symbol(value.name) and known.keys() <= _ASSUMPTIONS)
        return ("symbol", value.name, {key: bool(holds) for key, holds in known.items()}, [])
    if isinstance(value, sympy.Rational) and cls.__module__ == "sympy.core.numbers":
        only_if(max(abs(value.p), value.q).bit_length() <= MAX_BITS)
        return ("rational", "", (int(value.p), int(value.q)), [])
    if cls is sympy.Float:
        sign, mantissa, exponent, _bits = value._mpf_
        only_if(
            mantissa.bit_length() <= MAX_BITS and bool(mantissa or not exponent) and abs(exponent) < 1 << 20
        )
        return ("float", "", (int(sign), int(mantissa), int(exponent), int(value._prec)), [])  # noqa: SLF001
    return None


def _is_symbol(name: str) -> bool:
    """Whether a symbol may have this name."""
    return bool(_SYMBOL.fullmatch(name)) and not _is_known(name)


def _is_function(name: str) -> bool:
    """Whether a function without a meaning may have this name; that of one of NumPy's would call it."""
    return bool(_FUNCTION.fullmatch(name)) and not (_is_known(name) or hasattr(np, name))


def _is_known(name: str) -> bool:
    return hasattr(builtins, name) or keyword.iskeyword(name) or name.startswith("__")


def _applied(value: Any, nodes: list[Any], places: dict[int, int], written: list[int]) -> Any:
    """Return the node of a function without a meaning, as in f(x)."""
    cls, sympy = type(value), _sympy()
    undefined = module("sympy.core.function")
    only_if(isinstance(cls, undefined.UndefinedFunction) and cls.__bases__ == (undefined.AppliedUndef,))
    only_if(_is_function(cls.__name__) and sympy.Function(cls.__name__) == cls)
    return ("applied", cls.__name__, None, [_add(one, nodes, places, written) for one in value.args])


def _make(parts: Any) -> Any:
    """Return the last of the nodes, which are not trusted."""
    expect(type(parts) is list and 0 < len(parts) <= MAX_NODES, "no nodes, or too many")
    made: list[Any] = []
    sizes: list[int] = []
    for group, name, detail, below in parts:
        are_before = type(below) is list and all(type(one) is int and 0 <= one < len(made) for one in below)
        expect(are_before, "arguments that do not come before")
        size = 1 + sum(sizes[one] for one in below)
        expect(size <= MAX_NODES and group in _MAKERS and type(name) is str, "a node that is none")
        made.append(_MAKERS[group](name, detail, [made[one] for one in below]))
        sizes.append(size)
    return made[-1]


def _make_symbol(name: str, known: Any, _args: list[Any]) -> Any:
    are_known = type(known) is dict and known.keys() <= _ASSUMPTIONS
    expect(are_known and all(type(holds) is bool for holds in known.values()), "unknown assumptions")
    expect(_is_symbol(name), "a name that means something in a program")
    return _sympy().Symbol(name, **known)


def _make_rational(_name: str, detail: Any, _args: list[Any]) -> Any:
    above, below = detail
    expect(type(above) is type(below) is int and below > 0, "a fraction that is none")
    expect(max(abs(above), below).bit_length() <= MAX_BITS, "a number that is too long")
    return _sympy().Rational(above, below)


def _make_float(_name: str, detail: Any, _args: list[Any]) -> Any:
    sign, mantissa, exponent, bits = detail
    expect(all(type(one) is int for one in detail) and sign in {0, 1}, "a number that is none")
    expect(
        0 <= mantissa < 1 << MAX_BITS and abs(exponent) < 1 << 20 and 1 < bits <= MAX_BITS, "a long number"
    )
    number = (sign, mantissa, exponent, mantissa.bit_length())
    return _sympy().Float._new(number, bits)  # noqa: SLF001 - exactly the number


def _make_plain(names: tuple[str, ...], **options: Any) -> Callable[[str, Any, list[Any]], Any]:
    def make(name: str, _detail: Any, args: list[Any]) -> Any:
        expect(name in names, "an unknown head")
        made = _class(name)(*args, **options)
        expect(
            type(made) is _class(name) and len(made.args) == len(args), "arguments that make something else"
        )
        return made

    return make


def _make_associative(name: str, _detail: Any, args: list[Any]) -> Any:
    expect(name in _ASSOCIATIVE and len(args) > 1, "an unknown head")
    expr = _sympy().Expr
    expect(all(isinstance(one, expr) for one in args), "operands that are none")
    return _class(name)(*args, evaluate=False)


def _make_matrix(name: str, detail: Any, args: list[Any]) -> Any:
    rows, columns = detail
    are_sides = type(rows) is type(columns) is int and 0 <= rows <= MAX_NODES and 0 <= columns <= MAX_NODES
    expect(name in _MATRICES and are_sides and rows * columns == len(args), "a matrix of another shape")
    expr = _sympy().Expr
    expect(all(isinstance(one, expr) for one in args), "items that are none")
    return _class(name)(rows, columns, args)


def _make_applied(name: str, _detail: Any, args: list[Any]) -> Any:
    expect(_is_function(name), "a name that means something in a program")
    return _sympy().Function(name)(*args)


def _make_constant(name: str, _detail: Any, args: list[Any]) -> Any:
    expect(name in _CONSTANTS and not args, "an unknown constant")
    return _constant(name)


_MAKERS: Final[dict[str, Callable[[str, Any, list[Any]], Any]]] = {
    "symbol": _make_symbol,
    "rational": _make_rational,
    "float": _make_float,
    "constant": _make_constant,
    "associative": _make_associative,
    "unevaluated": _make_plain(_UNEVALUATED, evaluate=False),
    "plain": _make_plain(_PLAIN),
    "matrix": _make_matrix,
    "applied": _make_applied,
}

LIBRARIES["sympy"] = Library(take, {"sympy": _make}, scalars=frozenset({"sympy"}))
