"""What is committed in release/ is what the sources make."""

from pathlib import Path

import pytest

from examiner.course.load import load_course
from examiner.submission.intake import digest

pytestmark = pytest.mark.course

REPOSITORY = Path(__file__).parents[2]
COURSE = load_course(REPOSITORY)


@pytest.mark.parametrize("assignment", COURSE.assignments, ids=lambda assignment: assignment.name)
def test_a_release_is_made_byte_for_byte_from_its_source(released, assignment):
    """It is in git so that a difference shows what students get; `make release` writes it anew."""
    assert digest(COURSE.release(assignment)) == digest(released.root / "release" / assignment.name)


@pytest.mark.parametrize("assignment", COURSE.assignments, ids=lambda assignment: assignment.name)
def test_a_release_holds_nothing_hidden(released, assignment):
    """Every hidden test has a canary in it."""
    files = (released.root / "release" / assignment.name).rglob("*")
    texts = [path.read_text() for path in files if path.is_file()]
    assert "canary-" in next(COURSE.source(assignment).glob("*.ipynb")).read_text()
    assert not [text for text in texts if "canary-" in text or "BEGIN SOLUTION" in text]
