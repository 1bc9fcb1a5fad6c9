"""Finds submissions and reads them: regular files, a bounded number of bytes; it follows nothing."""

import hashlib
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.parser import ParserError, parse

from examiner.errors import ExaminerError, StudentFault
from examiner.model import Assignment, Course, Files, Submission

IGNORED: Final = {"__pycache__", ".ipynb_checkpoints"}
TIMESTAMP: Final = "timestamp.txt"
EXCHANGE_FILES: Final = (TIMESTAMP, "submission_secret.txt")  # put there by the exchange, not by the student
MOST_BYTES: Final = 64 << 20
MOST_FILES: Final = 2000
DEEPEST: Final = 20  # folders


def submissions(course: Course) -> list[Submission]:
    """Return what has been handed in for the assignments of the course, by student and assignment.

    What is no folder is among them, so that somebody is told: see `check_folder`.
    """
    known = {assignment.name for assignment in course.assignments}
    return sorted(
        Submission(student.name, entry.name, Path(entry.path))
        for student in _folders(course.root / "submitted")
        for entry in os.scandir(student)
        if entry.name in known
    )


def check_folder(submission: Submission) -> None:
    """Raise a StudentFault if the submission is a link, or no folder."""
    if submission.folder.is_symlink() or not submission.folder.is_dir():
        raise StudentFault(submission.folder, "this is not a folder", "replace it by what it stands for")


def check(course: Course, assignment: Assignment, submission: Submission, files: Files) -> None:
    """Raise a StudentFault if the submission has none of the assignment's notebooks."""
    wanted = [path.name for path in sorted(course.source(assignment).glob("*.ipynb"))]
    if files.keys().isdisjoint(wanted):
        others = ", ".join(sorted(name for name in files if name.endswith(".ipynb"))) or "no notebook"
        place, fix = submission.folder / wanted[0], "give the notebook its name back"
        raise StudentFault(place, f"it is missing (there is {others})", fix)


def handed_in(submission: Submission, files: Files) -> datetime | None:
    """Return when a submission was handed in, if the exchange has written that down.

    Raises
    ------
    StudentFault
        If what is written there is no time.
    """
    text = files.get(TIMESTAMP, b"").decode("utf-8", "replace").strip()
    if not text:
        return None
    try:
        moment = _moment(text)
    except (ParserError, OverflowError) as error:
        place, fix = submission.folder / TIMESTAMP, "write one such as 2026-09-21 22:00:00 UTC, or remove it"
        raise StudentFault(place, f"this is no time ({text[:40]!r})", fix) from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def _moment(text: str) -> datetime:
    """Return a moment in words that nbgrader reads too: the name of a zone may stand behind it."""
    head, _, name = text.rpartition(" ")
    zone = _zone(name)
    moment: datetime = parse(head if zone else text)
    return moment.replace(tzinfo=zone) if zone else moment


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if "/" in name else None
    except (ZoneInfoNotFoundError, ValueError):  # students write it, and a path is no zone
        return None


def read(folder: Path, fault: type[ExaminerError] = StudentFault) -> Files:
    """Return the contents of all files below a folder, by their paths relative to it.

    Raises
    ------
    ExaminerError
        If something there is neither a file nor a folder (a link, a pipe, a device), or it is too much. Whose
        `fault` that is depends on where it lies.
    """
    found: dict[str, bytes] = {}
    left = MOST_BYTES
    for path in _files(folder, fault):
        content = _content(path, left, fault)
        left -= len(content)
        found[path.relative_to(folder).as_posix()] = content
        if len(found) > MOST_FILES:
            raise fault(folder, f"there are more than {MOST_FILES} files", "hand in fewer")
    return found


def digest(folder: Path, fault: type[ExaminerError] = StudentFault) -> str:
    """Return a digest of the names and contents of all files below a folder, as `read` reads them."""
    return digest_of(read(folder, fault))


def digest_of(files: Files) -> str:
    """Return a digest of names and contents."""
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        name = path.encode(errors="surrogateescape")
        total.update(len(name).to_bytes(8, "big") + name + hashlib.sha256(content).digest())
    return total.hexdigest()


def work_of(files: Files) -> Files:
    """Return the files of a submission that are the student's own."""
    return {name: content for name, content in files.items() if name not in EXCHANGE_FILES}


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        Path(entry.path)
        for entry in os.scandir(folder)
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
    ]


def _files(folder: Path, fault: type[ExaminerError], depth: int = 0) -> Iterator[Path]:
    if depth > DEEPEST:
        raise fault(folder, f"it lies deeper than {DEEPEST} folders", "put it higher")
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name in IGNORED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), fault, depth + 1)
        else:
            yield Path(entry.path)


def _content(path: Path, most: int, fault: type[ExaminerError]) -> bytes:
    """Return what a regular file holds; opening it neither follows a link nor waits for a pipe."""
    fix = "replace it by what it stands for"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise fault(path, f"this is not a regular file, or cannot be read ({error.strerror})", fix) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise fault(path, "this is not a regular file", fix)
        content = file.read(most + 1) if status.st_size <= most else None
    if content is None or len(content) > most:
        raise fault(
            path, f"with it, there are more than {MOST_BYTES >> 20} MB", "hand in less: no data, no outputs"
        )
    return content
