"""Each prefix of the layers works alone, as the students of the next assignment get it."""

import subprocess
import sys
from pathlib import Path

import pytest

from examiner.course.beside import allowed_files

PACKAGE = Path(__file__).parents[2] / "tinytorch"

# A layer, and what can be done once it is there.
LAYERS = {
    "tensor": """
        from tinytorch import Tensor, apply, rule
        rule("double", lambda x: 2 * x)
        assert (apply("double", Tensor([1.0, 2.0])) + [1, 1]).sum().item() == 8
        from tinytorch.tensor import rules
        assert "tinytorch.autograd" in sys.modules or not any(rule.backward for rule in rules.values())
    """,
    "autograd": """
        from tinytorch import Tensor, Variable, check_grads, no_grad
        x = Variable([3.0], requires_grad=True)
        (x * x).backward()
        assert x.grad.item() == 6
        check_grads(lambda x: x.exp(), [1.0])
    """,
    "nn.module": """
        from tinytorch import Parameter, Tensor, load, nn, save
        model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        nn.cross_entropy(model(Tensor([[1.0, 2.0]])), [1]).backward()
        assert all(p.grad is not None for p in model.parameters())
    """,
    "nn.conv": """
        from tinytorch import Tensor, nn
        assert nn.Conv2d(1, 2, 3)(Tensor([[[[1.0] * 3] * 3]])).shape == (1, 2, 1, 1)
    """,
    "nn.pooling": """
        from tinytorch import Tensor, nn
        pooled = nn.MaxPool2d(2)(Tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
        assert nn.Flatten()(pooled).numpy().tolist() == [[4.0]]
    """,
    "data": """
        from tinytorch import data
    """,
    "optim": """
        from tinytorch import Parameter, optim
        p = Parameter([1.0])
        p.grad = [1.0]
        optim.SGD([p], lr=1.0).step()
        assert p.item() == 0
    """,
    "accelerate": """
        import numpy as np
        from tinytorch import accelerate
        assert accelerate.matmul_lists(np.eye(2), np.eye(2)).tolist() == np.eye(2).tolist()
    """,
    "quantize": """
        from tinytorch import Tensor, nn, quantize
        assert quantize.QuantizedLinear(nn.Linear(2, 3))(Tensor([[1.0, 2.0]])).shape == (1, 3)
    """,
    "prune": """
        from tinytorch import nn, prune
        assert prune.Masks(nn.Linear(4, 5), 0.5).sparsity == 0.5
    """,
    "nn.norm": """
        from tinytorch import Tensor, nn
        assert nn.LayerNorm(2)(nn.Softmax()(Tensor([[3.0, 3.0]]))).numpy().tolist() == [[0.0, 0.0]]
    """,
    "nn.embedding": """
        from tinytorch import nn
        assert nn.Embedding(3, 2)([0, 2]).shape == (2, 2)
    """,
    "attention": """
        from tinytorch import attention
        decoder = attention.Decoder(5, 8, 4, 2, 1)
        assert attention.generate(decoder, [[1, 2]], 3).shape == (1, 5)
    """,
}
PREFIXES = [tuple(LAYERS)[:n] for n in range(1, len(LAYERS) + 1)]


def run(folder, code):
    """Run code in a fresh interpreter that finds packages in the folder first."""
    lines = [
        "import sys",
        f"sys.path.insert(0, {str(folder)!r})",
        *(line.strip() for line in code.splitlines()),
    ]
    command = [sys.executable, "-I", "-W", "error", "-c", "\n".join(lines)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("prefix", PREFIXES, ids=lambda prefix: prefix[-1])
def test_a_prefix_of_the_layers_works_with_only_its_files(prefix, tmp_path):
    """What students import must not need what they are about to write."""
    for name, content in allowed_files(PACKAGE, prefix).items():
        (tmp_path / "tinytorch" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tinytorch" / name).write_bytes(content)
    here = f"""
        loaded = [m.__file__ for name, m in sys.modules.items() if name.split(".")[0] == "tinytorch"]
        assert len(loaded) > 1 and all(file.startswith({str(tmp_path)!r}) for file in loaded), loaded
    """
    done = run(tmp_path, "\n".join([*(LAYERS[layer] for layer in prefix), here]))
    assert (done.returncode, done.stderr) == (0, "")
    for absent in set(LAYERS) - set(prefix):
        assert not (tmp_path / "tinytorch" / f"{absent.replace('.', '/')}.py").exists()


def test_every_layer_is_in_the_list():
    """A new one has its place in the order."""
    files = {
        path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        for path in PACKAGE.rglob("*.py")
    }
    assert {name for name in files if not name.endswith("__init__")} == set(LAYERS)


def test_the_whole_package_is_there_after_one_import():
    """`tinytorch.optim.SGD` needs no import of its own."""
    code = (
        "import tinytorch as t; t.optim.SGD, t.data, t.nn.Linear, t.nn.Conv2d, t.nn.Flatten, t.Tensor, "
        "t.save, t.nn.Softmax, t.nn.LayerNorm, t.nn.Embedding, t.accelerate, t.quantize, t.prune, t.attention"
    )
    assert run(PACKAGE.parent, code).stderr == ""
