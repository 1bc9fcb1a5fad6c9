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
    "assert seconds(naive, x) > 20 * min(seconds(total, x) for _ in range(5))"
)
RIGHT = "import numpy as np\ndef total(a):\n    return float(np.sum(a))"
SLOW = (
    "def total(a):\n    globals().get('spoil', int)()\n    s = 0.0\n"
    "    for x in a.tolist():\n        s += x\n    return s"
)
# Slow code that wants to look fast.
TRICKS = {
    "its own clock stands still": "import time\ntime.perf_counter = time.time = lambda: 0.0\n",
    "its own timer stands still": "import timeit\ntimeit.default_timer = lambda: 0.0\n",
    "it answers late what is asked to see how long answers take": """
import sys
def spoil():
    frame = sys._getframe()
    while frame and "OPERATIONS" not in frame.f_globals:
        frame = frame.f_back
    frame.f_globals["OPERATIONS"]["carry"] = lambda there, back: (sum(range(3_000_000)), back)[1]
""",
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


def test_work_in_another_process_does_not_count_as_fast(engine):
    """While it is timed, a student's process can start no other."""
    forks = (
        "import os\ndef total(a):\n    r, w = os.pipe()\n    if os.fork() == 0:\n        s = 0.0\n"
        "        for x in a.tolist():\n            s += x\n        os.write(w, repr(s).encode())\n"
        "        os._exit(0)\n    return float(os.read(r, 100))"
    )
    assert not passed(run(engine, cells(), cells(source=forks))[0])


def test_no_call_takes_no_time(engine):
    """A ratio of two times is one of two numbers, however short a call is beside what carrying takes."""
    test = f"{TIMERS['perf_counter']}\nimport numpy as np\nx = np.ones(200_000)\n"
    test += "assert all(1e-7 < seconds(first, x) < 0.05 for _ in range(30))"
    assert passed(run(engine, [solution("def first(a):\n    return a[0]"), graded("test", test)])[0])


def test_the_clock_has_no_ticks(engine):
    """The clock of a process whose CPU time is limited moves every few milliseconds; this one always does."""
    test = "import time\nseen = {time.perf_counter_ns() for _ in range(2000)}\nassert len(seen) > 1000"
    assert passed(run(engine, [solution(RIGHT), graded("test", test)])[0]) == {"test"}


def test_a_locked_cell_may_import_the_clock(engine):
    """Its functions read the same clock as the cell that calls them."""
    locked = graded("timer", TIMERS["perf_counter"])
    test = graded("test", TEST.format(timer="", naive=NAIVE))
    right, slow = [solution(RIGHT), locked, test], [solution(SLOW), locked, test]
    assert passed(run(engine, right)[0]) == {"timer", "test"}
    assert passed(run(engine, right, slow)[0]) == {"timer"}


def test_work_before_a_callback_counts(engine):
    """The student's function works, calls the test's, which asks the student's again, and returns."""
    timer = TIMERS["perf_counter"]
    test = (
        f"{timer}\n{NAIVE}import numpy as np\nx = np.arange(300_000.0)\ndef ask(n):\n    return helper(n)\n"
    )
    test += "assert run(ask, x) == x.sum()\nassert seconds(run, ask, x) < seconds(naive, x) / 20"
    helper = "def helper(n):\n    return n\n"
    right = helper + "def run(f, a):\n    f(1)\n    return float(a.sum())"
    slow = (
        helper
        + "def run(f, a):\n    s = 0.0\n    for x in a.tolist():\n        s += x\n    f(1)\n    return s"
    )
    cells = [solution(right), graded("test", test)]
    assert passed(run(engine, cells)[0]) == {"test"}
    assert not passed(run(engine, cells, [solution(slow), cells[1]])[0])


def test_work_of_the_test_that_the_student_has_done_counts(engine):
    """A cache is faster the second time, since the slow function of the test is not called again."""
    keeps = (
        "def keep(f):\n    kept = {}\n    def g(x):\n        if x not in kept:\n            kept[x] = f(x)\n"
    )
    keeps += "        return kept[x]\n    return g"
    test = TIMERS["perf_counter"] + (
        "\ndef slow(n):\n    return sum(range(n))\nfast = keep(slow)\n"
        "first, second = seconds(fast, 10**6), seconds(fast, 10**6)\nassert first > 10 * second"
    )
    cells = [solution(keeps), graded("test", test)]
    assert passed(run(engine, cells)[0]) == {"test"}
    assert not passed(run(engine, cells, [solution("def keep(f):\n    return f"), cells[1]])[0])
    assert not passed(run(engine, cells, [solution("def keep(f):\n    return lambda x: f(x)"), cells[1]])[0])


def test_what_a_student_sleeps_and_what_others_do_is_no_time(engine):
    """Only work counts; a timing test that was right once stays right on a busy machine."""
    rests = "import time\n" + RIGHT.replace("    return", "    time.sleep(0.02)\n    return")  # no work
    assert passed(run(engine, cells(), cells(source=rests))[0]) == {"test"}


def test_a_cell_that_reads_no_clock_is_not_timed(engine):
    """A student's function may then start processes, as ever."""
    starts = "import subprocess\ndef f():\n    return subprocess.run(['true'], check=False).returncode"
    cells = [solution(starts), graded("test", "import time\ntime.sleep(0.001)\nassert f() == 0")]
    assert passed(run(engine, cells)[0]) == {"test"}


def test_what_a_cell_sleeps_is_time(engine):
    """And `time.time()` is near the date."""
    # The cell sleeps, since that is what is tested.
    test = "import time\nt = time.time()\ntime.sleep(0.05)\nassert 0.05 <= time.time() - t < 0.2\n"
    test += "assert t > 1.7e9"
    assert passed(run(engine, [solution(RIGHT), graded("test", test)])[0]) == {"test"}
