"""What the code of a notebook is likely to import, so that a server imports it once for all its candidates.

Each text is only a hint: a wrong guess costs time and nothing else.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final

from examiner.notebook import Cell, without_magics
from examiner.wire.libraries import LIBRARIES

# Matplotlib itself, `%pylab`, and the names of libraries and methods that import it.
DRAWS: Final = re.compile(rb"plotlib|pylab|seaborn|\.(?:box)?plot|\.hist\(")
# NumPy is there anyway.
_KNOWN: Final = (LIBRARIES.keys() | {"matplotlib", "seaborn", "sklearn"}) - {"numpy"}


def may_draw(texts: Iterable[bytes]) -> bool:
    """Whether one of these texts is likely to import matplotlib."""
    return any(DRAWS.search(text) for text in texts)


def imported_libraries(cells: Iterable[Cell]) -> frozenset[str]:
    """Return the modules of known libraries that the code cells of an instructor's notebook import.

    For `from a.b import c` that is `a.b` and `a.b.c`, which may be a module as well.
    """
    found = (name for cell in cells if cell.is_code for name in _imported(cell.source))
    return frozenset(name for name in found if name.partition(".")[0] in _KNOWN)


def _imported(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # the gate reports that the cell is not plain Python
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names if alias.name != "*")
