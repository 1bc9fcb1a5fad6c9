"""Whatever is raised on behalf of one submission, at any stage, is that submission's fault and no other's."""

import shutil
from contextlib import contextmanager

import pytest

from examiner import pipeline
from examiner.batch import grade, triage
from examiner.batch.triage import PendingSubmission
from examiner.errors import ExaminerError
from examiner.export import csv
from examiner.model import Grades
from examiner.store import ledger, records, sheets
from examiner.store.grades import read_grades
from examiner.submission import arrival, intake
from tests.conftest import SmallCourse
from tests.exceptions import each_exception
from tests.turns import in_turn

pytestmark = pytest.mark.course

HONEST = "student00"
BY_STUDENT = {f"student{n:02}": name for n, name in enumerate(each_exception(), start=1)}

# What is done with one submission, in order, and what does it; the arguments of each say whose it is.
STAGES = {
    "its folder is looked at": (intake, "check_folder"),
    "its files are read": (intake, "read"),
    "its notebook is looked for": (triage, "require_some"),
    "its time is read": (arrival, "handed_in"),
    "its grades are read": (sheets, "read"),
    "its record is read": (records, "read"),
    "it is handed over": (PendingSubmission, "hand_over"),
    "its notebooks are kept": (grade, "put_files"),
    "its sheet is filed": (sheets, "accept"),
    "its record is written": (records, "write"),
    "its grade is entered": (ledger, "enter"),
    "its cells are compared": (pipeline, "has_unsettled"),
    "its row is exported": (csv, "row"),
}


@contextmanager
def raising(place, name, students):
    """Have a function raise the exception of each of these students, when it is called for that student."""
    call = getattr(place, name)

    def called(*args, **options):
        about = repr([arg for arg in args if not isinstance(arg, Grades)])
        for student in students:
            if student in about:
                raise each_exception()[BY_STUDENT[student]]
        return call(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, called)
        yield


@pytest.fixture(scope="module")
def released(once, make_small_course):
    """A small course with its release, to which nobody has handed in."""

    def make(folder):
        small = make_small_course(folder / "course")
        assert small.examiner("release").returncode == 0
        return small.root

    return once("released alone", make)


@pytest.fixture
def small(released, tmp_path):
    shutil.copytree(released, tmp_path / "course")
    return SmallCourse(tmp_path / "course")


class Silent:
    """Is told how far a run is, and says nothing."""

    def phase(self, name, total):
        pass

    def start(self, name):
        pass

    step = end = phase


def graded(small, students):
    """Return who has a score in the gradebook."""
    found = read_grades(small.course)
    return {student for student in students if (one := found.of(student, "01_double")) and one.is_graded}


@pytest.mark.parametrize("stage", in_turn(sorted(STAGES), 13))
def test_every_exception_at_every_stage_costs_one_submission(small, stage):
    """All others are graded and in the gradebook, the fault is told, and the next run makes up for it."""
    everybody = [HONEST, *BY_STUDENT]
    for student in everybody:
        small.hand_in(student, when="2026-09-01 12:00:00 UTC")
    request = pipeline.GradeRequest(("01_double",), workers=2)
    run_all = pipeline.grade if stage == "its row is exported" else pipeline.autograde
    with raising(*STAGES[stage], BY_STUDENT):
        run = run_all(small.course, request, Silent())
    assert {submission.student for submission in run.faults} == set(BY_STUDENT)
    assert all(isinstance(fault, ExaminerError) for fault in run.faults.values())
    assert HONEST in graded(small, everybody)
    again = pipeline.autograde(small.course, request, Silent())
    assert not again.faults
    assert graded(small, everybody) == set(everybody)
