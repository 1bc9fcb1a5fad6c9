"""Compiles grade cells for the examiner to run: once for an assignment, not for each student.

The author writes a grade cell as for any notebook, but here the values that it sees are copies from another
process, so some expressions are rewritten (`judge/rewriting.py`). What a copy can never answer is the
author's error, reported before any student is graded.

Cells before a grade cell run on both sides, as far as it uses them: the imports of NumPy, of the checks and
of the standard library are repeated here, and so is what locked cells compute without a student's code.
"""

import ast
import builtins
import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Final

from examiner.judge.changing import Changed, changed_arguments
from examiner.judge.graded import GradedCode
from examiner.judge.locked import LockedCode, NamesRead, free, read_first
from examiner.judge.rewriting import Refused, Rewriting, bound_to_ref
from examiner.judge.sharing import sharing, with_calls
from examiner.model import Mode
from examiner.notebook import CHECKS, REFERENCE, Cell, Region, hidden_regions, without_magics

# The names of other cells' code in a traceback.
LOCKED, EARLIER = "<locked cells>", "<earlier grade cells>"
_MOST_LINES: Final = 1 << 16  # of a cell
# Functions of `time` that read a clock: those that give seconds, and those that give nanoseconds.
CLOCKS: Final = ("perf_counter", "process_time", "thread_time", "monotonic", "time")
FINE_CLOCKS: Final = tuple(f"{name}_ns" for name in CLOCKS)
MEASURING_CHECKS: Final = frozenset({"speed", "growth", "break_even", "memory", "held"})
# The names by which IPython gives the texts of the cells that have run.
HISTORY: Final = frozenset({"In", "_ih", "_i", "_ii", "_iii"})
_CATCHING: Final = frozenset({"assertWarns", "catch_warnings", "deprecated_call", "warns"})
_SHOWING: Final = re.compile(
    r"\s*%(matplotlib|precision|config|autoreload|load_ext\s+autoreload|pylab_import_all)\b|%%(capture|time)\s*$"
)
OURS: Final = frozenset({"numpy", CHECKS, *sys.stdlib_module_names})


@dataclass(frozen=True)
class GradeCell:
    """One grade cell, compiled.

    Attributes
    ----------
    prelude
        What locked cells compute without the student's code, or anything else that another cell has not.
    again
        The statements of earlier grade cells that the cell needs; one that fails, fails here as well.
    setting, body, last
        The code to run after it and after the names of `wanted` are bound, in this order: what locked cells
        define with a student's names or with the checks; the cell; if it ends in an expression, its value.
    wanted
        The names to ask the candidate for: the cell uses them, does not bind them, and they are no builtins.
    hints
        The literal texts of its `assert` statements: the author's words for the student.
    texts
        All texts that stand in it: the only ones that are code here.
    imports
        The modules that its statements import.
    definitions
        The source text of what the cell and the locked cells before it define without the student's code. Its
        baselines run it; it is empty for a cell that measures nothing.
    changing
        The parameters that functions of the solution change, by the function's name.
    solution_texts
        The texts that stand in the instructor's solution: names of files among them.
    reads_sources
        Whether it asks for the texts of the student's cells.
    catches_warnings
        Whether it looks at warnings.
    measures, reads_clocks
        Whether it uses checks that measure; if not, whether it reads clocks by itself.
    refusal
        Why the cell cannot be run; empty if it can.
    ours
        The modules that are the judge's own.
    """

    grade_id: str
    points: float
    mode: Mode
    source: str
    prelude: CodeType | None = None
    setting: CodeType | None = None
    again: tuple[CodeType, ...] = ()
    body: CodeType | None = None
    last: CodeType | None = None
    wanted: tuple[str, ...] = ()
    hints: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    hidden: tuple[Region, ...] = ()
    refusal: str = ""
    definitions: str = ""
    changing: Changed = field(default_factory=dict)
    solution_texts: frozenset[str] = frozenset()
    reads_sources: bool = False
    catches_warnings: bool = False
    measures: bool = False
    reads_clocks: bool = False
    ours: frozenset[str] = OURS

    @property
    def file(self) -> str:
        """The name of its code in a traceback."""
        return f"<{self.grade_id}>"

    @property
    def is_timed(self) -> bool:
        """Whether its functions are timed, which takes longer."""
        return self.measures or self.reads_clocks


@dataclass(frozen=True)
class LockedStatement:
    """A statement of a locked cell that is run once for all submissions.

    Parameters
    ----------
    cell, line : int
        Where it stands: the index of its cell in the notebook, and its line there.
    is_needed : bool
        Whether a grade cell uses what it gives.
    """

    code: CodeType
    cell: int
    line: int
    is_needed: bool
    tree: ast.Module
    ours: frozenset[str]


def prepare(
    cells: Sequence[Cell], modes: Mapping[str, Mode] | None = None, ours: frozenset[str] = OURS
) -> tuple[GradeCell, ...]:
    """Return the grade cells of an instructor's notebook, ready to run.

    Parameters
    ----------
    cells : sequence of Cell
        All cells of the notebook, in order.
    modes : mapping of str to Mode, optional
        By grade_id, for cells that are not examined.
    ours : frozenset of str
        The modules that are the judge's own, whatever a student bound or handed in.
    """
    modes, earlier, graded, prepared = modes or {}, LockedCode(ours), GradedCode(), []
    read, changing, texts = NamesRead.of(cells), changed_arguments(cells), _solution_texts(cells)
    for cell in cells:
        if cell.is_autograded:
            mode = modes.get(cell.grade_id, Mode.EXAMINED)
            prepared.append(_grade_cell(cell, mode, _Before(earlier, graded, read, changing, texts), ours))
            graded.add(without_magics(cell.source))
        elif cell.is_code:
            graded.add_other(without_magics(cell.source))
            earlier.add(without_magics(cell.source), is_locked=cell.is_locked)
    return tuple(prepared)


def locked_statements(
    cells: Sequence[Cell], modes: Mapping[str, Mode], ours: frozenset[str] = OURS
) -> tuple[LockedStatement, ...]:
    """Return what the locked cells of a notebook compute without a student's code, one by one, in order."""
    earlier, needed = LockedCode(ours), set[int]()
    for cell in cells:
        if cell.is_autograded and modes.get(cell.grade_id, Mode.EXAMINED) is Mode.EXAMINED:
            with contextlib.suppress(SyntaxError, ValueError):  # then the cell says so itself
                needed |= {node.lineno for node in earlier.needed(free(ast.parse(cell.source)))[0]}
        elif cell.is_code and not cell.is_autograded:
            first = cell.index * _MOST_LINES + 1
            earlier.add(without_magics(cell.source), is_locked=cell.is_locked, first=first)
    return tuple(_statement(node, node.lineno in needed, ours) for node in earlier.early())


def _place(node: ast.stmt) -> tuple[int, int]:
    """Return the index of the cell in which a statement stands, and its line there, from 1."""
    cell, line = divmod(node.lineno - 1, _MOST_LINES)
    return cell, line + 1


def _statement(node: ast.stmt, is_needed: bool, ours: frozenset[str]) -> LockedStatement:
    cell, line = _place(node)
    tree = ast.Module([node], [])
    with contextlib.suppress(Refused):  # a grade cell that needs it is refused
        Rewriting(set()).visit(tree)
    code = compile(ast.fix_missing_locations(tree), LOCKED, "exec")
    return LockedStatement(code, cell, line, is_needed, tree, ours)


def holding(statements: Sequence[LockedStatement]) -> GradeCell:
    """Return a cell without points that may do what these statements do."""
    whole = ast.Module([node for statement in statements for node in statement.tree.body], [])
    texts, imports = frozenset(_texts(whole)), frozenset(_imported_modules(whole))
    ours = statements[0].ours if statements else OURS
    return GradeCell("", 0.0, Mode.EXAMINED, "", texts=texts, imports=imports, ours=ours)


@dataclass(frozen=True)
class _Before:
    """What a grade cell finds in its notebook."""

    locked: LockedCode
    graded: GradedCode
    read: NamesRead
    changing: Changed
    solution_texts: frozenset[str]


def _grade_cell(cell: Cell, mode: Mode, before: _Before, ours: frozenset[str]) -> GradeCell:
    if mode is not Mode.EXAMINED:
        return GradeCell(cell.grade_id, cell.points, mode, cell.source)
    try:
        return _compiled(cell, before, ours)
    except (Refused, SyntaxError, ValueError) as error:
        fact = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        return GradeCell(cell.grade_id, cell.points, mode, cell.source, refusal=fact)


def _compiled(cell: Cell, before: _Before, ours: frozenset[str]) -> GradeCell:
    hidden, tree = hidden_regions(cell.source), ast.parse(without_harmless_magics(cell.source))
    _check_reference(tree, hidden)
    told, again = sharing(tree, hidden, before.read), before.graded.needed(read_first(tree))
    notebook, own = before.locked.needed(free(tree) | free(ast.Module(again, [])))
    needed, prelude, setting = [*notebook, *own, *again], ast.Module(notebook, []), ast.Module(own, [])
    late = ast.Module([*own, *again, *tree.body], [])
    wanted = {name for name in free(late) if not before.locked.owns(name)}
    measures = not MEASURING_CHECKS.isdisjoint(_imported_checks(ast.Module([*needed, *tree.body], [])))
    definitions = _definitions([*needed, *tree.body], ours) if measures else ""
    whole = ast.Module([*needed, *tree.body], [])
    texts, imports = frozenset(_texts(whole)), frozenset(_imported_modules(whole))
    is_by_the_clock = not measures and reads_clocks(whole)
    catches = not _CATCHING.isdisjoint(_names_used(whole))
    refs, hints = bound_to_ref(ast.Module([*needed, *tree.body], [])), frozenset(_literal_hints(tree))
    earlier = [ast.Module([statement], []) for statement in again]
    for module in (prelude, setting, tree, *earlier):
        Rewriting(refs, frozenset(before.changing)).visit(module)
    with_calls(tree.body, told)
    for module in (prelude, setting, tree, *earlier):
        ast.fix_missing_locations(module)
    file, last = f"<{cell.grade_id}>", None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = compile(ast.Expression(tree.body[-1].value), file, "eval")
        tree.body.pop()
    return GradeCell(
        grade_id=cell.grade_id,
        points=cell.points,
        mode=Mode.EXAMINED,
        source=cell.source,
        prelude=compile(prelude, LOCKED, "exec") if notebook else None,
        setting=compile(setting, LOCKED, "exec") if own else None,
        again=tuple(compile(module, EARLIER, "exec") for module in earlier),
        body=compile(tree, file, "exec"),
        last=last,
        wanted=tuple(sorted(wanted - vars(builtins).keys() - {REFERENCE})),
        hints=hints,
        texts=texts,
        imports=imports,
        hidden=hidden,
        definitions=definitions,
        changing=before.changing,
        solution_texts=before.solution_texts,
        catches_warnings=catches,
        reads_sources=bool(imports & {"inspect"} or wanted & HISTORY),
        measures=measures,
        reads_clocks=is_by_the_clock,
        ours=ours,
    )


def without_harmless_magics(source: str) -> str:
    """Return a cell's source with an empty line for each magic that changes only how something is shown."""
    lines = source.split("\n")
    return "\n".join("" if _SHOWING.match(line) else line for line in lines)


def compile_text(source: str, mode: str, file: str) -> CodeType:
    """Return the code of a text that a grade cell evaluates; it means there what it means in the cell.

    Raises
    ------
    SyntaxError
        If it is not Python, or asks for what no proxy can mean.
    """
    tree = ast.parse(source, file, mode)
    try:
        Rewriting(set()).visit(tree)
    except Refused as error:
        raise SyntaxError(str(error)) from error
    return compile(ast.fix_missing_locations(tree), file, mode)  # type: ignore[no-any-return,call-overload]


def reads_clocks(tree: ast.Module) -> bool:
    """Whether a cell reads a clock of `time`, or imports `timeit`."""
    clocks, modules, used = {*CLOCKS, *FINE_CLOCKS}, set[str](), set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                modules |= {alias.asname or alias.name for alias in names if alias.name == "time"}
                used |= {alias.name for alias in names} & {"timeit"}
            case ast.ImportFrom(module="time", names=names):
                used |= {alias.name for alias in names} & clocks
            case ast.ImportFrom(module="timeit"):
                used.add("timeit")
    asked = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in clocks and isinstance(node.value, ast.Name)
    }
    return bool(used or asked & modules)


def _names_used(tree: ast.Module) -> set[str]:
    """Return the names and attributes that a cell uses."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _solution_texts(cells: Iterable[Cell]) -> frozenset[str]:
    """Return the texts that stand in the cells of the instructor's solution."""
    found = set[str]()
    for cell in cells:
        with contextlib.suppress(SyntaxError, ValueError):
            if cell.is_solution and cell.is_code:
                found |= {*_texts(ast.parse(without_magics(cell.source)))}
    return frozenset(found)


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _imported_modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def _imported_checks(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a cell imports from the checks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == CHECKS:
            yield from (alias.name for alias in node.names)


def _definitions(statements: Iterable[ast.stmt], ours: frozenset[str]) -> str:
    """Return the source text of the statements that import our modules or define functions or constants."""
    own = LockedCode(ours)
    for statement in statements:
        own.take(statement)
    return "\n".join(
        ast.unparse(taken.node)
        for taken in own.statements
        if not taken.is_of_a_cell and not isinstance(taken.node, ast.Expr)
    )


def uses_reference(source: str) -> bool:
    """Whether a grade cell uses the reference; what is not plain Python does not."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Name) and node.id == REFERENCE for node in ast.walk(tree))


def _check_reference(tree: ast.Module, hidden: Iterable[Region]) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == REFERENCE and not any(node.lineno in r for r in hidden):
            raise Refused(
                f"line {node.lineno}: `{REFERENCE}` may be used in hidden tests only; move the line there"
            )


def _literal_hints(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assert)
            and isinstance(node.msg, ast.Constant)
            and isinstance(node.msg.value, str)
        ):
            yield node.msg.value
