"""Grade cells, run against real snapshots: what they mean, and what can go wrong."""

import json
import signal
import types

import pytest

import examiner_checks
from examiner.judge.cell import Conditions, judge_cell
from examiner.judge.compile import prepare
from examiner.model import GradeKey, Identity
from examiner.notebook import Cell
from examiner.plain import from_plain, to_plain
from examiner.verdict import AUTHOR_ERROR, Outcome, Verdict
from tests.clocks import FakeBench

STUDENT = """
import numpy as np
from numpy import array
class Tensor:
    def __init__(self, data):
        self.data = array(data)
    def numpy(self):
        return self.data
    def copied(self):
        return self.data.copy()
class Wrong:
    def __eq__(self, other):
        return True
    def __bool__(self):
        return True
    def __matmul__(self, other):
        return self
def double(x):
    return 2 * x
def wrong(x):
    return Wrong()
def apply(f, x):
    return f(x)
def forever():
    while True:
        pass
def die():
    import os
    os._exit(0)
def hungry():
    raise MemoryError
np.allclose = lambda *_: True
isinstance = lambda *_: True
check_equal = print = len = None
np = None
"""

IDENTITY = Identity("course", "ada", "01_tiny", "1", GradeKey("submission", "assignment", "environment"))
PASSED, PARTIAL, FAILED, ERROR = Outcome.PASSED, Outcome.PARTIAL, Outcome.FAILED, Outcome.ERROR


def grade_cell(source, points=4.0, grade_id="numeric_it"):
    return Cell(9, grade_id, "code", source, grade_id, points, is_grade=True, is_locked=True)


def locked(source, cell_id="imports"):
    return Cell(0, cell_id, "code", source, is_locked=True)


def solution(source):
    return Cell(1, "work", "code", source, "work", is_solution=True)


@pytest.fixture
def judge(forked):
    """Return a function that gives the verdict of one grade cell on the student above."""

    def verdict(source, *before, seconds=20.0, modes=None, reference=None, student=STUDENT, bench=None):  # noqa: PLR0913
        [cell] = prepare([*before, grade_cell(source)], modes)
        with forked(student).snapshot() as channel:
            opened = bench and (lambda *_: bench)
            return judge_cell(cell, channel, "5eed", Conditions(seconds, reference, opened))

    return verdict


@pytest.mark.parametrize(
    ("source", "outcome", "points"),
    [
        ("assert double(2) == 4", PASSED, 4.0),
        ("assert double(2) == 5", FAILED, 0.0),
        ("double('a', 'b')", ERROR, 0.0),
        ("nowhere(1)", ERROR, 0.0),
        ("double(1)\nNone", PASSED, 4.0),
        ("4", PASSED, 4.0),
        ("3.5", PARTIAL, 3.5),
        ("0", FAILED, 0.0),
        ("import numpy as np\nnp.float64(1.0)", PARTIAL, 1.0),
        ("4.5", ERROR, 0.0),
        ("-1", ERROR, 0.0),
        ("float('nan')", ERROR, 0.0),
        ("from examiner_checks import award\naward(1)\naward(2)", PARTIAL, 3.0),
        ("from examiner_checks import award\nx = award(1)", PARTIAL, 1.0),
        ("from examiner_checks import award\nx = award(5)", ERROR, 0.0),
        ("raise SystemExit", ERROR, 0.0),
        ("die()", Outcome.CRASHED, 0.0),
        ("hungry()", Outcome.OUT_OF_MEMORY, 0.0),
    ],
)
def test_points_need_the_end_of_the_cell_or_an_award(judge, source, outcome, points):
    """By nbgrader's rule where it has one; a number out of range is nobody's full marks."""
    verdict = judge(source)
    assert (verdict.outcome, verdict.points) == (outcome, points), verdict.message


@pytest.mark.parametrize("source", ["forever()", "while True:\n    pass"])
def test_time_is_over_on_either_side(judge, source):
    """A cell may compute by itself, without end, on a number that a student returned."""
    before = signal.getsignal(signal.SIGALRM)
    verdict = judge(source, seconds=0.3)
    assert verdict.outcome is Outcome.TIMEOUT
    assert 0.2 < verdict.seconds < 10
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("call", ["die()", "forever()"])
@pytest.mark.parametrize(
    "source",
    [
        "from examiner_checks import attempt, award\nwith attempt(4, 'it'):\n    {}\naward(4)",
        "from examiner_checks import raises\nwith raises(ValueError):\n    {}",
        "try:\n    {}\nexcept BaseException:\n    pass",
        "try:\n    {}\nfinally:\n    raise ValueError",
        "while True:\n    try:\n        {}\n    except:\n        break\n4",
    ],
)
def test_a_lost_candidate_is_never_taken_for_a_result(judge, source, call):
    """Whatever the cell catches."""
    verdict = judge(source.format(call), seconds=0.3)
    assert verdict.outcome is (Outcome.CRASHED if call == "die()" else Outcome.TIMEOUT)
    assert verdict.points == 0.0


def test_our_modules_stay_ours_whatever_the_student_bound(judge):
    """The student has rebound np, its functions, the checks and builtins."""
    source = (
        "assert np.allclose(1.0, 2.0) is False\n"
        "from examiner_checks import check_equal\n"
        "check_equal(len([double(2)]), 1)\n"
        "assert not isinstance(1, str)"
    )
    assert judge(source, locked("import numpy as np")).outcome is PASSED
    assert judge(source, solution("import numpy as np")).outcome is PASSED


def test_an_always_equal_answer_gets_nothing(judge):
    """Neither by `==`, nor by its truth, nor by a check."""
    assert judge("assert wrong(1) == 2").message.startswith("AuthorError: ==")
    assert judge("assert wrong(1)").outcome is ERROR
    assert judge("from examiner_checks import check_equal\ncheck_equal(wrong(1), 2)").outcome is FAILED
    hidden_away = "try:\n    ok = wrong(1) == 2\nexcept Exception:\n    ok = True\nassert ok"
    assert judge(hidden_away).outcome is ERROR


def test_locked_cells_run_on_both_sides(judge):
    """A cell may use what those before it have imported and defined, on top of the student's names too."""
    before = (
        locked(
            "import math\nfrom numpy import testing as nt\nLIMIT = math.pi * 2\nTABLE = [n for n in range(3)]"
        ),
        locked("%matplotlib inline\ndef twice_the_double(x):\n    return 2 * double(x) + LIMIT"),
    )
    assert (
        judge(
            "assert twice_the_double(1) == 4 + 2 * math.pi\nnt.assert_equal(TABLE, [0, 1, 2])", *before
        ).outcome
        is PASSED
    )


def test_what_a_solution_cell_binds_later_is_the_students(judge):
    """A placeholder in a locked cell is there to be replaced."""
    before = locked("def double(x):\n    return None")
    assert judge("assert double(2) == 4", before, solution("def double(x): ...")).outcome is PASSED
    assert judge("assert double(2) is None", before).outcome is PASSED


def test_students_modules_are_imported_from_the_candidate(judge):
    """And a name that they lack is not looked up among ours, where the reference may be loaded."""
    student = (
        "import sys, types\n"
        "sys.modules['nn'] = nn = types.ModuleType('nn')\n"
        "sys.modules['nn.conv'] = nn.conv = types.ModuleType('examiner')\n"
        "nn.conv.answer = 5\n"
    )
    assert judge("from nn.conv import answer\nassert answer == 5", student=student).outcome is PASSED
    assert judge("import nn.conv as c\nassert c.answer == 5", student=student).outcome is PASSED
    assert judge("import nn.conv\nassert nn.conv.answer == 5", student=student).outcome is PASSED
    stolen = judge("from nn.conv import wire", student=student)
    assert stolen.outcome is ERROR
    assert stolen.message.startswith("ImportError")


def test_aliasing_is_judged_by_behaviour(judge):
    """`ref` leaves the array over there, in an attribute, an item or a call, by any name."""
    source = (
        "from examiner_checks import array, check_array, ref as r, value\n"
        "x = Tensor([1.0, 2.0])\n"
        "inside = r(x.{}())\n"
        "inside[0] = 9.0\n"
        "check_array(x.numpy(), [9.0, 2.0], hint='a copy')\n"
        "check_array(value(r(x.data)), [9.0, 2.0])\n"
        "a = array([1.0])\n"
        "check_array(apply(double, a), [2.0])"
    )
    assert judge(source.format("numpy")).outcome is PASSED
    copied = judge(source.format("copied"))
    assert (copied.outcome, copied.hint, copied.line) == (FAILED, "a copy", 5)


@pytest.mark.parametrize(
    ("source", "instead"),
    [
        ("x = Tensor([1.0])\nassert x.numpy() is x.data", "ref"),
        ("import numpy as np\nassert np.shares_memory(1, 2)", "ref"),
        ("from numpy import may_share_memory\nmay_share_memory([1], [2])", "ref"),
        ("assert Tensor([1.0]).data.flags.writeable", "ref"),
        ("type(Wrong() @ 1)", "isinstance"),
        ("Tensor([1.0]).__eq__(1)", "compare values"),
        ("id(double(1))", "ref"),
        ("import weakref", "judge what the student's code does"),
        ("class Mine(Tensor):\n    pass", "call what the class itself has"),
        ("from nn import *", "name what"),
        ("from . import nn", "whole name"),
        ("import examiner_checks.values", "from examiner_checks itself"),
        ("from examiner_checks import ref\nref(1)", "attribute"),
        ("import examiner_checks as c\nc.ref(double)", "by its name"),
        ("from examiner_checks import value\nvalue([1])", "ref"),
        ("reference.double(1)", "hidden"),
        ("this is no Python", "line 1"),
        ("a is b is c", "of its own"),
    ],
)
def test_what_means_nothing_here_tells_the_author_what_to_write(judge, source, instead):
    """Instead of being False, or true by accident."""
    verdict = judge(source, reference=types.SimpleNamespace(double=lambda x: 2 * x))
    assert verdict.outcome is ERROR
    assert verdict.raised == AUTHOR_ERROR
    assert instead in verdict.message


def test_is_keeps_its_meaning_where_it_has_one(judge):
    """None, classes, and objects of ours that come back."""
    source = (
        "from examiner_checks import NumpyOnly\nimport numpy as np\nduck = NumpyOnly([1.0])\n"
        "assert apply(lambda x: x, duck) is duck\nassert Tensor([1.0]) is not None\n"
        "assert type(Tensor([1.0]).data) is np.ndarray and double(1) is not True"
    )
    assert judge(source).outcome is PASSED


def test_the_reference_is_there_for_hidden_tests_only(judge):
    """Whatever the student has bound to that name."""
    hidden = "### BEGIN HIDDEN TESTS\nassert double(4) == reference.double(4)\n### END HIDDEN TESTS"
    reference = types.SimpleNamespace(double=lambda x: 2 * x)
    assert judge(hidden, reference=reference, student=STUDENT + "reference = None").outcome is PASSED
    verdict = judge(hidden, student="reference = None\ndouble = None")
    assert verdict.outcome is ERROR
    assert verdict.is_hidden


def test_only_the_authors_words_are_a_hint(judge):
    """A student's AssertionError could quote what a hidden test has given it."""
    assert judge("assert double(1) == 3, 'think of x + x'").hint == "think of x + x"
    assert judge("assert double(1) == 3, f'it is {double(1)}'").hint == ""
    student = "def double(x):\n    raise AssertionError(f'I saw {x}')"
    verdict = judge("double(17)", student=student)
    assert (verdict.outcome, verdict.hint) == (FAILED, "")
    assert "I saw 17" in verdict.message


def test_where_a_cell_failed_is_known(judge):
    """A failed visible test may be shown whole, a hidden one by its hint alone."""
    source = """def check(x):
    assert x == {}, "no"
check(double(1))
### BEGIN HIDDEN TESTS
assert double(2) == 5
### END HIDDEN TESTS"""
    visible, hidden = judge(source.format(3)), judge(source.format(2))
    assert (visible.line, visible.is_hidden) == (2, False)
    assert (hidden.line, hidden.is_hidden) == (5, True)


def test_output_is_captured_and_bounded(judge, capfd):
    """Warnings too: they are nobody's fault, and cost nothing."""
    source = """import warnings, sys
print("one")
warnings.warn("two")
print("x" * 200_000)
print("three", file=sys.stderr)"""
    verdict = judge(source)
    assert verdict.outcome is PASSED
    assert verdict.output.startswith("one\nxxx")
    assert len(verdict.output) == 64 << 10
    assert capfd.readouterr() == ("", "")


def test_the_same_seed_draws_the_same_numbers(judge):
    """Also from NumPy's and Python's global generators."""
    source = """import random, numpy as np
from examiner_checks import rng
print(rng("a").random(), rng("b").random(), random.random(), np.random.rand())"""
    first, second = judge(source), judge(source)
    assert first.output == second.output
    assert len(set(first.output.split())) == 4


def test_an_author_draws_the_same_numbers_from_the_same_seed(judge, monkeypatch):
    """The gate names the seed with which a solution fails."""
    verdict = judge("from examiner_checks import rng\nprint(rng('a').random())")
    monkeypatch.setenv("EXAMINER_SEED", verdict.seed)
    assert float(verdict.output) == examiner_checks.rng("a").random()


def test_gradient_checks_and_duck_types_work_across_the_wire(judge):
    """What the course's own grade cells do."""
    source = """import numpy as np
from examiner_checks import NumpyOnly, Spy, check_gradient, check_array
check_gradient(double, [np.ones(3)], [np.full(3, 2.0)])
spy = Spy([1.0])
check_array(apply(lambda s: s.numpy(), spy), [1.0])
assert spy.reads["numpy"] == 1
assert isinstance(Tensor([1.0]), Tensor) and not isinstance([1.0], Tensor) and callable(double)
assert issubclass(Tensor, Tensor) and not callable(Tensor([1.0]))"""
    verdict = judge(source)
    assert verdict.outcome is PASSED, verdict.message


MEASURES = """
import numpy as np
from examiner_checks import attempt, award, speed
def twice(x):
    return 2 * x
def drawn():
    return (np.random.normal(size=3),)
"""
RATHER = "speed(double, twice, drawn, at_most={1: 1.5, 16: 1})\n"
FAST = "with attempt(2, 'fast'):\n    speed(double, twice, drawn, at_most=1)\n"


@pytest.mark.parametrize(
    ("test", "outcome", "provisional"),
    [
        (f"{RATHER}award(0)", Outcome.INCONCLUSIVE, 1.0),
        (f"award(0.5)\n{RATHER}award(1)", Outcome.INCONCLUSIVE, 2.5),
        (f"{RATHER}{RATHER}award(0)", Outcome.INCONCLUSIVE, 2.0),
        ("speed(double, twice, drawn, at_most=1)", Outcome.INCONCLUSIVE, 0.0),
        ("award(1.5)\nspeed(double, twice, drawn, at_most=1)", Outcome.INCONCLUSIVE, 1.5),
        (f"{FAST}with attempt(1, 'right'):\n    assert double(2) == 4\naward(0)", Outcome.INCONCLUSIVE, 1.0),
        (f"{RATHER}assert double(2) == 5", Outcome.FAILED, 0.0),
    ],
    ids=["a ladder", "other points", "two of them", "a threshold", "after others", "in an attempt", "wrong"],
)
def test_what_stays_unsettled_has_the_rungs_that_are_surely_cleared(judge, test, outcome, provisional):
    """Provisionally; the cell goes on, so that its other points are there, and a wrong answer is one.

    The student's function takes half as long as the instructor's and twice as long by turns, which no pair
    makes clearer.
    """
    by_turns = FakeBench(lambda sample, *_: 5e-3 if sample % 2 else 2e-2, lambda *_: 1e-2)
    verdict = judge(f"{MEASURES}{test}", bench=by_turns)
    assert (verdict.outcome, verdict.points) == (outcome, 0.0 if outcome is Outcome.FAILED else None)
    assert verdict.provisional == provisional
    assert not verdict.measured[0].is_settled
    assert from_plain(json.loads(json.dumps(to_plain(verdict))), Verdict) == verdict
