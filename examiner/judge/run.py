"""A judge: a boxed process that runs the grade cells of one submission, and is gone afterwards.

It holds the hidden tests and the reference, and nothing else that a student must not see: no file of the
course, no seed but that of the cell that runs, no other student's work. What it reports is a bounded, plain
verdict for each cell.
"""

import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from examiner.candidate.work import FOREVER
from examiner.judge.assignments import PreparedAssignment
from examiner.judge.bench import BoxedBench, Memory, Sample
from examiner.judge.cell import Conditions, judge_cell
from examiner.judge.chance import Chance
from examiner.judge.clock import CellClock
from examiner.judge.compile import GradeCell
from examiner.judge.lent import AuthorError
from examiner.judge.lost import CandidateLost
from examiner.judge.namespace import Namespace
from examiner.judge.proxy import Remote
from examiner.judge.rehearsal import rehearse
from examiner.judge.restore import restored
from examiner.judge.work import OPENS, VERDICT_LIMITS, JudgeFrame, reported
from examiner.verdict import Outcome
from examiner.wire.channel import Channel, ChannelClosed
from examiner.wire.codec import decode, encode

CONNECTION: Final = 3  # descriptors: a socket, and the shared memory of either direction


class Judge:
    """Runs grade cells as the supervisor asks for them.

    Parameters
    ----------
    assignments : mapping from int to PreparedAssignment
        By the slot that the supervisor names.
    reference : module, optional
        The module that hidden tests use as `reference`.
    descriptors : sequence of int
        Two sockets: one for messages, one on which the descriptors of connections come.
    """

    def __init__(
        self,
        assignments: Mapping[int, PreparedAssignment],
        reference: ModuleType | None,
        descriptors: Sequence[int],
    ) -> None:
        messages, passing = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        self._control = Channel(messages, limits=VERDICT_LIMITS)
        self._passing = passing
        self._assignments, self._reference = assignments, reference
        self._laid: int | None = None

    def serve(self) -> None:
        """Run cells until the supervisor closes the connection."""
        while True:
            try:
                frame = self._control.receive(time.monotonic() + FOREVER)
            except ChannelClosed:
                return
            slot, grade_id, seed, seconds, sources = decode(frame.payload, limits=VERDICT_LIMITS)
            assignment = self._assignments[slot]
            if self._laid is None:
                lay_out(assignment.files)
                self._laid = slot
            if frame.kind == JudgeFrame.REHEARSE:
                rehearse(assignment.locked, self._reference, seconds, partial(self._send, JudgeFrame.AT))
                self._send(JudgeFrame.AT, None)
                continue
            cell, namespace = assignment.cells[grade_id]
            self._send(
                JudgeFrame.VERDICT, self._run(cell, namespace, seed, self._conditions(seconds, sources))
            )

    def _conditions(self, seconds: float, sources: tuple[str, ...]) -> Conditions:
        return Conditions(seconds, self._reference, self._open_bench, self._open_clock, sources)

    def _run(
        self, cell: GradeCell, namespace: Namespace, seed: str, conditions: Conditions
    ) -> dict[str, Any]:
        channel = self.received()
        try:
            with restored():
                return reported(judge_cell(cell, channel, seed, conditions, namespace))
        finally:
            channel.close_all()

    def _open_bench(self, cell: GradeCell, remote: Remote, chance: Chance) -> BoxedBench:
        return BoxedBench(cell, remote, AskedInstruments(self), chance, self._reference)

    def _open_clock(self, remote: Remote) -> CellClock:
        return CellClock(remote, AskedInstruments(self))

    def received(self) -> Channel:
        """Return the connection whose descriptors the supervisor has passed."""
        _, descriptors, _, _ = socket.recv_fds(self._passing, 1, CONNECTION)
        return Channel.from_descriptors(*descriptors)

    def ask(self, wish: str, *args: Any) -> Any:
        """Return what the instruments of the supervisor answer; raise what they raise."""
        self._send(JudgeFrame.ASK, (wish, args))
        frame = self._control.receive(time.monotonic() + FOREVER)
        answer = decode(frame.payload, limits=VERDICT_LIMITS)
        if frame.kind == JudgeFrame.LOST:
            outcome, fact = answer
            raise CandidateLost(Outcome(outcome), fact)
        if frame.kind == JudgeFrame.REFUSED:
            raise AuthorError(answer)
        return answer

    def _send(self, kind: JudgeFrame, value: Any) -> None:
        payload = encode(value, limits=VERDICT_LIMITS)
        self._control.send(kind, 0, payload, time.monotonic() + FOREVER)


class AskedInstruments:
    """The instruments of the supervisor, as a judge asks for them."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.begin = partial(judge.ask, "begin")
        self.enter = partial(judge.ask, "enter")
        self.leave = partial(judge.ask, "leave")
        self.reset_peak = partial(judge.ask, "reset_peak")

    def open_baseline(self, side: int) -> Channel:
        """Open a fresh snapshot in which the cell's baselines are defined, as this side."""
        self._judge.ask(OPENS, side)
        return self._judge.received()

    def sample(self, side: int) -> Sample:
        """Read the clock of a side."""
        return Sample(*self._judge.ask("sample", side))

    def memory(self, side: int, incoming: int, outgoing: int) -> Memory:
        """Read the memory of a side."""
        return Memory(*self._judge.ask("memory", side, incoming, outgoing))


def lay_out(files: Mapping[str, bytes]) -> None:
    """Write the instructor's files into the working folder, which is this judge's own, read-only."""
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o400)
