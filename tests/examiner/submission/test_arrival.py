"""When work was handed in is what its timestamp says, or what the instructor's side can see."""

import os
import shutil
from datetime import UTC, datetime

import pytest

from examiner.batch.triage import triage
from examiner.batch.worker import AssignmentVersion
from examiner.errors import StudentFault
from examiner.model import GradeKey, Identity
from examiner.store import sheets
from examiner.store.sheets import FiledGrade, NotebookSheet
from examiner.submission.arrival import handed_in, seen
from examiner.submission.intake import read, submissions
from examiner.verdict import GradeSheet, Outcome, Verdict

LIE = "2020-01-01 00:00:00 UTC"


@pytest.fixture
def distrustful(small):
    """A course that does not trust what students write into their timestamps."""
    settings = small.root / "course.toml"
    settings.write_text("trust_timestamps = false\n" + settings.read_text())
    return small


def one(small):
    """Return the only submission, and its files."""
    [submission] = submissions(small.course)
    return submission, read(submission.folder)


def test_a_timestamp_says_when(small):
    """As the exchange writes it."""
    small.hand_in("anna", when="2026-09-01 12:00:00.5 UTC")
    assert handed_in(*one(small)).isoformat() == "2026-09-01T12:00:00.500000+00:00"


@pytest.mark.parametrize("when", ["", " \n", "\ufeff"])
def test_without_a_timestamp_there_is_no_time(small, when):
    """What an LMS delivers has none."""
    small.hand_in("anna", when=when)
    assert handed_in(*one(small)) is None


@pytest.mark.parametrize("when", ["05/09/2026", "2026-09-01 12:00 IST", "\x1b[2J", "x" * 300_000])
def test_a_timestamp_that_is_not_sure_is_refused_with_place_and_next_step(small, when):
    """Whatever it holds can be printed."""
    small.hand_in("anna", when=when)
    with pytest.raises(StudentFault, match=r"timestamp\.txt: .*; write one such as 2026-09-21") as refused:
        handed_in(*one(small))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


def test_the_time_of_the_last_change_counts_where_no_student_is_trusted(distrustful):
    """A file's own time can be set to anything, the time of its change cannot."""
    path = distrustful.hand_in("anna", when=LIE)
    os.utime(path, (0, 0))
    moment = seen(distrustful.course, *one(distrustful))
    assert moment == datetime.fromtimestamp(max(os.lstat(p).st_ctime for p in path.parent.iterdir()), UTC)
    assert moment > datetime(2026, 1, 1, tzinfo=UTC)


def test_what_still_lies_in_the_exchange_says_when_it_came(distrustful):
    """It is collected later, often after the deadline; a folder with other work in it says nothing."""
    path = distrustful.hand_in("anna", when=LIE)
    inbound = distrustful.course.inbound
    inbound.mkdir(parents=True)
    shutil.copytree(path.parent, inbound / "anna+01_double+2020-01-01 00:00:00 UTC+abc")
    came = seen(distrustful.course, *one(distrustful))
    (inbound / "anna+01_double+2019-01-01 00:00:00 UTC+def").mkdir()
    path.write_bytes(path.read_bytes())  # it is collected anew
    (path.parent / "timestamp.txt").write_text("2021-01-01 00:00:00 UTC")
    assert seen(distrustful.course, *one(distrustful)) == came
    path.write_text("{}")
    assert seen(distrustful.course, *one(distrustful)) > came


def pending(small):
    """Return what the pipeline knows of the only submission."""
    notebook = small.source("01_double").read_bytes()
    version = {"01_double": AssignmentVersion({"double": notebook}, {})}
    [found], faults = triage(small.course, version, submissions(small.course), {"01_double": "environment"})
    assert not faults
    return found


def test_what_was_seen_once_stays_when_the_course_is_copied(distrustful):
    """A copy of a course has new times for all its files; nobody is late for that."""
    path = distrustful.hand_in("anna", when=LIE)
    first = pending(distrustful)
    assert first.identity.attempt == f"seen {first.handed_in.isoformat()}"
    sheet = GradeSheet(first.identity, (Verdict("f", Outcome.PASSED, 1.0, 1.0),))
    sheets.accept(distrustful.course, FiledGrade((NotebookSheet("double", sheet),), first.handed_in))
    path.write_bytes(path.read_bytes())
    again = pending(distrustful)
    assert (again.identity, again.handed_in) == (first.identity, first.handed_in)
    distrustful.hand_in("anna", when=LIE, code="def double(x):\n    return 2 * x\n")
    assert pending(distrustful).handed_in > first.handed_in


def test_a_time_that_the_student_wrote_is_not_taken_for_one_that_was_seen(distrustful):
    """The course trusted timestamps before, and does not any more."""
    distrustful.hand_in("anna", when=LIE)
    key = GradeKey(pending(distrustful).identity.key.submission, "assignment", "environment")
    written = Identity("small", "anna", "01_double", "2020-01-01T00:00:00+00:00", key)
    sheet = GradeSheet(written, (Verdict("f", Outcome.PASSED, 1.0, 1.0),))
    former = FiledGrade((NotebookSheet("double", sheet),), datetime(2020, 1, 1, tzinfo=UTC))
    sheets.accept(distrustful.course, former)
    assert pending(distrustful).handed_in > datetime(2026, 1, 1, tzinfo=UTC)
