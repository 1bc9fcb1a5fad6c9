"""What crosses the wire besides data: our objects that the student's code may use, and exceptions."""

from typing import Any, Final, Never

import numpy as np

from examiner_checks import NumpyOnly, Spy

# An exception of the candidate's is raised here as one of these classes; none of them ends a program.
RECREATED: Final[dict[str, type[Exception]]] = {
    cls.__name__: cls
    for cls in (
        *(ArithmeticError, AssertionError, AttributeError, BlockingIOError, BrokenPipeError, BufferError),
        *(ConnectionError, EOFError, FileExistsError, FileNotFoundError, FloatingPointError, ImportError),
        *(IndentationError, IndexError, InterruptedError, IsADirectoryError, KeyError, LookupError),
        *(MemoryError, ModuleNotFoundError, NameError, NotADirectoryError, NotImplementedError, OSError),
        *(OverflowError, PermissionError, ProcessLookupError, RecursionError, ReferenceError, RuntimeError),
        *(SyntaxError, TimeoutError, TypeError, UnboundLocalError, ValueError, ZeroDivisionError),
        *(Warning, DeprecationWarning, FutureWarning, RuntimeWarning, SyntaxWarning, UserWarning),
        *(np.linalg.LinAlgError, np.exceptions.AxisError),
    )
}

# The attributes of our objects that a student's code may read; a class that a cell defines names its own in
# `lent_attributes`.
LENT: Final = {
    NumpyOnly: frozenset({"numpy"}),
    Spy: frozenset({"numpy", "data", "shape", "dtype", "ndim", "size", "__array__"}),
}


class AuthorError(Exception):
    """A grade cell does something that a proxy cannot do; the text says what to write instead."""


class CandidateError(Exception):
    """The student's code raised something that is not recreated here, such as SystemExit."""


def listed(value: Any) -> frozenset[str] | None:
    """Return the attributes of our object that a student's code may read, or None if it may not have it."""
    if type(value) in LENT:
        return LENT[type(value)]
    own = getattr(type(value), "lent_attributes", None)
    return None if own is None else frozenset(own)


def raise_recursion(*_: object, **__: object) -> Never:
    """Refuse a callback that is nested too deeply."""
    raise RecursionError("the student's code and the test call each other too deeply")


def done(lent: Any, operation: str, args: tuple[Any, ...], kwargs: dict[Any, Any]) -> Any:
    """Return the value of an attribute of our object, or the result of calling it."""
    if operation == "call":
        return lent(*args, **kwargs)
    name = args[0] if operation == "getattr" and len(args) == 1 else None
    if type(name) is str and name in (listed(lent) or ()):
        return getattr(lent, name)
    raise AttributeError(f"{type(lent).__name__!r} object has no attribute {str(name)[:100]!r}")


def known_name(cls: type[BaseException]) -> str:
    """Return the name of the nearest base class that both ends know."""
    known = (base for base in cls.__mro__ if base.__module__ == "builtins")
    return next((base.__name__ for base in known if base.__name__ in RECREATED), "Exception")


def is_finding(error: Exception) -> bool:
    """Whether our exception is a result of the test, which a student's `except` must not swallow."""
    return isinstance(error, AssertionError | AuthorError)
