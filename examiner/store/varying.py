"""Finds cells whose measurements stay unsettled again and again, since the student's own code varies.

A measurement that is close to a threshold, or a machine that is busy, leaves one unsettled now and then. Code
whose time varies on purpose does so each time, while the instructor's function beside it takes as long as
ever.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

from examiner.model import Identity
from examiner.store.sheets import FiledGrade, GradeHistory
from examiner_checks.measured import Measured, Raw

IN_A_ROW: Final = 3  # gradings
LEAST: Final = 1.25  # quotient of quartiles from which on a series is said to vary
TIMES: Final = 2.0  # how many times the baseline's spread, in logarithms, the candidate's is at least
FEWEST: Final = 4  # samples that have quartiles


@dataclass(frozen=True)
class Spread:
    """By which factor the quartiles of a student's times differ, and those of the baseline beside them."""

    candidate: float
    baseline: float

    @property
    def is_the_students(self) -> bool:
        """Whether the student's times vary, and not those of everything on the machine."""
        return self.candidate >= max(LEAST, float(self.baseline**TIMES))


@dataclass(frozen=True)
class VaryingCell:
    """A grade cell that stayed unsettled in several gradings in a row, since the student's own times vary."""

    identity: Identity
    notebook: str
    grade_id: str
    spreads: tuple[Spread, ...]

    def __str__(self) -> str:
        ours = ", ".join(f"{spread.candidate:.3g}" for spread in self.spreads)
        theirs = ", ".join(f"{spread.baseline:.3g}" for spread in self.spreads)
        return (
            f"{self.identity.student}/{self.identity.assignment}, cell {self.grade_id}: unclear in "
            f"{len(self.spreads)} gradings in a row, since the student's own times vary: "
            f"by a factor of {ours} between their quartiles, and the baseline's by {theirs}."
        )


def varying_cells(history: GradeHistory) -> Iterator[VaryingCell]:
    """Yield the cells that the student's own times have left unsettled in the last `IN_A_ROW` gradings."""
    latest = list({grade.digest: grade for grade in reversed(history.grades)}.values())[:IN_A_ROW]
    if len(latest) < IN_A_ROW:
        return
    found = [_spreads(grade) for grade in reversed(latest)]
    for notebook, cell in found[-1]:
        spreads = tuple(by_cell[notebook, cell] for by_cell in found if (notebook, cell) in by_cell)
        if len(spreads) == IN_A_ROW:
            yield VaryingCell(latest[0].identity, notebook, cell, spreads)


def has_unsettled(grade: FiledGrade) -> bool:
    """Whether a measurement of the grade stayed unsettled."""
    return any(not measured.is_settled for _, _, measured in _measurements(grade))


def _spreads(grade: FiledGrade) -> dict[tuple[str, str], Spread]:
    """Return, by notebook and cell, the spread of what the student's own times have left unsettled."""
    unsettled = (entry for entry in _measurements(grade) if not entry[2].is_settled)
    found = ((notebook, cell, spread_of(measured.raw)) for notebook, cell, measured in unsettled)
    return {(notebook, cell): spread for notebook, cell, spread in found if spread.is_the_students}


def _measurements(grade: FiledGrade) -> Iterator[tuple[str, str, Measured]]:
    for part in grade.parts:
        for verdict in part.sheet.verdicts:
            for measured in verdict.measured:
                yield part.notebook, verdict.grade_id, measured


def spread_of(raw: Raw) -> Spread:
    """Return the spread of both series, at the size at which the student's is largest."""
    baselines = raw.baseline or ((),) * len(raw.candidate)
    pairs = zip(raw.candidate, baselines, strict=True)
    spreads = (Spread(_quartiles(ours), _quartiles(theirs)) for ours, theirs in pairs)
    return max(spreads, key=lambda spread: spread.candidate, default=Spread(1.0, 1.0))


def _quartiles(seconds: Sequence[float]) -> float:
    """Return the third quartile over the first; 1 if there are too few samples."""
    if len(seconds) < FEWEST:
        return 1.0
    first, _, third = quantiles([math.log(max(taken, 1e-9)) for taken in seconds], n=4)
    return math.exp(third - first)
