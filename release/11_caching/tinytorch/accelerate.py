"""Making the same numbers faster: loops against BLAS, passes against blocks, one call against many.

Everything here is a function from arrays to an array, as `rule` takes them. Those that are slow are here to
be measured against; what makes the difference stands in each docstring. Three things cost time:

- Python: about 50 ns for every number that a loop touches, and several times that for NumPy's own scalars.
- Calls: about 1 µs for every NumPy function, whatever the size of the arrays.
- Memory: an array that left the cache comes back at 5 to 20 GB/s, and BLAS computes faster than that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray

CACHE_BYTES = 1 << 18  # of one block: half of a small core's own cache, so that the result fits beside it


def matmul_lists(a: Array, b: Array) -> Array:
    """Return a (I, K) @ b (K, J), by three loops over Python's lists: I·K·J steps of the interpreter.

    Sums are Python floats: float64, rounded to the result's dtype at the end.
    """
    _check_matrices(a, b)
    columns = b.T.tolist()
    rows = [
        [sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in a.tolist()
    ]
    return np.array(rows, np.result_type(a, b)).reshape(len(a), b.shape[1])


def matmul_scalars(a: Array, b: Array) -> Array:
    """Return a (I, K) @ b (K, J), by three loops over elements: each access makes an object of NumPy's.

    The slowest way there is, and the one that most speed-ups are quoted against.
    """
    _check_matrices(a, b)
    out = np.zeros((len(a), b.shape[1]), np.result_type(a, b))
    for i in range(len(a)):
        for j in range(b.shape[1]):
            for k in range(len(b)):
                out[i, j] += a[i, k] * b[k, j]
    return out


def matmul_blocked_lists(a: Array, b: Array, block: int = 32) -> Array:
    """Return a (I, K) @ b (K, J), by loops over blocks of Python's lists.

    In C, blocks keep numbers in the cache. Here every step still costs the interpreter's time, which is ten
    times a cache miss: as slow as without blocks.
    """
    _check_matrices(a, b)
    (n, depth), width = a.shape, b.shape[1]
    left, right = a.tolist(), b.T.tolist()
    out = [[0.0] * width for _ in range(n)]
    for i0, j0, k0 in _corners((n, width, depth), block):
        for i in range(i0, min(i0 + block, n)):
            row = left[i][k0 : k0 + block]
            for j in range(j0, min(j0 + block, width)):
                out[i][j] += sum(x * y for x, y in zip(row, right[j][k0 : k0 + block], strict=True))
    return np.array(out, np.result_type(a, b)).reshape(n, width)


def matmul_blocked(a: Array, b: Array, block: int = 256) -> Array:
    """Return a (I, K) @ b (K, J), block by block, each by BLAS.

    BLAS has blocks of its own that fit the cache, so these gain nothing: small ones lose to the calls, large
    ones come near `a @ b`. Blocks pay where something has to be done to a block while it is in the cache.
    """
    _check_matrices(a, b)
    out = np.zeros((len(a), b.shape[1]), np.result_type(a, b))
    for i, j, k in _corners((*out.shape, len(b)), block):
        out[i : i + block, j : j + block] += a[i : i + block, k : k + block] @ b[k : k + block, j : j + block]
    return out


def matmul_each(a: Array, b: Array) -> Array:
    """Return a (N, I, K) @ b (N, K, J), by one call for each of the N products.

    `a @ b` makes one call for all. That is worth as much as a call costs: a lot for matrices of 4, nothing
    for those of 256.
    """
    if a.ndim != 3 or b.ndim != 3 or len(a) != len(b):  # noqa: PLR2004 - products, rows, columns
        raise ValueError(f"matmul_each: {a.shape} and {b.shape} must be (N, I, K) and (N, K, J)")
    out = np.empty((len(a), a.shape[1], b.shape[2]), np.result_type(a, b))
    for left, right, product in zip(a, b, out, strict=True):
        product[...] = left @ right
    return out


def softmax_steps(x: Array) -> Array:
    """Return exp(x) / Σ exp(x) over the last axis, each step over the whole array before the next.

    Three arrays as large as x are made, and each is written to memory and read again.
    """
    shifted = x - x.max(axis=-1, keepdims=True)  # the largest is 0, so that no exponential overflows
    powers = np.exp(shifted)
    return powers / powers.sum(axis=-1, keepdims=True)


def softmax(x: Array) -> Array:
    """Return exp(x) / Σ exp(x) over the last axis, all steps on a block of rows before the next block.

    One array is made, the result, and each block of it stays in the cache until it is done: "fused". That
    saves memory at any size, and time only once x has left the cache: before, there is nothing to gain.
    """
    out = np.empty(x.shape, np.result_type(x, np.float16))  # float16: whole numbers become floats, no more
    rows, results = x.reshape(-1, x.shape[-1]), out.reshape(-1, x.shape[-1])
    for part in row_blocks(results):
        block = results[part]
        np.subtract(rows[part], rows[part].max(axis=-1, keepdims=True), out=block)
        np.exp(block, out=block)
        block /= np.add.reduce(block, axis=-1, keepdims=True)
    return out


def row_blocks(rows: Array) -> Iterator[slice]:
    """Yield runs of rows that fit the cache, of one row at least."""
    step = max(1, CACHE_BYTES // max(1, rows.shape[-1] * rows.itemsize))
    return (slice(start, start + step) for start in range(0, len(rows), step))


def conv2d_loops(x: Array, weight: Array) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (O, C, kh, kw), by seven loops over lists.

    Stride 1, no padding: (N, O, H - kh + 1, W - kw + 1). Every multiplication is a step of the interpreter.
    """
    shape = _convolved(x, weight)
    images, filters = x.tolist(), [kernel.ravel().tolist() for kernel in weight]
    kh, kw = weight.shape[2:]
    out = np.empty(shape, np.result_type(x, weight))
    for n, image in enumerate(images):
        for i, j in np.ndindex(shape[2:]):
            window = [pixel for plane in image for row in plane[i : i + kh] for pixel in row[j : j + kw]]
            for o, kernel in enumerate(filters):
                out[n, o, i, j] = sum(p * k for p, k in zip(window, kernel, strict=True))
    return out


def conv2d_shifts(x: Array, weight: Array) -> Array:
    """Return what `conv2d_loops` does, by one product for each position in the kernel.

    Loops over kh·kw positions are left: each multiplies all images, shifted by the position, with what the
    filters say there. No copy of the windows is made, and BLAS works, but the sum passes through memory
    kh·kw times. `nn.conv2d` copies the windows into columns instead, and has one product ("im2col").
    """
    (n, filters, height, width), (kh, kw) = _convolved(x, weight), weight.shape[2:]
    out = np.zeros((n, filters, height * width), np.result_type(x, weight))
    for i, j in np.ndindex(kh, kw):
        shifted = x[:, :, i : i + height, j : j + width].reshape(n, x.shape[1], -1)
        out += weight[:, :, i, j] @ shifted
    return out.reshape(n, filters, height, width)


def _corners(shape: tuple[int, ...], block: int) -> Iterator[tuple[int, ...]]:
    """Yield where each block begins, the last axis running fastest."""
    if block < 1:
        raise ValueError(f"a block holds at least one row, not {block}")
    counts = [math.ceil(n / block) for n in shape]
    return (tuple(block * i for i in index) for index in np.ndindex(*counts))


def _check_matrices(a: Array, b: Array) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != len(b):  # noqa: PLR2004 - rows, columns
        raise ValueError(f"{a.shape} and {b.shape} must be matrices (I, K) and (K, J)")


def _convolved(x: Array, weight: Array) -> tuple[int, ...]:
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1]:  # noqa: PLR2004
        raise ValueError(f"x {x.shape} and weight {weight.shape} must be (N, C, H, W) and (O, C, kh, kw)")
    height, width = x.shape[2] - weight.shape[2] + 1, x.shape[3] - weight.shape[3] + 1
    if height < 1 or width < 1:
        raise ValueError(f"filters {weight.shape} do not fit into images {x.shape}")
    return len(x), len(weight), height, width
