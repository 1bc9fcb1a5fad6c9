"""check_array and check_equal: the right value passes, and everything that only looks like it does not."""

import numpy as np
import pytest

from examiner_checks import CheckFailed, check_array, check_equal


class AlwaysEqual:
    """Claims to be equal to, and as true and long as, anything."""

    shape = (2,)
    dtype = np.dtype(float)
    __class__ = np.ndarray

    def __eq__(self, *_):
        raise AssertionError("a check asked a foreign object")

    __lt__ = __le__ = __bool__ = __len__ = __iter__ = __array__ = __repr__ = __str__ = __eq__
    __hash__ = None


class FriendlyArray(np.ndarray):
    """An ndarray whose comparisons say yes."""

    def __eq__(self, other):
        return np.True_

    __hash__ = None


class FriendlyFloat(float):
    """A float whose comparisons say yes."""

    def __eq__(self, other):
        return True

    __hash__ = None


@pytest.mark.parametrize(
    "want",
    [
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        np.float32([1.5]),
        np.array(2.0),
        np.zeros((0, 3)),
        np.array([True, False]),
        np.arange(4),
        np.array([np.nan, np.inf, -np.inf, 1.0]),
        np.array([1 + 2j, np.nan]),
        np.uint8([0, 255]),
    ],
)
def test_an_array_equals_its_copy(want):
    """Also with no elements, no axes, NaN and infinities."""
    check_array(want.copy(), want)


@pytest.mark.parametrize(
    ("got", "says"),
    [
        (AlwaysEqual(), "a AlwaysEqual"),
        (np.array([1.0, 2.0]).view(FriendlyArray), "a FriendlyArray"),
        (np.ma.masked_array([1.0, 2.0]), "a MaskedArray"),
        ([1.0, 2.0], "a list"),
        ((1.0, 2.0), "a tuple"),
        (np.array([1.0, 2.0]).data, "a memoryview"),
        (None, "a NoneType"),
        (1.0, "a float"),
        (np.zeros(0), r"shape is \(0,\), expected \(2,\)"),
        (np.zeros((0, 2)), "shape"),
        (np.array([[1.0, 2.0]]), "shape"),
        (np.array([1, 2]), "dtype is int64, expected a floating-point one"),
        (np.array([1 + 0j, 2]), "dtype is complex128"),
        (np.array([1.0, 2.0], dtype=object), "dtype is object"),
        (np.array([FriendlyFloat(1.0), FriendlyFloat(2.0)], dtype=object), "dtype is object"),
        (np.array([1.0, np.nan]), r"element \(1,\) is nan, expected 2.0"),
        (np.array([np.inf, 2.0]), r"element \(0,\) is inf, expected 1.0"),
        (np.array([1.0, 2.1]), "largest difference 0.1; 1 of 2 elements differ"),
        (np.zeros(2), "2 of 2 elements differ"),
    ],
)
def test_what_is_not_the_array_is_refused(got, says):
    """By its exact type first, and by its numbers last."""
    with pytest.raises(CheckFailed, match=says):
        check_array(got, [1.0, 2.0])


def test_a_numpy_scalar_is_not_a_0d_array():
    """`x.sum()` on an array returns one; a tensor's `.numpy()` must not."""
    with pytest.raises(CheckFailed, match="got a float64, expected a numpy"):
        check_array(np.float64(2.0), 2.0)
    check_array(np.array(2.0), 2.0)


@pytest.mark.parametrize("finite", [0.0, 1e300])
@pytest.mark.parametrize("infinite", [np.inf, -np.inf, np.nan])
def test_infinity_and_nan_must_stand_where_they_are_expected(finite, infinite):
    """A tolerance relative to an infinite value is infinite, and would let everything through."""
    with pytest.raises(CheckFailed):
        check_array(np.array([finite]), [infinite])
    with pytest.raises(CheckFailed):
        check_array(np.array([infinite]), [finite])
    with pytest.raises(CheckFailed):
        check_array(np.array([-infinite]), [infinite if infinite == infinite else 0.0])  # noqa: PLR0124


def test_the_message_names_the_place_of_the_largest_difference():
    """A student looks for one element, not for a mask."""
    want = np.zeros((3, 2))
    got = want.copy()
    got[0, 1], got[2, 0] = 0.25, -3.5
    with pytest.raises(CheckFailed) as caught:
        check_array(got, want, hint="look at the last row")
    assert str(caught.value).splitlines() == [
        "element (2, 0) is -3.5, expected 0.0; largest difference 3.5; 2 of 6 elements differ",
        "Hint: look at the last row",
    ]
    assert caught.value.hint == "look at the last row"


def test_floats_have_a_tolerance_and_integers_none():
    """A million and one is not a million, however small the difference is relative to it."""
    check_array(np.array([1e6 + 1.0]), [1e6])
    with pytest.raises(CheckFailed, match="is 1000001, expected 1000000"):
        check_array(np.array([10**6 + 1]), [10**6])
    with pytest.raises(CheckFailed):
        check_array(np.array([2**60 + 1]), [2**60])
    with pytest.raises(CheckFailed):
        check_array(np.array([1.0 + 1e-9]), [1.0], rtol=0, atol=0)


def test_the_exact_dtype_can_be_asked_for():
    """float64 that silently became float32 is right in kind and wrong in dtype."""
    check_array(np.float32([1.0]), [1.0], dtype=np.float32)
    with pytest.raises(CheckFailed, match="dtype is float32, expected float64"):
        check_array(np.float32([1.0]), [1.0], dtype=np.float64)


def test_an_author_cannot_expect_objects():
    """What is no number cannot be compared without asking it."""
    with pytest.raises(TypeError, match="dtype object"):
        check_array(np.zeros(1), np.array([None]))
    with pytest.raises(TypeError, match="ndarray"):
        check_equal((2,), np.array([2]))


@pytest.mark.parametrize(
    "want",
    [True, 3, 2.5, float("nan"), "text", None, (), (2, 3), [1, (2.0, "a", None)], np.dtype(np.float32)],
)
def test_a_plain_value_equals_itself(want):
    """Nested ones item by item."""
    check_equal(want, want)


@pytest.mark.parametrize(
    ("got", "want", "says"),
    [
        (True, 1, "got the bool True, expected the int 1"),
        (1.0, 1, "the float 1.0"),
        (np.int64(1), 1, "a int64"),
        ([2, 3], (2, 3), "got a list, expected a tuple"),
        ((2,), (2, 3), "got 1 items, expected 2"),
        ((), (2,), "got 0 items"),
        ((2, np.int64(3)), (2, 3), "a int64"),
        ((2, 4), (2, 3), "got 4, expected 3"),
        (None, 0, "got None"),
        (0, None, "got the int 0, expected None"),
        (FriendlyFloat(1.0), 2.0, "a FriendlyFloat"),
        (AlwaysEqual(), 2.0, "a AlwaysEqual"),
        ((AlwaysEqual(),), (2.0,), "a AlwaysEqual"),
        (float("nan"), 2.0, "got nan"),
        (2.0, float("nan"), "got 2.0"),
        ("float32", np.dtype(np.float32), r"expected dtype\('float32'\)"),
        (np.float32, np.dtype(np.float32), "got a type"),
        (np.dtype(np.float64), np.dtype(np.float32), r"got dtype\('float64'\)"),
    ],
)
def test_a_plain_value_of_another_type_or_value_is_refused(got, want, says):
    """`True == 1`, and a foreign object may equal anything: so the exact type comes first."""
    with pytest.raises(CheckFailed, match=says):
        check_equal(got, want)
