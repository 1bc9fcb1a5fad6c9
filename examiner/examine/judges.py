"""The trusted end of judges: starts one for a submission, has it run grade cells, and takes its verdicts.

A judge that is lost costs the cell that it ran; another one is started for the cells after it.
"""

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, Final, Self

from examiner.box.limits import ResourceLimits
from examiner.examine.instruments import BoxInstruments
from examiner.examine.program import judge_program
from examiner.examine.server import ANSWER_SECONDS, SandboxSettings, WarmServer, write_file
from examiner.judge.cell import MEASURING_SECONDS, lost_verdict
from examiner.judge.compile import GradeCell
from examiner.judge.lent import AuthorError
from examiner.judge.lost import CandidateLost
from examiner.judge.work import INSTRUMENTS, OPENS, VERDICT_LIMITS, JudgedAssignment, JudgeFrame
from examiner.plain import from_plain
from examiner.verdict import Outcome, Verdict
from examiner.wire.channel import Channel, ChannelClosed
from examiner.wire.codec import decode, encode
from examiner.wire.limits import WireError

SLOTS: Final = 8  # assignments that a server has ready at a time
PREPARE_SECONDS: Final = 300.0  # for the locked cells of a whole assignment
ENDING_SECONDS: Final = 5.0  # for a judge to end a cell by itself when its time is over
_TOO_LARGE: Final = CandidateLost(Outcome.OUT_OF_MEMORY, "the grade cell used too much memory")


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
        self._slots: list[JudgedAssignment] = []
        self._oldest = 0

    def slot(self, assignment: JudgedAssignment) -> int:
        """Return the number by which judges know an assignment; it is prepared when it comes first."""
        if assignment in self._slots:
            return self._slots.index(assignment)
        number = len(self._slots) if len(self._slots) < SLOTS else self._oldest
        self._prepare(number, assignment)
        self._slots[number : number + 1] = [assignment]
        self._oldest = (number + 1) % SLOTS
        return number

    def _prepare(self, slot: int, assignment: JudgedAssignment) -> None:
        file = os.memfd_create("assignment")
        try:
            write_file(file, assignment.to_bytes())
            self.request(b"prepare %d" % slot, [file], b"prepared", PREPARE_SECONDS)
        finally:
            os.close(file)


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

    def close(self) -> None:
        """Close our ends."""
        self.control.close()
        self.passing.close()


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
    """

    def __init__(
        self,
        server: JudgeServer,
        slot: int,
        limits: ResourceLimits,
        seconds: float,
        open_instruments: Callable[[GradeCell, Channel], BoxInstruments],
    ) -> None:
        self._server, self._slot, self._seconds = server, slot, seconds
        self._open_instruments = open_instruments
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
        deadline = time.monotonic() + seconds + (MEASURING_SECONDS if cell.measures else 0) + ENDING_SECONDS
        try:
            process.pass_on(channel)
            process.send(JudgeFrame.JUDGE, (self._slot, cell.grade_id, seed, seconds))
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
            process.close()
            self._server.end(process.pidfd)


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
