"""Whose times vary: what a student does at will is told after three gradings, what a machine does is not."""

from dataclasses import replace
from itertools import count

import pytest

from examiner.model import GradeKey, Identity
from examiner.store.sheets import FiledGrade, GradeHistory, NotebookSheet
from examiner.store.varying import has_unsettled, spread_of, varying_cells
from examiner.verdict import GradeSheet, Outcome, Verdict
from examiner_checks.decision import Ladder
from examiner_checks.measured import Raw, Subject

SUBJECT = Subject("speed", "it", "times", Ladder.of(1.0, None))
STEADY = (1.0, 1.01, 0.99, 1.02) * 5
AT_WILL = (0.5, 2.0) * 10
NUMBERS = count()
BUSY = (1.0, 1.9, 1.1, 2.2) * 5


def grading(attempt, candidate, baseline=STEADY, *, is_settled=False, cell="speed_f"):
    """Return a grading in which one cell measured these seconds."""
    raw = Raw(candidate=(candidate,), baseline=(baseline,))
    measured = replace(SUBJECT.exactly(1.0, raw), is_settled=is_settled)
    outcome, points = (Outcome.FAILED, 0.0) if is_settled else (Outcome.INCONCLUSIVE, None)
    verdict = Verdict(cell, outcome, points, 2.0, measured=(measured,))
    identity = Identity("course", "student01", "01_fast", str(attempt), GradeKey(str(attempt), "a", "e"))
    sheet = GradeSheet(identity, (verdict,), graded_at=str(next(NUMBERS)))
    return FiledGrade((NotebookSheet("fast", sheet),))


def told(*gradings):
    """Return what a history makes the instructor hear."""
    return [str(cell) for cell in varying_cells(GradeHistory(gradings))]


def test_three_in_a_row_are_told_by_name_cell_and_figures():
    """One sentence."""
    [sentence] = told(*(grading(n, AT_WILL) for n in range(4)))
    assert sentence.startswith("student01/01_fast, cell speed_f: unclear in 3 gradings in a row")
    assert "by a factor of 4, 4, 4 between their quartiles, and the baseline's by 1.0" in sentence


TWICE = grading(1, AT_WILL)


@pytest.mark.parametrize(
    "gradings",
    [
        [grading(n, AT_WILL) for n in range(2)],
        [grading(n, STEADY) for n in range(3)],
        [grading(n, AT_WILL, BUSY) for n in range(3)],
        [grading(1, AT_WILL), grading(2, STEADY), grading(3, AT_WILL)],
        [*(grading(n, AT_WILL) for n in range(3)), grading(4, AT_WILL, is_settled=True)],
        [grading(n, AT_WILL, cell=f"speed_{n % 2}") for n in range(3)],
        [TWICE, grading(2, AT_WILL), TWICE],
        [grading(n, (0.5, 2.0, 1.0)) for n in range(3)],
    ],
    ids=[
        "two",
        "close",
        "busy machine",
        "not in a row",
        "settled",
        "two cells",
        "filed again",
        "few samples",
    ],
)
def test_what_is_no_habit_of_the_students_is_not_told(gradings):
    """A figure close to the threshold, a busy machine, an attempt that was handed in twice."""
    assert told(*gradings) == []


def test_two_gradings_of_one_attempt_are_two():
    """As after a regrade."""
    assert told(*(grading(1, AT_WILL) for _ in range(3)))


def test_of_several_sizes_the_one_counts_at_which_the_student_varies_most():
    """What grows has no baseline beside it: the series itself has to vary a lot."""
    spread = spread_of(Raw((1.0, 2.0), candidate=(STEADY, AT_WILL)))
    assert (round(spread.candidate, 2), spread.baseline, spread.is_the_students) == (4.0, 1.0, True)
    assert not spread_of(Raw((1.0, 2.0), candidate=(STEADY, STEADY))).is_the_students
    assert not spread_of(Raw()).is_the_students


def test_a_grade_with_nothing_unsettled_is_not_looked_at():
    """Reading all that was filed of everybody would take its time."""
    assert has_unsettled(grading(1, STEADY))
    assert not has_unsettled(grading(1, STEADY, is_settled=True))
