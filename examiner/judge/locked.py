"""What the locked cells before a grade cell compute without a student's code, and so is the judge's.

A statement of a locked cell is taken whole if every name that it loads is that of a builtin or of one of our
modules, or bound by such a statement. Whatever a student rebinds later, a grade cell sees what these
statements gave. A function or class of a locked cell is the judge's in any case; where it uses a student's
name, it gets a proxy of the student's object.

A statement may change what earlier ones have made: all that are about the same data are taken together, in
their order. The global generators of random numbers count as data, too.
"""

import ast
import builtins
import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from symtable import SymbolTable, symtable
from typing import Final

from examiner.notebook import CHECKS, Cell, without_magics

DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
# Modules that are bound to the snapshot of one cell: what uses them is run for each cell anew.
OF_A_CELL: Final = frozenset({CHECKS, "inspect"})
# Builtins that read names or text that no analysis sees, or wait for somebody.
_OPAQUE: Final = frozenset(
    {
        "__import__",
        "breakpoint",
        "compile",
        "eval",
        "exec",
        "exit",
        "globals",
        "input",
        "locals",
        "quit",
        "vars",
    }
)
_SAFE_BUILTINS: Final = frozenset(vars(builtins)) - _OPAQUE
_BRANCHING: Final = (ast.If, ast.While, ast.Try, ast.TryStar, ast.Match, ast.For, ast.With)
_GENERATORS: Final = "<the global generators>"
# Methods of containers and arrays that change them.
MUTATING: Final = frozenset(
    {"add", "append", "appendleft", "byteswap", "clear", "difference_update", "discard", "extend"}
    | {"extendleft", "fill", "insert", "intersection_update", "move_to_end", "partition", "pop", "popitem"}
    | {"popleft", "put", "remove", "resize", "reverse", "rotate", "setdefault", "setfield", "setflags"}
    | {"shuffle", "sort", "subtract", "symmetric_difference_update", "update"}
)


@dataclass(frozen=True)
class Statement:
    """A statement of a locked cell.

    Parameters
    ----------
    binds : frozenset of str
        The names that it binds in the notebook.
    loads : frozenset of str
        The names that it uses.
    data : frozenset of str
        The data among them that it may read or change, through the functions that it calls, too.
    is_of_a_cell : bool
        Whether it needs what each grade cell has anew, such as `rng` of the checks.
    """

    node: ast.stmt
    binds: frozenset[str]
    loads: frozenset[str]
    data: frozenset[str] = frozenset()
    is_of_a_cell: bool = False

    @property
    def is_definition(self) -> bool:
        """Whether it is a function or a class, which does nothing before it is used."""
        return isinstance(self.node, DEFINITION)


@dataclass(frozen=True)
class NamesRead:
    """The names of the notebook that functions of the instructor's solution read when they are called.

    Parameters
    ----------
    names : frozenset of str
    bound : frozenset of str
        The names that cells bind which are no grade cells.
    imported : frozenset of (str, str)
        The imports of these cells: the name that each binds, and its text.
    """

    names: frozenset[str]
    bound: frozenset[str]
    imported: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> "NamesRead":
        """Return what the cells of an instructor's notebook tell."""
        plain = [cell for cell in cells if cell.is_code and not cell.is_autograded]
        solutions = [without_magics(cell.source) for cell in plain if cell.is_solution]
        statements = [statement for cell in plain for statement in _statements(cell)]
        return cls(
            names=frozenset(name for source in solutions for name in _read_in_functions(source)),
            bound=frozenset(name for statement in statements for name in bound(statement)),
            imported=frozenset(pair for statement in statements for pair in imports(statement)),
        )

    def given_by(self, statement: ast.stmt) -> set[str]:
        """Return those of them that a statement binds or changes, unless it only imports them again."""
        if isinstance(statement, ast.Import | ast.ImportFrom):
            new = _imports_of(statement) - self.imported
            return {name for name, _ in new} & self.names
        return {*bound(statement), *changed(statement)} & self.names


class LockedCode:
    """The statements of the cells so far that need nothing of a student, and the names that are the judge's.

    Parameters
    ----------
    ours : frozenset of str
        The modules that are the judge's own.
    """

    def __init__(self, ours: frozenset[str]) -> None:
        self._ours = ours
        self.statements: list[Statement] = []
        self._bound_by: dict[str, Statement] = {}
        self._foreign: set[str] = set()
        self._drawing: set[str] = set()

    def add(self, source: str, *, is_locked: bool, first: int = 1) -> None:
        """Add a cell: its imports of our modules, and all that needs nothing of a student if it is locked.

        `first` is the number that its first line has among those of the notebook.
        """
        try:
            tree = ast.parse(source)
        except SyntaxError:  # the cell fails in the student's process as well, with the same error
            return
        ast.increment_lineno(tree, first - 1)
        for statement in tree.body:
            if is_locked or isinstance(statement, ast.Import | ast.ImportFrom):
                self.take(statement)
            else:
                self._leave(statement)

    def take(self, node: ast.stmt) -> None:
        """Add a statement of a locked cell, or leave what it binds to the candidate."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            for single, name, is_ours in _single_imports(node, self._ours):
                self._bind(Statement(single, frozenset({name}), frozenset())) if is_ours else self._lose(
                    {name}
                )
            return
        binds, loads = frozenset(bound(node)), frozenset(free(ast.Module([node], [])))
        if isinstance(node, DEFINITION):
            self._bind(Statement(node, binds, loads))
            return
        binds |= self._bound_through(loads)
        if (isinstance(node, ast.Delete) and binds) or not self._needs_only_ours(node, binds, loads):
            self._leave(node)
        elif _does_something(node):
            reached = self._reached(loads)
            of_a_cell = any(self._is_of_a_cell(name) for name in reached)
            data = {n for n in reached | binds if not self._is_code(n)}
            if self._draws(node) or reached & self._drawing:
                data.add(_GENERATORS)
            if binds or not of_a_cell:  # a check in a locked cell binds nothing; it is for students
                self._bind(Statement(node, binds, loads, frozenset(data), of_a_cell))

    def owns(self, name: str) -> bool:
        """Whether a name is the judge's."""
        return name in self._bound_by

    def computed(self) -> frozenset[str]:
        """Return the names that were bound without the student's code."""
        return frozenset(name for name, statement in self._bound_by.items() if not self._is_late(statement))

    def early(self) -> list[ast.stmt]:
        """Return copies of all statements that are run once for all submissions."""
        return [copy.deepcopy(s.node) for s in self.statements if not self._is_late(s)]

    def needed(self, names: set[str]) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Return copies of the statements that give these names: the notebook's, then those of each cell."""
        wanted, chosen = {name for name in names if self.owns(name)}, set[int]()
        found = True
        while found:
            more = {
                i for i, s in enumerate(self.statements) if i not in chosen and (s.binds | s.data) & wanted
            }
            for i in more:
                wanted |= self.statements[i].loads | self.statements[i].data
            found, chosen = bool(more), chosen | more
        statements = [self.statements[i] for i in sorted(chosen)]
        early = [copy.deepcopy(s.node) for s in statements if not self._is_late(s)]
        return early, [copy.deepcopy(s.node) for s in statements if self._is_late(s)]

    def _is_late(self, statement: Statement) -> bool:
        """Whether a statement needs a grade cell's own checks, or a student's names."""
        if not statement.is_definition:
            return statement.is_of_a_cell or self._imports_of_a_cell(statement)
        reached = self._reached(statement.loads)
        is_pure = all(name in self._bound_by or name in _SAFE_BUILTINS for name in reached)
        return not is_pure or any(self._is_of_a_cell(name) for name in reached)

    def _needs_only_ours(self, node: ast.stmt, binds: frozenset[str], loads: frozenset[str]) -> bool:
        # A branch may bind a name that it loads; unless somebody else has bound that before, it is its own.
        own = binds - self._foreign - self._bound_by.keys()
        reached = self._reached(loads - own)
        imported = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
        return all(
            name in own or self.owns(name) or (name in _SAFE_BUILTINS and name not in self._foreign)
            for name in reached
        ) and all(is_ours for n in imported for _, _, is_ours in _single_imports(n, self._ours - OF_A_CELL))

    def _reached(self, names: Iterable[str]) -> set[str]:
        """Return these names, and those that the functions and classes among them use in their turn."""
        reached, left = set[str](), set(names)
        while left:
            name = left.pop()
            reached.add(name)
            statement = self._bound_by.get(name)
            if statement and statement.is_definition:
                left |= statement.loads - reached
        return reached

    def _bound_through(self, loads: frozenset[str]) -> set[str]:
        """Return the names that functions bind which a statement may call: those they declare `global`."""
        reached = [self._bound_by[name] for name in self._reached(loads) if name in self._bound_by]
        functions = [_table(statement.node) for statement in reached if statement.is_definition]
        return {name for function in functions for name in _declared_global(function)}

    def _is_code(self, name: str) -> bool:
        """Whether a name is a module's, a definition's or a builtin's: what uses it does not change it."""
        statement = self._bound_by.get(name)
        if statement is None:
            return name in _SAFE_BUILTINS
        return isinstance(statement.node, DEFINITION | ast.Import | ast.ImportFrom)

    def _is_of_a_cell(self, name: str) -> bool:
        statement = self._bound_by.get(name)
        return statement is not None and (statement.is_of_a_cell or self._imports_of_a_cell(statement))

    @staticmethod
    def _imports_of_a_cell(statement: Statement) -> bool:
        match statement.node:
            case ast.Import(names=[ast.alias(name=module)]) | ast.ImportFrom(module=str(module)):
                return module.partition(".")[0] in OF_A_CELL
        return False

    def _draws(self, node: ast.stmt) -> bool:
        """Whether a statement names a function of the global generators."""
        return any(
            isinstance(n, ast.Attribute)
            and not (n.attr == "default_rng" or n.attr[0].isupper())
            and (
                (isinstance(n.value, ast.Attribute) and n.value.attr == "random")
                or (isinstance(n.value, ast.Name) and n.value.id == "random")
            )
            for n in ast.walk(node)
        )

    def _bind(self, statement: Statement) -> None:
        if len(statement.binds) == 1:  # a definition that is replaced, and that nothing could use so far
            self.statements = [
                s
                for s in self.statements
                if not (s.binds == statement.binds and s.is_definition and self._is_late(s))
            ]
        self.statements.append(statement)
        for name in statement.binds:
            self._bound_by[name] = statement
            self._foreign.discard(name)
        is_drawing = self._draws(statement.node) or bool(self._reached(statement.loads) & self._drawing)
        from_random = isinstance(statement.node, ast.ImportFrom) and "random" in (statement.node.module or "")
        if from_random or (statement.is_definition and is_drawing):
            self._drawing |= statement.binds

    def _leave(self, node: ast.stmt) -> None:
        """Leave to the candidate what a statement binds, fills or deletes."""
        self._lose(set(bound(node)) | set(changed(node)))

    def _lose(self, names: set[str]) -> None:
        for name in names:
            self._bound_by.pop(name, None)
        self._foreign |= names


def _single_imports(
    node: ast.Import | ast.ImportFrom, ours: frozenset[str]
) -> Iterator[tuple[ast.stmt, str, bool]]:
    """Yield an import of each name by itself, the name that it binds, and whether the module is ours."""
    for alias in node.names:
        single: ast.stmt
        if isinstance(node, ast.Import):
            single, module = ast.Import([alias]), alias.name
            name = alias.asname or alias.name.partition(".")[0]
        else:
            single, module = ast.ImportFrom(node.module, [alias], node.level), node.module or ""
            name = alias.asname or alias.name
        ast.copy_location(single, node)
        is_ours = module.partition(".")[0] in ours and alias.name != "*" and not getattr(node, "level", 0)
        yield single, name, is_ours


def _statements(cell: Cell) -> list[ast.stmt]:
    try:
        return ast.parse(without_magics(cell.source)).body
    except SyntaxError:
        return []


def imports(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield the names that a statement imports anywhere, each with the text of its import."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imports_of(node)


def _imports_of(node: ast.Import | ast.ImportFrom) -> set[tuple[str, str]]:
    return {(name, ast.unparse(single)) for single, name, _ in _single_imports(node, frozenset())}


def _does_something(node: ast.stmt) -> bool:
    """Whether a statement can bind or change anything; `del x` and a bare name need not be repeated."""
    if isinstance(node, ast.Expr):
        return any(isinstance(n, ast.Call | ast.NamedExpr | ast.Await) for n in ast.walk(node))
    return not isinstance(node, ast.Pass | ast.Assert)


def bound(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds or deletes in the notebook."""
    for symbol in _table(node).get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            yield symbol.get_name()


def changed(node: ast.stmt) -> Iterator[str]:
    """Yield the names of the objects that a statement writes into: `a[0] = 1`, `a.x += 1`, `a.append(1)`."""
    for n in ast.walk(node):
        match n:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield from root(n)
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name) as method)) if name in MUTATING:
                yield from root(method)


def _declared_global(scope: SymbolTable) -> Iterator[str]:
    """Yield the names that functions of a scope declare `global` and bind."""
    for inner in scope.get_children():
        for symbol in inner.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                yield symbol.get_name()
        yield from _declared_global(inner)


def root(node: ast.expr) -> Iterator[str]:
    """Yield the name at the beginning of `name.x[0].y`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _table(node: ast.stmt) -> SymbolTable:
    return symtable(ast.unparse(node), "<statement>", "exec")


def free(tree: ast.Module) -> set[str]:
    """Return the names of the notebook that some statements use before they bind them themselves."""
    return _unbound(tree.body, set()) & set(_of_the_notebook(symtable(ast.unparse(tree), "<cell>", "exec")))


def read_first(tree: ast.Module) -> set[str]:
    """Return the names of the notebook that some statements use and surely have not bound before.

    What a branch binds and uses is taken to be its own; `free` takes it to be another's.
    """
    found, bound_so_far = set[str](), set[str]()
    for statement in tree.body:
        names = _loaded(statement) & set(_of_the_notebook(_table(statement)))
        if isinstance(statement, _BRANCHING):
            names -= {*bound(statement)}
        found |= names - bound_so_far
        bound_so_far |= {*bound(statement)}
    return found


def _read_in_functions(source: str) -> Iterator[str]:
    """Yield the names of the notebook that the functions and classes of a cell read."""
    try:
        cell = symtable(source, "<cell>", "exec")
    except SyntaxError:
        return
    for inner in cell.get_children():
        yield from _of_the_notebook(inner)


def _of_the_notebook(scope: SymbolTable) -> Iterator[str]:
    """Yield the names that any scope of a cell looks up among the notebook's globals."""
    is_top = scope.get_type() == "module"
    yield from (symbol.get_name() for symbol in scope.get_symbols() if is_top or symbol.is_global())
    for inner in scope.get_children():
        yield from _of_the_notebook(inner)


def _unbound(statements: Iterable[ast.stmt], bound_so_far: set[str]) -> set[str]:
    """Return the names that are loaded before any statement stores them; add to the set what is stored."""
    found = set[str]()
    for statement in statements:
        match statement:
            case ast.For(target=target, iter=iterable, body=body, orelse=otherwise):
                found |= _loaded(iterable) - bound_so_far
                bound_so_far |= _stored(target)
                found |= _unbound([*body, *otherwise], bound_so_far)
            case ast.With(items=items, body=body):
                for item in items:
                    found |= _loaded(item.context_expr) - bound_so_far
                    bound_so_far |= _stored(item)
                found |= _unbound(body, bound_so_far)
            case ast.If() | ast.While() | ast.Try() | ast.TryStar() | ast.Match():  # a branch may not run
                found |= _loaded(statement) - bound_so_far
            case _:
                found |= _loaded(statement) - bound_so_far
                bound_so_far |= _names(statement)
    return found


def _loaded(tree: ast.AST) -> set[str]:
    loads = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Store)}
    augmented = (n.target for n in ast.walk(tree) if isinstance(n, ast.AugAssign))
    return loads | {target.id for target in augmented if isinstance(target, ast.Name)}


def _stored(tree: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, DEFINITION):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    return _stored(statement)
