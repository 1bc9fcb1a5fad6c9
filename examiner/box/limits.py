"""How much a process may use: set before student code runs, or from outside at any time."""

import resource
from dataclasses import dataclass
from typing import Final

# Not 0: where core_pattern names a program, the kernel would still pipe a crashed process's memory to it.
_NO_CORE: Final = 1
_SIGNALS_AND_TIMERS: Final = 1024  # that may be pending in the kernel's memory
NEW_FILES: Final = 16
_NAMES: Final = {
    resource.RLIMIT_CPU: "processor time (ulimit -t)",
    resource.RLIMIT_AS: "address space (ulimit -v)",
    resource.RLIMIT_FSIZE: "the size of a file (ulimit -f)",
    resource.RLIMIT_NPROC: "processes (ulimit -u)",
    resource.RLIMIT_NOFILE: "open files (ulimit -n)",
}


@dataclass(frozen=True)
class ResourceLimits:
    """How much a candidate or a grade cell may use.

    Parameters
    ----------
    cpu_seconds
        CPU time of each process, counted from its start.
    memory_mb
        Address space of each process, beyond what it has when the limit is set.
    together_mb
        Memory in use by all processes together. The kernel has no such limit for unprivileged users, so a
        server checks it from time to time (`Box.look_after`).
    processes
        Number of processes and threads together.
    file_mb
        Size of the largest file, and of the part of shared memory that can be written.
    open_files
        Number of descriptors of each process.
    folder_mb, folder_files
        Size and number of files of the private folders together. They are bounded only where a candidate has
        a file system of its own.
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
        How much it may use. A limit that is lower already stays.
    address_space
        Bytes that it has mapped now.
    process
        Its number, as seen from here; 0 is this process. The limits of another process can be set by its user
        only, as by its server.
    processes_before
        How many processes that are not the candidate's the kernel counts for the same user.
    """
    wanted_limits = {
        **_promised(limits, address_space),
        resource.RLIMIT_NPROC: limits.processes + processes_before,
        resource.RLIMIT_CORE: _NO_CORE,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: _SIGNALS_AND_TIMERS,
    }
    for kind, wanted in wanted_limits.items():
        _, hard = resource.prlimit(process, kind)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.prlimit(process, kind, (limit, limit))


def check(limits: ResourceLimits, address_space: int) -> None:
    """Raise OSError if this process may use less than a candidate is promised: its work would fail then."""
    for kind, wanted in _promised(limits, address_space).items():
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise OSError(f"a limit of {_NAMES[kind]} is {hard}, and a candidate needs {wanted}")


def _promised(limits: ResourceLimits, address_space: int) -> dict[int, int]:
    return {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_AS: address_space + (limits.memory_mb << 20),
        resource.RLIMIT_FSIZE: limits.file_mb << 20,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_NOFILE: limits.open_files,
    }


def forbid_more(process: int) -> None:
    """Stop a process of the same user from starting processes and threads, and from writing files.

    It can open a few descriptors more, as to import a module, whose numbers lie below `NEW_FILES`.
    """
    resource.prlimit(process, resource.RLIMIT_NPROC, (0, 0))
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, 0))
    resource.prlimit(process, resource.RLIMIT_NOFILE, (NEW_FILES, NEW_FILES))
