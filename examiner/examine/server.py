"""Starts warm servers of the student environment, and candidates from one; this is their trusted end."""

import contextlib
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Self

from examiner.box import reaper, usage
from examiner.box.limits import ResourceLimits
from examiner.box.link import ALL_ENDED, DATAGRAM_BYTES, FORBID, KILLED, ONLY, last_line
from examiner.box.walls import Walls, available
from examiner.candidate.work import ENVIRONMENT, REPORT_LIMITS, Role, Work
from examiner.errors import MissingEnvironment, PlatformFault
from examiner.examine.program import candidate_program
from examiner.model import Course, StudentEnvironment
from examiner.wire.channel import Channel
from examiner.wire.shared_memory import SharedBlock

SERVER_START_SECONDS: Final = 60.0  # for a server to become ready
ANSWER_SECONDS: Final = 30.0  # for it to start a candidate
OWN_FILES: Final = 24  # descriptors that a candidate needs for itself


@dataclass(frozen=True)
class SandboxSettings:
    """The sandbox that a student's code runs in.

    Parameters
    ----------
    python : Path
        The interpreter of the student environment.
    walls : Walls, optional
        Use exactly these, even if they are too few, instead of all that the machine offers.
    caches : Path, optional
        A folder with matplotlib's font lists, which take a second to build.
    hidden : tuple of str
        Top-level packages of that environment that a student's code can neither import nor read.
    """

    python: Path
    walls: Walls | None = None
    caches: Path | None = None
    hidden: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, course: Course, student: StudentEnvironment, walls: Walls | None = None, *, unsafe: bool = False
    ) -> Self:
        """Return the sandbox of an environment of a course.

        An unsafe one has the walls of this machine, however few.
        """
        walls = available() if unsafe else walls
        return cls(student.python, walls, student.caches, course.hidden)


@dataclass(frozen=True)
class ServerInfo:
    """What a server reports when it is ready: its walls, and the versions of Python and NumPy."""

    walls: Walls
    python: str
    numpy: str


class BrokenServer(PlatformFault):
    """The server of the student environment ended or does not answer; the job can be tried again."""


class TooFewWalls(PlatformFault):
    """Student code cannot run here: this machine offers too few walls."""


@dataclass(frozen=True)
class CellConnection:
    """The trusted end of the connection to one grade cell's snapshot."""

    channel: Channel
    incoming: SharedBlock
    outgoing: SharedBlock

    @classmethod
    def open(cls) -> tuple["CellConnection", tuple[int, int, int]]:
        """Return a connection and the descriptors of its other end, of which the caller closes the first."""
        ours, theirs = socket.socketpair()
        incoming, outgoing = SharedBlock.create(), SharedBlock.create()
        connection = cls(Channel(ours, incoming, outgoing), incoming, outgoing)
        return connection, (theirs.detach(), outgoing.descriptor, incoming.descriptor)

    def close(self) -> None:
        """Close the connection; the snapshot then ends by itself."""
        self.channel.close()
        self.incoming.close()
        self.outgoing.close()


class Candidate:
    """A started process for a student's code; closing it ends all its processes.

    Parameters
    ----------
    pidfd
        A descriptor of its process; what it started may live on when that ends.
    control
        The channel on which it reports; nothing on it is trusted.
    connections
        One for each cell that is not plain, in order.
    """

    def __init__(
        self, server: "Server", pidfd: int, control: Channel, connections: tuple[CellConnection, ...]
    ) -> None:
        self._server, self._pidfd, self.control, self.connections = server, pidfd, control, connections

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        for connection in self.connections:
            connection.close()
        with contextlib.suppress(BrokenServer):
            self._server.end(self._pidfd)

    def has_ended(self) -> bool:
        """Whether its process has ended; others that it started may still hold its channels."""
        return reaper.is_over(self._pidfd)

    def end_others(self, kept: Iterable[int]) -> bool:
        """End all its processes but some, given by the numbers that it sees; return whether they ended."""
        return self._server.end_others(kept)

    def processes(self) -> list[int]:
        """Return the ids of all its processes, in our namespace."""
        return self._server.processes()

    def forbid_more(self, process: int) -> None:
        """Keep one of its processes, given by its id in our namespace, from starting any more processes."""
        self._server.forbid_more(process)

    def memory_kills(self) -> int:
        """Return how many processes its server has killed so far because a candidate used too much memory."""
        return self._server.memory_kills()

    def check_server(self) -> None:
        """Raise BrokenServer if the server, and with it the candidate, has ended."""
        self._server.check()


class WarmServer:
    """A warm process of the student environment behind the outer walls; it runs one boxed process at a time.

    Parameters
    ----------
    settings : SandboxSettings
        Its environment and walls.
    program : bytes
        The text that its Python runs.
    """

    def __init__(self, settings: SandboxSettings, program: bytes) -> None:
        python, walls = settings.python, settings.walls
        if not python.exists():
            raise MissingEnvironment(python, "the student environment is not there", "run `examiner setup`")
        self._python = python
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = os.memfd_create("errors")
        self._info: ServerInfo | None = None
        self._kills = 0
        text = os.memfd_create("program")
        write_file(text, program)
        self._process = subprocess.Popen(  # noqa: S603 - the interpreter that course.toml names
            [python, "-I", "-", str(theirs.fileno())],
            stdin=text,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=ENVIRONMENT,
            pass_fds=[theirs.fileno()],
            cwd="/",
            start_new_session=True,  # Ctrl-C in the terminal must reach only the process that grades
        )
        os.close(text)
        theirs.close()
        message = {"walls": walls and asdict(walls), "caches": str(settings.caches or "")}
        # One that has ended already is no error here: `wait_until_warm` says so, with what it wrote.
        with contextlib.suppress(ConnectionError):
            self._link.send(json.dumps(message | {"hidden": settings.hidden}).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server, and with it the process that it has started."""
        self._link.close()
        self._process.terminate()
        self._process.wait()
        os.close(self._errors)

    def check(self) -> None:
        """Raise BrokenServer if the server has ended; its end of the link closes before what it started."""
        poll = select.poll()
        poll.register(self._link, select.POLLRDHUP)
        if poll.poll(0):
            raise self._broken("it ended")

    def wait_until_warm(self) -> ServerInfo:
        """Wait until processes can be started, and return what the server reported."""
        if self._info is None:
            report = json.loads(self._receive(b"ready", time.monotonic() + SERVER_START_SECONDS)[0])
            self._info = ServerInfo(Walls(**report["walls"]), report["python"], report["numpy"])
        return self._info

    def request(self, message: bytes, descriptors: Sequence[int], answer: bytes, seconds: float) -> bytes:
        """Send a request, and return what follows the word that its answer begins with.

        Raises
        ------
        BrokenServer
            If there is another answer, or none in time.
        """
        self.wait_until_warm()
        self._send(message, descriptors)
        return self._receive(answer, time.monotonic() + seconds)[0]

    def launch(self, limits: bytes, descriptors: Sequence[int]) -> int:
        """Start a process with these limits, in JSON, and descriptors; return its pidfd.

        The one before must have been ended.

        Raises
        ------
        BrokenServer
            If the server did not start it.
        """
        self.wait_until_warm()
        self._send(b"start " + limits, descriptors)
        _, [pidfd] = self._receive(b"started", time.monotonic() + ANSWER_SECONDS)
        return pidfd

    def memory_kills(self) -> int:
        """Return how many processes it has killed so far because a box used too much memory.

        While a process lives, the server sends no other message without being asked.
        """
        with contextlib.suppress(BlockingIOError):
            while self._link.recv(DATAGRAM_BYTES, socket.MSG_DONTWAIT) == KILLED:
                self._kills += 1
        return self._kills

    def process(self) -> int:
        """Return the id of the server, in our namespace; -1 if it has ended."""
        return usage.server_of(self._process.pid)

    def processes(self) -> list[int]:
        """Return the ids, in our namespace, of all processes of the box.

        Orphans become children of the server, or of the first process of the box's namespace, which is
        a child of the server too; so these are all processes but the server's own two.
        """
        return list(usage.processes(self._process.pid))[2:]

    def forbid_more(self, process: int) -> None:
        """Keep a process of a box from starting any more processes.

        The server does this, since it is the same user as that process; root here may lack the capability.

        Raises
        ------
        BrokenServer
            If the server does not confirm it.
        """
        depth = len(usage.numbers(self.process()))
        seen = usage.numbers(process)
        if len(seen) < depth:  # the process ended
            return
        self._send(FORBID + b" %d" % seen[depth - 1])
        self._receive(FORBID, time.monotonic() + ANSWER_SECONDS)

    def end_others(self, kept: Iterable[int]) -> bool:
        """Have the server end all processes of the box but some; return whether they ended.

        Parameters
        ----------
        kept : iterable of int
            The numbers of the others, as the box sees them.

        Raises
        ------
        BrokenServer
            If the server does not answer.
        """
        self._send(b"%b %b" % (ONLY, " ".join(map(str, kept)).encode()))
        return self._receive(ONLY, time.monotonic() + ANSWER_SECONDS)[0] == ALL_ENDED

    def end(self, pidfd: int) -> None:
        """Have the server end all processes of a box."""
        os.close(pidfd)
        self._send(b"end")

    def _send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        try:
            socket.send_fds(self._link, [message], list(descriptors))
        except OSError as error:
            raise self._broken(str(error)) from error

    def _receive(self, verb: bytes, deadline: float) -> tuple[bytes, list[int]]:
        """Return the rest of an answer that begins with this verb, and its descriptors."""
        message, descriptors = self._message(deadline)
        while message == KILLED:
            self._kills += 1
            message, descriptors = self._message(deadline)
        found, _, rest = message.partition(b" ")
        if found == b"refused":
            raise TooFewWalls("the box", "too few walls stand on this machine", rest.decode())
        if found == b"failed":
            fact = f"no process of the student environment can be started ({rest.decode()})"
            raise BrokenServer(self._python, fact, "see to that, and run the command again")
        if found != verb:
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
        fact = f"a server of the student environment failed ({why}{errors and ': ' + errors})"
        return BrokenServer(self._python, fact, "try again; if it fails again, reinstall the environment")


class Server(WarmServer):
    """The server of candidates.

    Attributes
    ----------
    learned : frozenset of str
        The modules that it has imported beyond those of every such server.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings, candidate_program())
        self.learned: frozenset[str] = frozenset()

    def learn(self, modules: frozenset[str]) -> None:
        """Preload modules for all candidates that are started from now on; those that it has cost nothing.

        Otherwise their code imports them by itself, which takes up to some seconds each time.

        Parameters
        ----------
        modules : frozenset of str
            Names of modules of the student environment; those that cannot be imported are left out.

        Raises
        ------
        BrokenServer
            If the server does not answer.
        """
        if new := modules - self.learned:
            self.request(b"learn " + " ".join(sorted(new)).encode(), [], b"learned", SERVER_START_SECONDS)
            self.learned |= new

    def start(self, work: Work, limits: ResourceLimits) -> Candidate:
        """Start a candidate; the one before must have been closed.

        Raises
        ------
        BrokenServer
            If the server did not start it.
        """
        self.wait_until_warm()
        ours, theirs = socket.socketpair()
        pairs = [CellConnection.open() for role, _ in work.cells if role is not Role.PLAIN]
        work_file = os.memfd_create("work")
        connections = tuple(connection for connection, _ in pairs)
        try:
            write_file(work_file, work.to_bytes())
            descriptors = [work_file, theirs.fileno(), *(end for _, ends in pairs for end in ends)]
            pidfd = self.launch(_widened(limits, len(connections)), descriptors)
        except BaseException:
            ours.close()
            for connection in connections:
                connection.close()
            raise
        finally:
            os.close(work_file)
            theirs.close()
            for _, ends in pairs:
                os.close(ends[0])
        return Candidate(self, pidfd, Channel(ours, limits=REPORT_LIMITS), connections)


@cache
def _widened(limits: ResourceLimits, connections: int) -> bytes:
    """Return as JSON the limits of the student's code, plus what the candidate needs for itself."""
    files = limits.open_files + OWN_FILES + 2 + 3 * connections
    widened = replace(limits, open_files=files, processes=limits.processes + 2 + connections)
    return json.dumps(asdict(widened)).encode()


def write_file(descriptor: int, data: bytes) -> None:
    """Write all bytes to an open file, and go back to its beginning for whoever reads it next."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
