"""Takes samples until they are enough: pairs of calls, or rounds over sizes, on new inputs each time."""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from examiner_checks.bench import Arguments, Bench, Function, Side, Timed
from examiner_checks.decision import Estimate, Ladder, estimate
from examiner_checks.failures import CheckFailed
from examiner_checks.measured import Raw
from examiner_checks.values import check_array, check_equal

WARM_UP = 2
MOST_SAMPLES = 401
SECONDS = 6.0  # after which nobody waits for a clear answer any more
LIFT = 20  # how many times its own carrying a sample has to last at least
LEAST_SECONDS = 2e-4  # of a sample, so that the clock's own steps do not matter
MOST_CALLS, MOST_BYTES = 64, 4 << 20  # in one sample

Inputs = Callable[..., Arguments]
Check = Callable[[Any, Any], None]


def agreeing(rtol: float, hint: str) -> Check:
    """Return what fails if two answers differ, by `rtol` of the largest element."""

    def agree(got: Any, want: Any) -> None:
        if type(want) in {list, tuple}:
            check_equal(type(got) in {list, tuple} and len(got), len(want), hint or "so many values come out")
            for one, other in zip(got, want, strict=True):
                agree(one, other)
            return
        right = np.asarray(want)
        is_array = isinstance(want, np.ndarray)
        largest = float(np.abs(right).max(initial=0.0))
        check_array(got if is_array else np.asarray(got), right, rtol=0, atol=rtol * largest, hint=hint)

    return agree


def _bytes_of(value: Any) -> int:
    """Return how much of a message a value takes, about."""
    return sum(map(_bytes_of, value)) if isinstance(value, list | tuple) else int(getattr(value, "nbytes", 8))


@dataclass(frozen=True)
class Run:
    """What came of taking samples."""

    known: Estimate
    figures: tuple[float, ...]
    are_ratios: bool
    is_settled: bool


def until_settled(take: Callable[[], float], ladder: Ladder, *, are_ratios: bool) -> Run:
    """Take samples until the ladder is settled, or there are enough of them."""
    figures: list[float] = []
    end = time.monotonic() + SECONDS
    while True:
        figures.append(take())
        known = estimate(figures)
        is_settled = ladder.is_settled(known, figures if are_ratios else ())
        if is_settled or len(figures) >= MOST_SAMPLES or time.monotonic() > end:
            return Run(known, tuple(figures), are_ratios, is_settled)


@dataclass
class Pairs:
    """Both sides on the same new inputs, in random order; the ratio within a pair is a sample."""

    ours: Side
    theirs: Side
    inputs: Inputs
    agree: Check
    hint: str
    inverted: bool
    calls: int = 1
    timed: list[tuple[Timed, Timed]] = field(default_factory=list)

    def lift(self, bench: Bench) -> None:
        """Warm up, and find how many calls a sample takes to outlast its carrying and the clock's steps."""
        for _ in range(WARM_UP):
            arguments, _, want = self._pair()
        least = max(LEAST_SECONDS, LIFT * bench.carrying(arguments, want.answers))
        room = MOST_BYTES // max(1, sum(map(_bytes_of, (*arguments, *want.answers))))
        self.calls = max(1, min(MOST_CALLS, room, math.ceil(least / max(want.cpu, 1e-9))))

    def take(self) -> float:
        """Return the ratio of one more pair."""
        _, ours, theirs = self._pair()
        self.timed.append((Timed(ours.cpu, ours.wall, []), Timed(theirs.cpu, theirs.wall, [])))
        ratio = max(ours.cpu, 1e-9) / max(theirs.cpu, 1e-9)
        return 1 / ratio if self.inverted else ratio

    def _pair(self) -> tuple[list[Arguments], Timed, Timed]:
        arguments = [self.inputs() for _ in range(self.calls)]
        if secrets.randbits(1):
            theirs = self.theirs.run(arguments)
            ours = self.ours.run(arguments)
        else:
            ours = self.ours.run(arguments)
            theirs = self.theirs.run(arguments)
        for got, want in zip(ours.answers, theirs.answers, strict=True):
            check_plain(got, self.hint)
            self.agree(got, want)
        return arguments, ours, theirs

    @property
    def raw(self) -> Raw:
        """The seconds of all pairs."""
        return Raw(
            candidate=(tuple(ours.cpu for ours, _ in self.timed),),
            baseline=(tuple(theirs.cpu for _, theirs in self.timed),),
            candidate_wall=(tuple(ours.wall for ours, _ in self.timed),),
            baseline_wall=(tuple(theirs.wall for _, theirs in self.timed),),
        )


@dataclass
class Rounds:
    """One side at all sizes, in random order; the slope of a round is a sample."""

    side: Side
    inputs: Inputs
    sizes: Sequence[int]
    expected: Function
    agree: Check
    hint: str
    cpu: list[tuple[float, ...]] = field(default_factory=list)
    wall: list[tuple[float, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for _ in range(WARM_UP):
            self.take()
        self.cpu.clear()
        self.wall.clear()

    def take(self) -> float:
        """Return the exponent of one more round."""
        timed: dict[int, Timed] = {}
        for size in secrets.SystemRandom().sample(list(self.sizes), len(self.sizes)):
            arguments = self.inputs(size)
            timed[size] = self.side.run([arguments])
            [answer] = timed[size].answers
            check_plain(answer, self.hint)
            self.agree(answer, self.expected(*arguments))
        seconds = [max(timed[size].cpu, 1e-9) for size in self.sizes]
        self.cpu.append(tuple(seconds))
        self.wall.append(tuple(timed[size].wall for size in self.sizes))
        return float(np.polyfit(np.log(self.sizes), np.log(seconds), 1)[0])

    @property
    def raw(self) -> Raw:
        """The seconds of all rounds, by size."""
        by_size = tuple(zip(*self.cpu, strict=True)), tuple(zip(*self.wall, strict=True))
        return Raw(tuple(map(float, self.sizes)), candidate=by_size[0], candidate_wall=by_size[1])


def check_plain(answer: Any, hint: str) -> None:
    """Fail if an answer is not numbers and arrays: what is not there yet cannot have been computed.

    Raises
    ------
    CheckFailed
        Naming what it is.
    """
    if type(answer) in {list, tuple}:
        for each in answer:
            check_plain(each, hint)
    elif type(answer) not in {np.ndarray, bool, int, float, complex} and not isinstance(answer, np.generic):
        raise CheckFailed(f"a {type(answer).__name__} came out, expected numbers or arrays of them", hint)
