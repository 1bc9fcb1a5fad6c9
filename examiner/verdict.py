"""Verdicts and grade sheets, as pure data: a verdict for each grade cell, a grade sheet for each notebook.

A verdict that breaks the rule of positive evidence cannot be built: only `passed` has full marks, and a cell
that could not be judged has no points (None), never 0. What such a cell has surely earned is provisional: it
counts until a person decides, and is shown as such.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from examiner.model import Identity, Mode
from examiner_checks.decision import Estimate, Ladder
from examiner_checks.measured import Measured

AUTHOR_ERROR: Final = "AuthorError"  # a grade cell does something that a proxy cannot do


class Outcome(StrEnum):
    """What became of a grade cell."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"  # a check or an `assert` failed
    ERROR = "error"  # any other exception, of the student's code or of the cell itself
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


# What a student's cell did when its process ended.
ENDED: Final = {Outcome.CRASHED: "ended the process", Outcome.OUT_OF_MEMORY: "used too much memory"}


@dataclass(frozen=True)
class Verdict:
    """What one grade cell gave one submission.

    Parameters
    ----------
    points : float or None
        From 0 to `max_points`; None if and only if the outcome leaves it to a person.
    message : str
        What happened, for the instructor: it may quote hidden tests.
    hint : str
        The author's words for the student, if the check that failed has any.
    line : int or None
        The line of the cell that raised, counted from 1.
    is_hidden : bool
        Whether that line is part of the hidden tests.
    awards : tuple of (float, str)
        The points that the cell awarded, each with its reason, in order.
    output : str
        What the cell printed.
    seed : str
        The seed of `rng`; the same seed draws the same inputs.
    seconds : float
        How long the cell ran.
    calls : int
        How many requests were sent to the candidate.
    measured : tuple of Measured
        What its checks measured, with all samples.
    raised : str
        The class of the exception that ended the cell, if one did.
    provisional : float
        Points that a cell whose outcome is inconclusive has surely earned; less than all.
    claimed : tuple of str
        What the cell asked that only the student's process can answer, such as identities and names.

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
    provisional: float = 0.0
    claimed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.outcome.is_open != (self.points is None):
            raise ValueError(f"{self.grade_id}: {self.outcome} cannot have {self.points} points")
        self._check_provisional()
        if self.points is None:
            return
        if not (math.isfinite(self.points) and 0 <= self.points <= self.max_points):
            raise ValueError(f"{self.grade_id}: {self.points} of {self.max_points} points is out of range")
        if (self.outcome is Outcome.PASSED) != (self.points == self.max_points) and self.max_points:
            raise ValueError(
                f"{self.grade_id}: {self.outcome} cannot have {self.points} of {self.max_points} points"
            )

    def _check_provisional(self) -> None:
        if self.provisional == 0:
            return
        is_possible = math.isfinite(self.provisional) and 0 < self.provisional < self.max_points
        if not is_possible or self.outcome is not Outcome.INCONCLUSIVE:
            fact = f"{self.outcome} cannot have {self.provisional} of {self.max_points} points provisionally"
            raise ValueError(f"{self.grade_id}: {fact}")

    @property
    def counted(self) -> float | None:
        """The points that count for now: the provisional ones where a person has to decide, if any."""
        return self.points if self.points is not None else self.provisional or None


def surely_cleared(measured: Measured) -> int | None:
    """Return the number of the best rung that is cleared for sure, or None if none is.

    Where a measurement is unsettled, the rungs that its whole interval lies beyond are cleared all the same.
    """
    if (
        measured.low == measured.high and len(measured.figures) == 1
    ):  # exact, or the smallest size of those at which something is settled
        cleared = measured.missed
        return cleared if cleared < len(measured.rungs) else None
    known = Estimate(measured.middle, measured.low, measured.high, len(measured.figures))
    ratios = measured.figures if measured.kind == "speed" else ()
    for number, rung in enumerate(measured.rungs):
        if Ladder((rung,), measured.more_is_better).reached(known, ratios) == (0, True):
            return number
    return None


def timestamp() -> str:
    """Return the time now as sheets have it: UTC, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class GradeSheet:
    """All verdicts on one notebook of a submission, with what they depend on."""

    identity: Identity
    verdicts: tuple[Verdict, ...]
    repairs: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    graded_at: str = ""

    @property
    def points(self) -> float:
        """The sum of all points that are known; provisional ones are none of them."""
        return math.fsum(verdict.points or 0.0 for verdict in self.verdicts)
