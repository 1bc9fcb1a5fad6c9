"""Tensors: an array, and arithmetic by a table of rules.

Every operation is a rule: a name for a function from arrays to an array. `apply` looks it up and calls it.
Nothing here knows of gradients, but `apply` reports to a `recorder`, and `tinytorch.autograd` installs one.
"""
# ruff: noqa: SLF001  the slots of a Tensor are this package's own

from __future__ import annotations

import operator
from dataclasses import dataclass, field
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
        What to cast to. By default an array keeps its dtype, Python floats become float32, and ints int64.
    requires_grad
        Whether gradients flow to this tensor.

    Raises
    ------
    TypeError
        If `data` does not hold numbers.
    RuntimeError
        If a gradient is asked for and the dtype is not a float.
    """

    # grad_fn is the rule that made a tensor, if that was recorded; only then are those filled that say how.
    __slots__ = (
        "__weakref__",
        "_age",
        "_arrays",
        "_data",
        "_grad",
        "_inputs",
        "_params",
        "_requires_grad",
        "_retains_grad",
        "grad_fn",
    )

    # NumPy leaves mixed arithmetic to us, so that `array * tensor` is a tensor too.
    __array_ufunc__ = None

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        hold(self, _copied(data, dtype))
        self.requires_grad = requires_grad

    @staticmethod
    def from_numpy(array: np.ndarray) -> Tensor:
        """Return a tensor that shares the memory of a writable array.

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
            raise ValueError(
                "from_numpy shares memory, and this array is read-only: use Tensor(...) to copy it"
            )
        return hold(Tensor.__new__(Tensor), _numbers(np.asarray(array)))

    def numpy(self) -> np.ndarray:
        """Return the array itself, not a copy."""
        return self.data

    @property
    def data(self) -> np.ndarray:
        """The array itself. Assigning casts and copies into it; gradient and graph stay as they are."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        array = np.asarray(as_array(value))
        if array.shape != self.shape:
            raise ValueError(
                f"data has shape {self.shape}, and what is assigned {array.shape}: reshape it first"
            )
        np.copyto(self._data, array, casting="unsafe")

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor; what counts is what it says when `backward` comes by."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self.dtype.kind != "f":
            raise RuntimeError(
                f"only floats have gradients, and this tensor is {self.dtype}: cast it to float32"
            )
        if self.grad_fn is not None and not value:
            raise RuntimeError("this tensor was computed from some that need gradients: use detach()")
        self._requires_grad = bool(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length along each axis."""
        return self.numpy().shape

    @property
    def dtype(self) -> np.dtype:
        """Type of an element."""
        return self.numpy().dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.numpy().ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.numpy().size

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The tensor with its axes reversed."""
        return self.transpose()

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
        name = type(self).__name__
        values = np.array2string(self.numpy(), separator=", ", prefix=f"{name}(")
        return f"{name}({values}, dtype={self.dtype}{', requires_grad=True' * self.requires_grad})"

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
        return apply("getitem", self, index=_plain(index))

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
        """Return the largest over one axis, several, or all; the first of equals gets the gradient."""
        return apply("max", self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int | tuple[int, ...]) -> Tensor:
        """Return the elements in another shape, given as numbers or as a tuple; one of them may be -1."""
        return apply("reshape", self, shape=_unpacked(shape))

    def transpose(self, *axes: int | tuple[int, ...]) -> Tensor:
        """Return the axes in another order, given as numbers or as a tuple; by default reversed."""
        return apply("transpose", self, axes=_unpacked(axes) or None)

    def astype(self, dtype: Any) -> Tensor:
        """Return the elements cast to another dtype; what is not a float passes no gradient."""
        return apply("astype", self, dtype=dtype) if np.dtype(dtype).kind == "f" else Tensor(self, dtype)


class Derivatives(dict):
    """A rule's derivatives by the number of the input; for one that is missing there is an error to help."""

    def __init__(self, name: str, backward: tuple[Callable[..., np.ndarray] | None, ...]) -> None:
        super().__init__({i: derivative for i, derivative in enumerate(backward) if derivative})
        self.name = name

    def __missing__(self, i: int) -> Callable[..., np.ndarray]:
        raise RuntimeError(f"rule {self.name!r} has no derivative for input {i}: give one to rule(...)")


@dataclass(frozen=True, slots=True)
class Rule:
    """An operation: how it is computed, and its derivatives."""

    name: str
    forward: Callable[..., np.ndarray]
    backward: Derivatives = field(repr=False)


rules: dict[str, Rule] = {}

# Makes the tensor of a result that needs a gradient: recorder(out, rule, inputs, arrays, params).
recorder: Callable[..., Tensor] | None = None


def rule(name: str, forward: Callable[..., np.ndarray], *backward: Callable[..., np.ndarray] | None) -> None:
    """Register an operation under a name, or replace what the name meant.

    Parameters
    ----------
    name
        What `apply` calls it by.
    forward
        ``forward(*arrays, **params)`` returns the result, and leaves its inputs as they are.
    *backward
        ``backward[i](g, out, *arrays, **params)`` returns the gradient with respect to input i, where out is
        the result and g the gradient with respect to it. It has the shape of the input, or the one that was
        made of it: summing over repetitions is not its business. It may be g, an input, or a view of one.
        If it is None or missing, there is no derivative with respect to that input.
    """
    rules[name] = Rule(name, forward, Derivatives(name, backward))


def apply(name: str, *inputs: Any, **params: Any) -> Tensor:
    """Compute an operation, and have it recorded.

    Parameters
    ----------
    name
        The name given to `rule`.
    *inputs
        Tensors, arrays, lists, anything that has ``.numpy()``: the rule sees arrays. Python numbers and None
        reach it as they are: numbers, so that the other operand decides the dtype; None for an absent input.
    **params
        What else the rule needs: axes, strides and the like.

    Raises
    ------
    KeyError
        If there is no such rule.
    TypeError
        If an input cannot become an array of numbers, or the rule does not return an array.
    """
    try:
        found = rules[name]
    except KeyError:
        raise KeyError(
            f"there is no rule {name!r} among {sorted(rules)}: register it with rule(...)"
        ) from None
    arrays = []
    needs_grad = False
    for x in inputs:
        if type(x) is Tensor:  # the short way; a subclass may have a numpy() of its own
            arrays.append(x._data)
            needs_grad = needs_grad or x._requires_grad
        elif isinstance(x, Tensor):
            arrays.append(x.numpy())
            needs_grad = needs_grad or x._requires_grad
        else:
            arrays.append(as_array(x))
    arrays = tuple(arrays)  # which the garbage collector does not look through, as it does a list
    out = found.forward(*arrays, **params) if params else found.forward(*arrays)
    if type(out) is not np.ndarray:
        out = returned_array(out, name)
    if needs_grad and recorder is not None:
        return recorder(out, found, inputs, arrays, params)
    return hold(Tensor.__new__(Tensor), out)


def hold(tensor: Tensor, array: np.ndarray) -> Tensor:
    """Give a bare tensor its array, without a copy, as a leaf that needs no gradient."""
    tensor._data = array
    tensor._grad = tensor.grad_fn = None
    tensor._requires_grad = tensor._retains_grad = False
    return tensor


def returned_array(value: Any, name: str) -> np.ndarray:
    """Return as an array what a function of a rule returned: NumPy makes scalars of 0-d results."""
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"the functions of rule {name!r} must return arrays, and one returned {_kind(value)}")
    return np.asarray(value)


def as_array(value: Any) -> Any:
    """Return an input as a rule sees it: an array, Python numbers and None as they are."""
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is np.ndarray:  # the short way: to ask whether it has a numpy() takes longer
        return _numbers(value)
    if hasattr(value, "numpy"):
        value = value.numpy()
        if not isinstance(value, np.ndarray):
            raise TypeError(f".numpy() must return an array, and returned {_kind(value)}")
    if isinstance(value, np.ndarray | np.generic):
        return _numbers(np.asarray(value))
    return _copied(value)


def _copied(data: Any, dtype: Any = None) -> np.ndarray:
    """Return the values as a new contiguous array, of the dtype that a tensor of them has."""
    if hasattr(data, "numpy"):
        data = data.numpy()
    array = _numbers(np.array(data, dtype=dtype, order="C"))
    is_python = isinstance(data, float | list | tuple) and not isinstance(data, np.generic)
    return array.astype(np.float32) if is_python and dtype is None and array.dtype == np.float64 else array


def _numbers(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a tensor holds bools, ints or floats, not {array.dtype}: convert the values first")
    return array


def _plain(index: Any) -> Any:
    """Return an index without tensors in it, as NumPy takes it."""
    if isinstance(index, tuple):
        return tuple(map(_plain, index))
    return index.numpy() if isinstance(index, Tensor) else index


def _unpacked(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """Return (2, 3) for f(2, 3) and for f((2, 3))."""
    return tuple(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], tuple | list) else numbers


def _kind(value: Any) -> str:
    return type(value).__name__


# Python's operators, not NumPy's functions: they know short cuts, such as squaring for `x ** 2`.
rule("add", operator.add)
rule("sub", operator.sub)
rule("mul", operator.mul)
rule("div", operator.truediv)
rule("pow", operator.pow)
rule("matmul", operator.matmul)
rule("neg", operator.neg)
rule("exp", np.exp)
rule("log", np.log)
rule("sum", np.ndarray.sum)
rule("mean", np.ndarray.mean)
rule("max", np.ndarray.max)
rule("reshape", lambda x, shape: x.reshape(shape))
rule("transpose", lambda x, axes: x.transpose(axes))
rule("getitem", lambda x, index: x[index])
rule("astype", lambda x, dtype: x.astype(dtype))
