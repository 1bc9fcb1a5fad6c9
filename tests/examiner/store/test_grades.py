"""What the gradebook says is read as nbgrader means it."""

import sqlite3
from datetime import UTC, datetime

import pytest

from examiner.model import GradeKey, Identity, Student
from examiner.store import ledger, sheets, tables
from examiner.store.grades import read_grades
from examiner.store.rebuild import rebuild
from examiner.store.sheets import FiledGrade, NotebookSheet
from examiner.verdict import GradeSheet, Outcome, Verdict

POINTS = {"interface_double": 4.0, "numeric_double": 3.0}
LATE = datetime(2026, 9, 22, 22, tzinfo=UTC)  # by a day


@pytest.fixture
def graded(small):
    """A course with ben's late work in its gradebook: two questions failed, the third waits for a person."""
    verdicts = tuple(Verdict(cell, Outcome.FAILED, 0.0, most) for cell, most in POINTS.items())
    identity = Identity("small", "ben", "01_double", "1", GradeKey("work", "tests", "place"))
    filing = FiledGrade((NotebookSheet("double", GradeSheet(identity, verdicts)),), LATE)
    rebuild(small.course)
    sheets.accept(small.course, filing)
    with ledger.opened(tables.url_of(small.course.gradebook)) as book:
        book.enter([filing])
    return small


@pytest.fixture
def grade(graded):
    """Return a function that runs SQL in the gradebook and returns ben's late grade."""

    def after(sql=""):
        with sqlite3.connect(graded.root / "gradebook.db") as database:
            database.executescript(sql)
        return read_grades(graded.course).of("ben", "01_double")

    return after


def test_a_course_without_a_gradebook_has_no_grades(small):
    """Nothing is made by reading."""
    assert read_grades(small.course).grades == {}
    assert not (small.root / "gradebook.db").exists()


def test_the_roster_and_the_due_dates_are_in_it(graded):
    """Names, addresses and moments, as they stand in the course."""
    grades = read_grades(graded.course)
    assert Student("anna", "Anna", "Adams, MSc", "anna@example.org", "11") in grades.students
    assert grades.due["01_double"] == datetime(2026, 9, 21, 22, tzinfo=UTC)


def test_questions_stand_in_the_order_of_the_notebook(graded):
    """The gradebook keeps none; alphabetical order would tear a story apart."""
    questions = read_grades(graded.course).questions["01_double"]
    assert [str(question) for question in questions] == ["interface_double", "numeric_double", "written_why"]
    assert read_grades(graded.course).max_score("01_double") == 10


def test_a_score_that_is_missing_is_none_and_not_zero(grade):
    """Two questions were failed, the third waits for a person."""
    scores = {str(question): mark.score for question, mark in grade().marks.items()}
    assert scores == {"interface_double": 0, "numeric_double": 0, "written_why": None}


def test_a_manual_score_counts_instead_of_the_automatic_one(grade):
    """And extra credit comes on top."""
    found = grade("UPDATE grade SET manual_score = 2, extra_credit = 0.5")
    assert [mark.score for mark in found.marks.values()] == [2.5, 2.5, 2.5]


def test_lateness_counts_from_the_due_date_and_the_extension(grade):
    """nbgrader stores an extension as a moment since 1970."""
    assert grade().late_seconds == 86400
    assert (
        grade("UPDATE submitted_assignment SET extension = '1970-01-01 12:00:00.000000'").late_seconds
        == 43200
    )
    assert grade("UPDATE submitted_assignment SET extension = '1970-01-03 00:00:00.000000'").late_seconds == 0


def test_a_penalty_is_taken_off_and_never_below_zero(grade):
    """As nbgrader's own export does."""
    found = grade(
        "UPDATE grade SET manual_score = 2; UPDATE submitted_notebook SET late_submission_penalty = 1.5"
    )
    assert (found.raw_score, found.penalty, found.score) == (6, 1.5, 4.5)
    assert grade("UPDATE submitted_notebook SET late_submission_penalty = 9").score == 0


def test_a_comment_is_part_of_what_feedback_is_made_from(grade):
    """A person's comment must reach the page at the next run."""
    before = grade()
    after = grade("UPDATE comment SET manual_comment = 'Well argued.'")
    assert before != after
    assert any("Well argued." in text for text in after.comments)
