"""Gradients: a recorder for `apply`, a walk back through its records, and the derivative of every rule."""
# ruff: noqa: SLF001  the slots of a Tensor are this package's own
# ruff: noqa: ARG001, ARG005  a derivative is given all there is, and uses what it needs

from __future__ import annotations

import math
from contextlib import ContextDecorator
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy import ndarray
from numpy.lib.array_utils import normalize_axis_tuple

from tinytorch import tensor as core
from tinytorch.tensor import Rule, Tensor, apply, as_array, hold, returned_array, rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray

# What a recorded tensor knows of its origin. Ages fall, so that the youngest is first in a queue.
GRAPH = ("grad_fn", "_inputs", "_arrays", "_params", "_age")
# The fewer objects a graph consists of, the less the garbage collector has to look through.
NO_PARAMS: dict[str, Any] = {}
_ages = count(0, -1)


def record(
    out: Array, rule: Rule, inputs: tuple[Any, ...], arrays: tuple[Any, ...], params: dict[str, Any]
) -> Tensor:
    """Return a result as a tensor that remembers how it came about."""
    result = Tensor.__new__(Tensor)
    if not rule.backward and out.dtype.kind != "f":  # such as the place of a maximum
        return hold(result, out)
    result._data = out
    result._grad = None
    result._requires_grad = True
    result._retains_grad = False
    result.grad_fn = rule
    result._inputs = inputs
    result._arrays = arrays
    result._params = params or NO_PARAMS
    result._age = next(_ages)
    return result


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
        if origin.grad_fn:
            for slot in GRAPH:
                setattr(self, slot, getattr(origin, slot))
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
    seed = _seed(self, gradient)
    for tensor, g in _walk(self, seed, retain_graph):
        _accumulate(tensor, g)


def _accumulate(tensor: Tensor, g: Array) -> None:
    """Add a gradient that nobody else holds; who holds the sum so far does not see it change."""
    if tensor._grad is not None:
        g += tensor._grad.numpy()
    tensor._grad = hold(Tensor.__new__(Tensor), g)


def _seed(tensor: Tensor, gradient: Any) -> Array:
    """Return the gradient to start from: nobody changes it on the way, and only a leaf would keep it."""
    if not tensor._requires_grad:
        raise RuntimeError(
            "backward: this tensor needs no gradient: requires_grad=True on an input, not in no_grad?"
        )
    if gradient is not None:
        seed = _gradient_of(tensor, gradient)
        return seed if tensor.grad_fn else np.array(seed, order="C")
    if tensor.size != 1:
        raise RuntimeError(
            f"backward: a tensor of shape {tensor.shape} needs a gradient: pass one, or sum() first"
        )
    return np.ones_like(tensor.numpy())


def _gradient_of(tensor: Tensor, value: Any) -> Array:
    """Return a value as an array that fits as a gradient of this tensor: the value's own, if that does."""
    own = tensor.numpy()
    array = np.asarray(as_array(value), dtype=own.dtype)
    if array.shape != own.shape:
        raise ValueError(
            f"a tensor of shape {own.shape} has no gradient of shape {array.shape}: reshape it first"
        )
    return array


def _walk(  # noqa: C901 - one loop, as a call for each operation would cost a tenth of its time
    root: Tensor, seed: Array, retain_graph: bool
) -> list[tuple[Tensor, Array]]:
    """Return what each leaf, and each tensor that retains its gradient, gets from a gradient of root.

    Tensors wait in a queue, and the youngest is next: what was computed from it is younger, and had its turn.
    A leaf's gradient is memory of its own, and added to in place. On the way there, memory may be shared, and
    nothing is changed.
    """
    grads = {root: seed}
    waiting = [(root._age, root)] if root.grad_fn else []
    retained = []
    while waiting:
        tensor = heappop(waiting)[1]
        g, rule = grads.pop(tensor), tensor.grad_fn
        arrays, params = tensor._arrays, tensor._params
        if arrays is None:
            raise RuntimeError("backward: an earlier backward freed this graph: give that retain_graph=True")
        given = (g, tensor._data, *arrays)
        i = -1  # counting by hand is quicker than making an iterator that does
        for parent in tensor._inputs:
            i += 1
            if not isinstance(parent, Tensor) or not parent._requires_grad:
                continue
            derivative, array = rule.backward[i], arrays[i]
            new = derivative(*given, **params) if params else derivative(*given)
            if type(new) is not ndarray or new.dtype is not array.dtype or new.shape != array.shape:
                new = _fit(new, array, rule)
            held = grads.get(parent)
            if held is None:
                if parent.grad_fn is None:
                    grads[parent] = _own(new, given)
                else:
                    grads[parent] = new
                    heappush(waiting, (parent._age, parent))
            elif parent.grad_fn is None:
                held += new
            else:
                grads[parent] = np.asarray(held + new)
        if tensor._retains_grad:
            retained.append((tensor, g.copy()))
        if not retain_graph:
            tensor._inputs = tensor._arrays = tensor._params = None
    return [*retained, *grads.items()]


def _fit(new: Any, array: Array, rule: Rule) -> Array:
    """Return a gradient in the dtype and shape of an array that may have been broadcast."""
    new = returned_array(new, rule.name)
    try:
        return unbroadcast(new, array.shape).astype(array.dtype, copy=False)
    except ValueError as error:
        raise RuntimeError(f"a derivative of rule {rule.name!r} does not fit: {error}") from None


def unbroadcast(g: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which broadcasting repeated an array of this shape."""
    new = g.ndim - len(shape)
    if new < 0 or np.broadcast_shapes(g.shape, shape) != g.shape:
        raise ValueError(f"a gradient has shape {g.shape}, and its array {shape}")
    repeated = tuple(i for i, n in enumerate(g.shape) if i < new or n != shape[i - new])
    return g.sum(axis=repeated, keepdims=True).reshape(shape) if repeated else g


def _own(new: Array, given: tuple[Any, ...]) -> Array:
    """Return a gradient as contiguous memory of its own: not g, nor an input, nor a view."""
    for other in given:
        if new is other:
            return new.copy()
    return new if new.base is None and new.flags.c_contiguous else new.copy()


def _get_grad(self: Tensor) -> Tensor | None:
    return self._grad


def _set_grad(self: Tensor, value: Any) -> None:
    self._grad = None if value is None else Tensor(_gradient_of(self, value))


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
_differentiable(
    "transpose", lambda g, out, x, axes: g.transpose(np.argsort(_axes(axes, x)) if axes else None)
)
_differentiable("getitem", _d_getitem)
_differentiable("astype", lambda g, out, x, dtype: g)
rule("identity", lambda x: x, lambda g, out, x: g)
