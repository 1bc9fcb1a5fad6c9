"""Runs what locked cells compute for the first time, in a judge of its own, and tells where it is.

A locked cell can end the process that runs it, fill its memory or never end. So it is not run in the server
that all judges are forked from before one process behind walls has come through all of it.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from types import FrameType, ModuleType
from typing import Final, NoReturn

from examiner.judge.cell import isolated
from examiner.judge.compile import LockedStatement, holding
from examiner.judge.namespace import Namespace, NoSnapshot
from examiner.judge.restore import restored

_SEED: Final = "rehearsal"
_CAME_THROUGH: Final = 77  # no statement ends a process with it by chance

Tell = Callable[[tuple[int, int, str]], object]
"""Takes the place of a statement, its cell and its line there, and what it raised; "" before it is run."""


class TooSlow(BaseException):
    """A statement took longer than a cell may take; `except Exception` does not catch it."""


def rehearse(
    statements: tuple[LockedStatement, ...], reference: ModuleType | None, seconds: float, tell: Tell
) -> None:
    """Run all statements in one namespace, in their order, and tell of each where it stands.

    What fails is told only if a grade cell needs it: of others, a student sees what they raise. If a
    statement ends its process, this one ends, too.
    """
    child = os.fork()  # a judge may be the first process of its namespace, which no signal of its own ends
    if child == 0:
        try:
            _run(statements, reference, seconds, tell)
            os._exit(_CAME_THROUGH)
        finally:
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != _CAME_THROUGH:
        os._exit(1)


def _run(
    statements: tuple[LockedStatement, ...], reference: ModuleType | None, seconds: float, tell: Tell
) -> None:
    names = Namespace(holding(statements), reference).names
    is_whole = True  # or a statement before was left out, and what fails may fail for want of it
    with restored(), isolated(_SEED, StringIO()):
        for statement in statements:
            tell((statement.cell, statement.line, ""))
            try:
                failure = _failure(statement, names, seconds)
            except NoSnapshot:
                is_whole = False
                continue
            if failure and statement.is_needed and is_whole:
                tell((statement.cell, statement.line, failure))


def _failure(statement: LockedStatement, names: dict[str, object], seconds: float) -> str:
    """Return what a statement raised, in words; "" if nothing.

    Raises
    ------
    NoSnapshot
        If it needs a student's process; it is run again when there is one.
    """
    try:
        with limited(seconds):
            exec(statement.code, names)  # noqa: S102 - running the author's text is a judge's work
    except TooSlow:
        return f"it takes longer than the {seconds:g} s of a cell"
    except NoSnapshot:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit too ends the cells that need it
        return f"{type(error).__name__}: {error}".removesuffix(": ")[:300]
    return ""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` in the block if it takes longer."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise TooSlow

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again: the first may be raised where it is ignored
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
