"""What examiner remembers survives, and what it cannot read it does again."""

import subprocess
import sys

import pytest

from examiner.errors import PlatformFault
from examiner.model import GradeKey, Submission
from examiner.store import records
from examiner.store.records import Record, alone


@pytest.fixture
def submission(small):
    return Submission("anna", "01_double", small.root / "submitted" / "anna" / "01_double")


@pytest.mark.parametrize("refusal", [(None, None), (GradeKey("a", "b", "c"), ("place", "fact", "fix"))])
def test_a_record_comes_back_as_it_was_written(small, submission, refusal):
    """A fault keeps its three parts, so that it is told again in the same words."""
    record = Record("filing", "penalized", "feedback", *refusal)
    records.write(small.course, submission, record)
    assert records.read(small.course, submission) == record


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"filing": ""}', '{"filing": "", "feedback": "", "refused": {"x": ""}, "fault": null}'],
)
def test_a_record_that_cannot_be_read_says_nothing(small, submission, text):
    """The work is done again, which costs time and nothing else."""
    records.write(small.course, submission, Record("filing"))
    [path] = (small.root / ".examiner" / "records").rglob("*.json")
    path.write_text(text)
    assert records.read(small.course, submission) == Record()


def test_nothing_is_remembered_at_first(small, submission):
    """Neither a submission nor a release."""
    assert records.read(small.course, submission) == Record()
    assert not records.read_release(small.course, "01_double")
    records.write_release(small.course, "01_double", "digest")
    assert records.read_release(small.course, "01_double") == "digest"


def test_a_course_is_graded_by_one_run_at_a_time(small):
    """Two would grade everything twice, and write over each other."""
    code = "from examiner.course.load import load_course, Path; from examiner.store.records import alone\n"
    code += f"with alone(load_course(Path({str(small.root)!r}))): print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(PlatformFault, match="another examiner is grading"), alone(small.course):
            pass
        other.communicate(b"\n")
    with alone(small.course):
        pass
