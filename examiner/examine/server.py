"""The trusted end: a warm server of the student environment, and the candidates that it starts."""

import contextlib
import json
import os
import select
import socket
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Self

from examiner.box import reaper, usage
from examiner.box.limits import ResourceLimits
from examiner.box.link import DATAGRAM_BYTES, KILLED, last_line
from examiner.box.walls import Walls
from examiner.candidate.work import ENVIRONMENT, FORBID, REPORT_LIMITS, Role, Work
from examiner.errors import MissingEnvironment, PlatformFault
from examiner.examine.program import program
from examiner.wire.channel import Channel
from examiner.wire.shared_memory import SharedBlock

SERVER_START_SECONDS: Final = 60.0  # that a server may take until it is warm
ANSWER_SECONDS: Final = 30.0  # that it may take to start a candidate
OWN_FILES: Final = 24  # descriptors of a candidate that are not the student's


@dataclass(frozen=True)
class SandboxSettings:
    """Where a student's code runs.

    Parameters
    ----------
    python : Path
        The interpreter of the student environment.
    walls : Walls, optional
        Use exactly these, even too few of them, instead of all that the machine has.
    caches : Path, optional
        A folder with matplotlib's lists of fonts, which take a second to make anew.
    hidden : tuple of str
        Top-level packages of that environment that a student's code neither finds nor reads.
    """

    python: Path
    walls: Walls | None = None
    caches: Path | None = None
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServerInfo:
    """What a server has found around it: the walls that stand, and the versions of what runs behind them."""

    walls: Walls
    python: str
    numpy: str


class BrokenServer(PlatformFault):
    """The server of the student environment ended or fell silent; the job can be asked for again."""


class TooFewWalls(PlatformFault):
    """Student code cannot run here: too few walls stand around it."""


@dataclass(frozen=True)
class CellConnection:
    """The trusted end of one grade cell's line."""

    channel: Channel
    incoming: SharedBlock
    outgoing: SharedBlock

    @classmethod
    def open(cls) -> tuple["CellConnection", tuple[int, int, int]]:
        """Return a new line, and the descriptors of its other end; the socket among them is to be closed."""
        ours, theirs = socket.socketpair()
        incoming, outgoing = SharedBlock.create(), SharedBlock.create()
        line = cls(Channel(ours, incoming, outgoing), incoming, outgoing)
        return line, (theirs.detach(), outgoing.descriptor, incoming.descriptor)

    def close(self) -> None:
        """Hang up; the snapshot ends by itself."""
        self.channel.close()
        self.incoming.close()
        self.outgoing.close()


class Candidate:
    """A student's process that was started; closing it ends everything of it.

    Parameters
    ----------
    pidfd
        The process with whose end all others of it end.
    control
        Where it reports: bytes that nobody vouches for.
    lines
        One for each cell that is not plain, in order.
    """

    def __init__(
        self, server: "Server", pidfd: int, control: Channel, lines: tuple[CellConnection, ...]
    ) -> None:
        self._server, self.pidfd, self.control, self.lines = server, pidfd, control, lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        for line in self.lines:
            line.close()
        with contextlib.suppress(BrokenServer):
            self._server.end(self.pidfd)

    def kill(self) -> None:
        """End all its processes now."""
        reaper.end(self.pidfd)

    def processes(self) -> list[int]:
        """Return the numbers of all its processes, as seen from here."""
        return self._server.processes(self.pidfd)

    def forbid_more(self, process: int) -> None:
        """Let one of its processes, by its number as seen from here, start no others any more."""
        self._server.forbid_more(process)

    def memory_kills(self) -> int:
        """Return how many processes its server has killed so far, for the memory of all of a candidate."""
        return self._server.memory_kills()

    def check_server(self) -> None:
        """Raise BrokenServer if the server is no more, and the candidate with it."""
        self._server.check()


class Server:
    """A warm process of the student environment behind the outer walls; it has one candidate at a time."""

    def __init__(self, surroundings: SandboxSettings) -> None:
        python, walls = surroundings.python, surroundings.walls
        if not python.exists():
            raise MissingEnvironment(python, "the student environment is not there", "run `examiner setup`")
        self._python = python
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = os.memfd_create("errors")
        self._warm: ServerInfo | None = None
        self._kills = 0
        self._draws = False
        text = os.memfd_create("program")
        os.write(text, program())
        os.lseek(text, 0, os.SEEK_SET)
        self._process = subprocess.Popen(  # noqa: S603 - the interpreter that course.toml names
            [python, "-I", "-", str(theirs.fileno())],
            stdin=text,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=ENVIRONMENT,
            pass_fds=[theirs.fileno()],
            cwd="/",
            start_new_session=True,  # an interrupt of the terminal is for the process that grades
        )
        os.close(text)
        theirs.close()
        settings = {"walls": walls and asdict(walls), "caches": str(surroundings.caches or "")}
        self._link.send(json.dumps(settings | {"hidden": surroundings.hidden}).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server, and with it every candidate."""
        self._link.close()
        self._process.terminate()
        self._process.wait()
        os.close(self._errors)

    def check(self) -> None:
        """Raise BrokenServer if the server is no more; its end of the link closes before a candidate dies."""
        poll = select.poll()
        poll.register(self._link, select.POLLRDHUP)
        if poll.poll(0):
            raise self._broken("it ended")

    def wait_until_warm(self) -> ServerInfo:
        """Return once candidates can be started: what they are started in."""
        if self._warm is None:
            said = json.loads(self._receive(b"ready", time.monotonic() + SERVER_START_SECONDS)[0])
            self._warm = ServerInfo(Walls(**said["walls"]), said["python"], said["numpy"])
        return self._warm

    def learn_to_draw(self) -> None:
        """Have all candidates that are started from now on find imported what draws; never twice.

        Without it, their code imports that by itself, which takes a second.

        Raises
        ------
        BrokenServer
            If the server does not answer.
        """
        self.wait_until_warm()
        if not self._draws:
            self._send(b"draw")
            self._receive(b"drawing", time.monotonic() + SERVER_START_SECONDS)
            self._draws = True

    def start(self, work: Work, bounds: ResourceLimits) -> Candidate:
        """Start a candidate; the one before must have been closed.

        Raises
        ------
        BrokenServer
            If the server did not start it.
        """
        self.wait_until_warm()
        ours, theirs = socket.socketpair()
        pairs = [CellConnection.open() for role, _ in work.cells if role is not Role.PLAIN]
        handed = os.memfd_create("work")
        lines = tuple(line for line, _ in pairs)
        try:
            _write(handed, work.to_bytes())
            descriptors = [handed, theirs.fileno(), *(each for _, ends in pairs for each in ends)]
            self._send(b"start " + _widened(bounds, len(lines)), descriptors)
            _, [pidfd] = self._receive(b"started", time.monotonic() + ANSWER_SECONDS)
        except BaseException:
            ours.close()
            for line in lines:
                line.close()
            raise
        finally:
            os.close(handed)
            theirs.close()
            for _, ends in pairs:
                os.close(ends[0])
        return Candidate(self, pidfd, Channel(ours, limits=REPORT_LIMITS), lines)

    def memory_kills(self) -> int:
        """Return how many processes it has killed so far, of any candidate, for the memory of all of one.

        Nothing else is said unasked while a candidate lives.
        """
        with contextlib.suppress(BlockingIOError):
            while self._link.recv(DATAGRAM_BYTES, socket.MSG_DONTWAIT) == KILLED:
                self._kills += 1
        return self._kills

    def processes(self, pidfd: int) -> list[int]:
        """Return the numbers of a candidate's processes.

        Without namespaces an orphan becomes the server's child; then these are all but the two of the server.
        """
        if self.wait_until_warm().walls.namespaces:
            first = usage.number(pidfd)
            return list(usage.processes(first)) if first > 0 else []
        return list(usage.processes(self._process.pid))[2:]

    def forbid_more(self, process: int) -> None:
        """Have a process of the candidate start no others any more.

        That is for the server to do, which is the same user as its candidates; root may lack the capability.

        Raises
        ------
        BrokenServer
            If it does not say that it has.
        """
        depth = len(usage.numbers(usage.server_of(self._process.pid)))
        seen = usage.numbers(process)
        if len(seen) < depth:  # it ended
            return
        self._send(FORBID + b" %d" % seen[depth - 1])
        while (message := self._message(time.monotonic() + ANSWER_SECONDS)[0]) == KILLED:
            self._kills += 1
        if message != FORBID:
            raise self._broken("it does not do what it was asked for")

    def end(self, pidfd: int) -> None:
        """Have everything of a candidate ended."""
        os.close(pidfd)
        self._send(b"end")

    def _send(self, message: bytes, descriptors: list[int] | None = None) -> None:
        try:
            socket.send_fds(self._link, [message], descriptors or [])
        except OSError as error:
            raise self._broken(str(error)) from error

    def _receive(self, verb: bytes, deadline: float) -> tuple[bytes, list[int]]:
        """Return the rest of an answer that begins with this verb, and its descriptors."""
        message, descriptors = self._message(deadline)
        if message == KILLED:  # in a candidate that has ended
            self._kills += 1
            return self._receive(verb, deadline)
        said, _, rest = message.partition(b" ")
        if said == b"refused":
            raise TooFewWalls("the box", "too few walls stand on this machine", rest.decode())
        if said != verb:
            raise self._broken(rest.decode() or "it ended")
        return rest, descriptors

    def _message(self, deadline: float) -> tuple[bytes, list[int]]:
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise self._broken("it does not answer")
        try:
            message, descriptors, _, _ = socket.recv_fds(self._link, DATAGRAM_BYTES, 1)
        except OSError as error:
            raise self._broken(str(error)) from error
        return message, descriptors

    def _broken(self, why: str) -> BrokenServer:
        errors = last_line(self._errors)
        fact = f"the server of the student environment failed ({why}{errors and ': ' + errors})"
        return BrokenServer(self._python, fact, "try again; if it stays, reinstall it")


@cache
def _widened(bounds: ResourceLimits, lines: int) -> bytes:
    """Return what to start a candidate with, so that a student's code can use what the bounds say."""
    files = bounds.open_files + OWN_FILES + 2 + 3 * lines
    widened = replace(bounds, open_files=files, processes=bounds.processes + 2 + lines)
    return json.dumps(asdict(widened)).encode()


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
