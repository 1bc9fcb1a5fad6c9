"""Finds submissions and reads their regular files, up to a number of bytes; links are never followed."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from examiner.errors import ExaminerError, StudentFault
from examiner.model import Course, Files, Submission, normal

IGNORED: Final = {"__pycache__", ".ipynb_checkpoints"}
TIMESTAMP: Final = "timestamp.txt"
EXCHANGE_FILES: Final = (TIMESTAMP, "submission_secret.txt")  # put there by the exchange, not by the student
MOST_BYTES: Final = 64 << 20
MOST_FILES: Final = 2000
DEEPEST: Final = 20  # levels of folders
LONGEST_PATH: Final = 1000  # bytes of a path below the submission: it is made again below other folders


def submissions(course: Course) -> list[Submission]:
    """Return the submissions for the assignments of the course, sorted by student and assignment.

    Entries that are not folders are included, so that they can be reported: see `check_folder`.
    """
    names = {normal(assignment.name): assignment.name for assignment in course.assignments}
    folders = _folders(course.root / "submitted")
    students = {normal(folder.name): folder.name for folder in sorted(folders, reverse=True)}
    students |= {normal(student.id): student.id for student in course.roster}
    return sorted(
        Submission(students[normal(student.name)], names[normal(entry)], student / entry)
        for student in folders
        for entry in _entries(student, names)
    )


def _entries(folder: Path, assignments: Mapping[str, str]) -> list[str]:
    """Return the names in a student's folder that are those of assignments.

    Of a folder that cannot be read they are all, since none can be said not to be there: `check_folder` says
    why.
    """
    try:
        return [path.name for path in folder.iterdir() if normal(path.name) in assignments]
    except OSError:
        return list(assignments.values())


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


def check_folder(submission: Submission) -> None:
    """Raise a StudentFault if the submission is no folder of its own, or has a name that cannot be stored."""
    folder = submission.folder.parent
    try:
        os.scandir(folder).close()
    except OSError as error:
        fix = "let this account read it"
        raise StudentFault(folder, f"this folder cannot be read ({error.strerror})", fix) from error
    is_text = str(submission).encode(errors="replace").decode() == str(submission)
    if (
        not is_text or len(str(submission).splitlines()) > 1
    ):  # nbgrader takes the end of a line for that of a name
        fact = f"the name of this folder {'has the end of a line in it' if is_text else 'is no UTF-8'}"
        raise StudentFault(folder, fact, "give it the student's id as its name")
    if submission.folder.is_symlink() or not submission.folder.is_dir():
        raise StudentFault(submission.folder, "this is not a folder", "replace it by a folder with the files")


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
        content = _content(folder / path, left, fault)
        left -= len(content)
        found[path] = content
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


def _files(folder: Path, fault: type[ExaminerError], below: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the paths of what lies below a folder, relative to it; their length and depth are bounded."""
    if depth > DEEPEST:
        raise fault(folder / below, f"it lies deeper than {DEEPEST} folders", "move it up")
    try:
        entries = sorted(os.scandir(folder / below), key=lambda entry: entry.name)
    except OSError as error:
        fact = f"this folder cannot be read ({error.strerror})"
        raise fault(folder / below, fact, "let this account read it") from error
    for entry in entries:
        path = f"{below}{entry.name}"
        if entry.name in IGNORED:
            continue
        if len(os.fsencode(path)) > LONGEST_PATH:
            fact = f"its path in the submission is longer than {LONGEST_PATH} bytes"
            raise fault(folder / path, fact, "give it and its folders shorter names")
        if entry.is_dir(follow_symlinks=False):
            yield from _files(folder, fault, f"{path}/", depth + 1)
        else:
            yield path


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
