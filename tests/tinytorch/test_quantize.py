"""Codes on a grid: against PyTorch's, and what quantization promises about bytes, errors and zero."""

import numpy as np
import pytest

from tinytorch import Tensor, check_grads, nn, quantize
from tinytorch.quantize import Grid, QuantizedConv2d, QuantizedLinear, affine_grid, calibrate, symmetric_grid


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_grid_agrees_with_pytorch(quantization_case):
    """Among the cases are middles between two values, which go to the even code, and what is off the grid."""
    case = quantization_case
    grid = Grid(int(case["bits"]), case["scale"], case["zero_point"].astype(np.int32))
    codes = grid.encode(case["x"])
    assert codes.dtype == np.int8
    np.testing.assert_array_equal(codes, case["codes"])
    np.testing.assert_allclose(grid.decode(codes), case["out"], rtol=1e-6)


@pytest.mark.parametrize("make", [symmetric_grid, affine_grid])
@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("per_channel", [False, True])
def test_no_number_on_the_grid_is_off_by_more_than_half_a_step(make, bits, per_channel):
    """Truncation would be off by a whole one, and by one side."""
    x = normal(3, 5, 7) * np.array([[[1.0]], [[100]], [[0.01]]], np.float32)
    grid = make(x, bits, per_channel)
    assert grid.scale.shape == ((3, 1, 1) if per_channel else ())
    error = np.abs(quantize.quantize(x, grid).dequantize() - x)
    assert np.all(error <= grid.scale * (0.5 + 1e-4) + (grid.zero_point is not None) * grid.scale * 0.5)
    assert len(np.unique(grid.encode(x))) <= 2**bits


@pytest.mark.parametrize("make", [symmetric_grid, affine_grid])
@pytest.mark.parametrize(
    "x",
    [np.zeros(4), np.full(4, 7.0), np.full(4, -7.0), np.array([1e-40, 0]), np.array([0.0, 5, 9])],
    ids=["zeros", "equal", "negative", "tiny", "positive"],
)
def test_zero_stays_zero_and_constants_are_kept(make, x):
    """Padding is zero, and so is half of what comes from relu; a range of no width must not divide by 0."""
    x = x.astype(np.float32)
    got = quantize.quantize(np.append(x, np.float32(0)), make(x)).dequantize()
    assert got[-1] == 0
    np.testing.assert_allclose(got[:-1], x, rtol=1e-2, atol=1e-37)


def test_the_ends_of_a_symmetric_grid_are_as_far_from_0():
    """-128 would be a code that no positive number has: the mean of weights would move."""
    codes = quantize.quantize(np.array([-3.0, 0, 3], np.float32)).codes
    assert codes.tolist() == [-127, 0, 127]


def test_what_is_off_an_affine_grid_gets_its_end():
    """Wrapping around would turn the largest number into the smallest."""
    grid = affine_grid(np.array([0.0, 1], np.float32))
    np.testing.assert_allclose(grid.decode(grid.encode(np.array([-9.0, 9], np.float32))), [0, 1], rtol=1e-2)


@pytest.mark.parametrize("x", [[np.nan, 1], [np.inf, 1]])
def test_a_grid_for_what_is_not_finite_is_refused(x):
    """Its step would be, too, and every other number lost."""
    with pytest.raises(ValueError, match="finite"):
        symmetric_grid(np.array(x))
    with pytest.raises(ValueError, match="bits"):
        symmetric_grid(np.ones(2), bits=9)


@pytest.mark.parametrize("shape", [(4, 6), (3, 5), (7,), (2, 3, 3, 3), (2, 1)])
def test_packed_codes_come_back_and_take_half_the_bytes(shape):
    """Rows of odd length too, and negative codes with their sign."""
    x = normal(*shape)
    packed = quantize.quantize(x, symmetric_grid(x, 4))
    assert packed.codes.dtype == np.uint8
    assert packed.codes.nbytes == np.prod(shape[:-1], dtype=int) * -(-shape[-1] // 2)
    np.testing.assert_array_equal(packed.unpacked(), packed.grid.encode(x))
    assert packed.unpacked().min() == -7 or packed.unpacked().max() == 7


def test_calibration_sees_every_batch():
    """The last one alone may be the quietest."""
    grid = calibrate([np.array([-1.0, 0]), np.array([[3.0]]), np.array([0.5])])
    ends = grid.decode(np.array([-128, 127], np.int8))
    np.testing.assert_allclose(ends, [-1, 3], atol=float(grid.scale))


def test_a_percentile_cuts_off_outliers_on_both_sides():
    """One huge value would leave all others a few codes."""
    x = np.concatenate([normal(10_000), [1e4, -1e4]])
    fine = calibrate([x], percentile=99.9)
    assert fine.scale < 0.05 < calibrate([x]).scale
    ends = fine.decode(np.array([-128, 127], np.int8))
    np.testing.assert_allclose(ends, np.percentile(x, [0.1, 99.9]), atol=2 * float(fine.scale))
    for wrong in ((), 100), ([x], 0.5), ([x], 101):
        with pytest.raises(ValueError, match="calibrate"):
            calibrate(*wrong[:1], percentile=wrong[1])


@pytest.mark.parametrize("depth", [1, 5, 1024, 1025, 3000])
def test_products_of_codes_are_exact(depth):
    """In int8 they overflow, in int16 too, and in float32 from 1040 of the largest on."""
    a = np.random.default_rng(0).integers(-128, 128, (3, depth), np.int8)
    b = np.full((2, depth), -127, np.int8)
    a[0] = -128
    want = a.astype(np.int64) @ b.T.astype(np.int64)
    got = quantize.integer_matmul(a, b)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("shape", [(300,), (1, 300), (9, 300), (2, 3, 300)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_quantized_layer_computes_with_the_weights_it_keeps(bits, shape, bias):
    """Every output of it: 700 of them are more than a tile."""
    layer = nn.Linear(300, 700, bias=bias, rng=np.random.default_rng(0))
    quantized, x = QuantizedLinear(layer, bits), normal(*shape)
    want = nn.linear(x, quantized.weight.dequantize(), layer.bias).numpy()
    np.testing.assert_allclose(quantized(x).numpy(), want, rtol=1e-4, atol=1e-5)
    assert quantized(x).dtype == np.float32


def test_weights_on_a_shifted_grid_are_multiplied_as_well():
    """Then every sum has to be corrected by the sum of x."""
    layer = nn.Linear(20, 6, rng=np.random.default_rng(0))
    quantized, x = QuantizedLinear(layer), normal(4, 20) + 5
    weight = layer.weight.numpy() + np.float32(0.3)
    quantized.weight = quantize.quantize(weight, affine_grid(weight, per_channel=True))
    want = x @ quantized.weight.dequantize().T + layer.bias.numpy()
    np.testing.assert_allclose(quantized(x).numpy(), want, rtol=1e-4)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_layer_of_whole_numbers_computes_with_the_codes_of_both_sides(bits):
    """What comes in is positive, so its zero point is far from 0."""
    layer = nn.Linear(30, 8, rng=np.random.default_rng(0))
    x = np.abs(normal(5, 30))
    quantized = QuantizedLinear(layer, bits, calibrate([x]))
    rounded = quantized.inputs.decode(quantized.inputs.encode(x))
    want = rounded @ quantized.weight.dequantize().T + layer.bias.numpy()
    np.testing.assert_allclose(quantized(x).numpy(), want, rtol=1e-4, atol=1e-5)


def test_a_quantized_convolution_computes_with_the_filters_it_keeps():
    """With the options of the layer it was made of."""
    layer = nn.Conv2d(2, 5, 3, stride=2, padding=1, rng=np.random.default_rng(0))
    quantized, x = QuantizedConv2d(layer), normal(3, 2, 7, 6)
    want = nn.conv2d(x, quantized.weight.dequantize(), layer.bias, 2, 1)
    np.testing.assert_array_equal(quantized(x).numpy(), want.numpy())
    assert quantize.sqnr(layer(x), quantized(x)) > 35


def test_the_noise_is_as_low_as_the_bits_allow():
    """About 6 dB for each bit; a layer of 8 bits with a grid for each output reaches 40 dB."""
    layer, x = nn.Linear(300, 100, rng=np.random.default_rng(0)), normal(20, 300)
    noise = [quantize.sqnr(layer(x), QuantizedLinear(layer, bits)(x)) for bits in range(3, 9)]
    assert noise[-1] >= 40
    assert all(4 < step < 9 for step in np.diff(noise))


def test_a_grid_for_each_channel_is_finer_where_weights_are_small():
    """One grid for all has the step of the largest: to the small ones that is noise."""
    weight = normal(2, 100) * np.array([[1], [0.01]], np.float32)
    errors = [
        quantize.sqnr(
            weight[1], quantize.quantize(weight, symmetric_grid(weight, 8, per_channel)).dequantize()[1]
        )
        for per_channel in (False, True)
    ]
    assert errors[0] < 10
    assert errors[1] > 40


def test_signal_to_noise_is_in_decibels():
    """An error of a tenth is 20 dB, none at all infinitely many."""
    assert quantize.sqnr([10.0, 0], [11.0, 0]) == pytest.approx(20)
    assert quantize.sqnr([1.0], [1.0]) == np.inf


def test_a_quantized_layer_keeps_no_float32_weights():
    """What is kept alongside is not saved: the bytes are those of all arrays that it holds."""
    layer = nn.Linear(784, 256)
    whole = layer.weight.numpy().nbytes + layer.bias.numpy().nbytes
    for bits, ratio in ((8, 3.9), (4, 7.5)):
        quantized = QuantizedLinear(layer, bits)
        held = [quantized.weight.codes, quantized.weight.grid.scale, quantized.bias]
        assert quantized.nbytes == sum(array.nbytes for array in held)
        assert whole / quantized.nbytes >= ratio
        assert set(vars(quantized)) == {"weight", "bias", "inputs"}
        assert quantized.parameters() == []


def test_a_quantized_layer_is_a_copy():
    """Training goes on with the original."""
    layer = nn.Linear(3, 2)
    quantized = QuantizedLinear(layer)
    before = quantized([[1.0, 2, 3]]).numpy().copy()
    layer.weight.data = np.zeros((2, 3))
    layer.bias.data = np.zeros(2)
    np.testing.assert_array_equal(quantized([[1.0, 2, 3]]).numpy(), before)


def test_gradients_pass_through_a_quantized_layer():
    """It is linear in x, so central differences know them exactly."""
    layer = QuantizedLinear(nn.Linear(5, 3, rng=np.random.default_rng(0)))
    check_grads(layer, normal(4, 5), tolerance=1e-5)
    x = Tensor(np.abs(normal(4, 5)), requires_grad=True)
    QuantizedLinear(nn.Linear(5, 3), inputs=calibrate([x]))(x).sum().backward()
    assert np.all(x.grad.numpy() != 0)


def test_a_trained_network_predicts_the_same_in_a_quarter_of_the_bytes(trained):
    """Weights alone, and inputs as well; grids for these come from training images."""
    images, labels = trained.unseen
    want = trained.model(images).numpy().argmax(axis=1)
    whole = quantize.nbytes(trained.model)
    assert whole == sum(p.numpy().nbytes for p in trained.model.parameters())
    for bits, samples, ratio in ((8, None, 3.7), (8, trained.images[:200], 3.7), (4, None, 6.9)):
        small = quantize.quantize_model(trained.model, bits, samples)
        got = small(images).numpy().argmax(axis=1)
        assert np.mean(got == want) >= 0.95
        assert whole / quantize.nbytes(small) >= ratio
    assert np.mean(want == labels) >= 0.85
