"""Runs tasks in parallel worker processes; a task that kills its process costs no other task anything.

A worker is opened once and then does task after task. One that dies is replaced, and its task is tried once
more; one that exceeds its time is ended. A task that must run alone waits until nothing else runs.
"""

import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from examiner.errors import ExaminerError, PlatformFault, WorkerLost, fault_of_the_machine
from examiner.store.temporary import share

GRACE: Final = 15  # seconds for a terminated process to end what it started
TASK_TRIES: Final = 2
START_SECONDS: Final = 5.0  # seconds in which a killed fork server has ended, and another one can be started
START_AGAIN_SECONDS: Final = 0.05  # seconds between two tries
SILENCE: Final = "examiner.batch.fork_server"
FEWER_WORKERS: Final = "give fewer --workers, or raise the limits of processes, open files and memory"

WorkerFunction = Callable[[Any], Any]
OpenWorker = Callable[[], AbstractContextManager[WorkerFunction]]


@dataclass(frozen=True)
class Task:
    """An item for a worker to process, the log for what it prints, and the seconds that it may take."""

    item: Any
    log: Path
    seconds: float
    alone: bool = False


def run(
    open_worker: OpenWorker,
    tasks: Iterable[Task],
    workers: int,
    preload: Iterable[str] = (),
    starting: Callable[[Task], None] = lambda _: None,
) -> Iterator[tuple[Task, Any]]:
    """Yield each task with what the worker returned for its item, or the error that ended it, as they end.

    Closing the iterator, or an interrupt, ends the workers.

    Parameters
    ----------
    open_worker : callable
        A picklable function that returns a context manager, which yields the function that processes an
        item. Each worker enters it once, when its first task comes.
    tasks : iterable of Task
        They start in this order, and each is taken from the iterable only when it can start.
    workers : int
        How many run in parallel.
    preload : iterable of str
        Modules that are imported once, before workers are forked.
    starting : callable
        Called with each task when it starts.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", SILENCE, *preload])
    team = _Team(context, open_worker, deque(), iter(tasks), workers, starting)
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
    task: Task
    tries: int
    deadline: float


class _Team:
    """The workers of a run, and what is left for them to do."""

    def __init__(  # noqa: PLR0913, PLR0917 - the arguments of `run` and its queue
        self,
        context: ForkServerContext,
        open_worker: OpenWorker,
        again: deque[tuple[Task, int]],
        tasks: Iterator[Task],
        size: int,
        starting: Callable[[Task], None],
    ) -> None:
        self._context, self._open, self._again, self._tasks = context, open_worker, again, tasks
        self._size, self._starting = size, starting
        self._idle: list[tuple[ForkServerProcess, Connection[Any, Any]]] = []
        self.busy: dict[Connection[Any, Any], _Worker] = {}

    def fill(self) -> None:
        """Start tasks until all workers are busy or no task can start now."""
        while len(self.busy) < self._size and not any(worker.task.alone for worker in self.busy.values()):
            if not self._again:
                task = next(self._tasks, None)
                if task is None:
                    return
                self._again.append((task, 1))
            task, tries = self._again[0]
            if task.alone and self.busy:
                return
            self._again.popleft()
            self._start(task, tries)

    def _start(self, task: Task, tries: int) -> None:
        if tries == 1:
            self._starting(task)
        process, connection = self._idle.pop() if self._idle else self._hire()
        try:
            connection.send((task.item, task.log))
        except OSError:  # the worker died while it was idle
            process.join()
            process, connection = self._hire()
            connection.send((task.item, task.log))
        deadline = time.monotonic() + task.seconds
        self.busy[connection] = _Worker(process, connection, task, tries, deadline)

    def _hire(self) -> tuple[ForkServerProcess, "Connection[Any, Any]"]:
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._open, tempfile.gettempdir())
        until = time.monotonic() + START_SECONDS
        while True:
            process = self._context.Process(target=_serve, args=arguments, daemon=True)
            try:
                process.start()
                break
            except (OSError, EOFError) as error:
                # The fork server was killed; once it is gone, another one is started.
                if time.monotonic() > until:
                    fact = f"no worker process can be started ({error or 'the fork server ended'})"
                    raise PlatformFault("this machine", fact, FEWER_WORKERS) from error
                time.sleep(START_AGAIN_SECONDS)  # there is no event to wait for
        theirs.close()
        return process, ours

    def collect(self) -> Iterator[tuple[Task, Any]]:
        """Wait until a task ends, start the next ones, and yield what has ended."""
        first = min(worker.deadline for worker in self.busy.values())
        ready = wait(list(self.busy), timeout=max(0.0, first - time.monotonic()))
        ended = [self.busy.pop(connection) for connection in self.busy.keys() & set(ready)]
        late = [worker for worker in self.busy.values() if worker.deadline <= time.monotonic()]
        results = [(worker.task, self._received(worker)) for worker in ended]
        for worker in late:
            del self.busy[worker.connection]
            results.append((worker.task, _too_slow(worker.task)))
        _end([(worker.process, worker.connection) for worker in late])
        self.fill()
        yield from ((task, result) for task, result in results if result is not _AGAIN)

    def _received(self, worker: _Worker) -> Any:
        try:
            result = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            worker.connection.close()
            if worker.tries < TASK_TRIES:
                self._again.appendleft((worker.task, worker.tries + 1))
                return _AGAIN
            fact = f"its worker process died {TASK_TRIES} times (exit code {worker.process.exitcode})"
            return _lost(worker.task, fact)
        self._idle.append((worker.process, worker.connection))
        return result

    def end(self) -> None:
        """End all workers; idle ones exit by themselves once their connection is closed."""
        for _, connection in self._idle:
            connection.close()
        _end([(worker.process, worker.connection) for worker in self.busy.values()])
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


def _too_slow(task: Task) -> WorkerLost:
    return _lost(task, f"it was not done after {task.seconds:g} seconds")


def _lost(task: Task, fact: str) -> WorkerLost:
    return WorkerLost(str(task.item), fact, f"read {task.log}, then run the command again with --regrade")


def _serve(connection: "Connection[Any, Any]", open_worker: OpenWorker, temporary_folder: str) -> None:
    """Process items until the connection is closed; only the process that started this one ends it.

    If that process is gone, this one ends at once: another run may be about to begin.
    """
    share(temporary_folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(1)
    )  # SystemExit lets context managers end what was started
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # so that no print into a log fails
    work: WorkerFunction | None = None
    is_busy = Event()
    with suppress(RuntimeError):  # no thread can be started: then it ends after its task
        Thread(target=_end_with, args=(connection.fileno(), is_busy), daemon=True).start()
    with ExitStack() as stack:
        while True:
            is_busy.clear()
            try:
                item, log = connection.recv()
            except (EOFError, OSError):
                return
            is_busy.set()
            _print_into(log)
            try:
                work = work or stack.enter_context(open_worker())
                result = work(item)
            except ExaminerError as error:
                print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201 - into the log of the task
                result = error
            except OSError as error:
                traceback.print_exc()
                result = fault_of_the_machine(error, str(item))
            except Exception as error:  # noqa: BLE001 - the waiting process must learn of any error
                traceback.print_exc()
                fact = f"{type(error).__name__}: {error}"
                result = PlatformFault(str(item), fact, f"read {log}")
            try:
                connection.send(result)
            except BrokenPipeError:
                return


def _end_with(connection: int, is_busy: Event) -> None:
    """Terminate this process while it is busy if the other end of its connection is closed."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    poll.poll()
    if is_busy.is_set():  # else it sees that by itself
        os.kill(os.getpid(), signal.SIGTERM)


def _print_into(log: Path) -> None:
    """Redirect what this process and its children print into a file."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # one that was closed is None
        stream.flush()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
