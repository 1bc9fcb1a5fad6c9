"""Tensors: an array, and arithmetic by a table of rules.

Every operation is a rule, a name for a function from arrays to an array; `apply` looks it up and calls it. Nothing here
knows about gradients, except that `apply` tells `recorder` what it did: `tinytorch.autograd` installs one.
"""
# ruff: noqa: SLF001  the slots of a Tensor are this package's own

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Axis = int | tuple[int, ...] | None


class Tensor:
    """An array of numbers that takes part in recorded arithmetic.

    Parameters
    ----------
    data
        A number, nested lists of numbers, an array, a buffer or a tensor. Its values are copied.
    dtype
        What to cast to. By default arrays keep their dtype, Python floats become float32 and Python ints int64.
    requires_grad
        Whether `backward` leaves a gradient here.

    Raises
    ------
    TypeError
        If `data` does not hold numbers.
    RuntimeError
        If a gradient is asked for, and the dtype is not a float.
    """

    __slots__ = ("__weakref__", "_data", "_grad", "_requires_grad", "_retains_grad", "grad_fn")

    # NumPy leaves mixed arithmetic to us, so that `array * tensor` is a tensor as well.
    __array_ufunc__ = None

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        _fill(self, _copied(data, dtype))
        self.requires_grad = requires_grad

    @staticmethod
    def from_numpy(array: np.ndarray) -> Tensor:
        """Make a tensor that shares the memory of a writable array.

        Raises
        ------
        TypeError
            If it is not an array of numbers.
        ValueError
            If the array is read-only.
        """
        if not isinstance(array, np.ndarray):
            raise TypeError(f"from_numpy shares an array's memory, and got {_kind(array)}: use Tensor(...)")
        if not array.flags.writeable:
            raise ValueError("from_numpy shares memory, and this array is read-only: use Tensor(array), which copies")
        return _fill(Tensor.__new__(Tensor), _numbers(np.asarray(array)))

    def numpy(self) -> np.ndarray:
        """Return the array itself, without a copy."""
        return self.data

    @property
    def data(self) -> np.ndarray:
        """The array itself; assigning copies into it, in its dtype, and leaves gradient and graph alone."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        value = as_array(value)
        if np.shape(value) != self.shape:
            raise ValueError(f"data has shape {self.shape}, the new value {np.shape(value)}: they must be equal")
        np.copyto(self._data, value, casting="unsafe")

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self.dtype.kind != "f":
            raise RuntimeError(f"only floats have gradients, and this tensor holds {self.dtype}: cast it first, dtype='float32'")
        if self.grad_fn is not None and not value:
            raise RuntimeError("this tensor was computed from others that need gradients: use detach() to leave the graph")
        self._requires_grad = bool(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length along each axis."""
        return self.numpy().shape

    @property
    def dtype(self) -> np.dtype:
        """NumPy's type of one element."""
        return self.numpy().dtype

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return self.numpy().ndim

    @property
    def size(self) -> int:
        """How many elements there are."""
        return self.numpy().size

    def item(self) -> bool | int | float:
        """Return the only element as a Python number."""
        return self.numpy().item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.numpy())

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __float__(self) -> float:
        return float(self.item())

    def __repr__(self) -> str:
        values = np.array2string(self.numpy(), separator=", ", prefix=f"{type(self).__name__}(")
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"{type(self).__name__}({values}, dtype={self.dtype}{grad})"

    def __add__(self, other: Any) -> Tensor:
        return apply("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return apply("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return apply("sub", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return apply("sub", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return apply("mul", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return apply("mul", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return apply("div", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return apply("div", other, self)

    def __pow__(self, other: Any) -> Tensor:
        return apply("pow", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return apply("pow", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return apply("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return apply("matmul", other, self)

    def __neg__(self) -> Tensor:
        return apply("neg", self)

    def __getitem__(self, index: Any) -> Tensor:
        return apply("getitem", self, index=_plain_index(index))

    def exp(self) -> Tensor:
        """Return e to the power of each element."""
        return apply("exp", self)

    def log(self) -> Tensor:
        """Return the natural logarithm of each element."""
        return apply("log", self)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the sum over one axis, several, or all."""
        return apply("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the mean over one axis, several, or all."""
        return apply("mean", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the largest element along one axis, several, or all; a gradient goes to the first of equals."""
        return apply("max", self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int | tuple[int, ...]) -> Tensor:
        """Return the elements in another shape, given as numbers or as a tuple; one of them may be -1."""
        return apply("reshape", self, shape=_unpacked(shape))

    def transpose(self, *axes: int | tuple[int, ...]) -> Tensor:
        """Return the axes in another order, given as numbers or as a tuple; by default reversed."""
        return apply("transpose", self, axes=_unpacked(axes) or None)

    @property
    def T(self) -> Tensor:  # noqa: N802  NumPy's name
        """The tensor with its axes reversed."""
        return self.transpose()

    def astype(self, dtype: Any) -> Tensor:
        """Return the elements cast to another dtype."""
        return apply("astype", self, dtype=dtype)


@dataclass(frozen=True, slots=True)
class Rule:
    """How one operation is computed, and its derivative with respect to each input, as far as registered."""

    name: str
    forward: Callable[..., np.ndarray]
    backward: tuple[Callable[..., np.ndarray] | None, ...]


rules: dict[str, Rule] = {}

# Called with (result, rule, inputs, arrays, params) after every operation, while there is one.
recorder: Callable[..., None] | None = None


def rule(name: str, forward: Callable[..., np.ndarray], *backward: Callable[..., np.ndarray] | None) -> None:
    """Register an operation under a name, or replace what that name meant.

    Parameters
    ----------
    name
        What `apply` calls it by.
    forward
        ``forward(*arrays, **params)`` returns the result's array and leaves its inputs as they are.
    *backward
        ``backward[i](g, out, *arrays, **params)`` returns the gradient with respect to input i, where g is the gradient
        with respect to the result, out. It has the shape of the input, or the shape the input was broadcast to:
        the engine sums over what broadcasting repeated. It may be g itself, an input or a view; the engine copies
        where memory would be shared. A missing one, or None, means: not differentiable.
    """
    rules[name] = Rule(name, forward, backward)


def apply(name: str, *inputs: Any, **params: Any) -> Tensor:
    """Compute a registered operation, and have it recorded if gradients are wanted.

    Parameters
    ----------
    name
        The name given to `rule`.
    *inputs
        Tensors, arrays, lists, Python numbers, anything that has ``.numpy()``, or None for an absent input. The rule
        sees arrays, except for None and for Python numbers: those reach it as they are, since NumPy lets
        the other operand decide the dtype then.
    **params
        What the rule gets besides: axes, strides and the like.

    Raises
    ------
    KeyError
        If there is no rule of that name.
    TypeError
        If an input cannot become an array of numbers, or the rule does not return an array.
    """
    found = rules.get(name)
    if found is None:
        raise KeyError(f"there is no rule {name!r}: register it with rule({name!r}, forward), or use one of {sorted(rules)}")
    arrays = [x.numpy() if isinstance(x, Tensor) else as_array(x) for x in inputs]
    out = found.forward(*arrays, **params)
    if type(out) is not np.ndarray:  # a 0-d result comes out of NumPy as a scalar
        if not isinstance(out, np.ndarray | np.generic):
            raise TypeError(f"rule {name!r}: forward must return an array, and returned {_kind(out)}")
        out = np.asarray(out)
    result = _fill(Tensor.__new__(Tensor), out)
    if recorder is not None:
        recorder(result, found, inputs, arrays, params)
    return result


def as_array(value: Any) -> Any:
    """Return what a rule is given for an input: an array where possible not copied, a Python number, or None."""
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return _numbers(np.asarray(value))
    if hasattr(value, "numpy"):
        array = value.numpy()
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{_kind(value)}.numpy() must return an array, and returned {_kind(array)}")
        return array
    return _copied(value)


def _copied(data: Any, dtype: Any = None) -> np.ndarray:
    """Return a new contiguous array of the values, in the dtype that a tensor of them has."""
    if isinstance(data, list | tuple | float) and not isinstance(data, np.generic):
        array = _numbers(np.array(data, dtype=dtype, order="C"))
        return array.astype(np.float32) if dtype is None and array.dtype == np.float64 else array
    if hasattr(data, "numpy"):
        data = data.numpy()
    return _numbers(np.array(data, dtype=dtype, order="C"))


def _numbers(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a tensor holds bools, ints or floats, and this is {array.dtype}: convert it first")
    return array


def _fill(tensor: Tensor, array: np.ndarray) -> Tensor:
    """Give a bare tensor its array, as a leaf that needs no gradient."""
    tensor._data = array
    tensor._grad = tensor.grad_fn = None
    tensor._requires_grad = tensor._retains_grad = False
    return tensor


def _plain_index(index: Any) -> Any:
    """Return an index that NumPy understands: tensors in it become arrays."""
    if isinstance(index, tuple):
        return tuple(map(_plain_index, index))
    return index.numpy() if isinstance(index, Tensor) else index


def _unpacked(numbers: tuple) -> tuple[int, ...]:
    """Return (2, 3) for both f(2, 3) and f((2, 3))."""
    return tuple(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], tuple | list) else numbers


def _kind(value: Any) -> str:
    return type(value).__name__


# Python's operators rather than NumPy's functions: they take shortcuts, such as squaring for `x ** 2`.
rule("add", operator.add)
rule("sub", operator.sub)
rule("mul", operator.mul)
rule("div", operator.truediv)
rule("pow", operator.pow)
rule("matmul", operator.matmul)
rule("neg", operator.neg)
rule("exp", np.exp)
rule("log", np.log)
rule("sum", lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims))
rule("mean", lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims))
rule("max", lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims))
rule("reshape", lambda x, shape: x.reshape(shape))
rule("transpose", lambda x, axes: x.transpose(axes))
rule("getitem", lambda x, index: x[index])
rule("astype", lambda x, dtype: x.astype(dtype))
