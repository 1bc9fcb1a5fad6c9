"""What is empty equals nothing that is not, by whichever function of NumPy's a grade cell asks."""

import numpy as np
import pytest

from examiner.judge.comparing import guarded_comparisons

TELLING = ["allclose", "array_equal", "array_equiv"]
COMPARE = "assert_array_compare"  # which takes the comparison first
RAISING = sorted(name for name in np.testing.__all__ if name.startswith("assert_a") or name == "assert_equal")
EMPTY = [np.zeros(0), np.zeros((0, 1)), np.zeros((2, 0)), [], [[]], ()]
FULL = [5.0, [5.0], np.zeros((1, 1)), np.float32(0)]


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("empty", EMPTY, ids=repr)
@pytest.mark.parametrize("full", FULL, ids=repr)
def test_an_empty_side_is_equal_to_no_full_one(name, empty, full):
    """NumPy says that they are close: it compares nothing, and finds no difference."""
    with guarded_comparisons():
        assert not getattr(np, name)(empty, full)
        assert not getattr(np, name)(full, empty)


@pytest.mark.parametrize("name", RAISING)
@pytest.mark.parametrize("empty", EMPTY, ids=repr)
@pytest.mark.parametrize("full", FULL, ids=repr)
def test_an_empty_side_fails_every_assertion_about_a_full_one(name, empty, full):
    """By position or by keyword."""
    with guarded_comparisons():
        for sides in [(empty, full), (full, empty)]:
            before = [np.equal] if name == COMPARE else []
            with pytest.raises(AssertionError):
                getattr(np.testing, name)(*before, *sides)
        if name == "assert_allclose":
            with pytest.raises(AssertionError):
                np.testing.assert_allclose(desired=full, actual=empty)


def test_every_comparison_of_numpys_testing_is_guarded():
    """A function that comes with a later NumPy is noticed here."""
    with guarded_comparisons():
        unguarded = [name for name in RAISING if not hasattr(getattr(np.testing, name), "__wrapped__")]
    assert unguarded == []


def test_two_empty_sides_are_compared_as_ever():
    """A function that has to return nothing can be tested."""
    with guarded_comparisons():
        assert np.allclose(np.zeros(0), [])
        np.testing.assert_array_equal(np.zeros((0, 2)), np.zeros((0, 2)))
        with pytest.raises(AssertionError):
            np.testing.assert_array_equal(np.zeros((0, 2)), np.zeros((0, 3)))


def test_the_rest_of_the_process_keeps_its_own_functions():
    """The guard is for the time of a cell."""
    before = np.allclose, np.testing.assert_allclose
    with guarded_comparisons():
        assert np.allclose is not before[0]
    assert (np.allclose, np.testing.assert_allclose) == before
