"""A claim is a figure with its baseline, its spread, its goal, and the quality that was kept."""

from __future__ import annotations

from benchmarks.paired import Work, measure, median_interval

# isort: split
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Sides = Callable[[], Sequence[np.ndarray] | None]
TIMES = "×"  # noqa: RUF001 - the multiplication sign is meant
SLOW_PAIRS = 7  # for baselines that take seconds; the 95 % interval needs at least 6


@dataclass(frozen=True)
class Claim:
    """A figure, and its 95 % interval from `low` to `high`, which are equal if it was counted, not timed."""

    group: str
    name: str
    baseline: str
    figure: float
    low: float
    high: float
    unit: str
    goal: float | None  # the least it should be, or the most if `at_most`; None if there is no goal
    quality: str
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """Say whether the goal is met, missed, or within the spread."""
        if self.goal is None:
            return "shown"
        sign = -1 if self.at_most else 1
        ends = sorted((sign * self.low, sign * self.high))
        if ends[0] >= sign * self.goal:
            return "met"
        return "missed" if ends[1] < sign * self.goal else "within spread"

    def cells(self) -> list[str]:
        """Return the cells of the claim's row in the table."""
        spread = "" if self.low == self.high else f"[{short(self.low)}, {short(self.high)}]"
        goal = "" if self.goal is None else f"{'≤' if self.at_most else '≥'} {short(self.goal)}"
        figure = f"{short(self.figure)} {self.unit}"
        return [self.name, self.baseline, figure, spread, goal, self.verdict, self.quality]


def short(number: float) -> str:
    """Return a number with three significant digits, or as an integer from 100 on."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"  # noqa: PLR2004 - the least with three digits


def faster(  # noqa: PLR0913 - these are the parts of a claim
    group: str,
    name: str,
    ours: Sides,
    baseline: tuple[str, Sides],
    goal: float | None = None,
    *,
    quality: str = "same numbers",
    rtol: float = 1e-3,
    pairs: int = 31,
) -> Claim:
    """Time ours and the baseline in pairs; the figure is how many times faster ours is."""
    ratio = measure(Work(name, ours, baseline[1], 1 / (goal or 1), rtol), pairs)
    return Claim(
        group, name, baseline[0], 1 / ratio.median, 1 / ratio.high, 1 / ratio.low, TIMES, goal, quality
    )


def of_rounds(  # noqa: PLR0913, PLR0917 - these are the parts of a claim
    group: str,
    name: str,
    baseline: str,
    values: Sequence[float],
    goal: float | None,
    quality: str,
    *,
    at_most: bool = False,
) -> Claim:
    """Return a claim on the median of several rounds, with its interval."""
    low, high = median_interval(values)
    return Claim(
        group, name, baseline, statistics.median(values), low, high, TIMES, goal, quality, at_most=at_most
    )


def counted(  # noqa: PLR0913, PLR0917 - these are the parts of a claim
    group: str,
    name: str,
    baseline: str,
    figure: float,
    unit: str,
    goal: float | None,
    quality: str,
    *,
    at_most: bool = False,
) -> Claim:
    """Return a claim whose figure was counted, so that it has no spread."""
    return Claim(group, name, baseline, figure, figure, figure, unit, goal, quality, at_most=at_most)


def break_even(sizes: Sequence[float], ratios: Sequence[float]) -> float | None:
    """Return the size from which on the speed-up stays above 1, interpolated between two measured sizes.

    The result is None if the speed-up is nowhere below 1, or still below 1 at the last size: nothing is known
    about sizes that were not measured.
    """
    logs = np.log(ratios)
    below = np.flatnonzero(logs < 0)
    if not below.size or below[-1] == len(logs) - 1:
        return None
    i = below[-1]
    share = logs[i] / (logs[i] - logs[i + 1])
    return float(sizes[i] + share * (sizes[i + 1] - sizes[i]))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Draw float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)
