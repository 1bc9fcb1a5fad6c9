"""Runs jobs in worker processes, side by side: what one does to its process costs one try of that job alone.

A worker is opened once and then does job after job. One that dies is replaced, and its job is tried once
more; one that is over its time is ended. A job that must be alone waits until nothing else runs.
"""

import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, Final

from examiner.errors import ExaminerError, PlatformFault

GRACE: Final = 15  # seconds in which a process that was told to end may end what it started
TASK_TRIES: Final = 2

WorkerFunction = Callable[[Any], Any]
OpenWorker = Callable[[], AbstractContextManager[WorkerFunction]]


@dataclass(frozen=True)
class Task:
    """Something to be done by a worker, which prints into the job's log and has so many seconds."""

    item: Any
    log: Path
    seconds: float
    alone: bool = False


def run(
    open_worker: OpenWorker,
    jobs: Iterable[Task],
    workers: int,
    preload: Iterable[str] = (),
    starting: Callable[[Task], None] = lambda _: None,
) -> Iterator[tuple[Task, Any]]:
    """Yield each job with what the worker returned for its item, or the error that ended it, as they end.

    Closing the iterator, or an interrupt, ends the workers.

    Parameters
    ----------
    open_worker : callable
        Something that can be pickled; entering what it returns gives the function that does an item. It is
        called in each worker, when the first job comes.
    jobs : iterable of Task
        They start in this order, and each is asked for when it can start.
    workers : int
        How many run side by side.
    preload : iterable of str
        Modules that every worker should find imported.
    starting : callable
        Called with each job when it starts.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", *preload])
    team = _Team(context, open_worker, deque(), iter(jobs), workers, starting)
    try:
        team.fill()
        while team.busy:
            yield from team.collect()
    finally:
        team.end()


@dataclass
class _Worker:
    process: ForkServerProcess
    connection: "Connection[Any, Any]"
    job: Task
    tries: int
    deadline: float


class _Team:
    """The workers of a run, and what is left for them to do."""

    def __init__(  # noqa: PLR0913, PLR0917  (what `run` was told, in one place)
        self,
        context: ForkServerContext,
        open_worker: OpenWorker,
        again: deque[tuple[Task, int]],
        jobs: Iterator[Task],
        size: int,
        starting: Callable[[Task], None],
    ) -> None:
        self._context, self._open, self._again, self._jobs = context, open_worker, again, jobs
        self._size, self._starting = size, starting
        self._idle: list[tuple[ForkServerProcess, Connection[Any, Any]]] = []
        self.busy: dict[Connection[Any, Any], _Worker] = {}

    def fill(self) -> None:
        """Start what can start now."""
        while len(self.busy) < self._size and not any(each.job.alone for each in self.busy.values()):
            if not self._again:
                job = next(self._jobs, None)
                if job is None:
                    return
                self._again.append((job, 1))
            job, tries = self._again[0]
            if job.alone and self.busy:
                return
            self._again.popleft()
            self._start(job, tries)

    def _start(self, job: Task, tries: int) -> None:
        if tries == 1:
            self._starting(job)
        process, connection = self._idle.pop() if self._idle else self._hire()
        try:
            connection.send((job.item, job.log))
        except OSError:  # it died while it had nothing to do
            process.join()
            process, connection = self._hire()
            connection.send((job.item, job.log))
        deadline = time.monotonic() + job.seconds
        self.busy[connection] = _Worker(process, connection, job, tries, deadline)

    def _hire(self) -> tuple[ForkServerProcess, "Connection[Any, Any]"]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._open), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def collect(self) -> Iterator[tuple[Task, Any]]:
        """Wait until some job ends, give the workers what comes next, and yield what has ended."""
        first = min(each.deadline for each in self.busy.values())
        ready = wait(list(self.busy), timeout=max(0.0, first - time.monotonic()))
        ended = [self.busy.pop(each) for each in self.busy.keys() & set(ready)]
        late = [each for each in self.busy.values() if each.deadline <= time.monotonic()]
        results = [(worker.job, self._received(worker)) for worker in ended]
        for worker in late:
            del self.busy[worker.connection]
            results.append((worker.job, _too_slow(worker.job)))
        _end([(each.process, each.connection) for each in late])
        self.fill()
        yield from ((job, result) for job, result in results if result is not _AGAIN)

    def _received(self, worker: _Worker) -> Any:
        try:
            result = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            worker.connection.close()
            if worker.tries < TASK_TRIES:
                self._again.appendleft((worker.job, worker.tries + 1))
                return _AGAIN
            fact = f"the process that did it died, {TASK_TRIES} times (exit code {worker.process.exitcode})"
            return PlatformFault(str(worker.job.item), fact, f"read {worker.job.log}, then run it again")
        self._idle.append((worker.process, worker.connection))
        return result

    def end(self) -> None:
        """End all workers: those without a job leave by themselves."""
        for _, connection in self._idle:
            connection.close()
        _end([(each.process, each.connection) for each in self.busy.values()])
        for process, _ in self._idle:
            process.join(GRACE)
        _end(self._idle)


_AGAIN: Final = object()


def _end(workers: Iterable[tuple[ForkServerProcess, "Connection[Any, Any]"]]) -> None:
    """End workers, giving each the time to end what it started."""
    ending = list(workers)
    for process, _ in ending:
        process.terminate()
    for process, connection in ending:
        process.join(GRACE)
        process.kill()
        process.join()
        connection.close()


def _too_slow(job: Task) -> PlatformFault:
    fact = f"it was not done after {job.seconds:g} seconds, in all its cells"
    return PlatformFault(str(job.item), fact, f"read {job.log}; notebook_seconds in course.toml bounds it")


def _serve(connection: "Connection[Any, Any]", open_worker: OpenWorker) -> None:
    """Be a worker: quiet, and ended by nothing but the process that started it, or its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, and so ends what was started
    work: WorkerFunction | None = None
    with ExitStack() as stack:
        while True:
            try:
                item, log = connection.recv()
            except EOFError:
                return
            _print_into(log)
            try:
                work = work or stack.enter_context(open_worker())
                result = work(item)
            except ExaminerError as error:
                print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201 - into the log of the task
                result = error
            except Exception as error:  # noqa: BLE001  (whatever it is must be told to the process that waits)
                traceback.print_exc()
                fact = f"{type(error).__name__}: {error}"
                result = PlatformFault(str(item), fact, f"read {log}")
            try:
                connection.send(result)
            except BrokenPipeError:
                return


def _print_into(log: Path) -> None:
    """Let what this process and its children print go into a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
