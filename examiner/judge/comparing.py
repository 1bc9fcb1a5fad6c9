"""NumPy's comparisons as grade cells get them: what is empty equals nothing that is not.

`np.allclose(np.zeros((0, 1)), anything)` is true and `assert_allclose(np.zeros(0), 5.0)` passes, since an
empty array broadcasts to an empty comparison. A function that returns nothing would pass by it.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from types import ModuleType
from typing import Any, Final

import numpy as np

from examiner.judge.proxy import class_of
from examiner.wire.libraries import has_a_shape, is_of_a_library

_SEQUENCES: Final = (list, tuple, range, deque)
_COPIED: Final = (np.ndarray, np.generic, *_SEQUENCES, bytearray, bool, int, float, complex)
# Functions of two arguments that tell by their result, and those that raise.
_TELLING: Final = ("allclose", "array_equal", "array_equiv")
_RAISING: Final = (
    *("assert_allclose", "assert_almost_equal", "assert_approx_equal", "assert_array_almost_equal"),
    *("assert_array_almost_equal_nulp", "assert_array_equal", "assert_array_less", "assert_array_max_ulp"),
    *("assert_equal",),
)


def _are_comparable(a: Any, b: Any) -> bool:
    """Whether not just one of two copies is empty; what is no copy is not looked at."""
    if not (_is_copy(a) and _is_copy(b)):
        return True
    return (_size(a) == 0) == (_size(b) == 0)


def _is_copy(value: Any) -> bool:
    return isinstance(value, _COPIED) or has_a_shape(value)


def _size(value: Any) -> int:
    """Return how many numbers a value has, however deep they lie."""
    if isinstance(value, _SEQUENCES):
        return sum(map(_size, value))
    return math.prod(value.shape) if is_of_a_library(value) else int(np.size(value))


def _guarded(function: Callable[..., Any], *, raises: bool, first: int = 0) -> Callable[..., Any]:
    """Return the function, which looks at its two sides before, however they are passed."""
    parameters = signature(function)

    @wraps(function)
    def guarded(*args: Any, **options: Any) -> Any:
        bound = parameters.bind(*args, **options)
        sides = [*bound.arguments][first : first + 2]
        for side in sides:
            if (
                class_of(bound.arguments[side]) is None and bound.arguments[side] is not None
            ):  # asked once: what is compared is what was looked at
                bound.arguments[side] = np.asarray(bound.arguments[side])
        if _are_comparable(*(bound.arguments[side] for side in sides)):
            return function(*bound.args, **bound.kwargs)
        if raises:
            raise AssertionError("one side is empty, the other is not")
        return False

    return guarded


_GUARDED: Final[tuple[tuple[ModuleType, str, Callable[..., Any]], ...]] = (
    *((np, name, _guarded(getattr(np, name), raises=False)) for name in _TELLING),
    *((np.testing, name, _guarded(getattr(np.testing, name), raises=True)) for name in _RAISING),
    (np.testing, "assert_array_compare", _guarded(np.testing.assert_array_compare, raises=True, first=1)),
)


@contextmanager
def guarded_comparisons() -> Iterator[None]:
    """Give grade cells these functions for the time of the block, by whichever name they import them."""
    if all(getattr(module, name) is function for module, name, function in _GUARDED):
        yield
        return
    former = [(module, name, getattr(module, name)) for module, name, _ in _GUARDED]
    guard_comparisons()
    try:
        yield
    finally:
        for module, name, function in former:
            setattr(module, name, function)


def guard_comparisons() -> None:
    """Give them to all that runs in this process from now on."""
    for module, name, function in _GUARDED:
        setattr(module, name, function)
