"""Is one function so many times faster than another? Measured in pairs, since machines drift."""

import copy
from collections.abc import Callable
from statistics import median
from time import perf_counter  # bound here, so that a clock patched later is not the one that is read
from typing import Any

from examiner_checks.failures import CheckFailed
from examiner_checks.values import check_array

Timed = Callable[..., Any]


def faster_than(  # noqa: PLR0913  (what is compared, on what, and how strictly)
    candidate: Timed,
    baseline: Timed,
    inputs: Callable[[], tuple[Any, ...]],
    *,
    times: float,
    pairs: int = 11,
    rtol: float = 1e-4,
    hint: str = "",
) -> float:
    """Pass if `candidate` is at least `times` times as fast as `baseline`; return how many times it is.

    Both run once on the same new inputs, in turns of which goes first, and that makes one pair; the ratio
    that counts is the median over all pairs. One more pair goes before to warm up. Leave room: a machine
    that does other things moves single ratios by half.

    Parameters
    ----------
    candidate, baseline : callable
        Take the inputs and return an array. Answers are compared, so a quick wrong one does not pass.
    inputs : callable
        Returns a tuple of new arguments; called once for each pair, so that a remembered answer is of no use.
    times : float
        The least ratio that passes.
    pairs : int
        How many pairs count.
    rtol : float
        The tolerance of the comparison, relative to the largest element of the baseline's answer.
    hint : str, optional
        What a student may read if the check fails.

    Raises
    ------
    CheckFailed
        If an answer is wrong, or the candidate too slow.
    """
    ratios = []
    for pair in range(pairs + 1):
        ours = inputs()
        theirs = copy.deepcopy(ours)
        if pair % 2:
            slow, want = _timed(baseline, ours)
            fast, got = _timed(candidate, theirs)
        else:
            fast, got = _timed(candidate, theirs)
            slow, want = _timed(baseline, ours)
        check_array(got, want, rtol=0, atol=rtol * float(abs(want).max()), hint=hint)
        ratios.append(slow / max(fast, 1e-9))
    ratio = median(ratios[1:])
    if ratio < times:
        raise CheckFailed(f"it is {ratio:.2g} times as fast as the baseline, expected {times:g} times", hint)
    return ratio


def _timed(function: Timed, inputs: tuple[Any, ...]) -> tuple[float, Any]:
    """Return the seconds that one call takes, and its answer."""
    start = perf_counter()
    answer = function(*inputs)
    return perf_counter() - start, answer
