"""Convolution in two dimensions: copy the windows into columns, and it is a matrix product.

A window is what the kernel covers at one place of the image, C·kh·kw numbers, and there are H'·W' places.
Written as the columns of a matrix, the windows meet all O filters in one product::

    filters (O, C·kh·kw)  @  columns (C·kh·kw, H'·W')  =  page (O, H'·W')

Both gradients are products with the same matrices, transposed. The one for the image comes out as columns,
and has to find its way back to the pixels: where windows overlap, their gradients add up.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch.nn.module import Module, uniform_parameter
from tinytorch.tensor import Tensor, apply, rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Array = np.ndarray
    Pair = tuple[int, int]
    Shape = tuple[int, ...]
    Part = tuple[slice, Array]  # which images, and their columns

# Columns are made for a few images at a time, so that they are still in the cache when they are multiplied.
CACHE_BYTES = 1 << 19


def conv2d(x: Any, weight: Any, bias: Any = None, stride: int | Pair = 1, padding: int | Pair = 0) -> Tensor:
    """Slide every filter over every image and return how well they match at each place.

    Parameters
    ----------
    x
        Images (N, C, H, W), or one image (C, H, W).
    weight
        Filters (O, C, kh, kw).
    bias
        What is added to each filter's result, (O,), or None.
    stride
        How far the window moves, for both axes or as (vertical, horizontal).
    padding
        How many zeros are put on each side, for both axes or as (vertical, horizontal).

    Returns
    -------
    Tensor
        (N, O, H', W') with H' = (H + 2·padding - kh) // stride + 1; without N if x has none.

    Raises
    ------
    ValueError
        If the shapes do not fit one another, or stride or padding make no sense.
    """
    return apply("conv2d", x, weight, bias, stride=pair(stride), padding=pair(padding), kept=[])


class Conv2d(Module):
    """`conv2d` with filters and a bias of its own.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the images it takes and gives.
    kernel_size, stride, padding
        As in `conv2d`, for both axes or as (vertical, horizontal).
    bias
        Whether something is added; if not, `bias` is None.
    rng
        Where the first values come from; by default they differ from run to run.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - PyTorch's signature
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        shape = (out_channels, in_channels, *pair(kernel_size))
        fan_in, rng = math.prod(shape[1:]), rng or np.random.default_rng()
        self.weight = uniform_parameter(shape, fan_in, rng)
        self.bias = uniform_parameter((out_channels,), fan_in, rng) if bias else None
        self.stride, self.padding = pair(stride), pair(padding)

    def forward(self, x: Any) -> Tensor:
        """Return the convolution of images (N, C, H, W) with the filters."""
        return conv2d(x, self.weight, self.bias, self.stride, self.padding)


def pair(value: int | Pair) -> Pair:
    """Return a number given for both axes, or one for each, as (vertical, horizontal)."""
    vertical, horizontal = value if isinstance(value, tuple | list) else (value, value)
    return operator.index(vertical), operator.index(horizontal)


def _forward(  # noqa: PLR0913 - an operation's inputs and options
    x: Array, w: Array, b: Array | None, *, stride: Pair, padding: Pair, kept: list[Part] | None = None
) -> Array:
    """Multiply filters and columns; where the columns are few, leave them in `kept` for `_grad_w`."""
    x, w = np.asarray(x), np.asarray(w)  # so that a number has a shape, and is refused for it
    plan = _plan(x.shape, w.shape, stride, padding, x.dtype)
    if b is not None and np.shape(b) != w.shape[:1]:
        raise ValueError(f"conv2d: bias {np.shape(b)} must be {w.shape[:1]}, one number for each filter")
    out = np.empty(plan.out, np.result_type(x, w, x if b is None else b))
    filters, pages = _rows(w), out.reshape(plan.pages)
    for part, columns in _columns(x, plan):
        np.matmul(filters, columns, out=pages[part])
        if b is not None:
            pages[part] += b[:, None]
    if kept is not None and plan.is_small:
        kept.append((part, columns))
    return out


def _grad_x(
    g: Array, _out: Array, x: Array, w: Array, _b: Array | None, *, stride: Pair, padding: Pair, **_: Any
) -> Array:
    """Lay each kernel position's gradient on its own sheet, where it met the image; add up the sheets.

    The sum is a product with ones: BLAS adds faster than NumPy.
    """
    plan = _plan(x.shape, w.shape, stride, padding, g.dtype)
    grads, filters = _pages(g, plan), _rows(w).T
    dx, sheets = np.empty(plan.images, g.dtype), np.zeros(plan.sheets, g.dtype)
    planes, met = dx.reshape(plan.planes), np.ndarray(plan.met, g.dtype, sheets, 0, plan.met_steps)
    for part in plan.parts:
        columns = filters @ grads[part]
        n = len(columns)
        met[:n] = columns.reshape(n, *plan.met[1:])
        np.matmul(plan.ones, sheets[:n], out=planes[part])
    if dx.shape == x.shape:  # nothing to crop: not even a view, which the engine would have to copy
        return dx
    return dx[plan.inside].reshape(x.shape)


def _grad_w(  # noqa: PLR0913 - an operation's inputs and options
    g: Array,
    _out: Array,
    x: Array,
    w: Array,
    _b: Array | None,
    *,
    stride: Pair,
    padding: Pair,
    kept: Sequence[Part] = (),
) -> Array:
    """Multiply columns and g, and add up over the images."""
    plan = _plan(x.shape, w.shape, stride, padding, x.dtype)
    grads = _pages(g, plan).transpose(0, 2, 1)
    products = (np.add.reduce(columns @ grads[part]) for part, columns in kept or _columns(x, plan))
    return reduce(operator.iadd, products).T.reshape(w.shape)


def _grad_b(g: Array, *_: Any, **__: Any) -> Array:
    return g.reshape(-1, *g.shape[-3:]).sum(axis=(0, 2, 3))


rule("conv2d", _forward, _grad_x, _grad_w, _grad_b)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the shapes of a convolution decide: all but the numbers. H and W include the padding."""

    images: Shape  # (N, C, H, W)
    planes: Shape  # (N, C, H·W)
    inside: tuple[slice, ...]  # where in the images those are that came without padding
    windows: Shape  # (N, C, kh, kw, H', W')
    window_steps: Shape  # bytes from one to the next along each of these axes
    columns: Shape  # (n, C·kh·kw, H'·W'), of any number of images
    out: Shape  # (N, O, H', W'), without N if the images have none
    pages: Shape  # (N, O, H'·W')
    parts: tuple[slice, ...]  # the images whose columns are made at a time
    is_small: bool  # whether the columns of all images fit the cache
    sheets: Shape  # (n, C, kh·kw, H·W), of the images of one part
    met: Shape  # (n, C, kh, kw, H', W'): where on its sheet each position in the kernel met the image
    met_steps: Shape
    ones: Array  # (kh·kw,)


@lru_cache(maxsize=256)
def _plan(x: Shape, w: Shape, stride: Pair, padding: Pair, dtype: np.dtype) -> Plan:
    """Check that the shapes fit, and do the sums with them: once, as small images cost less than these."""
    _check(x, w, stride, padding)
    (filters, channels, kh, kw), (top, left), (vertical, horizontal) = w, padding, stride
    height, width = x[-2] + 2 * top, x[-1] + 2 * left
    places = (height - kh) // vertical + 1, (width - kw) // horizontal + 1
    n, area = math.prod(x[:-3]), math.prod(places)
    right = dtype.itemsize
    down, plane = width * right, height * width * right
    moves = vertical * down, horizontal * right  # of the window
    nbytes = n * channels * kh * kw * area * right
    parts = _parts(n, nbytes)
    few = min(n, parts[0].stop)
    return Plan(
        images=(n, channels, height, width),
        planes=(n, channels, height * width),
        inside=(slice(None), slice(None), slice(top, top + x[-2]), slice(left, left + x[-1])),
        windows=(n, channels, kh, kw, *places),
        window_steps=(channels * plane, plane, down, right, *moves),
        columns=(-1, channels * kh * kw, area),
        out=(*x[:-3], filters, *places),
        pages=(n, filters, area),
        parts=parts,
        is_small=nbytes <= CACHE_BYTES,
        sheets=(few, channels, kh * kw, height * width),
        met=(few, channels, kh, kw, *places),
        met_steps=(channels * kh * kw * plane, kh * kw * plane, kw * plane + down, plane + right, *moves),
        ones=np.ones(kh * kw, dtype),
    )


def _parts(n: int, nbytes: int) -> tuple[slice, ...]:
    """Split n images, of so many bytes together, into runs that fit the cache, of one image at least."""
    step = max(1, CACHE_BYTES * n // max(1, nbytes))
    return tuple(slice(start, start + step) for start in range(0, max(1, n), step))


def _columns(x: Array, plan: Plan) -> Iterator[Part]:
    """Yield the windows of a few images at a time, copied to (n, C·kh·kw, H'·W')."""
    images = np.ascontiguousarray(x)
    if images.shape[-2:] != plan.images[-2:]:
        images = np.zeros(plan.images, x.dtype)
        images[plan.inside] = x
    windows = np.ndarray(plan.windows, x.dtype, images, 0, plan.window_steps)
    for part in plan.parts:
        yield part, windows[part].reshape(plan.columns)


def _pages(g: Array, plan: Plan) -> Array:
    """View (N, O, H', W') as (N, O, H'·W'), contiguous: BLAS takes no repeated axes, as `sum` gives."""
    return np.ascontiguousarray(g).reshape(plan.pages)


def _rows(w: Array) -> Array:
    """View filters (O, C, kh, kw) as the rows of a matrix."""
    return w.reshape(len(w), -1)


def _check(x: Shape, w: Shape, stride: Pair, padding: Pair) -> None:
    if len(x) not in (3, 4) or len(w) != 4:  # noqa: PLR2004 - axes, not numbers with a meaning
        raise ValueError(f"conv2d: x {x} must be (N, C, H, W) or (C, H, W), weight {w} (O, C, kh, kw)")
    if x[-3] != w[1]:
        raise ValueError(f"conv2d: x {x} has {x[-3]} channels, the filters {w} look at {w[1]}")
    if min(stride) < 1 or min(padding) < 0:
        raise ValueError(f"conv2d: stride {stride} must be at least 1, padding {padding} at least 0")
    if x[-2] + 2 * padding[0] < w[2] or x[-1] + 2 * padding[1] < w[3]:
        raise ValueError(f"conv2d: filters {w} do not fit into images {x} with padding {padding}")
