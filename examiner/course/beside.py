"""Generates what students may import beside the instructor's notebook, so that a release is complete.

These are the allowed parts of the reference, and the sources of the checks package. nbgrader copies the files
of `source/<assignment>/` into the release and over each submission; git ignores what is generated here.
"""

import ast
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from examiner.errors import BadCourse, PlatformFault
from examiner.model import Assignment, Course, Files
from examiner.notebook import CHECKS

CHECKS_FILES = ("*.py", "pyproject.toml", "README.md", "py.typed")


def generate(course: Course, assignment: Assignment) -> None:
    """Write the allowed parts and the checks into `source/<assignment>/`; equal files stay untouched."""
    source = course.source(assignment)
    write(source / CHECKS, checks_files())
    if course.package is not None:
        write(source / course.package.name, allowed_files(course.package, assignment.parts))


def write(folder: Path, files: Files) -> None:
    """Make the folder hold exactly these files; without files, remove it."""
    if not files:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def checks_files() -> Files:
    """Return the sources of the checks package, by name.

    Raises
    ------
    PlatformFault
        If the package is not installed beside examiner.
    """
    spec = find_spec(CHECKS)
    if spec is None or spec.origin is None:
        raise PlatformFault(CHECKS, "the checks package is not installed", "install examiner again")
    folder = Path(spec.origin).parent
    return {path.name: path.read_bytes() for pattern in CHECKS_FILES for path in sorted(folder.glob(pattern))}


def allowed_files(package: Path, parts: tuple[str, ...]) -> Files:
    """Return the allowed modules of a package, and its `__init__` files without the others, by relative path.

    Raises
    ------
    BadCourse
        If a part does not exist, or imports one that is not allowed.
    """
    name = package.name
    modules = {f"{name}.{part}" for part in parts}
    packages = {
        ".".join(module.split(".")[:n]) for module in modules for n in range(1, module.count(".") + 1)
    }
    files = {}
    for module in sorted(modules):
        path = package.parent / (module.replace(".", "/") + ".py")
        if not path.is_file():
            raise BadCourse("course.toml", f"there is no part {module} ({path})", "correct 'parts'")
        _refuse_foreign_imports(path, name, modules | packages)
        files[path.relative_to(package).as_posix()] = path.read_bytes()
    for dotted in sorted(packages):
        path = package.parent / dotted.replace(".", "/") / "__init__.py"
        files[path.relative_to(package).as_posix()] = filter_init(path, name, modules | packages).encode()
    return files


def filter_init(path: Path, name: str, allowed: set[str]) -> str:
    """Return the text of an `__init__.py` without the imports of parts that are not allowed.

    Parameters
    ----------
    path : Path
        The file, which may hold only a docstring and imports from the package.
    name : str
        The name of the package.
    allowed : set of str
        Dotted names of modules and packages.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    for node in reversed(ast.parse(text).body):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        modules = set(_imported(node, name))
        if not modules:
            fact = f"line {node.lineno} is not an import from {name}"
            raise BadCourse(path, fact, "re-export there, and do everything else in modules")
        if modules.isdisjoint(allowed):
            del lines[node.lineno - 1 : node.end_lineno]
        elif not modules <= allowed:
            fact = f"line {node.lineno} imports allowed parts together with others"
            raise BadCourse(path, fact, "write one import for each part")
    return "".join(lines)


def _refuse_foreign_imports(path: Path, name: str, allowed: set[str]) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for module in _imported(node, name):
            if module not in allowed:
                fact = f"{path} imports {module}, which is not among the assignment's parts"
                raise BadCourse("course.toml", fact, "add it to 'parts', or import less there")


def _imported(node: ast.AST, name: str) -> Iterator[str]:
    """Yield the modules of package `name` that one statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] == name)
    elif isinstance(node, ast.ImportFrom) and node.module == name:
        yield from (f"{name}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == name:
        yield str(node.module)
