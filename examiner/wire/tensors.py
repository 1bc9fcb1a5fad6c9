"""What crosses of PyTorch: dense tensors on the CPU, with a flag for the gradient but no graph of it.

Only what a tensor holds crosses. What it was computed from stays where it was computed, so that a copy is a
leaf, contiguous, and of its own memory.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from examiner.wire.apart import INTEGERS, LIBRARIES, Apart, Library, StaysThere, expect, module, only_if

_MOST_BYTES: Final = 64 << 20  # of a tensor, which may be larger than its memory
_MOST_DIMENSIONS: Final = 32
_LONGEST: Final = 1 << 32  # of a dimension, which an empty tensor may have
_FLOATS: Final = ("float16", "float32", "float64", "bfloat16", "complex64", "complex128")  # have gradients
_DTYPES: Final = ("bool", *INTEGERS, *_FLOATS)
_AS_BITS: Final = {"bfloat16": "uint16"}  # NumPy has no such numbers


def take(value: Any) -> Apart | None:
    """Return a tensor, a parameter, a shape, a dtype or the CPU as its parts."""
    kind = _kinds().get(type(value))
    return None if kind is None else Apart(kind, _TAKERS[kind](value))


def _torch() -> Any:
    return module("torch")


@cache
def _kinds() -> dict[type, str]:
    """Return the kinds of values by their exact classes."""
    torch = _torch()
    return {
        torch.Tensor: "tensor",
        torch.nn.Parameter: "parameter",
        torch.Size: "torch size",
        torch.dtype: "torch dtype",
        torch.device: "torch device",
    }


@cache
def _by_name() -> dict[str, Any]:
    """Return the dtypes that cross."""
    return {name: getattr(_torch(), name) for name in _DTYPES}


@cache
def _names() -> dict[Any, str]:
    return {dtype: name for name, dtype in _by_name().items()}


def _take_tensor(tensor: Any) -> Any:
    is_dense = tensor.layout == _torch().strided and not (tensor.is_nested or tensor.is_quantized)
    only_if(is_dense and tensor.device.type == "cpu" and tensor.dtype in _names())
    only_if(not vars(tensor))  # an attribute of its own may hide a method
    only_if(not any(getattr(tensor, "names", ())))  # which former versions had for dimensions
    size = math.prod(tensor.shape) * tensor.element_size()
    only_if(
        size <= _MOST_BYTES and tensor.dim() <= _MOST_DIMENSIONS and max(tensor.shape, default=0) < _LONGEST
    )
    name = _names()[tensor.dtype]
    try:
        array = _as_array(tensor, name)
    except RuntimeError as error:  # what belongs to a transformation has no numbers
        raise StaysThere from error
    return (name, array, bool(tensor.requires_grad), _take_gradient(tensor))


def _take_gradient(tensor: Any) -> Any:
    """Return the gradient of a tensor, if it has one; asked for that of a result, PyTorch would warn."""
    if not tensor.is_leaf or tensor.grad is None:
        return None
    only_if(type(tensor.grad) is _torch().Tensor)
    parts = _take_tensor(tensor.grad)
    only_if(parts[3] is None)
    return parts


def _as_array(tensor: Any, name: str) -> "np.ndarray[Any, Any]":
    plain = tensor.detach().resolve_conj().resolve_neg()
    if name in _AS_BITS:
        plain = plain.contiguous().view(_by_name()[_AS_BITS[name]])
    array: np.ndarray[Any, Any] = plain.numpy()
    return array


def _make_tensor(parts: Any) -> Any:
    """Return a tensor of parts that are not trusted."""
    name, array, has_gradient, gradient = parts
    expect(name in _DTYPES and type(array) is np.ndarray, "numbers that are none")
    expect(array.dtype == np.dtype(_AS_BITS.get(name, name)), "numbers of another dtype")
    expect(
        type(has_gradient) is bool and (name in _FLOATS or not has_gradient), "a gradient of whole numbers"
    )
    torch = _torch()
    tensor = torch.empty(array.shape, dtype=_by_name()[str(array.dtype)], device="cpu").copy_(
        torch.from_numpy(array)
    )
    if name in _AS_BITS:
        tensor = tensor.view(_by_name()[name])
    tensor.requires_grad_(has_gradient)
    if gradient is not None:
        tensor.grad = _make_gradient(gradient, tensor)
    return tensor


def _make_gradient(parts: Any, tensor: Any) -> Any:
    """Return the gradient of a tensor, which has none itself."""
    expect(type(parts) is tuple and len(parts) == 4 and parts[3] is None, "a gradient of a gradient")  # noqa: PLR2004
    gradient = _make_tensor(parts)
    expect(gradient.shape == tensor.shape and gradient.dtype == tensor.dtype, "a gradient of another shape")
    return gradient


def _make_parameter(parts: Any) -> Any:
    tensor = _make_tensor(parts)
    parameter = _torch().nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)
    parameter.grad = tensor.grad
    return parameter


def _take_dtype(dtype: Any) -> str:
    only_if(dtype in _names())
    return _names()[dtype]


def _make_dtype(name: Any) -> Any:
    expect(name in _DTYPES, "an unknown dtype")
    return _by_name()[name]


def _make_size(sizes: Any) -> Any:
    expect(
        type(sizes) is tuple and all(type(size) is int and size >= 0 for size in sizes),
        "a shape that is none",
    )
    return _torch().Size(sizes)


def _take_device(device: Any) -> None:
    only_if(device == _torch().device("cpu"))


def _make_device(parts: Any) -> Any:
    expect(parts is None, "another device")
    return _torch().device("cpu")


_TAKERS: Final[dict[str, Callable[[Any], Any]]] = {
    "tensor": _take_tensor,
    "parameter": _take_tensor,
    "torch size": lambda size: tuple(map(int, size)),
    "torch dtype": _take_dtype,
    "torch device": _take_device,
}


def _become(ours: Any, theirs: Any) -> bool:
    """Give a tensor the numbers of another one, and its gradient; views of it have the numbers, too."""
    if ours.dtype != theirs.dtype:
        return False
    if ours.shape == theirs.shape:
        with _torch().no_grad():
            ours.copy_(theirs)
    else:
        ours.data = theirs.data
    if ours.is_leaf:
        ours.requires_grad_(theirs.requires_grad)
        ours.grad = theirs.grad
    return True


LIBRARIES["torch"] = Library(
    take,
    {
        "tensor": _make_tensor,
        "parameter": _make_parameter,
        "torch size": _make_size,
        "torch dtype": _make_dtype,
        "torch device": _make_device,
    },
    constants=frozenset({"dtype"}),
    become=_become,
    changing=frozenset({"Tensor", "Parameter"}),
)
