"""What a candidate uses, read from outside; none of it is its own word."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def number(pidfd: int) -> int:
    """Return the number, as seen from here, of the process behind a pidfd; -1 if it is dead."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    raise OSError(f"descriptor {pidfd} is no pidfd")


def processes(first: int) -> Iterator[int]:
    """Yield a process and its descendants; those that end meanwhile may be among them.

    In a process namespace these are all there are: orphans become children of the first.
    """
    yield first
    try:
        tasks = list(Path(f"/proc/{first}/task").iterdir())
        children = [number for task in tasks for number in (task / "children").read_text().split()]
    except OSError:  # it ended
        return
    for child in children:
        yield from processes(int(child))


def memory(first: int) -> int:
    """Return the bytes that a process and its descendants have in memory, what they share counted once."""
    return sum(_share(process) for process in processes(first))


def address_space(proc: int) -> int:
    """Return how many bytes this process has mapped; `proc` is open on /proc."""
    descriptor = os.open("self/statm", os.O_RDONLY, dir_fd=proc)
    try:
        return int(os.read(descriptor, 100).split()[0]) * _PAGE
    finally:
        os.close(descriptor)


def _share(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it ended
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10
