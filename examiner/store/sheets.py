"""The store of grade sheets, from which the gradebook is made. Files are added, never changed.

    sheets/<assignment>/<student>/0001-<digest>.json    one for each grading of an attempt; the last counts
    sheets/edits/0001-<digest>.json                     manual entries that were new or changed after a run
    sheets/secret                                       the secret from which seeds are derived

The name of a file holds the digest of its content, so that any damage is noticed. A damaged file is renamed,
and then only that grade is missing.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from examiner.errors import PlatformFault
from examiner.model import Course, Identity
from examiner.plain import from_plain, to_plain
from examiner.store.atomic import replacing, write_text
from examiner.verdict import GradeSheet, Outcome

SHEET_FORMAT: Final = 1
DAMAGED: Final = ".damaged"
MANUAL_ENTRIES: Final = "edits"
SECRET_BYTES: Final = 32
_NAME: Final = re.compile(r"(\d{4,})-([0-9a-f]{64})\.json")
_NUMBERED: Final = re.compile(r"(\d{4,})-")


@dataclass(frozen=True)
class NotebookSheet:
    """One notebook of a submission: its sheet, and the solution cells that are still as released."""

    notebook: str
    sheet: GradeSheet
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True)
class FiledGrade:
    """The result of grading one attempt, as it is filed.

    Parameters
    ----------
    parts : tuple of NotebookSheet
        At least one; all have the same identity.
    handed_in : datetime or None
        With its time zone.

    Raises
    ------
    ValueError
        If the parts are not of one submission.
    """

    parts: tuple[NotebookSheet, ...]
    handed_in: datetime | None = None

    def __post_init__(self) -> None:
        if len({part.sheet.identity for part in self.parts}) != 1:
            raise ValueError("the sheets are not of one submission")
        if len({part.notebook for part in self.parts}) != len(self.parts):
            raise ValueError("two sheets are of one notebook")
        if self.handed_in is not None and self.handed_in.tzinfo is None:
            raise ValueError(f"{self.handed_in} has no time zone")

    @property
    def identity(self) -> Identity:
        """Whose work it is, and what it was graded from."""
        return self.parts[0].sheet.identity

    @property
    def is_settled(self) -> bool:
        """Whether nothing failed on our side; otherwise the work is graded again."""
        verdicts = (verdict for part in self.parts for verdict in part.sheet.verdicts)
        return all(verdict.outcome is not Outcome.INFRASTRUCTURE for verdict in verdicts)

    @cached_property
    def digest(self) -> str:
        """The digest of everything that is filed."""
        return _digest(self.text)

    @cached_property
    def text(self) -> str:
        """The grade as JSON in ASCII, whatever text a student's code produced."""
        parts = [
            {"notebook": part.notebook, "unanswered": part.unanswered, "sheet": to_plain(part.sheet)}
            for part in self.parts
        ]
        handed_in = self.handed_in and self.handed_in.astimezone(UTC).isoformat()
        data = {"format": SHEET_FORMAT, "handed_in": handed_in, "parts": parts}
        return json.dumps(data, allow_nan=False) + "\n"  # an `indent` would take ten times as long

    @classmethod
    def from_json(cls, text: str | bytes) -> "FiledGrade":
        """Return the grade that was filed as this text.

        Raises
        ------
        ValueError
            If the text is something else, or of another version of examiner.
        """
        try:
            data = json.loads(text)
            if data["format"] != SHEET_FORMAT:
                raise ValueError(f"it is of format {data['format']}, not {SHEET_FORMAT}")
            parts = tuple(
                NotebookSheet(p["notebook"], from_plain(p["sheet"], GradeSheet), tuple(p["unanswered"]))
                for p in data["parts"]
            )
            return cls(parts, data["handed_in"] and datetime.fromisoformat(data["handed_in"]))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"these are no grade sheets ({error!r})") from error


class Standing(StrEnum):
    """What the store has for the present version of a submission."""

    NEW = "new"  # no grade, or only grades that failed on our side
    SETTLED = "settled"
    STALE = "stale"  # graded against another version of the assignment or environment


@dataclass(frozen=True)
class GradeHistory:
    """The filed grades of one submission, in order, and an error for each damaged file."""

    grades: tuple[FiledGrade, ...] = ()
    damaged: tuple[PlatformFault, ...] = ()
    is_last_lost: bool = False

    @property
    def last(self) -> FiledGrade | None:
        """The last grade, which counts; if its file is damaged, none counts, not even the one before it."""
        return self.grades[-1] if self.grades and not self.is_last_lost else None

    def find(self, identity: Identity) -> tuple[Standing, FiledGrade | None]:
        """Return a submission's standing, and the grade to use for it unless a regrade is requested."""
        same = [grade for grade in self.grades if grade.identity == identity]
        settled = [grade for grade in same if grade.is_settled]
        if settled:
            return Standing.SETTLED, settled[-1]
        former = [
            grade for grade in self.grades if _is_same_work(grade.identity, identity) and grade.is_settled
        ]
        if former:
            return Standing.STALE, former[-1]
        return Standing.NEW, same[-1] if same else None


def accept(course: Course, grade: FiledGrade) -> FiledGrade:
    """File a grade, and return the one that counts from now on: the first settled grade of its identity.

    An earlier grade is filed again if another one counted meanwhile, since a student may go back to an
    earlier attempt. Nothing is written if it counts already. Only one process at a time may call this.
    """
    identity = grade.identity
    history = read(course, identity.student, identity.assignment)
    standing, known = history.find(identity)
    accepted = known if known and standing is Standing.SETTLED else grade
    if history.last != accepted:
        append(course, folder(course, identity.student, identity.assignment), accepted.text)
    return accepted


def read(course: Course, student: str, assignment: str) -> GradeHistory:
    """Return the grades of one student's work on one assignment."""
    place = folder(course, student, assignment)
    last = max(_numbered(place), default=None)
    grades, damaged, good = [], [], None
    for path in files(place):
        try:
            grades.append(_grade_in(path, student, assignment))
            good = path
        except (OSError, ValueError) as error:
            damaged.append(set_aside(path, error))
    return GradeHistory(tuple(grades), tuple(damaged), is_last_lost=last is not None and last[1] != good)


def _grade_in(path: Path, student: str, assignment: str) -> FiledGrade:
    grade = FiledGrade.from_json(checked(path))
    if (grade.identity.student, grade.identity.assignment) != (student, assignment):
        raise ValueError("it is somebody else's")
    return grade


def read_all(course: Course) -> Iterator[GradeHistory]:
    """Yield all that is filed, one student's work on one assignment at a time."""
    for path in sorted(root(course).glob("*/*/")):
        if path.is_dir() and path.parent.name != MANUAL_ENTRIES:
            yield read(course, path.name, path.parent.name)


def secret(course: Course) -> bytes:
    """Return the course's secret, from which seeds are derived; it is made at its first use, and never again.

    Raises
    ------
    PlatformFault
        If it is damaged: with a new one, the same work would be tested on other inputs.
    """
    path = root(course) / "secret"
    if not path.exists():
        _prepare(course, root(course))
        with suppress(FileExistsError), replacing(path, mode=0o600) as file:
            if path.exists():
                raise FileExistsError  # another process was first, and its secret is the course's
            file.write(f"{secrets.token_hex(SECRET_BYTES)}\n".encode())
            os.fsync(file.fileno())
        sync(path.parent)
    try:
        found = bytes.fromhex(path.read_text())
    except (OSError, ValueError):
        found = b""
    if len(found) != SECRET_BYTES:
        fix = "put back a copy; if there is none, delete it, and all work is tested on new inputs"
        raise PlatformFault(path, "the course's secret is damaged", fix)
    return found


def root(course: Course) -> Path:
    """Return the folder of the store; it is not in `.examiner`, since that may be deleted."""
    return course.root / "sheets"


def folder(course: Course, student: str, assignment: str) -> Path:
    """Return the folder of one student's work on one assignment."""
    return root(course) / assignment / student


def append(course: Course, place: Path, text: str) -> Path:
    """Add a file to a folder of the store; after a crash it is there as a whole or not at all."""
    _prepare(course, place)
    number = 1 + max((number for number, _ in _numbered(place)), default=0)
    final, scratch = place / f"{number:04}-{_digest(text)}.json", place / "being-written"
    _write(scratch, text)
    scratch.rename(final)
    sync(place)
    return final


def replace(path: Path, text: str) -> None:
    """Put a file with another text in the place of one of the store, under the same number."""
    number, scratch = path.name.partition("-")[0], path.with_name("being-written")
    _write(scratch, text)
    scratch.rename(path.with_name(f"{number}-{_digest(text)}.json"))
    path.unlink()
    sync(path.parent)


def files(place: Path) -> Sequence[Path]:
    """Return the files of a folder of the store, in the order in which they were added."""
    return [path for _, path in _numbered(place) if _NAME.fullmatch(path.name)]


def checked(path: Path) -> bytes:
    """Return the content of a file of the store, or raise ValueError if it is damaged."""
    content = path.read_bytes()
    match = _NAME.fullmatch(path.name)
    if match is None or hashlib.sha256(content).hexdigest() != match[2]:
        raise ValueError("its content does not match the digest in its name")
    return content


def set_aside(path: Path, why: Exception) -> PlatformFault:
    """Rename a damaged file, and return the error that says so."""
    aside = path.with_name(path.name + DAMAGED)
    path.rename(aside)
    fix = f"put back a copy as {path.name}, or run the command again to do without it"
    return PlatformFault(aside, f"this file of the store is damaged ({why}), and was set aside", fix)


def _is_same_work(a: Identity, b: Identity) -> bool:
    return (a.course, a.student, a.assignment, a.attempt, a.key.submission) == (
        b.course, b.student, b.assignment, b.attempt, b.key.submission
    )  # fmt: skip


def _numbered(place: Path) -> list[tuple[int, Path]]:
    """Return all files ever added to a folder, in order, each with its number; damaged ones keep theirs."""
    if not place.is_dir():
        return []
    return sorted((int(match[1]), path) for path in place.iterdir() if (match := _NUMBERED.match(path.name)))


def _prepare(course: Course, place: Path) -> None:
    """Make a folder of the store, which other users cannot read and git ignores."""
    root(course).mkdir(mode=0o700, exist_ok=True)
    write_text(root(course) / ".gitignore", "*\n")
    place.mkdir(parents=True, exist_ok=True)


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="ascii", opener=_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync(place: Path) -> None:
    """Flush the entries of a folder to the disk."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
