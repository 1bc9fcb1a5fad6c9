"""Rewrites the expressions of a grade cell that mean something else for copies from another process.

`ref(x.data)` leaves the array with the candidate; `is`, `id(x)` and `type(x)` ask where the student's object
is; `==` compares data in containers by value; `except Own` asks whether it is the student's class; names and
patches reach the snapshot. What a copy can never answer is the author's error.
"""

import ast
from typing import Final

from examiner.notebook import CHECKS

# The names under which rewritten cells find the functions of their `Namespace`.
BY_REF, METHOD, IS, TYPE, ID = "__by_ref__", "__method__", "__is__", "__type__", "__id__"
SHARE, DEFINE, ATTRIBUTE = "__share__", "__define__", "__attribute__"
UNBIND, NAMES, EQUAL, CONTAINED = "__unbind__", "__names__", "__equal__", "__contained__"
CAUGHT, TEXT, PATCHED, SHARES = "__caught__", "__text__", "__patched__", "__shares__"
CHANGING, RAISED = "__changing__", "__raised__"

# Comparisons, called by their names: the student's own verdict.
VERDICTS: Final = frozenset(
    {f"__{name}__" for name in ("eq", "ne", "lt", "le", "gt", "ge", "bool", "contains", "hash")}
)
_BY_BEHAVIOUR: Final = "write through one ref(…), read through the other by value(…)"
_INSTEAD: Final = {
    "flags": f"whether memory is shared is seen by what happens to it: {_BY_BEHAVIOUR}",
    "__array_interface__": f"whether memory is shared is seen by what happens to it: {_BY_BEHAVIOUR}",
}
_SHARING: Final = frozenset({"shares_memory", "may_share_memory"})
_LOOKS_INSIDE: Final = frozenset({"gc", "resource", "tracemalloc", "weakref"})
_NAMESPACES: Final = frozenset({"dir", "globals", "locals", "vars"})
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class Refused(Exception):  # noqa: N818 - it is caught where cells are compiled, and never reported as an error
    """A cell uses something that means nothing for copies of values."""


class Rewriting(ast.NodeTransformer):
    """Rewrites a tree; refuses what means nothing for copies.

    Parameters
    ----------
    refs : set of str
        The names that stand for `ref` of the checks.
    changing : collection of str
        The functions and methods that change their arguments.
    """

    def __init__(self, refs: set[str], changing: frozenset[str] = frozenset()) -> None:
        self._refs, self._changing, self._depth = refs, changing, 0

    def visit(self, node: ast.AST) -> ast.AST:
        """Rewrite a node; a pattern of `match` stays, since a call cannot stand in it."""
        if isinstance(node, ast.pattern):
            return node
        self._depth += isinstance(node, _SCOPES)
        rewritten: ast.AST = super().visit(node)
        self._depth -= isinstance(node, _SCOPES)
        return rewritten

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Rewrite `ref(…)`, calls of some builtins, of methods, and of what changes its arguments."""
        function = node.func.id if isinstance(node.func, ast.Name) and not node.keywords else ""
        if function in self._refs and len(node.args) == 1:
            self._visit_operands(node.args[0])  # the last operation itself is done by reference
            return ast.copy_location(_call(BY_REF, *_last_step(node.args[0])), node)
        path = _path(node.args[0]) if node.args else None
        shared = [_path(arg) for arg in node.args] if _last_name(node.func) in _SHARING else None
        self._visit_operands(node)
        if shared and len(node.args) == 2 and not node.keywords:  # noqa: PLR2004 - two arrays
            return ast.copy_location(_call(SHARES, *node.args, *map(_or_none, shared)), node)
        if function and (name := self._replaced(function, len(node.args))):
            more = [ast.Constant(function)] if name == NAMES else [_or_none(path)] if name == ID else []
            return ast.copy_location(_call(name, *node.args, *more), node)
        if _last_name(node.func) in self._changing:
            return self._changing_call(node)
        if isinstance(node.func, ast.Attribute) and not node.func.attr.startswith("__"):
            method = _call(METHOD, node.func.value, ast.Constant(node.func.attr), *node.args)
            method.keywords = node.keywords
            return ast.copy_location(method, node)  # one request instead of two, if the object is a student's
        if isinstance(node.func, ast.Attribute):
            node.func = self._attribute(node.func)
        return node

    def _replaced(self, function: str, count: int) -> str:
        """Return the name of what is called instead of a builtin with so many arguments."""
        if count == 0 and function in _NAMESPACES and (self._depth == 0 or function == "globals"):
            return NAMES
        return {"type": TYPE, "id": ID, "str": TEXT}.get(function, "") if count == 1 else ""

    def _changing_call(self, node: ast.Call) -> ast.AST:
        """Rewrite a call that may change its arguments: its function and its name come first."""
        function = node.func
        owner: list[ast.expr] = [function.value] if isinstance(function, ast.Attribute) else [function]
        is_method = ast.Constant(isinstance(function, ast.Attribute))
        called = _call(CHANGING, *owner, ast.Constant(_last_name(function)), is_method, *node.args)
        called.keywords = node.keywords
        return ast.copy_location(called, node)

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
        """Rewrite `is`, and comparisons of data that may hold arrays."""
        paths = [_path(side) for side in (node.left, *node.comparators)]
        self.generic_visit(node)
        if any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            return _identity(node, paths)
        if len(node.ops) == 1 and (found := _REPLACED_COMPARISONS.get(type(node.ops[0]))):
            name, is_negated = found
            called: ast.expr = _call(name, node.left, node.comparators[0], ast.Constant(is_negated))
            return ast.copy_location(called, node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Rewrite what reads, sets or deletes an attribute."""
        _check_attribute(node)
        self.generic_visit(node)
        if node.attr == "__class__" and isinstance(node.ctx, ast.Load):
            return ast.copy_location(_call(TYPE, node.value), node)
        if node.attr.startswith("__") and not node.attr.endswith("__"):
            return node  # a private name of a class of the cell's
        return self._attribute(node)

    @staticmethod
    def _attribute(node: ast.Attribute) -> ast.expr:
        if isinstance(node.ctx, ast.Load):
            return ast.copy_location(_call(ATTRIBUTE, node.value, ast.Constant(node.attr)), node)
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return node
        target = ast.Subscript(_call(PATCHED, node.value), ast.Constant(node.attr), node.ctx)
        return ast.copy_location(target, node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        """Rewrite the classes that are caught."""
        self.generic_visit(node)
        if node.type is not None:
            node.type = ast.copy_location(_call(CAUGHT, node.type), node.type)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Rewrite what is raised: it may be an exception of the student's."""
        self.generic_visit(node)
        if node.exc is not None:
            node.exc = ast.copy_location(_call(RAISED, node.exc), node.exc)
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        """Rewrite what an f-string shows."""
        self.generic_visit(node)
        node.value = ast.copy_location(_call(TEXT, node.value, ast.Constant(node.conversion)), node.value)
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST:
        """Refuse modules that look inside a process."""
        for alias in node.names:
            _check_import(node, alias.name.partition(".")[0])
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Refuse modules that look inside a process, and imports of unknown names."""
        module = node.module or ""
        _check_import(node, module.partition(".")[0])
        for alias in node.names:
            if alias.name == "*":
                raise Refused(f"line {node.lineno}: name what is imported from {module}, instead of `*`")
        return node


_REPLACED_COMPARISONS: Final = {
    ast.Eq: (EQUAL, False),
    ast.NotEq: (EQUAL, True),
    ast.In: (CONTAINED, False),
    ast.NotIn: (CONTAINED, True),
}


def _identity(node: ast.Compare, paths: list[ast.expr | None]) -> ast.AST:
    if any(isinstance(side, ast.Constant) for side in (node.left, *node.comparators)):
        return node  # such as `x is None`, which means the same for a copy
    if len(node.ops) > 1:
        raise Refused(f"line {node.lineno}: compare by `is` in an expression of its own")
    same = _call(IS, node.left, node.comparators[0], *map(_or_none, paths))
    return ast.copy_location(same if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(ast.Not(), same), node)


def _or_none(path: ast.expr | None) -> ast.expr:
    return path or ast.Constant(None)


def _path(node: ast.expr) -> ast.expr | None:
    """Return how a student's value is reached: the name it starts from, its value, and what follows.

    What follows are attributes and constant keys, which stand in the cell's text; there is no path through
    a call, as that would have to be done again.
    """
    steps: list[ast.expr] = []
    while True:
        match node:
            case ast.Name(id=name):
                start = [ast.Constant(name), ast.Name(name, ast.Load())]
                return ast.Tuple([*start, *reversed(steps)], ast.Load())
            case ast.Attribute(value=owner, attr=name) if not name.startswith("__"):
                steps.append(ast.Tuple([ast.Constant("getattr"), ast.Constant(name)], ast.Load()))
            case ast.Subscript(value=owner, slice=ast.Constant(value=key)):
                steps.append(ast.Tuple([ast.Constant("getitem"), ast.Constant(key)], ast.Load()))
            case _:
                return None
        node = owner


def _last_name(node: ast.expr) -> str:
    """Return the name of a function or method that is called."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _check_attribute(node: ast.Attribute) -> None:
    if node.attr in _INSTEAD:
        raise Refused(f"line {node.lineno}: `.{node.attr}` of a copy means nothing; {_INSTEAD[node.attr]}")


def _check_import(node: ast.Import | ast.ImportFrom, root: str) -> None:
    if isinstance(node, ast.ImportFrom) and node.level:
        raise Refused(f"line {node.lineno}: a notebook is no package, write the whole name of the module")
    if root in _LOOKS_INSIDE:
        raise Refused(
            f"line {node.lineno}: `{root}` would look at the process that grades, not at the student's; "
            "judge what the student's code does"
        )


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def call(name: str, *texts: str) -> ast.Call:
    """Return a call of a function of the namespace with these texts."""
    return _call(name, *map(ast.Constant, texts))


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


def bound_to_ref(tree: ast.Module) -> set[str]:
    """Return the names that `ref` of the checks is imported as."""
    found = (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == CHECKS)
    return {alias.asname or alias.name for node in found for alias in node.names if alias.name == "ref"}
