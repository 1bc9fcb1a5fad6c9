"""What is handed in for a notebook of a public course: the solution, the release, and mechanical mutants.

All start from the release that stock nbgrader makes, as students do. A mutant is the solution with one small
change of one solution cell: an operator, a number or a returned value.
"""

import ast
import random
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from examiner.notebook import BEGIN_SOLUTION, END_SOLUTION, mark

SOLUTION: Final = "solution"
BLANK: Final = "blank"
Document = dict[str, Any]

# An operator, and the one that stands in its place in a mutant.
OTHER: Final[Mapping[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def handed_in(source: Document, release: Document, count: int, seed: str) -> Iterator[tuple[str, Document]]:
    """Yield each version's name and its notebook, with `count` mutants if there is so much to change."""
    answers = {str(mark(cell, "grade_id")): answer(text_of(cell)) for cell in solution_cells(source)}
    yield BLANK, release
    yield SOLUTION, answered(release, answers)
    programs = {
        str(mark(cell, "grade_id")): answers[str(mark(cell, "grade_id"))]
        for cell in solution_cells(source)
        if cell["cell_type"] == "code"
    }
    for number, (name, text) in enumerate(mutants(programs, count, seed), start=1):
        yield f"mutant{number}", answered(release, answers | {name: text})


def solution_cells(document: Document) -> list[Document]:
    """Return the cells that students write, or may change."""
    return [cell for cell in document["cells"] if mark(cell, "solution")]


def text_of(cell: Document) -> str:
    """Return a cell's source as one text."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def answer(source: str) -> str:
    """Return the instructor's text of a solution cell as a student would have written it, without marks."""
    lines = source.split("\n")
    return "\n".join(line for line in lines if BEGIN_SOLUTION not in line and END_SOLUTION not in line)


def answered(release: Document, answers: Mapping[str, str]) -> Document:
    """Return a release with these texts in its solution cells."""
    document = deepcopy(release)
    for cell in solution_cells(document):
        cell["source"] = answers.get(str(mark(cell, "grade_id")), cell["source"])
    return document


def mutants(cells: Mapping[str, str], count: int, seed: str) -> list[tuple[str, str]]:
    """Return some mutants, each as the name of the cell that it changes and the new text of that cell."""
    places = [(name, place) for name, source in cells.items() for place in range(len(_places(_tree(source))))]
    chosen = random.Random(seed).sample(places, min(count, len(places)))  # noqa: S311 - no secret
    return [(name, changed(cells[name], place)) for name, place in chosen]


def changed(source: str, place: int) -> str:
    """Return the source with the change that is possible at this place, counted in the order of the text."""
    tree = _tree(source)
    _places(tree)[place]()
    return ast.unparse(tree)


def _tree(source: str) -> ast.Module:
    """Return the syntax tree; of a cell that is not plain Python, an empty one."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module([], [])


def _places(tree: ast.Module) -> list[Callable[[], None]]:
    """Return a function for each change that is possible, which makes it in the tree."""
    return [change for node in ast.walk(tree) if (change := _change(node))]


def _change(node: ast.AST) -> Callable[[], None] | None:
    match node:
        case ast.Compare(ops=[operator, *others]) if type(operator) in OTHER:
            return lambda: setattr(node, "ops", [OTHER[type(operator)](), *others])
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) if type(operator) in OTHER:
            return lambda: setattr(node, "op", OTHER[type(operator)]())
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return lambda: setattr(node, "value", number + 1)
        case ast.Return(value=ast.expr()):
            return lambda: setattr(node, "value", ast.Constant(None))
        case _:
            return None
