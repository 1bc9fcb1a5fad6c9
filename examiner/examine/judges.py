"""The trusted end of judges: starts one for a submission, has it run grade cells, and takes its verdicts.

A judge that is lost costs the cell that it ran; another one is started for the cells after it.
"""

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self

from examiner.box.limits import ResourceLimits
from examiner.errors import AuthorFault
from examiner.examine.instruments import BoxInstruments
from examiner.examine.program import judge_program
from examiner.examine.server import ANSWER_SECONDS, SandboxSettings, WarmServer, write_file
from examiner.judge.cell import MEASURING_SECONDS, lost_verdict
from examiner.judge.compile import GradeCell
from examiner.judge.lent import AuthorError
from examiner.judge.lost import CandidateLost
from examiner.judge.work import INSTRUMENTS, OPENS, VERDICT_LIMITS, JudgedAssignment, JudgeFrame
from examiner.notebook import parse
from examiner.plain import from_plain
from examiner.verdict import Outcome, Verdict
from examiner.wire.channel import Channel, ChannelClosed
from examiner.wire.codec import decode, encode
from examiner.wire.limits import WireError

SLOTS: Final = 8  # assignments that a server has ready at a time
PREPARE_SECONDS: Final = 300.0  # for the locked cells of a whole assignment
ENDING_SECONDS: Final = 5.0  # for a judge to end a cell by itself when its time is over
_NAMED: Final = "the grade cell", "the locked cell"
_TOO_LARGE: Final = CandidateLost(Outcome.OUT_OF_MEMORY, "the grade cell used too much memory")


class BadLockedCell(AuthorFault):
    """What a locked cell computes ends, fills or stops the process that runs it, or cannot be computed."""

    @classmethod
    def at(cls, assignment: JudgedAssignment, stop: "Stop") -> Self:
        """Return the fault of a place in an assignment."""
        cell = parse(json.loads(assignment.notebook), Path("the instructor's notebook")).cells[stop.cell]
        place = f"the instructor's notebook, locked cell {cell.grade_id or cell.id}, line {stop.line}"
        return cls(place, stop.fact, "correct the cell: it is run before any student's work")


@dataclass(frozen=True)
class Stop:
    """Where a rehearsal of locked cells stopped, and why; a loss is one of the process."""

    cell: int
    line: int
    fact: str
    is_loss: bool = False


@dataclass(frozen=True)
class Rehearsal:
    """How locked cells are run for the first time.

    Parameters
    ----------
    limits : ResourceLimits
        What a judge may use.
    seconds : float
        How long a statement may take.
    refuses_failures : bool
        Whether what a grade cell needs may not fail. If it may, each such cell fails with it: so the gate
        finds out which cells only a kernel can judge.
    """

    limits: ResourceLimits
    seconds: float
    refuses_failures: bool = True


class JudgeServer(WarmServer):
    """The server of judges.

    Parameters
    ----------
    settings : SandboxSettings
        The sandbox that the students' code runs in; judges have its Python and its walls.
    reference : module, optional
        The module that hidden tests use as `reference`.
    """

    def __init__(self, settings: SandboxSettings, reference: ModuleType | None) -> None:
        super().__init__(settings, judge_program(reference))
        self._slots: list[JudgedAssignment | None] = []
        self._unfit: tuple[JudgedAssignment, BadLockedCell] | None = None
        self._oldest = 0

    def slot(self, assignment: JudgedAssignment, rehearsal: Rehearsal) -> int:
        """Return the number by which judges know an assignment; it is prepared when it comes first.

        Raises
        ------
        BadLockedCell
            If a locked cell of it ends or fails whoever runs it.
        """
        if assignment in self._slots:
            return self._slots.index(assignment)
        if self._unfit and self._unfit[0] == assignment:
            raise BadLockedCell(*self._unfit[1].parts)
        number = self._free_slot()
        self._slots[number : number + 1] = [None]  # what was there is forgotten, whatever comes of this one
        self._prepare(number, assignment, rehearsal)
        self._slots[number] = assignment
        self._oldest = (number + 1) % SLOTS
        return number

    def _free_slot(self) -> int:
        """Return the number of a slot that is not used, or of the oldest."""
        if None in self._slots:
            return self._slots.index(None)
        return len(self._slots) if len(self._slots) < SLOTS else self._oldest

    def _prepare(self, slot: int, assignment: JudgedAssignment, rehearsal: Rehearsal) -> None:
        file = os.memfd_create("assignment")
        try:
            write_file(file, assignment.to_bytes())
            is_risky = self.request(b"prepare %d" % slot, [file], b"prepared", PREPARE_SECONDS) == b"1"
        finally:
            os.close(file)
        if is_risky and (fault := self._rehearsed(slot, assignment, rehearsal)):
            self._unfit = assignment, fault
            raise fault
        self.request(b"compute %d" % slot, [], b"computed", PREPARE_SECONDS)

    def _rehearsed(
        self, slot: int, assignment: JudgedAssignment, rehearsal: Rehearsal
    ) -> "BadLockedCell | None":
        """Have a judge run the locked cells; return what is wrong with them.

        Who is lost may have been taken by the machine: that is the cells' fault if the next one is lost, too.
        """
        stop = _rehearse(self, slot, rehearsal)
        if stop and stop.is_loss:
            stop = _rehearse(self, slot, rehearsal)
        if stop is None or not (stop.is_loss or rehearsal.refuses_failures):
            return None
        return BadLockedCell.at(assignment, stop)


@dataclass
class _Process:
    """A judge that runs: its pidfd, and our ends of its two sockets."""

    pidfd: int
    control: Channel
    passing: socket.socket

    @classmethod
    def start(cls, server: JudgeServer, limits: bytes) -> Self:
        """Start a judge; its messages and the descriptors of connections come by two sockets."""
        pairs = socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pidfd = server.launch(limits, [theirs.fileno() for _, theirs in pairs])
        except BaseException:
            for ours, _ in pairs:
                ours.close()
            raise
        finally:
            for _, theirs in pairs:
                theirs.close()
        (messages, _), (passing, _) = pairs
        return cls(pidfd, Channel(messages, limits=VERDICT_LIMITS), passing)

    def pass_on(self, channel: Channel) -> None:
        """Give it a connection, which it closes when it is done."""
        socket.send_fds(self.passing, [b"\0"], channel.descriptors())

    def send(self, kind: JudgeFrame, value: Any) -> None:
        """Send a message."""
        payload = encode(value, limits=VERDICT_LIMITS)
        self.control.send(kind, 0, payload, time.monotonic() + ANSWER_SECONDS)

    def told(self, deadline: float) -> Any:
        """Return where a rehearsal is; None if it is over."""
        frame = self.control.receive(deadline)
        message = decode(frame.payload, limits=VERDICT_LIMITS)
        match message:
            case None | (int(), int(), str()) if frame.kind == JudgeFrame.AT:
                return message
        raise WireError("a message of an unknown kind")

    def end(self, server: JudgeServer) -> None:
        """End it, and all that it started."""
        self.control.close()
        self.passing.close()
        server.end(self.pidfd)


class JudgeRun:
    """The judges of one submission, of which one runs at a time.

    Parameters
    ----------
    slot : int
        The assignment, as the server knows it.
    limits : ResourceLimits
        What a judge may use.
    seconds : float
        For each cell, and for each answer of the candidate.
    open_instruments : callable
        Returns the instruments for a cell and the channel to its snapshot.
    sources : callable
        Returns, by grade_id, the texts of the code cells before a cell, as they were handed in.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that is the same for each cell
        self,
        server: JudgeServer,
        slot: int,
        limits: ResourceLimits,
        seconds: float,
        open_instruments: Callable[[GradeCell, Channel], BoxInstruments],
        sources: Callable[[str], tuple[str, ...]] = lambda _: (),
    ) -> None:
        self._server, self._slot, self._seconds = server, slot, seconds
        self._open_instruments, self._sources = open_instruments, sources
        self._limits = json.dumps(asdict(limits)).encode()
        self._process: _Process | None = _Process.start(server, self._limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def judge(self, cell: GradeCell, channel: Channel, seed: str) -> Verdict:
        """Return the verdict on a cell, against the snapshot that a channel is connected to.

        Raises
        ------
        BrokenServer
            If the server of judges failed.
        """
        process = self._process = self._process or _Process.start(self._server, self._limits)
        kills, seconds = self._server.memory_kills(), self._seconds
        sources = self._sources(cell.grade_id) if cell.reads_sources else ()
        deadline = time.monotonic() + seconds + (MEASURING_SECONDS if cell.is_timed else 0) + ENDING_SECONDS
        try:
            process.pass_on(channel)
            process.send(JudgeFrame.JUDGE, (self._slot, cell.grade_id, seed, seconds, sources))
            with self._open_instruments(cell, channel) as instruments:
                verdict = _verdict(cell, seed, _reported(process, instruments, deadline))
            if self._server.memory_kills() == kills:
                return verdict
            lost = _TOO_LARGE
        except (TimeoutError, OSError, WireError, ValueError, TypeError) as error:
            self._server.check()
            lost = _TOO_LARGE if self._server.memory_kills() > kills else _lost(error)
        self._end()
        return lost_verdict(cell, seed, lost)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process:
            process.end(self._server)


def _rehearse(server: JudgeServer, slot: int, rehearsal: Rehearsal) -> Stop | None:
    """Run the locked cells in a judge; return where it stopped, or what failed first.

    Raises
    ------
    BrokenServer
        If the server ended.
    """
    process = _Process.start(server, json.dumps(asdict(rehearsal.limits)).encode())
    kills, at, failed = server.memory_kills(), (0, 1, ""), None
    try:
        process.send(JudgeFrame.REHEARSE, (slot, "", "", rehearsal.seconds, ()))
        while message := process.told(time.monotonic() + rehearsal.seconds + ENDING_SECONDS):
            at = message
            failed = failed or (at if at[2] else None)
        if server.memory_kills() == kills:
            return failed and Stop(*failed)
        lost = _TOO_LARGE
    except (TimeoutError, OSError, WireError, ValueError, TypeError) as error:
        server.check()
        lost = _TOO_LARGE if server.memory_kills() > kills else _lost(error)
    finally:
        process.end(server)
    return Stop(*at[:2], f"it cannot be run: {lost.fact.replace(*_NAMED)}", is_loss=True)


def _lost(error: Exception) -> CandidateLost:
    """Return how a judge was lost, by what came instead of its verdict."""
    if isinstance(error, TimeoutError):
        return CandidateLost(Outcome.TIMEOUT, "the grade cell did not end in time")
    if isinstance(error, ChannelClosed | OSError):
        return CandidateLost(Outcome.CRASHED, "the process that ran the grade cell ended")
    return CandidateLost(Outcome.CRASHED, f"the judge sent an invalid verdict: {error}")


def _reported(process: _Process, instruments: BoxInstruments, deadline: float) -> Any:
    """Return what a judge reports of its verdict; answer meanwhile what it asks of the instruments."""
    while True:
        frame = process.control.receive(deadline)
        message = decode(frame.payload, limits=VERDICT_LIMITS)
        if frame.kind == JudgeFrame.VERDICT:
            return message
        if frame.kind != JudgeFrame.ASK:
            raise WireError("a message of an unknown kind")
        _answer(process, instruments, message)


def _answer(process: _Process, instruments: BoxInstruments, message: Any) -> None:
    match message:
        case (str(wish), tuple(args)) if wish in INSTRUMENTS and all(type(arg) is int for arg in args):
            pass
        case _:
            raise WireError("a request that is not listed")
    try:
        answer = getattr(instruments, wish)(*args)
    except CandidateLost as lost:
        process.send(JudgeFrame.LOST, (str(lost.outcome), lost.fact))
    except AuthorError as error:
        process.send(JudgeFrame.REFUSED, str(error))
    else:
        if wish == OPENS:
            process.pass_on(answer)
            answer = None
        process.send(JudgeFrame.ANSWER, tuple(answer) if isinstance(answer, tuple) else answer)


def _verdict(cell: GradeCell, seed: str, data: Any) -> Verdict:
    """Return the verdict that a judge reports, for the cell that it was asked about."""
    if not isinstance(data, dict):
        raise WireError("a verdict that is no dict")
    known = {"grade_id": cell.grade_id, "max_points": cell.points, "mode": str(cell.mode), "seed": seed}
    return from_plain(data | known, Verdict)
