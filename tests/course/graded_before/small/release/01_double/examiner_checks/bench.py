"""Where functions are measured: here, in one process, or wherever grading has put them.

The checks on speed, growth and memory are the same everywhere; what differs is how a call is made and read
off. In a notebook it is a plain call between two looks at the process's clock. In grading the student's
function and the instructor's run in boxes of their own, and the clock is read from outside.
"""

import copy
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from examiner_checks.measured import Measured

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

Function = Callable[..., Any]
Arguments = tuple[Any, ...]

# Bound here, so that a clock patched later is not the one that is read. A coarse CPU clock (as on Windows)
# says less than the one on the wall.
_FINE = 1e-4  # seconds
_process = time.process_time if time.get_clock_info("process_time").resolution < _FINE else time.perf_counter
_thread, _wall = time.thread_time, time.perf_counter


def _cpu() -> float:
    """Return the CPU seconds of this process.

    Where CPU time is limited, Linux counts a process in ticks of milliseconds, a thread as finely as ever.
    """
    is_limited = resource and resource.getrlimit(resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY
    return _thread() if is_limited else _process()


@dataclass(frozen=True)
class Timed:
    """One sample: some calls, one after another.

    Attributes
    ----------
    cpu, wall : float
        Seconds that all of them took together.
    answers : list
        What each call gave.
    """

    cpu: float
    wall: float
    answers: list[Any]


class Side(Protocol):
    """One function, where it is measured."""

    def run(self, calls: Sequence[Arguments]) -> Timed:
        """Call the function with each of these arguments, in a row."""

    def peak(self, arguments: Arguments) -> tuple[int, Any]:
        """Return the most bytes in use at once for one call, its answer included, and the answer."""

    def held(self, arguments: Sequence[Arguments]) -> int:
        """Return how many bytes more are in use while the answers to all these calls are kept."""


class Bench(Protocol):
    """Where functions are measured."""

    def sides(self, *functions: Function) -> AbstractContextManager[tuple[Side, ...]]:
        """Give the sides of a student's function and of the baseline, if there is one; good in the block."""

    def carrying(self, calls: Sequence[Arguments], answers: Sequence[Any]) -> float:
        """Return the CPU seconds of bringing these arguments and answers to and from a side."""

    def keep(self, measured: Measured) -> None:
        """Keep what was measured, for whoever wants to know how it came about."""


@dataclass(frozen=True)
class Local:
    """A function in this very process."""

    function: Function

    def run(self, calls: Sequence[Arguments]) -> Timed:
        """Call the function with each of these arguments; nobody else's copy of them is touched."""
        own = copy.deepcopy(calls)
        wall, cpu = _wall(), _cpu()
        answers = [self.function(*arguments) for arguments in own]
        return Timed(_cpu() - cpu, _wall() - wall, answers)

    def peak(self, arguments: Arguments) -> tuple[int, Any]:
        """Return the most bytes that Python and NumPy had in use at once for one call, and its answer."""
        with _traced():
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            answer = self.function(*copy.deepcopy(arguments))
            return tracemalloc.get_traced_memory()[1] - before, answer

    def held(self, arguments: Sequence[Arguments]) -> int:
        """Return how many bytes more Python and NumPy have in use while all answers are kept."""
        with _traced():
            before = tracemalloc.get_traced_memory()[0]
            kept = [self.function(*copy.deepcopy(each)) for each in arguments]
            after = tracemalloc.get_traced_memory()[0]
            return after - before if kept else 0


@contextmanager
def _traced() -> Iterator[None]:
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    try:
        yield
    finally:
        if not was_tracing:
            tracemalloc.stop()


@dataclass
class LocalBench:
    """Measures in this very process: what a student sees while working.

    Attributes
    ----------
    kept : list of Measured
        What was measured so far.
    """

    kept: list[Measured] = field(default_factory=list)

    @contextmanager
    def sides(self, *functions: Function) -> Iterator[tuple[Side, ...]]:
        """Give each function's side."""
        yield tuple(Local(each) for each in functions)

    def carrying(self, calls: Sequence[Arguments], answers: Sequence[Any]) -> float:  # noqa: ARG002
        """Return 0: nothing is carried anywhere."""
        return 0.0

    def keep(self, measured: Measured) -> None:
        """Keep what was measured."""
        self.kept.append(measured)
