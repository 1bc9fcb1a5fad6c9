"""One process of a box, measured from outside while all others stand still.

Nothing that runs in the box has a word in it: the clock and the memory are the kernel's accounts, the
processor is given and the starting of processes forbidden by the same hands.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CPU_CLOCK: Final = 2  # of a process as a whole: see CPUCLOCK_SCHED in the kernel's posix-timers.h
_RESET_PEAK: Final = "5"
_DEAD: Final = frozenset("ZXx")  # states in /proc/PID/stat
_STOPPED: Final = frozenset("Tt") | _DEAD
_SOCKETS, _PIPES = 4, 8  # that a notebook may have without hiding anything
_SOCKET_BYTES, _PIPE_BYTES = 416 << 10, 1 << 20  # that one holds at most
_STOP_SECONDS: Final = 2.0  # after which a process that would not stop is not waited for
_REST_SECONDS: Final = 0.02  # some ticks, after which the clock of one that goes on running is right as well


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
        for thread in _threads(process):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {processor})
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
    return all(_state(thread) in {*states, ""} for thread in _threads(process))


def _state(folder: Path) -> str:
    """Return the letter of the state that a process or a thread is in, by its folder; none if it ended."""
    try:
        return (folder / "stat").read_text(errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return ""


def _threads(process: int) -> list[Path]:
    """Return the folders of a process's threads; none if it ended."""
    return [*Path(f"/proc/{process}/task").glob("*")]


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


def rest(process: int, seconds: float = _REST_SECONDS) -> None:
    """Return when the first thread of a process waits for something or ended, at the latest after so long.

    Who has just answered still runs for a moment, and if a limit holds for its CPU time, the kernel brings
    its clock up to date only then or with the next tick: what it did would count for whatever comes next.
    """
    end = time.monotonic() + seconds
    while _state(Path(f"/proc/{process}")) == "R" and time.monotonic() < end:
        os.sched_yield()


def is_bounded(process: int) -> bool:
    """Whether a limit on its processes holds: the kernel makes an exception for root, even without rights."""
    users = (line.split()[1] for line in _lines(process, "status") if line.startswith("Uid:"))
    return next(users, "0") != "0"


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


@dataclass(frozen=True)
class Share:
    """What a process has in memory now, in bytes: in common with others, such as its parent, and alone."""

    common: int
    alone: int


def share(process: int) -> Share:
    """Return what a process shares and what not; nothing if it ended."""
    sizes = _sizes(process, "smaps_rollup")
    common, alone = (
        sum(sizes.get(f"{whose}_{state}", 0) for state in ("Clean", "Dirty"))
        for whose in ("Shared", "Private")
    )
    return Share(common, alone)


def elsewhere(process: int, wire: str) -> int:
    """Return the bytes that a process may keep where its own memory does not show them.

    They are in mappings that it could share, which stay full when it lets go of their pages, and on the way
    through sockets and pipes.

    Parameters
    ----------
    wire : str
        The name of the mappings that are not its own matter.
    """
    return _mapped(process, wire) + _on_the_way(process)


def _mapped(process: int, wire: str) -> int:
    lines = (line.split(maxsplit=5) for line in _lines(process, "maps"))
    ranges = (
        place
        for place, rights, *_, name in (each for each in lines if len(each) == 6)  # noqa: PLR2004
        if rights.startswith("rw") and rights.endswith("s") and wire not in name
    )
    return sum(int(end, 16) - int(first, 16) for first, end in (each.split("-") for each in ranges))


def _on_the_way(process: int) -> int:
    sockets = pipes = 0
    with contextlib.suppress(OSError):  # it ended
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            kind = str(descriptor.readlink()).partition(":")[0]
            sockets += kind == "socket"
            pipes += kind == "pipe"
    return max(0, sockets - _SOCKETS) * _SOCKET_BYTES + max(0, pipes - _PIPES) * _PIPE_BYTES


def _status(process: int) -> dict[str, int]:
    return _sizes(process, "status")


def _sizes(process: int, name: str) -> dict[str, int]:
    """Return the sizes that a file of a process names."""
    pairs = (line.partition(":")[::2] for line in _lines(process, name))
    return {name: int(rest.split()[0]) << 10 for name, rest in pairs if rest.endswith("kB")}


def _lines(process: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{process}/{name}").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # it ended
        return []
