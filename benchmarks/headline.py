"""Measure the headline figures, each with its baseline, its spread, and the quality that was kept.

Run it as `python -m benchmarks.headline`. It computes with one thread and keeps the memory that is freed.
Times are measured in interleaved pairs, and the figure is the median of their ratios with its 95 % interval.
It writes `results/headline.json`; `python -m benchmarks.performance_page` puts that into
`docs/performance.md`.
"""

from __future__ import annotations

from benchmarks.claims import SLOW_PAIRS, TIMES, Claim, faster, normal
from benchmarks.paired import RESULTS, Work, measure

# isort: split
import argparse
import json
import platform
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.growth import exponents
from benchmarks.smaller import Trained, pruning, quantization
from benchmarks.tokens import caching
from tinytorch import accelerate, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOFTMAX_ROWS = (1, 10, 100, 1000, 4000)
GROUP = "acceleration"
Curves = dict[str, Any]


def acceleration(curves: Curves) -> Iterator[Claim]:
    """Yield the claims on acceleration: BLAS, blocks, batched products, float32, softmax and conv2d."""
    for n in (64, 128, 256):
        a, b = normal(n, n), normal(n, n, seed=1)
        for name, loops in (
            ("triple loop, lists", accelerate.matmul_lists),
            ("triple loop, NumPy scalars", accelerate.matmul_scalars),
        ):
            yield faster(
                GROUP,
                f"matmul {n}",
                lambda a=a, b=b: [a @ b],
                (name, lambda f=loops, a=a, b=b: [f(a, b)]),
                pairs=SLOW_PAIRS,
            )
    yield against(
        "blocked loops over lists, 128", accelerate.matmul_blocked_lists, accelerate.matmul_lists, 128
    )
    for block in (32, 256):
        yield against(
            f"matmul 512 in blocks of {block}",
            lambda a, b, block=block: accelerate.matmul_blocked(a, b, block),
            np.matmul,
            512,
        )
    for n, count in ((4, 1000), (128, 20)):
        a, b = normal(count, n, n), normal(count, n, n, seed=1)
        yield faster(
            GROUP,
            f"{count} products of {n}, one call",
            lambda a=a, b=b: [a @ b],
            ("one call each", lambda a=a, b=b: [accelerate.matmul_each(a, b)]),
        )
    a, b = normal(512, 512), normal(512, 512, seed=1)
    wide = a.astype(np.float64), b.astype(np.float64)
    yield faster(GROUP, "matmul 512, float32", lambda: [a @ b], ("float64", lambda: [wide[0] @ wide[1]]))
    yield from softmaxes(curves)
    yield from convolutions()


def against(name: str, ours: Callable, baseline: Callable, n: int) -> Claim:
    """Return how many times faster one way to multiply matrices is than another."""
    a, b = normal(n, n), normal(n, n, seed=1)
    title = "triple loop, lists" if baseline is accelerate.matmul_lists else "a @ b"
    return faster(GROUP, name, lambda: [ours(a, b)], (title, lambda: [baseline(a, b)]), pairs=11)


def softmaxes(curves: Curves) -> Iterator[Claim]:
    """Yield fused softmax against softmax in steps, for arrays that fit into the cache and larger ones."""
    curves["softmax"] = []
    for rows in SOFTMAX_ROWS:
        x = normal(rows, 1000)
        claim = faster(
            GROUP,
            f"fused softmax, {rows}·1000",
            lambda x=x: [accelerate.softmax(x)],
            ("in steps", lambda x=x: [accelerate.softmax_steps(x)]),
            pairs=21,
        )
        curves["softmax"].append({"elements": x.size, "times": claim.figure})
        yield claim


def convolutions() -> Iterator[Claim]:
    """Yield convolution by columns against loops, and against shifted images."""
    for shape, filters, name, baseline, pairs in (
        ((1, 3, 32, 32), (16, 3, 3, 3), "seven loops, lists", accelerate.conv2d_loops, SLOW_PAIRS),
        ((8, 3, 32, 32), (32, 3, 3, 3), "shifted images", accelerate.conv2d_shifts, 21),
        ((32, 16, 28, 28), (32, 16, 3, 3), "shifted images", accelerate.conv2d_shifts, 21),
    ):
        x, weight = normal(*shape), normal(*filters)
        yield faster(
            GROUP,
            f"conv2d {','.join(map(str, shape))} * {','.join(map(str, filters))}",
            lambda x=x, weight=weight: [nn.conv2d(x, weight).numpy()],
            (name, lambda f=baseline, x=x, weight=weight: [f(x, weight)]),
            pairs=pairs,
        )


def beside_pytorch() -> Iterator[Claim]:
    """Yield times relative to PyTorch's, or nothing if PyTorch is not installed."""
    if find_spec("torch") is None:
        return
    from benchmarks.torch_sides import works  # noqa: PLC0415 - it needs PyTorch

    for work in works():
        ratio = measure(Work(work.name, work.ours, work.baseline, work.goal, work.rtol), 21)
        yield Claim(
            "beside PyTorch",
            work.name,
            "PyTorch, time",
            ratio.median,
            ratio.low,
            ratio.high,
            TIMES,
            work.goal,
            f"within {100 * work.rtol:g} % of the largest",
            at_most=True,
        )


def sections(curves: Curves) -> Iterator[tuple[str, Callable[[], Iterator[Claim]]]]:
    """Yield the name of each group of claims, and a function that yields its claims."""
    trained: list[Trained] = []

    def network() -> Trained:
        return trained[0] if trained else (trained.append(Trained()) or trained[0])

    yield GROUP, lambda: acceleration(curves)
    yield "quantization", lambda: quantization(network(), curves)
    yield "pruning", lambda: pruning(network(), curves)
    yield "KV cache", lambda: caching(curves)
    yield "beside PyTorch", beside_pytorch
    yield "growth", lambda: growth(curves)


def growth(curves: Curves) -> Iterator[Claim]:
    """Yield the exponent of each operation's cost, with the theoretical one in place of a baseline."""
    curves["growth"] = list(exponents())
    for row in curves["growth"]:
        yield Claim(
            "growth",
            f"{row['operation']}, by {row['by']}",
            f"theory: {row['theory']}",
            row["exponent"],
            row["low"],
            row["high"],
            "",
            None,
            f"{row['sizes'][0]} to {row['sizes'][-1]}",
        )


def print_row(claim: Claim) -> None:
    """Print one line of the table."""
    widths = (48, 26, 12, 18, 8, 14, 0)
    print(*(f"{cell:<{width}}" for cell, width in zip(claim.cells(), widths, strict=True)), flush=True)


def main() -> None:
    """Print each claim once it is measured, and write all as JSON."""
    parser = argparse.ArgumentParser(prog="headline", description="Measure the headline figures.")
    parser.add_argument("--only", default="", help="only groups whose name contains this text")
    only = parser.parse_args().only
    path = RESULTS / "headline.json"
    known = json.loads(path.read_text()) if path.is_file() else {"claims": [], "curves": {}}
    curves: Curves = known["curves"]
    for group, claims in sections(curves):
        if only not in group:
            continue
        print(f"\n{group}")
        found = []
        for claim in claims():
            found.append(asdict(claim) | {"verdict": claim.verdict})
            print_row(claim)
        known["claims"] = [c for c in known["claims"] if c["group"] != group] + found
        known["with"] = {"numpy": np.__version__, "python": platform.python_version()}
        path.write_text(json.dumps(known, indent=1, allow_nan=True) + "\n")
    print(f"\nwritten to {path.relative_to(RESULTS.parent.parent)}")


if __name__ == "__main__":
    main()
