"""The single writer of the gradebook: it enters many grades in a transaction, and each of them once.

Manual entries stay: scores, extra credit, comments, flags, extensions, penalties. If the writer is killed,
the same call again gives the same gradebook: the rows of a submission change in one transaction with the
digest of the grade that they were written from, and the id of a new row is a digest of what it belongs to.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from examiner.errors import PlatformFault
from examiner.store import tables
from examiner.store.sheets import FiledGrade, NotebookSheet

SUBMISSIONS_PER_TRANSACTION: Final = 200
UNANSWERED: Final = "No response."  # nbgrader's own comment
GRADED, ANSWERED, TASK = "GradeCell", "SolutionCell", "TaskCell"

Row = dict[str, Any]


@dataclass(frozen=True)
class Ledger:
    """An open gradebook."""

    engine: sa.Engine

    def enter(self, grades: Iterable[FiledGrade]) -> int:
        """Enter the last grade of each submission, and return how many were not entered yet.

        Raises
        ------
        PlatformFault
            If the gradebook does not know an assignment, or is kept locked; earlier transactions stay.
        """
        last = {(grade.identity.assignment, grade.identity.student): grade for grade in grades}
        ordered = [last[name] for name in sorted(last)]
        total = 0
        for first in range(0, len(ordered), SUBMISSIONS_PER_TRANSACTION):
            with tables.translated_errors(str(self.engine.url.database)), self.engine.begin() as connection:
                total += enter(connection, ordered[first : first + SUBMISSIONS_PER_TRANSACTION])
        return total


@contextmanager
def opened(url: str) -> Iterator[Ledger]:
    """Yield the ledger of a gradebook; afterwards everything is in its one file."""
    with tables.opened(url) as engine:
        yield Ledger(engine)


def enter(connection: sa.Connection, grades: Iterable[FiledGrade], *, again: bool = False) -> int:
    """Enter grades of different submissions in the caller's transaction; with `again`, rewrite all rows.

    Work that was entered once, and whose student has been removed from the gradebook since then, is not
    entered again: a person wanted it so.
    """
    ordered = sorted(grades, key=lambda grade: (grade.identity.assignment, grade.identity.student))
    total = 0
    for name, group in groupby(ordered, key=lambda grade: grade.identity.assignment):
        by_student = {grade.identity.student: grade for grade in group}
        total += _AssignmentRows.of(connection, name).enter(by_student, again)
    return total


@dataclass(frozen=True)
class GradebookCell:
    """A cell of the gradebook, of one of nbgrader's three types."""

    id: str
    notebook: str
    name: str
    type: str
    is_written: bool

    @property
    def key(self) -> tuple[str, str]:
        """What identifies it among the cells of its type in an assignment."""
        return self.notebook, self.name


@dataclass(frozen=True)
class _AssignmentRows:
    """The rows of one assignment in the gradebook."""

    connection: sa.Connection
    id: str
    notebooks: Mapping[str, str]
    cells: Sequence[GradebookCell]

    @classmethod
    def of(cls, connection: sa.Connection, name: str) -> "_AssignmentRows":
        found = connection.scalar(sa.select(tables.assignment.c.id).where(tables.assignment.c.name == name))
        if found is None:
            raise PlatformFault(name, "the gradebook does not know this assignment", "make its release first")
        return cls(connection, found, notebooks(connection, found), cells(connection, found))

    def enter(self, grades: Mapping[str, FiledGrade], again: bool) -> int:
        known = self._known(grades)
        ids = {student: known.get(student) or tables.new_id(self.id, student) for student in grades}
        query = sa.select(tables.entered).where(tables.entered.c.id.in_(ids.values()))
        once = {row.id: row.sheet for row in self.connection.execute(query)}
        removed = {student for student in missing(self.connection, grades) if ids[student] in once}
        now = {ids[student]: grade for student, grade in grades.items() if student not in removed}
        self._add_submissions({student: ids[student] for student in grades if student not in removed}, known)
        before = {id_: once[id_] for id_ in known.values() if id_ in once}
        todo = {id_: grade for id_, grade in now.items() if again or before.get(id_) != grade.digest}
        notes: list[Row] = [{"id": id_, "sheet": grade.digest} for id_, grade in todo.items()]
        stamps: list[Row] = [
            {"id": id_, "timestamp": naive(grade.handed_in)} for id_, grade in todo.items() if grade.handed_in
        ]
        save(self.connection, tables.submission, stamps, todo)
        self._write(todo, {id_ for id_, grade in todo.items() if before.get(id_) == grade.digest})
        save(self.connection, tables.entered, notes, once)
        return len(todo)

    def _known(self, students: Collection[str]) -> dict[str, str]:
        """Return the id of each submission that the gradebook has, by its student."""
        table = tables.submission
        query = sa.select(table.c.student_id, table.c.id).where(
            table.c.assignment_id == self.id, table.c.student_id.in_(students)
        )
        return {row.student_id: row.id for row in self.connection.execute(query)}

    def _add_submissions(self, ids: Mapping[str, str], known: Collection[str]) -> None:
        """Add the students and submissions that the gradebook lacks."""
        add_students(self.connection, ids)
        new = {student: id_ for student, id_ in ids.items() if student not in known}
        rows = [{"id": id_, "assignment_id": self.id, "student_id": name} for name, id_ in new.items()]
        save(self.connection, tables.submission, rows, ())

    def _write(self, grades: Mapping[str, FiledGrade], same: Collection[str]) -> None:
        submitted = fill(self.connection, list(grades), self.notebooks, self.cells)
        grade_rows = _rows_by_cell(self.connection, tables.grade, submitted.values())
        comment_rows = _rows_by_cell(self.connection, tables.comment, submitted.values())
        marks, remarks = [], []
        for id_, grade in grades.items():
            parts = {part.notebook: part for part in grade.parts}
            for cell in self.cells:
                key, part = (submitted[id_, cell.notebook], cell.id), parts.get(cell.notebook)
                is_blank = part is not None and cell.name in part.unanswered and cell.type != TASK
                if cell.type != ANSWERED:
                    row = grade_rows[key]
                    score, is_final = _score(cell, part, is_blank)
                    needs = _needs_person(row, is_final, is_same=id_ in same)
                    marks.append({"id": row.id, "auto_score": score, "needs_manual_grade": needs})
                if cell.type != GRADED:
                    text = UNANSWERED if is_blank else None
                    remarks.append({"id": comment_rows[key].id, "auto_comment": text})
        save(self.connection, tables.grade, marks, {mark["id"] for mark in marks})
        save(self.connection, tables.comment, remarks, {remark["id"] for remark in remarks})


def _score(cell: GradebookCell, part: NotebookSheet | None, is_blank: bool) -> tuple[float | None, bool]:
    """Return the automatic score, None if there is none, and whether it is final and not provisional."""
    if cell.is_written:
        return (0.0, True) if is_blank else (None, False)
    verdicts = {verdict.grade_id: verdict for verdict in part.sheet.verdicts} if part else {}
    verdict = verdicts.get(cell.name)
    return (None, False) if verdict is None else (verdict.counted, verdict.points is not None)


def _needs_person(row: sa.Row[Any], is_final: bool, *, is_same: bool) -> bool:
    """Return whether the cell needs manual grading; as in nbgrader, changed work needs it again."""
    if row.manual_score is None:
        return not is_final
    return bool(row.needs_manual_grade) if is_same else True


def notebooks(connection: sa.Connection, assignment_id: str) -> dict[str, str]:
    """Return the notebooks of an assignment: id by name."""
    table = tables.notebook
    query = sa.select(table.c.name, table.c.id).where(table.c.assignment_id == assignment_id)
    return {row.name: row.id for row in connection.execute(query)}


def cells(connection: sa.Connection, assignment_id: str) -> list[GradebookCell]:
    """Return the cells of an assignment."""
    base, book, graded = tables.base_cell, tables.notebook, tables.grade_cell
    query = (
        sa.select(base.c.id, book.c.name.label("notebook"), base.c.name, base.c.type, graded.c.cell_type)
        .join(book, book.c.id == base.c.notebook_id)
        .outerjoin(graded, graded.c.id == base.c.id)
        .where(book.c.assignment_id == assignment_id)
    )
    rows = connection.execute(query).all()
    answered = {(row.notebook, row.name) for row in rows if row.type == ANSWERED}
    return [
        GradebookCell(
            *row[:4],
            is_written=row.type == TASK
            or row.cell_type == "markdown"
            or (row.notebook, row.name) in answered,
        )
        for row in rows
    ]


def add_students(connection: sa.Connection, students: Collection[str]) -> None:
    """Add students that the gradebook does not know; those that it knows keep name and address."""
    save(connection, tables.student, [{"id": student} for student in missing(connection, students)], ())


def missing(connection: sa.Connection, students: Collection[str]) -> list[str]:
    """Return those students that the gradebook does not have."""
    column = tables.student.c.id
    known = set(connection.scalars(sa.select(column).where(column.in_(students))))
    return [student for student in students if student not in known]


def fill(
    connection: sa.Connection,
    submissions: Sequence[str],
    notebooks: Mapping[str, str],
    cells: Sequence[GradebookCell],
) -> dict[tuple[str, str], str]:
    """Add the rows that submissions lack, and return the id of each submitted notebook.

    Parameters
    ----------
    submissions : sequence of str
        The ids of the submissions.
    notebooks : mapping from str to str
        The notebooks of the assignment: id by name.

    Returns
    -------
    dict from (str, str) to str
        By the submission's id and the notebook's name.
    """
    table = tables.submitted_notebook
    names = {id_: name for name, id_ in notebooks.items()}
    query = sa.select(table).where(table.c.assignment_id.in_(submissions))
    submitted = {(row.assignment_id, names[row.notebook_id]): row.id for row in connection.execute(query)}
    new = {
        (submission, name): tables.new_id(submission, name)
        for submission in submissions
        for name in notebooks
        if (submission, name) not in submitted
    }
    rows = [
        {"id": id_, "assignment_id": submission, "notebook_id": notebooks[name], "flagged": False}
        for (submission, name), id_ in new.items()
    ]
    save(connection, table, rows, ())
    submitted |= new
    for kind, without, defaults in (
        (tables.grade, ANSWERED, {"needs_manual_grade": True}),
        (tables.comment, GRADED, {}),
    ):
        known = _rows_by_cell(connection, kind, submitted.values())
        missing = [
            {
                "id": tables.new_id(notebook_id, cell.id),
                "notebook_id": notebook_id,
                "cell_id": cell.id,
                **defaults,
            }
            for (_, notebook), notebook_id in submitted.items()
            for cell in cells
            if cell.notebook == notebook and cell.type != without and (notebook_id, cell.id) not in known
        ]
        save(connection, kind, missing, ())
    return submitted


def _rows_by_cell(
    connection: sa.Connection, table: sa.Table, submitted: Iterable[str]
) -> dict[tuple[str, str], sa.Row[Any]]:
    """Return rows of grades or comments by submitted notebook and cell."""
    query = sa.select(table).where(table.c.notebook_id.in_(submitted))
    return {(row.notebook_id, row.cell_id): row for row in connection.execute(query)}


def save(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], known: Collection[str]) -> None:
    """Update the rows whose ids are known, and insert the others."""
    new = [row for row in rows if row["id"] not in known]
    if new:
        connection.execute(table.insert(), new)
    old = [{f"new_{name}": value for name, value in row.items()} for row in rows if row["id"] in known]
    if old:
        values: Row = {name: sa.bindparam(f"new_{name}") for name in rows[0] if name != "id"}
        connection.execute(table.update().where(table.c.id == sa.bindparam("new_id")).values(values), old)


def naive(moment: datetime | None) -> datetime | None:
    """Return a time as the gradebook stores it: in UTC, without a time zone."""
    return moment and moment.astimezone(UTC).replace(tzinfo=None)
