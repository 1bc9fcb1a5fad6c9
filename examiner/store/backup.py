"""Copies a course into one archive and back: everything that cannot be made again, each file with its digest.

The archive is a compressed tar file, which other programs can open; its first entry lists what is in it. What
is restored never replaces a file that is different.
"""

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from examiner import version
from examiner.errors import AuthorFault, PlatformFault
from examiner.model import Course
from examiner.store.atomic import staging

FORMAT: Final = 1
MANIFEST: Final = "examiner-backup.json"
# What belongs to a course; all else in its folder can be made again, or is not examiner's.
KEPT: Final = (
    *("course.toml", "nbgrader_config.py", "roster.csv", "gradebook.db"),
    *("sheets", "submitted", "source", "evidence", "exchange", "tests/mutants"),
)
OF_A_FOLDER: Final = "folder"  # instead of a digest
CACHES: Final = {"__pycache__", ".ipynb_checkpoints"}
NAMED: Final = 5  # paths in an error

Told = Callable[[int, int, str], None]
"""Is told how many files are done, of how many, and the path of the last one."""


@dataclass(frozen=True)
class Contents:
    """What an archive holds: the digest of each entry by its path, and what could not be taken."""

    course: str
    files: Mapping[str, str]
    skipped: tuple[str, ...] = ()


def backup(course: Course, target: Path, told: Told) -> Contents:
    """Write the course into an archive, whole or not at all; the caller holds its lock.

    Links are kept as links. What is neither a file nor a folder nor a link is skipped.

    Raises
    ------
    AuthorFault
        If the archive would be in a folder that it copies.
    """
    kept = _kept(course)
    if any(target.resolve().is_relative_to(course.root / name) for name in kept):
        raise AuthorFault(target, "this is in a folder that is copied into it", "name a file elsewhere")
    with staging(course) as aside:
        book = aside / course.gradebook.name
        paths = dict(_files(course.root, kept))
        if course.gradebook.is_file():
            _copy_gradebook(course.gradebook, book)
            paths[course.gradebook.name] = book
        skipped = tuple(sorted(name for name, path in paths.items() if not _is_plain(path)))
        plain = {name: path for name, path in paths.items() if name not in skipped}
        contents = Contents(course.id, {name: _digest(path) for name, path in plain.items()}, skipped)
        _write(target, contents, plain, told)
    return contents


def restore(archive: Path, root: Path, told: Told) -> Contents:
    """Put everything in an archive into a folder; files that are there and equal stay.

    Raises
    ------
    AuthorFault
        If it is no archive of a course, or the folder has files that are different.
    PlatformFault
        If the archive is damaged: nothing is put into the folder then.
    """
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".examiner-restore-") as folder:
        aside = Path(folder)
        contents = _unpack(archive, aside)
        _check(archive, aside, contents)
        _refuse_to_replace(root, contents)
        for number, name in enumerate(contents.files, start=1):
            told(number, len(contents.files), name)
            if not os.path.lexists(root / name):
                _move(aside / name, root / name)
    return contents


def _kept(course: Course) -> list[str]:
    """Return the paths, below the course, of what is copied: also the requirements and the reference."""
    named = [course.student.requirements, course.package]
    inside = [path for path in named if path is not None and path.is_relative_to(course.root)]
    return [*KEPT, *(path.relative_to(course.root).as_posix() for path in inside)]


def _files(root: Path, kept: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield each entry by its path below the course, a folder before what is in it, and follow no link."""
    for name in kept:
        top = root / name
        if top.is_symlink() or not top.is_dir():
            if os.path.lexists(top):
                yield name, top
            continue
        for folder, folders, names in os.walk(top):
            yield Path(folder).relative_to(root).as_posix(), Path(folder)
            links = [entry for entry in folders if (Path(folder) / entry).is_symlink()]
            folders[:] = sorted(set(folders) - CACHES - set(links))
            for entry in sorted([*names, *links]):
                path = Path(folder) / entry
                yield path.relative_to(root).as_posix(), path


def _is_plain(path: Path) -> bool:
    return path.is_symlink() or path.is_file() or path.is_dir()


def _copy_gradebook(source: Path, copy: Path) -> None:
    """Copy the gradebook as it is at one moment, whoever else has it open."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_dir():
        return OF_A_FOLDER
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(target: Path, contents: Contents, paths: Mapping[str, Path], told: Told) -> None:
    made = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with tarfile.open(made, "w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as tar:
            text = json.dumps({"format": FORMAT, "version": version(), **vars(contents)}, indent=1).encode()
            entry = tarfile.TarInfo(MANIFEST)
            entry.size, entry.mode = len(text), 0o600
            tar.addfile(entry, io.BytesIO(text))
            for number, (name, path) in enumerate(paths.items(), start=1):
                told(number, len(paths), name)
                tar.add(path, name, recursive=False)
        made.chmod(0o600)  # it holds hidden tests and the secret
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


def _unpack(archive: Path, aside: Path) -> Contents:
    """Unpack an archive into an empty folder, and return what it says it holds."""
    fix = "name a file that `examiner backup` wrote"
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(aside, filter="tar")  # it refuses what would lie outside
        contents = _contents(json.loads((aside / MANIFEST).read_text()))
    except FileNotFoundError as error:
        raise AuthorFault(archive, "this is no backup of a course", fix) from error
    except (tarfile.TarError, zlib.error, EOFError, ValueError, KeyError, TypeError) as error:
        raise AuthorFault(archive, f"this is no backup of a course, or is damaged ({error})", fix) from error
    return contents


def _contents(data: Mapping[str, Any]) -> Contents:
    if data["format"] != FORMAT:
        raise ValueError(f"it is of format {data['format']}, not {FORMAT}")
    return Contents(data["course"], data["files"], tuple(data["skipped"]))


def _check(archive: Path, aside: Path, contents: Contents) -> None:
    wrong = [name for name, digest in contents.files.items() if _digest_there(aside / name) != digest]
    if wrong:
        fact = f"{len(wrong)} files in it are damaged ({', '.join(wrong[:NAMED])})"
        raise PlatformFault(archive, fact, "use an earlier backup; nothing was restored")


def _digest_there(path: Path) -> str:
    return _digest(path) if os.path.lexists(path) else ""


def _refuse_to_replace(root: Path, contents: Contents) -> None:
    there = [name for name in contents.files if os.path.lexists(root / name)]
    other = [name for name in there if _digest(root / name) != contents.files[name]]
    if other:
        fact = f"{len(other)} files there are not those of the backup ({', '.join(other[:NAMED])})"
        raise AuthorFault(root, fact, "move them away, or restore into an empty folder with --course")


def _move(made: Path, final: Path) -> None:
    """Move an entry into place, a folder without what is in it, which follows."""
    final.parent.mkdir(parents=True, exist_ok=True)
    if made.is_dir() and not made.is_symlink():
        final.mkdir(mode=made.stat().st_mode & 0o777)  # that of the sheets opens for its owner alone
    else:
        made.rename(final)
