"""Finds which grade cells a change of a solution cell can reach: those that call what was changed.

Until the first call of a function whose body was changed, a process does exactly what it did before. So a
mutant that changes only bodies of functions need not be run on a grade cell that calls none of them, nor does
anything before it. A run of the instructor's solution has recorded these calls, in both modes.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from examiner.gate.stubs import RUNTIME_MODULE
from examiner.judge.locked import free
from examiner.notebook import Cell, without_magics

Body = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
BODIES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _bodies(tree: ast.AST) -> Iterator[Body]:
    """Yield the outermost functions and lambdas, in order; those inside another one belong to it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, BODIES):
            yield node
        else:
            yield from _bodies(node)


def changed(cell: str, old: str, new: str) -> frozenset[str] | None:
    """Return the keys of the functions whose bodies differ, or None if anything else differs.

    Raises
    ------
    SyntaxError
        If one of the texts is not plain Python.
    """
    before, after = ast.parse(old), ast.parse(new)
    one, other = list(_emptied(before)), list(_emptied(after))
    if ast.dump(before) != ast.dump(after):
        return None
    pairs = enumerate(zip(one, other, strict=True))
    return frozenset(_key(cell, number) for number, (a, b) in pairs if a != b)


def _emptied(tree: ast.Module) -> Iterator[str]:
    """Yield each body as text, and replace it in the tree by an empty one."""
    for node in list(_bodies(tree)):
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        yield "\n".join(map(ast.dump, body))
        if isinstance(node, ast.Lambda):
            node.body = ast.Constant(None)
        else:
            node.body = [ast.Pass()]


def watched(cell: str, source: str) -> str:
    """Return the cell with every function decorated, so that it records its calls.

    Raises
    ------
    SyntaxError
        If the cell is not plain Python.
    """
    tree = ast.parse(source)
    keys = {id(node): _key(cell, number) for number, node in enumerate(_bodies(tree))}
    return f"import {RUNTIME_MODULE}\n{ast.unparse(_CallRecording(keys).visit(tree))}"


class _CallRecording(ast.NodeTransformer):
    """Decorates each function to record its calls, below all its other decorators."""

    def __init__(self, keys: Mapping[int, str]) -> None:
        self.keys = keys

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list.append(self._decorator(node))
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list.append(self._decorator(node))
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return ast.Call(self._decorator(node), [node], [])

    def _decorator(self, node: Body) -> ast.expr:
        return ast.parse(f"{RUNTIME_MODULE}.calling({self.keys[id(node)]!r})", mode="eval").body


def _key(cell: str, number: int) -> str:
    return f"{cell}#{number}"


def reached(
    solutions: Mapping[str, str], sources: Mapping[str, str], called: Mapping[str, frozenset[str]]
) -> frozenset[str] | None:
    """Return the grade cells that new sources of solution cells can reach, or None for all of them.

    Parameters
    ----------
    solutions, sources : mapping from str to str
        The sources of the instructor's solution cells, and the new sources of some, by grade_id.
    called : mapping from str to frozenset of str
        For each grade cell, the keys of the functions that had been called when it ended.
    """
    keys = set[str]()
    for cell, source in sources.items():
        try:
            differ = changed(cell, solutions[cell], source)
        except SyntaxError:
            return None
        if differ is None:
            return None
        keys |= differ
    return frozenset(cell for cell, names in called.items() if keys & names)


def demonstrations(cells: Sequence[Cell]) -> Iterator[int]:
    """Yield the indices of demonstrations: cells that only show something, and bind no name that is needed.

    They are neither solution nor grade cells, and assign to attributes and items of no object but their own.
    Whether a call in them has side effects cannot be seen here, so the gate also runs the solution without
    them.
    """
    trees = []
    imported: set[str] = set()
    for cell in cells:
        tree = _parsed(cell)
        if tree is not None:
            own = dict(_imports(tree))
            known = {name for name, text in own.items() if text in imported}
            trees.append((cell, tree, _bound(tree) - known))
            imported |= set(own.values())
    used = set[str]()
    for cell, tree, binds in reversed(trees):
        is_plain = not (cell.is_solution or cell.is_grade)
        if is_plain and not binds & used and not _changes_others(tree):
            yield cell.index
        else:
            used |= free(tree)


def _parsed(cell: Cell) -> ast.Module | None:
    """Return the syntax tree of a code cell without its magics, or None if there is none."""
    try:
        return ast.parse(without_magics(cell.source)) if cell.is_code else None
    except SyntaxError:
        return None


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that imports bind, each with a text that tells what it is bound to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", "")
            for alias in node.names:
                name = (alias.asname or alias.name).partition(".")[0]
                yield name, f"{name} is {module}:{alias.name}"


def _bound(tree: ast.AST) -> set[str]:
    """Return the names that a cell binds: by assignment, definition or import."""
    stores = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    named = {n.name for n in ast.walk(tree) if isinstance(n, definitions)}
    return stores | named | {name for name, _ in _imports(tree)}


def _changes_others(tree: ast.AST) -> bool:
    """Whether a cell assigns to an attribute or an item of what it does not bind itself, or imports `*`."""
    own = _bound(tree) - {name for name, _ in _imports(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.alias) and node.name == "*":
            return True
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            root: ast.AST = node
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if not (isinstance(root, ast.Name) and root.id in own):
                return True
    return False
