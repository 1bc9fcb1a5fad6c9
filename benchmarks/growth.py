"""Measure how the cost of each operation grows: the fitted exponent, beside the theoretical one.

In every round a straight line is fitted to the logarithms of sizes and times; the figure is the median of the
slopes. At small sizes the cost of the calls dominates, which does not grow, so each ladder of sizes begins
where the work outweighs it. Where the data outgrow a cache, the slope can be steeper than in theory.
"""

from __future__ import annotations

from benchmarks.claims import normal
from benchmarks.paired import calls_per_sample, clocked, median_interval

# isort: split
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.tokens import Cached, decoder, sentence
from tinytorch import accelerate, nn, no_grad, prune, quantize
from tinytorch.attention import KVCache, attention

ROUNDS = 9

Ladder = tuple[str, str, str, tuple[int, ...], Callable[[int], Callable[[], object]]]


def ladders() -> Iterator[Ladder]:
    """Yield each operation, what grows, its exponent in theory, the sizes, and what makes the work."""
    yield "matmul, lists", "n", "3", (32, 64, 96, 128), lambda n: product(accelerate.matmul_lists, n)
    yield "matmul, BLAS", "n", "3", (128, 256, 512, 1024), lambda n: product(np.matmul, n)
    yield "fused softmax", "rows of 1000", "1", (30, 100, 300, 1000, 3000), softmax
    yield "conv2d, columns", "images", "1", (4, 8, 16, 32, 64), images
    yield "conv2d, columns", "kernel side", "2", (3, 5, 7, 9), kernels
    yield "layer_norm", "rows of 128", "1", (100, 300, 1000, 3000), layer_norms
    yield "embedding", "indices", "1", (1000, 3000, 10_000, 30_000), embeddings
    yield "quantized linear 1024²", "batch", "0 → 1", (16, 32, 64, 128, 256), int8
    yield "integer product", "n", "3", (128, 256, 512, 1024), integers
    yield "sparse rows, padded, batch 8", "weights left", "1", (50_000, 100_000, 200_000, 400_000), sparse
    yield "attention, 4 heads of 32", "tokens", "2", (128, 256, 512, 1024), attend
    yield "decoder, all tokens", "tokens", "1 → 2", (128, 256, 512, 1024), full
    yield "decoder, a cached token", "tokens", "0 → 1", (64, 128, 256, 512, 1024), cached
    yield "cache, append a token", "tokens", "0", (64, 256, 1024, 4096), append


def exponents() -> Iterator[dict[str, Any]]:
    """Yield each operation with its fitted exponent, the interval, and the milliseconds of each size."""
    with no_grad():
        for operation, by, theory, sizes, make in ladders():
            works = {size: make(size) for size in sizes}
            calls = {size: calls_per_sample(work) for size, work in works.items()}
            rounds = [{size: clocked(works[size], calls[size])[0] for size in sizes} for _ in range(ROUNDS)]
            slopes = [
                float(np.polyfit(np.log(sizes), np.log(list(seconds.values())), 1)[0]) for seconds in rounds
            ]
            low, high = median_interval(slopes)
            yield {
                "operation": operation,
                "by": by,
                "theory": theory,
                "exponent": statistics.median(slopes),
                "low": low,
                "high": high,
                "sizes": sizes,
                "ms": [1e3 * statistics.median(seconds[size] for seconds in rounds) for size in sizes],
            }


def product(multiply: Callable, n: int) -> Callable[[], object]:
    """Return the product of two square matrices, as a function to time; so do those below."""
    a, b = normal(n, n), normal(n, n)
    return lambda: multiply(a, b)


def softmax(rows: int) -> Callable[[], object]:
    """Compute the softmax of rows of 1000 numbers."""
    x = normal(rows, 1000)
    return lambda: accelerate.softmax(x)


def images(count: int) -> Callable[[], object]:
    """Convolve a number of images."""
    x, weight = normal(count, 8, 28, 28), normal(16, 8, 3, 3)
    return lambda: nn.conv2d(x, weight)


def kernels(side: int) -> Callable[[], object]:
    """Convolve with filters of a side, at the same number of places for every side."""
    x, weight = normal(8, 8, 27 + side, 27 + side), normal(16, 8, side, side)
    return lambda: nn.conv2d(x, weight)


def layer_norms(rows: int) -> Callable[[], object]:
    """Normalize rows of 128 numbers."""
    x, ones = normal(rows, 128), np.ones(128, np.float32)
    return lambda: nn.layer_norm(x, ones, ones)


def embeddings(count: int) -> Callable[[], object]:
    """Look up a number of rows of 64 numbers."""
    table, indices = normal(1000, 64), np.random.default_rng(0).integers(0, 1000, count)
    return lambda: nn.embedding(indices, table)


def int8(batch: int) -> Callable[[], object]:
    """Multiply a batch with int8 weights: expanding them costs the same for any batch."""
    layer, x = quantize.QuantizedLinear(nn.Linear(1024, 1024)), normal(batch, 1024)
    return lambda: layer(x)


def integers(n: int) -> Callable[[], object]:
    """Multiply two square matrices of int8 codes."""
    codes = np.random.default_rng(0).integers(-127, 128, (n, n), np.int8)
    return lambda: quantize.integer_matmul(codes, codes)


def sparse(count: int) -> Callable[[], object]:
    """Multiply a batch of 8 with a matrix in which `count` of a million weights are left."""
    weight, x = normal(1024, 1024), normal(8, 1024)
    rows = prune.PaddedRows.of(weight * prune.magnitude_mask(weight, 1 - count / weight.size))
    return lambda: rows.times(x)


def attend(tokens: int) -> Callable[[], object]:
    """Compute causal attention for all tokens."""
    q = normal(1, 4, tokens, 32)
    return lambda: attention(q, q, q)


def full(tokens: int) -> Callable[[], object]:
    """Compute the scores of all tokens of a text."""
    model, text = decoder(), sentence(tokens)
    return lambda: model(text)


def cached(tokens: int) -> Callable[[], object]:
    """Compute the scores of the last token of a text, with a cache of those before it."""
    state = Cached(decoder())
    return lambda: state.token(tokens)


def append(tokens: int) -> Callable[[], object]:
    """Append the last token of a text to a cache."""
    cache, new = KVCache(1, 4, tokens, 32), normal(1, 4, 1, 32)

    def put() -> object:
        cache.length = tokens - 1
        return cache.append(new, new)

    return put
