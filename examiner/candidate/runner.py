"""The trusted end of the runner: what to run goes in, the outcome and the outputs of every cell come back."""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, Literal, Self, TypeVar

from examiner.errors import MissingEnvironment, PlatformFault
from examiner.model import Limits

SERVER = Path(__file__).with_name("server.py")
PRELOADED = ("numpy.testing", "numpy.random", "matplotlib.pyplot")
MEMORY_BYTES = 4 << 30  # of address space, most of which a process never touches
SLACK_SECONDS = 60.0  # a server that has not answered this long after its last deadline is broken

Outcome = Literal["finished", "timeout", "crashed", "not run"]
Output = dict[str, Any]
Label = TypeVar("Label")


@dataclass(frozen=True)
class Run:
    """The code cells of one notebook, and what they may use.

    Parameters
    ----------
    cells : tuple of str
        Sources in order.
    files : mapping from str to bytes
        What lies beside the notebook, by its path relative to it.
    environment : mapping from str to str
        Variables that the run sees in addition to the server's few.
    limits : Limits
        Seconds for each cell and for all of them.
    tracebacks : str
        How much of an error is written out; "Minimal" saves the tenth of a second that "Context" takes.
    """

    cells: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    tracebacks: Literal["Context", "Minimal"] = "Context"


@dataclass(frozen=True)
class CellRun:
    """What happened to one cell. Whatever did not finish has an error among its outputs."""

    outcome: Outcome
    seconds: float
    outputs: tuple[Output, ...]


class BrokenServer(PlatformFault):
    """The server of the student environment ended or fell silent; the run can be asked for again."""


class Server:
    """A warm process of the student environment; it runs one notebook at a time.

    Parameters
    ----------
    python : Path
        The interpreter of the student environment.
    home : Path
        A folder that is kept between runs, where libraries put their caches.
    """

    def __init__(self, python: Path, home: Path) -> None:
        if not python.exists():
            raise MissingEnvironment(python, "the student environment is not there", "run `make setup`")
        home.mkdir(parents=True, exist_ok=True)
        self._python = python
        self._process = subprocess.Popen(  # noqa: S603 - the interpreter that course.toml names
            [python, "-I", SERVER, *PRELOADED],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(home),
            cwd=home,
            start_new_session=True,  # an interrupt of the terminal is for the process that grades
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; a run that is under way is killed with it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def run(self, run: Run) -> tuple[CellRun, ...]:
        """Execute the cells in a fresh process and a fresh folder, both gone afterwards.

        Raises
        ------
        BrokenServer
            If the server did not answer.
        """
        with tempfile.TemporaryDirectory(prefix="candidate-") as folder:
            _write_files(Path(folder), run.files)
            request = {
                "cells": run.cells,
                "folder": folder,
                "environment": dict(run.environment),
                "tracebacks": run.tracebacks,
                "cell_seconds": run.limits.cell_seconds,
                "total_seconds": run.limits.notebook_seconds,
                "memory_bytes": MEMORY_BYTES,
            }
            cells = json.loads(self._ask(json.dumps(request), run.limits.notebook_seconds + SLACK_SECONDS))
        return tuple(CellRun(each["outcome"], each["seconds"], tuple(each["outputs"])) for each in cells)

    def _ask(self, request: str, seconds: float) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(request.encode() + b"\n")
            stdin.flush()
            return _line(stdout, time.monotonic() + seconds)
        except (BrokenPipeError, EOFError, TimeoutError) as error:
            fact = f"the server of the student environment does not answer ({type(error).__name__})"
            raise BrokenServer(self._python, fact, "try again; if it stays, reinstall it") from error


class Servers:
    """As many servers as there are to be runs at the same time."""

    def __init__(self, python: Path, home: Path, count: int) -> None:
        self._free: SimpleQueue[Server] = SimpleQueue()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="candidate")
        self._all = [Server(python, home) for _ in range(count)]
        for server in self._all:
            self._free.put(server)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._all:
            server.close()  # which also ends the runs that threads still wait for
        self._pool.shutdown(cancel_futures=True)

    def run_all(self, runs: Iterable[tuple[Label, Run]]) -> Iterator[tuple[Label, tuple[CellRun, ...]]]:
        """Run everything, each with its label; results come in the order of the runs."""
        return self._pool.map(self._labelled, runs)

    def _labelled(self, labelled: tuple[Label, Run]) -> tuple[Label, tuple[CellRun, ...]]:
        label, run = labelled
        server = self._free.get()
        try:
            return label, server.run(run)
        finally:
            self._free.put(server)


def _environment(home: Path) -> dict[str, str]:
    """Return all that a candidate sees of environment variables."""
    one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return one_thread | {
        "PATH": os.defpath,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
    }


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _line(pipe: IO[bytes], deadline: float) -> bytes:
    """Read a line from a pipe that nothing else is buffered of."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        chunk = os.read(pipe.fileno(), 1 << 20)
        if not chunk:
            raise EOFError
        line += chunk
    return line
