"""Honest students lose nothing, however unusual their way of working."""

import pytest

from .claims import changed_nothing, have_full_marks
from .conftest import HONEST

pytestmark = pytest.mark.course


@pytest.mark.parametrize("submission", HONEST, ids=lambda submission: submission.student)
def test_an_honest_student_gets_full_marks(submission, honest_class):
    """Right code is right, whatever it prints, warns, imports or leaves out of the tests."""
    have_full_marks(honest_class[1], [submission])


def test_honest_students_change_nothing(honest_class):
    """Nor does grading them."""
    _, outcome = honest_class
    assert outcome.code == 0, outcome.output
    changed_nothing(outcome)
