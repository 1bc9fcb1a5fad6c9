"""Put what `benchmarks.headline` measured into docs/performance.md, as tables, and draw its plots.

    .venv-student/bin/python -m benchmarks.performance_page

The same figures give the same bytes: the plots have no dates and no random names, and their text stays text.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams |= {
    "svg.hashsalt": "tinytorch",
    "svg.fonttype": "none",
    "figure.figsize": (5.6, 3.4),
    "figure.constrained_layout.use": True,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
import matplotlib.pyplot as plt  # noqa: E402 - after the backend and the style are set

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "headline.json"
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "plots"
GROWTH = "growth"

Curves = dict[str, Any]


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of rows, the first of which names the columns."""
    head, *others = rows
    lines = [head, ["---"] * len(head), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def short(number: float) -> str:
    """Return a number with three significant digits, or as an integer from 100 on."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"  # noqa: PLR2004 - the least with three digits


def claims(found: Sequence[dict[str, Any]]) -> str:
    """Return the claims of a group as a table."""
    rows = [["claim", "baseline", "figure", "95 %", "goal", "", "quality kept"]]
    for c in found:
        spread = "" if c["low"] == c["high"] else f"{short(c['low'])} … {short(c['high'])}"
        goal = "" if c["goal"] is None else f"{'≤' if c['at_most'] else '≥'} {short(c['goal'])}"
        figure = f"{short(c['figure'])} {c['unit']}"
        rows.append([c["name"], c["baseline"], figure, spread, goal, c["verdict"], c["quality"]])
    return table(rows)


def growth(curves: Curves) -> str:
    """Return a table of what each operation costs at each size, and of the exponents."""
    rows = [["operation", "grows with", "milliseconds at each size", "fitted exponent", "95 %", "theory"]]
    for row in curves[GROWTH]:
        costs = ", ".join(f"{n}: {short(ms)}" for n, ms in zip(row["sizes"], row["ms"], strict=True))
        spread = f"{row['low']:.2f} … {row['high']:.2f}"
        rows.append(
            [row["operation"], row["by"], costs, f"{row['exponent']:.2f}", spread, str(row["theory"])]
        )
    return table(rows)


def filled(page: str, name: str, content: str) -> str:
    """Return the page with new content between the comments of that name."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    found, count = re.subn(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{PAGE} needs one place for {name!r}: <!-- {name} --> … <!-- end -->")
    return found


def speed_against_size(curves: Curves) -> None:
    """Draw three speed-ups that depend on a size, and the points of break-even."""
    plt.gcf().set_size_inches(9, 3.4)
    softmax, int8, sparse = plt.gcf().subplots(1, 3, sharey=True)
    for panel, title, rows, size in (
        (softmax, "fused softmax / in steps", curves["softmax"], "elements"),
        (int8, "int8 / float32, linear 1024²", curves["int8_speed"], "batch"),
    ):
        panel.plot([row[size] for row in rows], [row["times"] for row in rows], "o-")
        panel.set_title(title, fontsize=9)
        panel.set_xlabel(size)
    for row in curves["break_even"]:
        left = [100 * (1 - sparsity) for sparsity in row["sparsities"]]
        sparse.plot(left, row["times"], "o-", label=f"batch {row['batch']}")
        if row["break_even"]:
            sparse.plot([100 * (1 - row["break_even"])], [1], "k*", zorder=3)
    sparse.set_title("padded rows / dense, linear 1024²", fontsize=9)
    sparse.set_xlabel("weights left, %")
    sparse.legend(fontsize=7)
    softmax.set_ylabel("times faster")
    for panel in (softmax, int8, sparse):
        panel.axhline(1, color="k", linewidth=1)
        panel.set_xscale("log")
        panel.set_yscale("log")


def accuracy_against_sparsity(curves: Curves) -> None:
    """Draw the accuracy against the share of weights or units that was removed."""
    rows = curves["sparsity"]
    for key, label in (
        ("one_shot", "weights, one-shot"),
        ("tuned", "weights, fine-tuned"),
        ("units_one_shot", "units, one-shot"),
        ("units_tuned", "units, fine-tuned"),
    ):
        style = "o-" if "tuned" in key else "o:"
        plt.plot([100 * row["sparsity"] for row in rows], [row[key] for row in rows], style, label=label)
    plt.axhline(20, color="k", linewidth=1, label="guessing")
    plt.xlabel("removed, %")
    plt.ylabel("accuracy on unseen pictures, %")
    plt.legend(fontsize=7)


def cost_against_length(curves: Curves) -> None:
    """Draw the time of the next token against the length of the text, with a cache and without."""
    rows = curves["tokens"]
    for key, label in (("full_ms", "without a cache"), ("cached_ms", "with a cache")):
        plt.plot([row["length"] for row in rows], [row[key] for row in rows], "o-", label=label)
    plt.yscale("log")
    plt.xlabel("tokens so far")
    plt.ylabel("milliseconds for the next token")
    plt.legend()


def error_against_bits(curves: Curves) -> None:
    """Draw the signal-to-noise ratio of weights and of outputs against the bits of a weight."""
    rows = curves["bits"]
    for key, label in (
        ("tensor", "weights, one grid"),
        ("channel", "weights, a grid for each output"),
        ("logits", "outputs of the network"),
    ):
        plt.plot([row["bits"] for row in rows], [row[key] for row in rows], "o-", label=label)
    plt.xlabel("bits of a weight")
    plt.ylabel("signal to noise, dB")
    agreement = plt.gca().twinx()
    agreement.plot([r["bits"] for r in rows], [r["agreement"] for r in rows], "k:", label="same predictions")
    agreement.set_ylabel("same predictions, % (dotted)")
    agreement.grid(visible=False)
    plt.gcf().axes[0].legend(fontsize=7, loc="lower right")


DRAWN: dict[str, Callable[[Curves], None]] = {
    "speed-size": speed_against_size,
    "accuracy-sparsity": accuracy_against_sparsity,
    "token-length": cost_against_length,
    "error-bits": error_against_bits,
}


def main() -> None:
    """Write the page and the plots."""
    results = json.loads(RESULTS.read_text())
    page = PAGE.read_text()
    for group in dict.fromkeys(c["group"] for c in results["claims"]):
        found = [c for c in results["claims"] if c["group"] == group]
        content = growth(results["curves"]) if group == GROWTH else claims(found)
        page = filled(page, group, content)
    PAGE.write_text(page)
    PLOTS.mkdir(exist_ok=True)
    for name, draw in DRAWN.items():
        plt.figure()
        draw(results["curves"])
        plt.savefig(PLOTS / f"{name}.svg", metadata={"Date": None})
        plt.close()


if __name__ == "__main__":
    main()
