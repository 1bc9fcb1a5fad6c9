"""Reads the clocks and the memory of measured processes for a judge, which sees numbers alone.

While a function is measured, its process has one processor to itself: all other processes of its box are
stopped, and it can start no more. A limit on processes does not hold for root; processes that are started all
the same share the processor, and the sample is then at least the elapsed time.
"""

import contextlib
import math
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

from examiner.box import meter
from examiner.errors import PlatformFault
from examiner.examine.baselines import Baselines
from examiner.judge.bench import CANDIDATE, Memory, Sample
from examiner.judge.lost import CandidateLost
from examiner.verdict import Outcome
from examiner.wire.channel import Channel, ChannelClosed, FrameKind, nonce
from examiner.wire.codec import encode
from examiner.wire.limits import WireError

MOST_SIDES: Final = 8  # of one measurement
_PING: Final = encode(("value", False, (0,), []))  # a snapshot answers with the 0
_PONG: Final = encode(0)


class BoxControl(Protocol):
    """Control of the processes of a box, from outside."""

    def processes(self) -> Sequence[int]:
        """Return the ids of all of them, in our namespace."""

    def forbid_more(self, process: int) -> None:
        """Keep one of them from starting any more processes."""


@dataclass
class MeasuredProcess:
    """A snapshot that is measured, and the other processes of its box, which are stopped.

    Parameters
    ----------
    channel : Channel
        The connection to it. The judge uses it too; never both at a time.
    number : int
        The id of its process, in our namespace.
    had : int
        Bytes of memory that it shared with no process before the student's code was called in it.
    """

    channel: Channel
    box: BoxControl
    number: int
    had: int
    stopped: Collection[int] = ()
    last: float = math.nan
    others: tuple[float, ...] = ()
    is_bounded: bool = True
    program: meter.Program | None = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let it run alone on one processor in the block; no process can join it."""
        self.box.forbid_more(self.number)
        with (
            meter.alone(self.number, self.box.processes, meter.a_processor()) as self.stopped,
            contextlib.closing(self._opened_program()) as self.program,
        ):
            self.last, self.others = meter.cpu(self.number), self._clocks()
            self.is_bounded = meter.is_bounded(self.number)
            yield

    def sample(self) -> Sample:
        """Return the CPU seconds since the sample before; CandidateLost if another process ran meanwhile."""
        meter.rest(self.number)
        now, before = meter.cpu(self.number), self.last
        self.last = now
        if math.isnan(now):
            raise CandidateLost(Outcome.CRASHED, "the measured process ended")
        if self._clocks() != self.others:
            raise CandidateLost(
                Outcome.TAMPERED, "another process of its box ran while this one was measured"
            )
        return Sample(now - before, self.is_bounded)

    def memory(self, used: Sequence[int]) -> Memory:
        """Return what memory it has; `used` says how much of its two shared blocks messages have used.

        Raises
        ------
        CandidateLost
            If it is no longer the program that it was: the peak of the one before is forgotten.
        """
        if self.program is None or not self.program.runs():
            raise CandidateLost(Outcome.TAMPERED, "the measured process has ended or runs another program")
        share = meter.share(self.number)
        return Memory(
            resident=meter.resident(self.number),
            anonymous=meter.own(self.number),
            peak=meter.peak(self.number),
            common=share.common,
            alone=share.alone,
            had=self.had,
            elsewhere=self._elsewhere(used),
        )

    def _opened_program(self) -> meter.Program:
        try:
            return meter.Program(self.number)
        except OSError as error:
            raise CandidateLost(Outcome.CRASHED, "the measured process ended") from error

    def _elsewhere(self, used: Sequence[int]) -> int:
        blocks = [block for block in (self.channel.incoming, self.channel.outgoing) if block]
        exempt = [os.fstat(block.descriptor) for block in blocks]
        unexplained = sum(block.unexplained(high) for block, high in zip(blocks, used, strict=True))
        return meter.elsewhere(self.number, exempt) + unexplained

    def _clocks(self) -> tuple[float, ...]:
        """Return the CPU seconds of each stopped process, or -1 if it ended."""
        clocks = map(meter.cpu, self.stopped)
        return tuple(-1.0 if math.isnan(clock) else clock for clock in clocks)


class BoxInstruments:
    """The instruments for one grade cell; leaving the context ends what they have begun.

    Parameters
    ----------
    channel, box
        The connection to the student's snapshot, and the control of its box.
    baselines : Baselines
        Boxes for the instructor's functions.
    definitions : str
        The text in which they are defined.
    deadline : float
        When the cell's time is over, in seconds of the monotonic clock.
    """

    def __init__(
        self, channel: Channel, box: BoxControl, baselines: Baselines, definitions: str, deadline: float
    ) -> None:
        self._channel, self._box, self._baselines = channel, box, baselines
        self._definitions, self._deadline = definitions, deadline
        self._student: MeasuredProcess | None = None
        self._sides: dict[int, MeasuredProcess] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def begin(self) -> None:
        """Note which process the student's snapshot is, and how much memory it has."""
        self._student = self._measured(self._channel, self._box)

    def open_baseline(self, side: int) -> Channel:
        """Open a fresh snapshot in which the baselines are defined."""
        if not CANDIDATE < side < MOST_SIDES or side in self._sides:
            raise CandidateLost(Outcome.INFRASTRUCTURE, "the judge asked for an invalid side")
        try:
            opened = self._baselines.opened(self._definitions)
            channel, box = self._stack.enter_context(opened)
            self._sides[side] = self._measured(channel, box)
        except PlatformFault as fault:
            raise CandidateLost(Outcome.INFRASTRUCTURE, str(fault)) from fault
        return channel

    def enter(self, side: int) -> None:
        """Let the process of a side run alone in its box, on one processor, until `leave`."""
        if side == CANDIDATE:
            self._sides[side] = self._same_student()
        self._stack.enter_context(self._side(side).alone())

    def leave(self) -> None:
        """End all baselines, and let all processes go on."""
        self._sides.clear()
        self._stack.close()

    def sample(self, side: int) -> Sample:
        """Read the clock of a side."""
        return self._side(side).sample()

    def reset_peak(self, side: int) -> None:
        """Reset the peak of a side's memory."""
        meter.reset_peak(self._side(side).number)

    def memory(self, side: int, incoming: int, outgoing: int) -> Memory:
        """Read the memory of a side."""
        return self._side(side).memory((incoming, outgoing))

    def _side(self, side: int) -> MeasuredProcess:
        if side not in self._sides:
            raise CandidateLost(Outcome.INFRASTRUCTURE, "the judge asked for a side that is not open")
        return self._sides[side]

    def _same_student(self) -> MeasuredProcess:
        number = process_behind(self._channel, self._deadline)
        if self._student is None or number != self._student.number:
            fact = "another process answers now than when the cell began"
            raise CandidateLost(Outcome.TAMPERED, fact)
        return self._student

    def _measured(self, channel: Channel, box: BoxControl) -> MeasuredProcess:
        number = process_behind(channel, self._deadline)
        return MeasuredProcess(channel, box, number, meter.share(number).alone)


def process_behind(channel: Channel, deadline: float) -> int:
    """Return the id of the process that answers on a channel, in our namespace, as Linux reports it.

    Raises
    ------
    CandidateLost
        If there is no answer, or an invalid one.
    """
    number = nonce()
    channel.name_senders(wanted=True)
    try:
        channel.send(FrameKind.REQUEST, number, _PING, deadline)
        sender = channel.sender(deadline)
        frame = channel.receive(deadline)
        is_answer = frame == (FrameKind.VALUE, number, _PONG)
    except TimeoutError as error:
        raise CandidateLost(Outcome.TIMEOUT, str(error)) from error
    except ChannelClosed as error:
        raise CandidateLost(Outcome.CRASHED, str(error)) from error
    except WireError as error:
        raise CandidateLost(Outcome.TAMPERED, str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            channel.name_senders(wanted=False)
    if not is_answer:
        raise CandidateLost(Outcome.TAMPERED, "the candidate sent an invalid answer")
    return sender
