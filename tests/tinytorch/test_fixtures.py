"""Operations, layers and losses give what PyTorch gives, forward and backward."""

import numpy as np

from tinytorch import Tensor, nn


def tolerance(array):
    return {"rtol": 1e-5, "atol": 1e-6} if array.dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-12}


def agrees(case, f, **inputs):
    """Compare f of the inputs, and the gradient of each, with a case's arrays."""
    tensors = {name: Tensor(value, requires_grad=True) for name, value in inputs.items()}
    out = f(**tensors)
    out.backward(case["grad_out"])
    pairs = {"out": out, **{f"grad_{name}": tensor.grad for name, tensor in tensors.items()}}
    for name, got in pairs.items():
        want = case[name]
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        np.testing.assert_allclose(got.numpy(), want, **tolerance(want), err_msg=name)


def test_operations_agree_with_pytorch(operations_case):
    """Central differences would pass a forward and a backward that are wrong together."""
    inputs = {name: operations_case[name] for name in ("a", "b") if name in operations_case}
    agrees(operations_case, lambda **names: eval(str(operations_case["expression"]), names), **inputs)


def test_linear_agrees_with_pytorch(linear_case):
    """A transposed weight would pass every test that builds its expectation the same way round."""
    agrees(linear_case, nn.linear, **{k: linear_case[k] for k in ("x", "weight", "bias") if k in linear_case})


def test_activations_agree_with_pytorch(activations_case):
    """Among the cases are 0, where relu has a corner, and ±10⁴, where a careless exponential overflows."""
    agrees(activations_case, getattr(nn, str(activations_case["name"])), x=activations_case["x"])


def test_losses_agree_with_pytorch(losses_case):
    """Summed instead of averaged, or averaged over the wrong axis, a loss still falls in training."""
    loss, target = getattr(nn, str(losses_case["name"])), losses_case["target"]
    agrees(losses_case, lambda x: loss(x, target), x=losses_case["x"])
