"""Tensors in a grade cell are compared by the judge's own PyTorch, which loads nothing of a student's.

Tried by `make torch`, since PyTorch is large.
"""

import io
import warnings
from operator import attrgetter
from pathlib import Path

import pytest

from examiner.judge.lent import AuthorError
from examiner.judge.libraries import allow_texts, guard_libraries
from examiner.verdict import Outcome
from tests.libraries import WITH_TORCH, find_libraries

find_libraries(WITH_TORCH)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch

torch.set_num_threads(1)
IMPORT = "import torch\n"


@pytest.fixture(autouse=True)
def guarded():
    """Guard it, for a cell in which one text stands."""
    guard_libraries()
    allow_texts({"own.pt", "eager"})


@pytest.mark.parametrize("empty", [torch.zeros(0), torch.zeros(0, 1), torch.zeros(2, 0)], ids=str)
@pytest.mark.parametrize("full", [torch.ones(1), torch.ones(1, 1), torch.tensor(5.0)], ids=str)
def test_an_empty_tensor_is_close_to_no_full_one(empty, full):
    """PyTorch says that they are close: it compares nothing, and finds no difference."""
    for one, other in [(empty, full), (full, empty)]:
        assert torch.allclose(one, other) is False
        assert torch.allclose(other=other, input=one) is False
        assert one.allclose(other) is False
        assert torch.Tensor.allclose(one, other=other) is False
        assert torch.equal(one, other) is False
        with pytest.raises(AssertionError):
            torch.testing.assert_close(one, other)
    assert torch.allclose(empty, empty)
    assert full.allclose(full + 1e-9)
    assert not torch.allclose(full, full + 1)


LOADING = [
    *("load", "serialization.load", "jit.load", "jit.CompilationUnit", "from_file", "hub.load", "hub.list"),
    *("hub.help", "hub.load_state_dict_from_url", "hub.download_url_to_file", "package.PackageImporter"),
    *("export.load", "ops.load_library", "classes.load_library", "compile", "import_ir_module"),
    "import_ir_module_from_buffer",
]


@pytest.mark.parametrize("name", LOADING)
@pytest.mark.parametrize("given", ["def f():\n    return 1", Path("theirs.pt"), ["theirs.cpp"]], ids=str)
def test_nothing_is_loaded_or_compiled_that_does_not_stand_in_the_cell(name, given):
    """It would be a program in the process that decides."""
    load = attrgetter(name)(torch)
    for args, options in [((given,), {}), (("own.pt", given), {}), (("own.pt",), {"it": given})]:
        with pytest.raises(AuthorError, match="does not stand in the cell"):
            load(*args, **options)


@pytest.mark.parametrize("kind", [io.BytesIO, bytes, bytearray])
def test_bytes_are_not_loaded(kind):
    """They may be what a student's function returned."""
    with pytest.raises(AuthorError, match="does not stand in the cell"):
        torch.load(kind(b"bytes"))


def test_what_the_author_names_is_loaded(tmp_path, monkeypatch):
    """A file beside the notebook; and a function can be compiled."""
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": torch.ones(2)}, "own.pt")
    assert torch.load("own.pt")["weights"].tolist() == [1, 1]
    assert torch.compile(lambda x: x + 1, backend="eager")(1) == 2


HONEST = IMPORT + "def double(x):\n    return 2 * x\n"
MINE = """
import torch
class Mine(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.zeros(()) if function.__name__ in {"sub", "rsub", "max", "sum", "abs"} else True
"""
CHEATS = {
    "wrong": IMPORT + "def double(x):\n    return 3 * x\n",
    "empty": IMPORT + "def double(x):\n    return torch.zeros(0, 1)\n",
    "NaN": IMPORT + "def double(x):\n    return x * float('nan')\n",
    "a subclass": MINE + "def double(x):\n    return x.as_subclass(Mine)\n",
    "a subclass of a parameter": MINE.replace("torch.Tensor", "torch.nn.Parameter")
    + "def double(x):\n    return Mine(x)\n",
    "patched methods": IMPORT
    + "for name in ('__eq__', 'allclose', 'equal', 'isclose', 'all', '__sub__', '__rsub__', 'abs', 'item'):\n"
    + "    setattr(torch.Tensor, name, lambda *_, **__: torch.zeros(()))\n"
    + "torch.allclose = torch.equal = lambda *_, **__: True\n"
    + "def double(x):\n    return torch.ones(2)\n",
    "an attribute": IMPORT
    + "def double(x):\n    x = 3 * x\n    x.allclose = x.equal = lambda *_: True\n    return x\n",
    "sparse": IMPORT + "def double(x):\n    return torch.zeros(2).to_sparse()\n",
    "an object": IMPORT
    + "class Same:\n    shape = (2,)\n    def __eq__(self, _):\n        return True\n"
    + "    def __getattr__(self, _):\n        return lambda *_, **__: True\n"
    + "    def __sub__(self, _):\n        return 0.0\n    __rsub__ = __sub__\n"
    + "def double(x):\n    return Same()\n",
}
CELLS = [
    "assert torch.allclose(double(x), want)",
    "assert torch.equal(double(x), want)",
    "assert double(x).allclose(want)",
    "assert double(x).equal(want) and want.equal(double(x))",
    "torch.testing.assert_close(double(x), want)",
    "got = double(x)\nassert got.shape == want.shape and (got == want).all()",
    "assert (double(x) - want).abs().sum() < 1e-6 and double(x).numel()",
    "assert (want - double(x)).abs().max().item() < 1e-6",
    "assert np.allclose(double(x).numpy(), want.numpy())",
    "assert np.allclose(double(x), want)",
    "assert double(x).tolist() == want.tolist()",
    "assert double(x)[1].item() == 4.0 == float(double(x)[1])",
    "assert torch.mean((double(x) - want) ** 2) < 1e-6 and len(double(x)) == 2",
]


@pytest.mark.parametrize("cell", CELLS)
def test_what_tests_of_tensors_say_is_said_by_the_judge(judged, cell):
    """Whatever a student has made of tensors in their own process."""
    test = f"import numpy as np\nimport torch\nx = torch.tensor([1.0, 2.0])\nwant = 2 * x\n{cell}"
    verdict = judged(test, HONEST)
    assert verdict.outcome is Outcome.PASSED, verdict
    for name, student in CHEATS.items():
        verdict = judged(test, student, HONEST)
        assert verdict.points == 0, (name, verdict)


def test_tensors_shapes_and_dtypes_go_to_a_students_function(judged):
    """With the flag of the gradient; a dtype is one, on both sides."""
    student = IMPORT + (
        "def told(x, dtype, shape, device='cpu'):\n"
        "    return type(x).__name__, x.requires_grad, x.dtype is dtype, x.shape == shape\n"
        "def zeros(shape, dtype):\n    return torch.zeros(shape, dtype=dtype)\n"
    )
    test = IMPORT + (
        "p = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.bfloat16))\n"
        "assert told(p, p.dtype, p.shape, p.device) == ('Parameter', True, True, True)\n"
        "got = zeros((2, 1), torch.float64)\n"
        "assert got.dtype is torch.float64 and got.dtype is not torch.float32\n"
        "assert isinstance(got, torch.Tensor) and got.shape == (2, 1) == zeros(got.shape, got.dtype).shape\n"
    )
    assert judged(test, student).outcome is Outcome.PASSED


def test_a_module_stays_the_students_and_is_asked_for_tensors(judged):
    """What it holds and what it computes are values; a graph is not."""
    student = IMPORT + (
        "net = torch.nn.Linear(2, 1)\n"
        "with torch.no_grad():\n    net.weight.fill_(2.0)\n    net.bias.zero_()\n"
        "def train():\n    net(torch.ones(1, 2)).sum().backward()\n"
    )
    test = IMPORT + (
        "assert isinstance(net, torch.nn.Module)\n"
        "assert torch.equal(net(torch.ones(3, 2)), torch.full((3, 1), 4.0))\n"
        "train()\n"
        "assert torch.equal(net.weight.grad, torch.ones(1, 2)) and net.weight.requires_grad\n"
        "assert sum(p.numel() for p in net.parameters()) == 3\n"
        "assert [*net.state_dict()] == ['weight', 'bias']\n"
    )
    verdict = judged(test, student)
    assert verdict.outcome is Outcome.PASSED, verdict


def test_what_a_cell_seeds_a_students_function_draws_from(judged):
    """As in one process; until then it draws from a generator of its own."""
    student = IMPORT + "def noise(n):\n    return torch.rand(n)\n"
    test = IMPORT + (
        "torch.manual_seed(3)\ngot = noise(4)\ntorch.manual_seed(3)\nassert torch.equal(got, torch.rand(4))\n"
        "assert torch.equal(noise(2), torch.rand(2))\n"
    )
    assert judged(test.rpartition("assert")[0], student).outcome is Outcome.PASSED
    free = IMPORT + "assert not torch.equal(noise(4), torch.rand(4))\n"
    assert judged(free, student).outcome is Outcome.PASSED


def test_what_a_cell_draws_follows_from_its_seed(judged):
    """A grading gives the same numbers again."""
    cell = IMPORT + "print(torch.rand(3).tolist())\nassert double(1) == 3"
    seen = {judged(cell, HONEST).output for _ in range(2)}
    assert len(seen) == 1


@pytest.mark.parametrize("load", ["torch.load('theirs.pt')", "torch.load('theirs.pt', weights_only=False)"])
def test_a_students_file_is_not_loaded(judged, tmp_path, monkeypatch, load):
    """Whatever is in it; the instructor's is."""
    monkeypatch.chdir(tmp_path)
    student = (
        "import os, tempfile, torch\n"
        "os.chdir(tempfile.mkdtemp())\n"  # a student writes into a folder of his own, and not beside the cell
        "torch.save(torch.ones(2), 'theirs.pt')\n"
        "def two():\n    return torch.ones(2)\n"
    )
    verdict = judged(IMPORT + f"assert torch.equal({load}, torch.ones(2))", student)
    assert verdict.points == 0
    assert "student's" in str(verdict)
    torch.save(torch.ones(2), "theirs.pt")
    own = IMPORT + f"assert torch.equal({load}, two())"
    assert judged(own, student).outcome is Outcome.PASSED


def test_what_a_cell_imports_late_is_guarded(judged):
    """Some modules come only when they are named."""
    student = "def text():\n    return 'int f() { return 1; }'\n"
    test = "from torch.utils import cpp_extension as c\nc.load_inline('own', [text()])"
    verdict = judged(test, student)
    assert verdict.outcome is Outcome.ERROR
    assert "does not stand in the cell" in str(verdict)


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ("it.mul_(2)", "it.tolist() == [2, 2] and part.tolist() == [2]"),
        ("it[0] = 5", "it.tolist() == [5, 1] and part.tolist() == [5]"),
        ("torch.nn.init.zeros_(it)", "it.tolist() == [0, 0]"),
        ("it.resize_(2, 1)", "it.shape == (2, 1)"),
        ("it.requires_grad_()", "it.requires_grad"),
        ("it.grad = 3 * it", "torch.equal(it.grad, torch.tensor([3.0, 3.0]))"),
    ],
)
def test_a_tensor_becomes_what_a_function_made_of_it(judged, change, holds):
    """Where the solution writes into it; views see it."""
    student = IMPORT + f"def change(it):\n    {change}\n"
    test = IMPORT + f"it = torch.ones(2)\npart = it[:1]\nchange(it)\nassert {holds}"
    verdict = judged(test, student)
    assert verdict.outcome is Outcome.PASSED, verdict
    idle = IMPORT + "def change(it):\n    pass\n"
    assert judged(test, student, solution=idle).outcome is not Outcome.PASSED
    assert judged(test, idle, solution=student).outcome is not Outcome.PASSED
