"""Rebuilds the gradebook from the instructor's notebooks, all grade sheets and all manual entries.

This also updates an assignment whose cells changed after work was handed in, which nbgrader refuses. Manual
entries are filed beside the sheets first: an entry for a cell that no longer exists stays there, and is put
back when the cell is back.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from examiner.errors import PlatformFault
from examiner.model import Course
from examiner.plain import to_plain
from examiner.store import ledger, sheets, tables
from examiner.store.atomic import staging
from examiner.store.course_rows import outline
from examiner.store.sheets import FiledGrade

_ENTRY_COLUMNS: Final = {tables.grade: ("manual_score", "extra_credit"), tables.comment: ("manual_comment",)}
_ALL: Final = sa.true()


@dataclass(frozen=True, order=True)
class StudentCell:
    """A cell of a student's work."""

    student: str
    assignment: str
    notebook: str
    cell: str

    def __str__(self) -> str:
        return f"{self.student}/{self.assignment}, cell {self.cell}"


@dataclass(frozen=True)
class ManualEntry:
    """What a person entered for a cell of a student's work."""

    manual_score: float | None = None
    extra_credit: float | None = None
    manual_comment: str | None = None

    def __bool__(self) -> bool:
        return self != ManualEntry()


ManualEntries = Mapping[StudentCell, ManualEntry]


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild.

    Parameters
    ----------
    submissions : int
        How many submissions were entered from their sheets.
    damaged : tuple of PlatformFault
        One for each damaged file of the store; the old gradebook's rows for that work stay.
    waiting : tuple of StudentCell
        The cells that have manual entries and no longer exist.
    """

    submissions: int
    damaged: tuple[PlatformFault, ...]
    waiting: tuple[StudentCell, ...]


def rebuild(course: Course, patience: float = tables.LOCK_SECONDS) -> Rebuilt:
    """Rebuild the gradebook; it replaces the old one as a whole, or the old one stays.

    The caller holds the lock of the course (`records.alone`).

    Raises
    ------
    BadSource
        If a source notebook is not what nbgrader could release.
    ForeignGradebook
        If the old gradebook cannot be read: without it, manual grades would be lost.
    PlatformFault
        If another process keeps the old one locked.
    """
    with staging(course) as aside, _held(course.gradebook, patience) as old:
        entries, damaged = _file_entries(course, old)
        made = aside / course.gradebook.name
        tables.create(tables.url_of(made))
        rebuilt = _fill(course, made, old, entries, damaged)
        made.replace(course.gradebook)
        sheets.sync(course.root)
    return rebuilt


def keep_edits(course: Course) -> None:
    """File the manual entries made since the last time, so that they survive a lost gradebook."""
    with _held(course.gradebook) as old:
        _file_entries(course, old)


@contextmanager
def _held(path: Path, patience: float = tables.LOCK_SECONDS) -> Iterator[sa.Connection | None]:
    """Yield a connection to the old gradebook, or None; nobody else can write into it meanwhile."""
    if not path.exists():
        yield None
        return
    with (
        tables.opened(tables.url_of(path), alone=True, patience=patience) as engine,
        engine.connect() as connection,
        connection.begin() as held,
    ):
        yield connection
        held.rollback()


def _file_entries(course: Course, old: sa.Connection | None) -> tuple[ManualEntries, list[PlatformFault]]:
    """File new manual entries; return all that are in force, and an error for each damaged file."""
    filed: dict[StudentCell, ManualEntry] = {}
    damaged = []
    place = sheets.root(course) / sheets.MANUAL_ENTRIES
    for path in sheets.files(place):
        try:
            filed |= dict(_entries_from(json.loads(sheets.checked(path))))
        except (OSError, ValueError, KeyError, TypeError) as error:
            damaged.append(sheets.set_aside(path, error))
    now = _entries(old, entered_alone=not filed) if old is not None else {}
    changed = {cell: entry for cell, entry in now.items() if entry != filed.get(cell, ManualEntry())}
    if changed:
        data = [to_plain(cell) | to_plain(entry) for cell, entry in sorted(changed.items())]
        sheets.append(course, place, json.dumps(data, indent=1) + "\n")
    return {cell: entry for cell, entry in (filed | now).items() if entry}, damaged


def _entries_from(data: Iterable[Mapping[str, Any]]) -> Iterator[tuple[StudentCell, ManualEntry]]:
    for line in data:
        cell, entry = (
            {field.name: line[field.name] for field in fields(kind)} for kind in (StudentCell, ManualEntry)
        )
        yield StudentCell(**cell), ManualEntry(**entry)


def _entries(connection: sa.Connection, *, entered_alone: bool = False) -> dict[StudentCell, ManualEntry]:
    """Return the manual entry of each cell; with `entered_alone`, only of cells that have one."""
    found: dict[StudentCell, ManualEntry] = {}
    for table, names in _ENTRY_COLUMNS.items():
        entered = sa.or_(*(table.c[name].is_not(None) for name in names)) if entered_alone else _ALL
        for cell, row in _rows(connection, table, entered):
            values = {name: getattr(row, name) for name in names}
            found[cell] = replace(found.get(cell, ManualEntry()), **values)
    return found


def _rows(
    connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool] = _ALL
) -> Iterator[tuple[StudentCell, sa.Row[Any]]]:
    """Yield rows of grades or comments, each with its cell."""
    book, work = tables.submitted_notebook, tables.submission
    query = (
        sa.select(
            table,
            work.c.student_id.label("student"),
            tables.assignment.c.name.label("assignment"),
            tables.notebook.c.name.label("notebook"),
            tables.base_cell.c.name.label("cell"),
        )
        .join(tables.base_cell, tables.base_cell.c.id == table.c.cell_id)
        .join(book, book.c.id == table.c.notebook_id)
        .join(tables.notebook, tables.notebook.c.id == book.c.notebook_id)
        .join(work, work.c.id == book.c.assignment_id)
        .join(tables.assignment, tables.assignment.c.id == work.c.assignment_id)
        .where(which)
    )
    for row in connection.execute(query):
        yield StudentCell(row.student, row.assignment, row.notebook, row.cell), row


def _fill(
    course: Course,
    made: Path,
    old: sa.Connection | None,
    entries: ManualEntries,
    damaged: list[PlatformFault],
) -> Rebuilt:
    with tables.opened(tables.url_of(made)) as engine, engine.begin() as connection:
        if old is not None:
            _carry_over(old, connection)
        outline(connection, course)
        grades, total = _last_grades(course, damaged), 0
        while batch := list(islice(grades, ledger.SUBMISSIONS_PER_TRANSACTION)):
            total += ledger.enter(connection, batch, again=True)
        waiting = _put_back(connection, entries)
    return Rebuilt(total, tuple(damaged), waiting)


def _last_grades(course: Course, damaged: list[PlatformFault]) -> Iterator[FiledGrade]:
    """Yield the grades that count, and add an error for each damaged file to `damaged`."""
    known = {assignment.name for assignment in course.assignments}
    for history in sheets.read_all(course):
        damaged += history.damaged
        if history.last and history.last.identity.assignment in known:
            yield history.last


def _carry_over(old: sa.Connection, new: sa.Connection) -> None:
    """Copy every row: work without a sheet and manual entries are only in the old gradebook."""
    present = sa.inspect(old)
    for table in tables.metadata.sorted_tables:
        if table is not tables.revision and present.has_table(table.name):
            rows = [row._asdict() for row in old.execute(sa.select(table))]
            if rows:
                new.execute(table.insert(), rows)


def _put_back(connection: sa.Connection, entries: ManualEntries) -> tuple[StudentCell, ...]:
    """Put back manual entries that are missing, and return the cells of those that no longer exist."""
    now = _entries(connection)
    lost = {cell: entry for cell, entry in entries.items() if cell in now and now[cell] != entry}
    for table, names in _ENTRY_COLUMNS.items():
        rows = [
            {"id": row.id} | {name: getattr(lost[cell], name) for name in names}
            for cell, row in _rows(connection, table)
            if cell in lost
        ]
        ledger.save(connection, table, rows, {row["id"] for row in rows})
    return tuple(sorted(entries.keys() - now.keys()))
