"""What follows from the evidence, as pure data: one verdict for a grade cell, one grade sheet for a job.

A verdict cannot be built that breaks the rule of positive evidence: full marks belong to `passed` alone, and
what nobody could judge has no points at all, never 0.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from examiner.model import Identity, Mode
from examiner_checks.measured import Measured

AUTHOR_ERROR: Final = "AuthorError"  # is raised where a grade cell asks for what no proxy can mean


class Outcome(StrEnum):
    """What became of a grade cell."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"  # a check said no
    ERROR = "error"  # something else was raised: by the student's code, or since the cell asks what it cannot
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"
    TAMPERED = "tampered"
    INCONCLUSIVE = "inconclusive"
    INFRASTRUCTURE = "infrastructure"

    @property
    def is_open(self) -> bool:
        """Whether a person has to decide: there are no points yet."""
        return self in {Outcome.INCONCLUSIVE, Outcome.INFRASTRUCTURE}


# What a student's cell did that ended its process.
ENDED: Final = {Outcome.CRASHED: "ended the process", Outcome.OUT_OF_MEMORY: "used too much memory"}


@dataclass(frozen=True)
class Verdict:
    """What one grade cell gave one submission.

    Parameters
    ----------
    points : float or None
        Within 0 and `max_points`; None if and only if the outcome leaves it to a person.
    message : str
        What happened, for the instructor: it may quote hidden tests.
    hint : str
        The author's words for the student, if the check that failed has some.
    line : int or None
        The line of the cell that raised, counted from 1.
    is_hidden : bool
        Whether that line is part of the hidden tests.
    awards : tuple of (float, str)
        What the cell gave points for, in order.
    output : str
        What the cell printed.
    seed : str
        What `rng` drew from; the same seed draws the same inputs.
    seconds : float
        How long the cell ran.
    calls : int
        How often the candidate was asked for something.
    measured : tuple of Measured
        What its checks have measured, with all samples.
    raised : str
        The class of the exception that ended the cell, if one did.

    Raises
    ------
    ValueError
        If points and outcome contradict each other.
    """

    grade_id: str
    outcome: Outcome
    points: float | None
    max_points: float
    mode: Mode = Mode.EXAMINED
    message: str = ""
    hint: str = ""
    line: int | None = None
    is_hidden: bool = False
    awards: tuple[tuple[float, str], ...] = ()
    output: str = ""
    seed: str = ""
    seconds: float = 0.0
    calls: int = 0
    measured: tuple[Measured, ...] = ()
    raised: str = ""

    def __post_init__(self) -> None:
        if self.outcome.is_open != (self.points is None):
            raise ValueError(f"{self.grade_id}: {self.outcome} goes with {self.points} points?")
        if self.points is None:
            return
        if not (math.isfinite(self.points) and 0 <= self.points <= self.max_points):
            raise ValueError(f"{self.grade_id}: {self.points} of {self.max_points} points")
        if (self.outcome is Outcome.PASSED) != (self.points == self.max_points) and self.max_points:
            raise ValueError(f"{self.grade_id}: {self.outcome} goes with all points?")


@dataclass(frozen=True)
class GradeSheet:
    """All verdicts of one job, with what they came from."""

    identity: Identity
    verdicts: tuple[Verdict, ...]
    repairs: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    graded_at: str = ""

    @property
    def points(self) -> float:
        """The sum of the points there are."""
        return math.fsum(verdict.points or 0.0 for verdict in self.verdicts)

    @property
    def needs_person(self) -> bool:
        """Whether some verdict is left to a person."""
        return any(verdict.outcome.is_open for verdict in self.verdicts)
