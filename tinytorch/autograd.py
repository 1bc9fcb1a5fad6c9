"""Gradients: a recorder for `apply`, a walk back through its records, and the derivative of every rule."""
# ruff: noqa: SLF001  the slots of a Tensor are this package's own
# ruff: noqa: ARG001, ARG005  a derivative is given all there is, and uses what it needs

from __future__ import annotations

import math
from contextlib import ContextDecorator
from itertools import count, zip_longest
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinytorch import tensor as core
from tinytorch.tensor import Rule, Tensor, apply, as_array, hold, returned_array, rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray
    Grads = dict[Tensor, Array]

_births = count()


class Node:
    """A recorded operation. A parent that needs no gradient is None; once freed it has no parents at all."""

    __slots__ = ("arrays", "birth", "params", "parents", "rule")

    def __init__(
        self, rule: Rule, parents: list[Tensor | None], arrays: list[Any], params: dict[str, Any]
    ) -> None:
        self.rule = rule
        self.parents = parents
        self.arrays = arrays
        self.params = params
        self.birth = next(_births)

    def __repr__(self) -> str:
        return f"<Node {self.rule.name}>"


def record(
    result: Tensor, rule: Rule, inputs: tuple[Any, ...], arrays: list[Any], params: dict[str, Any]
) -> None:
    """Remember how a result came about, if an input needs a gradient and the result can have one."""
    parents = [x if isinstance(x, Tensor) and x._requires_grad else None for x in inputs]
    if parents.count(None) < len(parents) and result._data.dtype.kind == "f":
        result.grad_fn = Node(rule, parents, arrays, params)
        result._requires_grad = True


class no_grad(ContextDecorator):  # noqa: N801 - PyTorch's name
    """Record nothing, in a ``with`` block or a decorated function, in any thread."""

    def __init__(self) -> None:
        self._outer: list[Callable[..., None] | None] = []

    def __enter__(self) -> Self:
        self._outer.append(core.recorder)
        core.recorder = None
        return self

    def __exit__(self, *_: object) -> None:
        core.recorder = self._outer.pop()


class Variable(Tensor):
    """A tensor under another name: it shares the memory of the one it is made of, and hands it gradients.

    Parameters
    ----------
    data
        A tensor, or anything else that `Tensor` takes, which is copied.
    dtype
        What to cast to; a cast tensor shares no memory.
    requires_grad
        Whether gradients flow to this variable. They do anyway if they flow to the tensor it is made of.
    """

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        if not isinstance(data, Tensor):
            super().__init__(data, dtype, requires_grad)
            return
        origin = apply("identity", data) if dtype is None else data.astype(dtype)
        hold(self, origin.numpy())
        self.grad_fn = origin.grad_fn
        self.requires_grad = requires_grad or origin.requires_grad


def backward(self: Tensor, gradient: Any = None, retain_graph: bool = False) -> None:
    """Add the gradient of this tensor to `.grad` of every leaf that it was computed from.

    Parameters
    ----------
    gradient
        The gradient with respect to this tensor, of the same shape. It is 1 for a single element if left out.
    retain_graph
        Whether backward can be called again. Otherwise memory is freed on the way.

    Raises
    ------
    RuntimeError
        If this tensor needs no gradient, if it has several elements and no gradient was given, if an earlier
        call freed the graph, or if a rule lacks a derivative. No gradient has changed then.
    ValueError
        If the gradient has another shape.
    """
    grads = {self: _seed(self, gradient)}
    retained = []
    history = _history(self)
    while history:
        tensor = history.pop()
        g = grads.pop(tensor)
        _pass_on(g, tensor.numpy(), tensor.grad_fn, grads)
        if tensor._retains_grad:
            retained.append((tensor, g.copy()))
        if not retain_graph:
            tensor.grad_fn.parents = tensor.grad_fn.arrays = None
    for tensor, g in (*retained, *grads.items()):
        _accumulate(tensor, g)


def _accumulate(tensor: Tensor, g: Array) -> None:
    """Add a gradient that nobody else holds; who holds the sum so far does not see it change."""
    if tensor._grad is not None:
        g += tensor._grad.numpy()
    tensor._grad = Tensor.from_numpy(g)


def _seed(tensor: Tensor, gradient: Any) -> Array:
    """Return the gradient to start from, in memory of its own."""
    if not tensor._requires_grad:
        raise RuntimeError(
            "backward: this tensor needs no gradient: requires_grad=True on an input, not in no_grad?"
        )
    if gradient is not None:
        return _gradient_of(tensor, gradient)
    if tensor.size != 1:
        raise RuntimeError(
            f"backward: a tensor of shape {tensor.shape} needs a gradient: pass one, or sum() first"
        )
    return np.ones_like(tensor.numpy())


def _gradient_of(tensor: Tensor, value: Any) -> Array:
    """Return a value copied to a contiguous array that is a gradient of this tensor."""
    array = np.array(as_array(value), dtype=tensor.dtype, order="C")
    if array.shape != tensor.shape:
        raise ValueError(
            f"a tensor of shape {tensor.shape} has no gradient of shape {array.shape}: reshape it first"
        )
    return array


def _history(root: Tensor) -> list[Tensor]:
    """Return root and all it was computed from, without the leaves, oldest first.

    A result is younger than what it was computed from: the order of birth is a topological order.
    """
    found, waiting = set(), [root]
    while waiting:
        tensor = waiting.pop()
        if tensor is None or tensor.grad_fn is None or tensor in found:
            continue
        if tensor.grad_fn.parents is None:
            raise RuntimeError(
                "backward: an earlier backward freed this graph: give that one retain_graph=True"
            )
        found.add(tensor)
        waiting += tensor.grad_fn.parents
    return sorted(found, key=lambda tensor: tensor.grad_fn.birth)


def _pass_on(g: Array, out: Array, node: Node, grads: Grads) -> None:
    """Add to each parent's gradient what follows from g, the gradient with respect to out.

    A leaf's gradient is memory of its own, and added to in place; on the way there, nothing is ever changed.
    """
    for parent, derivative, array in zip_longest(node.parents, node.rule.backward, node.arrays):
        if parent is None:
            continue
        if derivative is None:
            i = node.parents.index(parent)
            raise RuntimeError(f"rule {node.rule.name!r} has no derivative for input {i}: give rule(...) one")
        new = derivative(g, out, *node.arrays, **node.params)
        if type(new) is not np.ndarray or new.dtype is not array.dtype or new.shape != array.shape:
            new = _fit(new, array, node)
        held = grads.get(parent)
        if parent.grad_fn is not None:
            grads[parent] = new if held is None else np.asarray(held + new)
        elif held is None:
            grads[parent] = _own(new, g, out, *node.arrays)
        else:
            held += new


def _fit(new: Any, array: Array, node: Node) -> Array:
    """Return a gradient in the dtype and shape of an array that may have been broadcast."""
    new = returned_array(new, node.rule.name)
    try:
        return unbroadcast(new, array.shape).astype(array.dtype, copy=False)
    except ValueError as error:
        raise RuntimeError(f"a derivative of rule {node.rule.name!r} does not fit: {error}") from None


def unbroadcast(g: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which broadcasting repeated an array of this shape."""
    new = g.ndim - len(shape)
    if new < 0 or np.broadcast_shapes(g.shape, shape) != g.shape:
        raise ValueError(f"a gradient has shape {g.shape}, and its array {shape}")
    repeated = tuple(i for i, n in enumerate(g.shape) if i < new or n != shape[i - new])
    return g.sum(axis=repeated, keepdims=True).reshape(shape) if repeated else g


def _own(new: Array, *others: Any) -> Array:
    """Return a gradient, copied if it shares memory with what its rule was given or is not contiguous."""
    is_shared = new.base is not None or any(new is other for other in others)
    return new.copy() if is_shared or not new.flags.c_contiguous else new


def _get_grad(self: Tensor) -> Tensor | None:
    return self._grad


def _set_grad(self: Tensor, value: Any) -> None:
    self._grad = None if value is None else Tensor.from_numpy(_gradient_of(self, value))


def zero_grad(self: Tensor) -> None:
    """Forget the gradient: afterwards it is None."""
    self._grad = None


def retain_grad(self: Tensor) -> None:
    """Have `backward` leave a gradient here, though this tensor is not a leaf."""
    if not self._requires_grad:
        raise RuntimeError("retain_grad: this tensor needs no gradient: set requires_grad on an input of it")
    self._retains_grad = self.grad_fn is not None


def detach(self: Tensor) -> Tensor:
    """Return a leaf that shares this tensor's memory and takes no part in its graph."""
    return Tensor.from_numpy(self.numpy())


# What a tensor can do from here on. Its storage is a layer below, and knows nothing of gradients.
Tensor.backward = backward
Tensor.detach = detach
Tensor.retain_grad = retain_grad
Tensor.zero_grad = zero_grad
Tensor.grad = property(
    _get_grad,
    _set_grad,
    doc="The gradient `backward` added up, or None. Assigning copies a value of the same shape.",
)
Tensor.is_leaf = property(lambda self: self.grad_fn is None, doc="Whether no recorded operation led here.")
core.recorder = record


def check_grads(f: Callable[..., Tensor], *inputs: Any, eps: float = 1e-6, tolerance: float = 1e-6) -> None:
    """Compare the gradients of a function with central differences in float64.

    Parameters
    ----------
    f
        Takes a tensor for each input, and returns a tensor.
    *inputs
        Where to compare: arrays or lists, which are copied.
    eps
        How far to step to either side.
    tolerance
        Largest difference allowed, as a part of the input's largest gradient, or of 1 if all are smaller.

    Raises
    ------
    AssertionError
        If they differ; it says for which element of which input.
    """
    tensors = [Tensor(x, dtype=np.float64, requires_grad=True) for x in inputs]
    out = f(*tensors)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, out.shape)
    out.backward(weights)
    for i, x in enumerate(tensors):
        want = _central_differences(lambda: float((f(*tensors).numpy() * weights).sum()), x.numpy(), eps)
        got = np.zeros_like(want) if x.grad is None else x.grad.numpy()
        wrong = ~(np.abs(got - want) <= tolerance * max(1.0, np.abs(want).max(initial=0)))
        for index in np.argwhere(wrong):
            here = tuple(map(int, index))
            place = f"input {i}, element {here} ({len(index)} of {want.size} are wrong)"
            raise AssertionError(
                f"{place}: backward gives {got[here]:.8g}, central differences {want[here]:.8g}"
            )


@no_grad()
def _central_differences(f: Callable[[], float], x: Array, eps: float) -> Array:
    """Return the slope of f along each element of x, which f reads: it is changed in place, and put back."""
    slopes = np.empty_like(x)
    for index in np.ndindex(x.shape):
        middle = x[index]
        x[index] = middle + eps
        above = f()
        x[index] = middle - eps
        slopes[index] = (above - f()) / (2 * eps)
        x[index] = middle
    return slopes


def _d_base(g: Array, out: Array, a: Any, b: Any) -> Array:
    """Take 0 where b is 0, also at a = 0: there b * a**(b - 1) would be 0 * inf."""
    return g * b * a ** (b - 1 if np.all(b) else np.where(b == 0, 1, b - 1))


def _d_exponent(g: Array, out: Array, a: Any, b: Any) -> Array:
    """Take 0 where a is 0: there out * log(a) would be 0 * -inf."""
    return g * out * np.log(np.where(a == 0, 1, a))


def _d_left(g: Array, out: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1:
        return g[..., None] * b
    return (b @ g[..., None])[..., 0] if a.ndim == 1 else g @ b.swapaxes(-1, -2)


def _d_right(g: Array, out: Array, a: Array, b: Array) -> Array:
    if a.ndim == 1:
        return a * g if b.ndim == 1 else a[:, None] * g[..., None, :]
    return (a.swapaxes(-1, -2) @ g[..., None])[..., 0] if b.ndim == 1 else a.swapaxes(-1, -2) @ g


def _d_sum(g: Array, out: Array, x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Repeat g along the reduced axes."""
    return np.full_like(x, g if keepdims else np.expand_dims(g, _axes(axis, x)))


def _d_mean(g: Array, out: Array, x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    return _d_sum(g / math.prod(x.shape[i] for i in _axes(axis, x)), out, x, axis, keepdims)


def _d_max(g: Array, out: Array, x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Give g to the first largest element: with the reduced axes last, to one in each row."""
    axes = _axes(axis, x)
    order = [*(i for i in range(x.ndim) if i not in axes), *axes]
    moved = x.transpose(order)
    rows = moved.reshape(g.size, math.prod(x.shape[i] for i in axes))
    dx = np.zeros_like(rows)
    dx[np.arange(len(rows)), rows.argmax(axis=1)] = g.ravel()
    return dx.reshape(moved.shape).transpose(np.argsort(order))


def _axes(axis: Any, x: Array) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)


def _d_getitem(g: Array, out: Array, x: Array, index: Any) -> Array:
    """Put g where it was taken from; only an index with lists or arrays in it can name an element twice."""
    dx = np.zeros_like(x)
    if any(isinstance(i, list | np.ndarray) for i in (index if isinstance(index, tuple) else (index,))):
        np.add.at(dx, index, g)
    else:
        dx[index] = g
    return dx


def _differentiable(name: str, *backward: Callable[..., Array]) -> None:
    """Register a rule again, with its derivatives."""
    rule(name, rules[name].forward, *backward)


_differentiable("add", lambda g, out, a, b: g, lambda g, out, a, b: g)
_differentiable("sub", lambda g, out, a, b: g, lambda g, out, a, b: -g)
_differentiable("mul", lambda g, out, a, b: g * b, lambda g, out, a, b: g * a)
_differentiable("div", lambda g, out, a, b: g / b, lambda g, out, a, b: -g * out / b)
_differentiable("pow", _d_base, _d_exponent)
_differentiable("matmul", _d_left, _d_right)
_differentiable("neg", lambda g, out, x: -g)
_differentiable("exp", lambda g, out, x: g * out)
_differentiable("log", lambda g, out, x: g / x)
_differentiable("sum", _d_sum)
_differentiable("mean", _d_mean)
_differentiable("max", _d_max)
_differentiable("reshape", lambda g, out, x, shape: g.reshape(x.shape))
_differentiable("transpose", lambda g, out, x, axes: g.transpose(np.argsort(axes) if axes else None))
_differentiable("getitem", _d_getitem)
_differentiable("astype", lambda g, out, x, dtype: g)
rule("identity", lambda x: x, lambda g, out, x: g)
