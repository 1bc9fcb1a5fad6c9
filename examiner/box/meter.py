"""One process of a box, measured from outside while all others stand still.

Nothing that runs in the box has a word in it: the clock and the memory are the kernel's accounts, the
processor is given and the starting of processes forbidden by the same hands.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

_CPU_CLOCK: Final = 2  # of a process as a whole: see CPUCLOCK_SCHED in the kernel's posix-timers.h
_RESET_PEAK: Final = "5"
_DEAD: Final = frozenset("ZXx")  # states in /proc/PID/stat
_STOPPED: Final = frozenset("Tt") | _DEAD
_STOP_SECONDS: Final = 2.0  # after which a process that would not stop is not waited for


@contextlib.contextmanager
def alone(process: int, box: Callable[[], Collection[int]], processor: int) -> Iterator[frozenset[int]]:
    """Let one process of a box run on one processor, and none of the others run at all; give the others.

    Their neighbour can wake them by a signal: whether they ran is seen by their clocks.

    Parameters
    ----------
    process : int
        Its number, as seen from here; it can start no others any more.
    box : callable
        Returns all processes of its box.
    """
    stopped = set[int]()
    try:
        while others := {*box()} - {process} - stopped:
            stopped |= others
            for each in others:
                _signal(each, signal.SIGSTOP)
            _wait_until_stopped(others)
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(process, {processor})
        yield frozenset(each for each in stopped if not _all_are(each, _DEAD))
    finally:
        for each in stopped:
            _signal(each, signal.SIGCONT)


def _wait_until_stopped(processes: Collection[int]) -> None:
    """Return when none of them runs any more; a signal takes a moment to reach who runs elsewhere."""
    end = time.monotonic() + _STOP_SECONDS
    while not all(_all_are(each, _STOPPED) for each in processes) and time.monotonic() < end:
        os.sched_yield()


def _all_are(process: int, states: Collection[str]) -> bool:
    """Whether all threads of a process, if it has not ended, are in one of these states."""
    for path in Path(f"/proc/{process}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # it ended
            if path.read_text(errors="replace").rpartition(") ")[2][:1] not in states:
                return False
    return True


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def a_processor() -> int:
    """Return the processor that this process has others measured on; its neighbours take others."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[os.getpid() % len(allowed)]


def cpu(process: int) -> float:
    """Return the CPU seconds of a process and all its threads so far, to the nanosecond; NaN if it ended."""
    try:
        return time.clock_gettime((~process << 3) | _CPU_CLOCK)
    except OSError:
        return float("nan")


def reset_peak(process: int) -> None:
    """Let the peak of its memory begin anew, with what it has now."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{process}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")


def peak(process: int) -> int:
    """Return the bytes in memory at the peak; 0 if it ended."""
    return _status(process).get("VmHWM", 0)


def resident(process: int) -> int:
    """Return the bytes in memory now; 0 if it ended."""
    return _status(process).get("VmRSS", 0)


def own(process: int) -> int:
    """Return the bytes in memory that belong to no file and to nobody else; 0 if it ended."""
    return _status(process).get("RssAnon", 0)


def _status(process: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":")[::2] for line in lines)
    return {name: int(rest.split()[0]) << 10 for name, rest in pairs if rest.endswith("kB")}
