"""The grade cells of one job: seeds, and what becomes of each cell."""

from pathlib import Path

import pytest

from examiner.errors import PlatformFault
from examiner.examine.cells import cell_seed, examine
from examiner.judge.cell import Conditions, judge_cell
from examiner.judge.compile import prepare
from examiner.model import GradeKey, Identity, Mode
from examiner.notebook import Cell
from examiner.verdict import Outcome

STUDENT = """
def double(x):
    return 2 * x
def die():
    import os
    os._exit(0)
"""

IDENTITY = Identity("course", "ada", "01_tiny", "1", GradeKey("submission", "assignment", "environment"))
PASSED = Outcome.PASSED


def grade_cell(source, points=4.0, grade_id="numeric_it"):
    return Cell(9, grade_id, "code", source, grade_id, points, is_grade=True, is_locked=True)


def judge(cell, channel, seed):
    """Run a grade cell in this process."""
    return judge_cell(cell, channel, seed, Conditions(20.0))


def test_seeds_follow_from_secret_submission_and_cell():
    """And parts that run into one another do not give the same."""
    seeds = {
        cell_seed(secret, Identity("c", student, "a", "1", GradeKey(submission, "", "")), cell)
        for secret in (b"s", b"t")
        for student, submission, cell in [("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("a", "b", "d")]
    }
    assert len(seeds) == 8
    other_attempt = Identity("course", "ada", "01_tiny", "2", GradeKey("submission", "changed", "changed"))
    assert cell_seed(b"s", IDENTITY, "x") == cell_seed(b"s", other_attempt, "x")


def test_one_job_gives_one_sheet(forked):
    """Cells are independent: what one loses, the next does not notice."""
    cells = prepare(
        [grade_cell("die()", grade_id="numeric_a"), grade_cell("assert double(1) == 2", grade_id="numeric_b")]
    )
    sheet = examine(cells, forked(STUDENT), IDENTITY, b"secret", judge)
    assert [v.outcome for v in sheet.verdicts] == [Outcome.CRASHED, PASSED]
    assert sheet.points == 4.0
    assert sheet.verdicts[1].seed == cell_seed(b"secret", IDENTITY, "numeric_b")


def test_cells_of_the_kernel_are_left_to_it(forked):
    """They have no verdict of the examiner's."""
    cells = prepare([grade_cell("1")], {"numeric_it": Mode.KERNEL})
    assert examine(cells, forked(), IDENTITY, b"", judge).verdicts == ()


class Unlucky:
    """A candidate of which nothing comes up to the grade cells."""

    def __init__(self, error):
        self.error = error

    def snapshot(self, _grade_id):
        raise self.error


@pytest.mark.parametrize("fault", [PlatformFault("worker", "no fork", "try again"), OSError("no memory")])
def test_our_own_fault_is_never_a_zero(fault):
    """It has no points at all, until somebody looks."""
    sheet = examine(prepare([grade_cell("1")]), Unlucky(fault), IDENTITY, b"", judge)
    assert sheet.verdicts[0].outcome is Outcome.INFRASTRUCTURE
    assert sheet.verdicts[0].points is None


def test_a_snapshot_that_went_with_our_own_server_is_our_fault(forked):
    """The student's code did not end it, so it is no verdict on that."""

    class Orphaned(forked):
        def check_server(self):
            raise PlatformFault("server", "it ended", "try again")

    with pytest.raises(PlatformFault, match="it ended"):
        examine(prepare([grade_cell("die()")]), Orphaned(STUDENT), IDENTITY, b"", judge)


def test_nothing_is_left_open(forked):
    """A worker examines thousands."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    cells = prepare([grade_cell("assert double(1) == 2")])
    for _ in range(3):
        examine(cells, forked(STUDENT), IDENTITY, b"", judge)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_wanted_names_are_those_of_the_notebook():
    """What a student happens to call x is not fetched for a cell that has its own."""
    source = """import numpy as np
for i, x in enumerate(start):
    y = f(x, i)
    z = [k + x for k in y if k is not None]
with cm as c:
    print(c, z)
def g(a):
    b = a + late
    return b
count += 1
if maybe:
    w = 1
w
late = 2"""
    [cell] = prepare([grade_cell(source)])
    assert cell.wanted == ("cm", "count", "f", "late", "maybe", "start", "w")
