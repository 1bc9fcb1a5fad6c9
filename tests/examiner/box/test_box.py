"""A server behind the outer walls and the candidates that it starts: each kind of walls, as root and not."""

import ctypes
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from examiner.box import landlock, limits, reaper, seccomp, usage
from examiner.box.attempts import stay_alive
from examiner.box.box import WallsFailed, enter_outer
from examiner.box.limits import ResourceLimits
from examiner.box.privileges import NOBODY
from examiner.box.view import View, of_this_python
from examiner.box.walls import available

HERE = available()
PATIENCE = 20


def pause():
    while True:
        signal.pause()


def open_descriptors():
    found = []
    for number in range(1024):
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
        except OSError:
            continue
        found.append(number)
    return found


def hangs_up(end):
    """Whether the other end is closed by everybody, now or soon."""
    end.settimeout(PATIENCE)
    return end.recv(1) == b""


def test_a_candidate_has_the_descriptors_it_was_given_and_no_others(in_box, ask):
    """The server's lead to the machine's /proc, and to the process that grades."""

    def scenario(box):
        ours, theirs = socket.socketpair()
        os.dup2(theirs.fileno(), 77)
        found, _ = ask(box, open_descriptors, keep={77})
        return [sum(number > 2 for number in found), 77 in found, ours.fileno() in found]

    assert in_box(scenario) == [2, True, False]  # its answer goes over the second


def test_standard_streams_lead_nowhere_unless_kept(in_box, ask):
    """The operator's terminal understands escape sequences, and can be typed into."""

    def scenario(box):
        answer, _ = ask(box, lambda: [os.fstat(number).st_rdev for number in (0, 1, 2)])
        return answer

    assert in_box(scenario) == [Path("/dev/null").stat().st_rdev] * 3


def test_the_environment_is_what_was_handed_over(in_box, ask):
    """And where the private folders are."""

    def scenario(box):
        os.environ["SECRET"] = "1"
        answer, _ = ask(box, lambda: sorted(os.environ), environment={"LANG": "C.UTF-8"})
        return answer

    assert in_box(scenario) == ["HOME", "LANG", "TMPDIR"]


def test_a_candidate_can_write_where_it_stands_and_for_a_while(in_box, ask):
    """Notebooks write files, and libraries temporary ones."""

    def question():
        Path("file").write_text("text")
        path = Path(os.environ["TMPDIR"]) / "temporary"
        path.write_text("text")
        return [str(Path.cwd()) == os.environ["HOME"], path.read_text()]

    assert in_box(lambda box: ask(box, question)) == [[True, "text"], 0]


def test_nothing_of_one_candidate_is_left_for_the_next(in_box, ask):
    """Files are how one student would hand another what to answer."""

    def question():
        Path("left").write_text("left")
        (Path(os.environ["TMPDIR"]) / "left too").write_text("left")

    def scenario(box):
        ask(box, question)
        answer, _ = ask(
            box, lambda: [len(list(Path(folder).iterdir())) for folder in (".", os.environ["TMPDIR"])]
        )
        return answer

    assert in_box(scenario) == [0, 0]


def test_what_is_hidden_cannot_be_read(in_box, ask, view):
    """The instructor's packages may lie beside the student environment's standard library."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lib" / "hidden").mkdir(parents=True)
        for path in ("lib/hidden/file", "lib/secret", "lib/open"):
            (folder / path).write_text("text")
        folder.chmod(0o755)
        hidden = (folder / "lib" / "hidden", folder / "lib" / "secret")

        def question():
            found = [path for path in sorted(folder.rglob("*")) if path.is_file() and can_read(path)]
            return [str(path.relative_to(folder)) for path in found]

        shown = replace(view, shown=(*view.shown, folder), hidden=hidden)
        answer, _ = in_box(lambda box: ask(box, question), shown)
    assert answer == ["lib/open"]


def can_read(path):
    try:
        return bool(path.read_text())
    except OSError:
        return False


def test_a_python_started_inside_imports_from_its_library_and_its_environment(kind, in_child, ask):
    """A notebook may import what the server has not, and start another Python."""

    def question():
        command = [sys.executable, "-I", "-c", "import sys, statistics; print(sys.prefix)"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    answer, _ = in_child(lambda: ask(enter_outer(of_this_python(), kind), question))
    assert answer == f"{sys.prefix}\n"


def test_what_stands_around_a_candidate_does_not_stand_around_its_server(in_box, ask):
    """Limits, filters and namespaces are taken in the fork; the server starts the next one as the first."""

    def scenario(box):
        before = open_descriptors(), str(Path.cwd()), dict(os.environ)
        answers = [ask(box, os.getpid) for _ in range(5)]
        return [
            before == (open_descriptors(), str(Path.cwd()), dict(os.environ)),
            [how for _, how in answers],
        ]

    assert in_box(scenario) == [True, [0] * 5]


def test_how_a_candidate_ended_is_told(in_box):
    """Out of processor time, crashed and finished are different verdicts."""

    def scenario(box):
        bodies = [lambda: None, lambda: os._exit(7), lambda: 1 / 0, lambda: ctypes.string_at(0)]
        ended = []
        for body in bodies:
            boxed = box.start(body, ResourceLimits())
            reaper.is_over(boxed.pidfd, PATIENCE)
            ended.append(box.end(boxed))
        return [*ended, box.end(box.start(pause, ResourceLimits()))]

    assert in_box(scenario) == [0, 7, 1, -signal.SIGSEGV, -signal.SIGKILL]


def test_a_candidate_whose_walls_fail_runs_nothing(in_box, monkeypatch):
    """A platform's failure is no student's zero, and no student's chance."""
    monkeypatch.setattr(seccomp, "assemble", lambda *_: b"\0" * 8)  # which the kernel refuses

    def scenario(box):
        reader, writer = os.pipe()
        try:
            box.start(lambda: os.write(writer, b"ran"), ResourceLimits(), {writer})
        except WallsFailed as error:
            os.close(writer)
            return [os.read(reader, 9).decode(), "prctl" in str(error)]

    assert in_box(scenario) == ["", True]


def test_a_candidate_that_cannot_be_forked_leaves_nothing_behind(in_box, ask):
    """The machine is full for a moment; the server goes on."""

    def scenario(box):
        before = open_descriptors()
        resource.setrlimit(resource.RLIMIT_NPROC, (0, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
        try:
            box.start(pause, ResourceLimits())
        except WallsFailed as error:
            message = str(error)
        resource.setrlimit(resource.RLIMIT_NPROC, (resource.getrlimit(resource.RLIMIT_NPROC)[1],) * 2)
        return [os.strerror(errno.EAGAIN) in message, before == open_descriptors(), ask(box, lambda: "ran")]

    assert in_box(scenario) == [True, True, ["ran", 0]]


def test_daemons_of_a_candidate_end_with_it_and_those_of_others_do_not(in_box):
    """One server may have several at once."""

    def scenario(box):
        ends, candidates = [], []
        for _ in range(2):
            ours, theirs = socket.socketpair()
            number = theirs.fileno()
            candidates.append(
                box.start(lambda number=number: (stay_alive(number), pause()), ResourceLimits(), {number})
            )
            theirs.close()
            ends.append(ours)
        box.end(candidates[0])
        ends[1].setblocking(False)
        try:
            lives_on = ends[1].recv(1) != b""
        except BlockingIOError:
            lives_on = True
        first_is_dead = hangs_up(ends[0])
        box.end(candidates[1])
        return [first_is_dead, lives_on, hangs_up(ends[1])]

    assert in_box(scenario) == [True, True, True]


def test_whoever_holds_the_pidfd_ends_a_candidate_from_outside(kind, user, in_child, view):
    """The process that grades sees no numbers of processes, and waits for nobody's cooperation."""

    def grade():
        ours, theirs = socket.socketpair()
        server = os.fork()
        if server == 0:
            ours.close()
            serve(theirs)
        theirs.close()
        _, [pidfd], _, _ = socket.recv_fds(ours, 1, 1)
        before = reaper.is_over(pidfd)
        ended = reaper.end(pidfd)
        ours.send(b"1")
        os.waitpid(server, 0)
        return [before, ended]

    def serve(link):
        box = enter_outer(view, kind)
        boxed = box.start(pause, ResourceLimits())
        socket.send_fds(link, [b"1"], [boxed.pidfd])
        link.recv(1)
        box.end(boxed)
        os._exit(0)

    assert in_child(grade, user=user) == [False, True]


def outlives(walls, view, choose, by):
    """Whether anything of a candidate lives after the keeper, or the server, was killed."""
    lifeline, theirs = socket.socketpair()
    number = theirs.fileno()
    keeper = os.fork()
    if keeper == 0:
        lifeline.close()
        box = enter_outer(view, walls)
        box.start(lambda: (stay_alive(number), os.write(number, b"1"), pause()), ResourceLimits(), {number})
        theirs.close()
        pause()
    theirs.close()
    lifeline.recv(1)
    _, server, *_ = usage.processes(keeper)
    os.kill({"keeper": keeper, "server": server}[choose], by)
    os.waitpid(keeper, 0)
    return not hangs_up(lifeline)


@pytest.mark.parametrize(("victim", "by"), [("server", signal.SIGKILL), ("keeper", signal.SIGTERM)])
def test_nothing_outlives_a_server(victim, by, kind, in_child, view):
    """The process that grades may be killed at any moment; nobody is left to clear up then."""
    assert in_child(lambda: outlives(kind, view, victim, by)) is False


@pytest.mark.parametrize("walls", [HERE] if HERE.namespaces else [])
def test_with_namespaces_nothing_outlives_a_killed_keeper_either(walls, in_child, view):
    """The kernel ends a process namespace, not we."""
    assert in_child(lambda: outlives(walls, view, "keeper", signal.SIGKILL)) is False


def test_the_keeper_ends_with_the_servers_exit_code_and_leaves_no_folder(kind, user, in_child, view):
    """Whoever started the keeper knows nothing of the server."""

    def scenario():
        os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp()
        keeper = os.fork()
        if keeper == 0:
            box = enter_outer(view, kind)
            box.start(lambda: Path("left").write_text("left"), ResourceLimits())
            os._exit(9)
        _, status = os.waitpid(keeper, 0)
        Path(tempfile.tempdir).rmdir()  # it must be empty
        return os.waitstatus_to_exitcode(status)

    assert in_child(scenario, user=NOBODY if user else None) == 9


def test_root_is_nobody_behind_the_walls(in_box):
    """Whoever finds a hole in one of them must not be root behind it."""
    assert in_box(lambda _: os.getuid()) != 0


def test_memory_of_all_its_processes_is_read_from_outside(kind, user, in_child, view):
    """None of it is a candidate's own word: it may have changed what its Python answers."""

    def grade():
        ours, theirs = socket.socketpair()
        keeper = os.fork()
        if keeper == 0:
            serve(theirs)
        theirs.close()
        try:
            _, [pidfd], _, _ = socket.recv_fds(ours, 1, 1)
            number = usage.number(pidfd)
            before = usage.memory(number)
            ours.send(b"1")
            ours.recv(1)
            return usage.memory(number) - before >> 20
        finally:
            os.kill(keeper, signal.SIGTERM)
            os.waitpid(keeper, 0)

    def serve(link):
        box = enter_outer(view, kind)
        boxed = box.start(lambda: use(link), ResourceLimits(), {link.fileno()})
        socket.send_fds(link, [b"1"], [boxed.pidfd])
        pause()

    def use(link):
        link.recv(1)
        held = [b"x" * (100 << 20)]  # far more than the pages that this very process stops sharing by running
        if os.fork() == 0:
            held.append(b"y" * (100 << 20))
            link.send(b"1")
        pause()

    assert 200 <= in_child(grade, user=user) < 300  # what is shared counts once


def test_limits_are_lowered_from_outside(in_box):
    """Those of a grade cell, around a process whose own Python nobody trusts any more."""

    def scenario(box):
        ours, theirs = socket.socketpair()
        boxed = box.start(lambda: open_more(theirs), ResourceLimits(), {theirs.fileno()})
        limits.apply(ResourceLimits(open_files=5), 1 << 40, process=boxed.number)
        ours.send(b"1")
        answer = ours.recv(100).decode()
        box.end(boxed)
        return answer

    def open_more(link):
        link.recv(1)
        try:
            for _ in range(5):
                os.dup(0)
        except OSError as error:
            link.send(os.strerror(error.errno).encode())

    assert in_box(scenario) == os.strerror(errno.EMFILE)


def test_the_largest_of_too_many_is_killed_after_it_was_told(in_box):
    """A candidate's processes share what it may have; the smaller ones go on."""

    def scenario(box):
        ours, theirs = socket.socketpair()
        boxed = box.start(
            lambda: start_a_large_one(theirs), ResourceLimits(together_mb=150), {theirs.fileno()}
        )
        calls = []
        first = box.look_after(boxed, lambda: calls.append(1))
        ours.send(b"1")
        ours.recv(1)
        second = box.look_after(boxed, lambda: calls.append(1))
        signal_of_it = int(ours.recv(10))
        third = box.look_after(boxed, lambda: calls.append(1))
        box.end(boxed)
        return [first, second, third, len(calls), signal_of_it]

    def start_a_large_one(link):
        link.recv(1)
        child = os.fork()
        if child == 0:
            held = [b"x" * (160 << 20)]
            link.send(b"1")
            held.append(pause())
        _, status = os.waitpid(child, 0)
        link.send(str(os.WTERMSIG(status)).encode())
        pause()

    assert in_box(scenario) == [False, True, False, 1, signal.SIGKILL]


PROGRAMS = View((*(Path(f"/{name}") for name in ("bin", "lib", "lib64")), Path("/usr/bin"), Path("/usr/lib")))


def start_family(box, link):
    """Return a candidate that has started three processes, and their numbers as it sees them."""

    def body():
        numbers = []
        for _ in range(3):
            numbers.append(os.fork())
            if numbers[-1] == 0:
                link.recv(1)
                os._exit(0)
        link.send(json.dumps(numbers).encode())
        pause()

    return box.start(body, ResourceLimits(), {link.fileno()}, children_live_on=True)


def test_what_a_candidate_has_started_lives_on_without_it_until_the_box_ends(in_box):
    """Snapshots are examined when the student's own process has ended, by whatever cause."""

    def scenario(box):
        ours, theirs = socket.socketpair()
        boxed = start_family(box, theirs)
        theirs.close()
        ours.recv(100)
        reaper.end(boxed.pidfd)
        ours.settimeout(0.2)
        try:
            ours.recv(1)
        except TimeoutError:
            lives_on = True
        status = box.end(boxed)
        return [lives_on, hangs_up(ours), status]

    assert in_box(scenario, PROGRAMS) == [True, True, -signal.SIGKILL]


def test_all_processes_of_a_candidate_end_but_those_that_are_named(in_box):
    """Also the candidate itself, and what it left behind."""

    def scenario(box):
        ours, theirs = socket.socketpair()
        boxed = start_family(box, theirs)
        theirs.close()
        _, kept, _ = json.loads(ours.recv(100))
        are_ended = box.end_others(boxed, {kept})
        has_ended = reaper.is_over(boxed.pidfd, PATIENCE)
        ours.send(b"1")
        closed = hangs_up(ours)
        return [are_ended, has_ended, closed, box.end(boxed)]

    assert in_box(scenario, PROGRAMS) == [True, True, True, -signal.SIGKILL]


def test_a_candidate_without_a_program_to_keep_its_namespace_is_not_started(in_box):
    """The message says what is missing; without namespaces nothing is needed."""

    def scenario(box):
        try:
            box.end(box.start(lambda: None, ResourceLimits(), children_live_on=True))
        except WallsFailed as error:
            return [box.walls.namespaces, str(error)]
        return [box.walls.namespaces, ""]

    has_namespaces, message = in_box(scenario, View((Path("/lib"), Path("/lib64"), Path("/usr/lib"))))
    assert ("coreutils" in message) == has_namespaces


def test_signals_that_are_kept_inside_reach_what_a_process_starts_and_nobody_else(in_box, ask):
    """A snapshot whose code kills all that it sees must not cost the snapshots that wait."""

    def question(box):
        ours = os.getpid()
        child = os.fork()
        if child == 0:
            box.keep_signals_inside()
            grandchild = os.fork()
            if grandchild == 0:
                pause()
            os.kill(grandchild, signal.SIGKILL)
            os.waitpid(grandchild, 0)
            try:
                os.kill(ours, 0)
            except PermissionError:
                os._exit(7)
            os._exit(8)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_box(lambda box: ask(box, partial(question, box))[0]) == (
        7 if HERE.landlock >= landlock.SCOPES_SINCE else 8
    )
