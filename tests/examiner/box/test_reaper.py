"""Nothing that was started lives on: daemons, daemons of daemons, and those that run from being found."""

import os
import signal
import socket
import time

from examiner.box import reaper


def daemon(lifeline):
    """Start a process in a session of its own, without a parent, that ignores signals; it holds a socket."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                signal.pause()
        os._exit(0)
    os.wait()
    lifeline.close()


def is_cut(lifeline):
    """Whether nobody holds the other end."""
    lifeline.setblocking(False)
    try:
        return lifeline.recv(1) == b""
    except BlockingIOError:
        return False


def is_found_by_a_sweep(*, adopted):
    """Whether a daemon is killed by the sweep of whoever started it; a reaper around clears up."""
    reaper.adopt()
    reader, writer = os.pipe()
    if os.fork() == 0:
        if adopted:
            reaper.adopt()
        ours, theirs = socket.socketpair()
        daemon(theirs)
        reaper.sweep()
        os.write(writer, b"cut" if is_cut(ours) else b"alive")
        os._exit(0)
    answer = os.read(reader, 9)
    reaper.sweep()
    return answer == b"cut"


def test_a_daemon_is_killed_by_whoever_adopts(in_child):
    """A session and two forks are how a process leaves its parent, and not how it leaves a subreaper."""
    assert in_child(lambda: is_found_by_a_sweep(adopted=True))
    assert not in_child(lambda: is_found_by_a_sweep(adopted=False))


def test_processes_that_fork_and_die_all_the_time_are_caught(in_child):
    """Each lives for less than a millisecond, under a new number."""

    def scenario():
        reaper.adopt()
        ours, theirs = socket.socketpair()
        for _ in range(3):
            if os.fork() == 0:
                while os.fork() == 0:
                    pass
                os._exit(0)
        theirs.close()
        return [reaper.sweep(seconds=20), is_cut(ours)]

    assert in_child(scenario) == [True, True]


def test_the_spared_live_on(in_child):
    """Other candidates of the same server."""

    def scenario():
        reaper.adopt()
        children = [os.fork() for _ in range(2)]
        if 0 in children:
            while True:
                signal.pause()
        spared, killed = children
        reaper.sweep({spared})
        left = reaper.children()
        reaper.sweep()
        return [left == {spared}, killed in left]

    assert in_child(scenario) == [True, False]


def test_the_end_of_a_process_is_seen_without_waiting_for_it(in_child):
    """Its parent is the server; whoever holds a pidfd may ask."""

    def scenario():
        child = os.fork()
        if child == 0:
            while True:
                signal.pause()
        pidfd = os.pidfd_open(child)
        before = reaper.is_over(pidfd)
        start = time.monotonic()
        ended = reaper.end(pidfd)
        os.waitpid(child, 0)
        return [before, ended, reaper.end(pidfd), time.monotonic() - start < 5]

    assert in_child(scenario) == [False, True, True, True]
