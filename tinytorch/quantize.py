"""Fewer bits for each number: a grid of evenly spaced values, and for each number the place on it.

A float becomes a code, a small whole number, and comes back as::

    value = scale · (code - zero_point)

The scale is the step of the grid; the zero point is the code of 0.0, so that 0 stays exactly 0. One grid may
serve a whole tensor, or each output channel may have its own, which follows its own largest weight.

NumPy has no product of int8 matrices that is fast. Codes are expanded to float32, a cache tile at a time into
one buffer, and BLAS multiplies: memory is saved, and the expanding costs time. A batch pays for it, as each
expanded tile is then used many times; a single sample does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch.autograd import no_grad
from tinytorch.nn.conv import Conv2d, conv2d
from tinytorch.nn.module import Linear, Module, Sequential
from tinytorch.tensor import Tensor, apply, as_array, rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Array = np.ndarray
    Range = tuple[float, float]

BITS = range(2, 9)
PACKED = 4  # bits: two codes share a byte
TILE_BYTES = 1 << 18  # of expanded weights: they are read from the cache when they are multiplied
EXACT_DEPTH = 1024  # products of codes, each at most 2^14, that float32 adds without rounding: 2^24 / 2^14


@dataclass(frozen=True, slots=True)
class Grid:
    """Evenly spaced values: ``scale · (code - zero_point)`` for codes of so many bits, from -2^(bits-1) on.

    `scale` is float32, `zero_point` int32 or None for 0. Their shape is () for a whole tensor, and
    (O, 1, …) for a grid of each of the O channels along the first axis.
    """

    bits: int
    scale: Array
    zero_point: Array | None = None

    def encode(self, x: Array) -> Array:
        """Return the nearest codes, int8, in the shape of x; what lies outside the grid gets its end."""
        end = 1 << (self.bits - 1)
        codes = np.divide(x, self.scale)
        np.rint(codes, out=codes)
        if self.zero_point is not None:
            codes += self.zero_point
        lowest = -end if self.zero_point is not None else 1 - end  # a symmetric grid has no code for -128
        return np.clip(codes, lowest, end - 1, out=codes).astype(np.int8)

    def decode(self, codes: Array) -> Array:
        """Return what the codes stand for, as float32."""
        values = codes.astype(np.float32)
        if self.zero_point is not None:
            values -= self.zero_point
        values *= self.scale
        return values

    @property
    def nbytes(self) -> int:
        """Bytes of the scales and the zero points."""
        return self.scale.nbytes + (0 if self.zero_point is None else self.zero_point.nbytes)


def symmetric_grid(x: Array, bits: int = 8, per_channel: bool = False) -> Grid:
    """Return the grid from -max|x| to max|x|, with 0 in the middle: for weights.

    Raises
    ------
    ValueError
        If x has a number that is not finite, or there is no such number of bits.
    """
    largest = np.abs(_finite(x, bits)).max(axis=_within(x, per_channel), keepdims=per_channel, initial=0)
    return Grid(bits, _step(largest, (1 << (bits - 1)) - 1))


def affine_grid(x: Array, bits: int = 8, per_channel: bool = False) -> Grid:
    """Return the grid from min x to max x, and to 0 in any case: for what is not centred, as after relu.

    Raises
    ------
    ValueError
        As for `symmetric_grid`.
    """
    axes = _within(_finite(x, bits), per_channel)
    low = x.min(axis=axes, keepdims=per_channel, initial=0)
    high = x.max(axis=axes, keepdims=per_channel, initial=0)
    scale = _step(high - low, (1 << bits) - 1)
    return Grid(bits, scale, (np.rint(-low / scale) - (1 << (bits - 1))).astype(np.int32))


def calibrate(batches: Iterable[Any], bits: int = 8, percentile: float = 100.0) -> Grid:
    """Return the affine grid for what was seen in all batches of training data.

    Parameters
    ----------
    batches
        Arrays or tensors of any shapes.
    bits
        Of a code.
    percentile
        How much of what was seen has to lie on the grid, in per cent: below 100, rare large values are cut
        off at both ends alike, and all others get a finer step.

    Raises
    ------
    ValueError
        If nothing was seen, or the percentile is not in 50 … 100.
    """
    seen = [np.ravel(as_array(batch)) for batch in batches]
    if not seen or not 50 < percentile <= 100:  # noqa: PLR2004 - a percentage above the middle
        raise ValueError(f"calibrate: {len(seen)} batches and percentile {percentile} give no range")
    return affine_grid(np.percentile(np.concatenate(seen), [100 - percentile, percentile]), bits)


@dataclass(frozen=True, slots=True)
class Quantized:
    """An array as codes on a grid. `codes` is int8 in the array's shape, or packed, two to a byte.

    Packed, uint8 (..., ⌈K/2⌉): the first half of each row lies in the low four bits, the second in the high,
    so that both halves are unpacked without moving a number past another.
    """

    codes: Array
    grid: Grid
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is kept."""
        return self.codes.nbytes + self.grid.nbytes

    def unpacked(self, rows: slice = slice(None)) -> Array:
        """Return the int8 codes (..., K) of some rows along the first axis."""
        codes = self.codes[rows]
        if self.grid.bits != PACKED:
            return codes
        high = codes.view(np.int8) >> PACKED  # with its sign
        return np.concatenate([(codes << PACKED).view(np.int8) >> PACKED, high], axis=-1)[
            ..., : self.shape[-1]
        ]

    def dequantize(self) -> Array:
        """Return the array, float32."""
        return self.grid.decode(self.unpacked())


def quantize(x: Any, grid: Grid | None = None) -> Quantized:
    """Return x as codes on a grid, by default the symmetric one of 8 bits for the whole of x."""
    x = np.asarray(as_array(x))
    grid = grid or symmetric_grid(x)
    codes = grid.encode(x)
    return Quantized(_packed(codes) if grid.bits == PACKED else codes, grid, x.shape)


def sqnr(x: Any, approximation: Any) -> float:
    """Return the ratio of signal to quantization noise in decibels: 20 more for an error a tenth as large."""
    x, approximation = (np.asarray(as_array(each), np.float64) for each in (x, approximation))
    noise = np.square(x - approximation).sum()
    return float(10 * np.log10(np.square(x).sum() / noise)) if noise else np.inf


class QuantizedLinear(Module):
    """A `Linear` whose weight is codes, one grid for each output; nothing is kept in float32 but the bias.

    Parameters
    ----------
    layer
        What it computes nearly the same as. It is not changed.
    bits
        Of a weight.
    inputs
        A grid for what comes in, if that is to be codes too: then the product is one of whole numbers.
    """

    def __init__(self, layer: Linear, bits: int = 8, inputs: Grid | None = None) -> None:
        weight = layer.weight.numpy()
        self.weight = quantize(weight, symmetric_grid(weight, bits, per_channel=True))
        self.bias = None if layer.bias is None else layer.bias.numpy().copy()
        self.inputs = inputs

    def forward(self, x: Any) -> Tensor:
        """Return nearly ``x @ weight.T + bias``."""
        name = "quantized_linear" if self.inputs is None else "integer_linear"
        options = {} if self.inputs is None else {"inputs": self.inputs}
        return apply(name, x, self.bias, weight=self.weight, **options)

    @property
    def nbytes(self) -> int:
        """Bytes of weight, grid and bias."""
        own = self.weight.nbytes + (0 if self.bias is None else self.bias.nbytes)
        return own + (0 if self.inputs is None else self.inputs.nbytes)


class QuantizedConv2d(Module):
    """A `Conv2d` whose filters are codes, one grid for each; they are few, and all expanded in each call."""

    def __init__(self, layer: Conv2d, bits: int = 8) -> None:
        weight = layer.weight.numpy()
        self.weight = quantize(weight, symmetric_grid(weight, bits, per_channel=True))
        self.bias = None if layer.bias is None else layer.bias.numpy().copy()
        self.stride, self.padding = layer.stride, layer.padding

    def forward(self, x: Any) -> Tensor:
        """Return nearly the convolution of images (N, C, H, W) with the filters."""
        return conv2d(x, self.weight.dequantize(), self.bias, self.stride, self.padding)

    @property
    def nbytes(self) -> int:
        """Bytes of filters, grid and bias."""
        return self.weight.nbytes + (0 if self.bias is None else self.bias.nbytes)


@no_grad()
def quantize_model(model: Sequential, bits: int = 8, samples: Any = None) -> Sequential:
    """Return a model with the same layers, the linear and convolutional ones quantized.

    Parameters
    ----------
    model
        A trained one. It is not changed, and shares nothing with the result but layers without weights.
    bits
        Of a weight, 2 to 8.
    samples
        Inputs of the model from its training data, for the grids of what comes into linear layers. Without,
        only weights are quantized.
    """
    layers = []
    for layer in model.layers:
        if isinstance(layer, Linear):
            grid = None if samples is None else calibrate([samples])
            layers.append(QuantizedLinear(layer, bits, grid))
        else:
            layers.append(QuantizedConv2d(layer, bits) if isinstance(layer, Conv2d) else layer)
        samples = None if samples is None else layer(samples)
    return Sequential(*layers)


def nbytes(model: Sequential) -> int:
    """Return the bytes of all that a model's layers keep: codes, grids and indices, or else parameters."""
    return sum(
        layer.nbytes if hasattr(layer, "nbytes") else sum(p.numpy().nbytes for p in layer.parameters())
        for layer in model.layers
        if isinstance(layer, Module)
    )


def integer_matmul(a: Array, b: Array) -> Array:
    """Return a (N, K) @ b (O, K).T of int8 codes, exactly, as int32 (N, O).

    Summed in int8 it would overflow. BLAS has floats only, but float32 is exact for whole numbers up to 2^24,
    and that is what `EXACT_DEPTH` products come to at most: so many are added at a time.
    """
    total = np.zeros((len(a), len(b)), np.int32)
    for start in range(0, a.shape[1], EXACT_DEPTH):
        left = a[:, start : start + EXACT_DEPTH].astype(np.float32)
        for rows, tile in _tiles(b[:, start : start + EXACT_DEPTH]):
            total[:, rows] += (left @ tile.T).astype(np.int32)
    return total


def _quantized_linear(x: Array, bias: Array | None, *, weight: Quantized) -> Array:
    """Multiply x with expanded codes; the scale comes last, as one number for each output."""
    flat = x.reshape(-1, x.shape[-1])
    out = np.empty((len(flat), weight.shape[0]), np.result_type(x, np.float32))
    for rows, tile in _tiles(weight):
        np.matmul(flat, tile.T, out=out[:, rows])
    if weight.grid.zero_point is not None:
        out -= flat.sum(axis=1, keepdims=True) * weight.grid.zero_point.reshape(-1)
    out *= weight.grid.scale.reshape(-1)
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], -1)


def _integer_linear(x: Array, bias: Array | None, *, weight: Quantized, inputs: Grid) -> Array:
    """Multiply codes with codes; Σ (c - zero)·w is Σ c·w - zero·Σ w, so zero points need no product."""
    codes, tiles = inputs.encode(x.reshape(-1, x.shape[-1])), weight.unpacked()
    total = integer_matmul(codes, tiles)
    total -= inputs.zero_point * tiles.sum(axis=1, dtype=np.int32)
    out = total * (inputs.scale * weight.grid.scale.reshape(-1))
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], -1)


def _d_x(g: Array, _out: Array, _x: Array, _bias: Any, *, weight: Quantized, **_: Any) -> Array:
    """Take the weight as it is, and rounding of x for what it means to be: the identity."""
    return g @ weight.dequantize()


rule("quantized_linear", _quantized_linear, _d_x, lambda g, *_, **__: g)
rule("integer_linear", _integer_linear, _d_x, lambda g, *_, **__: g)


def _tiles(weight: Quantized | Array) -> Iterator[tuple[slice, Array]]:
    """Yield a few rows of codes at a time, as float32 in a buffer that the next ones overwrite."""
    count, depth = weight.shape
    step = max(1, min(count, TILE_BYTES // (4 * max(1, depth))))
    buffer = np.empty((step, depth), np.float32)
    for start in range(0, count, step):
        rows = slice(start, min(start + step, count))
        tile = buffer[: rows.stop - start]
        np.copyto(tile, weight.unpacked(rows) if isinstance(weight, Quantized) else weight[rows])
        yield rows, tile


def _packed(codes: Array) -> Array:
    """Return int8 codes (..., K) of four bits each as uint8 (..., ⌈K/2⌉)."""
    half = -(-codes.shape[-1] // 2)
    low, high = codes[..., :half], codes[..., half:]
    packed = (low & 15).view(np.uint8)
    packed[..., : high.shape[-1]] |= high.view(np.uint8) << PACKED
    return packed


def _step(width: Array, count: int) -> Array:
    """Return the step of a grid that covers a width; not 0 even where all numbers are."""
    return np.maximum(np.asarray(width, np.float32) / np.float32(count), np.finfo(np.float32).tiny)


def _within(x: Array, per_channel: bool) -> tuple[int, ...]:
    """Return the axes over which one grid reaches."""
    return tuple(range(1 if per_channel else 0, x.ndim))


def _finite(x: Array, bits: int) -> Array:
    if bits not in BITS:
        raise ValueError(f"codes have {BITS[0]} to {BITS[-1]} bits, not {bits}")
    if not np.isfinite(x).all():
        raise ValueError("a grid cannot reach a number that is not finite: find out where it comes from")
    return x
