"""Rows of a table by their number: against PyTorch's results and central differences."""

import numpy as np
import pytest

from tinytorch import Tensor, check_grads, nn


def test_embedding_agrees_with_pytorch(embedding_case):
    """Among the cases are rows that are used several times, and rows that are not used."""
    case = embedding_case
    weight = Tensor(case["weight"], requires_grad=True)
    out = nn.embedding(case["indices"], weight)
    out.backward(case["grad_out"])
    np.testing.assert_array_equal(out.numpy(), case["out"])
    assert weight.grad.dtype == case["grad_weight"].dtype
    np.testing.assert_allclose(weight.grad.numpy(), case["grad_weight"], rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_those_of_central_differences(seed):
    """Each place where a row was used adds to its gradient."""
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, 4, (3, 5))
    check_grads(lambda weight: nn.embedding(indices, weight) ** 2, rng.normal(size=(4, 3)))


def test_the_result_is_a_copy():
    """Writing into a sentence must not change the dictionary."""
    table = nn.Embedding(3, 2)
    before = table.weight.numpy().copy()
    table([1]).numpy()[...] = 9
    np.testing.assert_array_equal(table.weight.numpy(), before)


def test_no_indices_give_no_rows():
    """And no gradient: zeros, not an error."""
    weight = Tensor(np.ones((3, 2)), requires_grad=True)
    out = nn.embedding(np.zeros((2, 0), int), weight)
    assert out.shape == (2, 0, 2)
    out.sum().backward()
    np.testing.assert_array_equal(weight.grad.numpy(), 0)


@pytest.mark.parametrize(
    ("indices", "error"), [([0, 3], ValueError), ([-1], ValueError), ([0.0], TypeError), ([True], TypeError)]
)
def test_what_names_no_row_is_refused(indices, error):
    """-1 would be the last row, and True the second, without a word."""
    with pytest.raises(error, match="embedding"):
        nn.embedding(indices, np.ones((3, 2)))
