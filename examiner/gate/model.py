"""What the gate runs on an assignment and what came of it, as frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from examiner.model import Mode
from examiner.verdict import Outcome
from examiner_checks.measured import Measured

TOLERANCE = 1e-9  # points
LAST = "last"  # the id of the cell that a trial adds at the end


class TrialKind(StrEnum):
    """Why a version of the notebook is run.

    Two kinds run the solution with its functions decorated: `OBSERVED` records what they return, `REACH`,
    without demonstrations, which of them each grade cell calls. `WITNESS` runs the solution in a real Jupyter
    kernel, from top to bottom, as stock nbgrader would.
    """

    WITNESS = "witness"
    INSTRUCTOR = "instructor"
    RELEASE = "release"
    OBSERVED = "observed"
    REACH = "reach"
    MUTANT = "mutant"
    PROOF = "proof"
    AUTOMATIC = "automatic"
    HOLLOW = "hollow"
    AGREEABLE = "agreeable"


@dataclass(frozen=True)
class Trial:
    """One version of a notebook, and how it is run.

    Parameters
    ----------
    plan : str
        The name of the plan that it belongs to.
    sources : mapping from str to str
        New sources of solution cells, by grade_id; the others stay as the instructor wrote them.
    last : str
        The source of a cell that runs after all others.
    cells : frozenset of str, optional
        The grade cells that are run, if not all of them.
    enough : frozenset of str
        Screening cells: they run first, and if one of them loses points, no other grade cell is run. They
        have no effect where cells are judged in both modes.
    is_bare : bool
        Whether demonstrations are left out: cells that only show something.
    seconds : int, optional
        The time limit of each cell, if it is not the course's.
    modes : mapping from str to Mode, optional
        The mode in which each grade cell is judged; None judges all of them in both.
    again : int
        Which repetition of a trial of this kind and name it is, with other random numbers; 0 is the trial.
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
    again: int = 0

    def __str__(self) -> str:
        return f"{self.plan}, {self.kind} {self.name}"

    @property
    def key(self) -> tuple[TrialKind, str]:
        """By what its result is found among those of its plan."""
        return self.kind, self.name + (f", again {self.again}" if self.again else "")


@dataclass(frozen=True)
class Account:
    """The result of one grade cell in a trial, in one mode.

    Parameters
    ----------
    raised : str
        The class of the exception that ended the cell, if one did.
    wrote_stderr : bool
        Whether the cell wrote to stderr, which nbgrader counts as a failure.
    message : str
        The first line of the error or of stderr, for people.
    line : int, optional
        The line of the cell that raised, counted from 1.
    seed : str
        The seed of the cell's `rng`.
    measured : tuple of Measured
        What its checks measured.
    claimed : tuple of str
        What the student's process alone could say.
    """

    points: float
    outcome: Outcome
    raised: str = ""
    wrote_stderr: bool = False
    message: str = ""
    seed: str = ""
    measured: tuple[Measured, ...] = ()
    claimed: tuple[str, ...] = ()
    line: int | None = None


@dataclass(frozen=True)
class Seen:
    """What the decorated functions of a notebook had recorded when a cell ended.

    Parameters
    ----------
    called : frozenset of str
        The functions that were called, by the keys of `reach`.
    differed : mapping from str to frozenset of str
        For each public function that was called, the stubs from which one of its answers differed.
    """

    called: frozenset[str]
    differed: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Result:
    """The result of a trial.

    Parameters
    ----------
    examined, kernel : mapping from str to Account
        The accounts of the grade cells that were run in each mode, by grade_id.
    troubles : mapping from str to str
        The first error or message on stderr of every other cell that had one, by the cell's id.
    seen : tuple of (str, Seen or None)
        The record that each cell printed in each mode, by the cell's id; None where it ended before that.
    """

    trial: Trial
    examined: Mapping[str, Account]
    kernel: Mapping[str, Account]
    troubles: Mapping[str, str] = field(default_factory=dict)
    seen: tuple[tuple[str, Seen | None], ...] = ()

    def account(self, cell: str, mode: Mode) -> Account | None:
        """Return the account of a grade cell in a mode, or None if it was not run."""
        return (self.kernel if mode is Mode.KERNEL else self.examined).get(cell)

    def lost(self, points: Mapping[str, float], modes: Mapping[str, Mode]) -> dict[str, float]:
        """Return the points lost, by grade cell, each in the mode in which it is judged.

        A cell that was not run loses nothing: the change that the trial makes cannot reach it.
        """
        accounts = {cell: self.account(cell, modes.get(cell, Mode.EXAMINED)) for cell in points}
        missing = {cell: points[cell] - account.points for cell, account in accounts.items() if account}
        return {cell: lost for cell, lost in missing.items() if lost > TOLERANCE}


Results = Mapping[tuple[TrialKind, str], Result]


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
    """The result of one mutant: the points it lost, and a breach, or an excuse why it cannot lose any."""

    name: str
    what: str
    lost: Mapping[str, float]
    breach: Breach | None = None
    excuse: str = ""

    @property
    def is_void(self) -> bool:
        """Whether it does not count as a mutant, since nothing that it does is wrong."""
        return bool(self.excuse) and not self.lost and self.breach is None


@dataclass(frozen=True)
class Report:
    """The gate's findings on one notebook.

    Parameters
    ----------
    assignment : str
        The assignment, followed by the notebook where it has several.
    self_reported : float
        The points of the grade cells that run in the kernel.
    reasons : mapping from str to str
        Why each of these cells is not examined, by its place.
    claimed : float
        The points of the examined cells that rest on what a student's objects say of themselves.
    claims : mapping from str to str
        What each of these cells asks them, by its place.
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
    claimed: float = 0.0
    claims: Mapping[str, str] = field(default_factory=dict)
    breaches: tuple[Breach, ...] = ()


def place(path: Path, root: Path, cell: str = "") -> str:
    """Return the place of a cell for people: the path relative to the course, and the cell's name."""
    file = str(path.relative_to(root) if path.is_relative_to(root) else path)
    return f"{file}, cell {cell}" if cell else file


def shown(lost: Mapping[str, float]) -> str:
    """Return lost points as text."""
    return ", ".join(f"{cell} ({points:g})" for cell, points in lost.items()) or "nothing"


def same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two losses are the same, apart from rounding."""
    return one.keys() == other.keys() and all(abs(one[cell] - other[cell]) < TOLERANCE for cell in one)
