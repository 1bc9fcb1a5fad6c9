"""Handles show aliasing by behaviour, duck types show how code gets at its arrays."""

import numpy as np
import pytest

from examiner_checks import CheckFailed, NumpyOnly, Spy, array, check_array, ref, value


def test_writing_through_one_handle_is_seen_through_the_other():
    """That is the whole test for shared memory."""
    a = array([[1.0, 2.0]])
    view = ref(a.T)
    view[0] = 7.0
    check_array(value(a), [[7.0, 2.0]])


def test_a_value_is_a_copy():
    """It says what was there when it was read."""
    a = array([1.0, 2.0])
    before = value(a)
    a[0] = 5.0
    check_array(before, [1.0, 2.0])


def test_array_copies_what_it_is_given():
    """So the author's own data stay as they are."""
    mine = np.zeros(2)
    array(mine)[0] = 1.0
    check_array(mine, np.zeros(2))


@pytest.mark.parametrize("thing", [[1.0], memoryview(b"ab"), np.float64(1), np.ma.masked_array([1.0]), None])
def test_only_an_exact_array_can_be_referred_to(thing):
    """A `.data` that is a memoryview or a tensor is found out here."""
    for look in (ref, value):
        with pytest.raises(CheckFailed, match=type(thing).__name__):
            look(thing)


def test_numpy_only_has_numpy_and_nothing_else():
    """Not even what would let `np.asarray` understand it."""
    duck = NumpyOnly([1.0, 2.0])
    check_array(duck.numpy(), [1.0, 2.0])
    assert [name for name in dir(duck) if not name.startswith("_")] == ["numpy"]
    assert np.asarray(duck).dtype == object


def test_a_spy_counts_what_is_read():
    """Each attribute by its name."""
    spy = Spy([[1.0, 2.0]])
    check_array(spy.numpy(), [[1.0, 2.0]])
    check_array(spy.data, [[1.0, 2.0]])
    assert (spy.shape, spy.ndim, spy.size, spy.dtype) == ((1, 2), 2, 2, np.dtype(float))
    check_array(np.asarray(spy), [[1.0, 2.0]])
    spy.numpy()
    assert spy.reads == {
        "numpy": 2, "data": 1, "shape": 1, "dtype": 1, "ndim": 1, "size": 1, "__array__": 1,
    }  # fmt: skip
