"""What crosses the wire besides data: objects of ours, lent, and exceptions, of listed classes."""

from typing import Any, Final, Never

from examiner.wire.limits import MAX_ERROR_TEXT
from examiner_checks import NumpyOnly, Spy

# The classes in which an exception of the candidate's is raised here: nothing that steers a program.
RECREATED: Final[dict[str, type[Exception]]] = {
    cls.__name__: cls
    for cls in (
        ArithmeticError,
        AssertionError,
        AttributeError,
        BufferError,
        EOFError,
        FloatingPointError,
        ImportError,
        IndexError,
        KeyError,
        LookupError,
        MemoryError,
        ModuleNotFoundError,
        NameError,
        NotImplementedError,
        OSError,
        OverflowError,
        RecursionError,
        ReferenceError,
        RuntimeError,
        TimeoutError,
        TypeError,
        UnboundLocalError,
        ValueError,
        ZeroDivisionError,
        Warning,
        DeprecationWarning,
        FutureWarning,
        RuntimeWarning,
        UserWarning,
    )
}

# What a student's code may read of an object of ours; a class of a cell's own says it as `lent_attributes`.
LENT: Final = {
    NumpyOnly: frozenset({"numpy"}),
    Spy: frozenset({"numpy", "data", "shape", "dtype", "ndim", "size", "__array__"}),
}


class AuthorError(Exception):
    """A grade cell asks for what no proxy can mean; the text says what to write instead."""


class CandidateError(Exception):
    """The student's code raised something that is not recreated here, such as SystemExit."""


def listed(value: Any) -> frozenset[str] | None:
    """Return what a student's code may read of an object of ours, or None if it is not to be lent."""
    if type(value) in LENT:
        return LENT[type(value)]
    own = getattr(type(value), "lent_attributes", None)
    return None if own is None else frozenset(own)


def raise_recursion(*_: object, **__: object) -> Never:
    """Refuse one more call of ours within a call of ours."""
    raise RecursionError("calls of the test by the student's code, within one another")


def done(lent: Any, operation: str, args: tuple[Any, ...], kwargs: dict[Any, Any]) -> Any:
    """Return what an attribute of ours holds, or what a call gives."""
    if operation == "call":
        return lent(*args, **kwargs)
    name = args[0] if operation == "getattr" and len(args) == 1 else None
    if type(name) is str and name in (listed(lent) or ()):
        return getattr(lent, name)
    raise AttributeError(f"{type(lent).__name__!r} object has no attribute {str(name)[:100]!r}")


def known_name(cls: type[BaseException]) -> str:
    """Return the name of the nearest class that both ends know."""
    return next((each.__name__ for each in cls.__mro__ if RECREATED.get(each.__name__) is each), "Exception")


def recreated(names: list[str], text: str) -> Exception:
    """Return an exception of the nearest listed class, by the names of a student's, or `CandidateError`."""
    known = next((RECREATED[name] for name in names if name in RECREATED), None)
    if known is None:
        return CandidateError(f"{names[0][:100]}: {text[:MAX_ERROR_TEXT]}")
    return known(text[:MAX_ERROR_TEXT])


def is_finding(error: Exception) -> bool:
    """Whether an exception of ours is about the cell, and not for a student's `except` to swallow."""
    return isinstance(error, AssertionError | AuthorError)
