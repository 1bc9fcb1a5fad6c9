"""The points of a grade cell that was run in a kernel, from its outputs alone: nbgrader's rule, said once."""

from collections.abc import Mapping, Sequence
from typing import Any


def points_of(outputs: Sequence[Mapping[str, Any]], max_points: float) -> float:
    """Return what nbgrader gives for these outputs, in the order in which it looks at them.

    An error or anything on stderr is no points. The first value of an expression is partial credit if it
    reads as a number of at least 0. Everything else, no output at all included, is full credit.

    Raises
    ------
    ValueError
        If the partial credit exceeds `max_points`.
    KeyError
        If a value has no plain text.
    """
    for output in outputs:
        kind = output["output_type"]
        if kind == "error" or (kind == "stream" and output["name"] == "stderr"):
            return 0.0
        if kind == "execute_result":
            return _partial(output["data"]["text/plain"], max_points)
    return max_points


def _partial(text: str | Sequence[str], max_points: float) -> float:
    if not text:
        raise KeyError("text/plain")
    if not isinstance(text, str):
        if len(text) > 1:
            return max_points
        text = text[0]
    try:
        points = float(text)
    except ValueError:
        return max_points
    if points > max_points:
        raise ValueError(f"the cell's value is {points:g} of {max_points:g} points")
    return points if points >= 0 else max_points
