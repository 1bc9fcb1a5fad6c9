"""Finds out when a submission was handed in: as its timestamp says, or as the instructor's side can see."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from examiner.errors import StudentFault, printable
from examiner.model import Course, Files, Submission
from examiner.submission.intake import TIMESTAMP, digest_of, read, work_of
from examiner.submission.moments import moment_in

LOOKED_AT: Final = 1000  # of a timestamp, that are looked at
MOST_QUOTED: Final = 40  # characters of it, in an error


def handed_in(submission: Submission, files: Files) -> datetime | None:
    """Return when a submission was handed in (UTC), as its timestamp says, or None if it has none.

    Raises
    ------
    StudentFault
        If the timestamp cannot be read as one certain time.
    """
    text = files.get(TIMESTAMP, b"")[:LOOKED_AT].decode("utf-8-sig", "replace").strip()
    if not text:
        return None
    try:
        return moment_in(text)
    except ValueError as error:
        fix = "write one such as 2026-09-21 22:00:00 UTC, or remove it"
        raise StudentFault(
            submission.folder / TIMESTAMP, f"{error} ('{printable(text, MOST_QUOTED)}')", fix
        ) from error


def seen(course: Course, submission: Submission, files: Files) -> datetime:
    """Return since when the instructor's side has had these files (UTC), whatever they say.

    It is the time at which the last of them was changed where it was handed in: in the exchange's `inbound`,
    if they still lie there, or else in `submitted/`. Nobody can set this time of a file back (`st_ctime`).
    """
    name, digest = f"{submission.student}+{submission.assignment}+", digest_of(work_of(files))
    inbound = [path for path in _entries(course.inbound) if path.name.startswith(name)]
    same = [folder for folder in inbound if _holds(folder, digest)]
    return min(_changed(folder) for folder in same or [submission.folder])


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _holds(folder: Path, digest: str) -> bool:
    """Whether the work in a folder of the exchange, which is the student's, has this digest."""
    try:
        return not folder.is_symlink() and digest_of(work_of(read(folder))) == digest
    except (StudentFault, OSError):
        return False


def _changed(folder: Path) -> datetime:
    entries = (path.lstat() for path in (folder, *folder.rglob("*")))
    return datetime.fromtimestamp(max(entry.st_ctime for entry in entries), UTC)
