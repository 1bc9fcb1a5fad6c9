"""What a check has measured: figures with thresholds, kept as they are and said in a sentence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from examiner_checks.decision import CONFIDENCE, Estimate, Ladder

Series = tuple[tuple[float, ...], ...]


def _finite(value: Any) -> Any:
    """Return numbers as they are, and those that JSON has no form for as their names."""
    if isinstance(value, tuple):
        return tuple(map(_finite, value))
    return value if math.isfinite(value) else str(value)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Raw:
    """What the figures were computed from, sample by sample; for each size, if there are several.

    Attributes
    ----------
    sizes : tuple of float
        What the series belong to, if a check takes several sizes.
    candidate, baseline : tuple of tuple of float
        CPU seconds; for memory, bytes.
    candidate_wall, baseline_wall : tuple of tuple of float
        Seconds on the wall.
    """

    sizes: tuple[float, ...] = ()
    candidate: Series = ()
    baseline: Series = ()
    candidate_wall: Series = ()
    baseline_wall: Series = ()


@dataclass(frozen=True)
class Measured:
    """What a check has measured, as it is kept with the verdict.

    Attributes
    ----------
    kind : str
        "speed", "growth", "break even", "memory" or "quality".
    what : str
        The author's name of what was measured, for the student.
    unit : str
        What the figure counts, such as "times the time of the reference".
    figures : tuple of float
        The figure, sample by sample, in the order in which they were taken.
    rungs : tuple of (float, float)
        Thresholds and points, the best first.
    more_is_better : bool
        Whether a rung is reached from above.
    middle, low, high : float
        The estimate; all the same for a figure that is exact.
    missed : int
        How many rungs are missed, from the best on.
    is_settled : bool
        Whether the samples were enough to say so.
    """

    kind: str
    what: str
    unit: str
    figures: tuple[float, ...]
    rungs: tuple[tuple[float, float], ...]
    more_is_better: bool
    middle: float
    low: float
    high: float
    missed: int
    is_settled: bool
    raw: Raw = field(default_factory=Raw)

    def to_data(self) -> dict[str, Any]:
        """Return it as what JSON can hold, infinities as text; nothing in it may be changed."""
        numbers = {name: _finite(getattr(self, name)) for name in ("figures", "middle", "low", "high")}
        return vars(self) | numbers | {"raw": vars(self.raw)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Measured":
        """Return what `to_data` gave, after its way through JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        numbers = {name: float(data[name]) for name in ("middle", "low", "high")}
        raw = Raw(**{name: _tuples(each) for name, each in data["raw"].items()})
        rungs = tuple((float(threshold), float(points)) for threshold, points in data["rungs"])
        return cls(
            **{**data, "raw": raw, "rungs": rungs, "figures": tuple(map(float, data["figures"])), **numbers}
        )

    @property
    def is_graded(self) -> bool:
        """Whether the rungs carry points; a single threshold without any just passes or fails."""
        return any(points for _, points in self.rungs)

    @property
    def sentence(self) -> str:
        """It all in words for a student: the figure, how sure that is, and what would give more."""
        interval = ""
        if self.low < self.high and math.isfinite(self.low) and math.isfinite(self.high):
            interval = f" ({CONFIDENCE:.1%} sure: between {self.low:.3g} and {self.high:.3g})"
        bound = "from" if self.more_is_better else "up to"
        worth = "; ".join(
            f"{points:g} points {bound} {threshold:g}" if points else f"passes {bound} {threshold:g}"
            for threshold, points in self.rungs
        )
        return f"{self.what}: {self.middle:.3g} {self.unit}".rstrip() + f"{interval}; {worth}"


@dataclass(frozen=True)
class Subject:
    """What is measured, in words, and the thresholds it is held against.

    Attributes
    ----------
    kind, what, unit
        As in `Measured`.
    ladder : Ladder
        The thresholds.
    """

    kind: str
    what: str
    unit: str
    ladder: Ladder

    def estimated(
        self, known: Estimate, figures: tuple[float, ...], raw: Raw, *, are_ratios: bool
    ) -> Measured:
        """Return what samples say."""
        missed, is_reached = self.ladder.reached(known, figures if are_ratios else ())
        is_settled = is_reached or missed == len(self.ladder.rungs)
        return self._measured(figures, known, missed, raw, is_settled=is_settled)

    def exactly(self, figure: float, raw: Raw | None = None, *, is_settled: bool = True) -> Measured:
        """Return what a figure says that is no estimate."""
        known = Estimate(figure, figure, figure, 1)
        missed = self.ladder.single(figure)
        return self._measured((figure,), known, missed, raw or Raw(), is_settled=is_settled)

    def _measured(
        self, figures: tuple[float, ...], known: Estimate, missed: int, raw: Raw, *, is_settled: bool
    ) -> Measured:
        return Measured(
            kind=self.kind,
            what=self.what,
            unit=self.unit,
            figures=figures,
            rungs=self.ladder.rungs,
            more_is_better=self.ladder.more_is_better,
            middle=known.middle,
            low=known.low,
            high=known.high,
            missed=missed,
            is_settled=is_settled,
            raw=raw,
        )
