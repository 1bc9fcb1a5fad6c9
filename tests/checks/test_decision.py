"""When samples are enough, and how often that is wrong."""

import math

import numpy as np
import pytest

from examiner_checks.decision import ERROR, Ladder, estimate, evidence, needed


def test_the_evidence_is_the_mixture_over_coins_that_it_says():
    """By adding up 2^n p^k (1-p)^(n-k) over a fine grid of chances p above one half."""
    chances = (np.arange(200_000) + 0.5) / 400_000 + 0.5
    for above, samples in [(14, 14), (9, 14), (3, 10), (60, 100)]:
        mixture = np.mean((2 * chances) ** above * (2 * (1 - chances)) ** (samples - above))
        assert math.isclose(evidence(above, samples), mixture, rel_tol=1e-6)


def test_needed_is_where_the_evidence_passes_the_bound():
    """One sample fewer on that side would not do."""
    for samples in range(1, 120):
        enough = needed(samples)
        if enough is None:
            assert evidence(samples, samples) < 1 / ERROR
        else:
            assert evidence(enough, samples) >= 1 / ERROR
            assert enough <= samples // 2 or evidence(enough - 1, samples) < 1 / ERROR


def test_looking_after_every_sample_is_wrong_no_more_often_than_stated():
    """A fair coin, looked at 300 times: the chance to be convinced of either side stays below 2 ERROR."""
    crossed, states = 0.0, {0: 1.0}
    for samples in range(1, 301):
        after: dict[int, float] = {}
        for above, chance in states.items():
            for more in (0, 1):
                after[above + more] = after.get(above + more, 0.0) + chance / 2
        enough = needed(samples)
        sure = [k for k in after if enough is not None and (k >= enough or samples - k >= enough)]
        crossed += sum(after.pop(k) for k in sure)
        states = after
    assert 0 < crossed <= 2 * ERROR


def test_the_interval_is_made_of_samples_and_holds_the_middle():
    """And it is unbounded as long as there are too few of them."""
    assert estimate([3.0, 1.0, 2.0]).low == -math.inf
    samples = list(np.random.default_rng(1).lognormal(size=61))
    known = estimate(samples)
    assert known.low in samples
    assert known.high in samples
    assert known.low < known.middle < known.high
    assert sum(s >= known.low for s in samples) == needed(61) == sum(s <= known.high for s in samples)


def test_one_disturbed_sample_moves_nothing():
    """A median is what counts."""
    calm = [1.0] * 40
    assert estimate([*calm, 1000.0]).middle == 1.0
    assert estimate([*calm, 1000.0]).high == 1.0


@pytest.mark.parametrize(("middle", "missed"), [(1.2, 0), (2.0, 1), (9.0, 2)])
def test_the_best_rung_that_is_reached_counts(middle, missed):
    """Of {1.5: 6, 3: 2}, in either order of writing."""
    known = estimate([middle] * 20)
    for written in ({1.5: 6, 3: 2}, {3: 2, 1.5: 6}):
        ladder = Ladder.of(written, None)
        assert ladder.reached(known) == (missed, missed < 2)
        assert ladder.is_settled(known)
        assert ladder.single(middle) == missed


def test_more_can_be_better():
    """Of {20: 5, 5: 2}, a figure of 7 reaches the second."""
    ladder = Ladder.of(None, {5: 2, 20: 5})
    assert ladder.rungs == ((20.0, 5.0), (5.0, 2.0))
    assert ladder.reached(estimate([7.0] * 20)) == (1, True)
    assert ladder.single(20) == 0
    assert ladder.single(4.9) == 2


def test_what_is_close_to_a_threshold_is_not_settled():
    """Whichever side the median of a few samples lies on."""
    ladder = Ladder.of(1.5, None)
    assert not ladder.is_settled(estimate([1.4, 1.6] * 10))
    assert not ladder.is_settled(estimate([1.0] * 13))
    assert ladder.is_settled(estimate([1.0] * 14))


def test_five_ratios_far_beyond_a_threshold_are_enough():
    """Eight times, all of them; four are not, nor is one among them that is nearer."""
    ladder = Ladder.of(1.5, None)
    for ratios, settled in [
        ([13.0] * 5, True),
        ([13.0] * 4, False),
        ([13.0] * 4 + [11.0], False),
        ([0.1] * 5, True),
    ]:
        assert ladder.is_settled(estimate(ratios), ratios) is settled
    assert ladder.reached(estimate([13.0] * 5), [13.0] * 5) == (1, False)
    assert ladder.reached(estimate([0.1] * 5), [0.1] * 5) == (0, True)


@pytest.mark.parametrize(
    ("at_most", "at_least", "error"),
    [
        (None, None, TypeError),
        (1.0, 2.0, TypeError),
        (0.0, None, ValueError),
        ({}, None, ValueError),
        ({1.5: 2, 3: 6}, None, ValueError),
        ({1.5: 0}, None, ValueError),
        (math.inf, None, ValueError),
    ],
)
def test_a_ladder_that_makes_no_sense_is_the_authors_error(at_most, at_least, error):
    """Neither both bounds nor none, no threshold of zero, no worse figure with more points."""
    with pytest.raises(error):
        Ladder.of(at_most, at_least)
