"""Is this value the right one? First the exact type, then the shape and dtype, and only then the numbers."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from examiner_checks.failures import CheckFailed, type_name

KINDS = {"b": "bool", "i": "integer", "u": "unsigned integer", "f": "floating-point", "c": "complex"}
PLAIN = (bool, int, float, str, type(None), tuple, list)


def check_array(  # noqa: PLR0913  (two values and the tolerances NumPy has)
    got: object,
    want: ArrayLike,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    dtype: DTypeLike | None = None,
    hint: str = "",
) -> None:
    """Pass if `got` is a NumPy array with the shape, the kind of dtype and the values of `want`.

    Parameters
    ----------
    got : object
        The student's answer. Anything whose type is not exactly `numpy.ndarray` fails: a list, a
        memoryview, a NumPy scalar, a subclass whose `==` could say anything.
    want : array_like
        What is expected: bool, integer, floating-point or complex, of any shape.
    rtol, atol : float
        An element may differ by `atol + rtol * abs(want)`. Bools and integers must be equal, NaN and
        infinities must stand where `want` has them.
    dtype : dtype, optional
        The exact dtype to ask for. Without it the kind (bool, integer, floating-point, …) must be that of
        `want`.
    hint : str, optional
        What a student may read if the check fails.

    Raises
    ------
    CheckFailed
        If `got` differs; the message says in what, and where the difference is largest.
    TypeError
        If `want` is not numeric: an author's mistake.
    """
    want = np.asarray(want)
    if want.dtype.kind not in KINDS:
        raise TypeError(f"check_array() cannot expect an array of dtype {want.dtype}")
    if type(got) is not np.ndarray:
        raise CheckFailed(f"got a {type_name(got)}, expected a numpy.ndarray of shape {want.shape}", hint)
    if got.shape != want.shape:
        raise CheckFailed(f"the shape is {got.shape}, expected {want.shape}", hint)
    if dtype is not None and got.dtype != np.dtype(dtype):
        raise CheckFailed(f"the dtype is {got.dtype}, expected {np.dtype(dtype)}", hint)
    if dtype is None and got.dtype.kind != want.dtype.kind:
        raise CheckFailed(f"the dtype is {got.dtype}, expected a {KINDS[want.dtype.kind]} one", hint)
    difference = _difference(got, want, rtol, atol)
    if difference:
        raise CheckFailed(difference, hint)


def check_equal(got: object, want: object, hint: str = "") -> None:
    """Pass if `got` is the same plain value as `want`, of the same type.

    Parameters
    ----------
    got : object
        The student's answer. It is compared only once its type is known to be exactly the type of `want`,
        so neither `True` for `1`, nor a tuple of NumPy integers for a shape, nor an object that equals
        everything passes.
    want : bool, int, float, str, None, numpy.dtype, or a tuple or list of these
        What is expected. NaN equals NaN.
    hint : str, optional
        What a student may read if the check fails.

    Raises
    ------
    CheckFailed
        If `got` differs.
    TypeError
        If `want` is not a plain value: an author's mistake.
    """
    if type(want) not in PLAIN and not isinstance(want, np.dtype):
        raise TypeError(f"check_equal() compares plain values, not a {type_name(want)}")
    if type(got) is not type(want):
        raise CheckFailed(f"got {_show(got)}, expected {_show(want)}", hint)
    if isinstance(want, tuple | list) and isinstance(got, tuple | list):
        if len(got) != len(want):
            raise CheckFailed(f"got {len(got)} items, expected {len(want)}: {want!r}", hint)
        for ours, theirs in zip(want, got, strict=True):
            check_equal(theirs, ours, hint)
        return
    both_nan = isinstance(want, float) and math.isnan(want) and isinstance(got, float) and math.isnan(got)
    if got != want and not both_nan:
        raise CheckFailed(f"got {got!r}, expected {want!r}", hint)


def _show(got: object) -> str:
    """Describe a value of the wrong type: by its value if plain, else by the name of its type alone."""
    if got is None or issubclass(type(got), np.dtype):
        return repr(got)
    if type(got) in (bool, int, float, str):
        return f"the {type_name(got)} {got!r}"
    return f"a {type_name(got)}"


def _difference(got: NDArray[Any], want: NDArray[Any], rtol: float, atol: float) -> str:
    """Describe the largest difference between two arrays of one shape; empty if there is none."""
    exact = want.dtype.kind in "biu" and got.dtype.kind in "biu"
    precise = np.complex128 if "c" in (got.dtype.kind, want.dtype.kind) else np.float64
    ours, theirs = want.astype(precise), got.astype(precise)
    same = got == want if exact else (theirs == ours) | (np.isnan(theirs) & np.isnan(ours))
    with np.errstate(all="ignore"):  # inf - inf is expected here: it is one of the differences to be found
        error = np.abs(theirs - ours)
    error = np.where(np.isnan(error), np.inf, error)
    allowed = 0.0 if exact else atol + rtol * np.abs(np.where(np.isfinite(ours), ours, 0.0))
    wrong = ~same & (exact | (error > allowed))
    if not wrong.any():
        return ""
    where = np.unravel_index(np.argmax(np.where(wrong, error, -1.0)), want.shape)
    element = f"element {tuple(int(i) for i in where)}" if want.ndim else "the value"
    count = f"; {np.count_nonzero(wrong)} of {want.size} elements differ" if want.size > 1 else ""
    return f"{element} is {got[where]}, expected {want[where]}; largest difference {error[where]:.3g}{count}"
