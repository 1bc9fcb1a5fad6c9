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
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch.nn.module import Module, uniform_parameter
from tinytorch.tensor import Tensor, apply, rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Array = np.ndarray
    Pair = tuple[int, int]

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
    x: Array, w: Array, b: Array | None, *, stride: Pair, padding: Pair, kept: list[Array] | None = None
) -> Array:
    """Multiply filters and columns; where the columns are few, leave them in `kept` for `_grad_w`."""
    _check(x, w, b, stride, padding)
    windows, filters = _windows(_padded(x, padding), w.shape[2:], stride), _rows(w)
    dtype = np.result_type(x, w, x if b is None else b)
    out = np.empty((*x.shape[:-3], len(w), *windows.shape[4:]), dtype)
    pages = _pages(out)
    for part, columns in _columns(windows):
        np.matmul(filters, columns, out=pages[part])
        if b is not None:
            pages[part] += b[:, None]
    if kept is not None and len(columns) == len(pages) and columns.nbytes <= CACHE_BYTES:
        kept.append(columns)
    return out


def _grad_x(
    g: Array, _out: Array, x: Array, w: Array, _b: Array | None, *, stride: Pair, padding: Pair, **_: Any
) -> Array:
    """Lay each kernel position's gradient on its own sheet, where it met the image; add up the sheets."""
    grads, filters = _pages(g), _rows(w).T
    (top, left), (height, width) = padding, x.shape[-2:]
    dx = np.empty((len(grads), w.shape[1], height + 2 * top, width + 2 * left), g.dtype)
    parts = _parts(len(dx), dx.nbytes * w[0, 0].size)
    sheets = np.zeros((min(parts[0].stop, len(dx)), *w.shape[1:], *dx.shape[2:]), g.dtype)
    met = _windows(sheets, w.shape[2:], stride)
    for part in parts:
        columns = filters @ grads[part]
        n = len(columns)
        met[:n] = columns.reshape(n, *met.shape[1:])
        np.add.reduce(sheets[:n], axis=(2, 3), out=dx[part])
    if dx.shape == x.shape:  # nothing to crop: not even a view, which the engine would have to copy
        return dx
    return dx[:, :, top : top + height, left : left + width].reshape(x.shape)


def _grad_w(  # noqa: PLR0913 - an operation's inputs and options
    g: Array,
    _out: Array,
    x: Array,
    w: Array,
    _b: Array | None,
    *,
    stride: Pair,
    padding: Pair,
    kept: Sequence[Array] = (),
) -> Array:
    grads = _pages(g).transpose(0, 2, 1)
    if kept:
        dw = np.add.reduce(kept[0] @ grads)
    else:
        dw = 0
        for part, columns in _columns(_windows(_padded(x, padding), w.shape[2:], stride)):
            dw += np.add.reduce(columns @ grads[part])
    return dw.T.reshape(w.shape)


def _grad_b(g: Array, *_: Any, **__: Any) -> Array:
    return _pages(g).sum(axis=(0, 2))


rule("conv2d", _forward, _grad_x, _grad_w, _grad_b)


def _windows(images: Array, kernel: Pair, stride: Pair) -> Array:
    """View images (N, C, H, W) as windows (N, C, kh, kw, H', W'), without a copy.

    They may also be sheets (N, C, kh, kw, H, W): then each position in the kernel looks at its own.
    """
    (n, c, *_, height, width), (kh, kw), (vertical, horizontal) = images.shape, kernel, stride
    to_image, to_channel, *to_sheet, down, right = images.strides
    below, beside = to_sheet or (0, 0)
    shape = (n, c, kh, kw, (height - kh) // vertical + 1, (width - kw) // horizontal + 1)
    steps = (to_image, to_channel, below + down, beside + right, vertical * down, horizontal * right)
    return np.ndarray(shape, images.dtype, images, strides=steps)


def _columns(windows: Array) -> Iterator[tuple[slice, Array]]:
    """Yield the windows of a few images at a time, copied to (n, C·kh·kw, H'·W')."""
    n, c, kh, kw, height, width = windows.shape
    for part in _parts(n, windows.nbytes):
        yield part, windows[part].reshape(-1, c * kh * kw, height * width)


def _parts(n: int, nbytes: int) -> list[slice]:
    """Split n images, of so many bytes together, into runs that fit the cache, of one image at least."""
    step = max(1, CACHE_BYTES * n // max(1, nbytes))
    return [slice(start, start + step) for start in range(0, max(1, n), step)]


def _padded(x: Array, padding: Pair) -> Array:
    """Return images as contiguous (N, C, H, W), with a margin of zeros."""
    if padding != (0, 0):
        (top, left), (height, width) = padding, x.shape[-2:]
        wide = np.zeros((*x.shape[:-2], height + 2 * top, width + 2 * left), x.dtype)
        wide[..., top : top + height, left : left + width] = x
        x = wide
    return np.ascontiguousarray(x).reshape(-1, *x.shape[-3:])


def _pages(maps: Array) -> Array:
    """View (N, O, H', W') as (N, O, H'·W'), contiguous: BLAS takes no repeated axes, as `sum` gives."""
    *_, filters, height, width = maps.shape
    return np.ascontiguousarray(maps).reshape(-1, filters, height * width)


def _rows(w: Array) -> Array:
    """View filters (O, C, kh, kw) as the rows of a matrix."""
    return np.ascontiguousarray(w).reshape(len(w), -1)


def _check(x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair) -> None:
    if np.ndim(x) not in (3, 4) or np.ndim(w) != 4:  # noqa: PLR2004 - axes, not numbers with a meaning
        raise ValueError(
            f"conv2d: x {np.shape(x)} must be (N, C, H, W) or (C, H, W), weight {np.shape(w)} (O, C, kh, kw)"
        )
    if x.shape[-3] != w.shape[1]:
        raise ValueError(
            f"conv2d: x {x.shape} has {x.shape[-3]} channels, the filters {w.shape} look at {w.shape[1]}"
        )
    if b is not None and np.shape(b) != w.shape[:1]:
        raise ValueError(f"conv2d: bias {np.shape(b)} must be {w.shape[:1]}, one number for each filter")
    if min(stride) < 1 or min(padding) < 0:
        raise ValueError(f"conv2d: stride {stride} must be at least 1, padding {padding} at least 0")
    (height, width), (kh, kw) = x.shape[-2:], w.shape[2:]
    if height + 2 * padding[0] < kh or width + 2 * padding[1] < kw:
        raise ValueError(f"conv2d: filters {w.shape} do not fit into images {x.shape} with padding {padding}")
