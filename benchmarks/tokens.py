"""Measure what a token costs with a cache of keys and values, and without one."""

from __future__ import annotations

from benchmarks.claims import TIMES, Claim, counted, of_rounds
from benchmarks.paired import clocked

# isort: split
import statistics
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch import no_grad
from tinytorch.attention import Decoder, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTHS = (1, 32, 64, 128, 200, 256, 384, 512, 768, 1024)
ROUNDS = 11
CALLS = 8  # of a cached token, in each round
GOALS = {200: 8, 512: 20, 1024: 40}
VOCABULARY = 64


def decoder() -> Decoder:
    """Return the decoder that all figures are for: 4 layers, 128 features, 4 heads, 1024 places."""
    return Decoder(VOCABULARY, LENGTHS[-1], 128, 4, 4, np.random.default_rng(0))


def sentence(length: int) -> np.ndarray:
    """Draw a text of random tokens (1, length)."""
    return np.random.default_rng(1).integers(0, VOCABULARY, (1, length))


class Cached:
    """A decoder that has read a text, and can compute the token at any place of it again and again."""

    def __init__(self, model: Decoder) -> None:
        self.model, self.text = model, sentence(LENGTHS[-1])
        self.caches = model.new_caches()
        with no_grad():
            self.model(self.text, self.caches)

    def token(self, place: int) -> np.ndarray:
        """Return the scores (1, 1, V) after the token at a place, counted from 1."""
        for cache in self.caches:
            cache.length = place - 1
        return self.model(self.text[:, place - 1 : place], self.caches).numpy()


def costs(model: Decoder) -> list[dict[int, tuple[float, float]]]:
    """Return for each round the CPU seconds of a token at each length, with a cache and without."""
    cached = Cached(model)
    rounds = []
    for _ in range(ROUNDS):
        rounds.append({})
        for length in LENGTHS:
            text = cached.text[:, :length]
            with_cache = clocked(lambda n=length: cached.token(n), CALLS)[0]
            rounds[-1][length] = with_cache, clocked(lambda t=text: model(t), 1)[0]
    return rounds


def total(seconds: dict[int, tuple[float, float]], side: int, end: int) -> float:
    """Return the seconds of all tokens from 1 to end, by the trapezoid rule between the measured lengths."""
    lengths = [length for length in LENGTHS if length <= end]
    return float(np.trapezoid([seconds[length][side] for length in lengths], lengths))


@no_grad()
def caching(curves: dict[str, Any]) -> Iterator[Claim]:
    """Yield the difference of the scores, how many times faster whole texts are, and how the cost grows."""
    model = decoder()
    text, caches = sentence(LENGTHS[-1]), model.new_caches()
    want = model(text).numpy()
    got = np.concatenate([model(text[:, i : i + 1], caches).numpy() for i in range(text.shape[1])], axis=1)
    difference = float(np.abs(got - want).max())
    kept = f"scores within {difference:.0e} at all 1024 places"
    rounds = costs(model)
    curves["tokens"] = [
        {
            "length": length,
            "cached_ms": 1e3 * statistics.median(seconds[length][0] for seconds in rounds),
            "full_ms": 1e3 * statistics.median(seconds[length][1] for seconds in rounds),
        }
        for length in LENGTHS
    ]
    group = "KV cache"
    yield counted(group, "largest difference of scores", "no cache", difference, "", 1e-5, kept, at_most=True)
    for end, goal in GOALS.items():
        ratios = [total(seconds, 1, end) / total(seconds, 0, end) for seconds in rounds]
        yield of_rounds(group, f"{end} tokens, speed", "no cache, integrated", ratios, goal, kept)
    integrated = statistics.median(total(seconds, 1, 200) for seconds in rounds)
    run = clocked(lambda: generate(model, text[:, :1], 199, cached=False), 1)[0]
    yield counted(
        group, "200 tokens without a cache, integrated", "as run", integrated / run, TIMES, None, "a check"
    )
    growth = [seconds[1024][0] / seconds[64][0] for seconds in rounds]
    yield of_rounds(group, "a token at 1024", "a token at 64", growth, 2.2, kept, at_most=True)
    yield counted(
        group,
        "bytes allocated for a token at 1024",
        "at 64",
        allocated(model),
        "B more",
        None,
        "NumPy's buffer",
    )


def allocated(model: Decoder) -> float:
    """Return by how many bytes the peak of a late token exceeds that of an early one."""
    cached, peaks = Cached(model), []
    for place in (64, 1024):
        cached.token(place)
        tracemalloc.start()
        cached.token(place)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return peaks[1] - peaks[0]
