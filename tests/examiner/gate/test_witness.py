"""The instructor's solution in a real kernel: the ways in which it can lose points, and what is excused."""

from dataclasses import replace

import pytest

from examiner.errors import WrongSolution
from examiner.gate import evidence
from examiner.gate.check import CheckRequest, check
from examiner.gate.run import TrialRunner
from examiner.model import Mode, TimeLimits

CELL = "interface_start"  # of 20 points, and the last one
BEFORE = "first.count()"
HUNG = "while True: pass"


def ignore(done, total, name):
    """Take no notice of progress."""


@pytest.fixture
def gathered(tiny):
    """A function that gathers the evidence about the course as it is when called."""

    def gather(*, anyway=False):
        course = replace(tiny.course, limits=TimeLimits(3, 60))
        [found] = evidence.gather(TrialRunner(course, 1, ignore), [tiny.assignment], anyway=anyway)
        return found

    return gather


# What a hidden test says, and how the sentence tells it: it is the cell's seventh line.
WRONG = {
    "a wrong expectation": ("assert first.count().total == 2", "line 7, AssertionError"),
    "a name with a slip": ("assert frist.count()", "line 7, NameError: name 'frist' is not defined"),
    "a missing module": ("import no_such_module", "line 7, ModuleNotFoundError: No module named"),
    "no end": (HUNG, "timeout, KeyboardInterrupt"),
    "the end of the process": ("import os; os._exit(0)", "ended the process"),
    "partial credit alone": ("first.count(); first.total", "19 of 20 points are lost"),
    "no Python": ("first.count(", "line 8, SyntaxError"),
}


@pytest.mark.parametrize(("test", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_hidden_test_is_named_before_anybody_is_graded_by_it(tiny, gathered, test, told):
    """Stock nbgrader gives every right student nothing for it; here the cell and its line are told."""
    tiny.edit(CELL, f"{BEFORE}\ncheck_equal((first.total, second.total), (1, 0))", test)
    with pytest.raises(WrongSolution) as error:
        gathered()
    assert error.value.place == tiny.place(CELL)
    assert "in a Jupyter kernel, the instructor's solution fails it" in error.value.fact
    assert told in error.value.fact
    assert evidence.read(tiny.course, tiny.assignment) is None


# Each names the cell that is told: the one that a kernel, which has run the cells before, fails.
LEFT_BEHIND = {
    "a function that an earlier cell replaced": ("counter = Counter()", "Counter = None", CELL),
    "a name that the student's code needs": ("counter = Counter()", "del np; double([1])", "interface_count"),
}


@pytest.mark.parametrize(("old", "new", "told"), LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_one_kernel_runs_all_cells_from_top_to_bottom(tiny, gathered, old, new, told):
    """A snapshot at each cell, which both modes have in other trials, sees none of that."""
    tiny.edit("interface_count", old, f"{old}\n{new}")
    with pytest.raises(WrongSolution) as error:
        gathered()
    assert told in f"{error.value.place} {error.value.fact}"


def test_all_cells_that_the_solution_fails_are_named_at_once(tiny, gathered):
    """Nobody mends one after another by trying again."""
    tiny.edit("interface_count", "counter = Counter()", "counter = Count()")
    tiny.edit(CELL, BEFORE, "second.count()")
    with pytest.raises(WrongSolution, match=r"interface_count: .* so it does in cell interface_start"):
        gathered()


def test_a_warning_says_nothing_about_a_solution(tiny, gathered):
    """nbgrader gives no points for a cell that writes to stderr; here it is no reason to grade nobody."""
    tiny.edit(CELL, BEFORE, f"import warnings; warnings.warn('it is old')\n{BEFORE}")
    assert gathered().modes[CELL] is Mode.EXAMINED


def test_what_is_wrong_may_be_graded_anyway_and_is_told_again(tiny, gathered):
    """Evidence of a wrong solution is good for those who ask for it, until the notebook is mended."""
    tiny.edit(CELL, BEFORE, "second.count()")
    found = gathered(anyway=True)
    assert found.failures == {CELL: "line 8, CheckFailed: got 0, expected 1"}
    assert evidence.read(tiny.course, tiny.assignment) == found
    with pytest.raises(WrongSolution):
        gathered()
    tiny.edit(CELL, "second.count()", BEFORE)
    assert gathered().failures == {}


def test_the_gate_tells_what_only_a_real_kernel_shows(tiny):
    """As a breach of its own; what the examination shows, too, is told once."""
    tiny.edit("interface_count", "counter.total = 7", "counter.total = 7\n    np.asarray = None")  # hidden
    tiny.edit(CELL, BEFORE, f"double([1])\n{BEFORE}")
    [report] = check(tiny.course, CheckRequest(repeat=1), ignore)
    [told] = [str(breach) for breach in report.breaches if "Jupyter" in str(breach)]
    assert told.startswith(
        f"{tiny.place(CELL)}: in a Jupyter kernel, the instructor's solution fails it (line 7"
    )


def test_a_solution_that_fails_everywhere_is_one_breach(tiny):
    """The run that the seed belongs to is the better one to tell of."""
    tiny.edit(CELL, BEFORE, "second.count()")
    [report] = check(tiny.course, CheckRequest(repeat=1), ignore)
    about = [str(breach) for breach in report.breaches if "the instructor's solution fails" in str(breach)]
    assert len(about) == 1
    assert "fails it in 1 of 1 runs" in about[0]


def test_a_cell_that_needs_an_earlier_cells_name_is_no_breach_of_a_snapshot(tiny):
    """A snapshot fails it whatever the seed; the real kernel, in which students run it, does not."""
    tiny.edit("interface_count", "counter = Counter()", "counter = Counter()\nstart = Counter")
    tiny.edit(CELL, "first, second = Counter(), Counter()", "first, second = start(), start()")
    [report] = check(tiny.course, CheckRequest(repeat=2), ignore)
    assert not [str(breach) for breach in report.breaches if "the instructor's solution" in str(breach)]
