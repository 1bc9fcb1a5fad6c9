"""Measures a student's function and the instructor's, each in a box, while the supervisor reads the clocks.

Both run in a snapshot behind the same wire. The judge calls them, checks their answers and computes; what is
seen of their processes from outside comes from the supervisor, as plain numbers (`Instruments`). A sample is
the CPU time of the snapshot from the end of the previous sample until every value of the answer has arrived,
so neither work done in advance nor work put off is free. If the snapshot calls back into the test, work would
go uncounted: that ends the cell.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple, Protocol

from examiner.judge.chance import Chance
from examiner.judge.compile import LOCKED, GradeCell
from examiner.judge.lent import AuthorError
from examiner.judge.lost import CandidateLost
from examiner.judge.proxy import Proxy, Remote
from examiner.verdict import Outcome
from examiner.wire.channel import Channel
from examiner_checks.bench import Arguments, Function, Side, Timed
from examiner_checks.measured import Measured

SLACK: Final = 4 << 20  # bytes of shared memory that an interpreter writes to anyway, and so makes its own
CARRIED: Final = 5  # samples of the cost of carrying data to a snapshot and back
CANDIDATE: Final = 0  # the side of the student's snapshot; the baseline's sides follow
_ALONE: Final = (
    "a baseline runs in a box of its own: name a function that the cell defines by itself, or one of "
    "the reference; what it works on comes by `inputs`"
)


class Sample(NamedTuple):
    """CPU seconds since the previous sample, and whether the process can start no others."""

    cpu: float
    is_bounded: bool


class Memory(NamedTuple):
    """Bytes of memory of a measured process; `elsewhere` is what its resident memory does not show."""

    resident: int
    anonymous: int
    peak: int
    common: int
    alone: int
    had: int
    elsewhere: int


class Instruments(Protocol):
    """What the supervisor does and reads for a cell that measures; sides are given by number.

    Each raises CandidateLost if the process is lost, and AuthorError if the author asked for what cannot be.
    """

    def begin(self) -> None:
        """Note which process the student's snapshot is, and how much memory it has."""

    def open_baseline(self, side: int) -> Channel:
        """Open a fresh snapshot in which the cell's baselines are defined, as this side."""

    def enter(self, side: int) -> None:
        """Let the process of a side run alone in its box, on one processor, until `leave`."""

    def leave(self) -> None:
        """End all baselines, and let all processes go on."""

    def sample(self, side: int) -> Sample:
        """Read the clock of a side; its process rests by then."""

    def reset_peak(self, side: int) -> None:
        """Reset the peak of a side's memory."""

    def memory(self, side: int, incoming: int, outgoing: int) -> Memory:
        """Read the memory of a side; the numbers say how much of its shared blocks messages have used."""


@dataclass
class BoxedFunction:
    """A function in a snapshot.

    Parameters
    ----------
    remote : Remote
        The connection to the snapshot.
    function : callable
        A proxy of a function there, or a function of the cell that calls one.
    instruments : Instruments
        What reads its process from outside.
    number : int
        Its side, as the instruments know it.
    chance : Chance
        What the inputs of the next call may be drawn from: nothing that this one got tells them.
    """

    remote: Remote
    function: Function
    instruments: Instruments
    number: int
    chance: Chance
    _keeps_freed: bool = False

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
        self.chance.draw_anew()
        sample = self.sample()
        cpu = sample.cpu if sample.is_bounded else max(sample.cpu, elapsed)
        return Timed(cpu, elapsed, answers)

    def sample(self) -> Sample:
        """Return the CPU seconds since the sample before."""
        return self.remote.read(lambda: self.instruments.sample(self.number))

    def peak(self, arguments: Arguments) -> tuple[int, Any]:
        """Return by how many bytes memory rises at the peak of one call, and the answer of the call.

        Memory that the student's cells left behind counts if it is written to or freed, and memory that
        earlier calls left behind always counts: otherwise reused memory would be free.
        """
        self._give_back()
        self.remote.read(lambda: self.instruments.reset_peak(self.number))
        before = self._memory()
        [answer] = self._run([arguments]).answers
        now = self._memory()
        now = now._replace(elsewhere=max(before.elsewhere, now.elsewhere))  # the call may have closed it
        return max(0, now.peak - before.resident, _more(now, now.peak - now.common)), answer

    def held(self, arguments: Sequence[Arguments]) -> int:
        """Return by how many bytes memory rises while the answers to these calls are kept.

        Raises
        ------
        AuthorError
            If an answer is plain data, which is copied here instead of being kept there.
        """
        self._give_back()
        before = self._memory().anonymous
        answers = [self._kept(call) for call in arguments]
        self.chance.draw_anew()
        self._give_back()  # this releases the last arguments, too
        now = self._memory()
        if any(type(answer) is not Proxy for answer in answers):
            self.remote.refuse(
                "held() measures objects that the student's process keeps: return the student's object"
            )
        return max(0, now.anonymous - before, _more(now, now.alone))

    def _give_back(self) -> None:
        self.remote.ask("give back")
        self._keeps_freed = False

    def _memory(self) -> Memory:
        blocks = self.remote.channel.incoming, self.remote.channel.outgoing
        used = [block.high if block else 0 for block in blocks]
        return self.remote.read(lambda: self.instruments.memory(self.number, *used))

    def _kept(self, arguments: Arguments) -> Any:
        if type(self.function) is Proxy:
            return self.remote.ask("call", self.function, arguments, {}, by_ref=True)
        return self.function(*arguments)


def _more(now: Memory, alone: int) -> int:
    """Return the growth of its own memory since before the first call, plus what is kept elsewhere."""
    return alone - now.had - SLACK + now.elsewhere


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
    remote : Remote
        The connection to the student's snapshot.
    instruments : Instruments
        What opens the boxes of baselines, and reads the processes.
    chance : Chance
        The global generators of the cell.
    reference : module, optional
        The reference, whose functions can be baselines too.

    Attributes
    ----------
    kept : list of Measured
        All that was measured.
    """

    cell: GradeCell
    remote: Remote
    instruments: Instruments
    chance: Chance
    reference: ModuleType | None = None
    kept: list[Measured] = field(default_factory=list)
    _instructors: BoxedFunction | None = None

    def begin(self) -> None:
        """Note how much memory the snapshot has, before any of the student's code is called in it."""
        self.remote.read(self.instruments.begin)

    @contextlib.contextmanager
    def sides(self, *functions: Function) -> Iterator[tuple[Side, ...]]:
        """Yield the student's side, and one for each baseline."""
        candidate, *others = functions
        with contextlib.ExitStack() as stack:
            stack.callback(self.instruments.leave)
            self.remote.read(lambda: self.instruments.enter(CANDIDATE))
            self.chance.draw_anew()
            sides = [BoxedFunction(self.remote, candidate, self.instruments, CANDIDATE, self.chance)]
            for number, baseline in enumerate(others, start=CANDIDATE + 1):
                self._instructors = stack.enter_context(self._opened(number, baseline))
                sides.append(self._instructors)
            yield tuple(sides)
        self._instructors = None

    @contextlib.contextmanager
    def _opened(self, number: int, baseline: Function) -> Iterator[BoxedFunction]:
        """Yield a baseline's side; unless it takes too long, its failures are ours or the author's."""
        try:
            remote = Remote(self.instruments.open_baseline(number), self.remote.deadline)
            function = self._found(remote, baseline)
            self.instruments.enter(number)
            yield _Baseline(remote, function, self.instruments, number, self.chance)
        except CandidateLost as lost:
            if self.remote.lost or lost.outcome in {Outcome.TIMEOUT, Outcome.INFRASTRUCTURE}:
                self.remote.lose(lost.outcome, lost.fact)
            self.remote.lose(Outcome.INFRASTRUCTURE, f"the baseline's process was lost: {lost.fact}")
        except AuthorError as error:
            self.remote.refuse(str(error))

    def carrying(self, calls: Sequence[Arguments], answers: Sequence[Any]) -> float:
        """Return the CPU seconds that a snapshot takes to receive these arguments and send these answers."""
        if self._instructors is None:
            return 0.0
        side = self._instructors
        side.sample()
        return median([self._carried(side, calls, answers) for _ in range(CARRIED)])

    @staticmethod
    def _carried(side: BoxedFunction, calls: Sequence[Arguments], answers: Sequence[Any]) -> float:
        side.remote.ask("carry", list(calls), list(answers))
        return side.sample().cpu

    def keep(self, measured: Measured) -> None:
        """Keep what was measured."""
        self.kept.append(measured)

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
        ours = self.cell.ours
        return ours if self.reference is None else ours | {self.reference.__name__}
