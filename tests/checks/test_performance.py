"""Speed, growth, break-even and quality, measured in this process: what a student sees while working."""

import json
import subprocess
import sys

import numpy as np
import pytest

from examiner_checks import (
    CheckFailed,
    Inconclusive,
    attempt,
    award,
    awards,
    break_even,
    growth,
    quality,
    rng,
    speed,
    start_cell,
)
from examiner_checks.bench import LocalBench
from examiner_checks.measured import Measured
from tests.clocks import FakeBench


def loop(x):
    """Square the elements one by one."""
    return np.array([value * value for value in x])


def draw(label="speed", size=4_000):
    """Return a function that gives new inputs with every call."""
    generator = rng(label)
    return lambda: (generator.normal(size=size),)


def noisy(seconds, spread, seed):
    """Return a clock that says about so many seconds."""
    generator = np.random.default_rng(seed)
    return lambda *_: seconds * generator.lognormal(sigma=spread)


def test_a_vectorised_square_is_faster_than_a_loop():
    """By a factor of hundreds."""
    assert speed(np.square, loop, draw(), at_least=3).middle > 3


def test_far_beyond_the_threshold_five_pairs_are_enough():
    """All of them are kept, with both clocks of both sides."""
    bench = FakeBench(lambda *_: 1e-3, lambda *_: 1e-1)
    speed(np.square, loop, draw(), at_least=3, bench=bench)
    [kept] = bench.kept
    assert len(kept.figures) == 5 == len(kept.raw.candidate[0]) == len(kept.raw.baseline_wall[0])


def test_a_loop_is_not_faster_than_itself():
    """The message says how fast it was, and what was asked for."""
    with pytest.raises(CheckFailed, match=r"times as fast as the loop.*passes from 5"):
        speed(loop, loop, draw(), at_least=5, than="the loop")


def test_a_quick_wrong_answer_does_not_count():
    """Neither zeros, nor a remembered answer, nor one of four computed and copied, nor something else."""
    remembered = []

    def memo(x):
        if not remembered:
            remembered.append(loop(x))
        return remembered[0]

    def perforated(x):
        return np.repeat(loop(x[::4]), 4)

    for candidate in (np.zeros_like, memo, perforated, lambda x: x[:0], lambda _: None, lambda _: object()):
        with pytest.raises(CheckFailed):
            speed(candidate, loop, draw(), at_most=1000)


def test_neither_function_sees_what_the_other_did_to_the_inputs():
    """A candidate that works in place would otherwise spoil the baseline's answer, or be helped by it."""

    def in_place(x):
        return np.multiply(x, x, out=x)

    speed(in_place, loop, draw(), at_least=2)


def test_points_follow_the_ladder_and_the_sentence_says_so(capsys):
    """1.8 times the time, with full points up to 1.5 and two up to 3, is worth two."""
    bench = FakeBench(noisy(1.8e-3, 0.05, 1), noisy(1e-3, 0.05, 2))
    start_cell()
    speed(loop, loop, draw(), at_most={1.5: 6, 3: 2}, what="square", bench=bench)
    output = capsys.readouterr().out
    assert output.startswith(("square: 1.8", "square: 1.79"))
    assert "6 points up to 1.5; 2 points up to 3" in output
    assert [points for points, _ in awards()] == [2.0]
    assert award(0) == 2.0


def test_what_misses_every_rung_gets_nothing_and_stops_nothing():
    """Award 0 is said with its sentence."""
    start_cell()
    bench = FakeBench(noisy(9e-3, 0.05, 1), noisy(1e-3, 0.05, 2))
    speed(loop, loop, draw(), at_most={1.5: 6, 3: 2}, bench=bench)
    assert [points for points, _ in awards()] == [0.0]


def test_too_close_to_call_is_inconclusive_and_no_attempt_hides_it(monkeypatch):
    """Equal sides against a threshold of exactly 1."""
    monkeypatch.setattr("examiner_checks.sampling.MOST_SAMPLES", 60)
    bench = FakeBench(noisy(1e-3, 0.2, 3), noisy(1e-3, 0.2, 4))
    start_cell()
    with pytest.raises(Inconclusive, match="too close to call after 60 samples"), attempt(2, "it is fast"):
        speed(loop, loop, draw(), at_most=1.0, bench=bench)
    assert not bench.kept[0].is_settled
    assert awards() == []


def test_short_calls_are_timed_together():
    """Of 10 microseconds, twenty make a sample; each has inputs of its own."""
    bench = FakeBench(lambda *_: 1e-5, lambda *_: 1e-5)
    seen = []

    def remember(x):
        seen.append(x.tobytes())
        return x

    speed(remember, lambda x: x, draw(size=4), at_most=2.0, bench=bench)
    assert sum(bench.kept[0].raw.candidate[0]) == pytest.approx(14 * 20 * 1e-5)
    assert len(set(seen)) == len(seen)


def test_growth_tells_a_square_from_a_line():
    """Exponents of 1 and 2 on noisy clocks, against a bound of 1.5."""
    generator = np.random.default_rng(5)

    def clock(power):
        return lambda _, x: 1e-6 * len(x) ** power * generator.lognormal(sigma=0.1)

    def inputs(size):
        return (generator.normal(size=size),)

    sizes, bench = [100, 200, 400, 800], FakeBench(clock(1.0))
    known = growth(np.square, inputs, sizes, expected=np.square, at_most=1.5, bench=bench)
    assert known.middle == pytest.approx(1.0, abs=0.1)
    assert bench.kept[0].raw.sizes == (100, 200, 400, 800)
    assert {len(samples) for samples in bench.kept[0].raw.candidate} == {len(bench.kept[0].figures)}
    with pytest.raises(CheckFailed, match="as the power of the size"):
        growth(np.square, inputs, sizes, expected=np.square, at_most=1.5, bench=FakeBench(clock(2.0)))
    with pytest.raises(CheckFailed):
        growth(np.zeros_like, inputs, sizes, expected=np.square, at_most=1.5, bench=FakeBench(clock(1.0)))
    with pytest.raises(ValueError, match="three sizes"):
        growth(np.square, inputs, [100, 200], expected=np.square, at_most=1.5)


def test_break_even_is_where_it_is_faster_from_there_on():
    """A fixed cost of 3 ms against 10 microseconds each: from 400 on, of the sizes asked for."""
    inputs = lambda size: (np.random.default_rng(size).normal(size=size),)  # noqa: E731
    sides = noisy(3e-3, 0.05, 6), lambda _, x: 1e-5 * len(x)
    sizes = [100, 200, 400, 800]
    assert break_even(np.square, np.square, inputs, sizes, at_most=400, bench=FakeBench(*sides)).middle == 400
    with pytest.raises(CheckFailed, match="400 is the size"):
        break_even(np.square, np.square, inputs, sizes, at_most=200, bench=FakeBench(*sides))
    with pytest.raises(CheckFailed, match="inf is the size"):
        break_even(np.square, np.square, inputs, [100, 200], at_most=400, bench=FakeBench(*sides))


def test_quality_takes_a_number_and_nothing_that_looks_like_one():
    """NaN and True are none; a rung is reached at its threshold."""
    assert quality(0.95, at_least=0.95).middle == 0.95
    for bad in (0.94, float("nan"), True, "0.99", None):
        with pytest.raises(CheckFailed):
            quality(bad, at_least=0.95)
    start_cell()
    quality(3.9, at_least={7.5: 4, 3.9: 2}, what="bytes saved", unit="times")
    assert [points for points, _ in awards()] == [2.0]


def test_large_arguments_are_not_piled_up():
    """A sample takes as many calls as fit into four megabytes, however short they are."""
    bench = FakeBench(lambda *_: 1e-6, lambda *_: 1e-6)
    speed(np.square, np.square, draw(size=100_000), at_most=2.0, bench=bench)
    assert sum(bench.kept[0].raw.candidate[0]) == pytest.approx(14 * 2 * 1e-6)


def test_what_was_measured_survives_json():
    """Also the bounds of five samples, which are infinite, and the size of a break-even that is none."""
    bench = LocalBench()
    speed(np.square, loop, draw(), at_least=3, bench=bench)
    sides = FakeBench(lambda *_: 2e-3, lambda *_: 1e-3)
    start_cell()
    break_even(np.square, np.square, lambda size: (np.ones(size),), [4, 8], at_most={4: 1}, bench=sides)
    for measured in (*bench.kept, *sides.kept):
        text = json.dumps(measured.to_data(), allow_nan=False)
        assert Measured.from_data(json.loads(text)) == measured


LIMITED = """
import resource
from examiner_checks.bench import Local
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
side = Local(lambda x: sum(range(x)))
assert all(side.run([(1_000,)]).cpu > 0 for _ in range(100))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit makes only Linux count in ticks")
def test_a_limit_on_cpu_time_does_not_make_the_clock_coarse():
    """A box has such a limit; every call of some microseconds would take nothing, or a tick."""
    run = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
