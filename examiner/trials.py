"""What the gate tries on an assignment, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

TOLERANCE = 1e-9  # points


class Kind(StrEnum):
    """Why a version of the notebook is run."""

    INSTRUCTOR = "instructor"
    RELEASE = "release"
    MUTANT = "mutant"
    AUTOMATIC = "automatic"
    PROOF = "proof"
    OBSERVED = "observed"


@dataclass(frozen=True)
class Trial:
    """One version of an assignment's notebook.

    Parameters
    ----------
    sources : mapping from str to str
        New sources of solution cells, by grade_id; the others stay as the instructor wrote them.
    last : str
        A cell that runs after all others.
    """

    assignment: str
    kind: Kind
    name: str
    seed: str
    sources: Mapping[str, str] = field(default_factory=dict)
    last: str = ""


@dataclass(frozen=True)
class Result:
    """What a trial came to.

    Parameters
    ----------
    lost : mapping from str to float
        Points lost, by grade cell; cells that lost none are not in it.
    troubles : mapping from str to str
        The first error or message on stderr of every cell that had one, by the cell's id.
    printed : str
        What the trial's last cell printed.
    """

    trial: Trial
    lost: Mapping[str, float]
    troubles: Mapping[str, str]
    printed: str
    seconds: float


@dataclass(frozen=True)
class Breach:
    """A demand of the gate that is not met: the place, the fact, the next step."""

    place: str
    fact: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.fact}; {self.fix}."


@dataclass(frozen=True)
class Tried:
    """One mutant: what it lost, and the breach that is, or why it could not lose anything."""

    name: str
    what: str
    lost: Mapping[str, float]
    breach: Breach | None = None
    excuse: str = ""

    @property
    def is_void(self) -> bool:
        """Whether it turned out to be no mutant at all."""
        return bool(self.excuse) and not self.lost and self.breach is None


@dataclass(frozen=True)
class Report:
    """The gate's findings on one assignment."""

    assignment: str
    points: float = 0.0
    grade_cells: int = 0
    perfect_runs: int = 0
    runs: int = 0
    release_points: float = 0.0
    mutants: tuple[Tried, ...] = ()
    automatic: tuple[Tried, ...] = ()
    breaches: tuple[Breach, ...] = ()
    seconds: float = 0.0


def place(path: Path, root: Path, cell: str = "") -> str:
    """Return a place that can be found: the file as seen from the course, and the cell."""
    shown = str(path.relative_to(root) if path.is_relative_to(root) else path)
    return f"{shown}, cell {cell}" if cell else shown


def shown(lost: Mapping[str, float]) -> str:
    """Return losses as text, with the points."""
    return ", ".join(f"{cell} ({points:g})" for cell, points in lost.items()) or "nothing"


def same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two losses are the same, apart from rounding."""
    return one.keys() == other.keys() and all(abs(one[cell] - other[cell]) < TOLERANCE for cell in one)
