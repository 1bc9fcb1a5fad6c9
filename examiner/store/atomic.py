"""Writes files and folders elsewhere first and moves them into place, so that none is ever there in part."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

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
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
