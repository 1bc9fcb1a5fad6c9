"""Results are made aside and take their places whole: whatever dies leaves the former one or the new."""

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
    """Give a folder on the course's own disk, which is removed afterwards."""
    course.staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=course.staging) as folder:
        yield Path(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file that is there whole, or as it was before; folders that are missing are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        scratch.write_bytes(text.encode("utf-8"))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def put(made: Path, final: Path) -> None:
    """Let a new folder take the place of the former one."""
    former = made.with_name(made.name + ".former")
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        final.rename(former)
    made.rename(final)
    shutil.rmtree(former, ignore_errors=True)


def put_files(course: Course, final: Path, files: Mapping[str, bytes]) -> None:
    """Let a folder hold these files, by their paths in it, and nothing else."""
    made = course.staging / uuid.uuid4().hex
    made.mkdir(parents=True)
    for name, content in files.items():
        path = made / name
        if "/" in name:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    put(made, final)
