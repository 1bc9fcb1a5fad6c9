"""Ending what was started, and everything that it started."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Collection
from pathlib import Path

from examiner.box import syscalls

END_SECONDS = 10.0  # seconds that the kernel may take to end a killed process


def end(pidfd: int, seconds: float = END_SECONDS) -> bool:
    """Kill the process behind a pidfd; whether it is dead now.

    The first process of a process namespace is dead once all others in it are.
    """
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    return is_over(pidfd, seconds)


def is_over(pidfd: int, seconds: float = 0.0) -> bool:
    """Whether the process behind a pidfd has ended, or does so within some seconds."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(seconds, 0.0) * 1000))


def adopt() -> None:
    """Become the parent of every descendant whose own parent dies; `sweep` finds those started later."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Return the processes whose parent is this one, the dead that were not waited for among them."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(number) for number in (task / "children").read_text().split()}
    return found


def sweep(spared: Collection[int] = (), seconds: float = END_SECONDS) -> bool:
    """Kill children, and orphans that become children by that, until only the spared are left; whether so.

    Needs `adopt` before the first of them was started. A process that forks and dies faster than it is found
    is met again and again until it is not.
    """
    until = time.monotonic() + seconds
    while strays := children() - set(spared):
        for stray in strays:
            pidfd = os.pidfd_open(stray)  # until it is waited for, its number belongs to nobody else
            end(pidfd, until - time.monotonic())
            os.close(pidfd)
            os.waitpid(stray, os.WNOHANG)
        if time.monotonic() > until:
            return False
    return True
