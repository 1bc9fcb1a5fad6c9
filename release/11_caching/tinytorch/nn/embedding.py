"""Numbers for things that are none: each word, letter or place has a row in a table, and learns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch.nn.module import Module, Parameter
from tinytorch.tensor import Tensor, apply, as_array, rule

if TYPE_CHECKING:
    Array = np.ndarray


def embedding(indices: Any, weight: Any) -> Tensor:
    """Return the rows of a table that the indices name.

    Parameters
    ----------
    indices
        Whole numbers of any shape, from 0 to V - 1.
    weight
        The table (V, C).

    Returns
    -------
    Tensor
        (..., C), a copy. A row's gradient is the sum over every place where it was used.

    Raises
    ------
    TypeError
        If the indices are not whole numbers.
    ValueError
        If one of them names no row: a negative one would quietly count from the end.
    """
    indices = np.asarray(as_array(indices))
    rows = len(as_array(weight))
    if indices.dtype.kind not in "iu":
        raise TypeError(f"embedding: indices are whole numbers, and these are {indices.dtype}: cast them")
    if indices.size and not (indices.min() >= 0 and indices.max() < rows):
        worst = f"{indices.min()} to {indices.max()}"
        raise ValueError(f"embedding: {rows} rows are numbered from 0, and the indices go from {worst}")
    return apply("embedding", weight, indices=indices)


class Embedding(Module):
    """`embedding` with a table of its own, (count, features), drawn from a normal distribution.

    Parameters
    ----------
    count
        How many things there are.
    features
        How many numbers each has.
    rng
        Where the first values come from; by default they differ from run to run.
    """

    def __init__(self, count: int, features: int, rng: np.random.Generator | None = None) -> None:
        rng = rng or np.random.default_rng()
        self.weight = Parameter(rng.standard_normal((count, features)), dtype=np.float32)

    def forward(self, indices: Any) -> Tensor:
        """Return the rows (..., features) of indices (...)."""
        return embedding(indices, self.weight)


def _d_weight(g: Array, _out: Array, weight: Array, *, indices: Array) -> Array:
    """Sort the places by their row, so that those of one row lie side by side, and add up each run."""
    dw = np.zeros_like(weight)
    flat = indices.ravel()
    if flat.size:
        order = np.argsort(flat, kind="stable")
        rows, starts = np.unique(flat[order], return_index=True)
        dw[rows] = np.add.reduceat(g.reshape(len(flat), -1)[order], starts)
    return dw


rule("embedding", lambda weight, indices: weight[indices], _d_weight)
