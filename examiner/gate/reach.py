"""Which grade cells a change of a solution cell can reach: those that call what was changed.

Until the first call of a function whose body was changed, a process does exactly what it did before. So a
mutant that changes bodies alone need not be tried on cells whose run never calls one of them: the
instructor's solution has been watched in them, in both modes, with all that ran before.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from examiner.gate.stubs import RUNTIME_MODULE
from examiner.judge.compile import free, without_magics
from examiner.notebook import Cell

Body = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
BODIES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _bodies(tree: ast.AST) -> Iterator[Body]:
    """Yield the outermost functions and lambdas, in order; what stands within them belongs to them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, BODIES):
            yield node
        else:
            yield from _bodies(node)


def changed(cell: str, old: str, new: str) -> frozenset[str] | None:
    """Return the keys of the functions that differ, or None if more than bodies of functions does.

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
    """Yield the text of each body, and leave the tree without it."""
    for node in list(_bodies(tree)):
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        yield "\n".join(map(ast.dump, body))
        if isinstance(node, ast.Lambda):
            node.body = ast.Constant(None)
        else:
            node.body = [ast.Pass()]


def watched(cell: str, source: str) -> str:
    """Return the cell with every function noting that it is called.

    Raises
    ------
    SyntaxError
        If the cell is not plain Python.
    """
    tree = ast.parse(source)
    keys = {id(node): _key(cell, number) for number, node in enumerate(_bodies(tree))}
    return f"import {RUNTIME_MODULE}\n{ast.unparse(_Watching(keys).visit(tree))}"


class _Watching(ast.NodeTransformer):
    """Puts the note next to each function, below all other decorators."""

    def __init__(self, keys: Mapping[int, str]) -> None:
        self.keys = keys

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list.append(self._noting(node))
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list.append(self._noting(node))
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return ast.Call(self._noting(node), [node], [])

    def _noting(self, node: Body) -> ast.expr:
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
        The instructor's solution cells and the new texts of some, by grade_id.
    called : mapping from str to frozenset of str
        For each grade cell, what had been called when it ended.
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
    """Yield the places of the cells that only show something: nothing that they bind is used by a later one.

    They neither solve nor test, and change by attributes and items nothing but what they have made. What a
    call in them changes inside cannot be seen from here: the solution is tried without them, too.
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
        if is_plain and not binds & used and not _changes_something(tree):
            yield cell.index
        else:
            used |= free(tree)


def _parsed(cell: Cell) -> ast.Module | None:
    """Return a cell's code, in which a line of IPython's changes and uses nothing."""
    try:
        return ast.parse(without_magics(cell.source)) if cell.is_code else None
    except SyntaxError:
        return None


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that are bound by imports, and what each is then."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", "")
            for alias in node.names:
                name = (alias.asname or alias.name).partition(".")[0]
                yield name, f"{name} is {module}:{alias.name}"


def _bound(tree: ast.AST) -> set[str]:
    stores = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    named = {n.name for n in ast.walk(tree) if isinstance(n, definitions)}
    return stores | named | {name for name, _ in _imports(tree)}


def _changes_something(tree: ast.AST) -> bool:
    """Whether it writes to an attribute or an item of what it has not made itself, or imports `*`."""
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
