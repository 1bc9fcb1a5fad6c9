"""What a server of judges has ready of an assignment: its grade cells, compiled, with locked cells run."""

import contextlib
import importlib
import json
import random
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Final, NoReturn

import numpy as np

from examiner.judge.compile import OURS, GradeCell, prepare
from examiner.judge.namespace import Namespace
from examiner.judge.restore import note_changes, restored
from examiner.judge.work import JudgedAssignment
from examiner.notebook import CHECKS, parse

LOCKED_SECONDS: Final = 10.0  # for the locked cells of one grade cell


@dataclass(frozen=True)
class PreparedAssignment:
    """The grade cells of an assignment by grade_id, each with its namespace, and the files beside it."""

    cells: Mapping[str, tuple[GradeCell, Namespace]]
    files: Mapping[str, bytes]


class LockedCellsTooSlow(BaseException):
    """The locked cells took too long to be run once for all submissions."""


def prepared(
    assignment: JudgedAssignment, reference: ModuleType | None, ours: frozenset[str] = OURS
) -> PreparedAssignment:
    """Compile the grade cells, and run once for all submissions what their locked cells compute.

    What cannot be run here, since it draws random numbers, takes too long or fails, is run for each
    submission, when the grade cell runs.
    """
    notebook = parse(json.loads(assignment.notebook), Path("the instructor's notebook"))
    cells = {}
    for cell in prepare(notebook.cells, assignment.modes, ours.difference(assignment.beside)):
        _import(cell)
        namespace = Namespace(cell, reference)
        if not _ran(namespace):
            namespace = Namespace(cell, reference)
        cells[cell.grade_id] = cell, namespace
    return PreparedAssignment(cells, assignment.files)


def _import(cell: GradeCell) -> None:
    """Import those of the judge's own modules that a cell imports, once for all submissions."""
    for name in cell.imports:
        if name.partition(".")[0] in cell.ours - {CHECKS}:
            with contextlib.suppress(Exception):  # then the cell fails with it, and tells
                importlib.import_module(name)
    note_changes()


def _ran(namespace: Namespace) -> bool:
    """Run what the locked cells compute; return whether it is the same for every submission."""
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    try:
        with restored(), _limited(LOCKED_SECONDS):
            namespace.run_locked()
            after = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    except BaseException:  # noqa: BLE001 - whatever it is, SystemExit too: the cell fails so again, and tells it
        return False
    return before == after


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise LockedCellsTooSlow

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(
        signal.ITIMER_REAL, seconds, 1.0
    )  # again, since the first may be raised where it is ignored
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
