"""Finds what nbgrader accepts in an instructor's notebook although its author hardly means it."""

import ast
from collections.abc import Iterator
from typing import Final

from examiner.notebook import USUAL, Notebook, place, stray_ends

_COLLECTIONS: Final = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_NEVER_NUMBERS: Final = (*_COLLECTIONS, ast.Compare, ast.JoinedStr, ast.Lambda)
# Functions and methods whose value is never a number of points.
_PYTHONS: Final = {"all", "any", "bool", "isinstance", "issubclass", "callable", "hasattr", "str", "list"}
_NO_NUMBERS: Final = _PYTHONS | {"allclose", "array_equal", "array_equiv"}


def oddities(notebook: Notebook) -> Iterator[str]:
    """Yield a sentence for each thing that nbgrader accepts and that its author hardly means."""
    for cell in notebook.cells:
        for begin, end in (USUAL.solution, USUAL.hidden, USUAL.scheme):
            for line in stray_ends(cell.source, begin, end):
                fact = f"line {line} says '{end}', but no line before it says '{begin}'"
                yield f"{place(notebook, cell)}: {fact}; the line is left out, as nbgrader does."
        last = _line_of_no_number(cell.source) if cell.is_autograded else None
        if last is not None:
            fact = f"the value of line {last}, in which it ends, is no number of points and no failure"
            yield f"{place(notebook, cell)}: {fact}, so that it gives all points; assert it."


def _line_of_no_number(source: str) -> int | None:
    """Return the line of a last expression that is shown and can be no number."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return None
    last = body[-1].value if body and isinstance(body[-1], ast.Expr) else None
    is_shown = last is not None and not source.rstrip().endswith(";")
    return last.lineno if last is not None and is_shown and _is_no_number(last) else None


def _is_no_number(value: ast.expr) -> bool:
    """Whether the value of an expression is surely no number, whatever the student's code gives."""
    match value:
        case ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool() | str() | bytes()):
            return True
        case ast.BoolOp(values=values):
            return all(map(_is_no_number, values))
        case ast.IfExp(body=one, orelse=other):
            return _is_no_number(one) and _is_no_number(other)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _NO_NUMBERS
    return isinstance(value, _NEVER_NUMBERS)
