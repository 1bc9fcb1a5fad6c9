"""Files that a grade cell and the student's code read and write by the same names.

Each side has a folder of its own. A file that the cell opens and that is none of the instructor's comes from
the snapshot, as bytes, each time that it is opened; one that the cell has written goes there before the
student's code is to read it. Only names that stand in the cell's text count: no student chooses a path here.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from examiner.judge.compile import GradeCell
from examiner.judge.proxy import Remote

MOST_READ: Final = 16 << 20  # bytes
_NAME: Final = re.compile(r"(\w[\w .-]*/)*\w[\w .-]*\.\w{1,8}")
_READING: Final = frozenset({"exists", "getsize", "is_file", "isfile", "samefile", "stat"})
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_LISTING: Final = frozenset({"os.listdir", "os.scandir", "glob.glob", "pathlib.Path.glob"})


class CellFiles:
    """The files of one cell.

    Parameters
    ----------
    cell : GradeCell
        The cell, in whose text the names stand.
    remote : Remote
        The connection to the snapshot.

    Attributes
    ----------
    fetched : set of str
        The names of the files here that came from the snapshot.
    """

    def __init__(self, cell: GradeCell, remote: Remote) -> None:
        self._remote = remote
        self._names = {text for text in cell.texts if _NAME.fullmatch(text) and not _is_module(text, cell)}
        self._students_names = cell.solution_texts
        self.fetched: set[str] = set()
        self._written: set[str] = set()
        self._is_busy = False

    @property
    def names_own(self) -> bool:
        """Whether the cell names a file that is the instructor's."""
        return any(Path(name).exists() for name in self._names - self.fetched)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Notice what is opened in the block, if the cell names a file."""
        if not self._names:
            yield
            return
        _notice()
        self._remote.before.append(self._hand_over)
        _watching.append(self)
        try:
            yield
        finally:
            _watching.remove(self)
            for name in self.fetched:
                Path(name).unlink(missing_ok=True)

    def looked_for(self, method: str, things: tuple[Any, ...]) -> None:
        """Fetch the files that a function such as `os.path.exists` is asked about."""
        if self._names and method in _READING:
            for thing in things:
                self.noticed("open", (thing, "r", 0))

    def noticed(self, event: str, args: tuple[Any, ...]) -> None:
        """Fetch a file that is to be read, and note one that is to be written."""
        if self._is_busy or self._remote.lost:
            return
        self._is_busy = True
        try:
            if event in _LISTING:
                for name in self._names:
                    self._fetch(name)
            elif name := self._name(args[0]):
                if event == "open" and not (args[2] or 0) & _WRITES:
                    self._fetch(name)
                else:
                    self._fetch(name)  # it may be added to
                    self._written.add(name)
        finally:
            self._is_busy = False

    def _name(self, path: Any) -> str:
        """Return the name of a file that stands in the cell's text, or an empty one."""
        if not isinstance(path, str | os.PathLike):
            return ""
        name = os.path.normpath(os.fspath(path)) if isinstance(os.fspath(path), str) else ""
        return name if name in self._names else ""

    def _fetch(self, name: str) -> None:
        if name in self._written or (name not in self.fetched and Path(name).exists()):
            return
        content = self._remote.aside((bytes, type(None)), "read file", name)
        if content is None:
            Path(name).unlink(missing_ok=True)
            self.fetched.discard(name)
            return
        if len(content) > MOST_READ:
            self._remote.refuse(f"the student's file {name} has more than {MOST_READ >> 20} MB")
        self.fetched.add(name)
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)

    def _hand_over(self, args: tuple[Any, ...]) -> None:
        """Send what the cell has written where the request, or the instructor's solution, names it."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            named = {*_texts(args)} | self._students_names
            for name in sorted(self._written & named):
                there = Path(name).exists()
                self._remote.aside(object, "write file", name, Path(name).read_bytes() if there else None)
                self._written.discard(name)
                self.fetched.add(name)
        finally:
            self._is_busy = False


def _is_module(name: str, cell: GradeCell) -> bool:
    """Whether a file of that name could be imported in place of a module of the judge's."""
    stem, _, suffix = name.partition(".")
    return suffix in {"py", "pyc", "so"} and stem.partition("/")[0] in cell.ours


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield os.path.normpath(values)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _texts(value)
    elif isinstance(values, dict):
        yield from _texts([*values.values()])


_watching: list[CellFiles] = []
_noticing: list[bool] = []
_EVENTS: Final = _LISTING | {"open", "os.remove", "os.rename"}


def _notice() -> None:
    """Have this process notice what is opened, from now on: that cannot be taken back."""
    if not _noticing:
        _noticing.append(True)
        sys.addaudithook(_noticed)


def _noticed(event: str, args: tuple[Any, ...]) -> None:
    if _watching and event in _EVENTS:
        _watching[-1].noticed(event, args)
