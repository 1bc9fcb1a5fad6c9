"""A kernel of any language behind the walls: enters them, starts its command inside, leaves nothing of it.

It is a program of its own, started for one kernel, with an order on its standard input. On its link, made of
datagrams, it says

    started + JSON, pidfd of the box, pidfd of the kernel  |  failed + reason  |  refused + advice

and lives until the kernel has ended, or the link is closed. It ends with the kernel's exit code. Meanwhile
it says `killed` when it has killed the largest process of too large a box.
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
SOCKETS: Final = "s"  # what the names of the kernel's sockets begin with; the path of a socket must be short
BURIER: Final = 2  # processes of a box that are not the student's: the one that buries orphans, the kernel
SIGNALLED: Final = 128  # a shell adds it to the number of the signal that ended a program


@dataclass(frozen=True)
class Order:
    """All that a kernel is started with.

    Parameters
    ----------
    command
        Its program and arguments.
    placeholder
        What stands in them for the path of the connection file.
    connection
        What that file says, but for where the sockets are.
    environment
        All its variables, but for those that name folders.
    shown, hidden
        What it can read, and what not all the same.
    bounds
        What it may use.
    files
        What its working folder holds, by path.
    fonts
        matplotlib's lists of fonts, by name.
    walls
        Exactly these, or all that the machine has.
    """

    command: tuple[str, ...]
    placeholder: str
    connection: Mapping[str, Any]
    environment: Mapping[str, str]
    shown: tuple[str, ...]
    hidden: tuple[str, ...]
    bounds: ResourceLimits
    files: Mapping[str, bytes]
    fonts: Mapping[str, bytes]
    walls: Walls | None = None

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` makes the same order of, in the same Python."""
        return marshal.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Order":
        """Return the order that `to_bytes` wrote."""
        entries = marshal.loads(data)  # noqa: S302 - from the process that started this one
        bounds, walls = ResourceLimits(**entries["bounds"]), entries["walls"]
        return cls(**entries | {"bounds": bounds, "walls": Walls(**walls) if walls else None})


def main() -> None:
    """Run the kernel that is ordered, and end as it does."""
    link = socket.socket(fileno=int(sys.argv[1]))
    order = Order.from_bytes(sys.stdin.buffer.read())
    view = View(tuple(map(Path, order.shown)), tuple(map(Path, order.hidden)))
    try:
        box = enter_outer(view, order.walls)
        ours, theirs = socket.socketpair()
        bounds = replace(order.bounds, processes=order.bounds.processes + BURIER)
        body = partial(_live, order, theirs)
        boxed = box.start(body, bounds, {2, theirs.fileno()}, order.environment)
    except MissingWalls as error:
        link.send(f"refused {error}".encode())
        sys.exit(1)
    except (WallsFailed, OSError) as error:
        link.send(f"failed {error}"[:DATAGRAM_BYTES].encode())
        sys.exit(1)
    theirs.close()
    said, descriptors, _, _ = socket.recv_fds(ours, DATAGRAM_BYTES, 1)
    if descriptors:
        place = {"home": str(boxed.home), "walls": asdict(box.walls)}
        message = b"started " + json.dumps(place).encode()
        socket.send_fds(link, [message], [boxed.pidfd, *descriptors])
        _wait(link, box, boxed)
    else:
        link.send(b"failed " + (said or b"the process died"))
    status = box.end(boxed)
    os._exit(status if status >= 0 else SIGNALLED - status)


def _wait(link: socket.socket, box: Box, boxed: Boxed) -> None:
    """Return when the box has ended, or nobody asks for it any more; until then look after its memory."""

    def tell() -> None:
        with contextlib.suppress(BlockingIOError):  # then it was told often enough
            link.send(KILLED, socket.MSG_DONTWAIT)

    poll, is_over = select.poll(), False
    poll.register(link, select.POLLIN)
    poll.register(boxed.pidfd, select.POLLIN)
    while not poll.poll(0 if is_over else LOOK_MS):
        is_over = box.look_after(boxed, tell)


def _live(order: Order, report: socket.socket) -> NoReturn:
    """Be the first process in a box: make ready, start the kernel, bury orphans, and end as it does."""
    try:
        runtime = _settle(order)
        command = [each.replace(order.placeholder, str(runtime / CONNECTION_FILE)) for each in order.command]
        kernel = os.fork()
        if kernel == 0:
            _become(command)
        descriptor = os.pidfd_open(kernel)
    except OSError as error:
        report.send(str(error).encode()[:DATAGRAM_BYTES])
        os._exit(1)
    socket.send_fds(report, [b"started"], [descriptor])
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    for each in (signal.SIGINT, signal.SIGTERM):  # without namespaces, they may come from a kernel's code
        signal.signal(each, signal.SIG_IGN)
    while True:
        number, status = os.wait()
        if number == kernel:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else SIGNALLED - code)


def _settle(order: Order) -> Path:
    """Fill the private folders, enter the working folder, and return where the sockets will be."""
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
    os.chdir(WORK)  # of the boxed kernel alone, which expects its notebook's folder there
    return runtime


def _become(command: list[str]) -> NoReturn:
    """Be the kernel; what Python has ignored for itself is not ignored there."""
    try:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - behind the walls
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    finally:
        os._exit(127)
