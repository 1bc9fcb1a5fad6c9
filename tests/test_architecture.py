"""The direction of imports, read off the source: arrows point down the lists here and nowhere else."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What a module may import: anything in its own row or in a row above it.
EXAMINER = [
    {"errors", "model", "verdict", "box", "wire"},
    {"candidate", "notebook"},
    {"course", "export", "submission"},
    {"examine", "judge", "store"},
    {"kernel", "machine"},
    {"batch"},
    {"gate"},
    {"report"},
    {"nbgrader"},
    {"pipeline"},
    {"cli", "plugin"},
]
TINYTORCH = [
    "tensor",
    "autograd",
    "nn.module",
    "nn.conv",
    "nn.pooling",
    "data",
    "optim",
    "accelerate",
    "quantize",
    "prune",
    "nn.norm",
    "nn.embedding",
    "attention",
]
MAY_IMPORT_NBGRADER = {"examiner.nbgrader.convert", "examiner.nbgrader.feedback", "examiner.plugin"}


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


def row(module: str) -> int:
    """Return the row of an examiner module in the list above."""
    stage = module.split(".")[1]
    rows = [i for i, stages in enumerate(EXAMINER) if stage in stages]
    assert rows, f"{module}: examiner.{stage} has no place in the layout; give it a row in this file"
    return rows[0]


def test_examiner_imports_point_one_way():
    """A stage that reached up would tie the trusted end of the wire to what is built on it."""
    for name, tree in modules("examiner").items():
        if name == "examiner":
            continue
        for target in imports(name, tree):
            if target.startswith("examiner."):
                assert row(target) <= row(name), f"{name} imports {target}, which stands above it"


def test_examiner_never_imports_the_reference():
    """The platform names no topic of the course: a hidden test reaches the reference, examiner does not."""
    for name, tree in modules("examiner").items():
        assert not {t for t in imports(name, tree) if t.split(".")[0] == "tinytorch"}, name


def test_only_the_gradebook_and_the_plugin_import_nbgrader():
    """Importing nbgrader costs seconds, and its changes must have one place to be met in."""
    for name, tree in modules("examiner").items():
        if name not in MAY_IMPORT_NBGRADER:
            assert not {t for t in imports(name, tree) if t.split(".")[0] == "nbgrader"}, name


@pytest.mark.parametrize("package", ["tinytorch", "examiner_checks"])
def test_what_students_get_imports_numpy_and_itself(package):
    """Students install these beside nothing but NumPy; IPython is looked up only where it already runs."""
    allowed = {package, "numpy", "IPython"} if package == "examiner_checks" else {package, "numpy"}
    for name, tree in modules(package).items():
        foreign = {t.split(".")[0] for t in imports(name, tree)} - allowed - sys.stdlib_module_names
        assert not foreign, f"{name} imports {foreign}"


def test_each_layer_of_tinytorch_imports_only_layers_before_it():
    """Students of an assignment get the layers before it and nothing else, so those must stand alone."""
    for name, tree in modules("tinytorch").items():
        layer = name.removeprefix("tinytorch.")
        if layer not in TINYTORCH:
            continue
        before = {f"tinytorch.{earlier}" for earlier in TINYTORCH[: TINYTORCH.index(layer)]}
        for target in imports(name, tree):
            if target.startswith("tinytorch"):
                owner = target if target in before else target.rpartition(".")[0]
                assert owner in before or target in {"tinytorch", "tinytorch.nn"}, f"{name} imports {target}"
