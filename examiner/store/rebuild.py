"""Makes the gradebook anew: the cells of the instructor's notebooks, all grade sheets, what persons entered.

This also serves an assignment whose cells changed after work was handed in, which nbgrader refuses. What
persons entered is filed beside the sheets first: what stood at a cell that is no more waits there, and is put
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

_ENTRIES: Final = {tables.grade: ("manual_score", "extra_credit"), tables.comment: ("manual_comment",)}
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
    """What a person entered at a spot."""

    manual_score: float | None = None
    extra_credit: float | None = None
    manual_comment: str | None = None

    def __bool__(self) -> bool:
        return self != ManualEntry()


ManualEntries = Mapping[StudentCell, ManualEntry]


@dataclass(frozen=True)
class Rebuilt:
    """What came of it.

    Parameters
    ----------
    submissions : int
        How many were entered from their sheets.
    damaged : tuple of PlatformFault
        One for each file of the store that could not be used; what the gradebook had of that work stays.
    waiting : tuple of StudentCell
        Where persons had entered something, and there is no such cell any more.
    """

    submissions: int
    damaged: tuple[PlatformFault, ...]
    waiting: tuple[StudentCell, ...]


def rebuild(course: Course, patience: float = tables.LOCK_SECONDS) -> Rebuilt:
    """Make the gradebook anew; it takes the old one's place whole, or the old one stays.

    Whoever calls this holds the course (`records.alone`).

    Raises
    ------
    BadSource
        If a source notebook is not what nbgrader could release.
    ForeignGradebook
        If the old gradebook cannot be read: without it, manual grades would be lost.
    PlatformFault
        If somebody uses the old one meanwhile.
    """
    with staging(course) as aside, _held(course.gradebook, patience) as old:
        edits, damaged = _keep_edits(course, old)
        made = aside / course.gradebook.name
        tables.create(tables.url_of(made))
        rebuilt = _fill(course, made, old, edits, damaged)
        made.replace(course.gradebook)
        sheets.sync(course.root)
    return rebuilt


def keep_edits(course: Course) -> None:
    """File what persons have entered since the last time, so that the gradebook's loss is not theirs."""
    with _held(course.gradebook) as old:
        _keep_edits(course, old)


@contextmanager
def _held(path: Path, patience: float = tables.LOCK_SECONDS) -> Iterator[sa.Connection | None]:
    """Give the old gradebook, if there is one; nobody else writes into it meanwhile."""
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


def _keep_edits(course: Course, old: sa.Connection | None) -> tuple[ManualEntries, list[PlatformFault]]:
    """Return what persons ever entered and nobody took back, after filing it."""
    filed: dict[StudentCell, ManualEntry] = {}
    damaged = []
    place = sheets.root(course) / sheets.EDITS
    for path in sheets.files(place):
        try:
            filed |= dict(_edits_from(json.loads(sheets.checked(path))))
        except (OSError, ValueError, KeyError, TypeError) as error:
            damaged.append(sheets.set_aside(path, error))
    now = _edits(old, entered_alone=not filed) if old is not None else {}
    changed = {spot: edit for spot, edit in now.items() if edit != filed.get(spot, ManualEntry())}
    if changed:
        data = [to_plain(spot) | to_plain(edit) for spot, edit in sorted(changed.items())]
        sheets.append(course, place, json.dumps(data, indent=1) + "\n")
    return {spot: edit for spot, edit in (filed | now).items() if edit}, damaged


def _edits_from(data: Iterable[Mapping[str, Any]]) -> Iterator[tuple[StudentCell, ManualEntry]]:
    for entry in data:
        spot, edit = (
            {each.name: entry[each.name] for each in fields(kind)} for kind in (StudentCell, ManualEntry)
        )
        yield StudentCell(**spot), ManualEntry(**edit)


def _edits(connection: sa.Connection, *, entered_alone: bool = False) -> dict[StudentCell, ManualEntry]:
    """Return what persons have entered at each cell, or only where it is something."""
    found: dict[StudentCell, ManualEntry] = {}
    for table, names in _ENTRIES.items():
        entered = sa.or_(*(table.c[name].is_not(None) for name in names)) if entered_alone else _ALL
        for spot, row in _rows(connection, table, entered):
            values = {name: getattr(row, name) for name in names}
            found[spot] = replace(found.get(spot, ManualEntry()), **values)
    return found


def _rows(
    connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool] = _ALL
) -> Iterator[tuple[StudentCell, sa.Row[Any]]]:
    """Yield rows of grades or comments with their spots."""
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
    course: Course, made: Path, old: sa.Connection | None, edits: ManualEntries, damaged: list[PlatformFault]
) -> Rebuilt:
    with tables.opened(tables.url_of(made)) as engine, engine.begin() as connection:
        if old is not None:
            _carry_over(old, connection)
        outline(connection, course)
        filings, total = _last_filings(course, damaged), 0
        while batch := list(islice(filings, ledger.SUBMISSIONS_PER_TRANSACTION)):
            total += ledger.enter(connection, batch, again=True)
        waiting = _put_back(connection, edits)
    return Rebuilt(total, tuple(damaged), waiting)


def _last_filings(course: Course, damaged: list[PlatformFault]) -> Iterator[FiledGrade]:
    """Yield the gradings that count, and note what is damaged."""
    known = {assignment.name for assignment in course.assignments}
    for shelf in sheets.read_all(course):
        damaged += shelf.damaged
        if shelf.last and shelf.last.identity.assignment in known:
            yield shelf.last


def _carry_over(old: sa.Connection, new: sa.Connection) -> None:
    """Copy every row: whose sheet there is none, and what persons entered, is only here."""
    present = sa.inspect(old)
    for table in tables.metadata.sorted_tables:
        if table is not tables.revision and present.has_table(table.name):
            rows = [row._asdict() for row in old.execute(sa.select(table))]
            if rows:
                new.execute(table.insert(), rows)


def _put_back(connection: sa.Connection, edits: ManualEntries) -> tuple[StudentCell, ...]:
    """Enter what persons had entered where it does not stand, and return the spots that are no more."""
    now = _edits(connection)
    lost = {spot: edit for spot, edit in edits.items() if spot in now and now[spot] != edit}
    for table, names in _ENTRIES.items():
        rows = [
            {"id": row.id} | {name: getattr(lost[spot], name) for name in names}
            for spot, row in _rows(connection, table)
            if spot in lost
        ]
        ledger.save(connection, table, rows, {row["id"] for row in rows})
    return tuple(sorted(edits.keys() - now.keys()))
