"""Writes the course into the gradebook: its students, due dates, and the cells of each assignment.

The rows are those that `nbgrader generate_assignment` writes, but also once somebody has handed in: nbgrader
then refuses to add or remove cells of the assignment.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from examiner.errors import BadSource
from examiner.model import Assignment, Course
from examiner.notebook import Cell, check_source, load_source, mark, parse, released
from examiner.store import ledger, tables
from examiner.store.ledger import ANSWERED, GRADED, TASK, Row

NBGRADERS_COURSE: Final = "default_course"  # the only one that nbgrader's own steps use
_DETAILS: Final = {GRADED: tables.grade_cell, ANSWERED: tables.solution_cell, TASK: tables.task_cell}

CellKey = tuple[str, str, str]  # notebook, name and type of a cell


@dataclass(frozen=True)
class _Marked:
    """A cell with nbgrader's metadata, and what the gradebook holds about it."""

    cell: Cell
    is_task: bool
    checksum: str | None

    @property
    def types(self) -> tuple[str, ...]:
        """The types of its rows; a written answer has two."""
        marks = {GRADED: self.cell.is_grade, ANSWERED: self.cell.is_solution, TASK: self.is_task}
        return tuple(type_ for type_, is_so in marks.items() if is_so)

    @property
    def is_locked(self) -> bool:
        """Whether nbgrader overwrites a student's version of it."""
        return not self.cell.is_solution and (self.cell.is_grade or self.cell.is_locked)

    @property
    def source(self) -> str:
        """Its source without the solution, but with the hidden tests."""
        return released(self.cell) if self.cell.is_solution else self.cell.source


@dataclass(frozen=True)
class _Source:
    """One notebook of an assignment, and its cells that are marked."""

    name: str
    kernelspec: Mapping[str, Any]
    cells: tuple[_Marked, ...]


def outline(connection: sa.Connection, course: Course) -> None:
    """Write the course into the gradebook as its files describe it; submissions get the rows that they lack.

    Of an assignment that nbgrader could not release, the cells stay as they are.
    """
    known = set(connection.scalars(sa.select(tables.course.c.id)))
    new: list[Row] = [
        {"id": name} for name in dict.fromkeys((course.id, NBGRADERS_COURSE)) if name not in known
    ]
    ledger.save(connection, tables.course, new, ())
    _set_students(connection, course)
    for assignment in course.assignments:
        id_ = _set_assignment(connection, course, assignment)
        with suppress(BadSource):  # the release of that assignment reports it, and all others go on
            _set_cells(connection, id_, _read(course, assignment))


def _set_students(connection: sa.Connection, course: Course) -> None:
    rows: list[Row] = [
        {
            "id": student.id,
            "first_name": student.first_name,
            "last_name": student.last_name,
            "email": student.email,
            "lms_user_id": student.lms_id,
        }
        for student in course.roster
    ]
    known = set(connection.scalars(sa.select(tables.student.c.id)))
    ledger.save(connection, tables.student, rows, known)


def _set_assignment(connection: sa.Connection, course: Course, assignment: Assignment) -> str:
    table = tables.assignment
    known = connection.scalar(sa.select(table.c.id).where(table.c.name == assignment.name))
    id_ = known or tables.new_id(course.id, assignment.name)
    due = ledger.naive(assignment.due)
    row = {"id": id_, "name": assignment.name, "duedate": due, "course_id": course.id}
    ledger.save(connection, table, [row], [id_] if known else ())
    return id_


def _read(course: Course, assignment: Assignment) -> list[_Source]:
    """Return an assignment's notebooks, all of them, before anything of it is written.

    Raises
    ------
    BadSource
        If one is not what nbgrader could release.
    """
    documents = {path: load_source(path, course.markers) for path in course.notebooks(assignment)}
    return [
        _Source(path.stem, document.get("metadata", {}).get("kernelspec", {}), tuple(_marked(document, path)))
        for path, document in documents.items()
    ]


def _set_cells(connection: sa.Connection, assignment: str, sources: Sequence[_Source]) -> None:
    """Give an assignment the notebooks and cells of its source, and remove all others."""
    if not sources:  # it is not written yet, or the folder is missing: its grades must not be deleted
        return
    known = ledger.notebooks(connection, assignment)
    wanted: dict[CellKey, _Marked] = {}
    for source in sources:
        id_ = known.get(source.name) or tables.new_id(assignment, source.name)
        kernel = json.dumps(source.kernelspec)
        row = {"id": id_, "name": source.name, "assignment_id": assignment, "kernelspec": kernel}
        ledger.save(connection, tables.notebook, [row], known.values())
        _set_sources(connection, id_, source.cells)
        wanted |= {
            (source.name, item.cell.grade_id, type_): item for item in source.cells for type_ in item.types
        }
    _remove(connection, assignment, wanted)
    _add(connection, assignment, wanted)
    names = {source.name for source in sources}
    _remove_notebooks(connection, [id_ for name, id_ in known.items() if name not in names])
    _fill(connection, assignment)


def _marked(document: Mapping[str, Any], path: Path) -> Iterator[_Marked]:
    notebook = parse(document, path)
    check_source(notebook)
    for raw, cell in zip(document["cells"], notebook.cells, strict=True):
        is_task = cell.is_task
        if cell.is_grade or cell.is_solution or cell.is_locked:
            yield _Marked(cell, is_task, _checksum(_Marked(cell, is_task, None)))
        elif is_task:
            yield _Marked(cell, is_task, mark(raw, "checksum"))


def _checksum(marked: _Marked) -> str:
    """Return nbgrader's checksum of a cell, by which it recognizes an answer that is still as released."""
    cell = marked.cell
    parts = [marked.source, cell.kind, cell.is_grade, cell.is_solution, marked.is_locked, cell.grade_id]
    text = "".join(str(part) for part in (*parts, *([cell.points] if cell.is_grade else [])))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _set_sources(connection: sa.Connection, notebook: str, marked: Sequence[_Marked]) -> None:
    """Replace the sources of the cells: nbgrader takes the order of these rows as that of the notebook."""
    table = tables.source_cell
    connection.execute(table.delete().where(table.c.notebook_id == notebook))
    rows: list[Row] = [
        {
            "id": tables.new_id(notebook, item.cell.grade_id),
            "name": item.cell.grade_id,
            "cell_type": item.cell.kind,
            "locked": item.is_locked,
            "source": item.source,
            "checksum": item.checksum,
            "notebook_id": notebook,
        }
        for item in marked
    ]
    ledger.save(connection, table, rows, ())


def _remove(connection: sa.Connection, assignment: str, wanted: Mapping[CellKey, _Marked]) -> None:
    """Remove the cells that are not wanted, with their grades and comments."""
    cells = ledger.cells(connection, assignment)
    ids = [cell.id for cell in cells if (cell.notebook, cell.name, cell.type) not in wanted]
    for table in (tables.grade, tables.comment):
        connection.execute(table.delete().where(table.c.cell_id.in_(ids)))
    for table in (*_DETAILS.values(), tables.base_cell):
        connection.execute(table.delete().where(table.c.id.in_(ids)))


def _add(connection: sa.Connection, assignment: str, wanted: Mapping[CellKey, _Marked]) -> None:
    """Add the missing cells, and update the points and kinds of all."""
    known = {(cell.notebook, cell.name, cell.type): cell.id for cell in ledger.cells(connection, assignment)}
    books = ledger.notebooks(connection, assignment)
    bases: list[Row] = []
    details: dict[str, list[Row]] = {type_: [] for type_ in _DETAILS}
    for key, marked in wanted.items():
        book, name, type_ = key
        id_ = known.get(key) or tables.new_id(books[book], name, type_)
        bases.append({"id": id_, "name": name, "notebook_id": books[book], "type": type_})
        value = {"max_score": marked.cell.points, "cell_type": marked.cell.kind}
        details[type_].append({"id": id_} | ({} if type_ == ANSWERED else value))
    ledger.save(connection, tables.base_cell, bases, known.values())
    for type_, rows in details.items():
        is_new = [row for row in rows if type_ != ANSWERED or row["id"] not in known.values()]
        ledger.save(connection, _DETAILS[type_], is_new, known.values())


def _remove_notebooks(connection: sa.Connection, ids: Collection[str]) -> None:
    """Remove notebooks whose cells are already removed."""
    for table in (tables.submitted_notebook, tables.source_cell):
        connection.execute(table.delete().where(table.c.notebook_id.in_(ids)))
    connection.execute(tables.notebook.delete().where(tables.notebook.c.id.in_(ids)))


def _fill(connection: sa.Connection, assignment: str) -> None:
    """Add the rows for cells that submissions lack."""
    work = tables.submission
    ids = list(connection.scalars(sa.select(work.c.id).where(work.c.assignment_id == assignment)))
    books, cells = ledger.notebooks(connection, assignment), ledger.cells(connection, assignment)
    for first in range(0, len(ids), ledger.SUBMISSIONS_PER_TRANSACTION):
        ledger.fill(connection, ids[first : first + ledger.SUBMISSIONS_PER_TRANSACTION], books, cells)
