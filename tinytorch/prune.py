"""Fewer numbers: drop the weights that matter least, keep them at zero, and store and compute only the rest.

Three steps that are easily mistaken for one another. A mask makes weights zero, and saves nothing: a dense
array of zeros is as large and as slow as any. A sparse form saves bytes, or time, and the one that saves most
bytes is not the one that saves most time. Removing whole neurons leaves smaller dense arrays, and saves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinytorch.nn.module import Linear, Module, Parameter
from tinytorch.tensor import Tensor, apply, rule

if TYPE_CHECKING:
    from tinytorch.nn.conv import Conv2d
    from tinytorch.optim import Optimizer

    Array = np.ndarray

ROWS = 96  # of a tile of `PaddedRows`
COLUMNS = 32  # samples that are gathered for at a time: about 96 rows · 60 weights · 32 · 4 bytes, 700 KB


def magnitude_mask(weight: Array, sparsity: float) -> Array:
    """Return where the largest weights are, by their distance from 0: all but a share of them.

    Parameters
    ----------
    weight
        Any shape.
    sparsity
        The share to drop, 0 to 1; of equals those that come first are dropped, so that it is met exactly.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1.
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"a share of the weights lies between 0 and 1, not at {sparsity}")
    mask = np.ones(weight.size, bool)
    mask[np.argsort(np.abs(weight), axis=None, kind="stable")[: round(sparsity * weight.size)]] = False
    return mask.reshape(weight.shape)


class Masks:
    """Which weights of a model stay; all others are 0, and stay 0 in training.

    Parameters
    ----------
    model
        Its weights are pruned in place: parameters with two axes or more. Biases are few, and are left.
    sparsity
        The share of the weights to drop.
    everywhere
        Whether the model's weights compete with one another: then layers that are needed more keep more.
        Otherwise each loses the same share.
    """

    def __init__(self, model: Module, sparsity: float, everywhere: bool = True) -> None:
        self.weights = [p for p in model.parameters() if p.ndim > 1]
        if everywhere:
            flat = np.concatenate([weight.numpy().ravel() for weight in self.weights])
            ends = np.cumsum([weight.size for weight in self.weights])
            parts = np.split(magnitude_mask(flat, sparsity), ends[:-1])
            self.masks = [part.reshape(w.shape) for part, w in zip(parts, self.weights, strict=True)]
        else:
            self.masks = [magnitude_mask(weight.numpy(), sparsity) for weight in self.weights]
        self.apply()

    def apply(self) -> None:
        """Set every dropped weight to 0."""
        for weight, mask in zip(self.weights, self.masks, strict=True):
            weight.numpy()[~mask] = 0

    @property
    def sparsity(self) -> float:
        """The share of the weights that is dropped."""
        return 1 - sum(map(np.count_nonzero, self.masks)) / sum(mask.size for mask in self.masks)


class MaskedOptimizer:
    """An optimizer after whose steps dropped weights are 0 again.

    Masking gradients instead would not do: momentum, and Adam's means, go on moving a weight without one.
    """

    def __init__(self, optimizer: Optimizer, masks: Masks) -> None:
        self.optimizer, self.masks = optimizer, masks

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter."""
        self.optimizer.zero_grad()

    def step(self) -> None:
        """Move the weights that are left."""
        self.optimizer.step()
        self.masks.apply()


def largest_units(weight: Array, sparsity: float) -> Array:
    """Return the numbers of the neurons or filters with the largest weights (L2 norm); one at least.

    Parameters
    ----------
    weight
        (O, …): what each of the O units multiplies its inputs with.
    sparsity
        The share of the units to leave out.
    """
    norms = np.sqrt(np.square(weight, dtype=np.float64).reshape(len(weight), -1).sum(axis=1))
    mask = magnitude_mask(norms, sparsity)
    return np.flatnonzero(mask) if mask.any() else np.array([norms.argmax()])


def keep_units(
    first: Linear | Conv2d, second: Linear | Conv2d, units: Array
) -> tuple[Linear | Conv2d, Linear | Conv2d]:
    """Return two layers that follow one another, smaller, with only these units between them.

    The first loses outputs, the second the inputs that came from there: also where each filter's page was
    flattened into many inputs on the way. Between them may be what acts on each unit alone: relu, pooling.
    """
    outputs = len(first.weight)
    inputs = second.weight.numpy()
    each = inputs.reshape(len(inputs), outputs, -1)[:, units]  # what came from one unit lies side by side
    bias = None if first.bias is None else first.bias.numpy()[units]
    shape = (len(inputs), -1, *inputs.shape[2:])
    second_bias = None if second.bias is None else second.bias.numpy()
    return _like(first, first.weight.numpy()[units], bias), _like(second, each.reshape(shape), second_bias)


def _like(layer: Linear | Conv2d, weight: Array, bias: Array | None) -> Linear | Conv2d:
    """Return a layer of the same kind and options with copies of these weights."""
    new = object.__new__(type(layer))
    vars(new).update(vars(layer))
    new.weight, new.bias = Parameter(weight), None if bias is None else Parameter(bias)
    return new


@dataclass(frozen=True, slots=True)
class Bitmask:
    """The weights that are not 0, and for each place a bit that says whether it holds one: fewest bytes."""

    values: Array  # (n,), in the order of the rows
    bits: Array  # uint8 (⌈O·I/8⌉,)
    shape: tuple[int, int]

    @classmethod
    def of(cls, weight: Array) -> Self:
        """Store a matrix (O, I)."""
        is_there = weight != 0
        return cls(weight[is_there], np.packbits(is_there), weight.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of weights and bits."""
        return self.values.nbytes + self.bits.nbytes

    def dense(self) -> Array:
        """Return the matrix."""
        out = np.zeros(self.shape, self.values.dtype)
        np.place(out, np.unpackbits(self.bits, count=out.size).view(bool), self.values)
        return out

    def times(self, x: Array) -> Array:
        """Return x (N, I) @ matrix.T, by making the matrix first: what is saved is memory, not time."""
        return x @ self.dense().T


@dataclass(frozen=True, slots=True)
class Rows:
    """Compressed sparse rows, as in textbooks: row i holds the weights from starts[i] to starts[i + 1]."""

    values: Array  # (n,)
    columns: Array  # int32 (n,), where in its row each is
    starts: Array  # int32 (O + 1,)
    shape: tuple[int, int]

    @classmethod
    def of(cls, weight: Array) -> Self:
        """Store a matrix (O, I)."""
        rows, columns = np.nonzero(weight)
        starts = np.searchsorted(rows, np.arange(len(weight) + 1))
        return cls(weight[rows, columns], columns.astype(np.int32), starts.astype(np.int32), weight.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of weights and indices."""
        return self.values.nbytes + self.columns.nbytes + self.starts.nbytes

    def dense(self) -> Array:
        """Return the matrix."""
        out = np.zeros(self.shape, self.values.dtype)
        out[np.repeat(np.arange(len(out)), np.diff(self.starts)), self.columns] = self.values
        return out

    def times(self, x: Array) -> Array:
        """Return x (N, I) @ matrix.T: gather, multiply, add up each row. Slower than dense in NumPy.

        There is no BLAS in it: three passes over N numbers for each weight, each through memory.
        """
        products = x[:, self.columns] * self.values
        out = np.zeros((len(x), len(self.starts) - 1), products.dtype)
        filled = np.flatnonzero(np.diff(self.starts))  # reduceat gives an empty row its neighbour's number
        if filled.size:
            out[:, filled] = np.add.reduceat(products, self.starts[filled], axis=1)
        return out


@dataclass(frozen=True, slots=True)
class PaddedRows:
    """Rows of about equal length together in tiles, and padded to equal length there: the form for speed.

    A tile is a dense matrix again, of weights and of the columns that they meet. What they meet is gathered
    into the cache (unchecked, as "clip" is quicker), and BLAS multiplies it. More bytes than `Rows`: the
    columns are of NumPy's index type.
    """

    tiles: tuple[tuple[Array, Array], ...]  # columns (r, n) and weights (r, 1, n) of each
    places: Array  # (O,), where each row stands among those of the tiles
    shape: tuple[int, int]

    @classmethod
    def of(cls, weight: Array) -> Self:
        """Store a matrix (O, I)."""
        counts = np.count_nonzero(weight, axis=1)
        order = np.argsort(counts, kind="stable")
        parts = (order[start : start + ROWS] for start in range(0, len(order), ROWS))
        tiles = tuple(_padded(weight[rows], counts[rows[-1]]) for rows in parts)
        return cls(tiles, np.argsort(order), weight.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of weights, columns and row numbers, the padding included."""
        return self.places.nbytes + sum(array.nbytes for tile in self.tiles for array in tile)

    def dense(self) -> Array:
        """Return the matrix."""
        return self.times(np.eye(self.shape[1], dtype=self.tiles[0][1].dtype)).T

    def times(self, x: Array) -> Array:
        """Return x (N, I) @ matrix.T."""
        out = np.empty((self.shape[0], len(x)), np.result_type(x, self.tiles[0][1]))
        for start in range(0, len(x), COLUMNS):
            some, first = np.ascontiguousarray(x[start : start + COLUMNS].T), 0
            for columns, weights in self.tiles:
                part = out[first : first + len(columns), start : start + COLUMNS]
                if some.shape[1] == 1:
                    np.vecdot(some[:, 0].take(columns, mode="clip"), weights[:, 0], out=part[:, 0])
                else:
                    np.matmul(weights, some.take(columns, axis=0, mode="clip"), out=part[:, None])
                first += len(columns)
        return out.T[:, self.places]


def _padded(rows: Array, length: int) -> tuple[Array, Array]:
    """Return the columns and the weights of some rows, each row filled up with zeros to a length."""
    columns = np.argsort(rows == 0, axis=1, kind="stable")[:, :length]  # where there is a weight comes first
    return columns, np.take_along_axis(rows, columns, axis=1)[:, None]


class SparseLinear(Module):
    """A `Linear` that keeps only the weights that are not 0, in one of the forms above."""

    def __init__(self, layer: Linear, form: type[Bitmask | Rows | PaddedRows] = PaddedRows) -> None:
        self.weight = form.of(layer.weight.numpy())
        self.bias = None if layer.bias is None else layer.bias.numpy().copy()

    def forward(self, x: Any) -> Tensor:
        """Return ``x @ weight.T + bias``."""
        return apply("sparse_linear", x, self.bias, weight=self.weight)

    @property
    def nbytes(self) -> int:
        """Bytes of weights, indices and bias."""
        return self.weight.nbytes + (0 if self.bias is None else self.bias.nbytes)


def _sparse_linear(x: Array, bias: Array | None, *, weight: Bitmask | Rows | PaddedRows) -> Array:
    out = weight.times(x.reshape(-1, x.shape[-1]))
    if bias is not None:
        out = out + bias
    return out.reshape(*x.shape[:-1], -1)


rule(
    "sparse_linear",
    _sparse_linear,
    lambda g, _out, _x, _bias, weight: g @ weight.dense(),
    lambda g, *_, **__: g,
)
