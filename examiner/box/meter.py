"""One process of a box, measured from outside while all others stand still.

Nothing that runs in the box has a word in it: the clock and the memory are the kernel's accounts, the
processor is given and the starting of processes forbidden by the same hands.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

_CPU_CLOCK: Final = 2  # of a process as a whole: see CPUCLOCK_SCHED in the kernel's posix-timers.h
_RESET_PEAK: Final = "5"


@contextlib.contextmanager
def alone(process: int, others: Collection[int], processor: int) -> Iterator[None]:
    """Let one process of a box run on one processor, and none of the others run at all.

    Parameters
    ----------
    process : int
        Its number, as seen from here.
    others : collection of int
        All other processes of the same box.
    """
    stopped = [each for each in others if each != process]
    for each in stopped:
        _signal(each, signal.SIGSTOP)
    try:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(process, {processor})
        yield
    finally:
        for each in stopped:
            _signal(each, signal.SIGCONT)


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
