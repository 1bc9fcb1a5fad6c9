"""faster_than compares two functions on new inputs each time, answers included."""

import numpy as np
import pytest

from examiner_checks import CheckFailed, faster_than, rng


def loop(x):
    """Square the elements one by one."""
    return np.array([value * value for value in x])


def draw(generator):
    """Return a function that gives new inputs with every call."""
    return lambda: (generator.normal(size=20_000),)


def test_a_vectorised_square_is_faster_than_a_loop():
    """By a factor of hundreds; three leaves all the room a busy machine may need."""
    assert faster_than(np.square, loop, draw(rng("speed")), times=3, pairs=5) > 3


def test_a_loop_is_not_faster_than_itself():
    """The message says how fast it was, and what was asked for."""
    with pytest.raises(CheckFailed, match="times as fast as the baseline, expected 5 times"):
        faster_than(loop, loop, draw(rng("speed")), times=5, pairs=3)


def test_a_quick_wrong_answer_does_not_count():
    """Neither zeros, nor an answer that was remembered from inputs before."""
    remembered = []

    def memo(x):
        if not remembered:
            remembered.append(loop(x))
        return remembered[0]

    for candidate in (np.zeros_like, memo, lambda x: x[:0], lambda _: None):
        with pytest.raises(CheckFailed):
            faster_than(candidate, loop, draw(rng("speed")), times=1, pairs=3)


def test_neither_function_sees_what_the_other_did_to_the_inputs():
    """A candidate that works in place would otherwise spoil the baseline's answer, or be helped by it."""

    def in_place(x):
        return np.multiply(x, x, out=x)

    faster_than(in_place, loop, draw(rng("speed")), times=2, pairs=4)
