"""The judge's own libraries, held to what a grade cell means when it uses them on a student's values.

A library is trusted with data. It must not evaluate a student's text, and what it compares must be there: a
missing value agrees with everything.
"""

import builtins
import contextlib
import importlib
import re
import sys
from collections.abc import Callable, Collection
from contextvars import ContextVar
from functools import wraps
from types import ModuleType
from typing import Any, Final

from examiner.judge.lent import AuthorError
from examiner.wire.libraries import LIBRARIES, rebuilt

# Methods by which a student's object would say that it equals a value of a library.
COMPARING_METHODS: Final = frozenset(
    {"equals", "equal", "eq", "ne", "compare", "identical", "allclose", "isclose", "dual_equals"}
    | {"isin", "has_same_elements", "array_equal", "is_", "__eq__", "__ne__"}
)
_ARITHMETIC: Final = re.compile(r"(?:[\w\s+*/(),^!=-]|(?<=\d)\.|\.(?=\d))*", re.ASCII)
_NAME: Final = re.compile(r"[^\W\d]\w*", re.ASCII)
_FUNCTIONS: Final = frozenset({"abs", "max", "min", "pow", "round", "sum"})
_ACTING: Final = frozenset(
    {
        "autowrap",
        "binary_function",
        "codegen",
        "doctest",
        "init_printing",
        "init_session",
        "lambda",
        "lambdify",
    }
    | {"plot", "preview", "source", "test", "textplot", "ufuncify", "var", "print_gtk", "dotprint", "use"}
)
_LONGEST: Final = 1000  # characters
_texts: ContextVar[Collection[str] | None] = ContextVar("_texts", default=None)


def allow_texts(texts: Collection[str]) -> None:
    """Say which texts stand in the cell that runs: only these may be evaluated."""
    _texts.set(texts)


def import_libraries(ours: frozenset[str], source: str) -> None:
    """Import those of the libraries that a notebook names, once for all submissions."""
    for name in ours & LIBRARIES.keys():
        if re.search(rf"\b{name}\b", source):
            with contextlib.suppress(Exception):  # then a cell that needs it fails with it, and tells
                importlib.import_module(name)
    guard_libraries()


def rebuilt_here(kind: str, parts: Any) -> Any:
    """Return a value of a library, which is guarded from then on if this has imported it."""
    made = rebuilt(kind, parts)
    guard_libraries()
    return made


def guard_libraries() -> None:
    """Guard the libraries that are imported so far."""
    for name, guard in _GUARDS.items():
        if name in sys.modules and name not in _guarded:
            _guarded.add(name)
            guard(sys.modules[name])


def _guard_parser(parser: ModuleType) -> None:
    """Have SymPy evaluate no text but the author's: `simplify` and `sympify` take texts, too."""
    stringify = parser.stringify_expr

    @wraps(stringify)
    def guarded(text: str, *rest: Any, **options: Any) -> Any:
        known = _texts.get()
        if known is not None and text not in known and not _is_harmless(text):
            raise AuthorError(
                "SymPy would evaluate a text that does not stand in the cell: take the student's expression "
                "itself, or compare the text"
            )
        return stringify(text, *rest, **options)

    setattr(parser, "stringify_expr", guarded)  # noqa: B010 - of a module that is not known here


def _is_harmless(text: Any) -> bool:
    """Whether a text is arithmetic: no attribute, quote or bracket, and no name of Python's own."""
    if type(text) is not str or len(text) > _LONGEST or not _ARITHMETIC.fullmatch(text):
        return False
    return all(
        name in _FUNCTIONS or not (hasattr(builtins, name) or name in _ACTING or name.startswith("_"))
        for name in _NAME.findall(text)
    )


def _guard_missing(pandas: ModuleType) -> None:
    """Have pandas draw no conclusion from comparisons with what is missing: `all` would leave it out."""
    cls: Any = pandas.arrays.BooleanArray
    for name in ("all", "any", "_reduce"):
        setattr(cls, name, _without_missing(getattr(cls, name)))


def _without_missing(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def guarded(self: Any, *args: Any, **options: Any) -> Any:
        if self.isna().any():
            raise AssertionError("values are missing where others are expected")
        return method(self, *args, **options)

    return guarded


_GUARDS: Final[dict[str, Callable[[ModuleType], None]]] = {
    "sympy.parsing.sympy_parser": _guard_parser,
    "pandas": _guard_missing,
}
_guarded: Final[set[str]] = set()
