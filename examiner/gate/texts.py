"""Finds where a grade cell may use a student's value as code, path, pattern, pickle or name.

The judge runs the cell, so such a value would act there: a pattern can take a year, a pickle runs anything.
What counts as the student's are names that neither the cell nor a locked cell binds without the student's
code, and all that is computed from them. The parameters of a function are taken to be the author's.
"""

import ast
import builtins
from collections.abc import Iterator
from typing import Final

from examiner.judge.compile import OURS

_ALL: Final = None
_CODE, _PATH, _PATTERN, _PICKLE = "code", "a path", "a pattern", "a pickle"
_NAME, _COMMAND, _FORMAT, _DTYPE = "the name of an attribute", "a command", "a format", "a dtype"
# Which arguments count: of builtins by name, of modules by module, of NumPy by the function's last name,
# of PyTorch by its whole name.
_BUILTINS: Final[dict[str, tuple[str, int | None]]] = {
    **dict.fromkeys(("eval", "exec", "compile", "__import__"), (_CODE, 0)),
    "open": (_PATH, 0),
    **dict.fromkeys(("getattr", "setattr", "delattr", "hasattr"), (_NAME, 1)),
    "format": (_FORMAT, 1),
}
_MODULES: Final[dict[str, tuple[str, int | None]]] = {
    **dict.fromkeys(("importlib", "runpy", "code", "codeop", "ctypes", "timeit", "types"), (_CODE, _ALL)),
    **dict.fromkeys(("pickle", "marshal", "shelve", "dbm"), (_PICKLE, 0)),
    **dict.fromkeys(("os", "pathlib", "shutil", "glob", "io", "tempfile", "linecache"), (_PATH, _ALL)),
    **dict.fromkeys(("zipfile", "tarfile", "sqlite3", "mmap", "gzip", "bz2", "lzma", "wave"), (_PATH, 0)),
    **dict.fromkeys(("re", "fnmatch"), (_PATTERN, 0)),
    **dict.fromkeys(("subprocess", "pty", "multiprocessing", "signal"), (_COMMAND, _ALL)),
    **dict.fromkeys(("string", "struct", "time"), (_FORMAT, 0)),
    "operator": (_NAME, _ALL),
}
_NAMING_OPERATORS: Final = frozenset({"attrgetter", "methodcaller"})
_HARMLESS: Final = frozenset(
    {"os.getpid", "os.cpu_count", "io.StringIO", "io.BytesIO", "re.escape", "time.sleep"}
)
_NUMPY: Final[dict[str, tuple[str, int | None]]] = {
    **dict.fromkeys(("load", "loadtxt", "genfromtxt", "fromfile", "memmap", "open_memmap"), (_PATH, 0)),
    **dict.fromkeys(("save", "savez", "savez_compressed", "savetxt", "fromregex"), (_PATH, 0)),
    "dtype": (_DTYPE, 0),
}
_TORCH: Final[dict[str, tuple[str, int | None]]] = {
    **dict.fromkeys(("torch.load", "torch.serialization.load"), (_PICKLE, 0)),
    **dict.fromkeys(("torch.jit.load", "torch.export.load", "torch.package.PackageImporter"), (_CODE, 0)),
    **dict.fromkeys(("torch.jit.CompilationUnit", "torch.hub.load", "torch.ops.load_library"), (_CODE, _ALL)),
    "torch.from_file": (_PATH, 0),
    "torch.save": (_PATH, 1),
}
_FORMATTING: Final = frozenset({"format", "format_map"})


def students_texts(tree: ast.Module, ours: frozenset[str]) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the function and the use of each value that may be a student's.

    Parameters
    ----------
    tree : ast.Module
        A grade cell.
    ours : frozenset of str
        The names that locked cells bind without the student's code.
    """
    modules, theirs = dict(_modules(tree)), _students(tree, ours)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _function(node.func, modules)
            for argument, use in _uses(node, name):
                if _loads(argument) & theirs:
                    yield node.lineno, name, use


def _uses(node: ast.Call, name: str) -> Iterator[tuple[ast.expr, str]]:
    """Yield the arguments of a call that its function uses otherwise than as data, and as what."""
    root, _, last = name.rpartition(".")
    module = name.partition(".")[0]
    if isinstance(node.func, ast.Attribute) and last in _FORMATTING:
        yield node.func.value, _FORMAT
    if not root:
        use = _BUILTINS.get(name)
    elif module == "numpy":
        use = _NUMPY.get(last)
    elif module == "torch":
        use = _TORCH.get(name)
    elif module == "operator" and last not in _NAMING_OPERATORS:
        use = None
    else:
        use = None if name in _HARMLESS else _MODULES.get(module)
    if use:
        what, place = use
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        yield from ((argument, what) for argument in (given if place is _ALL else given[place : place + 1]))


def _function(node: ast.expr, modules: dict[str, str]) -> str:
    """Return the name of a function, with the module that it comes from."""
    if isinstance(node, ast.Name):
        return modules.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_function(node.value, modules) or '…'}.{node.attr}"
    return ""


def _modules(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that a cell's imports bind, each with what it stands for."""
    for node in ast.walk(tree):
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            if isinstance(node, ast.ImportFrom):
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
            else:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or name, name


def _students(tree: ast.Module, ours: frozenset[str]) -> set[str]:
    """Return the names in a cell that stand for a student's object, or for what was computed from one."""
    parts = list(_bindings(tree))
    parameters = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound = {name for names, _ in parts for name in names} | parameters
    imported = {name for name, origin in _modules(tree) if origin.partition(".")[0] in OURS}
    theirs = _loads(tree) - bound - imported - ours - vars(builtins).keys()
    before = -1
    while len(theirs) != before:
        before = len(theirs)
        theirs |= {name for names, value in parts if _loads(value) & theirs for name in names}
    return theirs


def _bindings(tree: ast.Module) -> Iterator[tuple[set[str], ast.AST]]:
    """Yield the names that each part of a cell binds, and what they are computed from."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield {name for target in targets for name in _stores(target)}, value
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.NamedExpr(target=target, value=value)
            ):
                yield _stores(target), value
            case ast.AugAssign(target=target, value=value):
                yield _stores(target), value
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield _stores(target), value
            case ast.withitem(optional_vars=ast.expr() as target, context_expr=value):
                yield _stores(target), value
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield {name}, node


def _stores(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _loads(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
