"""A student's process: runs a notebook's cells in order, and leaves a snapshot of itself at each grade cell.

It shares an interpreter with the student's code, so its reports are not trusted: they serve the feedback,
never a verdict.
"""

import _signal  # type: ignore[import-not-found]  # see ALARM below
import base64
import contextlib
import json
import os
import random
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import numpy as np

from examiner.box import syscalls
from examiner.box.box import Box
from examiner.box.policy import SHARED_FROM
from examiner.candidate.recording import RecordingShell, Stream, error_output
from examiner.candidate.snapshot import Snapshot
from examiner.candidate.work import EVENT, FOREVER, REPORT_LIMITS, Role, Work
from examiner.wire.channel import Channel
from examiner.wire.codec import decode

EVENT_LIMIT: Final = 4_000_000  # bytes of the report of one cell
AGAIN_SECONDS: Final = 0.25  # between the interrupts of a cell that does not end
TOO_LATE: Final = "the cell was not done in the time that a cell may take"

# Plain ints, for the C functions in `_signal`: each enum of `signal` would cost a copied page.
ALARM: Final = int(signal.SIGALRM)
IGNORE: Final = int(signal.SIG_IGN)


class CellTimeout(BaseException):  # students see it by this name; `except Exception` does not catch it
    """The cell exceeded its time limit."""


def run_candidate(shell: RecordingShell, box: Box, descriptors: Sequence[int]) -> None:
    """Run a notebook in this process.

    Parameters
    ----------
    shell : RecordingShell
        The shell that the cells run in.
    box : Box
        What this process is in.
    descriptors : sequence of int
        A file with the encoded `Work`; the control socket, for reports; then three for each cell that is
        graded: a socket and the shared memory of either direction.
    """
    with open(descriptors[0], "rb") as file:  # noqa: PTH123 - a descriptor
        work = Work.from_bytes(file.read())
    control = Channel(socket.socket(fileno=descriptors[1]), limits=REPORT_LIMITS)
    CandidateRun(shell, work, control, descriptors[2:], box).run()


@dataclass(frozen=True)
class Waiting:
    """A snapshot that waits for its first request: the number of its cell, the cell's role, its channel.

    `later` are the names that were bound after its cell and before it was left.
    """

    number: int
    role: Role
    channel: Channel
    later: list[str] = field(default_factory=list)


class CandidateRun:
    """One run of a notebook, from its first cell to its last.

    All of the student's cells run before the first snapshot gets a request, so that nothing that it learns
    can come into what they print.
    """

    def __init__(
        self,
        shell: RecordingShell,
        work: Work,
        control: Channel,
        descriptors: Sequence[int],
        box: Box,
    ) -> None:
        self.shell, self.work, self.control, self.box = shell, work, control, box
        channels = [Channel.from_descriptors(*descriptors[n : n + 3]) for n in range(0, len(descriptors), 3)]
        graded = [(n, role) for n, (role, _) in enumerate(work.cells) if role is not Role.PLAIN]
        self.snapshots = [Waiting(*cell, channel) for cell, channel in zip(graded, channels, strict=True)]
        self.put_off: list[Waiting] = []
        self.streams: list[Stream] = []

    def run(self) -> None:
        """Run all cells, unless the student's code ends the process."""
        if self.work.measures:
            self._keep_memory_visible()
        self._prepare()
        cells = self.work.cells
        last = max((n for n, (role, source) in enumerate(cells) if role is Role.PLAIN or source), default=-1)
        for number, (role, source) in enumerate(cells[: last + 1]):
            if role is Role.PLAIN:
                self._before_cell(number)
                with _kept_alive():
                    self._run_cell(number, source, self.control, nonce=0)
            elif role is Role.EXAMINED and self.work.defining and not source:
                self._put_off(self.snapshots.pop(0))
            else:
                if source:  # before the report of this cell, as that of the last cell ends the conversation
                    self._leave_those_put_off()
                self._leave_snapshot(self.snapshots.pop(0))
                if source and number < len(cells) - 1:
                    self._execute(number, source)
        for waiting in self.snapshots:
            _report_snapshot(self.control, waiting.number, os.getpid())
        self._serve([*self.put_off, *self.snapshots])

    def _put_off(self, waiting: Waiting) -> None:
        """Leave the snapshot of a cell only before another cell may change what it will see."""
        _report_snapshot(self.control, waiting.number, os.getpid())
        self.put_off.append(waiting)

    def _before_cell(self, number: int) -> None:
        """Leave the snapshots that were put off, unless a cell only defines names that are new.

        Those are taken out of a snapshot again, so it sees the same as if it had been left in its place.
        """
        names = self.work.defining.get(number)
        if names is None or not self.shell.user_ns.keys().isdisjoint(names):
            self._leave_those_put_off()
        for waiting in self.put_off:
            waiting.later.extend(names or ())

    def _leave_those_put_off(self) -> None:
        """Fork one process that waits for all of them, and report it in place of this one."""
        moved, self.put_off = self.put_off, []
        if not moved:
            return
        numbers = [waiting.number for waiting in moved]
        try:
            child = self._fork_waiting(moved)
        except OSError as error:  # the student's code has used up the limit on processes
            _report(self.control, 0, {"moved": numbers, "trouble": str(error)})
        else:
            _report(self.control, 0, {"moved": numbers, "process": child})

    def _keep_memory_visible(self) -> None:
        """Have the student's code hold no memory that is not seen; only ours is mapped as shared."""
        for waiting in self.snapshots:
            waiting.channel.move_blocks(SHARED_FROM)
        self.box.keep_memory_visible()

    def _prepare(self) -> None:
        """Write the files, and set the environment, the seeds and the streams."""
        for name, content in self.work.files.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        os.environ.update(self.work.environment)
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds text
        sys.dont_write_bytecode = True
        random.seed(self.work.seed)
        np.random.seed(self.work.seed % (1 << 32))  # noqa: NPY002 - students use the global generator
        self.shell.InteractiveTB.set_mode(self.work.tracebacks)
        self._open_streams()

    def _open_streams(self) -> None:
        """Record from now on what is printed, and what is written to descriptors 1 and 2."""
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            file = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_APPEND, 0o600)
            os.dup2(file, descriptor)
            os.close(file)
            self.streams.append(Stream(self.shell.recorder, name, descriptor))
            setattr(sys, name, self.streams[-1])

    def _run_cell(self, number: int, source: str, channel: Channel, nonce: int) -> None:
        """Run one cell; report its outputs, and earlier ones that it changed."""
        timed_out = self._execute(number, source)
        outputs = self.shell.recorder.take_changed()
        if not any(outputs.values()):
            _report_no_outputs(channel, nonce, number, outputs)
            return
        _report(channel, nonce, {"cell": number, "timed_out": timed_out, "outputs": outputs})

    def _execute(self, number: int, source: str) -> bool:
        """Run one cell within its time limit; return whether it exceeded that."""
        recorder, shell = self.shell.recorder, self.shell
        recorder.open(number)
        started = time.monotonic()
        try:
            _signal.signal(ALARM, _interrupt)
            signal.setitimer(signal.ITIMER_REAL, self.work.seconds, AGAIN_SECONDS)
            try:
                shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                _signal.signal(ALARM, IGNORE)
        except CellTimeout as timeout:  # it was raised after IPython had finished the cell
            recorder.add(error_output("CellTimeout", str(timeout)))
        for stream in self.streams:
            stream.collect()
        timed_out = any(output.get("ename") == "CellTimeout" for output in recorder.cells[number])
        if not timed_out and time.monotonic() - started > self.work.seconds:  # the cell caught the exception
            recorder.add(error_output("CellTimeout", TOO_LATE))
            timed_out = True
        return timed_out

    def _leave_snapshot(self, waiting: Waiting) -> None:
        """Fork a process that waits until this cell is examined, and report it."""
        try:
            child = self._fork_waiting([waiting])
        except OSError as error:  # the student's code has used up the limit on processes
            _report(self.control, 0, {"cell": waiting.number, "trouble": str(error)})
        else:
            _report_snapshot(self.control, waiting.number, child)

    def _fork_waiting(self, waiting: Sequence[Waiting]) -> int:
        """Fork a process that waits until some cells are examined; return its number."""
        child = syscalls.fork()
        if child == 0:
            os.setpgid(0, 0)  # so that signals to its group reach no other snapshot
            self._serve(waiting, [*self.put_off, *self.snapshots])
            os._exit(0)
        for snapshot in waiting:
            snapshot.channel.close_all()
        return child

    def _serve(self, waiting: Sequence[Waiting], others: Sequence[Waiting] = ()) -> None:
        """Wait for requests, and answer those of each cell in a process of its own.

        Each is a fork of this one. The last is this process itself, as it has nothing left to do, unless it
        has to share its memory with its snapshot.
        """
        # Nonsense on the other channels would spoil other cells; and while a snapshot holds them open, the
        # examiner does not notice that the student's process has ended.
        self.control.close()
        for other in others:
            other.channel.close_all()
        left = {snapshot.channel.sock.fileno(): snapshot for snapshot in waiting}
        while left:
            asked = left.pop(_first_readable(left))
            if not (left or self.work.measures):
                self._be_snapshot(asked)
            elif (child := syscalls.fork()) == 0:
                for other in left.values():
                    other.channel.close_all()
                self._be_snapshot(asked)
                os._exit(0)
            else:
                asked.channel.close_all()
                os.waitpid(child, 0)

    def _be_snapshot(self, asked: Waiting) -> None:
        self.box.keep_signals_inside()
        for name in asked.later:
            self.shell.user_ns.pop(name, None)
        if asked.role is Role.EXAMINED:
            os.dup2(0, 1)
            os.dup2(0, 2)
            Snapshot(asked.channel, self.shell.user_ns).serve()
            return
        self.streams.clear()
        self._open_streams()
        frame = asked.channel.receive(time.monotonic() + FOREVER)
        source, environment = decode(frame.payload)
        os.environ.update(environment)
        self.shell.recorder.changed.clear()
        self._run_cell(asked.number, source, asked.channel, frame.nonce)


@contextlib.contextmanager
def _kept_alive() -> Iterator[None]:
    """Have `os._exit` end a cell and not the process, as `sys.exit` does; processes that it forks can end."""
    end, process = os._exit, os.getpid()

    def leave(status: int) -> NoReturn:
        if os.getpid() != process or os._exit is not leave:  # in a snapshot, or kept until the cell was over
            end(status)
        raise SystemExit(status)

    os._exit = leave
    try:
        yield
    finally:
        os._exit = end


def _first_readable(descriptors: Iterable[int]) -> int:
    """Return the first of some sockets on which there is a message, or the other end of which is closed."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return poll.poll()[0][0]


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise CellTimeout(TOO_LATE)


def _report(channel: Channel, nonce: int, event: dict[str, Any]) -> None:
    """Send an event; if it is too long, all its outputs are replaced by an error that says so."""
    text = json.dumps(event, ensure_ascii=False, default=_plain).encode("utf-8", "replace")
    if len(text) > EVENT_LIMIT:
        left_out = [error_output("OutputLimit", f"outputs of more than {EVENT_LIMIT:,} bytes were left out")]
        event["outputs"] = dict.fromkeys(event["outputs"], left_out)
        text = json.dumps(event).encode()
    _send(channel, nonce, text)


def _report_no_outputs(channel: Channel, nonce: int, number: int, silent: Iterable[int]) -> None:
    """Send the event of a cell without outputs; most are such, so the slow JSON encoder is avoided."""
    empty = ", ".join([f'"{cell}": []' for cell in silent])
    _send(channel, nonce, f'{{"cell": {number}, "outputs": {{{empty}}}}}'.encode())


def _report_snapshot(control: Channel, number: int, process: int) -> None:
    """Report that a process waits to be examined for a cell."""
    _send(control, 0, f'{{"cell": {number}, "process": {process}}}'.encode())


def _send(channel: Channel, nonce: int, text: bytes) -> None:
    with contextlib.suppress(TimeoutError):
        channel.send(EVENT, nonce, text, time.monotonic() + FOREVER)


def _plain(value: object) -> str:
    """Return text for a value that JSON has no type for: bytes in base64, as notebooks do, others by repr."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else repr(value)
