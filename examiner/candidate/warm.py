"""The warm server of the student environment: enters the outer walls, preloads libraries, forks candidates.

It runs none of a student's code and reads nothing that a student wrote: the work passes through it as an open
descriptor. Besides the requests of every such server it has one of its own:

    learn + modules  →  learned: these are imported for all candidates from now on

Libraries are imported only when work comes that is likely to need them: some take longer to import than all
the rest, and each makes a fork slower. The modules are named by the instructor's notebook, and are of the
student environment.
"""

import contextlib
import importlib
import json
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from examiner.box import absent
from examiner.box.box import enter_outer
from examiner.box.link import DATAGRAM_BYTES
from examiner.box.serve import Descriptors
from examiner.box.serve import serve as serve_boxes
from examiner.box.view import of_this_python
from examiner.box.walls import MissingWalls, Walls
from examiner.candidate import memory_layout
from examiner.candidate.cells import run_candidate
from examiner.candidate.recording import RecordingShell, recording_shell
from examiner.candidate.work import ENVIRONMENT, MATPLOTLIB

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
    memory_layout.settle(arenas, proc)
    info = {"walls": asdict(box.walls), "python": platform.python_version(), "numpy": np.__version__}
    link.send(b"ready " + json.dumps(info).encode())

    def learn(modules: bytes, _descriptors: Descriptors) -> bytes:
        _learn(shell, fonts, proc, modules.decode().split())
        box.measure()
        return b"learned"

    run = partial(run_candidate, shell, box)
    serve_boxes(link, box, run, ENVIRONMENT, {b"learn": learn}, children_live_on=True)


def _read_fonts(caches: str) -> dict[str, bytes]:
    """Return matplotlib's font caches by name; without them, making one takes a second."""
    return {path.name: path.read_bytes() for path in Path(caches).glob("fontlist-*.json")} if caches else {}


def warm_shell() -> RecordingShell:
    """Return a shell that has run cells once, so that what IPython needs for them is imported."""
    with _temporary_home({}):
        shell = recording_shell()
        _warm_up(shell, PRELOADED, WARM_UP_CELLS)
    return shell


def _learn(shell: RecordingShell, fonts: Mapping[str, bytes], proc: int, modules: Sequence[str]) -> None:
    """Import modules, and draw once with matplotlib: as the shell is there, figures are shown then."""
    arenas = memory_layout.line_up()
    with _temporary_home(fonts):
        if MATPLOTLIB in modules:
            _warm_up(shell, DRAWING, DRAW)
        _warm_up(shell, modules, ())
    memory_layout.settle(arenas, proc)


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
    """Import those of the modules that can be, run the cells, and remove their names and outputs."""
    for module in modules:
        with contextlib.suppress(Exception):  # then a student's code that needs it fails, and tells
            importlib.import_module(module)
    names = dict(shell.user_ns)
    for cell in cells:
        shell.recorder.open(0)
        shell.run_cell(cell)  # type: ignore[no-untyped-call]
    shell.user_ns.clear()
    shell.user_ns.update(names)
    shell.record_anew()
