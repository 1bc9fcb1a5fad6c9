"""Exceptions that a student's code has raised, made anew here, and what `except` and `raises` make of them.

An exception of a listed class is one of that class again. One of a student's own class gets a class of its
own here, below the nearest listed one, and keeps the student's object: whether that is a `MyError` is asked
where it lives.
"""

import sys
from collections.abc import Callable
from typing import Any, Final

from examiner.judge.lent import RECREATED, CandidateError
from examiner.wire.codec import BY_VALUE
from examiner.wire.limits import MAX_ERROR_TEXT

_PLAIN: Final = frozenset(BY_VALUE)
_LONGEST_NAME: Final = 100


class StudentsError(Exception):
    """An exception whose class is a student's.

    Attributes
    ----------
    of_student : Proxy
        The exception itself.
    text : str
        Its text.
    names : tuple of str
        The names of its classes, nearest first.
    """

    of_student: Any = None
    text = ""
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.of_student, name)


def recreated(names: list[str], text: str, args: tuple[Any, ...] = (), of_student: Any = None) -> Exception:
    """Return an exception of the nearest listed class.

    Parameters
    ----------
    names : list of str
        The names of the classes of the student's exception, nearest first.
    text : str
        What `str` gives for it.
    args : tuple
        Its arguments.
    of_student : Proxy, optional
        The exception itself.
    """
    text = text[:MAX_ERROR_TEXT]
    base = next((RECREATED[name] for name in names if name in RECREATED), None)
    if base is None:
        text = f"{names[0][:_LONGEST_NAME]}: {text}"[:MAX_ERROR_TEXT]
    elif base.__name__ == names[0]:
        return _exactly(base, text, args)
    known = args if all(type(arg) in _PLAIN for arg in args) else (text,)
    cls = type(names[0][:_LONGEST_NAME], (StudentsError, base or CandidateError), {"text": text})
    error: Any = cls(*known)
    error.of_student, error.names = of_student, tuple(names)
    return error  # type: ignore[no-any-return]


def _exactly(cls: type[Exception], text: str, args: tuple[Any, ...]) -> Exception:
    """Return an exception of this class with these arguments, if that has the text; else with the text."""
    if all(type(arg) in _PLAIN for arg in args):
        try:
            error = cls(*args)
            if type(error) is cls and str(error) == text:
                return error
        except (TypeError, ValueError):
            pass
    return cls(text)


def class_name(error: BaseException) -> str:
    """Return the name of an exception's class; of a student's own, that of the nearest one of ours."""
    own = (cls for cls in type(error).__mro__ if not issubclass(cls, StudentsError))
    return next(own).__name__


Asking = Callable[[Any, Any], bool]


def _is_raised_as(error: BaseException, cls: Any, asking: Asking) -> bool:
    """Whether a student's exception is one of a class: of a student's, or of one that is not recreated."""
    if not isinstance(error, StudentsError):
        return False
    if isinstance(cls, type):  # such as `SystemExit`, of which none is made here
        return cls.__module__ == "builtins" and cls.__name__ in error.names
    return error.of_student is not None and asking(error.of_student, cls)


def caught(wanted: Any, is_students: Callable[[Any], bool], asking: Asking) -> Any:
    """Return what `except` is to catch, given what stands there: the exception's class, if that is it."""
    error, classes = sys.exception(), wanted if type(wanted) is tuple else (wanted,)
    ours = tuple(cls for cls in classes if not is_students(cls))
    if error is None or not any(_is_raised_as(error, cls, asking) for cls in classes):
        return ours
    return (*ours, type(error))


class _Expected(type):
    """The class of classes that stand for a student's exception class where a library expects one."""

    def __subclasscheck__(cls, sub: type) -> bool:
        error = sys.exception()
        is_it = error is not None and type(error) is sub
        return is_it and _is_raised_as(error, cls.of_student, cls.asking)  # type: ignore[attr-defined,arg-type]

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, BaseException) and _is_raised_as(x, cls.of_student, cls.asking)  # type: ignore[attr-defined]


def expected(of_student: Any, asking: Asking) -> type[BaseException]:
    """Return a class that `pytest.raises`, `assertRaises` and `suppress` take for a student's."""
    found: Any = _Expected(
        "of the student's class", (Exception,), {"of_student": of_student, "asking": staticmethod(asking)}
    )
    return found  # type: ignore[no-any-return]
