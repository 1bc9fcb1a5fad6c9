"""Grades as CSV, quoted as every reader of CSV expects: a name may hold a comma, a quote or a line's end."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from examiner.model import Course, Grade, Grades
from examiner.notebook import CATEGORIES, category
from examiner.store.atomic import write_text

COLUMNS = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "lms_id"),
    *("status", "raw_score", "late_seconds", "late_submission_penalty", "score", "max_score"),
)


def write_csv(path: Path, course: Course, grades: Grades, *, questions: bool = False) -> None:
    """Write a line for each student and assignment, unless the file holds just that already."""
    text = to_csv(course, grades, questions=questions)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def to_csv(course: Course, grades: Grades, *, questions: bool = False) -> str:
    """Return a line for each student and assignment, with sums by category.

    Parameters
    ----------
    course : Course
        Which assignments there are, and in which order.
    grades : Grades
        What the gradebook says.
    questions : bool
        Add a column for every question.
    """
    asked = [str(q) for each in course.assignments for q in grades.questions.get(each.name, ())]
    extra = list(dict.fromkeys(asked)) if questions else []
    kinds = [kind for kind in (*CATEGORIES, "other") if any(category(name) == kind for name in asked)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"{kind}_score" for kind in kinds), *extra])
    for row in _rows(course, grades, kinds, extra):
        writer.writerow(row)
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
    """Say in words what there is: an empty score must not be taken for a zero."""
    if grade is None:
        return "not submitted"
    if not grade.is_graded:
        return "not graded"
    return "needs manual grading" if grade.needs_manual_grade else "graded"


def _sums(grade: Grade) -> tuple[float, ...]:
    return grade.raw_score, grade.late_seconds, grade.penalty, grade.score


def _sum(scores: Mapping[str, float | None], kind: str) -> float | str:
    """Return the sum of a category, or nothing where no score is known."""
    known = [score for name, score in scores.items() if score is not None and category(name) == kind]
    return sum(known) if known else ""


def _moment(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
