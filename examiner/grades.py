"""What the gradebook says, from nbgrader's own tables, without importing nbgrader: that costs seconds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from examiner.errors import ForeignGradebook
from examiner.model import Course, Grade, Grades, Mark, Question, Student
from examiner.notebook import read

REVISION = "e43177bfe90b"  # of the tables of nbgrader 0.9.6, as alembic counts them

_schema = sa.MetaData()


def _table(name: str, *columns: str | sa.Column[Any]) -> sa.Table:
    return sa.Table(name, _schema, *(sa.Column(c, sa.String) if isinstance(c, str) else c for c in columns))


_revision = _table("alembic_version", "version_num")
_assignment = _table("assignment", "id", "name", sa.Column("duedate", sa.DateTime))
_notebook = _table("notebook", "id", "name", "assignment_id")
_cell = _table("base_cell", "id", "name", "notebook_id")
_grade_cell = _table("grade_cells", "id", sa.Column("max_score", sa.Float))
_task_cell = _table("task_cells", "id", sa.Column("max_score", sa.Float))
_student = _table("student", "id", "first_name", "last_name", "email", "lms_user_id")
_submitted = _table(
    "submitted_assignment",
    "id",
    "assignment_id",
    "student_id",
    sa.Column("timestamp", sa.DateTime),
    sa.Column("extension", sa.Interval),
)
_submitted_notebook = _table(
    "submitted_notebook", "id", "assignment_id", "notebook_id", sa.Column("late_submission_penalty", sa.Float)
)
_grade = _table(
    "grade",
    "cell_id",
    "notebook_id",
    sa.Column("auto_score", sa.Float),
    sa.Column("manual_score", sa.Float),
    sa.Column("extra_credit", sa.Float),
    sa.Column("needs_manual_grade", sa.Boolean),
)
_comment = _table("comment", "cell_id", "notebook_id", "auto_comment", "manual_comment")


def read_grades(course: Course) -> Grades:
    """Return everything that the gradebook says; a course without one has no grades.

    Raises
    ------
    ForeignGradebook
        If the file is no gradebook, or one of another version of nbgrader.
    """
    if not course.gradebook.exists():
        return Grades(students=(), due={}, questions={}, grades={})
    engine = sa.create_engine(f"sqlite:///{course.gradebook}?timeout=60")
    try:
        with engine.connect() as connection:
            _check_revision(course, connection)
            return _Reader(course, connection).read()
    except DatabaseError as error:
        fix = "put back a copy of yours, or move it away and grade again"
        raise ForeignGradebook(course.gradebook, f"this is no gradebook ({error.orig})", fix) from error
    finally:
        engine.dispose()


def _check_revision(course: Course, connection: sa.Connection) -> None:
    found = connection.scalar(sa.select(_revision.c.version_num))
    if found != REVISION:
        fact = f"it is of another version of nbgrader (revision {found}, not {REVISION})"
        fix = "copy it, then run `nbgrader db upgrade`, or use the nbgrader that wrote it"
        raise ForeignGradebook(course.gradebook, fact, fix)


class _Reader:
    """The tables of one connection, put together."""

    def __init__(self, course: Course, connection: sa.Connection) -> None:
        self._course = course
        self._connection = connection

    def read(self) -> Grades:
        """Return everything."""
        due = {row.name: _utc(row.duedate) for row in self._rows(sa.select(_assignment))}
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
        for row in self._rows(sa.select(_student)):
            yield Student(*(value or "" for value in row))

    def _cells(self) -> Iterator[tuple[str, tuple[str, Question]]]:
        for kind in (_grade_cell, _task_cell):
            query = (
                sa.select(
                    kind.c.id,
                    kind.c.max_score,
                    _cell.c.name,
                    _notebook.c.name.label("notebook"),
                    _assignment.c.name.label("assignment"),
                )
                .join(_cell, _cell.c.id == kind.c.id)
                .join(_notebook, _notebook.c.id == _cell.c.notebook_id)
                .join(_assignment, _assignment.c.id == _notebook.c.assignment_id)
            )
            for row in self._rows(query):
                yield row.id, (row.assignment, Question(row.notebook, row.name, row.max_score))

    def _in_order(self, assignment: str, questions: list[Question]) -> tuple[Question, ...]:
        """Return the questions as they stand in the notebooks; the gradebook does not keep their order."""
        place: dict[tuple[str, str], int] = {}
        for path in sorted((self._course.root / "source" / assignment).glob("*.ipynb")):
            place |= {(path.stem, cell.grade_id): cell.index for cell in read(path).grade_cells}
        last = len(place)
        return tuple(
            sorted(questions, key=lambda q: (q.notebook, place.get((q.notebook, q.grade_id), last), q))
        )

    def _grades(
        self, due: Mapping[str, datetime | None], questions: Mapping[str, Question]
    ) -> Iterator[tuple[tuple[str, str], Grade]]:
        notebooks = defaultdict(list)
        for row in self._rows(sa.select(_submitted_notebook)):
            notebooks[row.assignment_id].append(row)
        marks, comments = self._marks(questions), self._comments()
        query = sa.select(_submitted, _assignment.c.name).join(
            _assignment, _assignment.c.id == _submitted.c.assignment_id
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
        for row in self._rows(sa.select(_grade)):
            if row.cell_id in questions:
                base = row.manual_score if row.manual_score is not None else row.auto_score
                score = None if base is None else base + (row.extra_credit or 0.0)
                marks[row.notebook_id][questions[row.cell_id]] = Mark(score, row.needs_manual_grade)
        return marks

    def _comments(self) -> Mapping[str, list[str]]:
        comments = defaultdict(list)
        for row in self._rows(sa.select(_comment)):
            text = row.manual_comment or row.auto_comment
            if text:
                comments[row.notebook_id].append(f"{row.cell_id} {text}")
        return comments


def _utc(moment: datetime | None) -> datetime | None:
    """Return a moment of the gradebook, which keeps them in UTC without saying so."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def _late(timestamp: datetime | None, due: datetime | None, extension: timedelta | None) -> float:
    if timestamp is None or due is None:
        return 0.0
    return max(0.0, (timestamp - due - (extension or timedelta(0))).total_seconds())
