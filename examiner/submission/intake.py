"""Finds submissions and reads their regular files, up to a number of bytes; links are never followed."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.parser import ParserError, parse

from examiner.errors import ExaminerError, StudentFault
from examiner.model import Assignment, Course, Files, Submission, normal

IGNORED: Final = {"__pycache__", ".ipynb_checkpoints"}
TIMESTAMP: Final = "timestamp.txt"
EXCHANGE_FILES: Final = (TIMESTAMP, "submission_secret.txt")  # put there by the exchange, not by the student
MOST_BYTES: Final = 64 << 20
MOST_FILES: Final = 2000
DEEPEST: Final = 20  # levels of folders


def submissions(course: Course) -> list[Submission]:
    """Return the submissions for the assignments of the course, sorted by student and assignment.

    Entries that are not folders are included, so that they can be reported: see `check_folder`.
    """
    names = {normal(assignment.name): assignment.name for assignment in course.assignments}
    folders = _folders(course.root / "submitted")
    students = {normal(folder.name): folder.name for folder in sorted(folders, reverse=True)}
    students |= {normal(student.id): student.id for student in course.roster}
    return sorted(
        Submission(students[normal(student.name)], names[normal(entry.name)], Path(entry.path))
        for student in folders
        for entry in os.scandir(student)
        if normal(entry.name) in names
    )


def other_spellings(submissions: Sequence[Submission]) -> dict[Submission, StudentFault]:
    """Return a fault for each folder that holds the same work as another one, its name spelled otherwise."""
    found: dict[str, list[Submission]] = {}
    for submission in submissions:
        found.setdefault(str(submission), []).append(submission)
    fix = "put what counts into one of them, and remove the others"
    return {
        other: StudentFault(other.folder, "there is another folder of this name, in other characters", fix)
        for alike in found.values()
        for other in alike
        if len(alike) > 1
    }


def spelled(files: Files, names: Iterable[str]) -> Files:
    """Return files with these names where theirs look the same."""
    wanted = {normal(name): name for name in names}
    return {wanted.get(normal(name), name): content for name, content in files.items()}


def check_folder(submission: Submission) -> None:
    """Raise a StudentFault if the submission is a link or not a folder."""
    if submission.folder.is_symlink() or not submission.folder.is_dir():
        raise StudentFault(submission.folder, "this is not a folder", "replace it by a folder with the files")


def check(course: Course, assignment: Assignment, submission: Submission, files: Files) -> None:
    """Raise a StudentFault if the submission has none of the assignment's notebooks."""
    wanted = [path.name for path in course.notebooks(assignment)]
    if spelled(files, wanted).keys().isdisjoint(wanted):
        others = ", ".join(sorted(name for name in files if name.endswith(".ipynb"))) or "no notebook"
        place, fix = submission.folder / wanted[0], "give the notebook its name back"
        raise StudentFault(place, f"it is missing (there is {others})", fix)


def handed_in(submission: Submission, files: Files) -> datetime | None:
    """Return when a submission was handed in (UTC), or None without the exchange's timestamp.

    Raises
    ------
    StudentFault
        If the timestamp cannot be read as a time.
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
    """Return the time in a text, as nbgrader reads it; it may end with the name of a time zone."""
    head, _, name = text.rpartition(" ")
    zone = _zone(name)
    moment: datetime = parse(head if zone else text)
    return moment.replace(tzinfo=zone) if zone else moment


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if "/" in name else None
    except (ZoneInfoNotFoundError, ValueError):  # students can write anything here, such as a path
        return None


def read(folder: Path, fault: type[ExaminerError] = StudentFault) -> Files:
    """Return the contents of all files below a folder, by their paths relative to it.

    Raises
    ------
    ExaminerError
        If something there is neither a file nor a folder (a link, a pipe, a device), or there is too much. It
        is of the class `fault`, as it depends on the folder who is to blame.
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
    """Return the SHA-256 of the names and contents of all files below a folder, as `read` returns them."""
    return digest_of(read(folder, fault))


def digest_of(files: Files) -> str:
    """Return the SHA-256 of the names and contents of files, as hexadecimal digits."""
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
        raise fault(folder, f"it lies deeper than {DEEPEST} folders", "move it up")
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name in IGNORED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), fault, depth + 1)
        else:
            yield Path(entry.path)


def _content(path: Path, most: int, fault: type[ExaminerError]) -> bytes:
    """Return the content of a regular file; opening it neither follows a link nor waits for a pipe."""
    fix = "replace it by a regular file"
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
            path,
            f"with this file, there are more than {MOST_BYTES >> 20} MB",
            "hand in less: no data, no outputs",
        )
    return content
