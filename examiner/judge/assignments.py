"""What a server of judges has ready of an assignment: its grade cells, compiled, with locked cells run."""

import ast
import contextlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Final

from examiner.judge.chance import states
from examiner.judge.compile import OURS, GradeCell, LockedStatement, locked_statements, prepare
from examiner.judge.libraries import guard_libraries, import_libraries
from examiner.judge.namespace import Namespace
from examiner.judge.rehearsal import limited
from examiner.judge.restore import note_changes, restored
from examiner.judge.work import JudgedAssignment
from examiner.notebook import CHECKS, parse

LOCKED_SECONDS: Final = 10.0  # for the locked cells of one grade cell


@dataclass(frozen=True)
class PreparedAssignment:
    """The grade cells of an assignment by grade_id, each with its namespace, and the files beside it.

    `locked` is what its locked cells compute, for a rehearsal before it is run in the server.
    """

    cells: Mapping[str, tuple[GradeCell, Namespace]]
    files: Mapping[str, bytes]
    locked: tuple[LockedStatement, ...] = ()

    @property
    def needs_rehearsal(self) -> bool:
        """Whether its locked cells do anything but import and define."""
        return not all(_is_harmless(node) for statement in self.locked for node in statement.tree.body)


def _is_harmless(node: ast.stmt) -> bool:
    """Whether a statement only imports, or defines a function without running anything."""
    if isinstance(node, ast.FunctionDef):
        return not (node.decorator_list or node.args.defaults or any(node.args.kw_defaults))
    return isinstance(node, ast.Import | ast.ImportFrom)


def compiled(
    assignment: JudgedAssignment, reference: ModuleType | None, ours: frozenset[str] = OURS
) -> PreparedAssignment:
    """Compile the grade cells, and import what they import; nothing of the author's is run."""
    notebook = parse(json.loads(assignment.notebook), Path("the instructor's notebook"))
    ours = ours.difference(assignment.beside)
    cells = prepare(notebook.cells, assignment.modes, ours)
    import_libraries(ours, "\n".join(cell.source for cell in notebook.cells if cell.is_code))
    for cell in cells:
        _import(cell)
    namespaces = {cell.grade_id: (cell, Namespace(cell, reference)) for cell in cells}
    locked = locked_statements(notebook.cells, assignment.modes, ours)
    return PreparedAssignment(namespaces, assignment.files, locked)


def computed(assignment: PreparedAssignment, reference: ModuleType | None) -> PreparedAssignment:
    """Run once for all submissions what the locked cells compute.

    What cannot be run here, since it draws random numbers, takes too long or fails, is run for each
    submission, when the grade cell runs.
    """
    cells = {
        name: (cell, namespace if _ran(namespace) else Namespace(cell, reference))
        for name, (cell, namespace) in assignment.cells.items()
    }
    return replace(assignment, cells=cells)


def _import(cell: GradeCell) -> None:
    """Import those of the judge's own modules that a cell imports, once for all submissions."""
    for name in cell.imports:
        if name.partition(".")[0] in cell.ours - {CHECKS}:
            with contextlib.suppress(Exception):  # then the cell fails with it, and tells
                importlib.import_module(name)
    guard_libraries()
    note_changes()


def _ran(namespace: Namespace) -> bool:
    """Run what the locked cells compute; return whether it is the same for every submission."""
    before = states()
    try:
        with restored(), limited(LOCKED_SECONDS):
            namespace.run_locked()
            after = states()
    except BaseException:  # noqa: BLE001 - whatever it is, SystemExit too: the cell fails so again, and tells it
        return False
    return before == after
