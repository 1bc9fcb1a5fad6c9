"""Plots of what was measured, for the student whose code it was."""

import io
import os
import tempfile
from collections.abc import Callable
from typing import Any, Final

import numpy as np

# When it is imported, Matplotlib writes a font cache into the user's home, where grading must leave nothing.
# The cache is read during the import only, so its folder can be removed right after.
with tempfile.TemporaryDirectory(prefix="examiner-") as _caches:
    os.environ.setdefault("MPLCONFIGDIR", _caches)
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

from examiner.verdict import surely_cleared
from examiner_checks.measured import Measured

REACHED, MISSED, CANDIDATE, BASELINE = "#2a7f4f", "#b3402a", "#33567a", "#8a8a8a"
DPI: Final = 80
LINE: Final = 28  # characters of a label that fit along the axis


def picture(measured: Measured) -> bytes | None:
    """Return a PNG of the samples and the thresholds, or None where a sentence is enough."""
    draw = _DRAWN.get(measured.kind)
    if draw is None:
        return None
    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    draw(measured, figure.subplots())
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def _pairs(measured: Measured, axes: Axes) -> None:
    """Draw the ratio of each pair in the order of measurement, with the interval and the thresholds."""
    samples = np.arange(1, len(measured.figures) + 1)
    axes.plot(samples, measured.figures, "o", markersize=4, color=CANDIDATE, label="one pair")
    axes.axhline(measured.middle, color=CANDIDATE, linewidth=1.5, label=f"median {measured.middle:.3g}")
    if np.isfinite([measured.low, measured.high]).all():
        axes.axhspan(measured.low, measured.high, color=CANDIDATE, alpha=0.15, linewidth=0)
    _thresholds(measured, axes)
    if measured.kind == "speed":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:.3g}")
        axes.yaxis.set_minor_formatter("{x:.3g}")
    axes.set(xlabel="pair" if measured.kind == "speed" else "round", ylabel=_wrapped(measured.unit))
    axes.set_title(_title(measured), fontsize=10)
    axes.legend(fontsize=8, loc="best")


def _thresholds(measured: Measured, axes: Axes) -> None:
    cleared = surely_cleared(measured)
    for number, (threshold, points) in enumerate(measured.rungs):
        is_reached = cleared is not None and number >= cleared
        label = f"{points:g} points" if points else "passes"
        label += f" {'from' if measured.more_is_better else 'up to'} {threshold:g}"
        colour = REACHED if is_reached else MISSED
        axes.axhline(threshold, color=colour, linestyle="--", linewidth=1.2, label=label)


def _sizes(measured: Measured, axes: Axes) -> None:
    """Draw the median times of both sides against the size."""
    raw = measured.raw
    for name, series, colour in (("yours", raw.candidate, CANDIDATE), ("the other", raw.baseline, BASELINE)):
        middles = [1000 * float(np.median(seconds)) for seconds in series]
        axes.plot(raw.sizes, middles, "o-", markersize=4, color=colour, label=name)
    for threshold, _ in measured.rungs:
        colour = MISSED if measured.missed else REACHED
        axes.axvline(threshold, color=colour, linestyle="--", linewidth=1.2)
    axes.set(xscale="log", yscale="log", xlabel="size", ylabel="milliseconds")
    axes.set_title(_title(measured), fontsize=10)
    axes.legend(fontsize=8)


def _title(measured: Measured) -> str:
    return measured.what if measured.is_settled else f"{measured.what} (unclear: a person decides)"


def _wrapped(text: str) -> str:
    """Return a text in two lines if it is long."""
    words = text.split()
    return text if len(text) < LINE else " ".join(words[:3]) + "\n" + " ".join(words[3:])


_DRAWN: Final[dict[str, Callable[[Any, Any], None]]] = {
    "speed": _pairs,
    "growth": _pairs,
    "break even": _sizes,
}
