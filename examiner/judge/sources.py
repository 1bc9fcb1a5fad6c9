"""The source text of what a student has defined: as it stands in the notebook that was handed in.

A student's process could show any text. What a name stands for is looked up in the cells that come before
the grade cell: the last definition of it counts, as in a notebook.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from examiner.judge.locked import DEFINITION
from examiner.notebook import without_magics

MOST_RENAMED: Final = 10


def definition(name: str, sources: Sequence[str]) -> tuple[str, int] | None:
    """Return the text that defines a name, with its first line in its cell, or None if none does.

    Parameters
    ----------
    name : str
        Such as `f` or `Class.method`.
    sources : sequence of str
        The code cells before, in their order.
    """
    first, *rest = name.split(".")
    for _ in range(MOST_RENAMED):
        found = _last(first, sources)
        match found:
            case None:
                return None
            case (_, ast.Assign(value=ast.Name(id=other))) if not rest:
                first = other  # `g = f` has no text of its own
            case (source, node):
                return _text(source, node, rest)
    return None


def _last(name: str, sources: Iterable[str]) -> tuple[str, ast.stmt] | None:
    """Return the last statement at the top of a cell that binds a name, and its cell."""
    found = None
    for source in map(without_magics, sources):
        if name in source:
            found = next(reversed([(source, node) for node in _binding(name, source)]), found)
    return found


def _binding(name: str, source: str) -> Iterator[ast.stmt]:
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in statements:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = [node.name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case _:
                names = []
        if name in names:
            yield node


def _text(source: str, node: ast.stmt, rest: Sequence[str]) -> tuple[str, int] | None:
    """Return the lines of a definition, or of one in it."""
    for name in rest:
        inner = [n for n in getattr(node, "body", ()) if isinstance(n, DEFINITION) and n.name == name]
        if not inner:
            return None
        node = inner[-1]
    decorators = getattr(node, "decorator_list", ())
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    lines = source.split("\n")[first - 1 : node.end_lineno]
    return "\n".join(lines) + "\n", first
