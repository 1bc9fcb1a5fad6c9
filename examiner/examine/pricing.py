"""The points of a grade cell that ran in a kernel, from its outputs alone, by nbgrader's rule."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from examiner.examine.executed import Output
from examiner.verdict import Outcome, Verdict

# The outcome by the name of the exception that ended a cell; any other name is Outcome.ERROR.
RAISED: Final = {
    **dict.fromkeys(("AssertionError", "CheckFailed"), Outcome.FAILED),
    **dict.fromkeys(("MemoryError", "_ArrayMemoryError"), Outcome.OUT_OF_MEMORY),
}

# How NumPy 2 shows a number; nbgrader's rule is of a time when it showed the digits alone.
_NUMPYS_SCALAR: Final = re.compile(
    r"(?:np|numpy)\.(?:float|int|uint|longdouble|longlong|ulonglong)\d*\('?([^()']+)'?\)"
)


def priced(verdict: Verdict, outputs: list[Output], *, timed_out: bool) -> Verdict:
    """Return the verdict with the points that nbgrader gives for these outputs."""
    error = next((output for output in outputs if output["output_type"] == "error"), None)
    message = f"{error['ename']}: {error['evalue']}" if error else ""
    try:
        points = points_of(outputs, verdict.max_points)
    except (ValueError, KeyError) as fault:
        return replace(verdict, message=f"nbgrader cannot give points for these outputs: {fault}")
    if points == verdict.max_points:
        return replace(verdict, outcome=Outcome.PASSED, points=points)
    if points > 0:
        return replace(verdict, outcome=Outcome.PARTIAL, points=points)
    outcome = Outcome.FAILED if error is None else RAISED.get(error["ename"], Outcome.ERROR)
    outcome = Outcome.TIMEOUT if timed_out else outcome
    return replace(verdict, outcome=outcome, message=message, raised=error["ename"] if error else "")


def points_of(outputs: Sequence[Mapping[str, Any]], max_points: float) -> float:
    """Return the points that nbgrader gives for these outputs; the first output that decides counts.

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
    scalar = _NUMPYS_SCALAR.fullmatch(text)
    try:
        points = float(scalar[1] if scalar else text)
    except ValueError:
        return max_points
    if points > max_points:
        raise ValueError(f"the cell's value is {points:g} of {max_points:g} points")
    return points if points >= 0 else max_points
