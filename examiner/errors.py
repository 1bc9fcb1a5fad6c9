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

from pathlib import Path

DONE = 0
INTERRUPTED = 130


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
    """

    exit_code = 1

    def __init__(self, place: str | Path, fact: str, fix: str) -> None:
        super().__init__(place, fact, fix)  # all three, so that another process can unpickle the error
        self.place = str(place)
        self.fact = fact
        self.fix = fix

    @property
    def parts(self) -> tuple[str, str, str]:
        """Place, fact and next step, from which the same error can be raised again."""
        return self.place, self.fact, self.fix

    def __str__(self) -> str:
        return f"{self.place}: {self.fact}; {self.fix}."


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


class ForeignGradebook(PlatformFault):
    """The gradebook was written by another version of nbgrader, or is no gradebook at all."""
