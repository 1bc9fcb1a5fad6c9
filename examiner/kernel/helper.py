"""A program that starts one kernel of any language behind the walls, and cleans up after it.

It reads an `Order` from its standard input. On its link, a socket of datagrams, it sends

    started + JSON, pidfd of the box, pidfd of the kernel  |  failed + reason  |  refused + advice

and it runs until the kernel has ended, or the link is closed. It ends with the kernel's exit code. It sends
`killed` whenever it kills the largest process of a box that uses too much memory.
"""

import contextlib
import json
import marshal
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from examiner.box.box import Box, Boxed, WallsFailed, enter_outer
from examiner.box.limits import ResourceLimits
from examiner.box.link import DATAGRAM_BYTES, KILLED, LOOK_MS
from examiner.box.view import View
from examiner.box.walls import MissingWalls, Walls

WORK: Final = Path("work")
HOME: Final = Path("home")
RUNTIME_FOLDER: Final = Path("runtime")
FONTS: Final = HOME / ".cache" / "matplotlib"
CONNECTION_FILE: Final = "connection.json"
SOCKETS: Final = "s"  # the names of the kernel's sockets begin with this; the path of a socket must be short
OWN_PROCESSES: Final = 2  # processes of a box that are not the student's: the init process and the kernel
SIGNALLED: Final = 128  # exit codes of programs ended by a signal are this plus its number, as in shells


@dataclass(frozen=True)
class Order:
    """Everything that is needed to start a kernel.

    Parameters
    ----------
    command
        Its program and arguments.
    placeholder
        The text in them that is replaced by the path of the connection file.
    connection
        The content of that file, except where the sockets are.
    environment
        Its environment variables, except HOME and TMPDIR.
    shown, hidden
        The paths that it can read, and those in them that it cannot.
    limits
        How much it may use.
    files
        The files of its working folder, by relative path.
    fonts
        matplotlib's font caches, by name.
    walls
        The walls to use; None for all that the machine has.
    """

    command: tuple[str, ...]
    placeholder: str
    connection: Mapping[str, Any]
    environment: Mapping[str, str]
    shown: tuple[str, ...]
    hidden: tuple[str, ...]
    limits: ResourceLimits
    files: Mapping[str, bytes]
    fonts: Mapping[str, bytes]
    walls: Walls | None = None

    def to_bytes(self) -> bytes:
        """Return the encoded order; marshal's format is the same only within one version of Python."""
        return marshal.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Order":
        """Return the order that `to_bytes` encoded."""
        entries = marshal.loads(data)  # noqa: S302 - the order comes from the process that started this one
        limits, walls = ResourceLimits(**entries["limits"]), entries["walls"]
        return cls(**entries | {"limits": limits, "walls": Walls(**walls) if walls else None})


def main() -> None:
    """Start the kernel of the order, wait for its end, and exit with its exit code."""
    link = socket.socket(fileno=int(sys.argv[1]))
    order = Order.from_bytes(sys.stdin.buffer.read())
    view = View(tuple(map(Path, order.shown)), tuple(map(Path, order.hidden)))
    try:
        box = enter_outer(view, order.walls)
        ours, theirs = socket.socketpair()
        limits = replace(order.limits, processes=order.limits.processes + OWN_PROCESSES)
        body = partial(_supervise, order, theirs)
        boxed = box.start(body, limits, {2, theirs.fileno()}, order.environment)
    except MissingWalls as error:
        link.send(f"refused {error}".encode())
        sys.exit(1)
    except (WallsFailed, OSError) as error:
        link.send(f"failed {error}"[:DATAGRAM_BYTES].encode())
        sys.exit(1)
    theirs.close()
    report, descriptors, _, _ = socket.recv_fds(ours, DATAGRAM_BYTES, 1)
    if descriptors:
        place = {"home": str(boxed.home), "walls": asdict(box.walls)}
        message = b"started " + json.dumps(place).encode()
        socket.send_fds(link, [message], [boxed.pidfd, *descriptors])
        _wait(link, box, boxed)
    else:
        link.send(b"failed " + (report or b"the process died"))
    status = box.end(boxed)
    os._exit(status if status >= 0 else SIGNALLED - status)


def _wait(link: socket.socket, box: Box, boxed: Boxed) -> None:
    """Return when the box has ended or the link is closed; until then check its memory from time to time."""

    def tell() -> None:
        with contextlib.suppress(BlockingIOError):  # the socket is full of unread messages of this kind
            link.send(KILLED, socket.MSG_DONTWAIT)

    poll, is_over = select.poll(), False
    poll.register(link, select.POLLIN)
    poll.register(boxed.pidfd, select.POLLIN)
    while not poll.poll(0 if is_over else LOOK_MS):
        is_over = box.look_after(boxed, tell)


def _supervise(order: Order, report: socket.socket) -> NoReturn:
    """Run as the first process in a box: start the kernel, reap orphans, exit with the kernel's exit code."""
    try:
        runtime = _prepare_folders(order)
        connection_file = str(runtime / CONNECTION_FILE)
        command = [word.replace(order.placeholder, connection_file) for word in order.command]
        kernel = os.fork()
        if kernel == 0:
            _exec_kernel(command)
        descriptor = os.pidfd_open(kernel)
    except OSError as error:
        report.send(str(error).encode()[:DATAGRAM_BYTES])
        os._exit(1)
    socket.send_fds(report, [b"started"], [descriptor])
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    for number in (signal.SIGINT, signal.SIGTERM):  # without namespaces, the student's code can send them
        signal.signal(number, signal.SIG_IGN)
    while True:
        child, status = os.wait()
        if child == kernel:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else SIGNALLED - code)


def _prepare_folders(order: Order) -> Path:
    """Fill the private folders, enter the working folder, and return the folder of the sockets."""
    home = Path.cwd()
    for folder in (WORK, FONTS, RUNTIME_FOLDER):
        folder.mkdir(parents=True)
    for folder, files in ((WORK, order.files), (FONTS, order.fonts)):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    runtime = home / RUNTIME_FOLDER
    connection = {**order.connection, "transport": "ipc", "ip": str(runtime / SOCKETS)}
    (runtime / CONNECTION_FILE).write_text(json.dumps(connection))
    os.environ["HOME"] = str(home / HOME)
    os.chdir(WORK)  # this changes the boxed kernel alone, which expects to run in its notebook's folder
    return runtime


def _exec_kernel(command: list[str]) -> NoReturn:
    """Become the kernel; SIGPIPE, which Python ignores, gets its default action back."""
    try:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - behind the walls
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    finally:
        os._exit(127)
