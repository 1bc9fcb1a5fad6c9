"""What a candidate uses, read from outside in /proc, without asking the candidate.

The parameter `proc` is a descriptor of the machine's /proc, opened before; it is needed by a process whose
root has no /proc. If it is None, /proc is read by its path.
"""

import contextlib
import itertools
import os
import signal
from collections.abc import Collection, Iterator
from typing import Final

_LINKS: Final = 2  # of a folder `task`, besides one for each thread
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MOST: Final = 1 << 16  # bytes that are read of a file
_DEAD: Final = frozenset("ZXx")  # states in /proc/PID/status
PROC: Final = "/proc"


def number(pidfd: int, proc: int | None = None) -> int:
    """Return the number, as seen from here, of the process behind a pidfd; -1 if it is dead."""
    for line in _read(proc, f"self/fdinfo/{pidfd}").splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    raise OSError(f"descriptor {pidfd} is no pidfd")


def numbers(process: int, proc: int | None = None) -> tuple[int, ...]:
    """Return the numbers of a process, as seen from here and from each inner namespace; () if it is dead."""
    try:
        lines = _read(proc, f"{process}/status").splitlines()
    except OSError:
        return ()
    facts = dict(line.partition(":")[::2] for line in lines)
    return () if facts["State"].split()[0] in _DEAD else tuple(map(int, facts["NSpid"].split()))


def server_of(keeper: int) -> int:
    """Return the number of a keeper's server, both as seen from here; -1 if it ended."""
    return next(itertools.islice(processes(keeper), 1, None), -1)


def processes(first: int, proc: int | None = None) -> Iterator[int]:
    """Yield the numbers of a process and its descendants; some may have ended meanwhile.

    From the first process of a process namespace these are all in it: orphans become its children.
    """
    yield first
    try:
        children = [
            child
            for task in _threads(first, proc)
            for child in _read(proc, f"{first}/task/{task}/children").split()
        ]
    except OSError:  # it ended
        return
    for child in children:
        yield from processes(int(child), proc)


def _threads(process: int, proc: int | None) -> list[str]:
    """Return the numbers of a process's threads; most have only one, and a folder is slow to list."""
    folder = f"{process}/task"
    links = os.stat(folder if proc is not None else f"{PROC}/{folder}", dir_fd=proc).st_nlink
    return [str(process)] if links == _LINKS + 1 else _entries(proc, folder)


def memory(first: int, proc: int | None = None) -> int:
    """Return the resident bytes of a process and its descendants; shared pages are counted once."""
    return sum(_share(process, proc) for process in processes(first, proc))


def largest_of_too_many(among: Collection[int], bound: int, proc: int | None = None) -> int | None:
    """Return the largest of some processes if they use more than `bound` bytes together, else None."""
    if sum(_resident(process, proc) for process in among) <= bound:  # quick; counts shared pages for each
        return None
    shares = {process: _share(process, proc) for process in among}
    return max(shares, key=shares.__getitem__) if sum(shares.values()) > bound else None


def kill(process: int, proc: int | None = None) -> None:
    """Kill a process by its number as seen from here."""
    with contextlib.suppress(OSError):
        folder = _open(proc, str(process), os.O_DIRECTORY)
        try:
            signal.pidfd_send_signal(folder, signal.SIGKILL)
        finally:
            os.close(folder)


def address_space(proc: int) -> int:
    """Return how many bytes this process has mapped; `proc` is open on /proc."""
    return int(_read(proc, "self/statm").split()[0]) * _PAGE


def _resident(process: int, proc: int | None) -> int:
    try:
        return int(_read(proc, f"{process}/statm").split()[1]) * _PAGE
    except OSError:  # it ended
        return 0


def _share(process: int, proc: int | None) -> int:
    """Return the proportional set size in bytes: each shared page is divided among its processes."""
    try:
        lines = _read(proc, f"{process}/smaps_rollup").splitlines()
    except OSError:  # it ended
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10


def _read(proc: int | None, name: str) -> str:
    descriptor = _open(proc, name)
    try:
        return os.read(descriptor, _MOST).decode()
    finally:
        os.close(descriptor)


def _entries(proc: int | None, name: str) -> list[str]:
    descriptor = _open(proc, name, os.O_DIRECTORY)
    try:
        return os.listdir(descriptor)  # noqa: PTH208 - a descriptor
    finally:
        os.close(descriptor)


def _open(proc: int | None, name: str, flags: int = 0) -> int:
    path = f"{PROC}/{name}" if proc is None else name
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=proc)
