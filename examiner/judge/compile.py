"""Compiles grade cells for the examiner to run: once for an assignment, not for each student.

The author writes a grade cell as for any notebook, but here the values that it sees are copies from another
process, so some expressions are rewritten: `ref(x.data)` leaves the array with the candidate; `is`, `type(x)`
and `id(x)` become calls that refuse what a copy cannot answer; a method of a student's object is called in
one request. What a copy can never answer is the author's error, reported before any student is graded.

Cells before a grade cell run on both sides, as far as it uses them: the imports of NumPy, of the checks and
of the standard library are repeated here, and so are the functions and constants of locked cells.
"""

import ast
import builtins
import copy
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from symtable import SymbolTable, symtable
from types import CodeType
from typing import Final

from examiner.model import Mode
from examiner.notebook import CHECKS, REFERENCE, Cell, Region, hidden_regions

LOCKED: Final = "<locked cells>"  # the name of their code in a traceback
MEASURING_CHECKS: Final = frozenset({"speed", "growth", "break_even", "memory", "held"})
OURS: Final = frozenset({"numpy", CHECKS, *sys.stdlib_module_names})

# The names under which rewritten cells find the functions of their `Namespace`.
BY_REF, METHOD, IS, TYPE, ID = "__by_ref__", "__method__", "__is__", "__type__", "__id__"

_MEMORY: Final = "memory is judged by behaviour: write through one ref(…), read through the other by value(…)"
_INSTEAD: Final = {
    "shares_memory": _MEMORY,
    "may_share_memory": _MEMORY,
    "flags": _MEMORY,
    "__array_interface__": _MEMORY,
    "__class__": "write isinstance(x, Class)",
    "__dict__": "ask for single attributes",
}
_LOOKS_INSIDE: Final = frozenset({"gc", "inspect", "resource", "tracemalloc", "weakref"})
_PURE: Final = frozenset(
    {"abs", "bool", "dict", "float", "frozenset", "int", "len", "list", "max", "min", "range", "round", "set"}
    | {"sorted", "str", "sum", "tuple", "zip"}
)


@dataclass(frozen=True)
class GradeCell:
    """One grade cell, compiled.

    Attributes
    ----------
    prelude, body, last
        The code to run, in this order; `last` gives the value of the cell, if it ends in an expression.
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
    refusal
        Why the cell cannot be run; empty if it can.
    """

    grade_id: str
    points: float
    mode: Mode
    source: str
    prelude: CodeType | None = None
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

    @property
    def file(self) -> str:
        """The name of its code in a traceback."""
        return f"<{self.grade_id}>"


class _Refused(Exception):  # noqa: N818 - it is caught in this module, and never reported as an error
    """A cell uses something that means nothing for copies of values."""


def prepare(cells: Sequence[Cell], modes: Mapping[str, Mode] | None = None) -> tuple[GradeCell, ...]:
    """Return the grade cells of an instructor's notebook, ready to run.

    Parameters
    ----------
    cells : sequence of Cell
        All cells of the notebook, in order.
    modes : mapping of str to Mode, optional
        By grade_id, for cells that are not examined.
    """
    modes, earlier, prepared = modes or {}, _EarlierCells(), []
    for cell in cells:
        if cell.is_autograded:
            prepared.append(_grade_cell(cell, modes.get(cell.grade_id, Mode.EXAMINED), earlier))
        elif cell.is_code:
            earlier.add(cell, keeps_definitions=cell.is_locked)
    return tuple(prepared)


def _grade_cell(cell: Cell, mode: Mode, earlier: "_EarlierCells") -> GradeCell:
    if mode is not Mode.EXAMINED:
        return GradeCell(cell.grade_id, cell.points, mode, cell.source)
    try:
        return _compiled(cell, earlier)
    except (_Refused, SyntaxError, ValueError) as error:
        fact = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        return GradeCell(cell.grade_id, cell.points, mode, cell.source, refusal=fact)


def _compiled(cell: Cell, earlier: "_EarlierCells") -> GradeCell:
    hidden, tree = hidden_regions(cell.source), ast.parse(cell.source)
    _check_reference(tree, hidden)
    needed = list(earlier.needed(free(tree)))
    prelude, wanted = ast.Module(needed, []), free(ast.Module([*needed, *tree.body], []))
    measures = not MEASURING_CHECKS.isdisjoint(_imported_checks(ast.Module([*needed, *tree.body], [])))
    definitions = _definitions([*needed, *tree.body]) if measures else ""
    whole = ast.Module([*needed, *tree.body], [])
    texts, imports = frozenset(_texts(whole)), frozenset(_imported_modules(whole))
    refs, hints = set(_bound_to_ref(ast.Module([*needed, *tree.body], []))), frozenset(_literal_hints(tree))
    for module in (prelude, tree):
        _Rewriting(refs).visit(module)
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
        prelude=compile(prelude, LOCKED, "exec") if needed else None,
        body=compile(tree, file, "exec"),
        last=last,
        wanted=tuple(sorted(wanted - vars(builtins).keys() - {REFERENCE})),
        hints=hints,
        texts=texts,
        imports=imports,
        hidden=hidden,
        definitions=definitions,
        measures=measures,
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


def _definitions(statements: Iterable[ast.stmt]) -> str:
    """Return the source text of the statements that import our modules or define functions or constants."""
    own = _EarlierCells()
    for statement in statements:
        own.take(statement)
    return "\n".join(ast.unparse(statement) for statement, _ in own.statements)


class _Rewriting(ast.NodeTransformer):
    """Rewrites `ref(…)`, `is`, `type(x)`, `id(x)` and method calls; refuses what means nothing for copies."""

    def __init__(self, refs: set[str]) -> None:
        self.refs = refs

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func.id if isinstance(node.func, ast.Name) and len(node.args) == 1 else ""
        if function in self.refs and not node.keywords:
            self.generic_visit(node.args[0])  # its operands only: the last operation is done by reference
            return ast.copy_location(_call(BY_REF, *_last_step(node.args[0])), node)
        self.generic_visit(node)
        if function in {"type", "id"} and not node.keywords:
            return ast.copy_location(_call(TYPE if function == "type" else ID, *node.args), node)
        if isinstance(node.func, ast.Attribute) and not node.func.attr.startswith("__"):
            method = _call(METHOD, node.func.value, ast.Constant(node.func.attr), *node.args)
            method.keywords = node.keywords
            return ast.copy_location(method, node)  # one request instead of two, if the object is a student's
        return node

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
        if node.attr in _INSTEAD:
            raise _Refused(
                f"line {node.lineno}: `.{node.attr}` of a copy means nothing; {_INSTEAD[node.attr]}"
            )
        return self.generic_visit(node)

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


def free(tree: ast.Module) -> set[str]:
    """Return the names of the notebook that a cell uses before it binds them itself."""
    return _unbound(tree.body, set()) & set(_of_the_notebook(symtable(ast.unparse(tree), "<cell>", "exec")))


def _of_the_notebook(scope: SymbolTable) -> Iterator[str]:
    """Yield the names that any scope of a cell looks up among the notebook's globals."""
    is_top = scope.get_type() == "module"
    yield from (symbol.get_name() for symbol in scope.get_symbols() if is_top or symbol.is_global())
    for inner in scope.get_children():
        yield from _of_the_notebook(inner)


def _unbound(statements: Iterable[ast.stmt], bound: set[str]) -> set[str]:
    """Return the names that are loaded before any statement stores them; add to `bound` what is stored."""
    free = set[str]()
    for statement in statements:
        match statement:
            case ast.For(target=target, iter=iterable, body=body, orelse=otherwise):
                free |= _loaded(iterable) - bound
                bound |= _stored(target)
                free |= _unbound([*body, *otherwise], bound)
            case ast.With(items=items, body=body):
                for item in items:
                    free |= _loaded(item.context_expr) - bound
                    bound |= _stored(item)
                free |= _unbound(body, bound)
            case ast.If() | ast.While() | ast.Try() | ast.Match():  # their branches may not run
                free |= _loaded(statement) - bound
            case _:
                free |= _loaded(statement) - bound
                bound |= _bound(statement)
    return free


def _loaded(tree: ast.AST) -> set[str]:
    loads = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Store)}
    changed = (n.target for n in ast.walk(tree) if isinstance(n, ast.AugAssign))
    return loads | {target.id for target in changed if isinstance(target, ast.Name)}


def _stored(tree: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


class _EarlierCells:
    """What the cells before a grade cell define without the student's code."""

    def __init__(self) -> None:
        self.statements: list[tuple[ast.stmt, frozenset[str]]] = []
        self.modules: set[str] = set()
        self.constants: set[str] = set()

    def add(self, cell: Cell, *, keeps_definitions: bool) -> None:
        """Add a cell: its imports of our modules, and its functions and constants if `keeps_definitions`."""
        try:
            tree = ast.parse(without_magics(cell.source))
        except SyntaxError:  # the cell fails in the student's process as well, with the same error
            return
        for statement in tree.body:
            if keeps_definitions or isinstance(statement, ast.Import | ast.ImportFrom):
                self.take(statement)
            else:
                self._forget(_bound(statement))

    def take(self, statement: ast.stmt) -> None:
        """Add an import of our modules or a definition; the candidate has the names of other statements."""
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self._add_import(statement)
        else:
            self._add_definition(statement)

    def needed(self, names: set[str]) -> Iterator[ast.stmt]:
        """Yield, in order, the statements that bind these names, and what those use in their turn."""
        chosen = []
        for statement, bound in reversed(self.statements):
            if bound & names:
                chosen.append(statement)
                names = (names - bound) | _loaded(statement)
        # These are copies, since each grade cell rewrites its own.
        yield from (copy.deepcopy(statement) for statement in reversed(chosen))

    def _add_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            module = alias.name if isinstance(statement, ast.Import) else statement.module or ""
            if module.partition(".")[0] not in OURS or alias.name == "*":
                continue
            single: ast.stmt = (
                ast.Import([alias])
                if isinstance(statement, ast.Import)
                else ast.ImportFrom(statement.module, [alias], 0)
            )
            name = alias.asname or alias.name.partition(".")[0]
            self.modules.add(name)
            self.statements.append((single, frozenset({name})))

    def _add_definition(self, statement: ast.stmt) -> None:
        bound = _bound(statement)
        self._forget(bound)
        is_constant = isinstance(statement, ast.Assign | ast.AnnAssign) and self._is_constant(statement.value)
        if is_constant:
            self.constants |= bound
        if is_constant or isinstance(statement, ast.FunctionDef | ast.ClassDef):
            self.statements.append((statement, frozenset(bound)))

    def _forget(self, names: set[str]) -> None:
        """Leave the names that a later cell binds to the candidate; names of our modules stay."""
        names = names - self.modules
        self.constants -= names
        self.statements = [(s, bound) for s, bound in self.statements if not bound & names]

    def _is_constant(self, value: ast.expr | None) -> bool:
        """Whether an expression consists of literals, our modules, and constants before it."""
        if value is None or isinstance(value, ast.Lambda):
            return value is not None
        known = self.modules | self.constants | _stored(value) | _PURE | {"True", "False", "None"}
        calls = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
        are_pure = all(
            isinstance(f, ast.Attribute) or (isinstance(f, ast.Name) and f.id in _PURE) for f in calls
        )
        return _loaded(value) <= known and are_pure


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds in the notebook."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    return _stored(statement)


def without_magics(source: str) -> str:
    """Return a cell's source with an empty line for each magic or shell command of IPython."""
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n"))
