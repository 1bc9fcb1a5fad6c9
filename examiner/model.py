"""The frozen dataclasses that all stages share."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path


def normal(name: str) -> str:
    """Return a name as keyboards write it: some systems store `ü` as `u` and a mark, which looks the same."""
    return unicodedata.normalize("NFC", name)


Files = Mapping[str, bytes]
"""The contents of files, by their paths below a folder."""


@dataclass(frozen=True)
class Student:
    """One line of the roster."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""

    @property
    def name(self) -> str:
        """The full name, or the id where the roster gives none."""
        return f"{self.first_name} {self.last_name}".strip() or self.id


@dataclass(frozen=True)
class TimeLimits:
    """How long a student's code may run."""

    cell_seconds: int = 10
    notebook_seconds: int = 900


@dataclass(frozen=True)
class StudentEnvironment:
    """The Python environment that submissions run in, which Jupyter knows as a kernel.

    Parameters
    ----------
    folder : Path
        The environment.
    requirements : Path or None
        The requirements that it is installed from; None if examiner does not install it.
    program : Path or None
        The program that the kernel's command starts, if that is not the environment's own interpreter.
    is_ipykernel : bool
        Whether the kernel is known to be ipykernel, or not known at all; else all cells run in the kernel.
    """

    folder: Path
    requirements: Path | None
    kernel: str
    display_name: str
    program: Path | None = None
    is_ipykernel: bool = True

    @property
    def python(self) -> Path:
        """The environment's interpreter, or the program of a kernel of another language."""
        return self.program or self.folder / "bin" / "python"

    @property
    def caches(self) -> Path:
        """The folder of matplotlib's font cache, which takes a second to build."""
        return self.folder / "caches"


@dataclass(frozen=True)
class Assignment:
    """One folder in `source/`, and the parts of the reference that its students may import.

    Parameters
    ----------
    environments : mapping from str to StudentEnvironment
        Those of the kernels that its notebooks name, by the notebooks' file names, where that decides; if it
        is empty, the assignment has the environment of the course.
    """

    name: str
    due: datetime | None = None
    parts: tuple[str, ...] = ()
    environments: Mapping[str, StudentEnvironment] = field(default_factory=dict)


@dataclass(frozen=True)
class Markers:
    """The words that mark regions in a course's notebooks, and what nbgrader writes instead of a solution.

    Parameters
    ----------
    solution, hidden, scheme : pair of str
        What a line says that begins, and that ends, a solution, hidden tests or a mark scheme.
    code_stubs : tuple of pairs of str
        The stub of each language that has another one than nbgrader's.
    """

    solution: tuple[str, str] = ("BEGIN SOLUTION", "END SOLUTION")
    hidden: tuple[str, str] = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
    scheme: tuple[str, str] = ("BEGIN MARK SCHEME", "END MARK SCHEME")
    code_stubs: tuple[tuple[str, str], ...] = ()
    text_stub: str = "YOUR ANSWER HERE"

    @property
    def words(self) -> tuple[str, ...]:
        """All words that mark a line."""
        return (*self.solution, *self.hidden, *self.scheme)


class Mode(StrEnum):
    """Where a grade cell was judged."""

    EXAMINED = "examined"
    KERNEL = "kernel"

    @property
    def is_self_reported(self) -> bool:
        """Whether the process that runs the student's code could influence the verdict."""
        return self is not Mode.EXAMINED


@dataclass(frozen=True)
class Course:
    """Everything that course.toml and roster.csv say, or nbgrader's settings, with absolute paths.

    Parameters
    ----------
    student : StudentEnvironment
        The environment of all assignments that have none of their own.
    mode : Mode or None
        Where all grade cells are judged, as the settings say; None decides it for each cell by its evidence.
    hidden : tuple of str
        The instructor's packages in the student environment, which cannot be imported in a box.
    markers : Markers
        How regions of the instructor's notebooks are marked.
    exchange : Path
        The folder of nbgrader's exchange.
    trust_timestamps : bool
        Whether a submission's `timestamp.txt`, which its student can write, says when it was handed in.
    """

    root: Path
    id: str
    title: str
    student: StudentEnvironment
    limits: TimeLimits
    assignments: tuple[Assignment, ...]
    roster: tuple[Student, ...] = ()
    package: Path | None = None
    mode: Mode | None = None
    hidden: tuple[str, ...] = ()
    markers: Markers = Markers()
    exchange: Path = Path("/usr/local/share/nbgrader/exchange")
    trust_timestamps: bool = True

    def mode_in(self, student: StudentEnvironment) -> Mode | None:
        """Return where grade cells are judged in an environment; None decides it for each by its evidence."""
        return self.mode if student.is_ipykernel else Mode.KERNEL

    def source(self, assignment: Assignment) -> Path:
        """Return the folder of the instructor's version."""
        return self.root / "source" / assignment.name

    def notebooks(self, assignment: Assignment) -> list[Path]:
        """Return the paths of the instructor's notebooks, in order."""
        found = self.source(assignment).glob("*.ipynb")
        return sorted(path for path in found if not path.name.startswith("."))

    def release(self, assignment: Assignment) -> Path:
        """Return the folder of the version that students get."""
        return self.root / "release" / assignment.name

    @property
    def gradebook(self) -> Path:
        """The file of nbgrader's gradebook."""
        return self.root / "gradebook.db"

    @property
    def inbound(self) -> Path:
        """The folder of the exchange that students submit into."""
        return self.exchange / self.id / "inbound"

    @property
    def state(self) -> Path:
        """The folder of what examiner records between runs; it can be deleted at the cost of a regrade."""
        return self.root / ".examiner"

    @property
    def staging(self) -> Path:
        """The folder in which results are made before they are moved to their places."""
        return self.state / "staging"


@dataclass(frozen=True, order=True)
class Submission:
    """One folder in `submitted/`."""

    student: str
    assignment: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.student}/{self.assignment}"


@dataclass(frozen=True)
class GradeKey:
    """Digests of everything that a grade depends on."""

    submission: str
    assignment: str
    environment: str


@dataclass(frozen=True)
class Identity:
    """Whose work was graded, and against what; the first settled grade of an identity is kept."""

    course: str
    student: str
    assignment: str
    attempt: str
    key: GradeKey


@dataclass(frozen=True, order=True)
class Question:
    """One grade cell, as the gradebook knows it."""

    notebook: str
    grade_id: str
    max_score: float

    def __str__(self) -> str:
        return self.grade_id


@dataclass(frozen=True)
class Mark:
    """What one student has for one question; no score yet is None, never 0.

    A score is provisional if it is what a measurement that did not settle has surely earned.
    """

    score: float | None
    needs_manual_grade: bool
    is_provisional: bool = False


@dataclass(frozen=True)
class Grade:
    """What one student has for one assignment."""

    timestamp: datetime | None
    late_seconds: float
    penalty: float
    marks: Mapping[Question, Mark]
    comments: tuple[str, ...] = ()

    @property
    def raw_score(self) -> float:
        """The sum of all scores that are known."""
        return sum(mark.score or 0.0 for mark in self.marks.values())

    @property
    def score(self) -> float:
        """The sum of the scores minus the late penalty, at least 0."""
        return max(0.0, self.raw_score - self.penalty)

    @property
    def is_graded(self) -> bool:
        """Whether at least one question has a score."""
        return any(mark.score is not None for mark in self.marks.values())

    @property
    def needs_manual_grade(self) -> bool:
        """Whether at least one question needs manual grading."""
        return any(mark.needs_manual_grade for mark in self.marks.values())

    @property
    def is_provisional(self) -> bool:
        """Whether at least one question has a provisional score."""
        return any(mark.is_provisional for mark in self.marks.values())


@dataclass(frozen=True)
class Grades:
    """What the gradebook says about everybody."""

    students: tuple[Student, ...]
    due: Mapping[str, datetime | None]
    questions: Mapping[str, tuple[Question, ...]]
    grades: Mapping[tuple[str, str], Grade]

    def of(self, student: str, assignment: str) -> Grade | None:
        """Return a student's grade for an assignment, if the gradebook knows the submission."""
        return self.grades.get((student, assignment))

    def labels(self, assignment: str) -> dict[Question, str]:
        """Return a name for each question of an assignment that no other one of it has."""
        questions = self.questions.get(assignment, ())
        times = Counter(question.grade_id for question in questions)
        return {q: q.grade_id if times[q.grade_id] == 1 else f"{q.notebook}/{q.grade_id}" for q in questions}

    def max_score(self, assignment: str) -> float:
        """Return the points that an assignment is worth."""
        return sum(question.max_score for question in self.questions.get(assignment, ()))
