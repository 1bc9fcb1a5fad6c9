"""Removes everything about one person from a course: work, grades, history, pages, logs and rows.

What it removes is listed first. To do it again, after whatever ended it, removes what was left.
"""

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from examiner.errors import PlatformFault
from examiner.model import Course, normal
from examiner.store import sheets, tables
from examiner.store.grades import read_grades

STEPS: Final = ("submitted", "autograded", "feedback")
KEY_FILE: Final = "submission_secret.txt"  # nbgrader names released feedback by it


@dataclass(frozen=True)
class Traces:
    """What a course holds about a student.

    Parameters
    ----------
    paths : tuple of Path
        Files and folders that are the student's alone.
    entries : tuple of Path
        Files of manual entries that name the student among others.
    rows : int
        Rows of the gradebook.
    is_in_roster : bool
        Whether the roster lists the student.
    """

    paths: tuple[Path, ...]
    entries: tuple[Path, ...]
    rows: int
    is_in_roster: bool

    def __bool__(self) -> bool:
        return bool(self.paths or self.entries or self.rows or self.is_in_roster)


def everybody(course: Course) -> set[str]:
    """Return the ids of all of whom the course holds something."""
    tops = [course.root / name for name in STEPS]
    tops += [path for path in _entries(sheets.root(course)) if path.name != sheets.MANUAL_ENTRIES]
    known = {path.name for top in tops for path in _entries(top) if path.is_dir()}
    if course.gradebook.is_file():
        known |= {student.id for student in read_grades(course).students}
    return known | {student.id for student in course.roster}


def traces(course: Course, student: str) -> Traces:
    """Return what a course holds about a student; it removes nothing."""
    return Traces(
        paths=tuple(
            sorted({*_folders(course, student), *_exchanged(course, student), *_set_aside(course, student)})
        ),
        entries=tuple(path for path in _entry_files(course) if _names(path, student)),
        rows=_rows(course, student),
        is_in_roster=any(normal(known.id) == normal(student) for known in course.roster),
    )


def forget(course: Course, student: str, found: Traces) -> None:
    """Remove what was found of a student, but for the roster's line; the caller holds the course's lock."""
    _delete_rows(course, student)
    for path in found.entries:
        _rewrite(path, student)
    for path in found.paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _folders(course: Course, student: str) -> Iterator[Path]:
    """Yield the student's folders in every step, of the sheets, the records and the logs."""
    tops = [course.root / name for name in STEPS]
    tops += [path for path in _entries(sheets.root(course)) if path.name != sheets.MANUAL_ENTRIES]
    tops += [course.state / "records", *_entries(course.state / "logs")]
    for top in tops:
        for path in _entries(top):
            if normal(path.name) == normal(student):
                yield path


def _exchanged(course: Course, student: str) -> Iterator[Path]:
    """Yield what lies in the exchange: submissions, and feedback that was released."""
    yield from _submitted(course, student)
    released = {hashlib.md5(key).hexdigest() for key in _keys(course, student)}  # noqa: S324 - nbgrader's own
    pages = {path.read_bytes() for path in (course.root / "feedback" / student).rglob("*.html")}
    for path in _entries(course.inbound.parent / "feedback"):
        if path.stem in released or (path.is_file() and path.read_bytes() in pages):
            yield path


def _submitted(course: Course, student: str) -> Iterator[Path]:
    """Yield the student's submissions in the exchange, and the copies that nbgrader keeps of them."""
    for folder in (course.inbound, course.state / "exchange-cache"):
        for path in sorted(folder.rglob("*+*")) if folder.is_dir() else ():
            if normal(path.name.partition("+")[0]) == normal(student):
                yield path


def _keys(course: Course, student: str) -> Iterator[bytes]:
    """Yield what nbgrader makes the names of released pages from: a submission's secret, and a notebook."""
    notebooks = {path.stem for one in course.assignments for path in course.notebooks(one)}
    for folder in (course.root / "submitted" / student, *_submitted(course, student)):
        for path in folder.rglob(KEY_FILE):
            yield from (path.read_bytes() + name.encode() for name in notebooks)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _entry_files(course: Course) -> Collection[Path]:
    return sheets.files(sheets.root(course) / sheets.MANUAL_ENTRIES)


def _set_aside(course: Course, student: str) -> Iterator[Path]:
    """Yield damaged files of manual entries in which the student is named; nothing reads them any more."""
    for path in _entries(sheets.root(course) / sheets.MANUAL_ENTRIES):
        if path.name.endswith(sheets.DAMAGED) and student.encode() in path.read_bytes():
            yield path


def _names(path: Path, student: str) -> bool:
    try:
        return any(line["student"] == student for line in json.loads(sheets.checked(path)))
    except ValueError as error:
        fix = "run `examiner rebuild`, which sets it aside, and then this command again"
        raise PlatformFault(path, f"this file of the store is damaged ({error})", fix) from error


def _rewrite(path: Path, student: str) -> None:
    """Put the other students' manual entries of a file into one of the same number, and remove it."""
    rest = [line for line in json.loads(path.read_bytes()) if line["student"] != student]
    if rest:
        sheets.replace(path, json.dumps(rest, indent=1) + "\n")
    else:
        path.unlink()


def _rows(course: Course, student: str) -> int:
    if not course.gradebook.is_file():
        return 0
    with tables.readable(tables.url_of(course.gradebook)) as engine, engine.connect() as connection:
        return sum(
            connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition)) or 0
            for table, condition in _of(connection, student)
        )


def _of(connection: sa.Connection, student: str) -> list[tuple[sa.Table, sa.ColumnElement[bool]]]:
    """Return the rows of a student in each table, those that others refer to last."""
    submission, notebook = tables.submission, tables.submitted_notebook
    own = list(connection.scalars(sa.select(submission.c.id).where(submission.c.student_id == student)))
    books = list(connection.scalars(sa.select(notebook.c.id).where(notebook.c.assignment_id.in_(own))))
    known = sa.inspect(connection).has_table(tables.entered.name)
    assignments = connection.scalars(sa.select(tables.assignment.c.id))
    ids = [*own, *(tables.new_id(assignment, student) for assignment in assignments)]
    return [
        (tables.grade, tables.grade.c.notebook_id.in_(books)),
        (tables.comment, tables.comment.c.notebook_id.in_(books)),
        (notebook, notebook.c.id.in_(books)),
        *([(tables.entered, tables.entered.c.id.in_(ids))] if known else []),
        (submission, submission.c.id.in_(own)),
        (tables.student, tables.student.c.id == student),
    ]


def _delete_rows(course: Course, student: str) -> None:
    """Delete the rows, and rewrite the file, in which deleted rows could be read on."""
    if not course.gradebook.is_file():
        return
    with tables.opened(tables.url_of(course.gradebook), alone=True) as engine:
        with engine.begin() as connection:
            for table, condition in _of(connection, student):
                connection.execute(table.delete().where(condition))
        tables.vacuum(engine)
