"""Bringing rows of numbers to one scale: softmax makes shares of them, and layer normalization scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch.accelerate import softmax as _softmax
from tinytorch.nn.module import Module, Parameter
from tinytorch.tensor import Tensor, apply, rule

if TYPE_CHECKING:
    Array = np.ndarray

EPS = 1e-5


def softmax(x: Any) -> Tensor:
    """Return exp(x) / Σ exp(x) over the last axis: positive numbers with the sum 1, for any finite x.

    -inf becomes 0, unless a whole row is -inf: then there is no answer, and it is NaN.
    """
    return apply("softmax", x)


def layer_norm(x: Any, weight: Any, bias: Any, eps: float = EPS) -> Tensor:
    """Return ``(x - mean) / √(variance + eps) · weight + bias`` over the last axis.

    Parameters
    ----------
    x
        Shape (..., C).
    weight, bias
        Shape (C,): the scale and the middle of each of the C numbers afterwards.
    eps
        What keeps the result finite where all numbers of a row are equal.

    Raises
    ------
    ValueError
        If weight or bias is not one number for each of the last axis.

    Notes
    -----
    The variance is the mean of the squared distances, over C and not C - 1 (Ba, Kiros, Hinton 2016).
    """
    return apply("layer_norm", x, weight, bias, eps=eps)


class Softmax(Module):
    """`softmax` as a module."""

    forward = staticmethod(softmax)


class LayerNorm(Module):
    """`layer_norm` with a weight and a bias of its own, which begin as 1 and 0.

    Parameters
    ----------
    features
        Length of the last axis.
    eps
        As in `layer_norm`.
    """

    def __init__(self, features: int, eps: float = EPS) -> None:
        self.weight = Parameter(np.ones(features, np.float32))
        self.bias = Parameter(np.zeros(features, np.float32))
        self.eps = eps

    def forward(self, x: Any) -> Tensor:
        """Return x (..., features) with each row at the mean and the scale that were learned."""
        return layer_norm(x, self.weight, self.bias, self.eps)


def scores(x: Array, eps: float) -> tuple[Array, Array]:
    """Return x in standard deviations from its row's mean, and one over the standard deviation (..., 1)."""
    n = x.shape[-1]
    centred = x - np.add.reduce(x, axis=-1, keepdims=True) / n
    squares = np.vecdot(centred, centred)[..., None]
    per_deviation = n**0.5 / np.sqrt(squares + n * eps)  # 1 / √(squares / n + eps), in one step less
    centred *= per_deviation
    return centred, per_deviation


def _layer_norm(x: Array, weight: Array, bias: Array, *, eps: float) -> Array:
    if np.shape(weight) != x.shape[-1:] or np.shape(bias) != x.shape[-1:]:
        shapes = f"{np.shape(weight)} and {np.shape(bias)}"
        raise ValueError(f"layer_norm: x {x.shape} needs a weight and a bias {x.shape[-1:]}, not {shapes}")
    return scores(x, eps)[0] * weight + bias


def _d_softmax(g: Array, out: Array, _x: Array) -> Array:
    """Take away what all of a row have in common: adding to all of x changes nothing."""
    return out * (g - np.vecdot(g, out)[..., None])


def _d_x(g: Array, _out: Array, x: Array, weight: Array, _bias: Array, *, eps: float) -> Array:
    """Take away what would move the mean, and what would stretch the row: both are undone forward."""
    z, per_deviation = scores(x, eps)
    g = g * weight
    n = x.shape[-1]
    g -= np.add.reduce(g, axis=-1, keepdims=True) / n
    g -= z * (np.vecdot(g, z)[..., None] / n)
    g *= per_deviation
    return g


rule("softmax", _softmax, _d_softmax)
rule(
    "layer_norm",
    _layer_norm,
    _d_x,
    lambda g, _out, x, _weight, _bias, eps: g * scores(x, eps)[0],
    lambda g, *_, **__: g,
)
