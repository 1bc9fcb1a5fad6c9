"""Finds what is wrong with an instructor's notebook without running it."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping

from examiner.errors import BadSource
from examiner.gate.model import Breach
from examiner.gate.texts import students_texts
from examiner.judge.compile import OURS
from examiner.judge.locked import LockedCode
from examiner.notebook import CATEGORIES, Cell, Notebook, hidden, load, solution_regions, without_magics

TOTAL = 100
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?")
CANARY = re.compile(r"""^canary = ["']([^"']+)["']$""", re.MULTILINE)
CODE_LINE = re.compile(r"\s*[^\s#]")

USE_CHECKS = "compare with check_array or check_equal of examiner_checks"
USE_HANDLES = "judge by behaviour, with array, ref and value of examiner_checks"
USE_ISINSTANCE = "judge by behaviour, or use isinstance with the student's class"
KEEP_TEXTS = "compare the value, and use a text that stands in the cell"
USE_SPEED = "compare with a baseline, by speed of examiner_checks"

# A student's values reach a grade cell as copies from another process, where these names mean something else.
FORBIDDEN = (
    dict.fromkeys(
        ("allclose", "isclose", "array_equal", "array_equiv", "assert_allclose", "assert_array_equal"),
        ("passes on empty and on broadcast arrays", USE_CHECKS),
    )
    | dict.fromkeys(
        ("assert_almost_equal", "assert_array_almost_equal", "assert_equal", "assert_array_less"),
        ("passes on empty and on broadcast arrays", USE_CHECKS),
    )
    | dict.fromkeys(
        ("shares_memory", "may_share_memory", "flags", "weakref", "tracemalloc"),
        ("says nothing about a value that was copied", USE_HANDLES),
    )
    | dict.fromkeys(("perf_counter", "process_time", "monotonic"), ("is an absolute time", USE_SPEED))
)


def lint(notebook: Notebook, place: Callable[[str], str], taken: Mapping[str, str]) -> Iterator[Breach]:
    """Yield a breach for everything that is wrong with the notebook.

    Parameters
    ----------
    notebook : Notebook
        A notebook that `check_source` accepts.
    place : callable
        Returns the place of a cell, given its name; of the notebook, given an empty one.
    taken : mapping from str to str
        The canaries of other notebooks, and the place of each.
    """
    yield from _format(notebook, place)
    total = sum(cell.points for cell in notebook.grade_cells)
    if total != TOTAL:
        yield Breach(place(""), f"the points add up to {total:g}", f"make them add up to {TOTAL}")
    locked = LockedCode(OURS)
    for cell in notebook.cells:
        here = place(cell.grade_id or cell.id or str(cell.index + 1))
        yield from (Breach(here, fact, fix) for fact, fix in _cell(cell))
        if cell.is_autograded:
            yield from (Breach(here, fact, KEEP_TEXTS) for fact in _texts(cell, locked.computed()))
        elif cell.is_code:
            locked.add(without_magics(cell.source), is_locked=cell.is_locked)
    taken = dict(taken)
    for cell_name, canary in canaries(notebook):
        if canary in taken:
            yield Breach(place(cell_name), f"its canary is that of {taken[canary]}", "give each cell its own")
        taken[canary] = place(cell_name)


def canaries(notebook: Notebook) -> Iterator[tuple[str, str]]:
    """Yield the grade_id and the canary of each grade cell; one that leaks says where it came from."""
    for cell in notebook.cells:
        if cell.is_autograded:
            yield from ((cell.grade_id, canary) for canary in CANARY.findall(cell.source))


def _format(notebook: Notebook, place: Callable[[str], str]) -> Iterator[Breach]:
    """Yield what makes the file invalid, and outputs and ids that a source notebook must not have."""
    import nbformat  # noqa: PLC0415 - other commands need not wait most of a second for this import

    raw = load(notebook.path, BadSource)
    try:
        nbformat.validate(raw)
    except nbformat.ValidationError as error:
        yield Breach(place(""), f"it is no valid notebook ({error.message})", "save it again in JupyterLab")
        return
    if (raw["nbformat"], raw["nbformat_minor"]) < (4, 5):
        yield Breach(place(""), "its format has no cell ids", "save it again in JupyterLab")
    for number, cell in enumerate(raw["cells"], start=1):
        here = place(cell.get("id") or str(number))
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield Breach(here, "it holds outputs", "clear all outputs and save")
        yield from (Breach(here, fact, fix) for fact, fix in _identity(cell))


def _identity(cell: dict[str, object]) -> Iterator[tuple[str, str]]:
    cell_id, metadata = str(cell.get("id", "")), cell["metadata"]
    assert isinstance(metadata, dict)
    grade_id = metadata.get("nbgrader", {}).get("grade_id", cell_id)
    if cell_id != grade_id:
        yield f"its id is {cell_id}, its grade_id {grade_id}", "give both the same name"
    elif RANDOM_ID.fullmatch(cell_id):
        yield "its id is a random one", "give it a name that tells what it is about"


def _cell(cell: Cell) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one cell, as fact and next step."""
    if cell.is_solution and cell.is_code:
        yield from _solution_cell(cell)
    if cell.is_grade and cell.category not in CATEGORIES:
        yield "its grade_id does not begin with a category", f"begin it with one of {', '.join(CATEGORIES)}"
    if cell.is_autograded:
        yield from _grade_cell(cell)


def _solution_cell(cell: Cell) -> Iterator[tuple[str, str]]:
    if not solution_regions(cell.source):
        yield "its solution is not marked", "put it between '### BEGIN SOLUTION' and '### END SOLUTION'"
    if _parsed(cell.source) is None:
        yield "it is not plain Python", "move magics into a cell of their own"


def _grade_cell(cell: Cell) -> Iterator[tuple[str, str]]:
    if not any(CODE_LINE.match(line) and not CANARY.match(line) for line in hidden(cell.source).split("\n")):
        yield "it has no hidden tests", "add some between '### BEGIN HIDDEN TESTS' and '### END HIDDEN TESTS'"
    elif not CANARY.search(hidden(cell.source)):
        yield "its hidden tests have no canary", 'begin them with canary = "canary-…", unique in the course'
    if cell.points <= 0:
        yield "it has no points", "give it some"
    tree = _parsed(cell.source)
    if tree is None:
        yield "it is not plain Python", "move magics into a cell of their own"
        return
    for node in ast.walk(tree):
        yield from ((f"line {line}: {fact}", fix) for line, fact, fix in _misuse(node))


def _texts(cell: Cell, ours: frozenset[str]) -> Iterator[str]:
    """Yield where a student's value may be more than data."""
    for line, function, use in students_texts(_parsed(cell.source) or ast.Module([], []), ours):
        yield f"line {line}: `{function}` may take a student's value as {use}"


def _misuse(node: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the fact and the next step if an expression tests nothing about a student's values."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name) if name in FORBIDDEN:
            fact, fix = FORBIDDEN[name]
            yield node.lineno, f"`{name}` {fact}", fix
        case ast.Call(func=ast.Name(id="type" | "id" as name), args=[_]):
            yield node.lineno, f"`{name}(…)` means nothing for a value that was copied", USE_ISINSTANCE
        case ast.Compare(ops=ops, comparators=comparators):
            for operator, right in zip(ops, comparators, strict=True):
                is_singleton = isinstance(right, ast.Constant) and right.value in {None, True, False}
                if isinstance(operator, ast.Is | ast.IsNot) and not is_singleton:
                    yield node.lineno, "`is` means nothing for a value that was copied", USE_HANDLES


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except SyntaxError:
        return None
