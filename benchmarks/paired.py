"""Compare two ways of doing the same work, by the ratio of their times within interleaved pairs.

A machine's speed drifts by a factor of two and more within minutes, so times taken one after the other say
little. The two sides of a pair run within milliseconds of each other, in random order, and pairs that were
disturbed hardly move the median of the ratios. The main figure is CPU time; wall time is given beside it.

Import this module before NumPy and PyTorch (`# isort: split`): it limits both to one thread, and lets the C
library keep memory that is freed. Otherwise the library returns arrays of a few megabytes to the system in
some runs and not in others; their pages are then mapped and zeroed again at every call, which makes a factor
of two.
"""

import argparse
import ctypes
import json
import math
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

if "numpy" in sys.modules or "torch" in sys.modules:
    raise ImportError("benchmarks.paired comes before numpy and torch: BLAS reads its thread count only once")
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    for limit in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        libc.mallopt(limit, 1 << 30)

import numpy as np  # noqa: E402 - after the thread count is set

RESULTS = Path(__file__).parent / "results"
CONFIDENCE = 0.95
SAMPLE_SECONDS = 0.01  # shorter work is repeated until one sample lasts about this long


@dataclass(frozen=True)
class Work:
    """A row of the table: two functions that do the same, and the goal for the ratio of their times.

    Each function returns the arrays it computed (or None); they are compared once, before anything is timed.
    """

    name: str
    ours: Callable[[], Sequence[np.ndarray] | None]
    baseline: Callable[[], Sequence[np.ndarray] | None]
    goal: float
    rtol: float = 1e-3


@dataclass(frozen=True)
class Ratio:
    """Time of ours over time of the baseline: the median over the pairs with its 95 % interval."""

    name: str
    goal: float
    median: float
    low: float
    high: float
    wall: float
    ours_ms: float
    baseline_ms: float
    pairs: int

    @property
    def verdict(self) -> str:
        """Say whether the goal is met, missed, or within the spread."""
        if self.high <= self.goal:
            return "met"
        return "missed" if self.low > self.goal else "within spread"


def agree(work: Work) -> None:
    """Assert that both sides compute the same: a fast wrong answer is not measured."""
    ours, baseline = work.ours(), work.baseline()
    if ours is None and baseline is None:
        return
    for got, want in zip(ours, baseline, strict=True):
        scale = float(np.abs(want).max(initial=0))
        np.testing.assert_allclose(got, want, rtol=work.rtol, atol=work.rtol * scale, err_msg=work.name)


def clocked(function: Callable[[], object], calls: int) -> tuple[float, float]:
    """Return CPU and wall seconds of one call, as the mean over `calls`."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls


def calls_per_sample(function: Callable[[], object]) -> int:
    """Return how many calls last about SAMPLE_SECONDS, by the shortest of several trials."""
    if clocked(function, 1)[0] > SAMPLE_SECONDS:  # work that takes seconds is not run fifteen times more
        return 1
    return math.ceil(SAMPLE_SECONDS / min(clocked(function, 3)[0] for _ in range(5)))


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the CONFIDENCE interval of the median, by order statistics, whatever the noise is like."""
    ordered, n = sorted(values), len(values)
    rank, outside = 0, 2 * 0.5**n  # probability that the median lies outside of the interval
    while (wider := outside + 2 * math.comb(n, rank + 1) * 0.5**n) <= 1 - CONFIDENCE:
        rank, outside = rank + 1, wider
    return ordered[rank], ordered[n - 1 - rank]


def measure(work: Work, pairs: int = 31, seed: int = 0) -> Ratio:
    """Time `pairs` interleaved pairs in random order and return the median of their ratios."""
    agree(work)
    order = random.Random(seed)  # noqa: S311 - a fair coin, not a secret
    sides = work.ours, work.baseline
    calls = [calls_per_sample(side) for side in sides]
    samples: list[tuple[tuple[float, float], ...]] = []
    for _ in range(pairs):
        pair: dict[int, tuple[float, float]] = {}
        for side in order.sample((0, 1), 2):
            pair[side] = clocked(sides[side], calls[side])
        samples.append((pair[0], pair[1]))
    cpu = [ours[0] / baseline[0] for ours, baseline in samples]
    low, high = median_interval(cpu)
    return Ratio(
        name=work.name,
        goal=work.goal,
        median=statistics.median(cpu),
        low=low,
        high=high,
        wall=statistics.median(ours[1] / baseline[1] for ours, baseline in samples),
        ours_ms=1e3 * statistics.median(ours[0] for ours, _ in samples),
        baseline_ms=1e3 * statistics.median(baseline[0] for _, baseline in samples),
        pairs=pairs,
    )


def row(ratio: Ratio) -> str:
    """Return one line of the table."""
    return (
        f"{ratio.name:<44} {ratio.ours_ms:>9.3f} {ratio.baseline_ms:>9.3f} {ratio.median:>6.2f} "
        f"[{ratio.low:.2f}, {ratio.high:.2f}] {ratio.wall:>6.2f} {ratio.goal:>6.2f}  {ratio.verdict}"
    )


def write(name: str, ratios: Sequence[Ratio], baseline: str) -> Path:
    """Write the figures, and the versions that they were taken with, as JSON; return the path."""
    taken_with = {
        "baseline": f"{baseline} {version(baseline)}",
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    figures = {"with": taken_with, "ratios": [asdict(ratio) for ratio in ratios]}
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return path


def run(name: str, works: Iterable[Work], baseline: str = "torch") -> list[Ratio]:
    """Measure every work that the command line asks for, print each row at once, and write the JSON."""
    parser = argparse.ArgumentParser(prog=name, description="Time ours against the baseline in pairs.")
    parser.add_argument("--pairs", type=int, default=31, help="pairs per row (at least 6)")
    parser.add_argument("--only", default="", help="only rows whose name contains this text")
    options = parser.parse_args()
    if options.pairs < 6:  # noqa: PLR2004 - the least n with 2 · 0.5ⁿ below 5 %
        parser.error("a 95 % interval of the median needs at least 6 pairs")
    print(f"{name}: ours / {baseline} {version(baseline)}, one thread, {options.pairs} interleaved pairs")
    print(f"{'work':<44} {'ours ms':>9} {'base ms':>9} {'ratio':>6} {'95 % CI':<12} {'wall':>6} {'goal':>6}")
    ratios = []
    for work in works:
        if options.only in work.name:
            ratios.append(measure(work, options.pairs))
            print(row(ratios[-1]), flush=True)
    if not options.only:
        print(f"written to {write(name, ratios, baseline).relative_to(RESULTS.parent.parent)}")
    return ratios
