"""Ending processes, and everything that they started."""

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
    """Kill the process behind a pidfd, and return whether it is dead within some seconds.

    The first process of a process namespace is dead only when all others in it are.
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
    """Make this process the parent of every descendant whose own parent dies, so that `sweep` finds it."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Return the numbers of this process's children, including zombies."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(number) for number in (task / "children").read_text().split()}
    return found


def reap(spared: Collection[int] = ()) -> None:
    """Let go of the children that have ended, except the spared, for which somebody else waits."""
    for child in children() - set(spared):
        os.waitpid(child, os.WNOHANG)


def sweep(spared: Collection[int] = (), seconds: float = END_SECONDS) -> bool:
    """Kill all children, and the orphans that then become children, until only the spared are left.

    Call `adopt` before the first of them is started. Processes that fork faster than they are killed are
    searched for again and again.

    Returns
    -------
    bool
        Whether only the spared are left, within some seconds.
    """
    until = time.monotonic() + seconds
    while strays := children() - set(spared):
        for stray in strays:
            pidfd = os.pidfd_open(stray)  # its number is not reused before it is waited for
            end(pidfd, until - time.monotonic())
            os.close(pidfd)
            os.waitpid(stray, os.WNOHANG)
        if time.monotonic() > until:
            return False
    return True
