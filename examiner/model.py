"""What is known, as frozen data that crosses between stages."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


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
class Assignment:
    """One folder in `source/`, and the parts of the reference that its students may import."""

    name: str
    due: datetime | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """How long a student's code may run."""

    cell_seconds: int = 10
    notebook_seconds: int = 900


@dataclass(frozen=True)
class StudentEnvironment:
    """What submissions run in: an environment of its own, known to Jupyter as a kernel."""

    folder: Path
    requirements: Path
    kernel: str
    display_name: str

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin" / "python"


@dataclass(frozen=True)
class Course:
    """Everything that course.toml and roster.csv say, with absolute paths."""

    root: Path
    id: str
    title: str
    student: StudentEnvironment
    limits: Limits
    assignments: tuple[Assignment, ...]
    roster: tuple[Student, ...] = ()
    package: Path | None = None

    def source(self, assignment: Assignment) -> Path:
        """Return the folder of the instructor's version."""
        return self.root / "source" / assignment.name

    def release(self, assignment: Assignment) -> Path:
        """Return the folder of the version that students get."""
        return self.root / "release" / assignment.name

    @property
    def state(self) -> Path:
        """The folder of what examiner remembers between runs; it can be deleted at the cost of a regrade."""
        return self.root / ".examiner"
