"""Where student code runs: a server enters the outer walls once, and walls in each candidate by itself.

The process that calls `enter_outer` stays behind as keeper, the child in which it returns is the server, and
nothing outlives the server.
"""

import itertools
import os
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from examiner.box import landlock, limits, namespaces, privileges, reaper, seccomp, syscalls, usage
from examiner.box.disk import Disk
from examiner.box.limits import ResourceLimits
from examiner.box.namespaces import Outer
from examiner.box.policy import policy
from examiner.box.view import View
from examiner.box.walls import MissingWalls, Walls, available

_STANDING: Final = b"\0"
_FIRST_TO_GO: Final = b"1000"  # when the machine's memory runs out


class WallsFailed(Exception):  # noqa: N818 - the name says what is wrong
    """The walls around one candidate could not be put up; none of its code has run."""


def enter_outer(view: View, walls: Walls | None = None) -> "Box":
    """Leave this process behind as keeper, and return in a child, the server, that can start candidates.

    Call it in a process with one thread, before anything is preloaded: the keeper closes all its descriptors
    and ends with the server's exit code. SIGTERM to the keeper ends both.

    Parameters
    ----------
    view
        What candidates can read.
    walls
        Use exactly these, even too few of them. If None, all that this machine has.

    Raises
    ------
    MissingWalls
        If this machine's walls are not enough.
    """
    chosen = walls or available()
    if walls is None and not chosen.are_enough:
        raise MissingWalls(chosen.advice)
    if chosen.namespaces:
        proc = namespaces.enter_outer(view)
        _leave_keeper(lambda: None)
        return Box(chosen, Outer(proc, network=chosen.landlock < landlock.SCOPES_SINCE))
    disk = Disk(view)
    reaper.adopt()
    _leave_keeper(disk.close)
    reaper.adopt()
    return Box(chosen, disk)


def _leave_keeper(clear: Callable[[], None]) -> None:
    server = os.fork()
    if server == 0:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    try:
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))
        pidfd = os.pidfd_open(server)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: reaper.end(pidfd, 0))
        _, status = os.waitpid(server, 0)
        clear()
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    finally:
        os._exit(1)


@dataclass(frozen=True)
class Boxed:
    """A candidate that was started.

    Parameters
    ----------
    number
        Its process, as the server sees it.
    pidfd
        A descriptor of that process; whoever holds it can end it by `reaper.end`, from any namespace around.
    home
        Its working folder, as it sees it.
    bounds
        How much it may use.
    """

    number: int
    pidfd: int
    home: Path
    bounds: ResourceLimits = field(default_factory=ResourceLimits)


class Box:
    """The server's side of the walls."""

    def __init__(self, walls: Walls, ground: Outer | Disk) -> None:
        self.walls = walls
        self._ground = ground
        self._living: set[int] = set()
        self._nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        stays_inside = walls.landlock >= landlock.SCOPES_SINCE
        refused = policy(namespaces=walls.namespaces, signals_stay_inside=stays_inside)
        self._filter = seccomp.Filter(seccomp.assemble(refused)) if walls.seccomp else None
        self._mapped = 0
        _write(ground.proc, "self/oom_score_adj", _FIRST_TO_GO)  # its candidates inherit that
        home = ground.prepare()
        os.environ.update(self._whereabouts(home))
        os.chdir(home)  # of the boxed server alone

    def start(
        self,
        body: Callable[[], object],
        bounds: ResourceLimits,
        keep: Collection[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Boxed:
        """Fork a candidate, and return once all walls stand around it, before it does anything of `body`.

        Call it in the main thread: a candidate ends with the thread that started it.

        Parameters
        ----------
        body
            What it does; when it returns, the candidate ends.
        bounds
            How much it may use.
        keep
            Descriptors that it keeps. Those of 0, 1 and 2 that are not among them lead nowhere.
        environment
            All that it finds in ``os.environ`` besides ``HOME`` and ``TMPDIR``.

        Raises
        ------
        WallsFailed
            If one of the walls could not be put up.
        """
        home = self._ground.prepare()
        surroundings = {**(environment or {}), **self._whereabouts(home)}
        changed = None if os.environ == surroundings else surroundings
        if not self._mapped:
            self.measure()
        reader, writer = os.pipe()
        try:
            number = self._ground.fork()
        except OSError as error:
            os.close(reader)
            os.close(writer)
            self._ground.clear(home, self._living)
            raise WallsFailed(str(error)) from error
        if number == 0:
            _be(partial(self._wall_in, home, bounds, {*keep, writer}, changed), writer, body)
        boxed = Boxed(number, os.pidfd_open(number), home, bounds)
        self._living.add(number)
        os.close(writer)
        said = os.read(reader, 1000)  # one write of at most as much, or its end
        os.close(reader)
        if said != _STANDING:
            self.end(boxed)
            raise WallsFailed(said.decode() or "the process died")
        return boxed

    def measure(self) -> None:
        """Find out how large the server is; to be called again when it has imported more."""
        self._mapped = usage.address_space(self._ground.proc)

    def look_after(self, boxed: Boxed, tell: Callable[[], object]) -> bool:
        """Kill a candidate's largest process, and tell so before, if all together use too much memory.

        If that is its first, none of the others live on, as in a process namespace.
        Without namespaces they are looked after together: whose a stray process is, nobody can tell.

        Returns
        -------
        bool
            Whether they do; then look again at once.
        """
        proc, first = self._ground.proc, usage.number(boxed.pidfd, self._ground.proc)
        if self.walls.namespaces:
            living = list(usage.processes(first, proc)) if first > 0 else []
        else:
            _, *living = usage.processes(int(os.readlink("self", dir_fd=proc)), proc)
        largest = usage.largest_of_too_many(living, boxed.bounds.together_mb << 20, proc)
        if largest is None:
            return False
        tell()
        for each in living if largest == first else [largest]:
            usage.kill(each, proc)
        return True

    def end(self, boxed: Boxed) -> int:
        """Kill a candidate if it lives, and all that it started; return its exit code, or minus its signal.

        Its pidfd is closed. To be called as well for one that ended by itself. Without namespaces, any other
        child that the server has is killed too.
        """
        reaper.end(boxed.pidfd)
        _, status = os.waitpid(boxed.number, 0)
        os.close(boxed.pidfd)
        self._living.discard(boxed.number)
        self._ground.clear(boxed.home, self._living)
        return os.waitstatus_to_exitcode(status)

    def _wall_in(
        self, home: Path, bounds: ResourceLimits, keep: set[int], environment: Mapping[str, str] | None
    ) -> None:
        """Put up all walls around this process; each step takes away what the steps before it needed.

        Whatever the server can find out or make ready for all candidates is done there: here each step, and
        each object that it touches, costs a copy of a page.
        """
        ground = self._ground
        os.setsid()
        os.umask(0o077)
        ground.enter(bounds.folder_mb, bounds.folder_files)
        privileges.drop_capabilities()
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if self.walls.landlock:
            landlock.restrict(ground.rules(home), self.walls.landlock)
        self._close_all_but(keep)
        limits.apply(bounds, self._mapped, processes_before=ground.processes_before)
        if environment is not None:
            os.environ.clear()
            os.environ.update(environment)
        os.chdir(home)  # of the candidate alone: nothing of ours has a working folder
        if self._filter:
            self._filter.install()

    def _whereabouts(self, home: Path) -> dict[str, str]:
        return {"HOME": str(home), "TMPDIR": str(self._ground.temporary(home))}

    def _close_all_but(self, keep: set[int]) -> None:
        for standard in {0, 1, 2} - keep:
            os.dup2(self._nothing, standard)
        kept = sorted({2, *keep, os.sysconf("SC_OPEN_MAX")})
        for below, above in itertools.pairwise(kept):
            os.closerange(below + 1, above)


def _be(wall_in: Callable[[], None], writer: int, body: Callable[[], object]) -> NoReturn:
    """Live as a candidate: be walled in, say so, do what is to be done, and never return."""
    status = 1
    try:
        try:
            wall_in()
        except OSError as error:
            os.write(writer, str(error).encode()[:1000])
            raise
        os.write(writer, _STANDING)
        os.close(writer)
        body()
        status = 0
    finally:
        os._exit(status)


def _write(folder: int, name: str, text: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY, dir_fd=folder)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)
