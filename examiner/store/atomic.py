"""Writes files and folders elsewhere first and moves them into place, so that none is ever there in part."""

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from examiner.model import Course


@contextmanager
def staging(course: Course) -> Iterator[Path]:
    """Yield a temporary folder on the file system of the course, and remove it afterwards."""
    course.staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=course.staging) as folder:
        yield Path(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, with the folders above it, unless it has exactly this text already."""
    content = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == content and not _temporary(path).exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Yield a new file beside a path, which takes the path's place when the block has ended without an error.

    It has one name, so that who writes next removes what was left by a process that was killed; two that
    write at a time write one after the other.
    """
    temporary = _temporary(path)
    with _held(temporary, mode) as file:
        try:
            yield file
            file.flush()
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _held(path: Path, mode: int) -> IO[bytes]:
    """Return an empty file that nobody else writes: the holder before has moved or removed its own."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode), "wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.truncate()
                return file
        file.close()


def put(made: Path, final: Path) -> None:
    """Move a new folder to its final path, and remove the one that was there."""
    former = made.with_name(made.name + ".former")
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        final.rename(former)
    made.rename(final)
    shutil.rmtree(former, ignore_errors=True)


def put_files(course: Course, final: Path, files: Mapping[str, bytes]) -> None:
    """Replace a folder by one that contains exactly these files, by their paths in it."""
    made = course.staging / uuid.uuid4().hex
    made.mkdir(parents=True)
    for name, content in files.items():
        path = made / name
        if "/" in name:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    put(made, final)
