"""Where student code runs: a server enters the outer walls once, and puts walls around each candidate.

The process that calls `enter_outer` stays behind as the keeper; the call returns in a child, the server.
Nothing outlives the server.
"""

import itertools
import os
import resource
import signal
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from examiner.box import landlock, namespaces, privileges, reaper, seccomp, syscalls, usage
from examiner.box.disk import Disk
from examiner.box.limits import ResourceLimits
from examiner.box.limits import apply as apply_limits
from examiner.box.limits import check as check_limits
from examiner.box.namespaces import Outer
from examiner.box.policy import SHARED_FROM, policy, where_memory_is_measured
from examiner.box.view import View
from examiner.box.walls import MissingWalls, Walls, available

_STANDING: Final = b"\0"
_END_SECONDS: Final = 3.0  # in which all of a candidate's processes that are to be ended must be found
_KILLED_FIRST: Final = (
    b"1000"  # the highest oom_score_adj: the first to die when the machine runs out of memory
)


class WallsFailed(Exception):  # noqa: N818 - the name says what is wrong
    """The walls around one candidate could not be put up; none of its code has run."""


def enter_outer(view: View, walls: Walls | None = None) -> "Box":
    """Return in a child, the server, which can start candidates; the calling process becomes its keeper.

    Call it in a process with one thread, before anything is preloaded: the keeper closes all its descriptors
    and ends with the server's exit code. SIGTERM to the keeper ends both.

    Parameters
    ----------
    view
        What candidates can read.
    walls
        The walls to use, even if they are too few. If None, all that this machine has.

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
class Init:
    """The first process of a candidate's process namespace, if it is another one than the candidate."""

    number: int
    pidfd: int


@dataclass(frozen=True)
class Boxed:
    """A candidate that was started.

    Parameters
    ----------
    number
        The number of its process in the server's namespace.
    pidfd
        A descriptor of that process; whoever holds it can end it by `reaper.end`, from any enclosing
        namespace. Unless there is an init, this also ends all that it started.
    home
        The path of its working folder, as the candidate sees it.
    limits
        How much it may use.
    init
        What keeps alive what it started.
    """

    number: int
    pidfd: int
    home: Path
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    init: Init | None = None


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
        self._no_holding = seccomp.Filter(seccomp.assemble(where_memory_is_measured()))
        self._mapped = 0
        self._numbers: dict[int, int] = {}  # of the candidate's processes, as it sees them
        _write(ground.proc, "self/oom_score_adj", _KILLED_FIRST)  # candidates inherit it
        home = ground.prepare()
        os.environ.update(self._folder_variables(home))
        os.chdir(home)  # this changes the boxed server alone

    def start(
        self,
        body: Callable[[], object],
        limits: ResourceLimits,
        keep: Collection[int] = (),
        environment: Mapping[str, str] | None = None,
        *,
        children_live_on: bool = False,
    ) -> Boxed:
        """Fork a candidate, and return once all walls stand around it; only then it calls `body`.

        Call it in the main thread: a candidate ends with the thread that started it.

        Parameters
        ----------
        body
            What the candidate does; it ends when this returns.
        limits
            How much it may use.
        keep
            Descriptors that stay open. Those of 0, 1 and 2 that are not among them become ``/dev/null``.
        environment
            Its environment variables, besides ``HOME`` and ``TMPDIR``.
        children_live_on
            Whether the processes that it starts live on when it has ended, until `end`; without namespaces
            they always do. Then no other candidate may live, and descriptors of this process must be closed
            on exec.

        Raises
        ------
        WallsFailed
            If one of the walls could not be put up.
        """
        self._numbers.clear()
        home = self._ground.prepare()
        variables = {**(environment or {}), **self._folder_variables(home)}
        changed = None if os.environ == variables else variables
        if not self._mapped:
            self.measure()
        reader, writer = os.pipe()
        try:
            number, first = self._ground.fork(beside_init=children_live_on)
        except OSError as error:
            os.close(reader)
            os.close(writer)
            self._ground.clear(home, self._living)
            raise WallsFailed(str(error)) from error
        if number == 0:
            _run_as_candidate(partial(self._wall_in, home, limits, {*keep, writer}, changed), writer, body)
        init = Init(first, os.pidfd_open(first)) if first != number else None
        boxed = Boxed(number, os.pidfd_open(number), home, limits, init)
        self._living.add(number)
        os.close(writer)
        report = os.read(reader, 1000)  # the candidate writes once, at most this much, or it ends
        os.close(reader)
        if report != _STANDING:
            self.end(boxed)
            raise WallsFailed(report.decode() or "the process died")
        return boxed

    def measure(self) -> None:
        """Note how much memory the server has mapped; call it again after the server has imported more."""
        self._mapped = usage.address_space(self._ground.proc)

    def keep_signals_inside(self) -> None:
        """Let this process and what it will start signal only each other, for good, where Landlock can."""
        if self.walls.landlock >= landlock.SCOPES_SINCE:
            landlock.keep_signals_inside()

    def keep_memory_visible(self) -> None:
        """Keep this process and what it will start from holding memory that no resident size shows, for good.

        The exceptions are bounded: what a pipe or a pair of sockets has on its way, and mappings of files
        whose descriptors have numbers from `SHARED_FROM` on, of which there can be no more than now.
        """
        resource.setrlimit(resource.RLIMIT_NOFILE, (SHARED_FROM, SHARED_FROM))
        if self.walls.seccomp:
            self._no_holding.install()

    def look_after(self, boxed: Boxed, tell: Callable[[], object]) -> bool:
        """Kill a candidate's largest process if all its processes together use too much memory.

        `tell` is called before. Without namespaces the memory of all candidates is counted together: it
        cannot be known to which of them an orphaned process belongs.

        Returns
        -------
        bool
            Whether they used too much; then call it again at once.
        """
        proc = self._ground.proc
        largest = usage.largest_of_too_many(self._processes(boxed), boxed.limits.together_mb << 20, proc)
        if largest is None:
            return False
        tell()
        usage.kill(largest, proc)
        return True

    def end_others(self, boxed: Boxed, kept: Collection[int]) -> bool:
        """Kill all processes of a candidate but some, given by their numbers in its innermost namespace.

        Returns
        -------
        bool
            Whether all others were killed, within some seconds: processes could be started faster than they
            are found.
        """
        until, killed = time.monotonic() + _END_SECONDS, set[int]()
        while strays := self._strays(boxed, kept) - killed:
            if time.monotonic() > until:
                return False
            for stray in strays:
                usage.kill(stray, self._ground.proc)
            killed |= strays
        self._ground.reap(self._living)
        return True

    def _strays(self, boxed: Boxed, kept: Collection[int]) -> set[int]:
        """Return the processes of a candidate that live and are not among the kept."""
        return {process for process in self._processes(boxed) if self._inner(process) not in {None, *kept}}

    def _inner(self, process: int) -> int | None:
        """Return the number of a process in its innermost namespace, or None if it has ended."""
        if process not in self._numbers:
            numbers = usage.numbers(process, self._ground.proc)
            if not numbers:
                return None
            self._numbers[process] = numbers[-1]
        return self._numbers[process]

    def _processes(self, boxed: Boxed) -> set[int]:
        """Return the numbers in /proc of all processes of a candidate, without its init."""
        proc = self._ground.proc
        # Orphans become children of the init, or of this process. They are looked for after the children of
        # the candidate, so that none is missed because its parent ends meanwhile.
        first = usage.number(boxed.pidfd, proc)
        living = {*usage.processes(first, proc)} if first > 0 else set[int]()
        if boxed.init:
            living |= {
                *itertools.islice(usage.processes(usage.number(boxed.init.pidfd, proc), proc), 1, None)
            }
        elif not self.walls.namespaces:
            own = int(os.readlink("self", dir_fd=proc))
            living |= {*itertools.islice(usage.processes(own, proc), 1, None)}
        return living

    def end(self, boxed: Boxed) -> int:
        """Kill a candidate if it lives, and all that it started; return its exit code, or minus its signal.

        Its pidfd is closed. Call it also for a candidate that ended by itself. Without namespaces, any other
        child of the server is killed too, unless it is a living candidate.
        """
        if boxed.init:  # with it, the kernel ends the candidate and all others
            reaper.end(boxed.init.pidfd, 0)
        reaper.end(boxed.pidfd)
        _, status = os.waitpid(boxed.number, 0)
        os.close(boxed.pidfd)
        if boxed.init:  # it is dead only when the candidate has been waited for
            os.waitpid(boxed.init.number, 0)
            os.close(boxed.init.pidfd)
        self._living.discard(boxed.number)
        self._ground.clear(boxed.home, self._living)
        return os.waitstatus_to_exitcode(status)

    def _wall_in(
        self, home: Path, limits: ResourceLimits, keep: set[int], environment: Mapping[str, str] | None
    ) -> None:
        """Put up all walls around this process; each step takes away what the steps before it needed.

        What can be prepared for all candidates is done in the server: here, after the fork, each object that
        a step touches costs a copy of a page.
        """
        ground = self._ground
        os.setsid()
        os.umask(0o077)
        ground.enter(limits.folder_mb, limits.folder_files)
        privileges.drop_capabilities()
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if self.walls.landlock:
            landlock.restrict(ground.rules(home), self.walls.landlock)
        self._close_all_but(keep)
        check_limits(limits, self._mapped)
        apply_limits(limits, self._mapped, processes_before=ground.processes_before)
        if environment is not None:
            os.environ.clear()
            os.environ.update(environment)
        os.chdir(home)  # this changes the candidate alone: no process of ours relies on a working folder
        if self._filter:
            self._filter.install()

    def _folder_variables(self, home: Path) -> dict[str, str]:
        return {"HOME": str(home), "TMPDIR": str(self._ground.temporary(home))}

    def _close_all_but(self, keep: set[int]) -> None:
        for standard in {0, 1, 2} - keep:
            os.dup2(self._nothing, standard)
        kept = sorted({2, *keep, os.sysconf("SC_OPEN_MAX")})
        for below, above in itertools.pairwise(kept):
            os.closerange(below + 1, above)


def _run_as_candidate(wall_in: Callable[[], None], writer: int, body: Callable[[], object]) -> NoReturn:
    """Put up the walls, report that they stand, run `body`, and end this process."""
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
