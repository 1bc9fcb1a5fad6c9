"""One run of `examiner grade` under siege: what it is about to do, which processes it has, and how it ended.

Whoever uses this becomes the parent of every orphan of the run, so that a process that was left behind is
found, whoever started it.
"""

import os
import re
import resource
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from examiner.box.reaper import adopt, children
from examiner.examine.program import candidate_program

from .scene import EXAMINER

OBSERVER = Path(__file__).parent / "observer"
ENDING_SECONDS = 20.0  # that what a run started may live on, once the run has ended
RUN_SECONDS = 180.0  # that a disturbed run may take; an undisturbed one takes ten
WORKERS = "2"
SENTENCE = re.compile(r"^(! .+: .+; .+\.|Interrupted\. .+)$", re.MULTILINE)  # place, fact, next step

GROUP, MAIN, FORK_SERVER, WORKER = "group", "main", "fork server", "worker"
SERVER, JUDGE_SERVER, CANDIDATE, JUDGE, KERNEL = "server", "judge server", "candidate", "judge", "kernel"
TARGETS = (GROUP, MAIN, FORK_SERVER, WORKER, SERVER, JUDGE_SERVER, CANDIDATE, JUDGE, KERNEL)

START, RELEASE, EVIDENCE, GRADING, KEEPING = "start", "release", "evidence", "grading", "keeping"
ENTERING, PENALTIES, FEEDBACK, EXPORT = "entering", "penalties", "feedback", "export"
STEPS = (START, RELEASE, EVIDENCE, GRADING, KEEPING, ENTERING, PENALTIES, FEEDBACK, EXPORT)

# A log is opened by the worker that begins with it.
BEGINS = {
    "/.examiner/logs/release": RELEASE,
    "/.examiner/logs/check.log": EVIDENCE,
    "/.examiner/logs/grade": GRADING,
    "/.examiner/logs/penalize": PENALTIES,
    "/.examiner/logs/explain": FEEDBACK,
}


@dataclass(frozen=True)
class Event:
    """What a process is about to do: its number, a word of Python's audit events, a path or a statement."""

    process: int
    word: str
    text: str


class Steps:
    """Says of each event to which step of the run it belongs."""

    def __init__(self, main):
        self._main, self._step = main, START

    def of(self, event):
        """Return the step in which an event is, and go on to the next one where it begins."""
        begun = next((step for path, step in BEGINS.items() if event.text.startswith(path)), None)
        if event.word == "open" and begun is not None:
            self._step = begun
        elif event.text.startswith(("/grades.csv", "/.grades.csv")):
            self._step = EXPORT
        if self._step != GRADING or event.process != self._main:
            return self._step
        if event.word == "sql":
            return ENTERING
        return KEEPING if event.text.startswith("/") else GRADING


@dataclass
class Ended:
    """How a run ended: its exit code, what it printed, the seconds that its last process lived longer."""

    code: int
    out: str
    err: str
    lingered: float
    left: tuple[str, ...]

    @property
    def is_clean(self):
        """Whether nothing but sentences was printed."""
        return "Traceback" not in self.out + self.err

    @property
    def said(self):
        """The first sentence about what is wrong; empty if there is none."""
        found = SENTENCE.search(self.err)
        return found[0] if found else ""


@dataclass(frozen=True)
class Manner:
    """How a run is started: words before the command, variables (None: unset), limits, where its output goes.

    Parameters
    ----------
    out : str
        "file", "closed", or "broken": a pipe that nobody reads.
    """

    prefix: tuple[str, ...] = ()
    variables: Mapping[str, str | None] = field(default_factory=dict)
    limits: tuple[tuple[int, int], ...] = ()
    out: str = "file"


USUAL = Manner()


def environment(home, temporary, changed=()):
    """Return the environment variables of a run that may write into these folders."""
    found = {"PATH": os.environ.get("PATH", os.defpath), "COLUMNS": "200", "LANG": "C.UTF-8"}
    found |= {"HOME": str(home), "TMPDIR": str(temporary), "OPENBLAS_NUM_THREADS": "1"} | dict(changed)
    return {name: value for name, value in found.items() if value is not None}


class Run:
    """A run in a course, observed: `at_event` is called with each step and event, while all who tell wait."""

    def __init__(self, root, variables, at_event=None, manner=USUAL):
        adopt()
        self._at_event = at_event
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        address = f"siege-{os.getpid()}-{id(self)}"
        self._listener.bind("\0" + address)
        self._listener.listen(64)
        observed = {"SIEGE_ADDRESS": address, "SIEGE_ROOT": str(root), "PYTHONPATH": str(OBSERVER)}
        self._files = [os.memfd_create(name) for name in ("out", "err")]
        out = self._files[0]
        if manner.out == "broken":
            reader, out = os.pipe()
            os.close(reader)
        self.main = subprocess.Popen(
            [*manner.prefix, EXAMINER, "grade", "--workers", WORKERS],
            cwd=root,
            env=variables | (observed if at_event else {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=self._files[1],
            start_new_session=True,
            preexec_fn=partial(_prepare, manner),  # noqa: PLW1509 - no thread runs here
        )
        if out != self._files[0]:
            os.close(out)
        self._steps = Steps(self.main.pid)

    def follow(self):
        """Answer every event until the run has ended; return how it did."""
        pidfd = os.pidfd_open(self.main.pid)
        poll = select.poll()
        for descriptor in (pidfd, self._listener.fileno()):
            poll.register(descriptor, select.POLLIN)
        until = time.monotonic() + RUN_SECONDS
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(max(0.0, until - time.monotonic()) * 1000)}
            if self._listener.fileno() in ready:
                self._answer()
            elif pidfd in ready:
                break
            elif not ready:
                raise TimeoutError(f"the run was not over after {RUN_SECONDS:g} seconds\n{self._text(1)}")
        os.close(pidfd)
        return self._ended()

    def _answer(self):
        link, _ = self._listener.accept()
        with link:
            told = link.recv(1 << 16).decode(errors="surrogateescape")
            if not told:  # it was killed before it could tell
                return
            number, word, text = told.split("\t", 2)
            event = Event(int(number), word, text)
            self._at_event(self._steps.of(event), event, self)

    def _ended(self):
        """Wait until all that the run started has ended, and let go of it."""
        code, began = self.main.wait(), time.monotonic()
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while orphans := children():
            if poll.poll(20):  # what still runs tells what it does, and goes on
                self._answer()
            for orphan in orphans:
                os.waitpid(orphan, os.WNOHANG)
            if time.monotonic() - began > ENDING_SECONDS:
                break
        left = tuple(name for orphan in children() for name in _named(orphan))
        self._listener.close()
        return Ended(code, self._text(0), self._text(1), time.monotonic() - began, left)

    def _text(self, number):
        os.lseek(self._files[number], 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._files[number]), errors="replace") as file:
            return file.read()

    def kill(self, target, which=0.0):
        """Kill a process of a kind, or the group; return whether there was one.

        `which` of several it is, is a share of their number.
        """
        found = self.processes().get(target, [])
        if not found:
            return False
        os.kill(found[int(which * len(found))], signal.SIGKILL)
        return True

    def processes(self):
        """Return the numbers of the processes, by kind; that of the group is negative, as `kill` has it."""
        found = {GROUP: [-self.main.pid], MAIN: [self.main.pid]}
        for child in _children(self.main.pid):
            if "multiprocessing.forkserver" in _command(child):
                found[FORK_SERVER] = [child]
                for worker in _children(child):
                    found.setdefault(WORKER, []).append(worker)
                    _sort_servers(worker, found)
        return found


def _prepare(manner):
    """Set the limits of the process that will run the command, and close its output if it has none."""
    for kind, most in manner.limits:
        resource.setrlimit(kind, (most, most))
    if manner.out == "closed":
        os.close(1)


def _sort_servers(worker, found):
    """Add the servers of a worker, and what they have forked. A server is a keeper and its one child."""
    for keeper in _children(worker):
        if " -I -c" in _command(keeper):
            found.setdefault(KERNEL, []).extend(_all_below(keeper))
            continue
        servers = [keeper, *_children(keeper)]
        is_candidates = any(_program_bytes(server) == len(candidate_program()) for server in servers)
        kind, boxed = (SERVER, CANDIDATE) if is_candidates else (JUDGE_SERVER, JUDGE)
        found.setdefault(kind, []).extend(servers)
        found.setdefault(boxed, []).extend(
            process for server in servers[1:] for process in _all_below(server)[1:]
        )
    for kind in (SERVER, JUDGE_SERVER, CANDIDATE, JUDGE):
        if not found.get(kind):
            found.pop(kind, None)


def _all_below(process):
    return [process, *(deep for child in _children(process) for deep in _all_below(child))]


def _children(process):
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return sorted(int(child) for task in tasks for child in (task / "children").read_text().split())
    except OSError:
        return []


def _command(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _program_bytes(process):
    """Return the size of the text that a server runs, by which the two kinds differ."""
    try:
        return Path(f"/proc/{process}/fd/0").stat().st_size
    except OSError:
        return 0


def _named(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return []
    return [] if state == "Z" else [f"{process} {_command(process)}"]
