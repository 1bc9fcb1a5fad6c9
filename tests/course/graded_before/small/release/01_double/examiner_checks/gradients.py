"""Gradients, judged against central differences in float64."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from examiner_checks.failures import CheckFailed, type_name
from examiner_checks.values import check_array

Float64Array = NDArray[np.float64]
Function = Callable[..., NDArray[Any]]


def numeric_gradient(
    f: Function,
    arrays: Sequence[ArrayLike | None],
    weights: ArrayLike | None = None,
    eps: float = 1e-5,
) -> list[Float64Array | None]:
    """Return the gradient of `sum(weights * f(*arrays))` with respect to each array, by central differences.

    Parameters
    ----------
    f : callable
        Takes and returns arrays; it is called twice for every element of every input.
    arrays : sequence of array_like or None
        Where to take the gradient; cast to float64. None, for an absent input, is passed on and has
        gradient None.
    weights : array_like, optional
        Of the shape of `f(*arrays)`; ones if left out. Random weights tell outputs apart that ones would
        mix up.
    eps : float
        Half of the step.

    Returns
    -------
    list of (float64 array or None)
        Each of the shape of its input.

    Raises
    ------
    CheckFailed
        If `f` returns something else than a numeric array, or one of another shape than `weights`.
    """
    inputs = [None if a is None else np.array(a, dtype=np.float64) for a in arrays]
    gradients: list[Float64Array | None] = []
    for x in inputs:
        if x is None:
            gradients.append(None)
            continue
        gradient = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            here = x[i]
            x[i] = here + eps
            above = _terms(f, inputs, weights)
            x[i] = here - eps
            below = _terms(f, inputs, weights)
            x[i] = here
            gradient[i] = (above - below).sum() / (2 * eps)
        gradients.append(gradient)
    return gradients


def check_gradient(  # noqa: PLR0913  (the function, the point, the answer, and four knobs)
    f: Function,
    inputs: Sequence[ArrayLike | None],
    got: object,
    *,
    weights: ArrayLike | None = None,
    eps: float = 1e-5,
    rtol: float = 1e-5,
    hint: str = "",
) -> None:
    """Pass if `got` holds the gradients of `sum(weights * f(*inputs))`.

    An element may be wrong by `rtol` times the largest element of its gradient, plus what rounding does to
    central differences, so that neither a gradient that is small everywhere nor one that is zero is let
    through unseen.

    Parameters
    ----------
    f, inputs, weights, eps
        As for `numeric_gradient`.
    got : list or tuple
        The student's gradients, one for each input: an array of the input's shape, or None where the input
        is None.
    rtol : float
        The tolerance, relative to the largest element of each gradient.
    hint : str, optional
        What a student may read if the check fails.

    Raises
    ------
    CheckFailed
        If a gradient differs; the message says which, and where.
    """
    if type(got) not in (list, tuple) or not isinstance(got, list | tuple):
        raise CheckFailed(f"got a {type_name(got)}, expected a list of gradients", hint)
    if len(got) != len(inputs):
        raise CheckFailed(f"got {len(got)} gradients, expected {len(inputs)}", hint)
    point = [None if a is None else np.array(a, dtype=np.float64) for a in inputs]
    rounding = 16 * np.finfo(np.float64).eps * np.abs(_terms(f, point, weights)).sum() / eps
    for i, (theirs, ours) in enumerate(zip(got, numeric_gradient(f, inputs, weights, eps), strict=True)):
        if ours is None:
            if theirs is not None:
                raise CheckFailed(f"gradient {i} is a {type_name(theirs)}, expected None", hint)
            continue
        try:
            check_array(theirs, ours, rtol=0, atol=rtol * np.abs(ours).max(initial=0) + rounding)
        except CheckFailed as failed:
            raise CheckFailed(f"gradient {i}: {failed.fact}", hint) from None


def _terms(f: Function, inputs: Sequence[Float64Array | None], weights: ArrayLike | None) -> Float64Array:
    """Return `weights * f(*inputs)`, with copies of the inputs so that `f` cannot move the point."""
    out: object = f(*(None if x is None else x.copy() for x in inputs))
    if type(out) is not np.ndarray or out.dtype.kind not in "biuf":
        raise CheckFailed(f"the function returned a {type_name(out)}, expected a numeric numpy.ndarray")
    if weights is None:
        return out.astype(np.float64)
    if out.shape != np.shape(weights):
        raise CheckFailed(
            f"the function returned an array of shape {out.shape}, expected {np.shape(weights)}"
        )
    return out.astype(np.float64) * np.asarray(weights, dtype=np.float64)
