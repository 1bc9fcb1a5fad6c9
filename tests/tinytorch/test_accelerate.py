"""The fast ways and the slow ones give the same numbers; what they cost is for the benchmarks."""

import tracemalloc

import numpy as np
import pytest

from tinytorch import accelerate, nn

PRODUCTS = {
    "lists": accelerate.matmul_lists,
    "scalars": accelerate.matmul_scalars,
    "blocked_lists": lambda a, b: accelerate.matmul_blocked_lists(a, b, block=4),
    "blocked": lambda a, b: accelerate.matmul_blocked(a, b, block=4),
}
CONVOLUTIONS = [accelerate.conv2d_loops, accelerate.conv2d_shifts]


@pytest.mark.parametrize("matmul", PRODUCTS.values(), ids=PRODUCTS)
@pytest.mark.parametrize(
    ("rows", "depth", "columns"),
    [(1, 1, 1), (8, 8, 8), (5, 7, 3), (4, 9, 1), (1, 3, 6), (0, 3, 2), (3, 0, 2)],
)
def test_every_way_to_multiply_gives_numpys_product(matmul, rows, depth, columns):
    """Also where no block fits evenly: square matrices would hide an exchanged index."""
    rng = np.random.default_rng(rows)
    a, b = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
    got = matmul(a, b)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, a @ b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("matmul", PRODUCTS.values(), ids=PRODUCTS)
def test_products_keep_float32_and_refuse_what_does_not_fit(matmul):
    """A vector would broadcast in some ways and not in others."""
    a = np.ones((2, 3), np.float32)
    assert matmul(a, a.T).dtype == np.float32
    for wrong in (a, a[0], a[None]):
        with pytest.raises(ValueError, match="matrices"):
            matmul(a, wrong)


def test_a_batch_of_products_is_numpys():
    """One call for all gives what one call for each does."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 3, 4))
    np.testing.assert_allclose(accelerate.matmul_each(a, b), a @ b, rtol=1e-12)
    with pytest.raises(ValueError, match="matmul_each"):
        accelerate.matmul_each(a, b[:4])


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 1), (2, 3, 5), (3, 70_000), (700, 900), (0, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fused_softmax_is_that_of_the_steps(shape, dtype):
    """For less than a block, for several, and for rows longer than one."""
    x = (10 * np.random.default_rng(0).normal(size=shape)).astype(dtype)
    got = accelerate.softmax(x)
    assert (got.dtype, got.shape) == (dtype, shape)
    np.testing.assert_allclose(got, accelerate.softmax_steps(x), rtol=2e-6 if dtype == np.float32 else 1e-13)


def test_fused_softmax_makes_one_array():
    """The steps make three, and for long inputs that is where their time goes."""
    x = np.ones((1000, 1000), np.float32)
    peaks = []
    for softmax in (accelerate.softmax, accelerate.softmax_steps):
        tracemalloc.start()
        softmax(x)
        peaks.append(tracemalloc.get_traced_memory()[1] / x.nbytes)
        tracemalloc.stop()
    assert peaks[0] < 1.1
    assert peaks[1] > 1.9


@pytest.mark.parametrize("convolve", CONVOLUTIONS)
@pytest.mark.parametrize(
    ("x", "weight"),
    [((2, 3, 5, 4), (4, 3, 3, 2)), ((1, 1, 3, 3), (1, 1, 3, 3)), ((2, 2, 4, 6), (3, 2, 1, 3))],
)
def test_every_way_to_convolve_gives_what_the_layer_gives(convolve, x, weight):
    """Height and width differ, and so do channels and filters, so that none can stand for another."""
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=x), rng.normal(size=weight)
    np.testing.assert_allclose(convolve(x, weight), nn.conv2d(x, weight).numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("convolve", CONVOLUTIONS)
def test_filters_that_do_not_fit_are_named(convolve):
    """Other channels, or an image that is too small."""
    with pytest.raises(ValueError, match="N, C, H, W"):
        convolve(np.ones((1, 2, 3, 3)), np.ones((1, 3, 2, 2)))
    with pytest.raises(ValueError, match="fit into"):
        convolve(np.ones((1, 2, 3, 3)), np.ones((1, 2, 4, 2)))


def test_inputs_are_left_as_they_are():
    """Working in place is for memory of one's own."""
    x = np.random.default_rng(0).normal(size=(4, 4))
    before = x.copy()
    accelerate.softmax(x)
    for matmul in PRODUCTS.values():
        matmul(x, x)
    np.testing.assert_array_equal(x, before)


def test_a_block_of_nothing_is_refused():
    """It would never come to an end."""
    with pytest.raises(ValueError, match="at least one"):
        accelerate.matmul_blocked(np.ones((2, 2)), np.ones((2, 2)), block=0)
