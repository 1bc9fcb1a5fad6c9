"""How a check says no, and the check that a block of code says no."""

from collections.abc import Iterator
from contextlib import contextmanager

EXPECTABLE = (
    ArithmeticError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)

# Subclasses of RuntimeError that say "not written yet" and "went in circles", never "refused on purpose".
ACCIDENTS = (NotImplementedError, RecursionError)


class CheckFailed(AssertionError):  # noqa: N818  (says what happened; students read it)
    """A student's answer is not what it should be.

    Parameters
    ----------
    fact : str
        What was seen and what was expected.
    hint : str, optional
        The author's words for the student: the only text of a hidden test that may be shown.
    """

    def __init__(self, fact: str, hint: str = "") -> None:
        super().__init__(f"{fact}\nHint: {hint}" if hint else fact)
        self.fact = fact
        self.hint = hint


class Inconclusive(Exception):  # noqa: N818  (says what happened; students read it)
    """What was measured is too close to a threshold to say on which side it lies.

    It is no failure: a notebook can be run again, and in grading it is measured once more with nothing else
    running, and then left to a person.

    Parameters
    ----------
    fact : str
        What was measured, and against what.
    hint : str, optional
        The author's words for the student.
    """

    def __init__(self, fact: str, hint: str = "") -> None:
        super().__init__(f"{fact}\nHint: {hint}" if hint else fact)
        self.fact = fact
        self.hint = hint


def type_name(thing: object) -> str:
    """Return the name of the exact type of `thing`, without asking `thing` itself."""
    return type(thing).__name__


@contextmanager
def raises(exc: type[Exception], hint: str = "") -> Iterator[None]:
    """Pass if the block raises `exc` or a subclass of it.

    A `NotImplementedError` or a `RecursionError` does not count as the `RuntimeError` that Python says it
    is: code that is not written yet has not refused anything.

    Parameters
    ----------
    exc : type
        One of the built-in exceptions in `EXPECTABLE`.
    hint : str, optional
        What a student may read if the check fails.

    Raises
    ------
    CheckFailed
        If the block ends normally, or raises something else.
    TypeError
        If `exc` is not in the list: an author's mistake.
    """
    if exc not in EXPECTABLE:
        known = ", ".join(e.__name__ for e in EXPECTABLE)
        raise TypeError(f"raises() cannot expect {exc!r}; it knows {known}")
    try:
        yield
    except (Exception, SystemExit) as error:  # whatever a student's code raises is an answer
        accident = issubclass(type(error), ACCIDENTS) and exc not in ACCIDENTS
        if issubclass(type(error), exc) and not accident:
            return
        raise CheckFailed(f"raised {type_name(error)}, expected {exc.__name__}", hint) from error
    raise CheckFailed(f"nothing was raised, expected {exc.__name__}", hint)
