"""What is committed in release/ is what the sources make."""

import shutil
from pathlib import Path

import pytest

from examiner.course.load import load_course
from examiner.submission.intake import digest

pytestmark = pytest.mark.course

REPOSITORY = Path(__file__).parents[2]
COURSE = load_course(REPOSITORY)


@pytest.fixture(scope="module")
def released(tmp_path_factory, small_course_at):
    """A copy of the course, released anew."""
    copy = small_course_at(tmp_path_factory.mktemp("release"))
    for name in ("source", COURSE.package.name):
        shutil.copytree(REPOSITORY / name, copy.root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("course.toml", "roster.csv", "nbgrader_config.py"):
        shutil.copy(REPOSITORY / name, copy.root / name)
    run = copy.examiner("release")
    assert run.returncode == 0, run.stderr
    return copy.root / "release"


@pytest.mark.parametrize("assignment", COURSE.assignments, ids=lambda each: each.name)
def test_a_release_is_made_byte_for_byte_from_its_source(released, assignment):
    """It is in git so that a difference shows what students get; `make release` writes it anew."""
    assert digest(COURSE.release(assignment)) == digest(released / assignment.name)


@pytest.mark.parametrize("assignment", COURSE.assignments, ids=lambda each: each.name)
def test_a_release_holds_nothing_hidden(released, assignment):
    """Every hidden test has a canary in it."""
    texts = [path.read_text() for path in (released / assignment.name).rglob("*") if path.is_file()]
    assert "canary-" in next(COURSE.source(assignment).glob("*.ipynb")).read_text()
    assert not [text for text in texts if "canary-" in text or "BEGIN SOLUTION" in text]
