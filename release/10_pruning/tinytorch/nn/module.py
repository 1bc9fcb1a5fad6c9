"""Parameters, the modules that hold them, and the first ones: linear layers, activations, losses."""
# ruff: noqa: ARG005  a derivative is given all there is, and uses what it needs

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np

from tinytorch.tensor import Tensor, apply, as_array, rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike


class Parameter(Tensor):
    """A tensor that is learned: a leaf that needs a gradient. Its values are copied from data."""

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None) -> None:
        super().__init__(data, dtype, requires_grad=True)


class Module:
    """Something with parameters that can be called; subclasses define `forward`.

    Parameters are found when they are asked for, by looking: in attributes, in modules, and in lists, tuples
    and dicts of these, each once. Nothing has to be registered, and nothing can be out of date.
    """

    def forward(self, *inputs: Any) -> Tensor:
        """Return the module's output."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define it")

    def __call__(self, *inputs: Any) -> Tensor:
        """Return `forward` of the inputs."""
        return self.forward(*inputs)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield each parameter once, under the first path that leads to it, such as ``layers.0.weight``."""
        return _walk(self, "", set())

    def parameters(self) -> list[Parameter]:
        """Return each parameter once, in the order of the attributes."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter: afterwards each is None."""
        for parameter in self.parameters():
            parameter.zero_grad()


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Parameter]]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Parameter):
        yield path, value
    for name, child in _children(value):
        yield from _walk(child, f"{path}.{name}" if path else str(name), seen)


def _children(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return the named parts of a module or a container; anything else has none."""
    if isinstance(value, Module):
        return vars(value).items()
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return ``x @ weight.T + bias`` of x (..., I), weight (O, I) and bias (O,) or None."""
    return apply("linear", x, weight, bias)


def relu(x: Any) -> Tensor:
    """Return the larger of x and 0; the slope at 0 is 0."""
    return apply("relu", x)


def sigmoid(x: Any) -> Tensor:
    """Return 1 / (1 + exp(-x)), without overflow for any x."""
    return apply("sigmoid", x)


def tanh(x: Any) -> Tensor:
    """Return the hyperbolic tangent."""
    return apply("tanh", x)


def log_softmax(x: Any) -> Tensor:
    """Return the logarithm of softmax over the last axis, also where softmax itself would be 0."""
    return apply("log_softmax", x)


def mse_loss(prediction: Any, target: Any) -> Tensor:
    """Return the mean of the squared differences.

    Raises
    ------
    ValueError
        If the shapes differ: (N, 1) and (N,) would broadcast to (N, N), and be wrong without a word.
    """
    shapes = np.shape(as_array(prediction)), np.shape(as_array(target))
    if shapes[0] != shapes[1]:
        raise ValueError(f"mse_loss: a prediction {shapes[0]} and a target {shapes[1]}: give them one shape")
    return (apply("sub", prediction, target) ** 2).mean()


def cross_entropy(logits: Any, labels: Any) -> Tensor:
    """Return the mean over a batch of -log softmax(logits)[label].

    Parameters
    ----------
    logits
        Shape (N, C): for each sample a score for each class.
    labels
        Shape (N,): the class of each sample, whole numbers from 0 to C - 1.

    Raises
    ------
    TypeError
        If the labels are not whole numbers.
    ValueError
        If the shapes do not fit, or a label is out of range.
    """
    scores = log_softmax(logits)
    labels = np.asarray(as_array(labels))
    if labels.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: labels are class numbers, and these are {labels.dtype}: cast them")
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:  # noqa: PLR2004 - samples, classes
        shapes = f"{scores.shape} and {labels.shape}"
        raise ValueError(f"cross_entropy: logits are (N, C) and labels (N,), not {shapes}: reshape them")
    classes = scores.shape[1]
    if not np.all((labels >= 0) & (labels < classes)):
        worst = f"{labels.min()} to {labels.max()}"
        raise ValueError(f"cross_entropy: {classes} classes are numbered from 0, and labels go from {worst}")
    return -scores[np.arange(len(labels)), labels].mean()


class Linear(Module):
    """`linear` with a weight and a bias of its own: (..., in_features) to (..., out_features).

    Parameters
    ----------
    in_features, out_features
        Length of the last axis before and after.
    bias
        Whether something is added; if not, `bias` is None.
    rng
        Where the first values come from; by default they differ from run to run.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, rng: np.random.Generator | None = None
    ) -> None:
        rng = rng or np.random.default_rng()
        self.weight = uniform_parameter((out_features, in_features), in_features, rng)
        self.bias = uniform_parameter((out_features,), in_features, rng) if bias else None

    def forward(self, x: Any) -> Tensor:
        """Return ``x @ weight.T + bias``."""
        return linear(x, self.weight, self.bias)


def uniform_parameter(shape: tuple[int, ...], fan_in: int, rng: np.random.Generator) -> Parameter:
    """Return a float32 parameter within ±1/√fan_in, so that sums over fan_in inputs keep their scale."""
    bound = fan_in**-0.5
    return Parameter(rng.uniform(-bound, bound, shape), dtype=np.float32)


class ReLU(Module):
    """`relu` as a module."""

    forward = staticmethod(relu)


class Sigmoid(Module):
    """`sigmoid` as a module."""

    forward = staticmethod(sigmoid)


class Tanh(Module):
    """`tanh` as a module."""

    forward = staticmethod(tanh)


class MSELoss(Module):
    """`mse_loss` as a module."""

    forward = staticmethod(mse_loss)


class CrossEntropyLoss(Module):
    """`cross_entropy` as a module."""

    forward = staticmethod(cross_entropy)


class Sequential(Module):
    """Modules, or any functions of a tensor, one after the other."""

    def __init__(self, *layers: Any) -> None:
        self.layers = layers

    def forward(self, x: Any) -> Tensor:
        """Return what the last layer makes of what the one before it made, and so on back to x."""
        for layer in self.layers:
            x = layer(x)
        return x


def save(module: Module, path: str | PathLike[str]) -> None:
    """Write a module's parameters to a file in NumPy's .npz format, under their names."""
    with ZipFile(path, "w") as file:
        for name, parameter in module.named_parameters():
            with file.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, parameter.numpy(), allow_pickle=False)


def load(module: Module, path: str | PathLike[str]) -> None:
    """Read a module's parameters from a file that `save` wrote, into the arrays that are there.

    Raises
    ------
    ValueError
        If the file has other names or shapes than the module. No parameter has changed then.
    """
    parameters = dict(module.named_parameters())
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    want = {name: parameter.shape for name, parameter in parameters.items()}
    got = {name: array.shape for name, array in arrays.items()}
    if want != got:
        differences = ", ".join(f"{name} {shape}" for name, shape in sorted(want.items() ^ got.items()))
        raise ValueError(f"{path} is of another module: {differences} is only in one of the two")
    for name, parameter in parameters.items():
        parameter.data = arrays[name]


def _flat(array: np.ndarray) -> np.ndarray:
    """Return all axes but the last as one."""
    return array.reshape(-1, array.shape[-1])


def _linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    return x @ weight.T if bias is None else x @ weight.T + bias


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))  # at most 1, on either side
    return np.where(x >= 0, 1, small) / (1 + small)


def _log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(axis=-1, keepdims=True)  # the largest is 0, and its exponential 1
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


rule(
    "linear",
    _linear,
    lambda g, out, x, weight, bias: g @ weight,
    lambda g, out, x, weight, bias: _flat(g).T @ _flat(x),
    lambda g, out, x, weight, bias: g,
)
rule("relu", lambda x: np.maximum(x, 0), lambda g, out, x: g * (out > 0))
rule("sigmoid", _sigmoid, lambda g, out, x: g * out * (1 - out))
rule("tanh", np.tanh, lambda g, out, x: g * (1 - out * out))
rule("log_softmax", _log_softmax, lambda g, out, x: g - np.exp(out) * g.sum(axis=-1, keepdims=True))
