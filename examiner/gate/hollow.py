"""Hollow stubs: from a cell's first measurement on, their answers have the right shape and are all zeros.

A cell that measures time or memory has to look at the values of the answers as well, or code that computes
nothing gets its points. Students can tell large inputs that are measured from small ones that they have seen:
so up to the first measurement a hollow stub answers rightly, and only what follows has to find it out.
"""

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from examiner.gate.stubs import ARITHMETIC, RUNTIME_MODULE, Definition, definitions
from examiner.judge.compile import MEASURING_CHECKS
from examiner.notebook import CHECKS

FIGURES: Final = MEASURING_CHECKS | {"quality"}
BEGIN: Final = f"__import__({RUNTIME_MODULE!r}).begin_measuring()"
ZEROS: Final = "zeros while measured"
EMPTIED: Final = "an object of zeros while measured"


@dataclass(frozen=True)
class HollowStub:
    """A function that returns zeros, or a class whose objects hold zeros, while a cell measures.

    Parameters
    ----------
    cell, name : str
        The solution cell, and the qualified name of the function or class in it.
    kind : str
        `ZEROS` or `EMPTIED`.
    source : str
        The source of its cell.
    silenced : str
        The source of its cell in which the bodies that the stub changes do nothing.
    """

    cell: str
    name: str
    kind: str
    source: str
    silenced: str

    @property
    def key(self) -> str:
        """A name that is unique in the notebook."""
        return f"{self.cell}:{self.name} is {self.kind}"

    @property
    def what(self) -> str:
        """What the stub does, in words."""
        return f"{self.name} {'returns' if self.kind == ZEROS else 'makes'} {self.kind}"

    def matters(self, differed: Mapping[str, Collection[str]]) -> bool:
        """Whether a run of the solution had anything else there, by its record of differences."""
        return self.kind in differed.get(f"{self.cell}:{self.name}", ())


def stubs(cell: str, source: str) -> Iterator[HollowStub]:
    """Yield the hollow stubs of a solution cell.

    Raises
    ------
    SyntaxError
        If the cell is not plain Python.
    """
    tree = ast.parse(source)
    for name in dict.fromkeys(name for name, _ in definitions(tree)):
        yield _stub(cell, source, name, ZEROS, "zeros_while_measured")
    for name, _ in _classes(tree):
        yield _stub(cell, source, name, EMPTIED, "emptied_while_measured")


def observed(cell: str, source: str) -> str:
    """Return the cell with its classes decorated to record whether their objects hold anything but zeros."""
    tree = ast.parse(source)
    for name, node in _classes(tree):
        for method in _methods(node):
            _decorate(method, f"holding({f'{cell}:{name}'!r})")
    return _with_runtime(tree)


def measures(source: str) -> bool:
    """Whether a grade cell holds a figure against a threshold."""
    return _first_measurement(source) is not None


def marked(source: str) -> str:
    """Return a grade cell that tells hollow stubs where it begins to measure, or another cell as it is."""
    line = _first_measurement(source)
    if line is None:
        return source
    lines = source.split("\n")
    return "\n".join([*lines[: line - 1], BEGIN, *lines[line - 1 :]])


def _first_measurement(source: str) -> int | None:
    """Return the line of the first statement that measures, directly or by a function of the cell."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    names = {name for name in _imported_checks(tree) if name in FIGURES}
    for statement in tree.body:
        if names.isdisjoint(_called(statement)):
            continue
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            return statement.lineno
        names.add(statement.name)
    return None


def _imported_checks(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == CHECKS:
            yield from (alias.name for alias in node.names)


def _called(tree: ast.AST) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.id for function in calls if isinstance(function, ast.Name)}


def _stub(cell: str, source: str, name: str, kind: str, decorator: str) -> HollowStub:
    tree, silenced = ast.parse(source), ast.parse(source)
    for node in _changed(tree, name, kind):
        _decorate(node, decorator)
    for node in _changed(silenced, name, kind):
        node.body = [ast.Pass()]
    return HollowStub(cell, name, kind, _with_runtime(tree), ast.unparse(silenced))


def _changed(tree: ast.Module, name: str, kind: str) -> list[Definition]:
    """Return the functions that a stub changes: the one of that name, or all methods of that class."""
    if kind == ZEROS:
        return [node for known, node in definitions(tree) if known == name]
    return [method for known, node in _classes(tree) if known == name for method in _methods(node)]


def _classes(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield the public classes by their qualified names, but none defined inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            yield from _classes(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.stmt) and not isinstance(node, Definition):
            yield from _classes(node, prefix)


def _methods(node: ast.ClassDef) -> Iterator[Definition]:
    """Yield the methods that may put something into an object: the constructor and all public ones."""
    for method in node.body:
        if isinstance(method, Definition):
            name = method.name
            if name == "__init__" or name in ARITHMETIC or not name.startswith("_"):
                yield method


def _decorate(node: Definition, decorator: str) -> None:
    """Put a decorator next to the function, below `@property` and its like."""
    node.decorator_list.append(ast.parse(f"{RUNTIME_MODULE}.{decorator}", mode="eval").body)


def _with_runtime(tree: ast.Module) -> str:
    return f"import {RUNTIME_MODULE}\n{ast.unparse(tree)}"
