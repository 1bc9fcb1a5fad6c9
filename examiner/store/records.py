"""Records of what was done, so that a run does only what is new and can continue an interrupted one.

There is one small file for each submission and each release, replaced in one step after the work is in place.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from examiner.errors import PlatformFault, fault_of_the_machine
from examiner.model import Course, GradeKey, Submission
from examiner.plain import from_plain, to_plain
from examiner.store import temporary
from examiner.store.atomic import write_text

SQLITE_BYTES: Final = 512  # that the path of a database may have, its journal's included


@dataclass(frozen=True)
class Record:
    """What was done about a submission; its grade is in the grade sheets.

    Parameters
    ----------
    filing : str
        Digest of the grade whose notebooks are in `autograded/`; empty if there are none.
    penalized : str
        Digest of the grade for which nbgrader decided on a late penalty; empty if it was not asked.
    feedback : str
        Digest of what its feedback was made from; empty if there is none.
    refused : GradeKey, optional
        The key of a submission that could not be graded.
    fault : tuple of str, optional
        Place, fact and next step of the fault for which it was refused.
    lost_worker : bool
        Whether that fault is ours: it cost the processes that were to grade it.
    """

    filing: str = ""
    penalized: str = ""
    feedback: str = ""
    refused: GradeKey | None = None
    fault: tuple[str, str, str] | None = None
    lost_worker: bool = False


def read(course: Course, submission: Submission) -> Record:
    """Return the record of a submission; an empty one if there is none."""
    try:
        return from_plain(json.loads(_path(course, submission).read_text()), Record)
    except (OSError, ValueError):
        return Record()


def write(course: Course, submission: Submission, record: Record) -> None:
    """Replace the record of a submission."""
    write_text(_path(course, submission), json.dumps(to_plain(record), indent=1))


def read_release(course: Course, assignment: str) -> str:
    """Return the digest of source and release as they were when the release was last made."""
    try:
        return (course.state / "releases" / assignment).read_text()
    except OSError:
        return ""


def write_release(course: Course, assignment: str, digest: str) -> None:
    """Record the digest of source and release, as they are when the release has been made."""
    write_text(course.state / "releases" / assignment, digest)


@contextmanager
def alone(course: Course) -> Iterator[None]:
    """Hold the lock of the course, so that no second run grades it meanwhile.

    Raises
    ------
    PlatformFault
        If another run holds the lock, or workers of a killed one do not end, and for whatever the operating
        system refuses meanwhile.
    """
    try:
        course.state.mkdir(exist_ok=True)
        with (course.state / "lock").open("w") as lock:
            _check_path(course)
            _lock(course, lock)
            temporary.clear(course)
            shutil.rmtree(course.staging, ignore_errors=True)  # a killed run left this
            yield
    except OSError as error:
        raise fault_of_the_machine(error, course.root) from error


def _check_path(course: Course) -> None:
    longest = course.staging / "12345678.tmp" / f"{course.gradebook.name}-journal"
    if len(os.fsencode(longest)) > SQLITE_BYTES:
        fact = f"its path is too long for a database (SQLite takes {SQLITE_BYTES} bytes)"
        raise PlatformFault(course.root, fact, "move the course to a folder with a shorter path")


def _lock(course: Course, file: TextIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PlatformFault(course.root, "another examiner is grading this course", "wait for it") from None


def _path(course: Course, submission: Submission) -> Path:
    return course.state / "records" / submission.student / f"{submission.assignment}.json"
