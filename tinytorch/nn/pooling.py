"""Max pooling, and flattening what comes out of it for a linear layer.

Pooling takes the largest number of every window. A kernel has only a few positions and an image has many
windows, so both directions go position by position, over all windows at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch.nn.conv import pair
from tinytorch.nn.module import Module
from tinytorch.tensor import Tensor, apply, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray
    Pair = tuple[int, int]


def max_pool2d(x: Any, kernel_size: int | Pair, stride: int | Pair | None = None) -> Tensor:
    """Return the largest number of every window.

    Parameters
    ----------
    x
        Images (N, C, H, W) or (C, H, W).
    kernel_size
        Size of the window, for both axes or as (vertical, horizontal).
    stride
        How far the window moves; by default its size, so that windows lie side by side. Rows and columns at
        the end that do not fill a window are left out.

    Returns
    -------
    Tensor
        (N, C, H', W') with H' = (H - kh) // stride + 1. NaN counts as the largest number. The gradient goes
        to the first of equals, row by row, and adds up where windows overlap.

    Raises
    ------
    ValueError
        If not one window fits, or the stride is below 1.
    """
    kernel = pair(kernel_size)
    return apply("max_pool2d", x, kernel=kernel, stride=kernel if stride is None else pair(stride))


def flatten(x: Any, start_dim: int = 0) -> Tensor:
    """Return all axes from start_dim on as a single one.

    Raises
    ------
    IndexError
        If x has no such axis.
    """
    return apply("flatten", x, start_dim=start_dim)


class MaxPool2d(Module):
    """`max_pool2d` as a layer.

    Parameters
    ----------
    kernel_size, stride
        As in `max_pool2d`.
    """

    def __init__(self, kernel_size: int | Pair, stride: int | Pair | None = None) -> None:
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Any) -> Tensor:
        """Return the largest number of every window of images (N, C, H, W)."""
        return max_pool2d(x, self.kernel_size, self.stride)


class Flatten(Module):
    """`flatten` as a layer, which keeps the first axis, the batch, unless told otherwise."""

    def __init__(self, start_dim: int = 1) -> None:
        self.start_dim = start_dim

    def forward(self, x: Any) -> Tensor:
        """Return x (N, …) as (N, everything else)."""
        return flatten(x, self.start_dim)


def _max_pool2d(x: Array, *, kernel: Pair, stride: Pair) -> Array:
    _check(x, kernel, stride)
    first, *others = _positions(x, kernel, stride)
    largest = first.copy()
    for numbers in others:
        np.maximum(largest, numbers, out=largest)
    return largest


def _max_pool2d_grad(g: Array, out: Array, x: Array, *, kernel: Pair, stride: Pair) -> Array:
    dx = np.zeros(x.shape, g.dtype)
    waiting = np.ones(out.shape, bool)  # windows whose largest number has not been met yet
    for is_largest in (lambda numbers: numbers == out, np.isnan):  # NaN equals nothing, not even itself
        for numbers, gradient in zip(
            _positions(x, kernel, stride), _positions(dx, kernel, stride), strict=True
        ):
            found = waiting & is_largest(numbers)
            waiting ^= found
            np.add(gradient, g * found, out=gradient)
        if not waiting.any():
            break
    return dx


def _flatten(x: Array, *, start_dim: int) -> Array:
    axes = max(1, x.ndim)  # a single number counts as having one
    if not -axes <= start_dim < axes:
        raise IndexError(f"flatten: start_dim {start_dim} is no axis of {x.shape}")
    kept = x.shape[: start_dim % axes]
    return x.reshape(*kept, math.prod(x.shape[len(kept) :]))


rule("max_pool2d", _max_pool2d, _max_pool2d_grad)
rule("flatten", _flatten, lambda g, _out, x, **_: g.reshape(x.shape))


def _positions(x: Array, kernel: Pair, stride: Pair) -> Iterator[Array]:
    """Yield what each position in the kernel, row by row, meets in all windows: views (..., H', W')."""
    height, width = ((size - k) // s + 1 for size, k, s in zip(x.shape[-2:], kernel, stride, strict=True))
    for i, j in np.ndindex(kernel):
        yield x[..., i : i + height * stride[0] : stride[0], j : j + width * stride[1] : stride[1]]


def _check(x: Array, kernel: Pair, stride: Pair) -> None:
    if np.ndim(x) < len(kernel):
        raise ValueError(f"max_pool2d: x {np.shape(x)} must be (N, C, H, W) or (C, H, W)")
    if min(kernel) < 1 or min(stride) < 1:
        raise ValueError(f"max_pool2d: kernel {kernel} and stride {stride} must be at least 1")
    if any(size < k for size, k in zip(x.shape[-2:], kernel, strict=True)):
        raise ValueError(f"max_pool2d: a kernel {kernel} does not fit into {x.shape}")
