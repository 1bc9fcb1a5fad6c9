"""Compiles grade cells for the examiner to run: once for an assignment, not for each student.

The author writes a grade cell as for any notebook, but here the values that it sees are copies from another
process, so some expressions are rewritten: `ref(x.data)` leaves the array with the candidate; `is`, `type(x)`
and `id(x)` become calls that refuse what a copy cannot answer; a method of a student's object is called in
one request. What a copy can never answer is the author's error, reported before any student is graded.

Cells before a grade cell run on both sides, as far as it uses them: the imports of NumPy, of the checks and
of the standard library are repeated here, and so is what locked cells compute without a student's code.
"""

import ast
import builtins
import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Final

from examiner.judge.graded import GradedCode
from examiner.judge.locked import DEFINITION, LockedCode, NamesRead, free, read_first, without_magics
from examiner.model import Mode
from examiner.notebook import CHECKS, REFERENCE, Cell, Region, hidden_regions

# The names of other cells' code in a traceback.
LOCKED, EARLIER = "<locked cells>", "<earlier grade cells>"
_MOST_LINES: Final = 1 << 16  # of a cell
# Functions of `time` that read a clock: those that give seconds, and those that give nanoseconds.
CLOCKS: Final = ("perf_counter", "process_time", "thread_time", "monotonic", "time")
FINE_CLOCKS: Final = tuple(f"{name}_ns" for name in CLOCKS)
MEASURING_CHECKS: Final = frozenset({"speed", "growth", "break_even", "memory", "held"})
OURS: Final = frozenset({"numpy", CHECKS, *sys.stdlib_module_names})

# The names under which rewritten cells find the functions of their `Namespace`.
BY_REF, METHOD, IS, TYPE, ID = "__by_ref__", "__method__", "__is__", "__type__", "__id__"
SHARE, DEFINE = "__share__", "__define__"
ATTRIBUTE: Final = "__attribute__"
# What a student's object says of itself: the candidate's claim.
CLAIMED: Final = frozenset({"__name__", "__qualname__", "__module__", "__doc__"})

_MEMORY: Final = "memory is judged by behaviour: write through one ref(…), read through the other by value(…)"
_INSTEAD: Final = {
    "shares_memory": _MEMORY,
    "may_share_memory": _MEMORY,
    "flags": _MEMORY,
    "__array_interface__": _MEMORY,
    "__class__": "write isinstance(x, Class)",
    "__dict__": "ask for single attributes",
}
_LOOKS_INSIDE: Final = frozenset({"gc", "resource", "tracemalloc", "weakref"})


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


class _Refused(Exception):  # noqa: N818 - it is caught in this module, and never reported as an error
    """A cell uses something that means nothing for copies of values."""


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
    read = NamesRead.of(cells)
    for cell in cells:
        if cell.is_autograded:
            mode = modes.get(cell.grade_id, Mode.EXAMINED)
            prepared.append(_grade_cell(cell, mode, _Before(earlier, graded, read), ours))
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
    with contextlib.suppress(_Refused):  # a grade cell that needs it is refused
        _Rewriting(set()).visit(tree)
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


def _grade_cell(cell: Cell, mode: Mode, before: _Before, ours: frozenset[str]) -> GradeCell:
    if mode is not Mode.EXAMINED:
        return GradeCell(cell.grade_id, cell.points, mode, cell.source)
    try:
        return _compiled(cell, before, ours)
    except (_Refused, SyntaxError, ValueError) as error:
        fact = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        return GradeCell(cell.grade_id, cell.points, mode, cell.source, refusal=fact)


def _compiled(cell: Cell, before: _Before, ours: frozenset[str]) -> GradeCell:
    hidden, tree = hidden_regions(cell.source), ast.parse(cell.source)
    _check_reference(tree, hidden)
    sharing, again = _sharing(tree, hidden, before.read), before.graded.needed(read_first(tree))
    notebook, own = before.locked.needed(free(tree) | free(ast.Module(again, [])))
    needed, prelude, setting = [*notebook, *own, *again], ast.Module(notebook, []), ast.Module(own, [])
    late = ast.Module([*own, *again, *tree.body], [])
    wanted = {name for name in free(late) if not before.locked.owns(name)}
    measures = not MEASURING_CHECKS.isdisjoint(_imported_checks(ast.Module([*needed, *tree.body], [])))
    definitions = _definitions([*needed, *tree.body], ours) if measures else ""
    whole = ast.Module([*needed, *tree.body], [])
    texts, imports = frozenset(_texts(whole)), frozenset(_imported_modules(whole))
    is_by_the_clock = not measures and reads_clocks(whole)
    refs, hints = set(_bound_to_ref(ast.Module([*needed, *tree.body], []))), frozenset(_literal_hints(tree))
    earlier = [ast.Module([statement], []) for statement in again]
    for module in (prelude, setting, tree, *earlier):
        _Rewriting(refs).visit(module)
    tree.body = [*_with_calls(tree.body, sharing)]
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
        measures=measures,
        reads_clocks=is_by_the_clock,
        ours=ours,
    )


def compile_text(source: str, mode: str, file: str) -> CodeType:
    """Return the code of a text that a grade cell evaluates; it means there what it means in the cell.

    Raises
    ------
    SyntaxError
        If it is not Python, or asks for what no proxy can mean.
    """
    tree = ast.parse(source, file, mode)
    try:
        _Rewriting(set()).visit(tree)
    except _Refused as error:
        raise SyntaxError(str(error)) from error
    return compile(ast.fix_missing_locations(tree), file, mode)  # type: ignore[no-any-return,call-overload]


def _sharing(tree: ast.Module, hidden: Iterable[Region], read: NamesRead) -> dict[ast.stmt, ast.Call]:
    """Return what is to be called after the statements that bind names which the solution's functions read.

    It gives the names to the candidate, where the student's functions find them, as in a notebook.
    """
    calls, known = {}, {*read.bound}
    for statement in tree.body:
        names = read.given_by(statement)
        if not any(statement.lineno in region for region in hidden):
            known |= names
        elif names - known:
            raise _Refused(
                f"line {statement.lineno}: a function of the solution reads `{min(names - known)}`, which "
                "only the hidden tests bind: bind it in a visible line, or pass it as an argument"
            )
        if not names:
            continue
        is_code = isinstance(statement, DEFINITION | ast.Import | ast.ImportFrom)
        calls[statement] = (
            _call(DEFINE, ast.Constant(ast.unparse(statement)))
            if is_code
            else _call(SHARE, *map(ast.Constant, sorted(names)))
        )
    return calls


def _with_calls(statements: Iterable[ast.stmt], calls: Mapping[ast.stmt, ast.Call]) -> Iterator[ast.stmt]:
    for statement in statements:
        yield statement
        if statement in calls:
            yield ast.copy_location(ast.Expr(calls[statement]), statement)


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


class _Rewriting(ast.NodeTransformer):
    """Rewrites `ref(…)`, `is`, `type(x)`, `id(x)` and method calls; refuses what means nothing for copies."""

    def __init__(self, refs: set[str]) -> None:
        self.refs = refs

    def visit(self, node: ast.AST) -> ast.AST:
        """Rewrite a node; a pattern of `match` stays, since a call cannot stand in it."""
        return node if isinstance(node, ast.pattern) else super().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func.id if isinstance(node.func, ast.Name) and len(node.args) == 1 else ""
        if function in self.refs and not node.keywords:
            self._visit_operands(node.args[0])  # the last operation itself is done by reference
            return ast.copy_location(_call(BY_REF, *_last_step(node.args[0])), node)
        self._visit_operands(node)
        if function in {"type", "id"} and not node.keywords:
            return ast.copy_location(_call(TYPE if function == "type" else ID, *node.args), node)
        if isinstance(node.func, ast.Attribute) and not node.func.attr.startswith("__"):
            method = _call(METHOD, node.func.value, ast.Constant(node.func.attr), *node.args)
            method.keywords = node.keywords
            return ast.copy_location(method, node)  # one request instead of two, if the object is a student's
        return node

    def _visit_operands(self, node: ast.AST) -> None:
        """Rewrite what an operation is applied to; the method of a call belongs to the operation."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            _check_attribute(node.func)
            for operand in (node.func, *node.keywords):
                self.generic_visit(operand)
            arguments = ast.Tuple(node.args, ast.Load())
            self.generic_visit(arguments)
            node.args = arguments.elts
        else:
            self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if not any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            return node
        if any(isinstance(side, ast.Constant) for side in (node.left, *node.comparators)):
            return node  # such as `x is None`, which means the same for a copy
        if len(node.ops) > 1:
            raise _Refused(f"line {node.lineno}: compare by `is` in an expression of its own")
        same = _call(IS, node.left, node.comparators[0])
        return ast.copy_location(
            same if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(ast.Not(), same), node
        )

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        _check_attribute(node)
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or (node.attr.startswith("__") and node.attr not in CLAIMED):
            return node
        return ast.copy_location(_call(ATTRIBUTE, node.value, ast.Constant(node.attr)), node)

    def visit_Import(self, node: ast.Import) -> ast.AST:
        for alias in node.names:
            _check_import(node, alias.name.partition(".")[0])
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        module = node.module or ""
        _check_import(node, module.partition(".")[0])
        for alias in node.names:
            if alias.name == "*":
                raise _Refused(f"line {node.lineno}: name what is imported from {module}, instead of `*`")
            if alias.name in _INSTEAD:
                raise _Refused(
                    f"line {node.lineno}: `{alias.name}` of copies means nothing; {_INSTEAD[alias.name]}"
                )
        return node


def _check_attribute(node: ast.Attribute) -> None:
    if node.attr in _INSTEAD:
        raise _Refused(f"line {node.lineno}: `.{node.attr}` of a copy means nothing; {_INSTEAD[node.attr]}")


def _check_import(node: ast.Import | ast.ImportFrom, root: str) -> None:
    if isinstance(node, ast.ImportFrom) and node.level:
        raise _Refused(f"line {node.lineno}: a notebook is no package, write the whole name of the module")
    if root in _LOOKS_INSIDE:
        raise _Refused(
            f"line {node.lineno}: `{root}` would look at the judge's own process; "
            "judge what the student's code does"
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
            raise _Refused(
                f"line {node.lineno}: `{REFERENCE}` may be used in hidden tests only; move the line there"
            )


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def _last_step(node: ast.expr) -> list[ast.expr]:
    """Return the last operation of an expression and its operands."""
    match node:
        case ast.Attribute(value=owner, attr=name):
            return [ast.Constant("getattr"), owner, ast.Constant(name)]
        case ast.Subscript(value=owner, slice=key):
            return [ast.Constant("getitem"), owner, key]
        case ast.Call(func=function, args=args, keywords=named):
            keys: list[ast.expr | None] = [
                None if keyword.arg is None else ast.Constant(keyword.arg) for keyword in named
            ]
            given = [ast.Tuple(args, ast.Load()), ast.Dict(keys, [keyword.value for keyword in named])]
            if isinstance(function, ast.Attribute):
                return [ast.Constant("method"), function.value, ast.Constant(function.attr), *given]
            return [ast.Constant("call"), function, *given]
    return [ast.Constant("value"), node]


def _bound_to_ref(tree: ast.Module) -> Iterator[str]:
    """Yield the names that `ref` of the checks is imported as."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == CHECKS:
            yield from (alias.asname or alias.name for alias in node.names if alias.name == "ref")


def _literal_hints(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assert)
            and isinstance(node.msg, ast.Constant)
            and isinstance(node.msg.value, str)
        ):
            yield node.msg.value
