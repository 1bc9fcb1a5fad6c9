"""Softmax and layer normalization: against PyTorch's results, central differences, and their promises."""

import numpy as np
import pytest

from tinytorch import Tensor, check_grads, nn


def tolerance(dtype):
    return {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-12}


def agrees(case, f, *names):
    """Compare f of the named arrays of a case, and its gradients, with PyTorch's."""
    tensors = [Tensor(case[name], requires_grad=True) for name in names]
    out = f(*tensors)
    out.backward(case["grad_out"])
    got = {"out": out, **{f"grad_{name}": tensor.grad for name, tensor in zip(names, tensors, strict=True)}}
    for name, tensor in got.items():
        assert (tensor.dtype, tensor.shape) == (case[name].dtype, case[name].shape)
        np.testing.assert_allclose(tensor.numpy(), case[name], **tolerance(tensor.dtype), err_msg=name)


def test_softmax_agrees_with_pytorch(softmax_case):
    """Among the cases are ±10⁴, where a careless exponential overflows, and -inf, as a mask has it."""
    agrees(softmax_case, nn.softmax, "x")


def test_layer_norm_agrees_with_pytorch(layer_norm_case):
    """Among the cases are rows far from 0, where Σx² - (Σx)² would lose all digits, and rows of equals.

    There, what is left of a difference of large numbers decides the gradient.
    """
    case = layer_norm_case
    agrees(case, lambda *inputs: nn.layer_norm(*inputs, float(case["eps"])), "x", "weight", "bias")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 7)])
def test_gradients_are_those_of_central_differences(shape, seed):
    """For every input, at odd shapes."""
    rng = np.random.default_rng(seed)
    x, weight, bias = rng.normal(size=shape), *rng.normal(size=(2, shape[-1]))
    check_grads(nn.softmax, x)
    check_grads(nn.layer_norm, x, weight, bias)


def test_shares_add_up_to_1_and_do_not_change_when_all_scores_do():
    """Only differences between scores count."""
    x = np.random.default_rng(0).normal(size=(3, 50))
    shares = nn.Softmax()(x).numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(nn.softmax(x + 1e3).numpy(), shares, rtol=1e-10)


def test_normalized_rows_have_mean_0_and_variance_1():
    """Until weight and bias have learned something else."""
    x = 5 + 3 * np.random.default_rng(0).normal(size=(4, 100))
    rows = nn.LayerNorm(100, eps=0)(x).numpy()
    np.testing.assert_allclose(rows.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(rows.var(axis=1), 1, rtol=1e-12)


def test_layer_norm_learns_both_of_its_parameters():
    """One that gets no gradient stays 1, or 0, for good."""
    layer = nn.LayerNorm(3)
    (layer([[1.0, 2.0, 4.0], [0.0, 0.0, 1.0]]) ** 2).sum().backward()
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert all(np.all(parameter.grad.numpy() != 0) for parameter in layer.parameters())


def test_layer_norm_names_parameters_that_do_not_fit():
    """A weight of one number would broadcast, and scale all alike."""
    with pytest.raises(ValueError, match="needs a weight"):
        nn.layer_norm(np.ones((2, 3)), np.ones(1), np.ones(3))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    """A constant of float64 in the wrong place would promote everything after it."""
    x = np.ones((2, 3), dtype)
    assert nn.softmax(x).dtype == dtype
    assert nn.layer_norm(x, x[0], x[0]).dtype == dtype


def test_softmax_of_whole_numbers_is_of_floats():
    """Shares of a whole are seldom whole."""
    np.testing.assert_allclose(nn.softmax([[0, 0, 0, 0]]).numpy(), [[0.25] * 4])
