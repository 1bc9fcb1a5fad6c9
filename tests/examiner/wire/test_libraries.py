"""Values of libraries cross exactly, or stay where they are; bytes that are none are refused."""

import contextlib
import random
import warnings
from datetime import timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examiner.wire.codec import Handle, decode, encode
from examiner.wire.libraries import rebuilt
from examiner.wire.limits import MessageLimits, WireError
from tests.fuzz.wire import slightly_changed
from tests.libraries import find_libraries

find_libraries()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pandas as pd
    import sympy
    from scipy import optimize, sparse

LIMITS = MessageLimits(frame=1 << 16, items=2000, depth=12, shared=1 << 18)
STAYS = Handle(7, "it")
x, y = sympy.symbols("x y")
f = sympy.Function("f")


def crossed(value):
    return decode(encode(value, lambda _: STAYS), to_value=rebuilt)


def same_frame(a, b):
    pd.testing.assert_frame_equal(a, b, check_exact=True, check_freq=True, check_column_type=True)
    assert type(a.index) is type(b.index)
    assert a.attrs == b.attrs
    assert a.flags.allows_duplicate_labels == b.flags.allows_duplicate_labels


words = st.none() | st.text(max_size=3)
columns = {
    "numbers": st.floats() | st.integers(-9, 9),
    "texts": words,
    "string": words,
    "Int64": st.none() | st.integers(-9, 9),
    "Float64": st.none() | st.floats(),
    "boolean": st.none() | st.booleans(),
    "category": st.none() | st.sampled_from("abc"),
    "datetime64[ns, Europe/Berlin]": st.none() | st.datetimes().filter(lambda day: 1700 < day.year < 2200),
    "timedelta64[us]": st.none() | st.timedeltas(timedelta(-99), timedelta(99)),
    "object": words | st.integers() | st.floats() | st.lists(st.integers(), max_size=2),
}


def column(kind, items):
    if kind in {"numbers", "texts"}:
        return pd.Series(items)
    if kind.startswith("datetime"):
        return pd.Series(pd.to_datetime(items, utc=True)).astype(kind)
    return pd.Series(items, dtype=kind)


@st.composite
def frames(draw):
    rows, kinds = draw(st.integers(0, 4)), draw(st.lists(st.sampled_from(sorted(columns)), max_size=4))
    made = [column(kind, draw(st.lists(columns[kind], min_size=rows, max_size=rows))) for kind in kinds]
    frame = pd.DataFrame(dict(enumerate(made)), index=range(rows))
    frame.columns = pd.Index(draw(st.lists(words, min_size=len(kinds), max_size=len(kinds))), dtype=object)
    frame.attrs = draw(st.dictionaries(st.text(max_size=2), words, max_size=1))
    if kinds and "object" not in kinds and draw(st.booleans()):  # a list is no label
        frame = frame.set_index(draw(st.sampled_from([made[0], [made[0], made[-1]]])))
    return frame


@settings(deadline=None, max_examples=150)
@given(frames())
def test_a_frame_comes_back_exactly_or_stays(frame):
    """A column of another dtype would compare differently."""
    got = crossed(frame)
    if type(got) is not Handle:
        same_frame(got, frame)


KINDS = [
    pd.DataFrame(),
    pd.DataFrame({"a": []}),
    pd.DataFrame(index=range(3)),
    pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
    pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]}, index=pd.date_range("2020", periods=2, freq="D")),
    pd.DataFrame({"a": pd.cut([1, 2, 3], 2), "b": pd.period_range("2020-01", periods=3, freq="M")}),
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}).set_index(["a", "b"]),
]


@pytest.mark.parametrize("frame", KINDS, ids=range(len(KINDS)))
def test_frames_of_many_kinds_cross(frame):
    """Empty ones, names twice, moments with a frequency, intervals, periods and levels."""
    same_frame(crossed(frame), frame)


@pytest.mark.parametrize(
    "value", [pd.Timestamp("2020-01-01 01:02:03.000000004", tz="Europe/Berlin"), pd.Timedelta(5, "s"), pd.NaT]
)
def test_scalars_of_pandas_cross(value):
    """A missing moment is not a missing value."""
    got = crossed(value)
    assert type(got) is type(value)
    assert got is value or got == value
    assert crossed(pd.NA) is pd.NA


class Mine(pd.DataFrame):
    def equals(self, _):
        return True


def with_a_method_of_its_own():
    frame = pd.DataFrame({"a": [1]})
    object.__setattr__(frame, "equals", lambda _: True)
    return frame


@pytest.mark.parametrize(
    "value",
    [
        Mine({"a": [1]}),
        with_a_method_of_its_own(),
        pd.DataFrame({"a": [object()]}),
        pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}),
        pd.Series([1], name=(object(),)),
        sympy.Dummy("x"),
        sympy.Symbol("__import__('os')"),
        sympy.Symbol("eval"),
        sympy.Function("eval")(x),
        sympy.Function("apply_along_axis")(x),
        type("Mine", (sympy.Symbol,), {})("x"),
        type("Mine", (sparse.csr_matrix,), {})((2, 2)),
        np.ma.masked_equal([1, 2], 2),
        pd.Timestamp("2020", tz=timezone(timedelta(hours=1), "mine")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_could_not_be_made_again_or_could_act_stays(value):
    """A subclass may agree with everything; a name may be a program where an expression is compiled."""
    assert crossed(value) == STAYS


EXPRESSIONS = [
    x + 2 * y,
    sympy.sin(x) ** 2 / 3,
    sympy.Float("1.5", 30),
    sympy.pi * sympy.E * sympy.I,
    sympy.Integral(x**2, (x, 0, 1)),
    sympy.Matrix([[x, 1], [2, y]]),
    sympy.Eq(x, y),
    f(x).diff(x, 2),
    sympy.FiniteSet(1, x),
    sympy.Piecewise((x, x > 0), (0, True)),
    sympy.Add(x, x, evaluate=False),
    sympy.Symbol("p", positive=True) ** 2,
]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_expressions_cross(expression):
    """With what was not evaluated, and what is assumed of symbols."""
    got = crossed(expression)
    assert type(got) is type(expression)
    assert sympy.srepr(got) == sympy.srepr(expression)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "dia"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_sparse_matrices_cross(form, kind):
    """Of either class and of every format that is a few arrays."""
    made = getattr(sparse, f"{form}_{kind}")(sparse.random(4, 5, density=0.4, rng=1))
    got = crossed(made)
    assert type(got) is type(made)
    assert (got.tocsr() != made.tocsr()).nnz == 0


@pytest.mark.parametrize(
    ("indices", "starts"),
    [
        ([0, 9], [0, 1, 2]),
        ([0, -1], [0, 1, 2]),
        ([0, 1], [0, 5, 2]),
        ([0, 1], [0, 2, 9]),
        ([0, 1], [1, 1, 2]),
    ],
)
def test_rows_that_point_outside_are_refused(indices, starts):
    """SciPy would read and write there."""
    parts = ((2, 2), [np.ones(2), np.array(indices, np.int32), np.array(starts, np.int32)])
    with pytest.raises(WireError):
        rebuilt("scipy csr_matrix", parts)


def test_what_an_optimizer_found_crosses():
    """As the dict with attributes that it is."""
    found = optimize.OptimizeResult(x=np.ones(2), success=True, message="done")
    got = crossed(found)
    assert type(got) is type(found)
    assert got.success is True
    assert got.x.tolist() == [1, 1]


def test_no_library_value_is_made_where_none_is_expected():
    """The supervisor decodes what a candidate reports; it imports nothing for that."""
    with pytest.raises(WireError, match="no value of a library"):
        decode(encode(pd.DataFrame({"a": [1]})))


def test_changed_bytes_give_a_value_or_an_error():
    """Whatever a library says of parts that make no value."""
    draw = random.Random(4)
    seeds = [encode(value) for value in [*KINDS, *EXPRESSIONS, sparse.eye(3, format="csr"), pd.NaT]]
    for _ in range(3000):
        data = slightly_changed(draw.choice(seeds), draw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(WireError):
                decode(data, lambda handle: handle, limits=LIMITS, to_value=rebuilt)
