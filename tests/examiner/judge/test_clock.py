"""Ordinary timing tests: right work passes, slow work fails, and no trick with a clock helps."""

import pytest

from tests.examiner.examine.test_flow import engine as engine  # noqa: PLC0414 - a fixture
from tests.examiner.examine.test_flow import graded, passed, run, solution

# Ways in which grade cells of public courses time a function; `seconds(f, *args)` is the time of a call.
CALL = "\ndef seconds(f, *args):\n    t = {now}()\n    f(*args)\n    return ({now}() - t) / {unit}"
TIMERS = {
    "perf_counter": "import time" + CALL.format(now="time.perf_counter", unit=1),
    "perf_counter_ns": "from time import perf_counter_ns" + CALL.format(now="perf_counter_ns", unit=10**9),
    "process_time": "import time as clock" + CALL.format(now="clock.process_time", unit=1),
    "monotonic": "from time import monotonic as now" + CALL.format(now="now", unit=1),
    "time": "import time" + CALL.format(now="time.time", unit=1),
    "default_timer": "from timeit import default_timer" + CALL.format(now="default_timer", unit=1),
    "timeit": "import timeit\ndef seconds(f, *args):\n    return timeit.timeit(lambda: f(*args), number=1)",
    "the best of some": "import timeit\ndef seconds(f, *args):\n"
    "    return min(timeit.repeat(lambda: f(*args), number=1, repeat=3))",
    "a Timer": "from timeit import Timer\ndef seconds(f, *args):\n"
    "    return Timer(lambda: f(*args)).timeit(1)",
}
NAIVE = "def naive(a):\n    total = 0.0\n    for x in a.tolist():\n        total += x\n    return total\n"
TEST = (
    "import numpy as np\n{timer}\n{naive}x = np.arange(300_000.0)\nassert total(x) == x.sum()\n"
    "assert seconds(naive, x) > 5 * min(seconds(total, x) for _ in range(3))"
)
RIGHT = "import numpy as np\ndef total(a):\n    return float(np.sum(a))"
SLOW = "def total(a):\n    s = 0.0\n    for x in a.tolist():\n        s += x\n    return s"
# Slow code that wants to look fast.
TRICKS = {
    "its own clock stands still": "import time\ntime.perf_counter = time.time = lambda: 0.0\n",
    "its own timer stands still": "import timeit\ntimeit.default_timer = lambda: 0.0\n",
    "a clock of the interpreter's": "import builtins\nbuiltins.time = None\n",
}


def cells(timer="perf_counter", source=RIGHT):
    return [solution(source), graded("test", TEST.format(timer=TIMERS[timer], naive=NAIVE))]


@pytest.mark.parametrize("timer", TIMERS)
def test_fast_code_passes_and_slow_code_fails(engine, timer):
    """By whichever clock the cell measures; the answers of both are the same."""
    right = cells(timer)
    assert passed(run(engine, right)[0]) == {"test"}
    assert not passed(run(engine, right, cells(timer, SLOW))[0])


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_with_a_clock_makes_slow_code_fast(engine, trick):
    """The clock that counts is not in the student's process."""
    assert not passed(run(engine, cells(), cells(source=TRICKS[trick] + SLOW))[0])


def test_slow_carrying_is_not_taken_out_of_the_time(engine):
    """A student's process cannot tell how long it takes to receive and send: ours does."""
    spoil = (
        "import gc, types\nfor d in gc.get_objects():\n    if type(d) is dict and 'carry' in d:\n"
        "        d['carry'] = lambda there, back: (sum(range(3_000_000)), back)[1]\n"
    )
    assert not passed(run(engine, cells(), cells(source=spoil + SLOW))[0])


def test_work_in_another_process_does_not_count_as_fast(engine):
    """While it is timed, a student's process can start no other."""
    forks = (
        "import os, pickle\ndef total(a):\n    r, w = os.pipe()\n    if os.fork() == 0:\n        s = 0.0\n"
        "        for x in a.tolist():\n            s += x\n        os.write(w, repr(s).encode())\n"
        "        os._exit(0)\n    return float(os.read(r, 100))"
    )
    assert not passed(run(engine, cells(), cells(source=forks))[0])


def test_no_call_takes_no_time(engine):
    """A ratio of two times is one of two numbers, however short a call is beside what carrying takes."""
    test = f"{TIMERS['perf_counter']}\nimport numpy as np\nx = np.ones(200_000)\n"
    test += "assert all(1e-7 < seconds(first, x) < 0.05 for _ in range(30))"
    assert passed(run(engine, [solution("def first(a):\n    return a[0]"), graded("test", test)])[0])


def test_a_locked_cell_may_import_the_clock(engine):
    """Its functions read the same clock as the cell that calls them."""
    locked = graded("timer", TIMERS["perf_counter"])
    test = graded("test", TEST.format(timer="", naive=NAIVE))
    right, slow = [solution(RIGHT), locked, test], [solution(SLOW), locked, test]
    assert passed(run(engine, right)[0]) == {"timer", "test"}
    assert passed(run(engine, right, slow)[0]) == {"timer"}


def test_what_a_cell_sleeps_is_time(engine):
    """And `time.time()` is near the date."""
    test = "import time\nt = time.time()\ntime.sleep(0.05)\nassert 0.05 <= time.time() - t < 0.2\n"
    test += "assert t > 1.7e9"
    assert passed(run(engine, [solution(RIGHT), graded("test", test)])[0]) == {"test"}
