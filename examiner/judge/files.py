"""Files that a grade cell and the student's code read and write by the same names.

Each side has a folder of its own. A file that the cell opens and that is none of the instructor's comes from
the snapshot, as bytes, each time that it is opened; one that the cell has written goes there before the
student's code is to read it. Only names that stand in the cell's text count: no student chooses a path here.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from examiner.candidate.asked import LONGEST_FILE
from examiner.judge.compile import GradeCell
from examiner.judge.noticing import noticed
from examiner.judge.proxy import Remote

_NAME: Final = re.compile(r"(\w[\w .-]*/)*\w[\w .-]*\.\w{1,8}")
_READING: Final = frozenset({"exists", "getsize", "is_file", "isfile", "samefile", "stat"})
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_LISTING: Final = frozenset({"os.listdir", "os.scandir", "glob.glob", "pathlib.Path.glob"})
_EVENTS: Final = _LISTING | {"open", "os.remove", "os.rename"}


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

    def own_hold(self, *words: str) -> bool:
        """Whether a file of the instructor's that the cell names has all these words."""
        with self._busy():
            own = [Path(name) for name in self._names - self.fetched - self._written if Path(name).is_file()]
            texts = [path.read_bytes() for path in own]
        return any(all(word.encode() in text for word in words) for text in texts)

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        """Take no notice of what is opened in the block: we do it."""
        before, self._is_busy = self._is_busy, True
        try:
            yield
        finally:
            self._is_busy = before

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Notice what is opened in the block, if the cell names a file."""
        if not self._names:
            yield
            return
        self._remote.before.append(self._hand_over)
        try:
            with noticed(_EVENTS, self.noticed):
                yield
        finally:
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
        with self._busy():
            if event in _LISTING:
                for name in self._names:
                    self._fetch(name)
            elif name := self._name(args[0]):
                self._fetch(name)  # what is written may be added to it
                if event != "open" or (args[2] or 0) & _WRITES:
                    self._written.add(name)

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
        if len(content) > LONGEST_FILE:
            self._remote.refuse(f"the student's file {name} has more than {LONGEST_FILE >> 20} MB")
        self.fetched.add(name)
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)

    def _hand_over(self, args: tuple[Any, ...]) -> None:
        """Send what the cell has written where the request, or the instructor's solution, names it."""
        if self._is_busy:
            return
        with self._busy():
            named = {*_texts(args)} | self._students_names
            for name in sorted(self._written & named):
                there = Path(name).exists()
                self._remote.aside(object, "write file", name, Path(name).read_bytes() if there else None)
                self._written.discard(name)
                self.fetched.add(name)


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
