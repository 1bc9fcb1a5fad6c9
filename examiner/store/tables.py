"""The tables of nbgrader 0.9.6, to use them without importing nbgrader, which takes seconds.

One table is ours: it holds the digest of the grade that a submission's rows were last written from. It
changes in the transaction that writes those rows, so that a killed writer can start again; nbgrader ignores
it.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from examiner.errors import ForeignGradebook, PlatformFault

REVISION: Final = "e43177bfe90b"  # alembic's revision of the tables of nbgrader 0.9.6
LOCK_SECONDS: Final = 60.0  # to wait for another process's lock
LOCAL_DISKS: Final = frozenset(
    {"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
)

_NEXT_STEPS: Final = {
    sqlite3.SQLITE_FULL: "free some space there",
    sqlite3.SQLITE_IOERR: "look whether its disk is full or broken,",
    sqlite3.SQLITE_READONLY: "let this account write it,",
    sqlite3.SQLITE_CANTOPEN: "let this account write it and its folder,",
}

metadata = sa.MetaData()
_ID = sa.String(32)
_NAME = sa.String(128)


def _key(name: str, target: str, **options: Any) -> "sa.Column[str]":
    return sa.Column(name, _ID, sa.ForeignKey(target), **options)


def _id() -> "sa.Column[str]":
    return sa.Column("id", _ID, primary_key=True)


def _kind(name: str) -> "sa.Column[str]":
    return sa.Column("cell_type", sa.Enum("code", "markdown", name=name), nullable=False)


def _needed(name: str, kind: Any = _NAME) -> "sa.Column[Any]":
    return sa.Column(name, kind, nullable=False)


def _optional(name: str, kind: Any = _NAME) -> "sa.Column[Any]":
    return sa.Column(name, kind)


revision = sa.Table("alembic_version", metadata, _needed("version_num", sa.String(32)))
course = sa.Table("course", metadata, sa.Column("id", _NAME, primary_key=True, unique=True))
assignment = sa.Table(
    "assignment",
    metadata,
    _id(),
    sa.Column("name", _NAME, unique=True, nullable=False),
    _optional("duedate", sa.DateTime),
    sa.Column("course_id", _NAME, sa.ForeignKey("course.id"), nullable=False),
)
notebook = sa.Table(
    "notebook",
    metadata,
    _id(),
    _needed("name"),
    _key("assignment_id", "assignment.id"),
    _optional("kernelspec", sa.String(1024)),
    sa.UniqueConstraint("name", "assignment_id"),
)
base_cell = sa.Table(
    "base_cell",
    metadata,
    _id(),
    _needed("name"),
    _key("notebook_id", "notebook.id", nullable=False),
    _optional("type", sa.String(50)),
    sa.UniqueConstraint("name", "notebook_id", "type"),
)
grade_cell = sa.Table(
    "grade_cells",
    metadata,
    _key("id", "base_cell.id", primary_key=True),
    _needed("max_score", sa.Float),
    _kind("grade_cell_type"),
)
solution_cell = sa.Table("solution_cells", metadata, _key("id", "base_cell.id", primary_key=True))
task_cell = sa.Table(
    "task_cells",
    metadata,
    _key("id", "base_cell.id", primary_key=True),
    _needed("max_score", sa.Float),
    _kind("grade_cell_type"),
)
source_cell = sa.Table(
    "source_cell",
    metadata,
    _id(),
    _needed("name"),
    _kind("source_cell_type"),
    _needed("locked", sa.Boolean),
    _optional("source", sa.Text),
    _optional("checksum"),
    _key("notebook_id", "notebook.id"),
    sa.UniqueConstraint("name", "notebook_id"),
)
student = sa.Table(
    "student",
    metadata,
    sa.Column("id", _NAME, primary_key=True),
    *(_optional(name) for name in ("first_name", "last_name", "email", "lms_user_id")),
)
submission = sa.Table(
    "submitted_assignment",
    metadata,
    _id(),
    _key("assignment_id", "assignment.id"),
    sa.Column("student_id", _NAME, sa.ForeignKey("student.id")),
    _optional("timestamp", sa.DateTime),
    _optional("extension", sa.Interval),
    sa.UniqueConstraint("assignment_id", "student_id"),
)
submitted_notebook = sa.Table(
    "submitted_notebook",
    metadata,
    _id(),
    _key("assignment_id", "submitted_assignment.id"),
    _key("notebook_id", "notebook.id"),
    _optional("flagged", sa.Boolean),
    _optional("late_submission_penalty", sa.Float),
    sa.UniqueConstraint("notebook_id", "assignment_id"),
)
grade = sa.Table(
    "grade",
    metadata,
    _id(),
    _key("notebook_id", "submitted_notebook.id"),
    _key("cell_id", "base_cell.id"),
    *(_optional(name, sa.Float) for name in ("auto_score", "manual_score", "extra_credit")),
    _needed("needs_manual_grade", sa.Boolean),
    sa.UniqueConstraint("cell_id", "notebook_id"),
)
comment = sa.Table(
    "comment",
    metadata,
    _id(),
    _key("notebook_id", "submitted_notebook.id"),
    _key("cell_id", "base_cell.id"),
    *(_optional(name, sa.Text) for name in ("auto_comment", "manual_comment")),
    sa.UniqueConstraint("cell_id", "notebook_id"),
)
entered = sa.Table("examiner_entered", metadata, _id(), _needed("sheet", sa.String(64)))


def new_id(*parts: str) -> str:
    """Return the id of a new row: the same parts give the same id, also in a repeated run."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]


def url_of(path: Path) -> str:
    """Return the URL of a gradebook in a file."""
    return f"sqlite:///{path}"


@contextmanager
def opened(url: str, *, alone: bool = False, patience: float = LOCK_SECONDS) -> Iterator[sa.Engine]:
    """Yield an engine whose transactions begin with the write lock; afterwards all data is in the one file.

    A write-ahead log (WAL) lets formgrader read meanwhile. It is used if the disk is a local one and SQLite
    agrees. At the end it is checkpointed and removed, so that a copy of the one file is a backup. With
    `alone` there is no log from the start, and only the caller changes the file.

    Raises
    ------
    ForeignGradebook
        If it is no gradebook, or belongs to another version of nbgrader.
    PlatformFault
        If another process kept it locked for `patience` seconds.
    """
    parts = sa.make_url(url)
    place, is_file = parts.database or url, parts.get_backend_name() == "sqlite"
    if is_file and not Path(place).exists():
        raise ForeignGradebook(place, "there is no gradebook", "run `examiner grade`, which makes one")
    engine = sa.create_engine(url, connect_args={"timeout": patience} if is_file else {})
    if is_file:
        sa.event.listen(engine, "connect", _own_transactions)
        sa.event.listen(engine, "begin", _begin_immediate)
    try:
        with translated_errors(place):
            names = checked_names(engine, place)
            if alone:
                _remove_wal(engine)
            elif is_file:
                _use_wal(engine, Path(place), patience)
            if not alone and entered.name not in names:
                entered.create(engine)
            yield engine
    finally:
        if is_file and not alone:
            with suppress(sqlite3.DatabaseError):  # somebody is reading: the last to close removes the WAL
                pragma(engine, "busy_timeout=1000")
                _remove_wal(engine)
        engine.dispose()


@contextmanager
def readable(url: str, patience: float = LOCK_SECONDS) -> Iterator[sa.Engine]:
    """Yield an engine for reading only; errors are those of `opened`."""
    engine = sa.create_engine(url, connect_args={"timeout": patience})
    place = sa.make_url(url).database or url
    try:
        with translated_errors(place):
            checked_names(engine, place)
            yield engine
    finally:
        engine.dispose()


def create(url: str) -> None:
    """Create the tables of an empty gradebook, as nbgrader would."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(revision.insert().values(version_num=REVISION))
    finally:
        engine.dispose()


def checked_names(engine: sa.Engine, place: str) -> list[str]:
    """Return the names of the tables; ForeignGradebook if they are not of this revision."""
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        found = connection.scalar(sa.select(revision.c.version_num)) if revision.name in names else None
    if found is None:
        raise ForeignGradebook(place, "this is no gradebook of nbgrader's", "put back a copy of yours")
    if found != REVISION:
        fact = f"it is of another version of nbgrader (revision {found}, not {REVISION})"
        fix = "copy it, then run `nbgrader db upgrade`, or use the nbgrader that wrote it"
        raise ForeignGradebook(place, fact, fix)
    return names


@contextmanager
def translated_errors(place: str) -> Iterator[None]:
    """Raise the errors of a database as a fault that names the place and the next step."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        cause = _driver_error(error)
        fix = f"{_next_step(cause)} and run the command again: what is entered already stays"
        raise PlatformFault(place, f"it cannot be written ({cause})", fix) from error
    except (DatabaseError, sqlite3.DatabaseError) as error:
        fix = "put back a copy of yours, or move it away and run `examiner rebuild`"
        raise ForeignGradebook(place, f"this is no gradebook ({_driver_error(error)})", fix) from error


def _next_step(cause: object) -> str:
    """Return what to do about SQLite's error, whose last byte says what kind it is."""
    kind = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_BUSY) & 0xFF
    return _NEXT_STEPS.get(kind, "close what uses it")


def _driver_error(error: Exception) -> object:
    return error.orig if isinstance(error, DatabaseError) else error


def _own_transactions(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # otherwise Python's driver begins without the write lock


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def pragma(engine: sa.Engine, *statements: str) -> list[Any]:
    """Run PRAGMA statements outside a transaction, and return the first value of each."""
    connection = engine.raw_connection()
    try:
        return [connection.cursor().execute(f"PRAGMA {statement}").fetchone()[0] for statement in statements]
    finally:
        connection.close()


def vacuum(engine: sa.Engine) -> None:
    """Write the file anew, so that nothing of deleted rows is in it any more."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("VACUUM")
    finally:
        connection.close()


def _use_wal(engine: sa.Engine, path: Path, patience: float) -> None:
    if is_on_local_disk(path):
        try:
            pragma(engine, "busy_timeout=0", "journal_mode=WAL", f"busy_timeout={int(1000 * patience)}")
        except sqlite3.OperationalError:  # somebody is reading: the rollback journal works as well
            engine.dispose()  # this connection is in the middle of the change


def _remove_wal(engine: sa.Engine) -> None:
    pragma(engine, "wal_checkpoint(TRUNCATE)", "journal_mode=DELETE")


def is_on_local_disk(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Return whether a file is on a local disk, where SQLite's processes can share memory for the WAL."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    folders = {str(folder) for folder in (path.resolve(), *path.resolve().parents)}
    found = [
        (fields[4], line.partition(" - ")[2].split(" ")[0]) for line in lines if (fields := line.split(" "))
    ]
    kinds = {folder.replace("\\040", " "): kind for folder, kind in found}
    return kinds[max(folders & kinds.keys(), key=len)] in LOCAL_DISKS if folders & kinds.keys() else False
