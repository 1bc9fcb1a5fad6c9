"""Which grade cells the student's process runs as well, and which cells change nothing but names.

Courses import NumPy for the whole notebook in their first grade cell, or bind in one cell what a later one
plots. After its snapshot has been left, such a cell is run by the candidate in its released text. Nothing
of that counts: its outputs are not taken, and a test that fails there has failed for nobody.
"""

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Final

from examiner.judge.locked import bound, free, imports
from examiner.notebook import visible, without_magics
from examiner.submission.repair import Piece

_LONGEST: Final = 20_000  # characters of a cell that is looked at
_WORDS: Final = re.compile(r"\w+")


def released_texts(cells: Sequence[Piece], in_snapshots: Collection[str] = ()) -> dict[int, str]:
    """Return the released text of the grade cells that bind a name which another code cell reads.

    Examined cells are none of these: what they read of earlier ones, a judge computes.

    Parameters
    ----------
    cells : sequence of Piece
        The code cells of the notebook to run.
    in_snapshots : collection of str
        The grade_ids of those that run in a snapshot by themselves.
    """
    graded = {n: visible(p.original.source) for n, p in enumerate(cells) if p.original and p.is_autograded}
    binding = {number: text for number, text in graded.items() if _bound(text)}
    if not binding:
        return {}
    plain = [without_magics(source) for cell in cells if (source := _reader(cell, in_snapshots))]
    known = frozenset(found for cell in cells if not cell.is_autograded for found in _imported(cell.source))
    words = {word for source in plain for word in _WORDS.findall(source)}
    likely = {number: _given(text, known) & words for number, text in binding.items()}
    if not any(likely.values()):
        return {}
    read = {name for source in plain for name in _read(source)}
    return {number: binding[number] for number, names in likely.items() if names & read}


def defining_cells(cells: Sequence[Piece]) -> dict[int, tuple[str, ...]]:
    """Return by number the cells that only define functions and constants, each with the names that it binds.

    Before such a cell no snapshot has to be left: without these names, all is as it was.
    """
    found = {number: _defined(cell.source) for number, cell in enumerate(cells) if not cell.is_autograded}
    return {number: names for number, names in found.items() if names is not None}


def _defined(source: str) -> tuple[str, ...] | None:
    """Return the names that a cell binds if it surely does nothing else, or None."""
    if len(source) > _LONGEST:
        return None
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = [_name_of(statement) for statement in statements]
    return None if None in names else tuple(name for name in names if name)


def _name_of(statement: ast.stmt) -> str | None:
    """Return the name that a statement binds, an empty one if it does nothing, None if it may do more."""
    match statement:
        case ast.FunctionDef(decorator_list=[], args=args, returns=returns) if _is_plain(args, returns):
            return statement.name
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant()):
            return name
        case ast.Pass():
            return ""
    return None


def _is_plain(args: ast.arguments, returns: ast.expr | None) -> bool:
    """Whether a function has only constants as defaults, and only names and constants as annotations."""
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    annotations = [returns, *(arg.annotation for arg in named if arg)]
    defaults = [*args.defaults, *args.kw_defaults]
    return all(isinstance(a, ast.Name | ast.Constant | None) for a in annotations) and all(
        isinstance(default, ast.Constant | None) for default in defaults
    )


def _reader(cell: Piece, in_snapshots: Collection[str]) -> str:
    """Return the text that a cell runs in the student's process, or an empty one."""
    if not cell.is_autograded or cell.original is None:
        return cell.source
    return cell.original.source if cell.original.grade_id in in_snapshots else ""


def _given(text: str, known: Collection[tuple[str, str]]) -> set[str]:
    """Return the names that a cell binds otherwise than by an import that another cell has, too."""
    return {name for name, how in _bound(text) if (name, how) not in known}


@lru_cache(maxsize=4096)
def _bound(text: str) -> frozenset[tuple[str, str]]:
    """Return the names that a cell binds, each with the text of its import, or an empty one."""
    statements = _statements(text)
    imported = frozenset(found for statement in statements for found in imports(statement))
    names = {name for statement in statements for name in bound(statement)} - {name for name, _ in imported}
    return imported | {(name, "") for name in names}


def _imported(source: str) -> Iterator[tuple[str, str]]:
    if "import" in source:
        for statement in _statements(source):
            yield from imports(statement)


def _read(source: str) -> set[str]:
    """Return the names that a cell reads before it binds them itself, in its functions, too."""
    return free(ast.Module(_statements(source), []))


def _statements(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(without_magics(source)).body
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
    ):  # it fails in the student's process as well
        return []
