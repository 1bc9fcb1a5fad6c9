"""The warm server of the student environment: enters the outer walls, imports what is slow, forks candidates.

It runs none of a student's code and reads nothing that a student wrote: the work goes through it as a
descriptor. Messages on its link are datagrams, one job at a time:

    start + bounds as JSON, descriptors  →  started, pidfd  |  failed + reason
                                         →  killed, before one of its processes is, for all their memory
    end                                  →  (nothing)
    draw                                 →  drawing: all candidates from now on find matplotlib imported

Matplotlib waits until work comes that is likely to draw: it takes more time to import, and more of each fork,
than all the rest.
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

from examiner.box import absent, limits
from examiner.box.box import Box, Boxed, WallsFailed, enter_outer
from examiner.box.limits import ResourceLimits
from examiner.box.link import DATAGRAM_BYTES, KILLED, LOOK_MS
from examiner.box.view import of_this_python
from examiner.box.walls import MissingWalls, Walls
from examiner.candidate import memory_layout
from examiner.candidate.cells import run_candidate
from examiner.candidate.recording import RecordingShell, recording_shell
from examiner.candidate.work import ENVIRONMENT, FORBID

MOST_DESCRIPTORS: Final = 253  # the kernel's bound for one datagram
PRELOADED: Final = ("numpy.testing", "numpy.random")
WARM_UP_CELLS: Final = ("%time\nraise ValueError('imports what formats a traceback')", "print(1)\n1")
DRAWING: Final = ("matplotlib.pyplot", "matplotlib_inline.backend_inline")
DRAW: Final = ("import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()",)


def serve(descriptor: int, lent_names: Any, arenas: Any) -> None:
    """Answer on the link until it is closed.

    Parameters
    ----------
    arenas
        From `pages.line_up`, which was called before anything large was imported.
    lent_names
        Called when all is imported; it takes back the names of our modules, so that nobody can import them.
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
    lent_names()
    absent.forget(hidden, places)
    _settle(arenas, proc)
    warm = {"walls": asdict(box.walls), "python": platform.python_version(), "numpy": np.__version__}
    link.send(b"ready " + json.dumps(warm).encode())
    _answer(link, box, shell, partial(_learn_to_draw, shell, fonts, proc))


def _read_fonts(caches: str) -> dict[str, bytes]:
    """Return matplotlib's lists of fonts, which take a second to make anew."""
    return {path.name: path.read_bytes() for path in Path(caches).glob("fontlist-*.json")} if caches else {}


def warm_shell() -> RecordingShell:
    """Return a shell that has imported the modules that exist, and has failed once."""
    with _at_home({}):
        shell = recording_shell()
        _warm_up(shell, PRELOADED, WARM_UP_CELLS)
    return shell


def _learn_to_draw(shell: RecordingShell, fonts: Mapping[str, bytes], proc: int) -> None:
    """Import what draws with the shell there, so that figures are shown at the end of a cell; draw once."""
    arenas = memory_layout.line_up()
    with _at_home(fonts):
        _warm_up(shell, DRAWING, DRAW)
    _settle(arenas, proc)


@contextlib.contextmanager
def _at_home(files: Mapping[str, bytes]) -> Iterator[None]:
    """Have a home with these files, where libraries keep what they keep, and no trace of it afterwards."""
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
    """Import those of the modules that exist, run the cells, and forget what they left."""
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


def _settle(arenas: Any, proc: int) -> None:
    """Lay out what is imported for cheap forks."""
    gc.collect()
    gc.freeze()
    _do_what_forks_do()
    memory_layout.let_go(arenas)
    memory_layout.use_huge_pages(proc)


def _answer(link: socket.socket, box: Box, shell: RecordingShell, learn_to_draw: Callable[[], None]) -> None:
    boxed: Boxed | None = None
    while True:
        if boxed is not None:
            _look_until_asked(link, box, boxed)
        message, descriptors, _, _ = socket.recv_fds(link, DATAGRAM_BYTES, MOST_DESCRIPTORS)
        verb, _, bounds = message.partition(b" ")
        if verb == FORBID:
            with contextlib.suppress(ProcessLookupError):
                limits.forbid_more(int(bounds))
            link.send(FORBID)
            continue
        if boxed is not None:
            box.end(boxed)
            boxed = None
        if not verb:
            return
        if verb == b"start":
            boxed = _start(link, box, shell, _limits(bounds), descriptors)
        elif verb == b"draw":
            learn_to_draw()
            box.measure()
            link.send(b"drawing")


def _do_what_forks_do() -> None:
    """Have libraries do here, once, what they want done in each fork: our own forks pass them by.

    Matplotlib forgets its open fonts, `threading` and `logging` their locks.
    """
    ctypes.pythonapi.PyOS_BeforeFork()
    ctypes.pythonapi.PyOS_AfterFork_Child()


@cache
def _limits(text: bytes) -> ResourceLimits:
    return ResourceLimits(**json.loads(text))


def _look_until_asked(link: socket.socket, box: Box, boxed: Boxed) -> None:
    """Look after a candidate's memory until there is a message."""
    poll, is_over = select.poll(), False
    poll.register(link, select.POLLIN)
    while not poll.poll(0 if is_over else LOOK_MS):
        is_over = box.look_after(boxed, partial(link.send, KILLED))


def _start(
    link: socket.socket, box: Box, shell: RecordingShell, bounds: ResourceLimits, descriptors: Sequence[int]
) -> Boxed | None:
    try:
        boxed = box.start(partial(run_candidate, shell, descriptors), bounds, descriptors, ENVIRONMENT)
    except WallsFailed as error:
        link.send(f"failed {error}".encode())
        return None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    socket.send_fds(link, [b"started"], [boxed.pidfd])
    return boxed
