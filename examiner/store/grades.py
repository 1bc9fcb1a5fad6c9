"""Reads grades from nbgrader's own tables, without importing nbgrader, which takes seconds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from examiner.errors import BadSource
from examiner.model import Assignment, Course, Grade, Grades, Mark, Question, Student
from examiner.notebook import read
from examiner.store import tables


def read_grades(course: Course) -> Grades:
    """Return everything that the gradebook says; a course without one has no grades.

    Raises
    ------
    ForeignGradebook
        If the file is no gradebook, or belongs to another version of nbgrader.
    """
    if not course.gradebook.exists():
        return Grades(students=(), due={}, questions={}, grades={})
    with tables.readable(tables.url_of(course.gradebook)) as engine, engine.connect() as connection:
        return _Reader(course, connection).read()


class _Reader:
    """Reads and joins the tables of one gradebook."""

    def __init__(self, course: Course, connection: sa.Connection) -> None:
        self._course = course
        self._connection = connection

    def read(self) -> Grades:
        """Return all that the gradebook says."""
        due = {row.name: _utc(row.duedate) for row in self._rows(sa.select(tables.assignment))}
        cells = dict(self._cells())
        questions: dict[str, list[Question]] = {name: [] for name in due}
        for assignment, question in cells.values():
            questions[assignment].append(question)
        return Grades(
            students=tuple(sorted(self._students(), key=lambda student: student.id)),
            due=due,
            questions={name: self._in_order(name, found) for name, found in questions.items()},
            grades=dict(self._grades(due, {cell: question for cell, (_, question) in cells.items()})),
        )

    def _rows(self, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
        yield from self._connection.execute(query)

    def _students(self) -> Iterator[Student]:
        for row in self._rows(sa.select(tables.student)):
            yield Student(*(value or "" for value in row))

    def _cells(self) -> Iterator[tuple[str, tuple[str, Question]]]:
        for kind in (tables.grade_cell, tables.task_cell):
            query = (
                sa.select(
                    kind.c.id,
                    kind.c.max_score,
                    tables.base_cell.c.name,
                    tables.notebook.c.name.label("notebook"),
                    tables.assignment.c.name.label("assignment"),
                )
                .join(tables.base_cell, tables.base_cell.c.id == kind.c.id)
                .join(tables.notebook, tables.notebook.c.id == tables.base_cell.c.notebook_id)
                .join(tables.assignment, tables.assignment.c.id == tables.notebook.c.assignment_id)
            )
            for row in self._rows(query):
                yield row.id, (row.assignment, Question(row.notebook, row.name, row.max_score))

    def _in_order(self, assignment: str, questions: list[Question]) -> tuple[Question, ...]:
        """Return the questions in the order of the notebooks, which the gradebook does not keep."""
        place: dict[tuple[str, str], int] = {}
        for path in self._course.notebooks(Assignment(assignment)):
            with suppress(BadSource):  # the release of that assignment reports it
                place |= {(path.stem, cell.grade_id): cell.index for cell in read(path).grade_cells}
        last = len(place)
        return tuple(
            sorted(questions, key=lambda q: (q.notebook, place.get((q.notebook, q.grade_id), last), q))
        )

    def _grades(
        self, due: Mapping[str, datetime | None], questions: Mapping[str, Question]
    ) -> Iterator[tuple[tuple[str, str], Grade]]:
        notebooks = defaultdict(list)
        for row in self._rows(sa.select(tables.submitted_notebook)):
            notebooks[row.assignment_id].append(row)
        marks, comments = self._marks(questions), self._comments()
        query = sa.select(tables.submission, tables.assignment.c.name).join(
            tables.assignment, tables.assignment.c.id == tables.submission.c.assignment_id
        )
        for row in self._rows(query):
            parts = notebooks[row.id]
            yield (
                (row.student_id, row.name),
                Grade(
                    timestamp=_utc(row.timestamp),
                    late_seconds=_late(_utc(row.timestamp), due[row.name], row.extension),
                    penalty=sum(part.late_submission_penalty or 0.0 for part in parts),
                    marks={q: mark for part in parts for q, mark in marks[part.id].items()},
                    comments=tuple(sorted(text for part in parts for text in comments[part.id])),
                ),
            )

    def _marks(self, questions: Mapping[str, Question]) -> Mapping[str, dict[Question, Mark]]:
        marks: dict[str, dict[Question, Mark]] = defaultdict(dict)
        for row in self._rows(sa.select(tables.grade)):
            if row.cell_id in questions:
                base = row.manual_score if row.manual_score is not None else row.auto_score
                score = None if base is None else base + (row.extra_credit or 0.0)
                is_provisional = row.needs_manual_grade and row.manual_score is None and score is not None
                mark = Mark(score, row.needs_manual_grade, is_provisional)
                marks[row.notebook_id][questions[row.cell_id]] = mark
        return marks

    def _comments(self) -> Mapping[str, list[str]]:
        comments = defaultdict(list)
        for row in self._rows(sa.select(tables.comment)):
            text = row.manual_comment or row.auto_comment
            if text:
                comments[row.notebook_id].append(f"{row.cell_id} {text}")
        return comments


def _utc(moment: datetime | None) -> datetime | None:
    """Return a time from the gradebook, which stores UTC without a time zone, as an aware datetime."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def _late(timestamp: datetime | None, due: datetime | None, extension: timedelta | None) -> float:
    if timestamp is None or due is None:
        return 0.0
    return max(0.0, (timestamp - due - (extension or timedelta(0))).total_seconds())
