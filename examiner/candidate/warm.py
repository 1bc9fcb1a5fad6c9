"""The warm server of the student environment: enters the outer walls, preloads libraries, forks candidates.

It runs none of a student's code and reads nothing that a student wrote: the work passes through it as an open
descriptor. Messages on its link are datagrams, and there is one candidate at a time:

    start + limits as JSON, descriptors  →  started, pidfd  |  failed + reason
                                         →  killed, before a process is killed since all use too much memory
    end                                  →  (nothing)
    forbid + number of a process         →  forbid: the process can start no others and write no files
    draw                                 →  drawing: matplotlib is imported for all candidates from now on

Matplotlib is imported only when work comes that is likely to draw: it takes longer to import than all the
rest, and makes each fork slower.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import platform
import select
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from examiner.box import absent
from examiner.box.box import Box, Boxed, WallsFailed, enter_outer
from examiner.box.limits import ResourceLimits, forbid_more
from examiner.box.link import DATAGRAM_BYTES, KILLED, LOOK_MS
from examiner.box.view import of_this_python
from examiner.box.walls import MissingWalls, Walls
from examiner.candidate import memory_layout
from examiner.candidate.cells import run_candidate
from examiner.candidate.recording import RecordingShell, recording_shell
from examiner.candidate.work import ENVIRONMENT, FORBID

MOST_DESCRIPTORS: Final = 253  # the kernel's limit for one datagram
PRELOADED: Final = ("numpy.testing", "numpy.random")
WARM_UP_CELLS: Final = ("%time\nraise ValueError('imports what formats a traceback')", "print(1)\n1")
DRAWING: Final = ("matplotlib.pyplot", "matplotlib_inline.backend_inline")
DRAW: Final = ("import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()",)


def serve(descriptor: int, take_back: Callable[[], None], arenas: Any) -> None:
    """Answer on the link until it is closed.

    Parameters
    ----------
    descriptor
        The link's socket.
    take_back
        Called when all is imported; it removes our modules from `sys.modules`, so that students cannot import
        them.
    arenas
        What `memory_layout.line_up` returned, which was called before anything large was imported.
    """
    link = socket.socket(fileno=descriptor)
    settings = json.loads(link.recv(DATAGRAM_BYTES))
    walls = Walls(**settings["walls"]) if settings["walls"] else None
    fonts = _read_fonts(settings["caches"])
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    hidden = settings["hidden"]
    places = absent.places_of(hidden)
    try:
        box = enter_outer(of_this_python(places), walls)
    except MissingWalls as error:
        link.send(f"refused {error}".encode())
        return
    shell = warm_shell()
    take_back()
    absent.forget(hidden, places)
    _lay_out_memory(arenas, proc)
    info = {"walls": asdict(box.walls), "python": platform.python_version(), "numpy": np.__version__}
    link.send(b"ready " + json.dumps(info).encode())
    _answer(link, box, shell, partial(_learn_to_draw, shell, fonts, proc))


def _read_fonts(caches: str) -> dict[str, bytes]:
    """Return matplotlib's font caches by name; without them, making one takes a second."""
    return {path.name: path.read_bytes() for path in Path(caches).glob("fontlist-*.json")} if caches else {}


def warm_shell() -> RecordingShell:
    """Return a shell that has run cells once, so that what IPython needs for them is imported."""
    with _temporary_home({}):
        shell = recording_shell()
        _warm_up(shell, PRELOADED, WARM_UP_CELLS)
    return shell


def _learn_to_draw(shell: RecordingShell, fonts: Mapping[str, bytes], proc: int) -> None:
    """Import matplotlib and draw once; as the shell is there, figures are shown at the end of a cell."""
    arenas = memory_layout.line_up()
    with _temporary_home(fonts):
        _warm_up(shell, DRAWING, DRAW)
    _lay_out_memory(arenas, proc)


@contextlib.contextmanager
def _temporary_home(files: Mapping[str, bytes]) -> Iterator[None]:
    """Give libraries a home folder with these files inside the block, and remove it afterwards."""
    environment, home = dict(os.environ), Path(tempfile.mkdtemp())
    os.environ.update(HOME=str(home), MPLCONFIGDIR=str(home), IPYTHONDIR=str(home / "ipython"))
    for name, content in files.items():
        (home / name).write_bytes(content)
    try:
        yield
    finally:
        shutil.rmtree(home)
        os.environ.clear()
        os.environ.update(environment)


def _warm_up(shell: RecordingShell, modules: Iterable[str], cells: Iterable[str]) -> None:
    """Import those of the modules that exist, run the cells, and remove their names and outputs."""
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    names = dict(shell.user_ns)
    for cell in cells:
        shell.recorder.open(0)
        shell.run_cell(cell)  # type: ignore[no-untyped-call]
    shell.user_ns.clear()
    shell.user_ns.update(names)
    shell.record_anew()


def _lay_out_memory(arenas: Any, proc: int) -> None:
    """Arrange the memory of what is imported so that forks are cheap."""
    gc.collect()
    gc.freeze()
    _run_fork_hooks()
    memory_layout.let_go(arenas)
    memory_layout.use_huge_pages(proc)


def _answer(link: socket.socket, box: Box, shell: RecordingShell, learn_to_draw: Callable[[], None]) -> None:
    boxed: Boxed | None = None
    while True:
        if boxed is not None:
            _watch_until_message(link, box, boxed)
        message, descriptors, _, _ = socket.recv_fds(link, DATAGRAM_BYTES, MOST_DESCRIPTORS)
        verb, _, argument = message.partition(b" ")
        if verb == FORBID:
            with contextlib.suppress(ProcessLookupError):
                forbid_more(int(argument))
            link.send(FORBID)
            continue
        if boxed is not None:
            box.end(boxed)
            boxed = None
        if not verb:
            return
        if verb == b"start":
            boxed = _start(link, box, shell, _limits(argument), descriptors)
        elif verb == b"draw":
            learn_to_draw()
            box.measure()
            link.send(b"drawing")


def _run_fork_hooks() -> None:
    """Run the fork hooks of libraries here, once, as `syscalls.fork` does not run them.

    Matplotlib drops its open fonts in them; `threading` and `logging` make their locks anew.
    """
    ctypes.pythonapi.PyOS_BeforeFork()
    ctypes.pythonapi.PyOS_AfterFork_Child()


@cache
def _limits(text: bytes) -> ResourceLimits:
    return ResourceLimits(**json.loads(text))


def _watch_until_message(link: socket.socket, box: Box, boxed: Boxed) -> None:
    """Check a candidate's memory from time to time until there is a message."""
    poll, is_over = select.poll(), False
    poll.register(link, select.POLLIN)
    while not poll.poll(0 if is_over else LOOK_MS):
        is_over = box.look_after(boxed, partial(link.send, KILLED))


def _start(
    link: socket.socket, box: Box, shell: RecordingShell, limits: ResourceLimits, descriptors: Sequence[int]
) -> Boxed | None:
    try:
        boxed = box.start(partial(run_candidate, shell, descriptors), limits, descriptors, ENVIRONMENT)
    except WallsFailed as error:
        link.send(f"failed {error}".encode())
        return None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    socket.send_fds(link, [b"started"], [boxed.pidfd])
    return boxed
