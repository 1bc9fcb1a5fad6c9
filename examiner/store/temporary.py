"""Keeps temporary files of a run below `.examiner`, where the next run removes what a killed one has left.

    .examiner/temporary/<random>/run        locked by the process of the run as long as it lives
    .examiner/temporary/<random>/workers    locked by each of its workers

A run that was killed may have workers for a moment longer, which may still write into the course.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final

from examiner.errors import PlatformFault
from examiner.model import Course

RUN, WORKERS = "run", "workers"
PATIENCE: Final = 30.0  # seconds for the workers of a killed run to end
LOOK: Final = 0.05  # seconds between two looks whether they have
AFTER_SOCKETS: Final = -200  # of what a process does at its end; multiprocessing removes its socket at -100
MOST_PATH_BYTES: Final = 60  # bytes of a folder's path; that of a socket in it may have 107


@contextmanager
def temporary_files(course: Course) -> Iterator[None]:
    """Have this process and its workers keep temporary files in a folder of the course inside the block.

    The folder goes with the process and not with the block, since multiprocessing keeps a socket there. Where
    nothing can be written, temporary files stay where they are: who writes what counts says why it cannot.
    """
    before = tempfile.tempdir
    with suppress(OSError):
        tempfile.tempdir = _made(_folders(course))
    try:
        yield
    finally:
        tempfile.tempdir = before


def _made(folders: Path) -> str:
    """Make a folder that this process has as long as it lives; return its path."""
    folders.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=folders))
    Finalize(None, _remove, [folder], exitpriority=AFTER_SOCKETS)
    _locked(folder / RUN, fcntl.LOCK_EX)
    (folder / WORKERS).touch()
    return _short(folder)


def share(folder: str) -> None:
    """Keep the temporary files of this process in the folder of the run whose worker it is."""
    tempfile.tempdir = folder
    with suppress(OSError):  # a run that is none of the command line has the machine's own
        _locked(Path(folder, WORKERS), fcntl.LOCK_SH, os.O_RDWR)


def clear(course: Course, patience: float = PATIENCE) -> None:
    """Remove the folders of runs that were killed, once their workers have ended.

    Raises
    ------
    PlatformFault
        If workers still live after `patience` seconds.
    """
    until = time.monotonic() + patience
    for folder in _folders(course).glob("*/"):
        if not _is_free(folder / RUN):
            continue
        while not _is_free(folder / WORKERS):
            if time.monotonic() > until:
                fact = "processes of a run that was killed are still at work"
                raise PlatformFault(course.root, fact, "end them, or wait for them")
            time.sleep(LOOK)  # a lock that is waited for could not be given up after `patience`
        shutil.rmtree(folder, ignore_errors=True)


def _folders(course: Course) -> Path:
    return course.state / "temporary"


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # another run has one
        folder.parent.rmdir()


def _short(folder: Path) -> str:
    """Return a path of the folder that leaves a socket's path short enough, as long as this process lives."""
    if len(os.fsencode(folder)) <= MOST_PATH_BYTES:
        return str(folder)
    return f"/proc/{os.getpid()}/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)}"


def _locked(path: Path, kind: int, flags: int = os.O_RDWR | os.O_CREAT) -> None:
    """Lock a file until this process ends."""
    fcntl.flock(os.open(path, flags | os.O_CLOEXEC, 0o600), kind)


def _is_free(path: Path) -> bool:
    """Return whether nobody has locked a file; one that is not there was never locked."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
