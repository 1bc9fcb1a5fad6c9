"""Which grade cells the student's process runs as well, so that names flow as in a notebook.

Courses import NumPy for the whole notebook in their first grade cell, or bind in one cell what a later one
plots. After its snapshot has been left, such a cell is run by the candidate in its released text. Nothing
of that counts: its outputs are not taken, and a test that fails there has failed for nobody.
"""

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Final

from examiner.judge.locked import bound, free, imports, without_magics
from examiner.notebook import visible
from examiner.submission.repair import Piece

_WORDS: Final = re.compile(r"\w+")


def released_texts(cells: Sequence[Piece], in_kernel: Collection[str] = ()) -> dict[int, str]:
    """Return the released text of the grade cells that bind a name which another code cell reads.

    Examined cells are none of these: what they read of earlier ones, a judge computes.

    Parameters
    ----------
    cells : sequence of Piece
        The code cells of the notebook to run.
    in_kernel : collection of str
        The grade_ids of those that run in a snapshot by themselves.
    """
    graded = {n: visible(p.original.source) for n, p in enumerate(cells) if p.original and p.is_autograded}
    binding = {number: text for number, text in graded.items() if _bound(text)}
    if not binding:
        return {}
    plain = [without_magics(source) for cell in cells if (source := _reader(cell, in_kernel))]
    known = frozenset(found for cell in cells if not cell.is_autograded for found in _imported(cell.source))
    words = {word for source in plain for word in _WORDS.findall(source)}
    likely = {number: _given(text, known) & words for number, text in binding.items()}
    if not any(likely.values()):
        return {}
    read = {name for source in plain for name in _read(source)}
    return {number: binding[number] for number, names in likely.items() if names & read}


def _reader(cell: Piece, in_kernel: Collection[str]) -> str:
    """Return the text that a cell runs in the student's process, or an empty one."""
    if not cell.is_autograded or cell.original is None:
        return cell.source
    return cell.original.source if cell.original.grade_id in in_kernel else ""


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
