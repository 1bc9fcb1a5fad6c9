"""Grade cells that are judged against the answer of a student, beside the instructor's solution."""

import pytest

from examiner.judge.cell import Conditions, judge_cell
from examiner.judge.compile import OURS, prepare
from examiner.judge.restore import restored
from examiner.notebook import Cell
from examiner.wire.libraries import LIBRARIES


@pytest.fixture
def judged(forked):
    """Return a function that gives the verdict of a grade cell on a student.

    The solution is the student's own text unless another is given; `serve` takes the place of the process.
    """

    def verdict(test, student, solution=None, serve=None):
        cells = [
            Cell(0, "work", "code", solution or student, "work", is_solution=True),
            Cell(1, "it", "code", test, "it", 4.0, is_grade=True, is_locked=True),
        ]
        [prepared] = prepare(cells, ours=OURS | LIBRARIES.keys() | {"pytest"})
        with restored(), forked(student, serve).snapshot() as channel:
            return judge_cell(prepared, channel, "5eed", Conditions(20.0, sources=(student,)))

    return verdict
