"""How much a process may use: set before student code runs, or from outside at any time."""

import resource
from dataclasses import dataclass
from typing import Final

# Not 0: that would still hand a crashed process's memory to a program of the machine's, where one is set up.
_NO_CORE: Final = 1
_SIGNALS_AND_TIMERS: Final = 1024  # that wait in the kernel's memory


@dataclass(frozen=True)
class ResourceLimits:
    """Bounds of a candidate or of a grade cell.

    Parameters
    ----------
    cpu_seconds
        Of each process, counted from its start.
    memory_mb
        Address space of each process, beyond what it has when the limit is set.
    together_mb
        What all processes together may have in memory. Nothing in the kernel that everybody may use bounds
        it: a server looks from time to time (`Box.look_after`).
    processes
        Processes and threads together.
    file_mb
        The largest file, and how far into shared memory can be written.
    open_files
        Descriptors of each process.
    folder_mb, folder_files
        What the private folders hold together. Only a file system of a candidate's own can bound these.
    """

    cpu_seconds: int = 60
    memory_mb: int = 1500
    together_mb: int = 2000
    processes: int = 32
    file_mb: int = 64
    open_files: int = 128
    folder_mb: int = 128
    folder_files: int = 4096


def apply(limits: ResourceLimits, address_space: int, *, process: int = 0, processes_before: int = 0) -> None:
    """Limit a process and what it will start; without capabilities it can only lower its limits further.

    Parameters
    ----------
    limits
        What it gets. A limit that is lower already stays.
    address_space
        Bytes that it has mapped by now.
    process
        Its number, seen from here; 0 is this process. For others one must be the same user, as a server is.
    processes_before
        How many processes the kernel counts for the same user that are not meant.
    """
    bounds = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_AS: address_space + (limits.memory_mb << 20),
        resource.RLIMIT_NPROC: limits.processes + processes_before,
        resource.RLIMIT_FSIZE: limits.file_mb << 20,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: _NO_CORE,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: _SIGNALS_AND_TIMERS,
    }
    for kind, wanted in bounds.items():
        _, hard = resource.prlimit(process, kind)
        bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.prlimit(process, kind, (bound, bound))


def forbid_more(process: int) -> None:
    """Let a process start no process and no thread, and write no file any more; one must be the same user."""
    resource.prlimit(process, resource.RLIMIT_NPROC, (0, 0))
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, 0))
