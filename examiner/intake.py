"""Finds submissions, and says by a digest whether one has changed; reads regular files, follows nothing."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from examiner.errors import ExaminerError, StudentFault, UnreadableNotebook
from examiner.model import Assignment, Course, Submission
from examiner.notebook import load

IGNORED = {"__pycache__", ".ipynb_checkpoints"}


def submissions(course: Course) -> list[Submission]:
    """Return what has been handed in for the assignments of the course, by student and assignment."""
    known = {assignment.name for assignment in course.assignments}
    return sorted(
        Submission(student.name, folder.name, folder)
        for student in _folders(course.root / "submitted")
        for folder in _folders(student)
        if folder.name in known
    )


def check(course: Course, assignment: Assignment, submission: Submission) -> None:
    """Raise a StudentFault if the submission lacks a notebook, or has one that cannot be read."""
    for source in sorted(course.source(assignment).glob("*.ipynb")):
        path = submission.folder / source.name
        if not path.exists():
            others = ", ".join(sorted(p.name for p in submission.folder.glob("*.ipynb"))) or "no notebook"
            raise StudentFault(path, f"it is missing (there is {others})", "give the notebook its name back")
        load(path, UnreadableNotebook)


def digest(folder: Path, fault: type[ExaminerError] = StudentFault) -> str:
    """Return a digest of the names and contents of all files below a folder.

    Raises
    ------
    ExaminerError
        If something there is neither a file nor a folder: a link, a pipe, a device. Whose `fault` that is
        depends on where it lies.
    """
    total = hashlib.sha256()
    for path in _files(folder, fault):
        name = path.relative_to(folder).as_posix().encode(errors="surrogateescape")
        content = hashlib.sha256(path.read_bytes()).digest()
        total.update(len(name).to_bytes(8, "big") + name + content)
    return total.hexdigest()


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        Path(entry.path)
        for entry in os.scandir(folder)
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
    ]


def _files(folder: Path, fault: type[ExaminerError]) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name in IGNORED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), fault)
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        else:
            raise fault(entry.path, "this is not a regular file", "replace it by what it stands for")
