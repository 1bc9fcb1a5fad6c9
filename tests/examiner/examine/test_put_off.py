"""A grade cell sees the notebook as it was at its place, whenever its snapshot was left."""

import pytest

from examiner.model import Mode
from examiner.verdict import Outcome
from tests.examiner.examine.test_flow import DOUBLE, graded, passed, plain, run, solution
from tests.examiner.examine.test_flow import engine as engine  # noqa: PLC0414 - a fixture

# What a later cell of the student's may do; before, `double` was right and `helper` was not there.
LATER = {
    "defines a function": "def helper(x):\n    return x",
    "defines it again": "def double(x):\n    return 0",
    "with a default": "def helper(x, n=3, *rest, key='a', **more) -> int:\n    return x",
    "with a default that is computed": "def helper(x, n=exec('double = None')):\n    return x",
    "with a decorator": "def bad(f):\n    global double\n    double = None\n"
    "@bad\ndef helper(x):\n    return x",
    "with an annotation that is computed": "def helper(x: exec('double = None')):\n    return x",
    "that it gives back": "def helper(x) -> exec('double = None'):\n    return x",
    "in other letters": "def \uff44ouble(x):\n    return 0",
    "gives a constant": "helper = 3",
    "replaces by a constant": "double = 3",
    "replaces two": "helper = double = 3",
    "unpacks": "double, helper = 3, 4",
    "hides a builtin": "def abs(x):\n    return 9",
    "replaces a table": "table = 9",
    "changes a table": "table[1] = 9",
    "adds to a table": "table |= {1: 9}",
    "deletes": "del double",
    "defines a class": "class helper:\n    table[1] = 9",
    "imports": "import math as double",
    "runs a loop": "for double in range(3):\n    pass",
    "calls": "globals().pop('double')",
    "a magic": "%reset -f",
    "is no Python": "def helper(:",
    "ends the process": "import os\nos._exit(0)",
    "does not end": "while True:\n    pass",
}
FIRST = solution("table = {1: 1}\ndef double(x):\n    return abs(2 * x) * table[1]")
BEFORE = graded("before", "assert double(4) == 8\nassert double(-4) == 8")


@pytest.mark.parametrize("does", LATER)
def test_what_a_later_cell_does_changes_nothing_in_an_earlier_grade_cell(engine, does):
    """Neither what it binds nor what it changes, replaces, deletes or ends."""
    between = [plain(LATER[does]), plain("def more(x):\n    return helper(x)", "more")]
    seconds = 3 if does == "does not end" else 20
    verdicts, _ = run(engine, [FIRST, BEFORE], [FIRST, BEFORE, *between], seconds=seconds)
    assert passed(verdicts) == {"before"}


def test_a_name_that_is_bound_later_is_not_there_yet(engine):
    """A function that needs it fails as in a notebook, and finds it in the next grade cell."""
    late = solution("def half(x):\n    return help_out(x)"), graded("first", "assert half(2) == 1")
    then = solution("def help_out(x):\n    return x / 2", "two"), graded("second", "assert half(2) == 1")
    verdicts, _ = run(engine, [*late, *then])
    assert passed(verdicts) == {"second"}
    assert "help_out" in verdicts["first"].message


def test_a_name_that_is_bound_twice_is_each_time_what_it_was(engine):
    """Three definitions of one function, a grade cell behind each."""
    cells = []
    for n in range(3):
        cells += [solution(f"def f(x):\n    return {n}", f"f{n}"), graded(f"test{n}", f"assert f(0) == {n}")]
    assert passed(run(engine, cells)[0]) == {"test0", "test1", "test2"}


def test_what_one_grade_cell_does_to_the_students_state_is_not_there_in_the_next(engine):
    """Each is judged in a process of its own, although one process waits for all."""
    cells = [solution("seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)")]
    for n in range(4):
        cells += [graded(f"test{n}", "assert f(0) == 1"), solution(f"def g{n}(x):\n    return x", f"g{n}")]
    assert passed(run(engine, cells)[0]) == {"test0", "test1", "test2", "test3"}


def test_a_process_that_a_cell_kills_costs_the_others_nothing(engine):
    """The process that waits for several cells forks one for each."""
    kills = solution(
        "import os, signal\ndef f(x):\n    os.kill(0 if x else os.getpid(), signal.SIGKILL)\n" + DOUBLE
    )
    cells = [kills, graded("one", "assert double(1) == 2"), solution("def g(x):\n    return x", "g")]
    cells += [graded("two", "f(0)"), graded("three", "f(1)"), graded("four", "assert g(double(1)) == 2")]
    assert passed(run(engine, cells)[0]) == {"one", "four"}


def test_a_last_cell_that_runs_itself_leaves_the_others_whole(engine):
    """What it binds is read by others; were it not the last, the student's process would run it as well."""
    kernel = graded("last", "kept = double\ndel double\ndouble = kept\nassert double(1) == 2")
    cells = [solution(DOUBLE), solution("def four(x):\n    return double(double(x))", "other")]
    cells += [graded("one", "assert double(1) == 2"), graded("two", "assert four(1) == 4"), kernel]
    assert passed(run(engine, cells, modes={"last": Mode.KERNEL})[0]) == {"one", "two", "last"}
    assert passed(run(engine, [*cells, plain("kept")], modes={"last": Mode.KERNEL})[0]) == {
        "one",
        "two",
        "last",
    }


# What a student's cell may report of the grade cell before it: that is number 1, and its snapshot is there.
FORGED = {
    "no cells": [{"moved": [], "process": 2}],
    "no list": [{"moved": 1, "process": 2}],
    "no number": [{"moved": [True], "process": 2}],
    "a student's cell": [{"moved": [0], "process": 2}],
    "a cell that has not come": [{"moved": [3], "process": 2}],
    "a cell that is not there": [{"moved": [-1], "process": 2}],
    "a cell twice": [{"moved": [1, 1], "process": 2}],
    "a cell that was moved already": [{"moved": [1], "process": 2}],
}
REPORT = """import json, os, stat, struct
line = min(n for n in range(3, 64) if is_socket(n))
for report in {reports}:
    text = json.dumps(report).encode()
    os.write(line, struct.pack("<IBQ", len(text), 16, 0) + text)
"""
IS_SOCKET = """import os, stat
def is_socket(number):
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False
"""


@pytest.mark.parametrize("reports", FORGED)
def test_a_forged_report_of_who_waits_costs_what_comes_after_it(engine, reports):
    """What waited before is judged as it was."""
    right = [solution(DOUBLE), graded("before", "assert double(1) == 2"), plain("pass")]
    cells = [*right, graded("after", "assert double(2) == 4")]
    forged = [*right[:2], plain(IS_SOCKET + REPORT.format(reports=FORGED[reports])), cells[3]]
    verdicts, _ = run(engine, cells, forged)
    assert verdicts["after"].outcome is Outcome.TAMPERED
    assert verdicts["before"].outcome is Outcome.PASSED
