"""Measures a student's function and the instructor's, each in a box, from outside.

Both run in a snapshot behind the same wire, pinned to the same processor, while all other processes of their
boxes are stopped. A sample is the CPU time of the snapshot from the end of the previous sample until every
value of the answer has arrived, so neither work done in advance nor work put off is free. If another process
of the box runs meanwhile, or the snapshot calls back into the examiner, work would go uncounted: either ends
the cell. A limit on processes does not hold for root; processes that are started all the same share the
processor, and the sample is then at least the elapsed time.
"""

import contextlib
import math
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from statistics import median
from types import FunctionType, ModuleType
from typing import Any, Final, Protocol

from examiner.box import meter
from examiner.errors import PlatformFault
from examiner.judge.compile import LOCKED, OURS, GradeCell
from examiner.judge.lent import AuthorError
from examiner.judge.lost import CandidateLost
from examiner.judge.proxy import Proxy, Remote
from examiner.verdict import Outcome
from examiner.wire.shared_memory import SharedBlock
from examiner_checks.bench import Arguments, Function, Side, Timed
from examiner_checks.measured import Measured

SLACK: Final = 4 << 20  # bytes of shared memory that an interpreter writes to anyway, and so makes its own
CARRIED: Final = 5  # samples of the cost of carrying data to a snapshot and back
_ALONE: Final = (
    "a baseline runs in a box of its own: name a function that the cell defines by itself, or one of "
    "the reference; what it works on comes by `inputs`"
)


class BoxControl(Protocol):
    """Control of the processes of a box, from outside."""

    def processes(self) -> Sequence[int]:
        """Return the ids of all of them, in our namespace."""

    def forbid_more(self, process: int) -> None:
        """Keep one of them from starting any more processes."""


class BaselineSource(Protocol):
    """Boxes for the instructor's functions."""

    def opened(self, text: str, deadline: float) -> AbstractContextManager[tuple[Remote, BoxControl]]:
        """Yield the connection to a fresh snapshot in which this text has run, and the control of its box.

        Raises
        ------
        AuthorError
            If the text cannot be run by itself.
        """


@dataclass
class BoxedFunction:
    """A function in a snapshot.

    Parameters
    ----------
    remote : Remote
        The connection to the snapshot.
    process : int
        The id of its process, in our namespace.
    function : callable
        A proxy of a function there, or a function of the cell that calls one.
    had : int
        Bytes of memory that it shared with no process before the student's code was called in it.
    stopped : collection of int
        The other processes of its box.
    """

    remote: Remote
    process: int
    function: Function
    had: int
    stopped: Collection[int] = ()
    _last: float = float("nan")
    _others: tuple[float, ...] = ()
    _is_bounded: bool = True
    _keeps_freed: bool = False

    def __post_init__(self) -> None:
        self._last, self._others = meter.cpu(self.process), self._clocks()
        self._is_bounded = meter.is_bounded(self.process)

    def run(self, calls: Sequence[Arguments]) -> Timed:
        """Time calls of the function, one for each tuple of arguments; a proxy gets them in one request."""
        if not self._keeps_freed:
            self.remote.ask("keep freed")
            self._keeps_freed = True
        return self._run(calls)

    def _run(self, calls: Sequence[Arguments]) -> Timed:
        wall = time.perf_counter()
        with self.remote.without_questions():
            if type(self.function) is Proxy:
                answers = self.remote.ask("map", self.function, list(calls))
                answers = answers if type(answers) is list else [answers] * len(calls)
            else:
                answers = [self.function(*arguments) for arguments in calls]
        elapsed = time.perf_counter() - wall
        meter.rest(self.process)
        now, before = meter.cpu(self.process), self._last
        self._last = now
        if math.isnan(now):
            self.remote.lose(Outcome.CRASHED, "the measured process ended")
        if self._clocks() != self._others:
            self.remote.lose(Outcome.TAMPERED, "another process of its box ran while this one was measured")
        cpu = now - before if self._is_bounded else max(now - before, elapsed)
        return Timed(cpu, elapsed, answers)

    def _clocks(self) -> tuple[float, ...]:
        """Return the CPU seconds of each stopped process, or -1 if it ended."""
        clocks = map(meter.cpu, self.stopped)
        return tuple(-1.0 if math.isnan(clock) else clock for clock in clocks)

    def peak(self, arguments: Arguments) -> tuple[int, Any]:
        """Return by how many bytes memory rises at the peak of one call, and the answer of the call.

        Memory that the student's cells left behind counts if it is written to or freed, and memory that
        earlier calls left behind always counts: otherwise reused memory would be free.
        """
        self._give_back()
        meter.reset_peak(self.process)
        before = meter.resident(self.process)
        [answer] = self._run([arguments]).answers
        peak, share = meter.peak(self.process), meter.share(self.process)
        return max(0, peak - before, self._more(peak - share.common)), answer

    def held(self, arguments: Sequence[Arguments]) -> int:
        """Return by how many bytes memory rises while the answers to these calls are kept.

        Raises
        ------
        AuthorError
            If an answer is plain data, which is copied here instead of being kept there.
        """
        self._give_back()
        before = meter.own(self.process)
        answers = [self._kept(call) for call in arguments]
        self._give_back()  # this releases the last arguments, too
        after = meter.own(self.process)
        if any(type(answer) is not Proxy for answer in answers):
            self.remote.refuse(
                "held() measures objects that the student's process keeps: return the student's object"
            )
        return max(0, after - before, self._more(meter.share(self.process).alone))

    def _blocks(self) -> list[SharedBlock]:
        channel = self.remote.channel
        return [block for block in (channel.incoming, channel.outgoing) if block]

    def _give_back(self) -> None:
        self.remote.ask("give back")
        self._keeps_freed = False

    def _more(self, alone: int) -> int:
        """Return the growth of its own memory since before the first call, plus what is kept elsewhere."""
        blocks = self._blocks()
        exempt = [os.fstat(block.descriptor) for block in blocks]
        elsewhere = meter.elsewhere(self.process, exempt) + sum(block.unexplained() for block in blocks)
        return alone - self.had - SLACK + elsewhere

    def _kept(self, arguments: Arguments) -> Any:
        if type(self.function) is Proxy:
            return self.remote.ask("call", self.function, arguments, {}, by_ref=True)
        return self.function(*arguments)


class _Baseline(BoxedFunction):
    """A function of the instructor's; what it raises is the author's error."""

    def _run(self, calls: Sequence[Arguments]) -> Timed:
        try:
            return super()._run(calls)
        except Exception as error:
            raise AuthorError(f"the baseline raised {type(error).__name__}: {error}; {_ALONE}") from error


@dataclass
class BoxedBench:
    """Measures functions that run in boxes.

    Parameters
    ----------
    cell : GradeCell
        The cell whose functions are baselines.
    remote, box
        The connection to the student's snapshot, and the control of its box.
    baselines : BaselineSource
        Boxes for the baselines.
    reference : module, optional
        The reference, whose functions can be baselines too.

    Attributes
    ----------
    kept : list of Measured
        All that was measured.
    """

    cell: GradeCell
    remote: Remote
    box: BoxControl
    baselines: BaselineSource
    reference: ModuleType | None = None
    kept: list[Measured] = field(default_factory=list)
    _instructors: BoxedFunction | None = None
    _process: int = 0
    _had: int = 0

    def begin(self) -> None:
        """Note how much memory the snapshot has, before any of the student's code is called in it."""
        self._process = self.remote.process()
        self._had = meter.share(self._process).alone

    @contextlib.contextmanager
    def sides(self, *functions: Function) -> Iterator[tuple[Side, ...]]:
        """Yield the student's side, and one for each baseline."""
        candidate, *others = functions
        with contextlib.ExitStack() as stack:
            process, stopped = stack.enter_context(_boxed(self.remote, self.box))
            if process != self._process:
                self.remote.lose(Outcome.TAMPERED, "another process answers now than when the cell began")
            sides = [BoxedFunction(self.remote, process, candidate, self._had, stopped)]
            for baseline in others:
                self._instructors = stack.enter_context(self._opened(baseline))
                sides.append(self._instructors)
            yield tuple(sides)
        self._instructors = None

    @contextlib.contextmanager
    def _opened(self, baseline: Function) -> Iterator[BoxedFunction]:
        """Yield a baseline's side; unless it takes too long, its failures are ours or the author's."""
        remote: Remote | None = None
        try:
            with self.baselines.opened(self._text(), self.remote.deadline) as (remote, box):
                function = self._found(remote, baseline)
                with _boxed(remote, box) as (process, stopped):
                    had = meter.share(process).alone
                    yield _Baseline(remote, process, function, had, stopped)
        except PlatformFault as fault:
            self.remote.lose(Outcome.INFRASTRUCTURE, str(fault))
        except CandidateLost as lost:
            if remote is not None and remote.lost and lost.outcome is not Outcome.TIMEOUT:
                self.remote.lose(Outcome.INFRASTRUCTURE, f"the baseline's process was lost: {lost.fact}")
            self.remote.lose(lost.outcome, lost.fact)
        except AuthorError as error:
            self.remote.refuse(str(error))

    def carrying(self, calls: Sequence[Arguments], answers: Sequence[Any]) -> float:
        """Return the CPU seconds that a snapshot takes to receive these arguments and send these answers."""
        if self._instructors is None:
            return 0.0
        side, samples = self._instructors, []
        for _ in range(CARRIED):
            before = meter.cpu(side.process)
            side.remote.ask("carry", list(calls), list(answers))
            meter.rest(side.process)
            samples.append(meter.cpu(side.process) - before)
        side.run([])
        return median(samples)

    def keep(self, measured: Measured) -> None:
        """Keep what was measured."""
        self.kept.append(measured)

    def _text(self) -> str:
        """Return the source text that a baseline's box runs first."""
        named = "" if self.reference is None else f"import {self.reference.__name__} as reference\n"
        return named + self.cell.definitions

    def _found(self, remote: Remote, baseline: Function) -> Proxy:
        """Return a proxy of the baseline in its box.

        Raises
        ------
        AuthorError
            If it is neither a function of the cell nor one of the reference.
        """
        if isinstance(baseline, FunctionType) and "<" not in baseline.__qualname__:
            found = None
            if baseline.__code__.co_filename in {self.cell.file, LOCKED}:
                found = remote.ask("resolve", baseline.__name__).get(baseline.__name__)
            elif baseline.__module__.partition(".")[0] in self._packages():
                found = remote.ask("import", baseline.__module__)
                for name in baseline.__qualname__.split("."):
                    found = remote.ask("getattr", found, name)
            if type(found) is Proxy:
                return found
        raise AuthorError(_ALONE)

    def _packages(self) -> frozenset[str]:
        return OURS if self.reference is None else OURS | {self.reference.__name__}


@contextlib.contextmanager
def _boxed(remote: Remote, box: BoxControl) -> Iterator[tuple[int, Collection[int]]]:
    """Yield the process of a snapshot, which can start no others, and the stopped processes of its box.

    No process can join while it is measured, so the clock of this one counts all work.
    """
    process = remote.process()
    box.forbid_more(process)
    with meter.alone(process, box.processes, meter.a_processor()) as stopped:
        yield process, stopped
