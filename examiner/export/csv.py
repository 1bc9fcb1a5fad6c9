"""Turns grades into CSV; a name with a comma, a quote or a line break is quoted, as readers of CSV expect."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from examiner.model import Course, Grade, Grades
from examiner.notebook import CATEGORIES, category

FORMULA = ("=", "+", "-", "@", "\t")  # what a formula begins with, to one spreadsheet or another
COLUMNS = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "lms_id"),
    *("status", "raw_score", "late_seconds", "late_submission_penalty", "score", "max_score"),
)


def to_csv(course: Course, grades: Grades, *, questions: bool = False) -> str:
    """Return a CSV row for each student and assignment, with the sums of each category of questions.

    Parameters
    ----------
    course : Course
        The course; its assignments come in the order of course.toml.
    grades : Grades
        The grades in the gradebook.
    questions : bool
        Add a column for every question.
    """
    names = [str(q) for entry in course.assignments for q in grades.questions.get(entry.name, ())]
    extra = list(dict.fromkeys(names)) if questions else []
    kinds = [kind for kind in (*CATEGORIES, "other") if any(category(name) == kind for name in names)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"{kind}_score" for kind in kinds), *extra])
    for row in _rows(course, grades, kinds, extra):
        writer.writerow([_as_text(field) for field in row])
    return out.getvalue()


def _rows(
    course: Course, grades: Grades, kinds: Sequence[str], extra: Sequence[str]
) -> Iterator[list[object]]:
    for assignment in course.assignments:
        due, max_score = grades.due.get(assignment.name), grades.max_score(assignment.name)
        for student in grades.students:
            grade = grades.of(student.id, assignment.name)
            scores = {str(q): mark.score for q, mark in grade.marks.items()} if grade else {}
            yield [
                *(assignment.name, _moment(due), _moment(grade.timestamp if grade else None), student.id),
                *(student.last_name, student.first_name, student.email, student.lms_id, status(grade)),
                *(_sums(grade) if grade and grade.is_graded else ("",) * 4),
                max_score,
                *(_sum(scores, kind) for kind in kinds),
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


def _sum(scores: Mapping[str, float | None], kind: str) -> float | str:
    """Return the sum of a category's scores, or an empty text if there are none."""
    known = [score for name, score in scores.items() if score is not None and category(name) == kind]
    return sum(known) if known else ""


def _as_text(field: object) -> object:
    """Return a text that no spreadsheet takes for a formula, as a student's name may be one; numbers stay."""
    return f"'{field}" if isinstance(field, str) and field.startswith(FORMULA) else field


def _moment(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
