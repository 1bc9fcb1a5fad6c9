"""The tables of nbgrader 0.9.6, for those who write them without importing nbgrader: that costs seconds.

One table is ours: which grade sheet a submission's rows were last written from. It changes in the transaction
that writes those rows, which is what lets a killed writer start again; nbgrader does not look at it.
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

REVISION: Final = "e43177bfe90b"  # of the tables of nbgrader 0.9.6, as alembic counts them
LOCK_SECONDS: Final = 60.0  # seconds
LOCAL_DISKS: Final = frozenset(
    {"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
)

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
    """Return the id of a new row: the same parts give the same id, so that a repeated run repeats it."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]


def url_of(path: Path) -> str:
    """Return the URL of a gradebook in a file."""
    return f"sqlite:///{path}"


@contextmanager
def opened(url: str, *, alone: bool = False, patience: float = LOCK_SECONDS) -> Iterator[sa.Engine]:
    """Give an engine whose transactions begin with the right to write; afterwards the file stands alone.

    A write-ahead log lets formgrader read meanwhile. It is used where SQLite confirms it and the disk is a
    local one, and put away at the end: a copy of the file is a backup. If the file must stand `alone` from
    the start, there is no log, and nothing is changed but by the caller.

    Raises
    ------
    ForeignGradebook
        If it is no gradebook, or one of another version of nbgrader.
    PlatformFault
        If another process kept it locked for so many seconds.
    """
    parts = sa.make_url(url)
    place, is_file = parts.database or url, parts.get_backend_name() == "sqlite"
    if is_file and not Path(place).exists():
        raise ForeignGradebook(place, "there is no gradebook", "run `examiner grade`, which makes one")
    engine = sa.create_engine(url, connect_args={"timeout": patience} if is_file else {})
    if is_file:
        sa.event.listen(engine, "connect", _own_transactions)
        sa.event.listen(engine, "begin", _begin_to_write)
    try:
        with _told(place):
            names = checked_names(engine, place)
            if alone:
                _put_log_away(engine)
            elif is_file:
                _use_log(engine, Path(place), patience)
            if not alone and entered.name not in names:
                entered.create(engine)
            yield engine
    finally:
        if is_file and not alone:
            with suppress(sqlite3.DatabaseError):  # somebody reads: the last to close puts the log away
                pragma(engine, "busy_timeout=1000")
                _put_log_away(engine)
        engine.dispose()


@contextmanager
def readable(url: str, patience: float = LOCK_SECONDS) -> Iterator[sa.Engine]:
    """Give an engine for those who only read; errors are those of `opened`."""
    engine = sa.create_engine(url, connect_args={"timeout": patience})
    place = sa.make_url(url).database or url
    try:
        with _told(place):
            checked_names(engine, place)
            yield engine
    finally:
        engine.dispose()


def create(url: str) -> None:
    """Make the tables of an empty gradebook, as nbgrader would."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(revision.insert().values(version_num=REVISION))
    finally:
        engine.dispose()


def checked_names(engine: sa.Engine, place: str) -> list[str]:
    """Return the names of the tables; ForeignGradebook if they are not those that are described here."""
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
def _told(place: str) -> Iterator[None]:
    """Say in words what a database says in its own."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        fix = "close what uses it and run the command again: what is entered already stays"
        raise PlatformFault(place, f"it cannot be written ({_own_words(error)})", fix) from error
    except (DatabaseError, sqlite3.DatabaseError) as error:
        fix = "put back a copy of yours, or move it away and run `examiner rebuild`"
        raise ForeignGradebook(place, f"this is no gradebook ({_own_words(error)})", fix) from error


def _own_words(error: Exception) -> object:
    return error.orig if isinstance(error, DatabaseError) else error


def _own_transactions(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # Python's driver would begin without the right to write


def _begin_to_write(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def pragma(engine: sa.Engine, *statements: str) -> list[Any]:
    """Run statements that must stand outside a transaction, and return the first value of each."""
    connection = engine.raw_connection()
    try:
        return [connection.cursor().execute(f"PRAGMA {each}").fetchone()[0] for each in statements]
    finally:
        connection.close()


def _use_log(engine: sa.Engine, path: Path, patience: float) -> None:
    if is_on_local_disk(path):
        try:
            pragma(engine, "busy_timeout=0", "journal_mode=WAL", f"busy_timeout={int(1000 * patience)}")
        except sqlite3.OperationalError:  # somebody reads just now: the file's own way serves as well
            engine.dispose()  # this connection has begun to change the way


def _put_log_away(engine: sa.Engine) -> None:
    pragma(engine, "wal_checkpoint(TRUNCATE)", "journal_mode=DELETE")


def is_on_local_disk(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Return whether a file lies on a disk of this machine, on which its processes can share memory."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    folders = {str(each) for each in (path.resolve(), *path.resolve().parents)}
    found = [
        (fields[4], line.partition(" - ")[2].split(" ")[0]) for line in lines if (fields := line.split(" "))
    ]
    kinds = {folder.replace("\\040", " "): kind for folder, kind in found}
    return kinds[max(folders & kinds.keys(), key=len)] in LOCAL_DISKS if folders & kinds.keys() else False
