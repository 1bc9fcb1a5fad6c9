"""Attempts to break out of the box: each returns if it succeeded, and raises if it was stopped.

The first line of an attempt's docstring is the promise that it tries to break. An attempt does no harm even
where it succeeds: it is also made without walls, to show that it would succeed there.
"""

# ruff: noqa: D401 - a docstring here is a promise, not an order

import ctypes
import fcntl
import mmap
import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from examiner.box import syscalls
from examiner.box.limits import ResourceLimits
from examiner.box.numbers import MACHINE

_SEIZE: Final = 0x4206  # ptrace
_SET_PIPE_SIZE: Final = 1031  # fcntl
_TIMEOUT: Final = 2.0  # seconds that a connection may take


@dataclass(frozen=True)
class Target:
    """The targets of the attempts, all set up so that they are easy to reach without walls.

    Parameters
    ----------
    secret
        A file that everybody can read and write, in a folder that everybody can write to, outside the view.
    shown
        A folder that everybody can write to, inside the view.
    listener
        The path of a stream socket; beside it, with ``.datagrams``, that of a datagram socket.
    abstract, port
        The name of a socket in the abstract namespace, without its leading NUL; the port of one on loopback.
    victim
        The number of a process of the same user, which has `memory` at the same address as the attacker.
    memory
        Some bytes.
    descriptor
        A descriptor of the secret's folder, open in the process that the attacker was forked from.
    variable
        The name of an environment variable of that process.
    neighbour_home, neighbour_abstract
        The home of another candidate that lives at the same time, with a file ``left``, and its abstract
        socket.
    limits
        What the attacker may use.
    """

    secret: Path
    shown: Path
    listener: Path
    abstract: str
    port: int
    victim: int
    memory: "ctypes.Array[ctypes.c_char]"
    descriptor: int
    variable: str
    neighbour_home: Path
    neighbour_abstract: str
    limits: ResourceLimits


Attempt = Callable[[Target], object]

ATTEMPTS: Final[dict[str, list[Attempt]]] = {}
WHERE_MEASURED: Final[list[Attempt]] = []
"""Those of the attempts that are refused only where memory is measured."""


def _against(wall: str) -> Callable[[Attempt], Attempt]:
    def register(attempt: Attempt) -> Attempt:
        ATTEMPTS.setdefault(wall, []).append(attempt)
        return attempt

    return register


@_against("files")
def read_a_file(target: Target) -> None:
    """Files outside the view cannot be read."""
    target.secret.read_text()


@_against("files")
def list_a_folder(target: Target) -> None:
    """Folders outside the view cannot be listed."""
    os.listdir(target.secret.parent)  # noqa: PTH208 - Path.iterdir is lazy


@_against("files")
def make_a_file(target: Target) -> None:
    """No file can be made outside the private folders."""
    (target.secret.parent / "made").write_text("made")


@_against("files")
def make_a_file_in_the_view(target: Target) -> None:
    """The view is read-only."""
    (target.shown / "made").write_text("made")


@_against("files")
def empty_a_file(target: Target) -> None:
    """Files outside cannot be emptied."""
    os.truncate(target.secret, 0)


@_against("files")
def empty_a_file_by_reading(target: Target) -> None:
    """Files outside cannot be emptied by opening them for reading either."""
    os.close(os.open(target.secret, os.O_RDONLY | os.O_TRUNC))


@_against("files")
def change_a_mode(target: Target) -> None:
    """Modes of files outside cannot be changed."""
    before = target.secret.stat().st_mode
    target.secret.chmod(0o660)
    if target.secret.stat().st_mode == before:
        raise PermissionError("nothing was changed")
    target.secret.chmod(before)


@_against("processes")
def find_a_process(target: Target) -> None:
    """Other processes cannot be found."""
    os.getpgid(target.victim)


@_against("processes")
def read_about_a_process(target: Target) -> None:
    """The environment of another process cannot be read."""
    Path(f"/proc/{target.victim}/environ").read_bytes()


@_against("processes")
def signal_a_process(target: Target) -> None:
    """Other processes cannot be signalled."""
    os.kill(target.victim, 0)


@_against("processes")
def trace_a_process(target: Target) -> None:
    """Other processes cannot be traced."""
    syscalls.call("ptrace", _SEIZE, target.victim, 0, 0)


@_against("processes")
def read_memory_of_a_process(target: Target) -> None:
    """The memory of another process cannot be read."""
    copy = ctypes.create_string_buffer(len(target.memory))
    here = (ctypes.c_size_t * 2)(ctypes.addressof(copy), len(copy))
    there = (ctypes.c_size_t * 2)(ctypes.addressof(target.memory), len(copy))
    syscalls.call("process_vm_readv", target.victim, here, 1, there, 1, 0)


@_against("processes")
def limit_a_process(target: Target) -> None:
    """Limits of other processes cannot be changed."""
    resource.prlimit(target.victim, resource.RLIMIT_CORE)


@_against("processes")
def slow_a_process_down(target: Target) -> None:
    """Other processes cannot be moved to another processor."""
    os.sched_setaffinity(target.victim, os.sched_getaffinity(0))


@_against("network")
def connect_by_tcp(target: Target) -> None:
    """There is no network, not even to this machine."""
    socket.create_connection(("127.0.0.1", target.port), _TIMEOUT).close()


@_against("network")
def connect_to_an_abstract_socket(target: Target) -> None:
    """Abstract sockets of the machine cannot be reached."""
    _connect(f"\0{target.abstract}")


@_against("network")
def connect_to_a_path(target: Target) -> None:
    """Sockets with a path cannot be reached."""
    _connect(str(target.listener))


@_against("network")
def send_to_a_path(target: Target) -> None:
    """Sockets with a path cannot be reached by a datagram, which needs no connection."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendto(b"", f"{target.listener}.datagrams")


@_against("network")
def talk_to_the_kernel(_: Target) -> None:
    """No other sockets than Unix sockets can be made."""
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()


@_against("inheritance")
def use_an_inherited_descriptor(target: Target) -> None:
    """Descriptors that were not handed over are closed."""
    os.close(os.open("secret", os.O_RDONLY, dir_fd=target.descriptor))


@_against("inheritance")
def read_the_environment(target: Target) -> None:
    """No environment variables are inherited."""
    os.environ[target.variable]


@_against("privileges")
def become_root(_: Target) -> None:
    """Nobody can become root."""
    os.setresuid(0, 0, 0)


@_against("privileges")
def change_the_root(_: Target) -> None:
    """The root folder cannot be changed."""
    os.chroot("/")


@_against("privileges")
def make_a_user_namespace(_: Target) -> None:
    """No user namespace can be made, in which a process would be root."""
    syscalls.unshare(syscalls.CLONE_NEWUSER)


@_against("kernel")
def batch_calls_past_the_filter(_: Target) -> None:
    """System calls that bypass the filter (io_uring) are refused."""
    syscalls.call("io_uring_setup", 1, ctypes.create_string_buffer(120))


@_against("kernel")
def call_as_another_machine(_: Target) -> None:
    """System calls in the convention of another machine end the process."""
    if MACHINE != "x86_64":
        raise OSError("this machine has one convention")
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("b8 14000000 cd80 c3"))  # eax = 20 (getpid); int 0x80; ret
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


@_against("kernel")
def open_a_keyring(_: Target) -> None:
    """The kernel's keyrings cannot be used."""
    syscalls.call("keyctl", 0, -3, 0)


@_against("measurement")
def choose_ones_processor(_: Target) -> None:
    """A process cannot choose the processor that it is timed on."""
    os.sched_setaffinity(0, os.sched_getaffinity(0))


@_against("measurement")
def lower_ones_priority(_: Target) -> None:
    """A process cannot change its priority."""
    os.setpriority(os.PRIO_PROCESS, 0, 19)


@_against("measurement")
def hide_from_measurement(_: Target) -> None:
    """A process cannot hide its memory from measurement."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def _where_memory_is_measured(attempt: Attempt) -> Attempt:
    WHERE_MEASURED.append(attempt)
    return attempt


@_against("measurement")
@_where_memory_is_measured
def keep_memory_in_a_shared_mapping(_: Target) -> None:
    """Where memory is measured, no mapping keeps what its process lets go of."""
    mmap.mmap(-1, mmap.PAGESIZE).close()


@_against("measurement")
@_where_memory_is_measured
def keep_memory_in_a_pipe(_: Target) -> None:
    """Where memory is measured, pipes and sockets are of the usual size."""
    ends = os.pipe()
    try:
        fcntl.fcntl(ends[0], _SET_PIPE_SIZE, 1 << 17)
    finally:
        for end in ends:
            os.close(end)


@_against("amount")
def take_memory(target: Target) -> None:
    """The memory of a process is bounded."""
    mmap.mmap(-1, (target.limits.memory_mb + 16) << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()


@_against("amount")
def take_memory_in_a_nameless_file(_: Target) -> None:
    """There is no memory that escapes the limits."""
    os.close(os.memfd_create("memory"))


@_against("amount")
def take_memory_that_outlives_processes(_: Target) -> None:
    """There is no memory that outlives its process."""
    segment = syscalls.call("shmget", 0, 4096, 0o1600)
    syscalls.call("shmctl", segment, 0, None)  # removed at once


@_against("amount")
def start_many_processes(target: Target) -> None:
    """The number of processes is bounded."""
    reader, writer = os.pipe()
    started = []
    try:
        for _ in range(target.limits.processes + 1):
            child = os.fork()
            if child == 0:
                os.close(writer)
                os.read(reader, 1)  # until the last writer is gone
                os._exit(0)
            started.append(child)
    finally:
        os.close(writer)
        for child in started:
            os.waitpid(child, 0)


@_against("amount")
def write_a_large_file(target: Target) -> None:
    """The size of a file is bounded."""
    path = _temporary() / "large"
    try:
        with path.open("wb") as file:
            file.seek(target.limits.file_mb << 20)
            file.write(b"1")
    finally:
        path.unlink(missing_ok=True)


@_against("amount")
def fill_the_folders(target: Target) -> None:
    """The size of the private folders is bounded."""
    limits = target.limits
    paths = [_temporary() / f"fill-{number}" for number in range(limits.folder_mb // limits.file_mb + 1)]
    try:
        for path in paths:
            path.write_bytes(bytes(limits.file_mb << 20))
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


@_against("amount")
def make_many_files(target: Target) -> None:
    """The number of files in the private folders is bounded."""
    folder = _temporary()
    made = []
    try:
        for number in range(target.limits.folder_files + 1):
            path = folder / f"many-{number}"
            path.touch()
            made.append(path)
    finally:
        for path in made:
            path.unlink()


@_against("neighbours")
def read_a_neighbours_file(target: Target) -> None:
    """A candidate's files are its own."""
    (target.neighbour_home / "left").read_text()


@_against("neighbours")
def connect_to_a_neighbour(target: Target) -> None:
    """A candidate's sockets are its own."""
    _connect(f"\0{target.neighbour_abstract}")


def use_a_processor(target: Target) -> None:
    """The processor time of a process is bounded."""
    while sum(os.times()[:2]) < target.limits.cpu_seconds + 1:
        pass


def stay_alive(lifeline: int) -> None:
    """No process that a candidate started outlives it."""
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, lifeline)
        os.closerange(lifeline + 1, os.sysconf("SC_OPEN_MAX"))
        if os.fork() == 0:
            os.read(lifeline, 1)  # a daemon, which lives until the other end is closed
        os._exit(0)


def _connect(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_TIMEOUT)
        client.connect(address)


def _temporary() -> Path:
    return Path(os.environ["TMPDIR"])
