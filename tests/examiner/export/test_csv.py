"""Exported grades can be read back by whoever reads CSV, and never show a zero where there is no score."""

import csv
import io
from datetime import UTC, datetime

import pytest

from examiner.export.csv import status, to_csv
from examiner.model import Grade, Grades, Mark, Question, Student

ONE, TWO = Question("n", "gradient_one", 4.0), Question("n", "written_two", 6.0)
ANNA = Student("anna")
DUE = datetime(2026, 9, 21, 22, tzinfo=UTC)


def grade(one, two, penalty=0.0):
    """Return a grade for two questions, of which a person has to see those without a score."""
    marks = {ONE: Mark(one, one is None), TWO: Mark(two, two is None)}
    return Grade(timestamp=DUE, late_seconds=60.0, penalty=penalty, marks=marks)


@pytest.fixture
def rows(small):
    """Return a function that exports grades of `anna` for the first assignment and reads them back."""

    def export(found, student=ANNA, **options):
        grades = Grades(
            (student,), {"01_double": DUE}, {"01_double": (ONE, TWO)}, {("anna", "01_double"): found}
        )
        return list(csv.DictReader(io.StringIO(to_csv(small.course, grades, **options))))

    return export


def test_scores_sums_by_category_and_lateness_are_exported(rows):
    """The penalty is taken off the score, not off what was earned."""
    row = rows(grade(3.0, 5.0, penalty=1.0))[0]
    assert (row["raw_score"], row["late_submission_penalty"], row["score"]) == ("8.0", "1.0", "7.0")
    assert (row["max_score"], row["late_seconds"], row["status"]) == ("10.0", "60.0", "graded")
    assert (row["gradient_score"], row["written_score"]) == ("3.0", "5.0")
    assert row["duedate"] == "2026-09-21T22:00:00+00:00"


def test_questions_are_columns_on_demand(rows):
    """Without a score the field is empty."""
    row = rows(grade(3.0, None), questions=True)[0]
    assert (row["gradient_one"], row["written_two"], row["status"]) == ("3.0", "", "needs manual grading")
    assert "gradient_one" not in rows(grade(3.0, None))[0]


def test_a_provisional_score_is_in_the_sum_and_said_to_be_provisional(rows):
    """It is sure, but a person may give more."""
    found = grade(3.0, 5.0)
    row = rows(Grade(DUE, 0.0, 0.0, found.marks | {ONE: Mark(3.0, True, True)}))[0]
    assert (row["raw_score"], row["status"]) == ("8.0", "provisional")


@pytest.mark.parametrize("name", ["Adams, MSc", 'The "Rock"', "line\nbreak", "Ünïcode", "'; DROP"])
def test_any_name_survives(rows, name):
    """nbgrader's own export writes commas as they come."""
    assert rows(grade(1.0, 1.0), Student("anna", last_name=name))[0]["last_name"] == name


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
@pytest.mark.parametrize("field", ["id", "first_name", "last_name", "email", "lms_id"])
def test_no_field_is_a_formula_to_a_spreadsheet(rows, start, field):
    """A student's name that is one would be run by whoever opens the file; numbers stay numbers."""
    formula = f"{start}1+1"
    student = Student(**({"id": "anna"} | {field: formula}))
    [row] = rows(grade(-1.0, 1.0), student)[:1]
    assert row["student_id" if field == "id" else field] == f"'{formula}"
    assert row["raw_score"] == ("" if field == "id" else "0.0")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "not submitted"),
        (grade(None, None), "not graded"),
        (grade(1.0, None), "needs manual grading"),
        (grade(1.0, 0.0), "graded"),
    ],
)
def test_no_score_is_told_from_zero(found, words):
    """A platform's fault must not become somebody's zero in another program."""
    assert status(found) == words


def test_nothing_is_scored_where_nothing_was_graded(rows):
    """Every score field is empty then."""
    row = rows(grade(None, None))[0]
    assert not any(row[name] for name in ("raw_score", "score", "gradient_score", "written_score"))
    assert rows(grade(1.0, 1.0))[1]["status"] == "not submitted"
