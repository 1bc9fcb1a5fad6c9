"""Arguments that a student's function is to change in place: `x[:] = …`, `numbers.sort()`, `counts[k] = v`.

A function gets a copy of what a grade cell hands it. What it does to that copy comes back only where the
instructor's solution changes that argument, so that a student who overwrites an input that stays whole
in the solution gains nothing by it: the cell compares with its own.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from examiner.judge.locked import MUTATING, changed, root
from examiner.notebook import Cell, without_magics
from examiner.wire.libraries import become, can_change

# Functions of libraries that write into their first argument.
_FILLING: Final = frozenset(
    {"copyto", "fill_diagonal", "heapify", "heappop", "heappush", "put", "shuffle"}
    | {"set_node_attributes", "set_edge_attributes", "add_path", "add_cycle", "add_star"}
)
# Methods of libraries that write into their object, besides those of containers.
_WRITING: Final = MUTATING | {
    *("add_node", "add_nodes_from", "add_edge", "add_edges_from", "add_weighted_edges_from", "clear_edges"),
    *("remove_node", "remove_nodes_from", "remove_edge", "remove_edges_from"),
}
_CONTAINERS: Final = (list, dict, set, bytearray)
# By the function's or method's name: the places and names of the parameters that it changes.
Changed = Mapping[str, frozenset[tuple[int, str]]]


def changed_arguments(cells: Iterable[Cell]) -> Changed:
    """Return the parameters that functions of the instructor's solution change, by the function's name."""
    functions = {node.name: node for cell in cells if cell.is_solution for node in _functions(cell.source)}
    found: dict[str, frozenset[tuple[int, str]]] = {name: frozenset() for name in functions}
    while True:
        more = {name: frozenset(_changed(node, found)) for name, node in functions.items()}
        if more == found:
            return {name: places for name, places in found.items() if places}
        found = more


def _functions(source: str) -> Iterator[ast.FunctionDef]:
    try:
        tree = ast.parse(without_magics(source))
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (inner for inner in node.body if isinstance(inner, ast.FunctionDef))


def _changed(function: ast.FunctionDef, known: Changed) -> Iterator[tuple[int, str]]:
    """Yield the place and the name of each parameter that a function changes, by one that it calls, too."""
    parameters = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
    is_method = parameters[:1] == ["self"]
    flags = {arg.arg for arg in _with_defaults(function.args)}
    for place, name in enumerate(parameters[1:] if is_method else parameters):
        statements = [*_before_rebound(_always(function.body, flags), name)]
        same = {name, *_aliases(statements, name)}
        written = {found for statement in statements for found in _written(statement, known)}
        if written & same or _is_augmented(statements, name):
            yield place, name


def _with_defaults(args: ast.arguments) -> Iterator[ast.arg]:
    """Yield the parameters that a call may leave out."""
    given = [*args.posonlyargs, *args.args]
    yield from given[len(given) - len(args.defaults) :]
    yield from (arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default)


def _always(statements: Iterable[ast.stmt], flags: set[str]) -> Iterator[ast.stmt]:
    """Yield the statements but for branches that an option decides about, such as `inplace=False`."""
    for statement in statements:
        names = (
            {n.id for n in ast.walk(statement.test) if isinstance(n, ast.Name)}
            if isinstance(statement, ast.If)
            else set()
        )
        if not names & flags:
            yield statement


def _before_rebound(statements: Iterable[ast.stmt], name: str) -> Iterator[ast.stmt]:
    """Yield the statements of a function for which a name still is its argument."""
    for statement in statements:
        stores = (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        if any(n.id == name for n in stores) and not _is_augmented([statement], name):
            return
        yield statement


def _is_augmented(statements: Iterable[ast.stmt], name: str) -> bool:
    """Whether there is an `x += …`, which writes into a list or an array."""
    found = (
        n.target for statement in statements for n in ast.walk(statement) if isinstance(n, ast.AugAssign)
    )
    return any(isinstance(target, ast.Name) and target.id == name for target in found)


def _aliases(statements: Iterable[ast.stmt], name: str) -> Iterator[str]:
    """Yield other names for an argument or for a part of it: `row = table[0]`, `for row in table`."""
    same = {name}
    for node in (n for statement in statements for n in ast.walk(statement)):
        match node:
            case ast.Assign(targets=[ast.Name(id=other)], value=value) if {*_part_of(value)} & same:
                same.add(other)
                yield other
            case ast.For(target=ast.Name(id=other), iter=ast.Name(id=whole)) if whole in same:
                same.add(other)
                yield other


def _part_of(value: ast.expr) -> Iterator[str]:
    """Yield the name of the whole of which an expression is a part; a slice of a list is a copy."""
    while isinstance(value, ast.Subscript | ast.Attribute):
        if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice):
            return
        value = value.value
    if isinstance(value, ast.Name):
        yield value.id


def _written(statement: ast.stmt, known: Changed) -> Iterator[str]:
    """Yield the names of what a statement writes into."""
    yield from changed(statement)
    for node in ast.walk(statement):
        match node:
            case ast.Call(func=ast.Attribute(attr=method) as called) if _is_writing(method, node):
                yield from root(called)
            case ast.keyword(arg="out", value=ast.Name(id=name)):
                yield name
        match node:
            case ast.Call(func=ast.Name(id=function) | ast.Attribute(attr=function), args=args):
                is_filling = function in _FILLING or _is_in_place(function)
                changing = {0} if is_filling else {place for place, _ in known.get(function, ())}
                given = (arg for place, arg in enumerate(args) if place in changing)
                yield from (arg.id for arg in given if isinstance(arg, ast.Name))


def _is_writing(method: str, call: ast.Call) -> bool:
    """Whether a method writes into its object: by its name, or since `inplace=True` says so."""
    inplace = (option.value for option in call.keywords if option.arg == "inplace")
    is_told = any(isinstance(value, ast.Constant) and value.value is True for value in inplace)
    return is_told or method in _WRITING or _is_in_place(method)


def _is_in_place(name: str) -> bool:
    """Whether a name is one of PyTorch's for what writes into a tensor, such as `add_`."""
    return name.endswith("_") and not name.endswith("__") and name != "_"


def places(
    known: frozenset[tuple[int, str]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[int | str, ...]:
    """Return the places and names of those arguments of a call that are to come back."""
    by_place = [place for place, _ in sorted(known) if place < len(args) and _is_changeable(args[place])]
    by_name = [name for _, name in sorted(known) if name in kwargs and _is_changeable(kwargs[name])]
    return (*by_place, *by_name)


def _is_changeable(x: Any) -> bool:
    return type(x) in {*_CONTAINERS, np.ndarray} or can_change(x)


def take_over(ours: Any, theirs: Any) -> bool:
    """Make a container or array of ours what a copy of it has become; return whether it can be that."""
    if type(ours) is not type(theirs):
        return False
    if can_change(ours):
        return become(ours, theirs)
    if isinstance(ours, np.ndarray):
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype or not ours.flags.writeable:
            return False
        ours[...] = theirs
    elif isinstance(ours, dict):
        kept = {key: ours[key] for key in theirs if key in ours}
        ours.clear()
        ours.update({key: _merged(kept.get(key), value) for key, value in theirs.items()})
    elif isinstance(ours, set):
        ours.clear()
        ours.update(theirs)
    elif isinstance(ours, list) and len(ours) == len(theirs):
        ours[:] = [_merged(*pair) for pair in zip(ours, theirs, strict=True)]
    else:
        ours[:] = theirs
    return True


def _merged(ours: Any, theirs: Any) -> Any:
    """Return an inner container of ours with what it has become: the cell may have another name for it."""
    return ours if _is_changeable(ours) and take_over(ours, theirs) else theirs
