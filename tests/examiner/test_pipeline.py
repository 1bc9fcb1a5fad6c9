"""What is graded, what is left alone, and what is stale."""

from dataclasses import replace
from pathlib import Path

import pytest

from examiner.model import Key, Submission
from examiner.pipeline import Case, Step
from examiner.records import Record

KEY = Key("submission", "assignment", "environment")
DONE, REFUSED = Record(KEY), Record(KEY, ("place", "fact", "fix"))


@pytest.mark.parametrize(
    ("record", "key", "is_graded", "is_new", "is_stale"),
    [
        (None, KEY, False, True, False),
        (None, KEY, True, True, False),
        (DONE, KEY, True, False, False),
        (DONE, KEY, False, True, False),
        (DONE, replace(KEY, submission="changed"), True, True, False),
        (DONE, replace(KEY, assignment="changed"), True, False, True),
        (DONE, replace(KEY, environment="changed"), True, False, True),
        (DONE, replace(KEY, assignment="changed"), False, True, False),
        (REFUSED, KEY, False, False, False),
        (REFUSED, KEY, True, False, False),
        (REFUSED, replace(KEY, environment="changed"), False, True, False),
        (REFUSED, replace(KEY, submission="changed"), True, True, False),
    ],
    ids=[
        "never graded",
        "graded by nbgrader's own command",
        "graded as it is",
        "graded, and then the gradebook was lost",
        "handed in again",
        "assignment changed",
        "environment changed",
        "assignment changed and gradebook lost",
        "refused as it is",
        "refused as it is, with a former grade",
        "refused, and then the environment changed",
        "refused, and then handed in again",
    ],
)
def test_a_grade_changes_only_if_the_submission_does(record, key, is_graded, is_new, is_stale):
    """A changed assignment or environment never replaces a grade by itself; a refusal is no grade."""
    case = Case(Submission("anna", "01_double", Path()), key, record, is_graded)
    assert (case.is_new, case.is_stale) == (is_new, is_stale)


def test_a_step_is_named_after_what_it_is_about(small):
    """The progress display, the logs and the errors use the same names."""
    course = small.course
    submission = Submission("anna", "01_double", small.root)
    assert str(Step("prepare", course)) == "small"
    assert str(Step("release", course, course.assignments[0])) == "01_double"
    job = Step("grade", course, submission).job()
    assert (str(job.item), job.seconds) == ("anna/01_double", 120)
    assert job.log == small.root / ".examiner" / "logs" / "grade" / "anna" / "01_double.log"
