"""Bytes at the peak of a call, and bytes that are kept."""

import numpy as np
import pytest

from examiner_checks import CheckFailed, held, memory

SIZE = 1 << 16
BYTES = 8 * SIZE


def inputs():
    """Return one array of half a megabyte."""
    return (np.ones(SIZE),)


def test_the_peak_counts_temporary_arrays():
    """A sum of a product makes one array as large as its inputs; with a copy made first, two."""
    memory(lambda x: float((x * x).sum()), inputs, at_most=2.5 * BYTES)
    with pytest.raises(CheckFailed, match="bytes at its peak"):
        memory(lambda x: float((x.copy() * x.copy()).sum()), inputs, at_most=2.5 * BYTES)


def test_the_peak_can_be_held_against_the_references():
    """Three arrays at once against one and its input."""
    baseline = lambda x: float((x * x).sum())  # noqa: E731
    greedy = lambda x: float(np.stack([x, x, x, x]).sum())  # noqa: E731
    memory(baseline, inputs, at_most=1.1, baseline=baseline)
    with pytest.raises(CheckFailed, match="times the reference's peak"):
        memory(greedy, inputs, at_most=1.5, baseline=baseline)


def test_a_wrong_answer_is_not_measured_away():
    """The check hears both answers."""

    def agree(got, want):
        if got != want:
            raise CheckFailed("wrong")

    with pytest.raises(CheckFailed, match="wrong"):
        memory(lambda _: 0.0, inputs, at_most=9, baseline=lambda x: float(x.sum()), check=agree)


class Packed:
    """Keeps its values in a byte each, and says so."""

    def __init__(self, x, *, hoards=False):
        self.values = x.astype(np.int8)
        self.nbytes = len(x)
        self.hidden = x.copy() if hoards else None


def test_a_copy_that_is_kept_alongside_is_seen():
    """Whatever `nbytes` says."""
    assert held(Packed, inputs, at_most=1.2 * SIZE).middle == pytest.approx(SIZE, rel=0.1)
    with pytest.raises(CheckFailed, match="bytes for each object"):
        held(lambda x: Packed(x, hoards=True), inputs, at_most=1.2 * SIZE)
