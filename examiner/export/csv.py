"""Turns grades into CSV; a name with a comma, a quote or a line break is quoted, as readers of CSV expect."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from examiner.model import Course, Grade, Grades, Mark, Question, Student
from examiner.notebook import CATEGORIES, category

FORMULA = ("=", "+", "-", "@", "\t")  # what a formula begins with, to one spreadsheet or another
NOT_EXPORTED = "not exported"  # the status of a row that could not be made
COLUMNS = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "lms_id"),
    *("status", "raw_score", "late_seconds", "late_submission_penalty", "score", "max_score"),
)


Guard = Callable[[str, str], AbstractContextManager[None]]
"""Returns, for a student and an assignment, what the row is made in; it may keep an exception from others."""


def to_csv(
    course: Course,
    grades: Grades,
    *,
    questions: bool = False,
    guard: Guard = lambda _student, _assignment: nullcontext(),
) -> str:
    """Return a CSV row for each student and assignment, with the sums of each category of questions.

    Parameters
    ----------
    course : Course
        The course; its assignments come in the order of course.toml.
    grades : Grades
        The grades in the gradebook.
    questions : bool
        Add a column for every question.
    guard : callable
        A row that fails inside of it says so, and the others are there.
    """
    labels = [grades.labels(entry.name) for entry in course.assignments]
    names = [label for found in labels for label in found.values()]
    graded = [question.grade_id for found in labels for question in found]
    extra = list(dict.fromkeys(names)) if questions else []
    kinds = [kind for kind in (*CATEGORIES, "other") if any(category(name) == kind for name in graded)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"{kind}_score" for kind in kinds), *extra])
    for assignment, known in zip(course.assignments, labels, strict=True):
        for student in grades.students:
            cells: list[object] = [assignment.name, "", "", student.id, "", "", "", "", NOT_EXPORTED]
            with guard(student.id, assignment.name):
                cells = row(grades, student, assignment.name, known, kinds, extra)
            writer.writerow([_as_text(cell) for cell in cells])
    return out.getvalue()


def row(  # noqa: PLR0913, PLR0917 - whose row, and which columns
    grades: Grades,
    student: Student,
    assignment: str,
    labels: Mapping[Question, str],
    kinds: Sequence[str],
    extra: Sequence[str],
) -> list[object]:
    """Return the cells of one student and assignment, in the order of the columns."""
    grade = grades.of(student.id, assignment)
    marks = grade.marks if grade else {}
    scores = {labels.get(q, q.grade_id): mark.score for q, mark in marks.items()}
    due = _moment(grades.due.get(assignment))
    return [
        *(assignment, due, _moment(grade.timestamp if grade else None), student.id),
        *(student.last_name, student.first_name, student.email, student.lms_id, status(grade)),
        *(_sums(grade) if grade and grade.is_graded else ("",) * 4),
        grades.max_score(assignment),
        *(_sum(marks, kind) for kind in kinds),
        *("" if scores.get(name) is None else scores[name] for name in extra),
    ]


def status(grade: Grade | None) -> str:
    """Return in words whether there is a grade, so that an empty score is not taken for a zero."""
    if grade is None:
        return "not submitted"
    if not grade.is_graded:
        return "not graded"
    if grade.is_provisional:
        return "provisional"
    return "needs manual grading" if grade.needs_manual_grade else "graded"


def _sums(grade: Grade) -> tuple[float, ...]:
    """Return the columns from raw_score to score."""
    return grade.raw_score, grade.late_seconds, grade.penalty, grade.score


def _sum(marks: Mapping[Question, Mark], kind: str) -> float | str:
    """Return the sum of a category's scores, or an empty text if there are none."""
    scores = [mark.score for question, mark in marks.items() if category(question.grade_id) == kind]
    known = [score for score in scores if score is not None]
    return sum(known) if known else ""


def _as_text(field: object) -> object:
    """Return a text that no spreadsheet takes for a formula, as a student's name may be one; numbers stay."""
    return f"'{field}" if isinstance(field, str) and field.startswith(FORMULA) else field


def _moment(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
