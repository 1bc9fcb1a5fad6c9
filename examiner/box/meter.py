"""Measures one process of a box from outside, while all others are stopped.

Nothing that runs in the box can change the result: CPU time and memory come from the kernel's accounts, and
it is this side that chooses the processor and forbids starting processes.
"""

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISFIFO, S_ISSOCK
from typing import Final

_CPU_CLOCK: Final = 2  # the clock of a whole process: CPUCLOCK_SCHED in the kernel's posix-timers.h
_RESET_PEAK: Final = "5"
_DEAD: Final = frozenset("ZXx")  # states in /proc/PID/stat
_STOPPED: Final = frozenset("Tt") | _DEAD
_SOCKETS, _PIPES = 4, 8  # the numbers that are usual in a notebook; the buffers of more are counted
_SOCKET_BYTES, _PIPE_BYTES = 416 << 10, 1 << 20  # the largest buffer of one socket, of one pipe
_STOP_SECONDS: Final = 2.0  # how long to wait for processes to stop
_File = tuple[int, int]  # its device and inode
_REST_SECONDS: Final = 0.02  # some ticks: after them, the clock of a process that still runs is right as well


@contextlib.contextmanager
def alone(process: int, box: Callable[[], Collection[int]], processor: int) -> Iterator[frozenset[int]]:
    """Run one process of a box on one processor, with all others stopped in the block; yield the others.

    The process can wake the others by a signal; their clocks show whether they ran.

    Parameters
    ----------
    process : int
        Its number, as seen from here; it can no longer start processes.
    box : callable
        Returns the numbers of all processes of its box.
    """
    stopped = set[int]()
    try:
        while others := {*box()} - {process} - stopped:
            stopped |= others
            for other in others:
                _signal(other, signal.SIGSTOP)
            _wait_until_stopped(others)
        for thread in _threads(process):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {processor})
        yield frozenset(other for other in stopped if not _all_are(other, _DEAD))
    finally:
        for other in stopped:
            _signal(other, signal.SIGCONT)


def _wait_until_stopped(processes: Collection[int]) -> None:
    """Return when all have stopped; a signal takes a moment to reach a process on another processor."""
    end = time.monotonic() + _STOP_SECONDS
    while not all(_all_are(process, _STOPPED) for process in processes) and time.monotonic() < end:
        os.sched_yield()


def _all_are(process: int, states: Collection[str]) -> bool:
    """Whether all threads of a process are in one of these states; true as well if it has ended."""
    return all(_state(thread) in {*states, ""} for thread in _threads(process))


def _state(folder: Path) -> str:
    """Return the letter of the state of a process or a thread, given its folder in /proc; "" if it ended."""
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
    """Return the processor on which this process measures others; other workers choose different ones."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[os.getpid() % len(allowed)]


class Program:
    """The program that a process runs now, with the memory it has; another one would have another peak."""

    def __init__(self, process: int) -> None:
        self._maps = os.open(f"/proc/{process}/maps", os.O_RDONLY | os.O_CLOEXEC)

    def runs(self) -> bool:
        """Whether the process has neither ended nor executed another program."""
        try:
            return bool(os.pread(self._maps, 1, 0))  # of the memory that was there when this was opened
        except OSError:
            return False

    def close(self) -> None:
        """Look at it no more."""
        os.close(self._maps)


def cpu(process: int) -> float:
    """Return the CPU seconds of a process and all its threads so far, to the nanosecond; NaN if it ended."""
    try:
        return time.clock_gettime((~process << 3) | _CPU_CLOCK)
    except OSError:
        return float("nan")


def rest(process: int, seconds: float = _REST_SECONDS) -> None:
    """Return when the first thread of a process sleeps or has ended, or after `seconds`.

    A process that has just answered still runs for a moment. If its CPU time is limited, the kernel updates
    its clock only when it stops running, or at the next tick; read earlier, the clock would charge part of
    this answer to the next one.
    """
    end = time.monotonic() + seconds
    while _state(Path(f"/proc/{process}")) == "R" and time.monotonic() < end:
        os.sched_yield()


def is_bounded(process: int) -> bool:
    """Whether a limit on its processes holds: the kernel exempts root, even without capabilities."""
    users = (line.split()[1] for line in _lines(process, "status") if line.startswith("Uid:"))
    return next(users, "0") != "0"


def reset_peak(process: int) -> None:
    """Reset the peak of its resident memory to what it has now."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{process}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")


def peak(process: int) -> int:
    """Return the peak of its resident memory, in bytes; 0 if it ended."""
    return _status(process).get("VmHWM", 0)


def resident(process: int) -> int:
    """Return its resident memory, in bytes; 0 if it ended."""
    return _status(process).get("VmRSS", 0)


def own(process: int) -> int:
    """Return its resident anonymous memory, in bytes; 0 if it ended."""
    return _status(process).get("RssAnon", 0)


@dataclass(frozen=True)
class Share:
    """The resident memory of a process, in bytes: shared with others, such as its parent, and private."""

    common: int
    alone: int


def share(process: int) -> Share:
    """Return a process's shared and private memory; zeros if it ended."""
    sizes = _sizes(process, "smaps_rollup")
    common, alone = (
        sum(sizes.get(f"{whose}_{state}", 0) for state in ("Clean", "Dirty"))
        for whose in ("Shared", "Private")
    )
    return Share(common, alone)


def elsewhere(process: int, exempt: Collection[os.stat_result] = ()) -> int:
    """Return how many bytes a process could keep where its resident memory does not show them.

    These are shared mappings, which keep their content when the process drops their pages, files in memory
    that it could map, and the buffers of sockets and pipes.

    Parameters
    ----------
    exempt : collection of os.stat_result
        The files whose mappings are not counted, by device and inode: a name can be given to any file.
    """
    opened, devices = _opened(process), {file.st_dev for file in exempt}
    mappable = {_identity(file): file.st_size for file in opened if file.st_dev in devices}
    mapped = Counter[_File]()
    for file, size in _shared_mappings(process, devices):
        mapped[file] += size
    sizes = mappable | mapped
    return sum(sizes[file] for file in sizes.keys() - {*map(_identity, exempt)}) + _buffers(opened)


def _identity(file: os.stat_result) -> _File:
    return file.st_dev, file.st_ino


def _shared_mappings(process: int, devices: Collection[int]) -> Iterator[tuple[_File, int]]:
    """Yield the file and the size of each shared mapping that can be written to.

    A mapping that can only be read can be changed into one to write, if the file was opened for that: those
    of files on these devices count.
    """
    for line in _lines(process, "maps"):
        place, rights, _offset, device, inode, *_name = line.split(maxsplit=5)
        number = os.makedev(*(int(part, 16) for part in device.split(":")))
        if rights.endswith("s") and (rights.startswith("rw") or number in devices):
            first, end = (int(address, 16) for address in place.split("-"))
            yield (number, int(inode)), end - first


def _opened(process: int) -> list[os.stat_result]:
    """Return what a process has opened; nothing if it ended."""
    try:
        return [descriptor.stat() for descriptor in Path(f"/proc/{process}/fd").iterdir()]
    except OSError:  # it ended
        return []


def _buffers(opened: Collection[os.stat_result]) -> int:
    sockets, pipes = (sum(map(kind, (file.st_mode for file in opened))) for kind in (S_ISSOCK, S_ISFIFO))
    return max(0, sockets - _SOCKETS) * _SOCKET_BYTES + max(0, pipes - _PIPES) * _PIPE_BYTES


def _status(process: int) -> dict[str, int]:
    return _sizes(process, "status")


def _sizes(process: int, name: str) -> dict[str, int]:
    """Return the sizes in a file of a process in /proc, in bytes, by their names."""
    pairs = (line.partition(":")[::2] for line in _lines(process, name))
    return {name: int(rest.split()[0]) << 10 for name, rest in pairs if rest.endswith("kB")}


def _lines(process: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{process}/{name}").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # it ended
        return []
