"""What the gate tries on an assignment, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from examiner.model import Mode
from examiner.verdict import Outcome
from examiner_checks.measured import Measured

TOLERANCE = 1e-9  # points
LAST = "last"  # the cell that a trial adds


class TrialKind(StrEnum):
    """Why a version of the notebook is run."""

    INSTRUCTOR = "instructor"
    RELEASE = "release"
    OBSERVED = "observed"  # the solution, with what its functions return watched
    REACH = "reach"  # the same without demonstrations: what each grade cell calls
    MUTANT = "mutant"
    PROOF = "proof"
    AUTOMATIC = "automatic"


@dataclass(frozen=True)
class Trial:
    """One version of a notebook.

    Parameters
    ----------
    plan : str
        The name of the plan that it belongs to.
    sources : mapping from str to str
        New sources of solution cells, by grade_id; the others stay as the instructor wrote them.
    last : str
        A cell that runs after all others.
    cells : frozenset of str, optional
        The only grade cells that are run.
    enough : frozenset of str
        Those of them that are run first; if points are lost there, the others are not run at all. Where each
        is judged in both ways, all are run.
    is_bare : bool
        Whether cells that only show something are left out.
    seconds : int, optional
        For each cell, instead of the course's.
    modes : mapping from str to Mode, optional
        How each grade cell is judged, if not in both ways.
    """

    plan: str
    kind: TrialKind
    name: str
    seed: str
    sources: Mapping[str, str] = field(default_factory=dict)
    last: str = ""
    cells: frozenset[str] | None = None
    enough: frozenset[str] = frozenset()
    is_bare: bool = False
    seconds: int | None = None
    modes: Mapping[str, Mode] | None = None

    def __str__(self) -> str:
        return f"{self.plan}, {self.kind} {self.name}"


@dataclass(frozen=True)
class Account:
    """What one grade cell gave a trial in one mode.

    Parameters
    ----------
    raised : str
        The class of the exception that ended the cell, if one did.
    wrote_stderr : bool
        Whether there is something on stderr, which nbgrader takes for a failure.
    message : str
        The first line of the error or of stderr, for people.
    seed : str
        What `rng` drew from.
    measured : tuple of Measured
        What its checks have measured.
    """

    points: float
    outcome: Outcome
    raised: str = ""
    wrote_stderr: bool = False
    message: str = ""
    seed: str = ""
    measured: tuple[Measured, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was noted up to the end of a cell.

    Parameters
    ----------
    called : frozenset of str
        The functions that were called, by the keys of `reach`.
    differed : mapping from str to frozenset of str
        For each public function that was called, the worthless values that it once did not return.
    """

    called: frozenset[str]
    differed: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Result:
    """What a trial came to.

    Parameters
    ----------
    examined, kernel : mapping from str to Account
        By grade cell, for those that were run.
    troubles : mapping from str to str
        The first error or message on stderr of every other cell that had one, by the cell's id.
    seen : tuple of (str, Seen or None)
        By cell, in both modes; None where a cell did not come to telling it.
    """

    trial: Trial
    examined: Mapping[str, Account]
    kernel: Mapping[str, Account]
    troubles: Mapping[str, str] = field(default_factory=dict)
    seen: tuple[tuple[str, Seen | None], ...] = ()

    def account(self, cell: str, mode: Mode) -> Account | None:
        """Return what a grade cell gave in a mode, or None if it was not run."""
        return (self.kernel if mode is Mode.KERNEL else self.examined).get(cell)

    def lost(self, points: Mapping[str, float], modes: Mapping[str, Mode]) -> dict[str, float]:
        """Return the points lost, by grade cell, in the mode that each is judged in.

        A cell that was not run is one that the trial's change does not reach: it loses nothing.
        """
        accounts = {cell: self.account(cell, modes.get(cell, Mode.EXAMINED)) for cell in points}
        missing = {cell: points[cell] - each.points for cell, each in accounts.items() if each}
        return {cell: lost for cell, lost in missing.items() if lost > TOLERANCE}


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
    """The gate's findings on one assignment.

    Parameters
    ----------
    self_reported : float
        The points of grade cells that run in the kernel.
    reasons : mapping from str to str
        Why each of those is not examined, by place.
    """

    assignment: str
    points: float = 0.0
    grade_cells: int = 0
    perfect_runs: int = 0
    runs: int = 0
    release_points: float = 0.0
    mutants: tuple[Tried, ...] = ()
    automatic: tuple[Tried, ...] = ()
    self_reported: float = 0.0
    reasons: Mapping[str, str] = field(default_factory=dict)
    breaches: tuple[Breach, ...] = ()


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
