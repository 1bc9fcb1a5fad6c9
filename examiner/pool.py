"""Runs jobs in processes of their own, side by side: one that dies or hangs ends its own job and no other.

The processes are forked from a server that has imported the slow modules once.
"""

import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from examiner.errors import ExaminerError, PlatformFault, StudentFault

GRACE = 15  # seconds in which a process that was told to end may end the kernel that it started


@dataclass(frozen=True)
class Job:
    """Something to be done in a process of its own, which prints into its log and has so many seconds."""

    item: Any
    log: Path
    seconds: float


@dataclass(frozen=True)
class _Running:
    job: Job
    process: ForkServerProcess
    deadline: float


def run(
    work: Callable[[Any], Any],
    jobs: Iterable[Job],
    workers: int,
    preload: Iterable[str] = (),
    starting: Callable[[Job], None] = lambda _: None,
) -> Iterator[tuple[Job, Any]]:
    """Yield each job with what `work` returned for its item, or with the error that ended it, as they end.

    Closing the iterator, or an interrupt, ends the processes that still run.

    Parameters
    ----------
    work : callable
        A function that can be imported; it and its results travel between processes.
    jobs : iterable of Job
        They start in this order.
    workers : int
        How many run side by side.
    preload : iterable of str
        Modules that every process should find imported.
    starting : callable
        Called with each job when it starts.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", *preload])
    waiting = deque(jobs)
    running: dict[Connection[Any, Any], _Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.popleft()
                starting(job)
                connection, started = _start(context, work, job)
                running[connection] = started
            first = min(each.deadline for each in running.values())
            ready = set(wait(list(running), timeout=max(0.0, first - time.monotonic())))
            for connection in [each for each in running if each in ready]:
                ended = running.pop(connection)
                yield ended.job, _receive(connection, ended)
            for connection in [c for c, each in running.items() if each.deadline <= time.monotonic()]:
                late = running.pop(connection)
                _end([late])
                yield late.job, _too_slow(late.job)
    finally:
        _end(running.values())


def _start(context: ForkServerContext, work: Callable[[Any], Any], job: Job) -> tuple[Connection, _Running]:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, work, job), daemon=True)
    process.start()
    theirs.close()
    return ours, _Running(job, process, time.monotonic() + job.seconds)


def _receive(connection: Connection, ended: _Running) -> Any:
    try:
        return connection.recv()
    except EOFError:
        ended.process.join()
        fact = f"the process that graded it died (exit code {ended.process.exitcode})"
        return PlatformFault(str(ended.job.item), fact, f"read {ended.job.log}, then run the command again")
    finally:
        connection.close()
        ended.process.join()


def _end(running: Iterable[_Running]) -> None:
    """End processes, giving each the time to end its kernel."""
    ending = list(running)
    for each in ending:
        each.process.terminate()
    for each in ending:
        each.process.join(GRACE)
        each.process.kill()
        each.process.join()


def _too_slow(job: Job) -> StudentFault:
    fact = f"it was not done after {job.seconds:g} seconds, in all its cells"
    return StudentFault(str(job.item), fact, "shorten it, or raise notebook_seconds in course.toml")


def _child(connection: Connection, work: Callable[[Any], Any], job: Job) -> None:
    """Do the job in this process: quietly, and ended by nothing but the one who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, and so ends the kernel
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("wb", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    connection.send(_outcome(work, job))


def _outcome(work: Callable[[Any], Any], job: Job) -> Any:
    try:
        return work(job.item)
    except ExaminerError as error:
        return error
    except Exception as error:  # noqa: BLE001  (whatever it is must be told to the process that waits)
        traceback.print_exc()
        fact = f"{type(error).__name__}: {error}"
        return PlatformFault(str(job.item), fact, f"read {job.log}")
