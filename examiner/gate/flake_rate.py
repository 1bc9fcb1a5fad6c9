"""How often a measured grade cell would cost its author points, by the spread that its own samples show.

The rule is applied anew to thousands of series drawn from the samples that runs of the solution have left.
What those do not show is how a machine differs from the next, or from itself next week: so each series is
moved as a whole, by what the runs differed among themselves, and by a tenth at least.
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
MACHINES: Final = 0.1  # by which the figures of two machines differ, in logarithms or exponents
SIGMAS: Final = 4.0  # that a threshold is to be moved away
MEASURED: Final = frozenset({"speed", "growth"})
_FEW: Final = 60  # samples, after which there is a look at every sixtieth only


def flake_rate(runs: Sequence[Measured]) -> float:
    """Return the share of runs in which the best rung would be missed.

    Parameters
    ----------
    runs : sequence of Measured
        What one check has measured in several runs of the same solution.
    """
    subject = runs[0]
    ladder = Ladder(subject.rungs, subject.more_is_better)
    are_ratios = subject.kind == "speed"
    figures = [each for run in runs for each in _scaled(run)]
    shift, draw = _shift(runs), random.Random(len(figures))  # noqa: S311 - to repeat, not to be secret
    missed = sum(
        not _reaches_best(ladder, _series(figures, shift, draw, are_ratios=are_ratios), are_ratios=are_ratios)
        for _ in range(SERIES)
    )
    return missed / SERIES


def safe_threshold(runs: Sequence[Measured]) -> float:
    """Return where the best rung would have room enough."""
    centre = median(each for run in runs for each in _scaled(run))
    room = SIGMAS * _shift(runs) * (-1 if runs[0].more_is_better else 1)
    return math.exp(centre + room) if runs[0].kind == "speed" else centre + room


def _scaled(run: Measured) -> Iterator[float]:
    """Yield the samples where differences are what counts: ratios by their logarithms."""
    return map(math.log, run.figures) if run.kind == "speed" else iter(run.figures)


def _shift(runs: Sequence[Measured]) -> float:
    """Return the standard deviation by which whole runs differ."""
    middles = [median(_scaled(run)) for run in runs]
    return math.hypot(MACHINES, stdev(middles) if len(middles) > 1 else 0.0)


def _series(
    figures: Sequence[float], shift: float, draw: random.Random, *, are_ratios: bool
) -> Iterator[float]:
    moved = draw.gauss(0.0, shift)
    while True:
        figure = draw.choice(figures) + moved
        yield math.exp(figure) if are_ratios else figure


def _reaches_best(ladder: Ladder, series: Iterator[float], *, are_ratios: bool) -> bool:
    """Whether a series ends in the best rung; it is looked at after each sample, later now and then."""
    seen: list[float] = []
    for figure in series:
        seen.append(figure)
        if len(seen) > _FEW and len(seen) % _FEW:
            continue
        known = estimate(seen)
        ratios = seen if are_ratios else ()
        if ladder.is_settled(known, ratios) or len(seen) > MOST_SAMPLES:
            return ladder.reached(known, ratios) == (0, True)
    return False
