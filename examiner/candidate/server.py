"""Warm fork server of the student environment: each run is a fresh fork that executes a notebook's cells.

Started as ``<student python> -I server.py [MODULE …]``; the modules are imported once, before the first fork.
Nothing of the instructor's is imported, since the student environment has nothing of it. One JSON line on
standard input asks for a run, one JSON line on standard output answers it:

    {"cells": [source, …], "folder": path, "environment": {name: value}, "tracebacks": IPython's mode,
     "cell_seconds": s, "total_seconds": s, "memory_bytes": n}

    [{"outcome": "finished" | "timeout" | "crashed" | "not run", "seconds": s, "outputs": [output, …]}, …]

Two parts, top to bottom: the child that runs the cells, the parent that bounds it.
"""

import base64
import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import resource
import signal
import socket
import sys
import time
import traceback
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    # The student environment has no examiner: empty modules lend its name to this folder for one import.
    for lent in ("examiner", "examiner.candidate"):
        sys.modules[lent] = types.ModuleType(lent)
    sys.modules[lent].__path__ = [str(Path(__file__).parent)]

from examiner.candidate.recording import Output, Recorder, RecordingShell, Stream, recording_shell

Request = dict[str, Any]
Event = dict[str, Any]

REPLY_LIMIT = 64_000_000  # bytes that a child may send for one cell
FILE_LIMIT = 256_000_000  # bytes of any file that a child writes
GRACE_SECONDS = 2.0  # between the interrupt of a cell that takes too long and the kill
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


# ---- the child ------------------------------------------------------------------------------------------


def live(shell: RecordingShell, request: Request, link: int) -> None:
    """Execute a cell whenever ``link`` says so; answer with one line: what it changed in the outputs."""
    recorder = shell.recorder
    streams = enter(recorder, request)
    shell.InteractiveTB.set_mode(request["tracebacks"])
    for number, source in enumerate(request["cells"]):
        if not os.read(link, 1):
            return
        recorder.open(number)
        started = time.monotonic()
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
        except KeyboardInterrupt as late:  # it came when IPython had already let go of the cell
            recorder.add(error_output("KeyboardInterrupt", str(late)))
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        for stream in streams:
            stream.collect()
        event = {"seconds": time.monotonic() - started, "outputs": recorder.take_changed()}
        send(link, json.dumps(event, ensure_ascii=False, default=plain).encode("utf-8", "replace") + b"\n")
        if shell.asked_to_exit:
            return


def enter(recorder: Recorder, request: Request) -> list[Stream]:
    """Take on the run's folder, environment, limits, randomness and streams."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(request["folder"])
    sys.path.insert(0, request["folder"])
    os.environ.update(request["environment"])
    resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT,) * 2)
    random.seed()
    np.random.seed()  # noqa: NPY002 - forks would otherwise share the state of this very generator
    streams = []
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.memfd_create(name), descriptor)
        streams.append(Stream(recorder, name, descriptor))
        setattr(sys, name, streams[-1])
    return streams


def plain(value: object) -> str:
    """Return what JSON has no type for as notebooks keep it: bytes in base64, anything else as its text."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else repr(value)


def send(descriptor: int, message: bytes) -> None:
    """Write all of a message."""
    while message:
        message = message[os.write(descriptor, message) :]


def error_output(ename: str, evalue: str) -> Output:
    """Return an error as nbformat has it."""
    return {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": [f"{ename}: {evalue}"]}


# ---- the parent -----------------------------------------------------------------------------------------


class Silence(Exception):  # noqa: N818 - no error of ours: the child just has not said anything yet
    """No answer before the deadline."""


class Child:
    """A forked run: start a cell, wait for its answer, interrupt it, end it all."""

    def __init__(self, shell: RecordingShell, request: Request, channel: Sequence[int]) -> None:
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                for descriptor in (*channel, ours.fileno()):
                    os.close(descriptor)
                live(shell, request, theirs.fileno())
            except BaseException:  # noqa: BLE001 - whatever happens, a child must not return into the server
                traceback.print_exc()
            os._exit(0)
        theirs.close()
        self._link = ours
        self._buffer = b""

    def start_cell(self) -> None:
        """Let the next cell run."""
        with contextlib.suppress(BrokenPipeError):  # a dead child shows when its answer is awaited
            self._link.send(b"\n")

    def answer(self, deadline: float) -> Event:
        """Return the cell's answer; Silence if none came in time, EOFError if none can come any more."""
        while b"\n" not in self._buffer:
            self._link.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                chunk = self._link.recv(1 << 20)
            except TimeoutError:
                raise Silence from None
            except ConnectionResetError:
                raise EOFError from None
            if not chunk or len(self._buffer) > REPLY_LIMIT:
                raise EOFError
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            event: Event = json.loads(line)
        except ValueError:
            raise EOFError from None
        return event

    def interrupt(self) -> None:
        """Ask the cell to stop, as a kernel's interrupt does; between cells it has no effect."""
        os.kill(self.pid, signal.SIGINT)

    def bury(self) -> None:
        """Kill the child and whatever it started, until this process has no descendant left."""
        self._link.close()
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        with contextlib.suppress(ChildProcessError):
            while True:
                for pid in children.read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
                os.waitpid(-1, 0)  # an orphan of the dead becomes a child of this process


def supervise(child: Child, request: Request) -> list[Output]:
    """Run all cells within their time; the outcome of each one."""
    cells: list[dict[str, Any]] = [
        {
            "outcome": "not run",
            "seconds": 0.0,
            "outputs": [error_output("CellNotRun", "the run ended before it")],
        }
        for _ in request["cells"]
    ]
    end = time.monotonic() + request["total_seconds"]
    for cell in cells:
        limit = min(request["cell_seconds"], end - time.monotonic())
        if limit <= 0:
            break
        child.start_cell()
        try:
            event, outcome = await_answer(child, limit)
        except Silence:
            cell.update(outcome="timeout", outputs=[timeout_output(limit)], seconds=limit + GRACE_SECONDS)
            break
        except EOFError:
            cell.update(
                outcome="crashed", outputs=[error_output("CellCrashed", "the process ended in this cell")]
            )
            break
        cell.update(outcome=outcome, seconds=event["seconds"])
        for number, outputs in event["outputs"].items():
            cells[int(number)]["outputs"] = outputs
        if outcome == "timeout":
            cell["outputs"].append(timeout_output(limit))
    return cells


def await_answer(child: Child, limit: float) -> tuple[Event, str]:
    """Wait for the running cell, interrupt it after ``limit`` seconds; Silence if not even that ends it."""
    try:
        return child.answer(time.monotonic() + limit), "finished"
    except Silence:
        child.interrupt()
        return child.answer(time.monotonic() + GRACE_SECONDS), "timeout"


def timeout_output(limit: float) -> Output:
    """Return the error that a cell gets which did not end by itself."""
    return error_output("CellTimeout", f"not done after {limit:.0f} s")


def serve(modules: Sequence[str]) -> None:
    """Answer requests until standard input ends."""
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # nobody but this function writes replies
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    shell = warm_shell(modules)
    gc.freeze()
    with open(requests, "rb") as lines:  # noqa: PTH123 - a descriptor
        for line in lines:
            request: Request = json.loads(line)
            child = Child(shell, request, (requests, replies))
            try:
                cells = supervise(child, request)
            finally:
                child.bury()
            send(replies, json.dumps(cells).encode() + b"\n")


def warm_shell(modules: Sequence[str]) -> RecordingShell:
    """Return a shell that has imported the modules that exist and has once shown a traceback."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "examiner"]:
        del sys.modules[name]  # the lent name is given back
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    shell = recording_shell()
    shell.recorder.open(0)
    shell.run_cell("raise ValueError('imports what formats a traceback')")  # type: ignore[no-untyped-call]
    shell.recorder.clear(wait=False)
    return shell


if __name__ == "__main__":
    serve(sys.argv[1:])
