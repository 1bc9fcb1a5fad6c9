"""Checks on speed, on how cost grows, and on the size from which on an optimisation pays.

All figures are ratios or exponents, taken in pairs or rounds within one run, since machines drift: absolute
times decide nothing. Every call gets arguments that were not there before, and every answer is checked, so
that a remembered or a late answer gains nothing. Samples are taken until the answer is clear
(`decision.py`); what does not become clear is `Inconclusive`, and never a quiet zero.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from examiner_checks.bench import Bench, Function, LocalBench
from examiner_checks.decision import Estimate, Ladder
from examiner_checks.failures import CheckFailed, Inconclusive
from examiner_checks.measured import Measured, Raw, Subject
from examiner_checks.sampling import Check, Inputs, Pairs, Rounds, agreeing, until_settled
from examiner_checks.scoring import award

Threshold = float | Mapping[float, float]

LOCAL = LocalBench()


def speed(  # noqa: PLR0913  (what is compared, on what, and how strictly)
    candidate: Function,
    baseline: Function,
    inputs: Inputs,
    *,
    at_most: Threshold | None = None,
    at_least: Threshold | None = None,
    check: Check | None = None,
    rtol: float = 1e-4,
    what: str = "it",
    than: str = "the reference",
    hint: str = "",
    bench: Bench = LOCAL,
) -> Estimate:
    """Hold the time of `candidate` against that of `baseline`; return how many times it is.

    Parameters
    ----------
    candidate, baseline : callable
        Take the inputs and return numbers or arrays, or lists of them. In grading `baseline` is a function of
        the reference (`reference.nn.conv2d`), or one that the cell itself defines.
    inputs : callable
        Returns a tuple of new arguments; called for each call that is timed.
    at_most : float or mapping from float to float
        The largest ratio candidate / baseline of CPU time that passes, or {ratio: points}.
    at_least : float or mapping from float to float
        Instead: how many times as fast as the baseline it is at least, or {times: points}.
    check : callable, optional
        ``check(got, want)`` fails if the answers differ too much; without it they agree to `rtol`, relative
        to the largest element.
    what, than : str, optional
        Names of both sides, for the sentence that the student reads.
    hint : str, optional
        What a student may read if it is too slow, or wrong.
    bench
        Where it is measured: grading's own business.

    Raises
    ------
    CheckFailed
        If an answer is wrong, or a single threshold is missed. With {threshold: points} nothing fails: the
        best rung that is reached is awarded, and the cell ends in ``award(0)``.
    Inconclusive
        If it is too close to a threshold to say.
    """
    ladder = Ladder.of(at_most, at_least)
    unit = f"times as fast as {than}" if ladder.more_is_better else f"times the time of {than}"
    with bench.sides(candidate, baseline) as (ours, theirs):
        pairs = Pairs(
            ours, theirs, inputs, check or agreeing(rtol, hint), hint, inverted=ladder.more_is_better
        )
        pairs.lift(bench)
        run = until_settled(pairs.take, ladder, are_ratios=True)
    measured = Subject("speed", what, unit, ladder).estimated(
        run.known, run.figures, pairs.raw, are_ratios=True
    )
    return concluded(measured, hint, bench)


def growth(  # noqa: PLR0913  (what grows, over which sizes, and how strictly)
    candidate: Function,
    inputs: Inputs,
    sizes: Sequence[int],
    *,
    expected: Function,
    at_most: Threshold,
    check: Check | None = None,
    rtol: float = 1e-4,
    what: str = "its time",
    hint: str = "",
    bench: Bench = LOCAL,
) -> Estimate:
    """Hold the exponent with which time grows against a bound: 1 is linear, 2 is quadratic; return it.

    Each round takes the time at every size, in random order, and fits a line through log(time) over
    log(size); its slope is one sample.

    Parameters
    ----------
    candidate : callable
        Takes the inputs and returns numbers or arrays, or lists of them.
    inputs : callable
        ``inputs(size)`` returns a tuple of new arguments.
    sizes : sequence of int
        Three or more, spread by a factor of four at least.
    expected : callable
        Takes the same arguments and returns the right answer.
    at_most : float or mapping from float to float
        The largest exponent that passes, or {exponent: points}.
    check, rtol, what, hint, bench
        As in `speed`.

    Raises
    ------
    CheckFailed, Inconclusive
        As in `speed`.
    ValueError
        If the sizes are too few or too close.
    """
    if len(sizes) < 3 or min(sizes) <= 0 or max(sizes) < 4 * min(sizes):  # noqa: PLR2004 - see the docstring
        raise ValueError("growth() takes three sizes or more, the largest four times the smallest")
    ladder = Ladder.of(at_most, None)
    with bench.sides(candidate) as (side,):
        rounds = Rounds(side, inputs, sizes, expected, check or agreeing(rtol, hint), hint)
        run = until_settled(rounds.take, ladder, are_ratios=False)
    subject = Subject("growth", what, "as the power of the size", ladder)
    measured = subject.estimated(run.known, run.figures, rounds.raw, are_ratios=False)
    return concluded(measured, hint, bench)


def break_even(  # noqa: PLR0913  (what is compared, over which sizes)
    candidate: Function,
    baseline: Function,
    inputs: Inputs,
    sizes: Sequence[int],
    *,
    at_most: Threshold,
    check: Check | None = None,
    rtol: float = 1e-4,
    what: str = "it",
    than: str = "the baseline",
    hint: str = "",
    bench: Bench = LOCAL,
) -> Estimate:
    """Hold the size from which on `candidate` is faster than `baseline` against a bound; return that size.

    It is the smallest of `sizes` from which on all others are faster as well, measured from the largest down
    until one is not: a single crossing by chance is none.

    Parameters
    ----------
    candidate, baseline, check, rtol, what, than, hint, bench
        As in `speed`.
    inputs : callable
        ``inputs(size)`` returns a tuple of new arguments.
    sizes : sequence of int
        Where it is measured.
    at_most : float or mapping from float to float
        The largest size that passes, or {size: points}.

    Returns
    -------
    Estimate
        Of an infinite size, if it is not faster at the largest one either.

    Raises
    ------
    CheckFailed, Inconclusive
        As in `speed`. A size at which nobody can tell counts as not faster, unless points depend on it.
    """
    ladder, faster, agree = Ladder.of(at_most, None), Ladder.of(1.0, None), check or agreeing(rtol, hint)
    reached, seen, is_settled = math.inf, [], True
    with bench.sides(candidate, baseline) as (ours, theirs):
        for size in sorted(sizes, reverse=True):
            pairs = Pairs(ours, theirs, partial(inputs, size), agree, hint, inverted=False)
            pairs.lift(bench)
            run = until_settled(pairs.take, faster, are_ratios=True)
            seen.append((float(size), pairs.raw))
            if not (run.is_settled and faster.reached(run.known, run.figures)[1]):
                is_settled = run.is_settled or ladder.single(size) == ladder.single(reached)
                break
            reached = float(size)
    unit = f"is the size from which on it is faster than {than}"
    subject = Subject("break even", what, unit, ladder)
    return concluded(subject.exactly(reached, _joined(seen), is_settled=is_settled), hint, bench)


def quality(  # noqa: PLR0913  (a figure, its bound and its name)
    value: float,
    *,
    at_least: Threshold | None = None,
    at_most: Threshold | None = None,
    what: str = "the accuracy",
    unit: str = "",
    hint: str = "",
    bench: Bench = LOCAL,
) -> Estimate:
    """Hold an exact figure (an accuracy, an error, a number of bytes) against a bound; return it.

    Parameters
    ----------
    value : float
        Computed by the cell, from what the student's code gave.
    at_least, at_most : float or mapping from float to float
        One of both: the threshold that passes, or {threshold: points}.
    what, unit, hint, bench
        As in `speed`; the unit follows the figure.

    Raises
    ------
    CheckFailed
        If the value is no finite number, or a single threshold is missed.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise CheckFailed(f"{what} is a {type(value).__name__}, expected a number", hint)
    if not math.isfinite(value):
        raise CheckFailed(f"{what} is {value}, expected a finite number", hint)
    subject = Subject("quality", what, unit, Ladder.of(at_most, at_least))
    return concluded(subject.exactly(float(value)), hint, bench)


def concluded(measured: Measured, hint: str, bench: Bench) -> Estimate:
    """Keep what was measured, and give what it is worth.

    Raises
    ------
    CheckFailed
        If a single threshold is missed.
    Inconclusive
        If the samples were not enough to say.
    """
    bench.keep(measured)
    sentence, samples = measured.sentence, len(measured.figures)
    if not measured.is_settled:
        raise Inconclusive(f"{sentence}: too close to call after {samples} samples", hint)
    best = measured.rungs[measured.missed :]
    if not (best or measured.is_graded):
        raise CheckFailed(sentence, hint)
    print(sentence)  # noqa: T201  (for the student to read)
    if measured.is_graded:
        award(best[0][1] if best else 0.0, sentence)
    return Estimate(measured.middle, measured.low, measured.high, samples)


def _joined(seen: Sequence[tuple[float, Raw]]) -> Raw:
    """Return what was measured at each size, from the smallest on, in one."""
    sizes, raws = zip(*reversed(seen), strict=True)
    return Raw(
        sizes,
        candidate=tuple(each.candidate[0] for each in raws),
        baseline=tuple(each.baseline[0] for each in raws),
        candidate_wall=tuple(each.candidate_wall[0] for each in raws),
        baseline_wall=tuple(each.baseline_wall[0] for each in raws),
    )
