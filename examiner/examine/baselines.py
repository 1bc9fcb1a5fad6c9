"""Boxes in which the instructor's functions run, to be measured beside a student's.

They are candidates like a student's, started by a server of their own: with the same interpreter, the same
walls and the same forks, from the warm server to a process that has run a cell, and from there to a snapshot.
In addition, they can import the reference.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Final, Self

from examiner.box.limits import ResourceLimits
from examiner.candidate.work import FOREVER, MATPLOTLIB, Role, Work
from examiner.examine.follow import RunFollower
from examiner.examine.program import files_of
from examiner.examine.server import Candidate, SandboxSettings, Server
from examiner.judge.lent import AuthorError
from examiner.model import TimeLimits
from examiner.notebook import Cell
from examiner.submission.repair import Piece
from examiner.wire.channel import Channel

SNAPSHOTS: Final = 16  # of one process, used one after another
SET_UP: Final = "set up"
LEARNED: Final = frozenset({MATPLOTLIB})  # as by the student's server, where something is measured


@dataclass
class _Process:
    """A process in which a text has run, and the number of its snapshots that are used up."""

    text: str
    candidate: Candidate
    follower: RunFollower
    used: int = 0


class Baselines:
    """Opens snapshots for the instructor's functions; there is one process at a time, for one text.

    Parameters
    ----------
    settings : SandboxSettings
        The sandbox that the students' code runs in.
    reference : module, optional
        The module that the text uses as `reference`.
    limits : ResourceLimits
        What each process may use.
    """

    def __init__(
        self, settings: SandboxSettings, reference: ModuleType | None, limits: ResourceLimits
    ) -> None:
        self._settings, self._limits = settings, limits
        self._files = {} if reference is None else files_of(reference)
        self._server: Server | None = None
        self._process: _Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and its server; the next snapshot starts them again."""
        process, self._process = self._process, None
        if process:
            process.candidate.__exit__()
        server, self._server = self._server, None
        if server:
            server.close()

    @contextlib.contextmanager
    def opened(self, text: str) -> Iterator[tuple[Channel, Candidate]]:
        """Yield the connection to a fresh snapshot in which this text has run, and the candidate it is of.

        Raises
        ------
        AuthorError
            If the text cannot be run by itself.
        BrokenServer
            If the server failed.
        """
        process = self._process_of(text)
        name = str(process.used)
        process.used += 1
        with process.follower.snapshot(name) as channel:
            for output in process.follower.outputs.get(0, ()):
                if output["output_type"] == "error":
                    fact = f"{output['ename']}: {output['evalue']}"
                    raise AuthorError(f"a baseline cannot run by itself: {fact}")
            yield channel, process.candidate

    def _process_of(self, text: str) -> _Process:
        process = self._process
        if process and process.text == text and process.used < SNAPSHOTS:
            return process
        if process:
            process.candidate.__exit__()
            self._process = None
        if self._server is None:
            self._server = Server(self._settings)
            self._server.learn(LEARNED)
        cells = ((Role.PLAIN, text), *((Role.EXAMINED, "") for _ in range(SNAPSHOTS)))
        time_limits = TimeLimits(notebook_seconds=FOREVER)  # one process serves many students
        candidate = self._server.start(
            Work(cells, files=self._files, seconds=time_limits.cell_seconds, measures=True), self._limits
        )
        self._process = _Process(text, candidate, RunFollower(candidate, list(_pieces(text)), time_limits))
        return self._process


def _pieces(text: str) -> Iterator[Piece]:
    yield Piece("code", text, SET_UP)
    for number in range(SNAPSHOTS):
        cell = Cell(number + 1, str(number), "code", "", str(number), 1.0, True, False, True)
        yield Piece("code", "", str(number), cell)
