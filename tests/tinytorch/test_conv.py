"""Convolution: against PyTorch's results, loops, and central differences."""

import tracemalloc

import numpy as np
import pytest

from tinytorch import Tensor, Variable, check_grads
from tinytorch.nn import Conv2d, conv2d
from tinytorch.tensor import rules

GEOMETRIES = {  # x, weight, stride, padding
    "wide": ((2, 3, 5, 8), (4, 3, 3, 2), 1, 0),
    "strides_that_leave_a_rest": ((2, 1, 8, 9), (2, 1, 3, 2), (2, 3), 0),
    "padding_of_unlike_sides": ((1, 2, 4, 3), (3, 2, 2, 3), 1, (2, 1)),
    "stride_beyond_kernel": ((1, 2, 7, 7), (2, 2, 2, 1), 3, 1),
    "one_image": ((3, 5, 4), (2, 3, 3, 3), 1, 1),
}
every_geometry = pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())


def draw(geometry, seed=0):
    rng = np.random.default_rng(seed)
    x, weight, stride, padding = geometry
    return rng.normal(size=x), rng.normal(size=weight), rng.normal(size=weight[:1]), stride, padding


def by_loops(x, weight, bias, stride, padding):
    """Return the convolution of one image as it is defined."""
    (sy, sx), (py, px) = np.broadcast_to(stride, 2), np.broadcast_to(padding, 2)
    x = np.pad(x, ((0, 0), (py, py), (px, px)))
    kh, kw = weight.shape[2:]
    places = [
        range(0, size - k + 1, step) for size, k, step in zip(x.shape[1:], (kh, kw), (sy, sx), strict=True)
    ]
    return np.array(
        [
            [[(x[:, i : i + kh, j : j + kw] * w).sum() + b for j in places[1]] for i in places[0]]
            for w, b in zip(weight, bias, strict=True)
        ]
    )


def test_conv2d_agrees_with_pytorch(conv2d_case):
    """A forward and a backward that are wrong together pass central differences, but not this."""
    case = conv2d_case
    inputs = {
        name: Tensor(case[name], requires_grad=True) for name in ("x", "weight", "bias") if name in case
    }
    out = conv2d(**inputs, stride=tuple(case["stride"]), padding=tuple(case["padding"]))
    out.backward(case["grad_out"])
    tolerance = 1e-5 if case["out"].dtype == np.float32 else 1e-12
    for name, got in {"out": out, **{f"grad_{name}": x.grad for name, x in inputs.items()}}.items():
        assert got.dtype == case[name].dtype
        np.testing.assert_allclose(got.numpy(), case[name], rtol=tolerance, atol=tolerance, err_msg=name)


@every_geometry
def test_conv2d_is_what_the_definition_says(geometry):
    """Loops over windows are slow and hard to get wrong."""
    x, *others = draw(geometry)
    images = x if x.ndim == 4 else x[None]
    want = np.array([by_loops(image, *others) for image in images])
    np.testing.assert_allclose(conv2d(x, *others).numpy(), want if x.ndim == 4 else want[0])


@every_geometry
@pytest.mark.parametrize("seed", range(5))
def test_conv2d_has_the_gradients_of_central_differences(geometry, seed):
    """Height and width differ everywhere: a gradient that mixes them up passes on squares."""
    x, weight, bias, stride, padding = draw(geometry, seed)
    check_grads(lambda *inputs: conv2d(*inputs, stride, padding), x, weight, bias)
    check_grads(lambda *inputs: conv2d(*inputs, None, stride, padding), x, weight)


def test_conv2d_gradient_adds_up_where_windows_overlap():
    """With stride 1 and a 3 by 3 kernel an inner pixel is read nine times, a corner once."""
    x = Tensor(np.zeros((1, 1, 5, 5)), requires_grad=True)
    conv2d(x, np.ones((1, 1, 3, 3))).sum().backward()
    rows = np.array([1, 2, 3, 2, 1])
    np.testing.assert_array_equal(x.grad.numpy()[0, 0], rows[:, None] * rows)


def test_a_gradient_without_memory_of_its_own_is_as_good_as_another():
    """`sum` hands back one number repeated by strides of zero, which BLAS does not take."""
    x, weight, *_ = draw(GEOMETRIES["wide"])
    grads = []
    for gradient in (np.ones((2, 4, 3, 7)), np.broadcast_to(1.0, (2, 4, 3, 7)), np.ones((7, 3, 4, 2)).T):
        inputs = Tensor(x, requires_grad=True), Tensor(weight, requires_grad=True)
        conv2d(*inputs).backward(gradient)
        grads.append([tensor.grad.numpy() for tensor in inputs])
    for other in grads[1:]:
        for got, want in zip(other, grads[0], strict=True):
            np.testing.assert_array_equal(got, want)


def test_an_image_gives_the_same_alone_and_in_a_batch_of_many():
    """A batch is worked on in parts that fit the cache: the last part is shorter than the others."""
    rng = np.random.default_rng(0)
    x, weight, g = (
        rng.normal(size=(50, 4, 20, 20)),
        rng.normal(size=(3, 4, 5, 5)),
        rng.normal(size=(50, 3, 16, 16)),
    )
    batch, filters = Tensor(x, requires_grad=True), Tensor(weight, requires_grad=True)
    out = conv2d(batch, filters)
    out.backward(g)
    summed = np.zeros_like(weight)
    for i in range(len(x)):
        image, own = Tensor(x[i : i + 1], requires_grad=True), Tensor(weight, requires_grad=True)
        alone = conv2d(image, own)
        alone.backward(g[i : i + 1])
        np.testing.assert_allclose(out.numpy()[i : i + 1], alone.numpy(), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(batch.grad.numpy()[i : i + 1], image.grad.numpy(), rtol=1e-12, atol=1e-12)
        summed += own.grad.numpy()
    np.testing.assert_allclose(filters.grad.numpy(), summed, rtol=1e-10, atol=1e-10)


def test_columns_are_never_held_for_a_whole_batch():
    """All columns of these images are 25 MB, nine times the images; the result is 5.5 MB."""
    x, weight = np.zeros((64, 16, 28, 28), np.float32), np.zeros((32, 16, 3, 3), np.float32)
    tracemalloc.start()
    out = conv2d(x, weight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.numpy().nbytes + 2e6


class NumpyOnly:
    """Something that only says how to get at its array."""

    __slots__ = ("array",)

    def __init__(self, array):
        self.array = array

    def numpy(self):
        return self.array


@pytest.mark.parametrize("kind", [NumpyOnly, Tensor, Variable, np.asarray, np.ndarray.tolist])
def test_whatever_has_an_array_can_be_convolved(kind):
    """The array is asked for in one way, so that no list of known types has to be kept."""
    inputs = [array.astype(np.float32) for array in draw(GEOMETRIES["wide"])[:3]]
    out = conv2d(*map(kind, inputs))
    assert type(out) is Tensor
    np.testing.assert_array_equal(out.numpy(), conv2d(*inputs).numpy())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_conv2d_keeps_the_dtype_in_both_directions(dtype):
    """A float64 that passes through float32 loses half its digits, the other way round half the speed."""
    inputs = [Tensor(array.astype(dtype), requires_grad=True) for array in draw(GEOMETRIES["wide"])[:3]]
    out = conv2d(*inputs, padding=1)
    out.sum().backward()
    assert [out.dtype, *(tensor.grad.dtype for tensor in inputs)] == [dtype] * 4


def test_conv2d_promotes_unlike_dtypes_as_numpy_does():
    """The memory that the products are written to is chosen before they are known."""
    x, weight, bias, *_ = draw(GEOMETRIES["wide"])
    assert conv2d(x.astype(np.float32), weight).dtype == np.float64
    assert conv2d(x.astype(int), weight.astype(int)).dtype == np.int64
    assert conv2d(x.astype(int), weight.astype(int), bias).dtype == np.float64


@pytest.mark.parametrize("padding", [0, 1])
def test_conv2d_leaves_its_inputs_alone_and_shares_no_memory_with_them(padding):
    """Padding in place, or a view of the image as the result, shows only at the next step."""
    inputs = draw(((1, 1, 4, 4), (1, 1, 1, 1), 1, 0))[:3]
    before = [array.copy() for array in inputs]
    out = conv2d(*inputs, padding=padding).numpy()
    out[...] = 7
    for array, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_only_what_needs_a_gradient_gets_one():
    """The images of a data set need none, and theirs would be the dearest."""
    x, weight, bias, *_ = draw(GEOMETRIES["wide"])
    images, filters = Tensor(x), Tensor(weight, requires_grad=True)
    conv2d(images, filters, bias).sum().backward()
    assert images.grad is None
    assert filters.grad is not None


def test_a_batch_of_no_images_has_no_result_and_no_gradient():
    """The last part of a filtered data set may be empty."""
    x, weight = (
        Tensor(np.zeros((0, 2, 5, 5)), requires_grad=True),
        Tensor(np.ones((3, 2, 2, 2)), requires_grad=True),
    )
    out = conv2d(x, weight)
    out.sum().backward()
    assert out.shape == (0, 3, 4, 4)
    assert x.grad.shape == x.shape
    np.testing.assert_array_equal(weight.grad.numpy(), np.zeros(weight.shape))


@pytest.mark.parametrize(
    ("x", "weight", "bias", "options", "says"),
    [
        ((5, 5), (1, 1, 3, 3), None, {}, r"\(N, C, H, W\) or \(C, H, W\)"),
        ((1, 1, 1, 5, 5), (1, 1, 3, 3), None, {}, r"\(N, C, H, W\) or \(C, H, W\)"),
        ((1, 1, 5, 5), (1, 3, 3), None, {}, r"\(O, C, kh, kw\)"),
        ((1, 2, 5, 5), (1, 3, 3, 3), None, {}, "2 channels"),
        ((1, 1, 5, 5), (2, 1, 3, 3), (3,), {}, "bias"),
        ((1, 1, 5, 5), (2, 1, 3, 3), (), {}, "bias"),
        ((1, 1, 2, 5), (1, 1, 3, 3), None, {}, "do not fit"),
        ((1, 1, 5, 2), (1, 1, 3, 3), None, {"padding": (1, 0)}, "do not fit"),
        ((1, 1, 5, 5), (1, 1, 3, 3), None, {"stride": 0}, "stride"),
        ((1, 1, 5, 5), (1, 1, 3, 3), None, {"padding": -1}, "padding"),
    ],
)
def test_shapes_that_do_not_fit_are_named(x, weight, bias, options, says):
    """Broadcasting would let some of them pass, with a result nobody asked for."""
    with pytest.raises(ValueError, match=says):
        conv2d(np.zeros(x), np.zeros(weight), None if bias is None else np.zeros(bias), **options)


def test_a_number_is_no_image():
    """It has no shape that could be found wrong."""
    for inputs in ((1.0, np.ones((1, 1, 1, 1))), (np.ones((1, 1, 1)), 1.0)):
        with pytest.raises(ValueError, match="must be"):
            conv2d(*inputs)


def test_what_does_not_fit_is_refused_each_time():
    """What shapes decide is remembered, for stride, padding and dtype apart, and not that they are wrong."""
    x, weight = np.ones((1, 1, 2, 3)), np.ones((1, 1, 3, 3))
    for _ in range(2):
        with pytest.raises(ValueError, match="do not fit"):
            conv2d(x, weight)
        for dtype in (np.float64, np.float32):
            for stride, padding, shape in ((1, 1, (2, 3)), (2, 1, (1, 2)), (1, 2, (4, 5))):
                out = conv2d(x.astype(dtype), weight.astype(dtype), None, stride, padding)
                assert (out.dtype, out.shape) == (dtype, (1, 1, *shape))


def test_a_filter_that_is_not_finite_spoils_only_the_pixels_it_met():
    """The upper left of a filter meets no pixel of the last row: a sum over 0 times infinity would be NaN."""
    x, weight = Tensor(np.ones((1, 1, 3, 3)), requires_grad=True), np.ones((1, 1, 2, 2))
    weight[0, 0, 0, 0] = np.inf
    conv2d(x, weight).backward(np.ones((1, 1, 2, 2)))
    np.testing.assert_array_equal(x.grad.numpy()[0, 0], [[np.inf, np.inf, 1], [np.inf, np.inf, 2], [1, 2, 1]])


def test_the_layer_has_filters_for_its_channels_and_passes_its_options_on():
    """Height comes before width in every pair."""
    layer = Conv2d(3, 8, (5, 3), stride=(2, 1), padding=(0, 1))
    assert {name: p.shape for name, p in layer.named_parameters()} == {
        "weight": (8, 3, 5, 3),
        "bias": (8,),
    }
    x = np.random.default_rng(0).normal(size=(2, 3, 9, 7)).astype(np.float32)
    out = layer(x)
    assert out.shape == (2, 8, 3, 7)
    np.testing.assert_array_equal(out.numpy(), conv2d(x, layer.weight, layer.bias, (2, 1), (0, 1)).numpy())


def test_the_layer_without_bias_has_one_parameter():
    """A bias of zeros would still be learned."""
    layer = Conv2d(1, 2, 3, bias=False)
    assert layer.bias is None
    assert [p.shape for p in layer.parameters()] == [(2, 1, 3, 3)]
    assert layer(np.ones((1, 1, 3, 3), np.float32)).shape == (1, 2, 1, 1)


def test_the_layer_starts_from_the_generator_it_is_given():
    """Filters that start out equal stay equal; ones that cannot be drawn again make no experiment."""
    one, same = (Conv2d(4, 9, 5, rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.weight.numpy(), same.weight.numpy())
    assert one.weight.dtype == one.bias.dtype == np.float32
    assert len(np.unique(one.weight.numpy())) > 0.9 * one.weight.size
    assert 0.09 < np.abs(one.weight.numpy()).max() <= 0.1


def test_columns_that_are_kept_give_the_same_gradient_as_new_ones():
    """Few are kept until backward, for each call: two that share a filter do not share columns."""
    rng = np.random.default_rng(0)
    images, seeds = rng.normal(size=(2, 1, 2, 6, 5)), rng.normal(size=(2, 1, 3, 4, 3))
    weight = Tensor(rng.normal(size=(3, 2, 3, 3)), requires_grad=True)
    inputs = [(image, weight.numpy(), None) for image in images]
    options = {"stride": (1, 1), "padding": (0, 0)}
    new = [rules["conv2d"].backward[1](g, None, *x, **options) for g, x in zip(seeds, inputs, strict=True)]
    outs = [conv2d(image, weight) for image in images]
    for out, seed in zip(outs, seeds, strict=True):
        out.backward(seed, retain_graph=True)
        out.backward(seed)
    np.testing.assert_allclose(weight.grad.numpy(), 2 * (new[0] + new[1]))


@pytest.mark.parametrize("shape", [(64, 4, 20, 20), (1, 4, 160, 160)], ids=["many", "one_large"])
def test_many_columns_are_not_kept(shape):
    """They are nine times the images: a deep network would run out of memory on them."""
    kept = []
    x, weight = np.ones(shape, np.float32), np.ones((2, 4, 3, 3), np.float32)
    rules["conv2d"].forward(x, weight, None, stride=(1, 1), padding=(0, 0), kept=kept)
    assert not kept
