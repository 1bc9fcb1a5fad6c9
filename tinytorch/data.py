"""A data set that needs no download: drawn shapes, each with its own place, size, tilt, contrast and noise.

A shape is described by how far a point lies outside of it, where a circle of radius 1 just holds the shape.
A pixel is bright where that is negative, and half bright on the outline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray
    Outside = Callable[[Array, Array], Array]


def _box(x: Array, y: Array, width: float, height: float) -> Array:
    return np.maximum(np.abs(x) - width, np.abs(y) - height)


_OUTSIDE: dict[str, Outside] = {
    "circle": lambda x, y: np.hypot(x, y) - 1,
    "square": lambda x, y: _box(x, y, 0.7, 0.7),
    "triangle": lambda x, y: np.maximum(y - 0.5, 0.866 * np.abs(x) - 0.5 * y - 0.5),
    "cross": lambda x, y: np.minimum(_box(x, y, 0.3, 0.95), _box(x, y, 0.95, 0.3)),
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.8) - 0.2,
}

NAMES = tuple(_OUTSIDE)  # the name of each label


def shapes(count: int, seed: int = 0, size: int = 28, noise: float = 0.1) -> tuple[Array, Array]:
    """Draw pictures of shapes; the same arguments give the same pictures.

    Parameters
    ----------
    count
        How many pictures.
    seed
        Another seed gives other pictures: use two for training and testing.
    size
        Height and width in pixels.
    noise
        Standard deviation of the noise that is added; a shape is 0.6 to 1 brighter than what is around it.

    Returns
    -------
    images, labels
        float32 (count, 1, size, size), and int64 (count,): indices into `NAMES`.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(NAMES), size=count)
    images = np.empty((count, 1, size, size), np.float32)
    for label, name in enumerate(NAMES):
        chosen = labels == label
        images[chosen, 0] = _draw(_OUTSIDE[name], np.count_nonzero(chosen), size, rng)
    images += noise * rng.standard_normal(images.shape, np.float32)
    return images, labels


def batches(*arrays: Array, size: int, rng: np.random.Generator | None = None) -> Iterator[tuple[Array, ...]]:
    """Yield arrays cut along their first axis into batches that belong together; the last may be smaller.

    Parameters
    ----------
    *arrays
        Arrays of the same length, such as images and labels.
    size
        The length of a batch.
    rng
        What shuffles them, all in the same way; without it they stay in order.

    Raises
    ------
    ValueError
        If the arrays differ in length, or size is below 1.
    """
    if len({len(array) for array in arrays}) != 1 or size < 1:
        lengths = [len(array) for array in arrays]
        raise ValueError(f"batches: lengths {lengths} must be equal, and size {size} at least 1")
    order = np.arange(len(arrays[0])) if rng is None else rng.permutation(len(arrays[0]))
    for start in range(0, len(order), size):
        yield tuple(array[order[start : start + size]] for array in arrays)


def _draw(outside: Outside, count: int, size: int, rng: np.random.Generator) -> Array:
    """Return (count, size, size) pictures of one shape, from 0 to 1."""

    def each(low: float, high: float) -> Array:
        return rng.uniform(low, high, (count, 1, 1))

    radius, tilt, contrast = each(0.22, 0.36) * size, each(-0.3, 0.3), each(0.6, 1)
    y, x = (axis - (size - 1) / 2 for axis in np.ogrid[:size, :size])
    x = (x - each(-0.08, 0.08) * size) / radius
    y = (y - each(-0.08, 0.08) * size) / radius
    pixels = outside(x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)) * radius
    return contrast * np.clip(0.5 - pixels, 0, 1)
