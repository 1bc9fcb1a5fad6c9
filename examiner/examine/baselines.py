"""Boxes in which the instructor's functions run, to be measured beside a student's.

They are candidates like any student's, of a server of their own: the same interpreter, the same walls, the
same way from a warm server over a process that has run a notebook's cell to a snapshot of it. What they have
besides is the reference.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final, Self

from examiner.box.limits import ResourceLimits
from examiner.candidate.work import FOREVER, Role, Work
from examiner.examine.bench import BoxControl
from examiner.examine.follow import RunFollower
from examiner.examine.server import Candidate, SandboxSettings, Server
from examiner.judge.lent import AuthorError
from examiner.judge.proxy import Remote
from examiner.model import TimeLimits
from examiner.notebook import Cell
from examiner.submission.repair import Piece

SNAPSHOTS: Final = 16  # of one process, one after another
SET_UP: Final = "set up"


@dataclass
class _Stand:
    """A process in which a text has run, and how many of its snapshots are used up."""

    text: str
    candidate: Candidate
    passage: RunFollower
    used: int = 0


class Baselines:
    """Opens snapshots for the instructor's functions; there is one process at a time, for one text.

    Parameters
    ----------
    surroundings : SandboxSettings
        Where the students' code runs.
    reference : module, optional
        What `reference` means in the text.
    bounds : ResourceLimits
        What each process may use.
    """

    def __init__(
        self, surroundings: SandboxSettings, reference: ModuleType | None, bounds: ResourceLimits
    ) -> None:
        self._surroundings, self._bounds = surroundings, bounds
        self._files = {} if reference is None else _files_of(reference)
        self._server: Server | None = None
        self._stand: _Stand | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and its server; another snapshot starts them again."""
        stand, self._stand = self._stand, None
        if stand:
            stand.candidate.__exit__()
        server, self._server = self._server, None
        if server:
            server.close()

    @contextlib.contextmanager
    def opened(self, text: str, deadline: float) -> Iterator[tuple[Remote, BoxControl]]:
        """Give the line to a fresh snapshot in which this text has run, and the hands on its box.

        Raises
        ------
        AuthorError
            If the text cannot be run by itself.
        BrokenServer
            If the server failed.
        """
        stand = self._standing(text)
        name = str(stand.used)
        stand.used += 1
        with stand.passage.snapshot(name) as channel:
            for output in stand.passage.outputs.get(0, ()):
                if output["output_type"] == "error":
                    said = f"{output['ename']}: {output['evalue']}"
                    raise AuthorError(f"a baseline cannot run by itself: {said}")
            yield Remote(channel, deadline), stand.candidate

    def _standing(self, text: str) -> _Stand:
        stand = self._stand
        if stand and stand.text == text and stand.used < SNAPSHOTS:
            return stand
        if stand:
            stand.candidate.__exit__()
            self._stand = None
        if self._server is None:
            self._server = Server(self._surroundings)
            self._server.learn_to_draw()  # as the student's has
        cells = ((Role.PLAIN, text), *((Role.EXAMINED, "") for _ in range(SNAPSHOTS)))
        limits = TimeLimits(notebook_seconds=FOREVER)  # it waits for one student after another
        candidate = self._server.start(Work(cells, self._files, seconds=limits.cell_seconds), self._bounds)
        self._stand = _Stand(text, candidate, RunFollower(candidate, list(_pieces(text)), limits))
        return self._stand


def _pieces(text: str) -> Iterator[Piece]:
    yield Piece("code", text, SET_UP)
    for number in range(SNAPSHOTS):
        cell = Cell(number + 1, str(number), "code", "", str(number), 1.0, True, False, True)
        yield Piece("code", "", str(number), cell)


def _files_of(package: ModuleType) -> dict[str, bytes]:
    """Return a package's modules, as they are laid beside a notebook."""
    [root] = [Path(each) for each in package.__path__]
    return {str(path.relative_to(root.parent)): path.read_bytes() for path in sorted(root.rglob("*.py"))}
