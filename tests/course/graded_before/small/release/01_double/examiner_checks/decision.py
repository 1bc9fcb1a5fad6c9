"""When are there enough measurements? A figure is held against thresholds as its samples come in.

The samples' median is what counts, so a single disturbed one moves nothing. Whether the true median lies
above a threshold is a question about coins: each sample falls above or below it, and with the threshold at
the median both are equally likely. The evidence is Robbins' mixture martingale for such coins, and by Ville's
inequality it exceeds 1/e with a probability of at most e however often one looks: so one may look after each
sample, and stop as soon as the answer is clear. Nothing is assumed about how the samples are distributed.

Sources: H. Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math. Stat. 41
(1970); S. Howard and A. Ramdas, "Sequential estimation of quantiles", Bernoulli 28 (2022).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from statistics import median

# The probability, at most, that the interval ever leaves out the true median on one given side.
ERROR = 0.0005
CONFIDENCE = 1 - 2 * ERROR

# Five samples in a row, each eight times beyond a threshold, need no more company: of tens of thousands, one
# was seen that far from its median, on a machine that did many things at once (`benchmarks/flake.py` prints
# the farthest).
GROSS_SAMPLES = 5
GROSS = 8.0


def evidence(above: int, samples: int) -> float:
    """Return how strongly so many samples above a threshold speak for a median above it.

    It is the likelihood of a coin whose chance is drawn evenly from 1/2 to 1, over that of a fair coin.

    Parameters
    ----------
    above : int
        How many of the samples lie above the threshold.
    samples : int
        How many there are.
    """
    ways = [math.comb(samples + 1, count) for count in range(above + 1)]
    return sum(ways) / ((samples + 1) * math.comb(samples, above))


@lru_cache(maxsize=4096)
def needed(samples: int) -> int | None:
    """Return how many of these samples have to lie on one side to be sure; None if all would not do."""
    sums = list(accumulate(math.comb(samples + 1, count) for count in range(samples + 1)))
    bound = (samples + 1) / ERROR
    enough = (k for k in range(samples // 2, samples + 1) if sums[k] >= bound * math.comb(samples, k))
    return next(enough, None)


@dataclass(frozen=True)
class Estimate:
    """What is known of a figure: its median over the samples, and the interval that holds the true one.

    Attributes
    ----------
    middle, low, high : float
        In the samples' unit. The interval leaves out the true median with a probability of at most
        1 - CONFIDENCE, over all moments at which one may have looked.
    samples : int
        How many there are.
    """

    middle: float
    low: float
    high: float
    samples: int


def estimate(samples: Sequence[float]) -> Estimate:
    """Return what these samples say of their median.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not samples:
        raise ValueError("no samples, no estimate")
    ordered, enough = sorted(samples), needed(len(samples))
    low = -math.inf if enough is None else ordered[len(ordered) - enough]
    high = math.inf if enough is None else ordered[enough - 1]
    return Estimate(median(ordered), low, high, len(ordered))


@dataclass(frozen=True)
class Ladder:
    """Thresholds, the best first, and what each is worth.

    Attributes
    ----------
    rungs : tuple of (float, float)
        Thresholds and points.
    more_is_better : bool
        Whether a rung is reached from above.
    """

    rungs: tuple[tuple[float, float], ...]
    more_is_better: bool

    @classmethod
    def of(
        cls,
        at_most: float | Mapping[float, float] | None,
        at_least: float | Mapping[float, float] | None,
    ) -> "Ladder":
        """Return the ladder that an author wrote: one of both, a threshold or {threshold: points}.

        Raises
        ------
        TypeError
            If both are given, or none.
        ValueError
            If a threshold is not a positive number, or a better one is worth less.
        """
        if at_most is not None and at_least is None:
            written, more = at_most, False
        elif at_least is not None and at_most is None:
            written, more = at_least, True
        else:
            raise TypeError("give either at_most or at_least: a threshold, or {threshold: points}")
        points = written if isinstance(written, Mapping) else {written: 0.0}
        rungs = tuple(sorted(((float(t), float(p)) for t, p in points.items()), reverse=more))
        if not rungs or not all(threshold > 0 and math.isfinite(threshold) for threshold, _ in rungs):
            raise ValueError("a threshold is a positive number")
        worth = [each for _, each in rungs]
        if worth != sorted(worth, reverse=True) or (points is written and worth[-1] <= 0):
            raise ValueError("each rung gives points, and a better threshold more of them")
        return cls(rungs, more)

    def reached(self, known: Estimate, latest: Sequence[float] = ()) -> tuple[int, bool]:
        """Return how many rungs are missed for sure from the best on, and whether the next is reached.

        Parameters
        ----------
        known : Estimate
            Of the figure.
        latest : sequence of float, optional
            The samples, if they are ratios: then those that lie beyond any doubt count as soon as there are
            five.
        """
        for missed, (threshold, _) in enumerate(self.rungs):
            side = _side(threshold, known, latest)
            if side == 0:
                return missed, False
            if (side > 0) == self.more_is_better:
                return missed, True
        return len(self.rungs), False

    def is_settled(self, known: Estimate, latest: Sequence[float] = ()) -> bool:
        """Whether no further sample is needed to say which rung is the best that is reached."""
        missed, is_reached = self.reached(known, latest)
        return is_reached or missed == len(self.rungs)

    def single(self, value: float) -> int:
        """Return how many rungs an exact value misses, from the best on."""
        sign = 1 if self.more_is_better else -1
        return sum(sign * value < sign * threshold for threshold, _ in self.rungs)


def _side(threshold: float, known: Estimate, ratios: Sequence[float]) -> int:
    """Return 1 if the median is above the threshold for sure, -1 if below, and 0 if nobody can tell."""
    if known.low > threshold:
        return 1
    if known.high < threshold:
        return -1
    if len(ratios) >= GROSS_SAMPLES:
        if min(ratios) > GROSS * threshold:
            return 1
        if max(ratios) < threshold / GROSS:
            return -1
    return 0
