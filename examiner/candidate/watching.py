"""What automatic mutants need at run time; it lies beside the notebook and imports nothing but NumPy."""

import functools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

AnyFunction = Callable[..., Any]

_differs: dict[str, set[str]] = {}
_called: set[str] = set()

SCALARS = (bool, int, float, complex, str, bytes, np.generic)


def zero(value: Any) -> Any:
    """Return zeros of the value's type and shape, or the value itself where that means nothing."""
    if isinstance(value, SCALARS):
        return type(value)()
    if isinstance(value, np.ndarray):
        return np.zeros_like(value)
    if type(value) in {tuple, list}:
        return type(value)(zero(each) for each in value)
    if callable(getattr(type(value), "numpy", None)):
        return _zero_tensor(value)
    return value


def _zero_tensor(value: Any) -> Any:
    zeros = np.zeros_like(value.numpy())
    try:
        return type(value)(zeros)
    except Exception:  # noqa: BLE001 - a student's constructor may raise anything; an array is wrong enough
        return zeros


def zeros_of_its_shape(function: AnyFunction) -> AnyFunction:
    """Make the function return zeros of the shape of what it returned."""

    @functools.wraps(function)
    def mutant(*args: Any, **kwargs: Any) -> Any:
        return zero(function(*args, **kwargs))

    return mutant


def observed(name: str) -> Callable[[AnyFunction], AnyFunction]:
    """Note what the function returns."""

    def decorate(function: AnyFunction) -> AnyFunction:
        @functools.wraps(function)
        def observing(*args: Any, **kwargs: Any) -> Any:
            value = function(*args, **kwargs)
            _note(name, args, value)
            return value

        return observing

    return decorate


def _note(name: str, args: tuple[Any, ...], value: Any) -> None:
    differs = _differs.setdefault(name, {"None"})  # a function that returns nothing is there for what it does
    for stub, is_same in SAME.items():
        if stub not in differs and not is_same(value, args):
            differs.add(stub)


def _is_zero(value: Any) -> bool:
    """Whether `zero` would change nothing."""
    if isinstance(value, SCALARS):
        return bool(value == type(value)())
    if isinstance(value, np.ndarray):
        return not value.any()
    if type(value) in {tuple, list}:
        return all(_is_zero(each) for each in value)
    return not callable(getattr(type(value), "numpy", None)) or not value.numpy().any()


SAME: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "[]": lambda value, _: isinstance(value, list) and not value,
    "zeros(0)": lambda value, _: isinstance(value, np.ndarray) and value.shape == (0,),
    "NaN": lambda value, _: isinstance(value, float) and math.isnan(value),
    "zeros": lambda value, _: _is_zero(value),
    "its input": lambda value, args: bool(args) and value is args[0],
}


def calling(key: str) -> Callable[[AnyFunction], AnyFunction]:
    """Note that the function is called."""

    def decorate(function: AnyFunction) -> AnyFunction:
        @functools.wraps(function)
        def noting(*args: Any, **kwargs: Any) -> Any:
            _called.add(key)
            return function(*args, **kwargs)

        return noting

    return decorate


def seen() -> str:
    """Return, as JSON, what has been called so far, and the stubs that each public function differed from."""
    return json.dumps(
        {"called": sorted(_called), "differed": {name: sorted(stubs) for name, stubs in _differs.items()}}
    )
