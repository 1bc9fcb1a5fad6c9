"""Max pooling and flattening: against PyTorch's results and central differences."""

import numpy as np
import pytest

from tinytorch import Tensor, check_grads
from tinytorch.nn import Flatten, MaxPool2d, flatten, max_pool2d


def pooled_gradient(x, *options):
    """Return the gradient of the sum of what max pooling gives."""
    x = Tensor(np.asarray(x, float), requires_grad=True)
    max_pool2d(x, *options).sum().backward()
    return x.grad.numpy()


def test_max_pool2d_agrees_with_pytorch(max_pool2d_case):
    """Among the cases are ties, negative images, -inf, overlap, gaps, and rests at the edge."""
    case = max_pool2d_case
    x = Tensor(case["x"], requires_grad=True)
    out = max_pool2d(x, tuple(case["kernel"]), tuple(case["stride"]))
    out.backward(case["grad_out"])
    np.testing.assert_array_equal(out.numpy(), case["out"])
    np.testing.assert_allclose(x.grad.numpy(), case["grad_x"], rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("kernel", "stride"), [(2, None), (3, 1), ((2, 3), (3, 2)), ((1, 2), (2, 1))])
def test_max_pool2d_has_the_gradients_of_central_differences(kernel, stride, seed):
    """No two numbers are closer than the step of the differences, so none overtakes another."""
    x = np.random.default_rng(seed).permutation(2 * 2 * 7 * 5).reshape(2, 2, 7, 5) / 10
    check_grads(lambda x: max_pool2d(x, kernel, stride), x)


def test_the_window_moves_by_its_size_unless_told_otherwise():
    """That is what makes pooling by 2 halve an image."""
    x = np.arange(24.0).reshape(1, 1, 4, 6)
    np.testing.assert_array_equal(max_pool2d(x, (2, 3)).numpy(), [[[[8, 11], [20, 23]]]])
    np.testing.assert_array_equal(max_pool2d(x, (2, 3), 1).shape, (1, 1, 3, 4))


def test_rows_and_columns_that_fill_no_window_are_left_out():
    """They count for nothing, and so their gradient is zero."""
    x = np.arange(15.0).reshape(1, 3, 5)
    np.testing.assert_array_equal(max_pool2d(x, 2).numpy(), [[[6, 8]]])
    assert np.count_nonzero(pooled_gradient(x, 2)) == 2


def test_of_equal_numbers_the_first_gets_the_gradient():
    """A window has one gradient to give: handing it to all that are equal would multiply it."""
    want = np.zeros((1, 4, 4))
    want[:, ::2, ::2] = 1
    np.testing.assert_array_equal(pooled_gradient(np.full((1, 4, 4), -3.0), 2), want)


def test_gradients_add_up_where_windows_overlap():
    """The peak in the middle is the largest number of all nine windows."""
    x = np.zeros((1, 5, 5))
    x[0, 2, 2] = 1
    np.testing.assert_array_equal(pooled_gradient(x, 3, 1), 9 * x)


def test_nan_counts_as_the_largest_number_and_gets_the_gradient():
    """A NaN that pooling swallows is found much later, somewhere else."""
    x = np.array([[[1, np.nan, 2, 3], [5, 1, -np.inf, 0]]])
    np.testing.assert_array_equal(max_pool2d(x, 2).numpy(), [[[np.nan, 3]]])
    np.testing.assert_array_equal(pooled_gradient(x, 2), [[[0, 1, 0, 1], [0, 0, 0, 0]]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_max_pool2d_keeps_the_dtype(dtype):
    """A largest number is one of the numbers."""
    assert max_pool2d(np.ones((1, 2, 2), dtype), 2).dtype == dtype


def test_max_pool2d_shares_no_memory_with_its_input():
    """With a window of one pixel the largest numbers are the image itself."""
    x = np.ones((1, 1, 2, 2))
    max_pool2d(x, 1).numpy()[...] = 7
    np.testing.assert_array_equal(x, 1)


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "says"),
    [
        ((4,), 2, None, "N, C, H, W"),
        ((1, 1, 2, 5), 3, 1, "does not fit"),
        ((1, 4, 4), 2, 0, "stride"),
        ((1, 4, 4), 0, 1, "kernel"),
    ],
)
def test_windows_that_make_no_sense_are_named(shape, kernel, stride, says):
    """An empty result would go unnoticed until a mean of it is NaN."""
    with pytest.raises(ValueError, match=says):
        max_pool2d(np.zeros(shape), kernel, stride)


def test_the_pooling_layer_passes_its_options_on():
    """It has nothing to learn."""
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 5))
    layer = MaxPool2d((3, 2), stride=(2, 1))
    np.testing.assert_array_equal(layer(x).numpy(), max_pool2d(x, (3, 2), (2, 1)).numpy())
    assert layer.parameters() == []


@pytest.mark.parametrize(
    ("shape", "start", "want"),
    [
        ((2, 3, 4), 0, (24,)),
        ((2, 3, 4), 1, (2, 12)),
        ((2, 3, 4), 2, (2, 3, 4)),
        ((2, 3, 4), -2, (2, 12)),
        ((5,), 0, (5,)),
        ((), 0, (1,)),
        ((0, 3, 4), 1, (0, 12)),
    ],
)
def test_flatten_joins_the_axes_from_the_one_it_is_told(shape, start, want):
    """Elements keep their order, the last axis running fastest."""
    x = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(flatten(x, start).numpy(), x.reshape(want))


@pytest.mark.parametrize("start", [2, -3])
def test_flatten_refuses_an_axis_that_is_not_there(start):
    """Python's slices would quietly flatten nothing, or everything."""
    with pytest.raises(IndexError, match="start_dim"):
        flatten(np.zeros((2, 3)), start)


def test_flatten_passes_gradients_back_in_the_old_shape():
    """It is where a network goes from images to numbers: cut here, and no filter learns."""
    x = np.random.default_rng(0).normal(size=(2, 3, 2, 2))
    check_grads(lambda x: flatten(x, 1) * np.arange(12.0), x)
    check_grads(lambda x: flatten(x) * np.arange(24.0), x.T)


def test_the_flatten_layer_keeps_the_batch():
    """Flattening all of it would mix the samples; with one sample that goes unnoticed."""
    assert Flatten()(np.zeros((2, 3, 4, 5))).shape == (2, 60)
    assert Flatten(2)(np.zeros((2, 3, 4, 5))).shape == (2, 3, 20)
