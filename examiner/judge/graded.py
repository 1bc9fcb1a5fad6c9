"""What earlier grade cells bind, so that later ones find it, as in a notebook.

Only what gives a name is done again: the statement that bound it last, those that have changed it since, and
what these need in their turn. It is done for each later cell anew: what a cell has taken from a student
could have been replaced meanwhile, had the student's process kept it.
"""

import ast
import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from examiner.judge.locked import DEFINITION, bound, changed, free, root

# Statements that may leave a name as it was.
_UNSURE: Final = (ast.AugAssign, ast.If, ast.For, ast.While, ast.Try, ast.TryStar, ast.Match)


@dataclass(frozen=True)
class _Statement:
    node: ast.stmt
    binds: frozenset[str]
    changes: frozenset[str]
    loads: frozenset[str]

    @property
    def is_sure(self) -> bool:
        """Whether it binds its names whatever happens, and without what they were before."""
        return not isinstance(self.node, _UNSURE)


class GradedCode:
    """The statements of the grade cells so far that bind or change a name."""

    def __init__(self) -> None:
        self._statements: list[_Statement] = []
        self._others: dict[str, int] = {}  # how many statements there were when another cell bound the name

    def add(self, source: str) -> None:
        """Add a grade cell, its hidden part, too."""
        for node in _parsed(source):
            binds, loads = frozenset(bound(node)), frozenset(free(ast.Module([node], [])))
            changes = frozenset((*changed(node), *_asked(node))) & loads
            if isinstance(node, ast.Delete):
                self._forget(binds)
            elif (binds or changes) and not isinstance(node, ast.Assert):
                self._statements.append(_Statement(node, binds, changes, loads))

    def add_other(self, source: str) -> None:
        """Add another code cell: what it binds is no longer a grade cell's."""
        for node in _parsed(source):
            self._forget(bound(node))

    def needed(self, names: Iterable[str]) -> list[ast.stmt]:
        """Return copies of the statements that give these names, in their order."""
        end = len(self._statements)
        left, seen, chosen = [(name, end) for name in names], set[tuple[str, int]](), set[int]()
        while left:
            name, before = left.pop()
            if (name, before) in seen:
                continue
            seen.add((name, before))
            for number in self._giving(name, before):
                chosen.add(number)
                statement = self._statements[number]
                # A function reads names when it is called.
                until = end if isinstance(statement.node, DEFINITION) else number
                left += [(load, until) for load in statement.loads]
        return [copy.deepcopy(self._statements[number].node) for number in sorted(chosen)]

    def _giving(self, name: str, before: int) -> Iterator[int]:
        """Yield the numbers of the statements that give a name what it is, the last one first."""
        for number in reversed(range(self._others.get(name, 0), before)):
            statement = self._statements[number]
            if name in statement.binds | statement.changes:
                yield number
            if name in statement.binds and statement.is_sure:
                return

    def _forget(self, names: Iterable[str]) -> None:
        self._others |= dict.fromkeys(names, len(self._statements))


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError:  # the cell itself says so
        return []


def _asked(node: ast.stmt) -> Iterator[str]:
    """Yield the name of the object whose method a statement calls for what it does: `t.backward()`."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute() as method)):
            yield from root(method)
