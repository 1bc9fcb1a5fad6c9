"""Renders grades as tables for the terminal."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from examiner.errors import printable
from examiner.model import Course, Grade, Grades, Mark, Student

LEGEND = {
    "*": "a question waits for manual grading",
    "≈": "provisional: a measurement stayed unclear; these points are sure, a person decides on more",
    "†": "handed in late",
    "!": "no grade from this run, for the reason below; a number is the former grade",
    "~": "assignment or environment changed since it was graded; `examiner grade --regrade` grades anew",
    "·": "nothing handed in",
}

Signs = Mapping[tuple[str, str], str]
"""The sign of `LEGEND` that a grade is followed by, by student and assignment, where there is one."""


def class_table(course: Course, grades: Grades, students: Sequence[Student], signs: Signs) -> Table:
    """Return the table of students by assignments, with each student's total and the points to earn."""
    names = [assignment.name for assignment in course.assignments]
    table = _table(course.title or course.id, "student", [*names, "total"])
    for student in students:
        found = [grades.of(student.id, name) for name in names]
        cells = [
            _cell(grade, signs.get((student.id, name), "")) for name, grade in zip(names, found, strict=True)
        ]
        total = sum(grade.score for grade in found if grade is not None)
        table.add_row(escape(_name(student)), *cells, f"{total:g}")
    most = [grades.max_score(name) for name in names]
    table.add_section()
    table.add_row("at most", *(f"{points:g}" for points in most), f"{sum(most):g}", style="italic")
    return table


def question_table(grades: Grades, assignment: str, students: Sequence[Student]) -> Table:
    """Return the table of students by the numbered questions of an assignment; `question_key` names them."""
    questions = grades.questions.get(assignment, ())
    table = _table(assignment, "student", [str(n) for n, _ in enumerate(questions, start=1)])
    for student in students:
        grade = grades.of(student.id, assignment)
        if grade is not None:
            marks = [grade.marks.get(question) for question in questions]
            table.add_row(escape(printable(student.id)), *map(_points, marks))
    table.add_section()
    table.add_row("at most", *(f"{question.max_score:g}" for question in questions), style="italic")
    return table


def question_key(grades: Grades, assignment: str) -> str:
    """Return the name of each question beside its number."""
    labels = grades.labels(assignment).values()
    return "  ".join(f"{number} {label}" for number, label in enumerate(labels, start=1))


def legend(table: Table) -> str:
    """Return the meaning of each sign that occurs in a table."""
    used = {sign for column in table.columns[1:] for cell in column.cells for sign in str(cell)}
    return "\n".join(f"{sign} {meaning}" for sign, meaning in LEGEND.items() if sign in used)


def _table(title: str, first: str, others: Sequence[str]) -> Table:
    table = Table(
        title=escape(title), title_style="bold", title_justify="left", box=box.SIMPLE, collapse_padding=True
    )
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(escape(name), justify="right")
    return table


def _cell(grade: Grade | None, sign: str) -> str:
    if grade is None or not grade.is_graded:
        return sign or ("·" if grade is None else "*")
    waits = "*" * any(mark.needs_manual_grade and not mark.is_provisional for mark in grade.marks.values())
    provisional, late = "≈" * grade.is_provisional, "†" if grade.late_seconds else ""
    return f"{grade.score:g}{waits}{provisional}{late}{sign}"


def _points(mark: Mark | None) -> str:
    return "" if mark is None or mark.score is None else f"{mark.score:g}{'≈' * mark.is_provisional}"


def _name(student: Student) -> str:
    return printable(student.id if student.name == student.id else f"{student.id} {student.name}")
