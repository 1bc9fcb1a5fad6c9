"""Automatic mutants: in each, one public function of a solution cell returns a worthless value, a stub.

A grade cell that only defines its tests, loops over a list that may be empty, or compares arrays that
broadcast gives points to some of them; a good grade cell gives points to none.
"""

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

# The stubs, and the statement that returns each. "zeros" needs none: a decorator calls the function itself,
# for the shape of its answer.
STUBS = {
    "None": "return None",
    "[]": "return []",
    "zeros(0)": "return __import__('numpy').zeros(0)",
    "NaN": "return float('nan')",
    "zeros": "",
    "its input": "return {first}",
}
FIRST_STUB = "None"  # runs before the others of all functions, which need not run where it has told enough
AGREEABLE = "an object that agrees with everything"
NOTING = "an object that gives back what it is given"
ARITHMETIC = {
    f"__{prefix}{name}__"
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
    for prefix in ("", "r", "i")
} | {"__neg__", "__pos__", "__abs__", "__getitem__", "__array__", "__call__", "__len__"}

RUNTIME_MODULE = "examiner_automatic"  # the name of `candidate/watching.py` beside a mutated notebook
# What a grade cell of a recording trial ends with: it prints the record as a line of JSON.
_RETURNS = {
    AGREEABLE: f"return __import__({RUNTIME_MODULE!r}).Agreeable()",
    NOTING: f"return __import__({RUNTIME_MODULE!r}).noting({{key!r}}, locals())",
}
TELL = f"\nimport {RUNTIME_MODULE}\nprint()\nprint({RUNTIME_MODULE}.seen())"


@dataclass(frozen=True)
class PublicFunction:
    """A public function, method or property of a solution cell.

    Parameters
    ----------
    name : str
        The qualified name, such as `Tensor.sum`.
    first : str or None
        The expression for its first argument, without `cls`; None if it has no argument.
    """

    cell: str
    name: str
    first: str | None
    is_setter: bool = False

    @property
    def key(self) -> str:
        """A name that is unique in the notebook, where two cells may define the same function."""
        return f"{self.cell}:{self.name}"


@dataclass(frozen=True)
class AutomaticMutant:
    """One function that returns one stub, and the source of its cell with that change."""

    function: PublicFunction
    returns: str
    source: str

    @property
    def name(self) -> str:
        """What the mutant is, in words."""
        return f"{self.function.name} returns {self.returns}"

    @property
    def key(self) -> str:
        """As `name`, but unique in the notebook."""
        return f"{self.function.key} returns {self.returns}"


def mutants(cell: str, source: str) -> Iterator[AutomaticMutant]:
    """Yield every automatic mutant of a solution cell.

    Raises
    ------
    SyntaxError
        If the cell is not plain Python.
    """
    for function in _functions(cell, source):
        kinds = (
            ["None"]
            if function.is_setter
            else [kind for kind in STUBS if function.first or kind != "its input"]
        )
        for kind in kinds:
            yield AutomaticMutant(function, kind, _mutated(source, function, kind))


def agreeable(cell: str, source: str) -> Iterator[AutomaticMutant]:
    """Yield mutants for each function of a solution cell that return objects which say what a test hopes for.

    One agrees with everything; one notes what a test gives it, and is that when it is asked again.

    Raises
    ------
    SyntaxError
        If the cell is not plain Python.
    """
    for function in _functions(cell, source):
        for kind in () if function.is_setter else _RETURNS:
            yield AutomaticMutant(function, kind, _mutated(source, function, kind))


def _functions(cell: str, source: str) -> Iterator[PublicFunction]:
    for name, node in definitions(ast.parse(source)):
        yield _function(cell, name, node)


def observed(cell: str, source: str) -> str:
    """Return the cell with every public function decorated to record what it returns."""
    tree = ast.parse(source)
    for name, node in definitions(tree):
        _decorate(node, f"{RUNTIME_MODULE}.observed({_function(cell, name, node).key!r})")
    return _with_runtime(tree)


def returning_none(mutant: AutomaticMutant, source: str) -> str:
    """Return the cell with the mutant's function doing nothing, which changes the same body as the mutant."""
    return _mutated(source, mutant.function, "None")


def excuse(mutant: AutomaticMutant, differed: Mapping[str, Collection[str]]) -> str | None:
    """Return why a mutant that lost nothing is not wrong, or None if it should have lost points.

    Parameters
    ----------
    differed : mapping from str to collection of str
        For each function that was called, by its key, the stubs that it differed from.
    """
    seen = differed.get(mutant.function.key)
    if seen is None:
        return "it is never called"
    if mutant.returns in seen:
        return None
    return "it returns only zeros already" if mutant.returns == "zeros" else "it always returns that"


Definition = ast.FunctionDef | ast.AsyncFunctionDef


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield the public functions and methods by their qualified names, but none defined inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            if not node.name.startswith("_") or node.name in ARITHMETIC:
                yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            if not node.name.startswith("_"):
                yield from definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.stmt):
            yield from definitions(node, prefix)


def _function(cell: str, name: str, node: Definition) -> PublicFunction:
    decorators = node.decorator_list
    is_setter = any(isinstance(item, ast.Attribute) and item.attr == "setter" for item in decorators)
    is_classmethod = any(isinstance(item, ast.Name) and item.id == "classmethod" for item in decorators)
    arguments = [argument.arg for argument in node.args.posonlyargs + node.args.args][is_classmethod:]
    if not arguments and node.args.vararg:
        arguments = [f"{node.args.vararg.arg}[0]"]
    return PublicFunction(cell, name + ".setter" * is_setter, arguments[0] if arguments else None, is_setter)


def _mutated(source: str, function: PublicFunction, kind: str) -> str:
    tree = ast.parse(source)
    for name, node in definitions(tree):
        if _function(function.cell, name, node) == function:
            if kind == "zeros":
                _decorate(node, f"{RUNTIME_MODULE}.zeros_of_its_shape")
                return _with_runtime(tree)
            body = (STUBS | _RETURNS)[kind].format(first=function.first, key=function.key)
            node.body = ast.parse(body, mode="exec").body
    return ast.unparse(tree)


def _decorate(node: Definition, decorator: str) -> None:
    """Put a decorator next to the function, below `@property` and its like."""
    node.decorator_list.append(ast.parse(decorator, mode="eval").body)


def _with_runtime(tree: ast.Module) -> str:
    return f"import {RUNTIME_MODULE}\n{ast.unparse(tree)}"
