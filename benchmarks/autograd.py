"""Compare the time and memory of recorded operations with PyTorch's, forward and backward.

A chain alternates `x * w` and `x + b` on 16 numbers. It has hardly any arithmetic, so the autograd engine is
what is timed.
Run it as `python -m benchmarks.autograd`.
"""

from __future__ import annotations

from benchmarks.paired import Ratio, Work, run

# isort: split
import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tinytorch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTHS = (100, 1000, 10_000, 20_000)
GOAL = 0.6


def chain(x: Any, w: Any, b: Any, length: int) -> Any:
    """Apply `length` operations one after the other."""
    for _ in range(length // 2):
        x = x * w
        x = x + b
    return x


def inputs() -> tuple[np.ndarray, ...]:
    """Return x, w and b, such that a long chain stays in the range of float32."""
    rng = np.random.default_rng(0)
    x, b = rng.normal(size=(2, 16)).astype(np.float32)
    return x, rng.uniform(0.9999, 1.0001, 16).astype(np.float32), b


def work(length: int, needs: tuple[bool, bool, bool]) -> Work:
    """Return a chain in both libraries, forward and backward; `needs` says which inputs need a gradient."""

    def side(make: Callable) -> Callable[[], list[np.ndarray]]:
        leaves = [make(array, requires_grad=need) for array, need in zip(inputs(), needs, strict=True)]

        def forward_backward() -> list[np.ndarray]:
            for leaf in leaves:
                leaf.grad = None
            chain(*leaves, length).sum().backward()
            return [leaf.grad.numpy() for leaf in leaves if leaf.requires_grad]

        return forward_backward

    learned = "x, w, b" if all(needs) else "x"
    return Work(f"{length} operations, gradient for {learned}", side(Tensor), side(torch.tensor), GOAL)


def works() -> list[Work]:
    """Return a chain of every length, with a gradient for x alone, and with one for all inputs."""
    return [work(length, (True, rest, rest)) for rest in (False, True) for length in LENGTHS]


def left_behind(length: int) -> tuple[int, int]:
    """Return the bytes that a recorded chain takes, and those it still takes after backward.

    The garbage collector runs here only to free Python's spare tuples. Tests show that no part of a graph
    waits for it.
    """
    x, w, b = inputs()
    leaf = Tensor(x, requires_grad=True)
    leaf.grad = x
    tracemalloc.start()
    out = chain(leaf, w, b, length).sum()
    recorded, _ = tracemalloc.get_traced_memory()
    out.backward()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return recorded, after


def print_growth(ratios: list[Ratio]) -> None:
    """Print time per operation, and memory, against the length of the chain: both should be flat."""
    print(f"\n{'operations':<44} {'ours µs each':>12} {'torch µs':>9} {'recorded KB':>12} {'after KB':>9}")
    for ratio in ratios:
        length = int(ratio.name.split()[0])
        recorded, after = left_behind(length)
        ours, baseline = (1e3 * ms / length for ms in (ratio.ours_ms, ratio.baseline_ms))
        print(f"{ratio.name:<44} {ours:>12.2f} {baseline:>9.2f} {recorded / 1e3:>12.1f} {after / 1e3:>9.1f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    gc.freeze()  # so that the collector does not scan PyTorch's objects again for every long chain
    print_growth(run("autograd", works()))
