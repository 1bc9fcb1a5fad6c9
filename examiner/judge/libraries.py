"""The judge's own libraries, held to what a grade cell means when it uses them on a student's values.

A library is trusted with data. It must not evaluate a student's text, and what it compares must be there: a
missing value agrees with everything.
"""

import builtins
import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Collection
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
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
# What PyTorch loads, compiles or fetches by a name, a text or a file. Some come with a module of their own.
_LOADING: Final[dict[str, tuple[str, ...]]] = {
    "torch": ("load", "compile", "from_file", "import_ir_module", "import_ir_module_from_buffer"),
    "torch.serialization": ("load",),
    "torch.jit": ("load", "CompilationUnit", "jit_module_from_flatbuffer"),
    "torch.hub": ("load", "list", "help", "load_state_dict_from_url", "download_url_to_file"),
    "torch.export": ("load",),
    "torch.package": ("PackageImporter",),
    "torch.ops": ("load_library",),
    "torch.classes": ("load_library",),
    "torch.utils.cpp_extension": ("load", "load_inline"),
}
LOADED: Final = "examiner.loaded"  # the audit event of a file that PyTorch is about to load
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


def _guard_loading(module: Any) -> None:
    """Have PyTorch load and compile nothing but what the author names."""
    for name in _LOADING[module.__name__]:
        if hasattr(module, name):  # some have gone in later versions
            setattr(module, name, _only_named(getattr(module, name)))


def _only_named(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **options: Any) -> Any:
        for value in (*args, *options.values()):
            _check_named(value)
        return function(*args, **options)

    return guarded


def _check_named(value: Any) -> None:
    """Raise AuthorError if a value is a text, a path or bytes that do not stand in the cell."""
    known = _texts.get()
    if known is None:
        return
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if (
        isinstance(text, bytes | bytearray)
        or hasattr(text, "read")
        or (type(text) is str and text not in known)
    ):
        raise AuthorError(
            "PyTorch would load or compile what does not stand in the cell: call the student's function that "
            "does it, and compare what that returns"
        )
    if type(text) is str:
        _tell_of(text)
    elif isinstance(text, list | tuple):
        for one in text:
            _check_named(one)


def _tell_of(text: str) -> None:
    """Tell that a file is loaded, if that is its name; it was opened, so that it is known whose it is."""
    with contextlib.suppress(OSError), Path(text).open("rb"):
        sys.audit(LOADED, text)


def _guard_tensors(torch: Any) -> None:
    """Have an empty tensor be close to no full one: it broadcasts to an empty comparison."""
    _guard_loading(torch)
    for owner in (torch, torch.Tensor):
        setattr(owner, "allclose", _unless_one_is_empty(owner.allclose, torch.Tensor))  # noqa: B010 - of either


def _unless_one_is_empty(function: Callable[..., Any], cls: Any) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **options: Any) -> Any:
        sides = [side for side in (*args, *options.values()) if isinstance(side, cls)]
        are_empty = {side.numel() == 0 for side in sides}
        return function(*args, **options) and len(are_empty) == 1

    return guarded


_GUARDS: Final[dict[str, Callable[[ModuleType], None]]] = {
    "sympy.parsing.sympy_parser": _guard_parser,
    "pandas": _guard_missing,
    **dict.fromkeys(_LOADING, _guard_loading),
    "torch": _guard_tensors,
}
_guarded: Final[set[str]] = set()
