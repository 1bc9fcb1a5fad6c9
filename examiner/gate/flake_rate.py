"""Estimates how often the instructor's own solution would miss a threshold, by resampling its samples.

The rule that decides when to stop measuring is applied to thousands of series, which are drawn from the
samples of a few runs of the solution. Those samples do not show how one machine differs from the next, or
from itself next week. So each series is shifted as a whole, by a random amount: its standard deviation is
that between the runs, and at least 0.1.
"""

import math
import random
from collections.abc import Iterator, Sequence
from statistics import median, stdev
from typing import Final

from examiner_checks.decision import Ladder, estimate
from examiner_checks.measured import Measured
from examiner_checks.sampling import MOST_SAMPLES

SERIES: Final = 2000
TOLERATED: Final = 1 / 1000
MACHINES: Final = 0.1  # assumed standard deviation between machines, of the log ratio or of the exponent
SIGMAS: Final = 4.0  # standard deviations between the solution's figure and a safe threshold
MEASURED: Final = frozenset({"speed", "growth"})
_FEW: Final = 60  # up to so many samples a series is tested after each, from then on after every 60th


def flake_rate(runs: Sequence[Measured]) -> float:
    """Return the share of runs that would miss the best threshold.

    Parameters
    ----------
    runs : sequence of Measured
        What one check measured in several runs of the same solution.
    """
    subject = runs[0]
    ladder = Ladder(subject.rungs, subject.more_is_better)
    are_ratios = subject.kind == "speed"
    figures = [figure for run in runs for figure in _scaled(run)]
    shift, draw = _shift(runs), random.Random(len(figures))  # noqa: S311 - it must repeat, not be secret
    missed = sum(
        not _reaches_best(ladder, _series(figures, shift, draw, are_ratios=are_ratios), are_ratios=are_ratios)
        for _ in range(SERIES)
    )
    return missed / SERIES


def safe_threshold(runs: Sequence[Measured]) -> float:
    """Return a value for the best threshold that is far enough from the solution's own figure."""
    centre = median(figure for run in runs for figure in _scaled(run))
    room = SIGMAS * _shift(runs) * (-1 if runs[0].more_is_better else 1)
    return math.exp(centre + room) if runs[0].kind == "speed" else centre + room


def _scaled(run: Measured) -> Iterator[float]:
    """Yield the samples on a scale on which they can be shifted: ratios as their logarithms."""
    return map(math.log, run.figures) if run.kind == "speed" else iter(run.figures)


def _shift(runs: Sequence[Measured]) -> float:
    """Return the standard deviation between whole runs, that between machines included."""
    middles = [median(_scaled(run)) for run in runs]
    return math.hypot(MACHINES, stdev(middles) if len(middles) > 1 else 0.0)


def _series(
    figures: Sequence[float], shift: float, draw: random.Random, *, are_ratios: bool
) -> Iterator[float]:
    """Yield samples without end: drawn with replacement, and all shifted by the same random amount."""
    offset = draw.gauss(0.0, shift)
    while True:
        figure = draw.choice(figures) + offset
        yield math.exp(figure) if are_ratios else figure


def _reaches_best(ladder: Ladder, series: Iterator[float], *, are_ratios: bool) -> bool:
    """Whether a series has reached the best threshold when the rule stops the measurement."""
    samples: list[float] = []
    for figure in series:
        samples.append(figure)
        if len(samples) > _FEW and len(samples) % _FEW:
            continue
        known = estimate(samples)
        ratios = samples if are_ratios else ()
        if ladder.is_settled(known, ratios) or len(samples) > MOST_SAMPLES:
            return ladder.reached(known, ratios) == (0, True)
    return False
