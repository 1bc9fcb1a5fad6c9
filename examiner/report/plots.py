"""Pictures of what was measured, for the student whose work it was."""

import io
import os
import tempfile
from collections.abc import Callable
from typing import Any, Final

import numpy as np

# Matplotlib writes lists of fonts into the home of whoever imports it; grading leaves nothing there.
# The lists are read once, while it is imported.
with tempfile.TemporaryDirectory(prefix="examiner-") as _caches:
    os.environ.setdefault("MPLCONFIGDIR", _caches)
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

from examiner_checks.measured import Measured

GOOD, BAD, CALM, BASE = "#2a7f4f", "#b3402a", "#33567a", "#8a8a8a"
DPI: Final = 80


def picture(measured: Measured) -> bytes | None:
    """Return a PNG of the samples and the thresholds, or None for what a sentence says as well."""
    draw = _DRAWN.get(measured.kind)
    if draw is None:
        return None
    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    draw(measured, figure.subplots())
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def _pairs(measured: Measured, axes: Axes) -> None:
    """Draw each pair's ratio in the order they were taken, with the interval and the thresholds."""
    samples = np.arange(1, len(measured.figures) + 1)
    axes.plot(samples, measured.figures, "o", markersize=4, color=CALM, label="one pair")
    axes.axhline(measured.middle, color=CALM, linewidth=1.5, label=f"median {measured.middle:.3g}")
    if np.isfinite([measured.low, measured.high]).all():
        axes.axhspan(measured.low, measured.high, color=CALM, alpha=0.15, linewidth=0)
    _thresholds(measured, axes)
    if measured.kind == "speed":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:.3g}")
        axes.yaxis.set_minor_formatter("{x:.3g}")
    axes.set(xlabel="pair" if measured.kind == "speed" else "round", ylabel=_wrapped(measured.unit))
    axes.set_title(measured.what, fontsize=10)
    axes.legend(fontsize=8, loc="best")


def _thresholds(measured: Measured, axes: Axes) -> None:
    for number, (threshold, points) in enumerate(measured.rungs):
        is_reached = number >= measured.missed and measured.is_settled
        label = f"{points:g} points" if points else "passes"
        label += f" {'from' if measured.more_is_better else 'up to'} {threshold:g}"
        colour = GOOD if is_reached else BAD
        axes.axhline(threshold, color=colour, linestyle="--", linewidth=1.2, label=label)


def _sizes(measured: Measured, axes: Axes) -> None:
    """Draw both sides' median times over the size."""
    raw = measured.raw
    for name, series, colour in (("yours", raw.candidate, CALM), ("the other", raw.baseline, BASE)):
        middles = [1000 * float(np.median(each)) for each in series]
        axes.plot(raw.sizes, middles, "o-", markersize=4, color=colour, label=name)
    for threshold, _ in measured.rungs:
        axes.axvline(threshold, color=BAD if measured.missed else GOOD, linestyle="--", linewidth=1.2)
    axes.set(xscale="log", yscale="log", xlabel="size", ylabel="milliseconds")
    axes.set_title(measured.what, fontsize=10)
    axes.legend(fontsize=8)


def _wrapped(text: str) -> str:
    """Return a text in two lines if it is long."""
    words = text.split()
    return text if len(text) < 28 else " ".join(words[:3]) + "\n" + " ".join(words[3:])  # noqa: PLR2004 - fits


_DRAWN: Final[dict[str, Callable[[Any, Any], None]]] = {
    "speed": _pairs,
    "growth": _pairs,
    "break even": _sizes,
}
