"""Checks on the bytes that a call takes at its peak, and on those that what it made keeps."""

from statistics import median

from examiner_checks.bench import Bench, Function
from examiner_checks.decision import Estimate, Ladder
from examiner_checks.measured import Raw, Subject
from examiner_checks.performance import LOCAL, Threshold, concluded
from examiner_checks.sampling import Check, Inputs, check_plain

CALLS = 3
OBJECTS = 8


def memory(  # noqa: PLR0913  (what is measured, on what, and how strictly)
    candidate: Function,
    inputs: Inputs,
    *,
    at_most: Threshold,
    baseline: Function | None = None,
    check: Check | None = None,
    what: str = "its memory",
    hint: str = "",
    bench: Bench = LOCAL,
) -> Estimate:
    """Hold the memory that a call takes at its peak against a bound; return it.

    It is what is in use at once beyond what was before: temporary arrays, the answer, a copy of the inputs.
    The median of three calls counts, after one to warm up. Make the inputs large, some megabytes: systems
    keep these accounts to a quarter of one.

    Parameters
    ----------
    candidate : callable
        Takes the inputs and returns numbers or arrays, or lists of them.
    inputs : callable
        Returns a tuple of new arguments.
    at_most : float or mapping from float to float
        The most bytes that pass, or {bytes: points}; with a baseline, multiples of its peak.
    baseline : callable, optional
        As in `speed`.
    check : callable, optional
        ``check(got, want)``, or ``check(got, None)`` without a baseline.
    what, hint, bench
        As in `speed`.

    Raises
    ------
    CheckFailed
        If an answer is wrong, or a single threshold is missed.
    """
    ladder = Ladder.of(at_most, None)
    ours_bytes, theirs_bytes = [], []
    with bench.sides(candidate, *([] if baseline is None else [baseline])) as (ours, *others):
        for _ in range(CALLS + 1):
            arguments, want = inputs(), None
            for theirs in others:
                count, want = theirs.peak(arguments)
                theirs_bytes.append(count)
            count, got = ours.peak(arguments)
            ours_bytes.append(count)
            check_plain(got, hint)
            if check is not None:
                check(got, want)
    figure = float(median(ours_bytes[1:]))
    unit = "bytes at its peak"
    if theirs_bytes:
        figure, unit = figure / max(1.0, float(median(theirs_bytes[1:]))), "times the reference's peak"
    raw = Raw(candidate=(tuple(map(float, ours_bytes)),), baseline=(tuple(map(float, theirs_bytes)),))
    return concluded(Subject("memory", what, unit, ladder).exactly(figure, raw), hint, bench)


def held(  # noqa: PLR0913  (what is measured, on what, and how strictly)
    make: Function,
    inputs: Inputs,
    *,
    at_most: Threshold,
    objects: int = OBJECTS,
    what: str = "what it keeps",
    hint: str = "",
    bench: Bench = LOCAL,
) -> Estimate:
    """Hold the bytes that each object made by `make` keeps in memory against a bound; return them.

    Several are made and kept, and it is seen how much more is in use; so nothing that an object says of
    itself counts. Make them large: systems keep these
    accounts to a quarter of a megabyte.

    Parameters
    ----------
    make : callable
        Takes the inputs and returns the object.
    inputs : callable
        Returns a tuple of new arguments.
    at_most : float or mapping from float to float
        The most bytes for each object that pass, or {bytes: points}.
    objects : int
        How many are made.
    what, hint, bench
        As in `speed`.

    Raises
    ------
    CheckFailed
        If a single threshold is missed.
    """
    ladder = Ladder.of(at_most, None)
    with bench.sides(make) as (side,):
        side.held([inputs()])
        count = side.held([inputs() for _ in range(objects)])
    subject = Subject("memory", what, "bytes for each object", ladder)
    return concluded(subject.exactly(count / objects, Raw(candidate=((float(count),),))), hint, bench)
