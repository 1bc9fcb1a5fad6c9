"""What is graded, what is left alone, and what is stale."""

from dataclasses import replace
from pathlib import Path

import pytest

from examiner.batch.triage import PendingSubmission
from examiner.model import GradeKey, Identity, Submission
from examiner.store.records import Record
from examiner.store.sheets import FiledGrade, GradeHistory, NotebookSheet
from examiner.verdict import GradeSheet, Outcome, Verdict

IDENTITY = Identity("course", "anna", "01_double", "", GradeKey("submission", "assignment", "environment"))


def filing(outcome=Outcome.PASSED):
    """Return a grading of one cell."""
    points = None if outcome.is_open else 1.0
    return FiledGrade((NotebookSheet("double", GradeSheet(IDENTITY, (Verdict("f", outcome, points, 1.0),))),))


DONE, FAILED = GradeHistory((filing(),)), GradeHistory((filing(Outcome.INFRASTRUCTURE),))
HERE, REFUSED = Record(filing().digest), Record("", "", "", IDENTITY.key, ("place", "fact", "fix"))


@pytest.mark.parametrize(
    ("history", "record", "changed", "is_new", "is_stale"),
    [
        (GradeHistory(), Record(), {}, True, False),
        (DONE, HERE, {}, False, False),
        (DONE, Record(), {}, True, False),
        (DONE, Record("of another attempt"), {}, True, False),
        (DONE, HERE, {"submission": "changed"}, True, False),
        (DONE, HERE, {"assignment": "changed"}, False, True),
        (DONE, HERE, {"environment": "changed"}, False, True),
        (DONE, Record(), {"assignment": "changed"}, False, True),
        (FAILED, Record(), {}, True, False),
        (GradeHistory(), REFUSED, {}, False, False),
        (GradeHistory(), REFUSED, {"environment": "changed"}, True, False),
        (DONE, REFUSED, {"submission": "changed"}, True, False),
    ],
    ids=[
        "never graded",
        "graded as it is",
        "graded, and what was remembered is lost",
        "graded, and the notebooks are of another attempt",
        "handed in again",
        "assignment changed",
        "environment changed",
        "assignment changed, and what was remembered is lost",
        "a fault of ours",
        "refused as it is",
        "refused, and then the environment changed",
        "refused, and then handed in again",
    ],
)
def test_a_grade_changes_only_if_the_submission_does(history, record, changed, is_new, is_stale):
    """A changed assignment or environment never replaces a grade by itself; a refusal is no grade."""
    identity = replace(IDENTITY, key=replace(IDENTITY.key, **changed))
    submission = Submission("anna", "01_double", Path())
    pending = PendingSubmission(submission, identity, None, history, record, has_notebooks=True)
    assert (pending.is_new, pending.is_stale) == (is_new, is_stale)


def test_lost_notebooks_are_made_again():
    """Somebody has emptied autograded/; the sheet is the same."""
    submission = Submission("anna", "01_double", Path())
    assert PendingSubmission(submission, IDENTITY, None, DONE, HERE, has_notebooks=False).is_new
