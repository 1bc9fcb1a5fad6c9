"""What a grade cell binds or deletes among the notebook's names, and has to tell the student's process.

A function of the student's finds there what the cell has bound, as in a notebook: an input, a fake in place
of another function, or nothing where a name was deleted. It is told only of names that functions of the
instructor's solution read, and of hidden lines never a text.
"""

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping

from examiner.judge.locked import DEFINITION, NamesRead
from examiner.judge.rewriting import DEFINE, SHARE, UNBIND, Refused, call
from examiner.notebook import Region

Calls = Mapping[ast.stmt, ast.Call]
_BODIES = ("body", "orelse", "finalbody")


def sharing(tree: ast.Module, hidden: Iterable[Region], read: NamesRead) -> Calls:
    """Return what is to be called after the statements that change names which a student's functions read.

    Raises
    ------
    Refused
        If a function of the solution reads a name that only the hidden part of the cell binds.
    """
    calls, known = {}, {*read.bound, *vars(builtins)}
    for statement in tree.body:
        names, is_hidden = read.given_by(statement), _is_hidden(statement, hidden)
        if not is_hidden:
            known |= names
        elif names - known:
            raise Refused(
                f"line {statement.lineno}: a function of the solution reads `{min(names - known)}`, which "
                "only the hidden tests bind: bind it in a visible line, or pass it as an argument"
            )
        if names:
            calls[statement] = _told(statement, names, is_hidden=is_hidden)
    for inner in _simple(tree.body):
        if isinstance(inner, ast.Delete):
            calls[inner] = call(UNBIND, *(t.id for t in inner.targets if isinstance(t, ast.Name)))
        elif inner not in calls and (names := read.given_by(inner)):
            calls[inner] = _told(inner, names, is_hidden=_is_hidden(inner, hidden))
    return calls


def _told(statement: ast.stmt, names: Iterable[str], *, is_hidden: bool) -> ast.Call:
    """Return the call that tells of a statement: by its text, if it imports or visibly defines something."""
    is_import = isinstance(statement, ast.Import | ast.ImportFrom)
    if is_import or (isinstance(statement, DEFINITION) and not is_hidden):
        return call(DEFINE, ast.unparse(statement))
    return call(SHARE, *sorted(names))


def _is_hidden(statement: ast.stmt, hidden: Iterable[Region]) -> bool:
    return any(statement.lineno in region for region in hidden)


def _simple(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that bind names of the notebook one by one, those inside of branches, too."""
    for statement in statements:
        inner = [] if isinstance(statement, DEFINITION) else [*_bodies(statement)]
        for body in inner:
            yield from _simple(body)
        if not inner:
            yield statement


def _bodies(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the lists of statements in a statement that has some."""
    yield from (body for name in _BODIES if (body := getattr(statement, name, None)))
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def with_calls(statements: list[ast.stmt], calls: Calls) -> None:
    """Put each call behind its statement, wherever that stands."""
    for statement in [*statements]:
        if not isinstance(statement, DEFINITION):
            for body in _bodies(statement):
                with_calls(body, calls)
        if statement in calls:
            told = ast.copy_location(ast.Expr(calls[statement]), statement)
            statements.insert(statements.index(statement) + 1, told)
