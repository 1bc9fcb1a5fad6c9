"""Which way imports point: import-linter holds it, by the contracts in pyproject.toml."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("examiner", "examiner_checks", "tinytorch")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def modules(package: str) -> dict[str, ast.Module]:
    """Return every module of a package, by its dotted name, parsed."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(), str(path))
    return found


def imports(name: str, tree: ast.Module) -> set[str]:
    """Return the absolute dotted names that a module imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative imports hide their direction; write the whole name"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def broken_contracts(root: Path) -> set[str]:
    """Return the names of the contracts that a tree breaks."""
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "pyproject.toml", "--no-logo", "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    known = {contract["name"]: contract["id"] for contract in CONTRACTS}
    lines = run.stdout.splitlines()
    broken = {id_ for name, id_ in known.items() if f"{name} BROKEN" in lines}
    kept = {id_ for name, id_ in known.items() if f"{name} KEPT" in lines}
    assert broken | kept == set(known.values()), run.stdout + run.stderr
    assert bool(broken) == bool(run.returncode), run.stdout
    return broken


@pytest.fixture
def tree(tmp_path):
    """A copy of the packages and the contracts, which a test may spoil."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


# What each contract is there to notice: a module, and a line that must not stand in it.
PLANTED = {
    "a circle in one room": ("course/table.py", "from examiner.course import toml", {"circles"}),
    "a circle through a function": (
        "course/names.py",
        "def late():\n    from examiner.course.roster import read_roster\n    return read_roster",
        {"circles"},
    ),
    "a circle of types alone": (
        "model.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from examiner.verdict import Verdict",
        {"circles", "rooms"},
    ),
    "an arrow upwards": ("judge/cell.py", "from examiner.examine.engine import Job", {"circles", "rooms"}),
    "errors beside a student's code": (
        "candidate/cells.py",
        "from examiner.errors import PlatformFault",
        {"student-side"},
    ),
    "nbgrader in the hot path": ("batch/worker.py", "import nbgrader", {"nbgrader"}),
    "the reference": ("judge/compile.py", "import tinytorch.tensor", {"reference"}),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_an_import_that_points_the_wrong_way_breaks_its_contract(tree, planted):
    """A contract that notices nothing would keep nothing."""
    name, line, broken = PLANTED[planted]
    path = tree / "examiner" / name
    path.write_text(f"{path.read_text()}\n{line}\n")
    assert broken_contracts(tree) == broken


def test_every_room_has_a_place_in_the_contract(tree):
    """A new room says first what it may import."""
    (tree / "examiner" / "attic").mkdir()
    (tree / "examiner" / "attic" / "__init__.py").touch()
    assert "rooms" in broken_contracts(tree)


def test_the_contracts_hold(tree):
    """Whatever is planted above is noticed as a difference from this."""
    assert broken_contracts(tree) == set()


@pytest.mark.parametrize("package", ["tinytorch", "examiner_checks"])
def test_what_students_get_imports_numpy_and_itself(package):
    """Students install these beside nothing but NumPy; IPython is looked up only where it already runs."""
    allowed = {package, "numpy", "IPython"} if package == "examiner_checks" else {package, "numpy"}
    for name, tree in modules(package).items():
        foreign = {t.split(".")[0] for t in imports(name, tree)} - allowed - sys.stdlib_module_names
        assert not foreign, f"{name} imports {foreign}"


def public_names(tree: ast.Module) -> set[str]:
    """Return the public classes and constants that a module defines at its top."""
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    targets = [node.targets for node in tree.body if isinstance(node, ast.Assign)]
    targets += [[node.target] for node in tree.body if isinstance(node, ast.AnnAssign)]
    constants = {name.id for group in targets for name in group if isinstance(name, ast.Name)}
    return {name for name in classes | constants if not name.startswith("_")}


def test_no_two_public_classes_or_constants_have_one_name():
    """Whoever reads a name need not ask which of two things it means.

    The sides of a box may not import each other's modules, so one alias of theirs stands twice.
    """
    where: dict[str, set[str]] = {}
    for module, tree in modules("examiner").items():
        for name in public_names(tree):
            where.setdefault(name, set()).add(module)
    twice = {name: found for name, found in where.items() if len(found) > 1}
    assert twice == {"Output": {"examiner.candidate.recording", "examiner.examine.executed"}}


def test_a_name_says_what_the_thing_is():
    """`each` says only that there are several, and `said` that somebody said it."""
    vague = {"each", "said"}
    for module, tree in modules("examiner").items():
        nodes = list(ast.walk(tree))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        names |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        names |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert not names & vague, module
