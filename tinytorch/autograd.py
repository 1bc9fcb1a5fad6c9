"""Gradients: a recorder for `apply`, the derivative of every rule, and one walk back through what was recorded."""
# ruff: noqa: SLF001  the slots of a Tensor are this package's own

from __future__ import annotations

from contextlib import ContextDecorator
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinytorch import tensor as core
from tinytorch.tensor import Rule, Tensor, apply, as_array, rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

_births = count()


class Node:
    """One recorded operation. Parents that need no gradient are None; a freed node has no parents at all."""

    __slots__ = ("arrays", "birth", "params", "parents", "rule")

    def __init__(self, rule: Rule, parents: list[Tensor | None], arrays: list[Any], params: dict[str, Any]) -> None:
        self.rule = rule
        self.parents: list[Tensor | None] | None = parents
        self.arrays = arrays
        self.params = params
        self.birth = next(_births)

    def __repr__(self) -> str:
        return f"Node({self.rule.name}{', freed' if self.parents is None else ''})"


def record(result: Tensor, rule: Rule, inputs: tuple[Any, ...], arrays: list[Any], params: dict[str, Any]) -> None:
    """Remember how a result came about, if one of its inputs needs a gradient."""
    parents = [x if isinstance(x, Tensor) and x._requires_grad else None for x in inputs]
    if parents.count(None) != len(parents) and result._data.dtype.kind == "f":
        result.grad_fn = Node(rule, parents, arrays, params)
        result._requires_grad = True


class no_grad(ContextDecorator):  # noqa: N801  PyTorch's name
    """Record nothing inside a ``with`` block or a decorated function."""

    def __init__(self) -> None:
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before.append(core.recorder)
        core.recorder = None
        return self

    def __exit__(self, *_: object) -> None:
        core.recorder = self._before.pop()


class Variable(Tensor):
    """A tensor by another name: it shares the storage of a given tensor, and passes gradients on to it.

    Parameters
    ----------
    data
        A tensor, which is not copied, or anything that `Tensor` takes.
    dtype
        What to cast to; a tensor of another dtype is copied then.
    requires_grad
        Whether gradients flow to this variable; they do anyway if they flow to the tensor it was made from.
    """

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        if not isinstance(data, Tensor):
            super().__init__(data, dtype, requires_grad)
            return
        view = apply("identity", data) if dtype is None else data.astype(dtype)
        core._fill(self, view.numpy())
        self.grad_fn = view.grad_fn
        self.requires_grad = view.requires_grad or requires_grad


def backward(self: Tensor, gradient: Any = None, retain_graph: bool = False) -> None:
    """Add the gradient of this tensor to `.grad` of every leaf that it was computed from.

    Parameters
    ----------
    gradient
        The gradient with respect to this tensor, of its shape; 1 if left out, where there is only one element.
    retain_graph
        Keep what was recorded, so that backward can be called again. Otherwise it is freed on the way.

    Raises
    ------
    RuntimeError
        If the tensor needs no gradient, has several elements and none was given, was freed by an earlier call, or was
        computed by a rule that lacks a derivative.
    ValueError
        If the gradient has another shape.
    """
    grads = {self: _seed(self, gradient)}
    history = _history(self)
    while history:
        tensor = history.pop()
        node, g = tensor.grad_fn, grads.pop(tensor)
        if tensor._retains_grad:
            _accumulate(tensor, g.copy())
        _pass_on(node, g, tensor.numpy(), grads)
        if not retain_graph:
            node.parents = node.arrays = node.params = None
    for leaf, g in grads.items():
        _accumulate(leaf, g)


def _seed(tensor: Tensor, gradient: Any) -> np.ndarray:
    """Return the gradient to begin with, in memory of its own."""
    if not tensor._requires_grad:
        raise RuntimeError("backward: this tensor needs no gradient: was it made under no_grad, or without requires_grad=True?")
    if gradient is not None:
        return _own_gradient(tensor, gradient)
    if tensor.size != 1:
        raise RuntimeError(f"backward: a tensor of shape {tensor.shape} needs a gradient of that shape: sum() it, or pass one")
    return np.ones_like(tensor.numpy())


def _history(root: Tensor) -> list[Tensor]:
    """Return what root was computed by, itself included and leaves left out, oldest first.

    A tensor is younger than all it was computed from, so sorting by age is a topological order.
    """
    found, unseen = set(), [root]
    while unseen:
        tensor = unseen.pop()
        if tensor is None or tensor.grad_fn is None or tensor in found:
            continue
        if tensor.grad_fn.parents is None:
            raise RuntimeError("backward: this graph was freed by an earlier backward: pass retain_graph=True there")
        found.add(tensor)
        unseen += tensor.grad_fn.parents
    return sorted(found, key=lambda tensor: tensor.grad_fn.birth)


def _pass_on(node: Node, g: np.ndarray, out: np.ndarray, grads: dict[Tensor, np.ndarray]) -> None:
    """Add to grads what each parent gets of g.

    A leaf's sum is memory of its own, and added to in place. On the way to the leaves arrays are shared, and never changed.
    """
    for i, parent in enumerate(node.parents):
        if parent is None:
            continue
        new = _derivative(node, i)(g, out, *node.arrays, **node.params)
        new = _fitted(new, node, i)
        held = grads.get(parent)
        if parent.grad_fn is not None:
            grads[parent] = new if held is None else held + new
        elif held is not None:
            held += new
        else:
            grads[parent] = _own(new, g, out, *node.arrays)


def _derivative(node: Node, i: int) -> Callable[..., np.ndarray]:
    known = node.rule.backward
    if i < len(known) and known[i] is not None:
        return known[i]
    raise RuntimeError(f"rule {node.rule.name!r} has no derivative for input {i}: register it again with one, rule({node.rule.name!r}, forward, *backward)")


def _fitted(new: Any, node: Node, i: int) -> np.ndarray:
    """Return a gradient in the shape and dtype of input i: the one place where broadcasting is undone."""
    like = node.arrays[i]
    if type(new) is not np.ndarray:
        new = np.asarray(new)
    if new.shape != like.shape:
        try:
            new = unbroadcast(new, like.shape)
        except ValueError as error:
            raise RuntimeError(f"rule {node.rule.name!r}, derivative for input {i}: {error}") from None
    return new if new.dtype is like.dtype else new.astype(like.dtype)


def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over every axis along which broadcasting repeated an array of the given shape."""
    extra = g.ndim - len(shape)
    if extra < 0 or np.broadcast_shapes(g.shape, shape) != g.shape:
        raise ValueError(f"a gradient of shape {g.shape} is not one of an array of shape {shape}")
    repeated = [extra + i for i, n in enumerate(shape) if n == 1 and g.shape[extra + i] != 1]
    return g.sum(axis=(*range(extra), *repeated), keepdims=True).reshape(shape)


def _own(new: np.ndarray, *others: Any) -> np.ndarray:
    """Return a contiguous gradient that shares no memory with anything a rule was given."""
    shared = new.base is not None or any(new is other for other in others)
    return np.array(new, order="C", copy=True if shared else None)


def _accumulate(tensor: Tensor, g: np.ndarray) -> None:
    """Add g, which nobody else holds, to a tensor's gradient; who holds the sum so far does not see it change."""
    if tensor._grad is not None:
        g += tensor._grad.numpy()
    tensor._grad = Tensor.from_numpy(g)


def _own_gradient(tensor: Tensor, value: Any) -> np.ndarray:
    """Return a value as a new contiguous gradient of a tensor."""
    array = np.array(as_array(value), dtype=tensor.dtype, order="C")
    if array.shape != tensor.shape:
        raise ValueError(f"a gradient has the shape of its tensor, {tensor.shape}, and this one has {array.shape}")
    return array


def _get_grad(self: Tensor) -> Tensor | None:
    """What `backward` has added up here so far, or None; assigning copies a value of the same shape."""
    return self._grad


def _set_grad(self: Tensor, value: Any) -> None:
    self._grad = None if value is None else Tensor.from_numpy(_own_gradient(self, value))


def zero_grad(self: Tensor) -> None:
    """Forget the gradient."""
    self._grad = None


def retain_grad(self: Tensor) -> None:
    """Have `backward` leave a gradient here too, though this tensor is no leaf."""
    if not self._requires_grad:
        raise RuntimeError("retain_grad: this tensor needs no gradient")
    self._retains_grad = self.grad_fn is not None


def detach(self: Tensor) -> Tensor:
    """Return a leaf that shares this tensor's memory and takes no part in its graph."""
    return Tensor.from_numpy(self.numpy())


Tensor.backward = backward
Tensor.detach = detach
Tensor.grad = property(_get_grad, _set_grad)
Tensor.is_leaf = property(lambda self: self.grad_fn is None, doc="Whether no recorded operation made this tensor.")
Tensor.retain_grad = retain_grad
Tensor.zero_grad = zero_grad
core.recorder = record


def check_grads(f: Callable[..., Tensor], *inputs: Any, eps: float = 1e-6, tolerance: float = 1e-6) -> None:
    """Compare the gradients of a function with central differences in float64.

    Parameters
    ----------
    f
        Takes tensors, returns one tensor of any shape.
    *inputs
        Arrays at which to compare; they are copied to float64.
    eps
        The step of the differences.
    tolerance
        The largest difference allowed, relative to the largest gradient of that input, or to 1 if all are smaller.

    Raises
    ------
    AssertionError
        If a gradient is wrong: the message says of which input and element, and both values.
    """
    tensors = [Tensor(x, dtype=np.float64, requires_grad=True) for x in inputs]
    out = f(*tensors)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, out.shape)
    out.backward(weights)
    for i, x in enumerate(tensors):
        want = _central_differences(lambda: float((f(*tensors).numpy() * weights).sum()), x.numpy(), eps)
        got = np.zeros_like(want) if x.grad is None else x.grad.numpy()
        worst = np.unravel_index(np.argmax(np.abs(got - want)), want.shape)
        if not np.abs(got[worst] - want[worst]) <= tolerance * max(1.0, np.abs(want).max()):
            place = f"input {i}, element {tuple(map(int, worst))}"
            raise AssertionError(f"{place}: backward gives {got[worst]:.9g}, central differences {want[worst]:.9g}")


@no_grad()
def _central_differences(f: Callable[[], float], x: np.ndarray, eps: float) -> np.ndarray:
    """Return how f changes with each element of x, which is moved in place and put back."""
    slopes = np.empty_like(x)
    for index in np.ndindex(x.shape):
        here = x[index]
        x[index] = here + eps
        above = f()
        x[index] = here - eps
        slopes[index] = (above - f()) / (2 * eps)
        x[index] = here
    return slopes


def derivative(name: str, *backward: Callable[..., np.ndarray]) -> None:
    """Register a known rule again, with its derivatives."""
    rule(name, rules[name].forward, *backward)


def _pow_base(g, out, a, b):
    return g * b * np.power(a, np.where(np.equal(b, 0), 1, np.subtract(b, 1)))


def _pow_exponent(g, out, a, b):
    return g * out * np.log(np.where(np.equal(a, 0), 1, a))


def _matmul_left(g, out, a, b):
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (b @ g[..., None])[..., 0]
    return g @ b.swapaxes(-1, -2)


def _matmul_right(g, out, a, b):
    if a.ndim == 1:
        return a * g if b.ndim == 1 else a[:, None] * g[..., None, :]
    if b.ndim == 1:
        return (a.swapaxes(-1, -2) @ g[..., None])[..., 0]
    return a.swapaxes(-1, -2) @ g


def _expanded(g: np.ndarray, x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    """Return a reduction's gradient with the reduced axes back, of length 1."""
    if keepdims or axis is None:
        return g.reshape((1,) * x.ndim) if axis is None else g
    return np.expand_dims(g, axis)


def _sum_backward(g, out, x, axis, keepdims):
    return np.broadcast_to(_expanded(g, x, axis, keepdims), x.shape)


def _mean_backward(g, out, x, axis, keepdims):
    return np.broadcast_to(_expanded(g, x, axis, keepdims) * (out.size / x.size), x.shape)


def _max_backward(g, out, x, axis, keepdims):
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis) % x.ndim
    order = [*(i for i in range(x.ndim) if i not in axes), *axes]
    moved = x.transpose(order)
    rows = moved.reshape(-1, x.size // out.size)
    dx = np.zeros_like(rows)
    dx[np.arange(len(rows)), rows.argmax(axis=1)] = g.reshape(-1)
    return dx.reshape(moved.shape).transpose(np.argsort(order))


def _getitem_backward(g, out, x, index):
    dx = np.zeros_like(x)
    np.add.at(dx, index, g)
    return dx


derivative("add", lambda g, out, a, b: g, lambda g, out, a, b: g)
derivative("sub", lambda g, out, a, b: g, lambda g, out, a, b: -g)
derivative("mul", lambda g, out, a, b: g * b, lambda g, out, a, b: g * a)
derivative("div", lambda g, out, a, b: g / b, lambda g, out, a, b: -g * out / b)
derivative("pow", _pow_base, _pow_exponent)
derivative("matmul", _matmul_left, _matmul_right)
derivative("neg", lambda g, out, x: -g)
derivative("exp", lambda g, out, x: g * out)
derivative("log", lambda g, out, x: g / x)
derivative("sum", _sum_backward)
derivative("mean", _mean_backward)
derivative("max", _max_backward)
derivative("reshape", lambda g, out, x, shape: g.reshape(x.shape))
derivative("transpose", lambda g, out, x, axes: g.transpose(None if axes is None else np.argsort(axes)))
derivative("getitem", _getitem_backward)
derivative("astype", lambda g, out, x, dtype: g)
rule("identity", lambda x: x, lambda g, out, x: g)
