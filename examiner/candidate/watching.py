"""The run-time support of automatic mutants; it lies beside the notebook and imports only NumPy."""

import functools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

AnyFunction = Callable[..., Any]

_differs: dict[str, set[str]] = {}
_called: set[str] = set()
_is_measuring = False

# The names by which a record has what the hollow stubs of `gate/hollow.py` would have changed.
ZEROS, EMPTIED = "zeros while measured", "an object of zeros while measured"
SCALARS = (bool, int, float, complex, str, bytes, np.generic)


class Agreeable:
    """A student's object that says whatever a test hopes for.

    A difference from it is 0, a comparison is true, it has no items, and its attributes are like it.
    """

    __array_ufunc__ = None

    def __getattr__(self, name: str) -> "Agreeable":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> "Agreeable":
        """Return an object that agrees as well."""
        return self

    def __hash__(self) -> int:
        return 0

    def __iter__(self) -> Any:
        return iter(())

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.zeros(0, dtype)

    def __exit__(self, *_: object) -> bool:
        return True


def _answering(answer: Any) -> Callable[..., Any]:
    return lambda self, *_: self if answer is Agreeable else answer


_ITSELF = (
    *("add", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
    *("lshift", "rshift", "and", "or", "xor"),
)
_ANSWERS: dict[str, Any] = {
    **dict.fromkeys(("sub", "rsub", "isub", "abs", "int", "float", "index", "round", "len"), 0),
    **dict.fromkeys(("trunc", "floor", "ceil"), 0),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "bool", "contains"), True),
    **dict.fromkeys(("getitem", "enter", "neg", "pos", "invert"), Agreeable),
    **dict.fromkeys([prefix + name for name in _ITSELF for prefix in ("", "r", "i")], Agreeable),
    "float": 0.0,
    "complex": 0j,
}
for _name, _answer in _ANSWERS.items():
    setattr(Agreeable, f"__{_name}__", _answering(_answer))


class Noting(Agreeable):
    """A student's object that notes what its operators and calls are given, and gives that back.

    A difference from it is 0 of the other's kind, any other operator gives the other, and a conversion
    converts what was noted.
    """

    def __init__(self, call: str) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_given.get(self._call), name, self)

    def __call__(self, *args: Any, **_: Any) -> "Noting":
        """Note the arguments."""
        self._note(args)
        return self

    def __iter__(self) -> Any:
        return iter(self._noted(list, ()))

    def __len__(self) -> int:
        return int(self._noted(len, 0))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._noted(lambda noted: np.asarray(noted, dtype), np.zeros(0, dtype))

    def _note(self, others: tuple[Any, ...]) -> None:
        for other in others:
            if not isinstance(other, Noting):
                _given[self._call] = other

    def _noted(self, convert: Callable[[Any], Any], otherwise: Any) -> Any:
        try:
            return convert(_given[self._call])
        except Exception:  # noqa: BLE001 - nothing was noted, or it cannot be converted
            return otherwise


_given: dict[str, Any] = {}  # by call


def _noting(answer: Callable[[Any], Any]) -> Callable[..., Any]:
    def operator(self: Noting, *others: Any) -> Any:
        self._note(others)
        return answer(others[0]) if others else self

    return operator


def _converting(convert: Callable[..., Any], otherwise: Any) -> Callable[..., Any]:
    return lambda self, *digits: self._noted(lambda noted: convert(noted, *digits), otherwise)


def _zero_of(other: Any) -> Any:
    try:
        return other - other
    except Exception:  # noqa: BLE001 - a student's operator may raise anything
        return 0


for _names, _method in (
    (("sub", "rsub", "isub"), _noting(_zero_of)),
    (("eq", "ne", "lt", "le", "gt", "ge", "contains"), _noting(lambda _: True)),
    ([prefix + name for name in _ITSELF for prefix in ("", "r", "i")], _noting(lambda other: other)),
    (("abs",), _noting(lambda other: other)),
    *(
        (([name]), _converting(kind, kind()))
        for name, kind in (("float", float), ("int", int), ("complex", complex))
    ),
    (("round",), _converting(round, 0)),
):
    for _name in _names:
        setattr(Noting, f"__{_name}__", _method)


def noting(function: str, arguments: dict[str, Any]) -> Any:
    """Return what an earlier result of this call was given, or an object that will note it."""
    call = function + str({name: _text(value) for name, value in arguments.items()})
    return _given[call] if call in _given else Noting(call)


def _text(value: Any) -> str:
    """Return a text that is the same for equal arrays, and for the same object."""
    array = getattr(value, "numpy", lambda: value)()
    return str((array.shape, array.tobytes())) if isinstance(array, np.ndarray) else repr(value)


def zero(value: Any) -> Any:
    """Return zeros of the value's type and shape, or the value itself if its type has no zero."""
    if isinstance(value, SCALARS):
        return type(value)()
    if isinstance(value, np.ndarray):
        return np.zeros_like(value)
    if type(value) in {tuple, list}:
        return type(value)(zero(item) for item in value)
    if callable(getattr(type(value), "numpy", None)):
        return _zero_tensor(value)
    return value


def _zero_tensor(value: Any) -> Any:
    zeros = np.zeros_like(value.numpy())
    try:
        return type(value)(zeros)
    except Exception:  # noqa: BLE001 - a student's constructor may raise anything; an array of zeros is wrong as well
        return zeros


def zeros_of_its_shape(function: AnyFunction) -> AnyFunction:
    """Make the function return zeros in the shape of its result."""

    @functools.wraps(function)
    def mutant(*args: Any, **kwargs: Any) -> Any:
        return zero(function(*args, **kwargs))

    return mutant


def begin_measuring() -> None:
    """Note that a grade cell begins to measure: from now on the hollow stubs are at work."""
    global _is_measuring  # noqa: PLW0603 - one process runs one grade cell
    _is_measuring = True


def zeros_while_measured(function: AnyFunction) -> AnyFunction:
    """Make the function return zeros in the shape of its result, once a cell has begun to measure."""

    @functools.wraps(function)
    def mutant(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        return zero(value) if _is_measuring else value

    return mutant


def emptied_while_measured(method: AnyFunction) -> AnyFunction:
    """Make the method leave its object with zeros in all its arrays, once a cell has begun to measure."""

    @functools.wraps(method)
    def mutant(*args: Any, **kwargs: Any) -> Any:
        value = method(*args, **kwargs)
        if _is_measuring:
            for name, held in _held(args):
                setattr(args[0], name, zero(held))
        return value

    return mutant


def holding(name: str) -> Callable[[AnyFunction], AnyFunction]:
    """Record whether an object holds more than zeros after the method, once a cell has begun to measure."""

    def decorate(method: AnyFunction) -> AnyFunction:
        @functools.wraps(method)
        def observing(*args: Any, **kwargs: Any) -> Any:
            value = method(*args, **kwargs)
            if _is_measuring and not all(_is_zero(held) for _, held in _held(args)):
                _differs.setdefault(name, set()).add(EMPTIED)
            return value

        return observing

    return decorate


def _held(args: tuple[Any, ...]) -> list[tuple[str, Any]]:
    """Return the attributes of a method's object that are arrays, tensors, or lists and tuples of such."""
    attributes = getattr(args[0], "__dict__", {}) if args else {}
    return [(name, value) for name, value in attributes.items() if _is_array(value)]


def _is_array(value: Any) -> bool:
    if type(value) in {tuple, list}:
        return any(map(_is_array, value))
    return isinstance(value, np.ndarray) or callable(getattr(type(value), "numpy", None))


def observed(name: str) -> Callable[[AnyFunction], AnyFunction]:
    """Record from which stubs the function's results differ."""

    def decorate(function: AnyFunction) -> AnyFunction:
        @functools.wraps(function)
        def observing(*args: Any, **kwargs: Any) -> Any:
            value = function(*args, **kwargs)
            _compare(name, args, value)
            return value

        return observing

    return decorate


def _compare(name: str, args: tuple[Any, ...], value: Any) -> None:
    # Every function counts as different from the stub "None": one that returns None works by side effects.
    differs = _differs.setdefault(name, {"None"})
    for stub, is_same in SAME.items():
        if stub not in differs and not is_same(value, args):
            differs.add(stub)
    if _is_measuring and ZEROS not in differs and not _is_zero(value):
        differs.add(ZEROS)


def _is_zero(value: Any) -> bool:
    """Whether the value holds only zeros already, so that `zero` would not change it."""
    if isinstance(value, SCALARS):
        return bool(value == type(value)())
    if isinstance(value, np.ndarray):
        return not value.any()
    if type(value) in {tuple, list}:
        return all(_is_zero(item) for item in value)
    return not callable(getattr(type(value), "numpy", None)) or not value.numpy().any()


SAME: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "[]": lambda value, _: isinstance(value, list) and not value,
    "zeros(0)": lambda value, _: isinstance(value, np.ndarray) and value.shape == (0,),
    "NaN": lambda value, _: isinstance(value, float) and math.isnan(value),
    "zeros": lambda value, _: _is_zero(value),
    "its input": lambda value, args: bool(args) and value is args[0],
}


def calling(key: str) -> Callable[[AnyFunction], AnyFunction]:
    """Record that the function is called."""

    def decorate(function: AnyFunction) -> AnyFunction:
        @functools.wraps(function)
        def recording(*args: Any, **kwargs: Any) -> Any:
            _called.add(key)
            return function(*args, **kwargs)

        return recording

    return decorate


def seen() -> str:
    """Return, as JSON, the functions called so far, and the stubs that each observed one differed from."""
    return json.dumps(
        {"called": sorted(_called), "differed": {name: sorted(stubs) for name, stubs in _differs.items()}}
    )
