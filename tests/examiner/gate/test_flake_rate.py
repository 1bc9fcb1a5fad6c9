"""How far a threshold has to stand from what the solution reaches."""

import math

import numpy as np
import pytest

from examiner.gate.flake_rate import TOLERATED, flake_rate, safe_threshold
from examiner_checks.decision import Ladder, estimate
from examiner_checks.measured import Raw, Subject


def runs(kind, middle, spread, count=3, **bounds):
    """Return what a check measured in some runs, with samples spread around a middle."""
    generator = np.random.default_rng(7)
    subject = Subject(kind, "it", "times", Ladder.of(bounds.get("at_most"), bounds.get("at_least")))
    found = []
    for _ in range(count):
        noise = generator.normal(scale=spread, size=14)
        figures = tuple(middle * np.exp(noise) if kind == "speed" else middle + noise)
        found.append(subject.estimated(estimate(figures), figures, Raw(), are_ratios=kind == "speed"))
    return found


@pytest.mark.parametrize(
    ("kind", "middle", "bounds"),
    [
        ("speed", 1.0, {"at_most": 1.6}),
        ("speed", 40.0, {"at_least": {20: 3, 5: 1}}),
        ("speed", 0.02, {"at_most": 1.0}),
        ("growth", 1.0, {"at_most": 1.5}),
    ],
)
def test_room_enough_flakes_in_no_run(kind, middle, bounds):
    """Four times as much as machines differ, or more."""
    assert flake_rate(runs(kind, middle, 0.05, **bounds)) <= TOLERATED


@pytest.mark.parametrize(
    ("kind", "middle", "bounds"),
    [
        ("speed", 1.0, {"at_most": 1.1}),
        ("speed", 21.0, {"at_least": {20: 3, 5: 1}}),
        ("growth", 1.0, {"at_most": 1.1}),
        ("speed", 2.0, {"at_most": {1.5: 3, 4: 1}}),
    ],
)
def test_a_threshold_that_is_too_close_or_missed_is_seen(kind, middle, bounds):
    """The best rung counts, whatever the others give."""
    assert flake_rate(runs(kind, middle, 0.05, **bounds)) > 10 * TOLERATED


def test_the_proposed_threshold_has_room():
    """Moved there, the same samples flake no more."""
    for bounds in ({"at_most": 1.1}, {"at_least": 0.9}):
        safe = safe_threshold(runs("speed", 1.0, 0.05, **bounds))
        moved = dict.fromkeys(bounds, safe)
        assert flake_rate(runs("speed", 1.0, 0.05, **moved)) <= TOLERATED
        assert abs(math.log(safe)) < 1


def test_runs_that_differ_among_themselves_need_more_room():
    """Their spread is added to that of machines."""
    calm = runs("speed", 1.0, 0.01, at_most=1.6)
    apart = [
        *runs("speed", 0.8, 0.01, count=1, at_most=1.6),
        *runs("speed", 1.25, 0.01, count=1, at_most=1.6),
    ]
    assert flake_rate(calm) <= TOLERATED < flake_rate(apart)
    assert safe_threshold(apart) > safe_threshold(calm)
