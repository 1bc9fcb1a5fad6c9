"""Whose fault, and what to do: one tree of errors, three branches, one exit code each.

    ExaminerError
    ├── AuthorFault       2   the command line, course.toml, roster.csv, a source notebook
    ├── StudentFault      3   a submission that cannot be graded; a result, shown in the table
    └── PlatformFault     1   an environment, the gradebook, a process of ours

A run that graded everything exits with 0, whatever the grades; one in which some submission got no grade
through a fault of its own exits with 3, and all others are graded. An interrupted run exits with 130. An
exception outside this tree is a bug in examiner: it shows Python's own traceback and exits with 1.
"""

# ruff: noqa: N818 - the names say whose fault it is, or what is wrong, and read as sentences

import errno
from pathlib import Path
from typing import Final

DONE = 0
INTERRUPTED = 130
MOST_OF_A_NAME: Final = 300  # characters in a sentence
MOST_OF_A_PART: Final = 2000  # characters of what an error says: a path has up to 4096, a student's text any


def printable(text: str, most: int = MOST_OF_A_NAME) -> str:
    """Return a text with every character escaped that would not be seen as itself, and with an end.

    These are control characters, which a terminal obeys; characters of format, which change the order of what
    is read; separators other than the blank; and surrogates, which stand for bytes that are no UTF-8 and
    cannot be printed. To do it twice changes nothing.

    Parameters
    ----------
    most : int
        How many characters are kept; what is cut off is shown as `…`.
    """
    cut = text if len(text) <= most else text[: most - 1] + "…"
    if cut.isprintable():
        return cut
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


class ExaminerError(Exception):
    """Something is wrong at a place, and somebody can do something about it.

    Parameters
    ----------
    place : str or Path
        The file, folder, cell or option to look at.
    fact : str
        What is wrong there, as a clause without a full stop.
    fix : str
        What to do next, as an imperative clause without a full stop.

    Each part is bounded and printable, whatever it quotes; only the ends of lines in a fact or a fix stay.
    """

    exit_code = 1

    def __init__(self, place: str | Path, fact: str, fix: str) -> None:
        self.place = printable(str(place), MOST_OF_A_PART)
        self.fact, self.fix = map(_lines, (fact, fix))
        super().__init__(*self.parts)  # all three, so that another process can unpickle the error

    @property
    def parts(self) -> tuple[str, str, str]:
        """Place, fact and next step, from which the same error can be raised again."""
        return self.place, self.fact, self.fix

    def __str__(self) -> str:
        return f"{self.place}: {self.fact}; {self.fix}."


def _lines(text: str) -> str:
    lines = text[:MOST_OF_A_PART].split("\n")
    return "\n".join(printable(line, MOST_OF_A_PART) for line in lines)


class AuthorFault(ExaminerError):
    """The instructor wrote something, on the command line or in the course, that cannot be used."""

    exit_code = 2


class StudentFault(ExaminerError):
    """A submission cannot be graded as it is."""

    exit_code = 3


class PlatformFault(ExaminerError):
    """Our side failed; no student gets a zero for that."""

    exit_code = 1


class NoCourse(AuthorFault):
    """There is no course in the folder that was named."""


class BadCourse(AuthorFault):
    """course.toml or roster.csv says something that cannot be used."""


class UnknownName(AuthorFault):
    """An assignment or a student was named that the course does not have."""


class NoSubmissions(AuthorFault):
    """There is nothing to grade."""


class NoGradebook(AuthorFault):
    """Grades were asked for before there are any."""


class BadSource(AuthorFault):
    """A source notebook of the instructor's cannot be made into a release."""


class WrongSolution(AuthorFault):
    """The instructor's solution does not get all points in a Jupyter kernel."""


class UnreadableNotebook(StudentFault):
    """A submitted file has the name of a notebook, but is none."""


class MissingEnvironment(PlatformFault):
    """The student environment or its kernel is missing, or belongs to another course."""


class WorkerLost(PlatformFault):
    """One submission ended the process that graded it, or kept it busy, as often as it was tried."""


class ForeignGradebook(PlatformFault):
    """The gradebook was written by another version of nbgrader, or is no gradebook at all."""


_NEXT_STEPS: Final = {
    (errno.ENOSPC, errno.EDQUOT): "free some space there, and run the command again",
    (
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    ): "let this account read and write there, and run the command again",
    (errno.ENAMETOOLONG,): "move the course to a folder with a shorter path",
    (errno.EFBIG,): "raise the limit on the size of files (`ulimit -f`), and run the command again",
    (errno.EMFILE, errno.ENFILE): "raise the limit on open files (`ulimit -n`), and run the command again",
    (errno.EAGAIN, errno.ENOMEM): "end other programs, or raise the limits of this account (`ulimit -a`)",
    (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY): "move away what is there",
    (errno.EIO, errno.ESTALE): "look whether the disk is sound and mounted, and run the command again",
}


def is_of_the_machine(error: BaseException) -> bool:
    """Whether the operating system lacks something, or has forbidden it, whatever was asked for."""
    return isinstance(error, OSError) and any(error.errno in numbers for numbers in _NEXT_STEPS)


def fault_of_the_machine(error: OSError, place: str | Path) -> PlatformFault:
    """Return the fault for an error of the operating system, which names its own place or has this one."""
    steps = {number: step for numbers, step in _NEXT_STEPS.items() for number in numbers}
    fix = steps.get(error.errno or 0, "see to that, and run the command again")
    reason = error.strerror or type(error).__name__
    return PlatformFault(error.filename or place, f"the operating system refuses: {reason}", fix)
