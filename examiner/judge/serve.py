"""The warm server of judges: behind the walls of the student environment, with checks and reference imported.

It runs nothing of a student's and nothing that a student wrote reaches it; for each submission it forks a
judge. Besides the requests of every such server it has two of its own:

    prepare + slot, a file with a `JudgedAssignment`  →  prepared + whether to rehearse its locked cells
    compute + slot                                    →  computed: its locked cells have been run
"""

import importlib
import json
import os
import pkgutil
import platform
import socket
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from types import ModuleType
from typing import Any, Final

import numpy as np

from examiner.box.box import enter_outer
from examiner.box.link import DATAGRAM_BYTES
from examiner.box.serve import Descriptors
from examiner.box.serve import serve as serve_boxes
from examiner.box.view import of_this_python
from examiner.box.walls import MissingWalls, Walls
from examiner.candidate import memory_layout
from examiner.candidate.work import ENVIRONMENT
from examiner.judge.assignments import PreparedAssignment, compiled, computed
from examiner.judge.comparing import guard_comparisons
from examiner.judge.compile import OURS
from examiner.judge.restore import note_changes
from examiner.judge.run import Judge
from examiner.judge.warm_up import warm_up
from examiner.judge.work import JudgedAssignment

# What a cell asks of these is what the student's code has left in them, such as figures.
OF_THE_STUDENTS_STATE: Final = frozenset({"matplotlib", "mpl_toolkits", "IPython", "pylab"})
# Only imported, so that a cell which names them does not wait; nothing is unpickled here.
USED_BY_CELLS: Final = ("numpy.testing", "numpy.random", "fractions", "decimal", "pickle")


def serve(descriptor: int, reference: str | None, arenas: Any) -> None:
    """Answer on the link until it is closed.

    Parameters
    ----------
    descriptor
        The link's socket.
    reference
        The name of the reference, if there is one.
    arenas
        What `memory_layout.line_up` returned, which was called before anything large was imported.
    """
    link = socket.socket(fileno=descriptor)
    settings = json.loads(link.recv(DATAGRAM_BYTES))
    walls = Walls(**settings["walls"]) if settings["walls"] else None
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    ours = OURS | (_installed() - {*settings["hidden"], *OF_THE_STUDENTS_STATE})
    try:
        box = enter_outer(of_this_python(), walls)
    except MissingWalls as error:
        link.send(f"refused {error}".encode())
        return
    module = _imported(USED_BY_CELLS, reference)
    guard_comparisons()
    note_changes()
    warm_up()
    memory_layout.settle(arenas, proc)
    info = {"walls": asdict(box.walls), "python": platform.python_version(), "numpy": np.__version__}
    link.send(b"ready " + json.dumps(info).encode())
    assignments: dict[int, PreparedAssignment] = {}

    def prepare(slot: bytes, descriptors: Descriptors) -> bytes:
        with open(descriptors[0], "rb", closefd=False) as file:
            found = compiled(JudgedAssignment.from_bytes(file.read()), module, ours)
        assignments[int(slot)] = found
        box.measure()
        return b"prepared %d" % found.needs_rehearsal

    def compute(slot: bytes, _descriptors: Descriptors) -> bytes:
        own = os.getpid()
        assignments[int(slot)] = computed(assignments[int(slot)], module)
        if os.getpid() != own:  # a locked cell has forked; its child would answer on the link as well
            os._exit(0)
        box.measure()
        return b"computed"

    run = partial(_run_judge, assignments, module)
    serve_boxes(link, box, run, ENVIRONMENT, {b"prepare": prepare, b"compute": compute})


def _installed() -> set[str]:
    """Return the names of the modules that the student environment has besides the standard library."""
    return {module.name for module in pkgutil.iter_modules() if module.name not in sys.stdlib_module_names}


def _imported(modules: Iterable[str], reference: str | None) -> ModuleType | None:
    """Import all of these, and return the reference."""
    for name in modules:
        importlib.import_module(name)
    return importlib.import_module(reference) if reference else None


def _run_judge(
    assignments: dict[int, PreparedAssignment], reference: ModuleType | None, descriptors: Descriptors
) -> None:
    Judge(assignments, reference, descriptors).serve()
