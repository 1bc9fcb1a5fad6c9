"""The codec, on well-formed values and on arbitrary bytes."""

import contextlib
import os
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from examiner.wire import codec
from examiner.wire.codec import DTYPES, INLINE, TYPES, Handle, Reverse, decode, encode
from examiner.wire.limits import MessageLimits, WireError
from examiner.wire.shared_memory import SharedBlock
from examiner.wire.standard import TEXT_KINDS, NamedItems

SMALL = MessageLimits(frame=1 << 16, items=1000, depth=8, shared=1 << 20)

keys = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5) | st.binary(max_size=5)
)
leaves = (
    keys
    | st.integers(-(2**2000), 2**2000)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from([Ellipsis, np.float32, bool, np.ndarray, *DTYPES])
    | st.builds(slice, st.none() | st.integers(), st.none() | st.integers(), st.none() | st.integers())
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 5))
    | st.sampled_from(DTYPES).flatmap(lambda d: npst.arrays(d, npst.array_shapes(min_dims=0, min_side=0)))
    | st.sampled_from(DTYPES).flatmap(npst.from_dtype)
    | st.builds(
        Handle,
        st.integers(0, 2**32 - 1),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.none(),
    )
    | st.builds(Handle, st.integers(0, 2**32 - 1), st.just("type"), st.sampled_from(TYPES))
    | st.builds(Reverse, st.integers(0, 2**32 - 1))
)
offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
leaves |= (
    st.fractions()
    | st.decimals(allow_nan=False).filter(lambda d: abs(d.adjusted()) < 9000)
    | st.dates()
    | st.datetimes(timezones=st.none() | offsets)
    | st.times()
    | st.timedeltas()
    | st.sets(keys.filter(lambda key: type(key) is str))
    | st.frozensets(st.integers(-(2**63), 2**63 - 1))
    | st.binary(max_size=5).map(bytearray)
    | st.lists(st.text(max_size=2)).map(Counter)
)
plain = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4).map(OrderedDict)
        | st.dictionaries(keys, inner, max_size=4).map(lambda found: defaultdict(None, found))
        | st.lists(inner, max_size=4).map(deque)
        | st.lists(inner, max_size=4).map(lambda items: deque(items, 7))
        | st.builds(NamedItems.of, st.text(max_size=5), st.just(("x", "count")), st.tuples(inner, inner))
    ),
    max_leaves=12,
)


def refuse(value):
    raise AssertionError(f"{type(value)} is not plain")


def same(a, b):  # noqa: PLR0911 - a table of types, each with its own equality
    """Whether two values are of the same types and equal, NaN to NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple) and not isinstance(a, Handle | Reverse):
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is deque and a.maxlen != b.maxlen:
        return False
    if type(a) is deque:
        return same(list(a), list(b))
    if type(a) is NamedItems and repr(NamedItems.of("", a._fields, ())) != repr(
        NamedItems.of("", b._fields, ())
    ):
        return False
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, slice):
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    return repr(a) == repr(b) if isinstance(a, float | complex) else a == b


@pytest.fixture
def block():
    block = SharedBlock.create(1 << 20)
    yield block
    block.close()


@given(plain)
@settings(deadline=None)
def test_plain_values_come_back_as_they_went(value):
    """Exact types included: a test on the other side relies on `type(x) is np.ndarray`."""
    assert same(decode(encode(value, refuse), takes_classes=True), value)


@given(st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_a_value_or_a_wire_error(data):
    """The trusted end depends on this alone, so nothing else may come out of the decoder."""
    with contextlib.suppress(WireError):
        decode(data, limits=SMALL)


@given(plain, st.data())
@settings(deadline=None)
def test_damaged_messages_are_a_value_or_a_wire_error(value, data):
    """Bytes that are nearly right get deeper into the decoder than random ones."""
    message = bytearray(encode(value, refuse))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        decode(bytes(message[: data.draw(st.integers(0, len(message)))]), limits=SMALL)


@pytest.mark.parametrize("cls", TYPES)
def test_no_class_comes_to_the_judge_as_itself(cls):
    """It could be called there: `np.ndarray((9, 9))` is memory of the process that calls it."""
    for value in (cls, [cls], {"a": (1, cls)}, slice(cls)):
        with pytest.raises(WireError, match="a class"):
            decode(encode(value, refuse))
    stays = encode([cls], lambda value: Handle(7, "type", value), keeps_classes=True)
    assert decode(stays) == [Handle(7, "type", cls)]


@pytest.mark.parametrize("value", [np.array(True), np.array([[True], [False]]), np.bool_(False)])
def test_booleans_keep_their_shape_and_hold_only_0_and_1(value):
    """NumPy trusts the byte of a bool: a forged 255 would count as 255."""
    message = bytearray(encode(value, refuse))
    assert same(decode(bytes(message)), value)
    message[-1] = 255
    forged = decode(bytes(message))
    assert np.asarray(forged).view(np.uint8).max() == 1
    assert np.asarray(forged).shape == np.asarray(value).shape


@pytest.mark.parametrize(
    "value",
    [type("L", (list,), {})(), np.ma.masked_equal([1, 2], 2), np.zeros(2).astype(">f8"), {(1j,): 2}, object],
)
def test_what_only_looks_plain_travels_as_a_handle(value):
    """A subclass may override every comparison: only exact types are copied."""
    assert decode(encode([value], lambda _: Handle(7, "it"))) == [Handle(7, "it")]


@pytest.mark.parametrize("head", [b"s", b"b", b"I", b"l", b"t", b"d", b"h\0\0\0\0"])
def test_claimed_lengths_allocate_nothing(head):
    """Four bytes can claim four billion items."""
    with pytest.raises(WireError):
        decode(head + b"\xff\xff\xff\xff" + b"N" * 50)


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 4, (0, *[2**32 - 1] * 8), (2**20, 2**20), (1,) * 33])
@pytest.mark.parametrize("tag", [b"a", b"A"])
def test_claimed_shapes_allocate_nothing(tag, shape, block):
    """Neither a product beyond 64 bits nor zero times everything gets to NumPy as it stands."""
    claim = tag + bytes([12, len(shape)]) + struct.pack(f"<{len(shape)}I", *shape) + bytes(8)
    with pytest.raises(WireError):
        decode(claim, block=block)


def test_nesting_is_bounded():
    """Deeper than the limit is an error, long before Python's own recursion limit."""
    with pytest.raises(WireError, match="deep"):
        decode(b"l\x01\0\0\0" * 100_000 + b"N")
    nested = []
    for _ in range(40):
        nested = [nested]
    with pytest.raises(WireError, match="deep"):
        encode(nested, refuse)


def test_items_are_bounded():
    """A list of a list of a list … of the same one is small in memory and endless on the wire."""
    value = [0] * 10
    for _ in range(10):
        value = [value] * 10
    with pytest.raises(WireError, match="many"):
        encode(value, refuse)
    with pytest.raises(WireError, match="many"):
        decode(b"l" + struct.pack("<I", 300_000) + b"N" * 300_000)


@pytest.mark.parametrize("two", [(1, True), (0, 0.0), (False, 0.0), ("a", "a"), (2, 2.0)])
def test_colliding_keys_are_refused(two):
    """No dict can have had them, and which value would win is nobody's business."""
    message = b"d\x02\0\0\0" + b"".join(encode(key, refuse) + b"N" for key in two)
    with pytest.raises(WireError, match="collide"):
        decode(message)


def test_keys_cannot_be_chosen_to_share_a_hash():
    """Ints of any length can: then a dict of n keys takes n² steps."""
    key = 2**61 - 1 << 61
    assert hash(key) == hash(2**61 - 1)
    with pytest.raises(WireError, match="keys"):
        decode(b"d\x01\0\0\0" + encode(key, refuse) + b"N")
    assert decode(encode({key: 1}, lambda _: Handle(1, "dict"))) == Handle(1, "dict")


def test_keys_are_simple():
    """A handle as key would be hashed, and its hash could be the student's; so it is in a tuple."""
    for key in ((1, (2,)), (Handle(1, "x"),), Handle(1, "x"), Reverse(1), 1j, ...):
        with pytest.raises(WireError, match="keys"):
            decode(b"d\x01\0\0\0" + encode(key, refuse) + b"N")


def test_short_tuples_are_keys_if_there_are_few():
    """Tuples of ints can be chosen to share one hash: a dict of n takes n² steps."""
    joint = {("a", 1): 0.5, ("b", 2): 0.5}
    assert decode(encode(joint, refuse)) == joint
    assert decode(encode({(1, 2), (3, 4)}, refuse)) == {(1, 2), (3, 4)}
    many = {(n, n): 1 for n in range(codec.MAX_TUPLES + 1)}
    assert decode(encode([many, 5], lambda _: Handle(1, "dict"))) == [Handle(1, "dict"), 5]
    written = b"".join(encode(key, refuse) + b"N" for key in many)
    with pytest.raises(WireError, match="too many"):
        decode(b"d" + struct.pack("<I", len(many)) + written)


def test_bytes_behind_the_value_are_an_error():
    """A message is one value; what follows would be a second opinion."""
    with pytest.raises(WireError, match="after"):
        decode(b"NN")


@pytest.mark.parametrize("size", [INLINE - 16, INLINE, 10 * INLINE])
def test_arrays_travel_through_shared_memory_from_16_kb_on(block, size):
    """And are copied out of it: what is written there later is not seen."""
    array = np.arange(size // 8, dtype="float64").reshape(-1, 2)[:, ::-1]
    message = encode(array, refuse, block)
    assert (len(message) < 100) == (array.nbytes >= INLINE)
    got = decode(message, block=block)
    os.pwrite(block.descriptor, bytes(size), 0)
    assert same(got, np.ascontiguousarray(array))
    assert got.flags.writeable


def test_overlapping_arrays_count_each_time(block):
    """Twenty bytes claim the same megabyte again and again: what counts is what the reader has to hold."""
    one = b"A" + bytes([12, 1]) + struct.pack("<IQ", (1 << 20) // 8, 0)
    assert decode(one, block=block, limits=SMALL).nbytes == 1 << 20
    with pytest.raises(WireError, match="shared"):
        decode(b"l\x02\0\0\0" + one * 2, block=block, limits=SMALL)


class Point(NamedTuple):
    x: int
    count: int


class Loud(NamedTuple):
    x: int

    def __eq__(self, other):
        return True

    __hash__ = None


class Zone(tzinfo):
    def utcoffset(self, _when):
        return timedelta(hours=1)


STANDARD = (
    *(Counter("aab"), OrderedDict(b=1, a=2), defaultdict(None, a=1), deque([1], 2), {1, "a"}, frozenset({2})),
    *(bytearray(b"ab"), Fraction(1, 3), Decimal("-0.10"), date(2026, 2, 3), time(4, 5), timedelta(-1, 2, 3)),
    datetime(2026, 2, 3, 4, 5, 6, 7, UTC),
)


@pytest.mark.parametrize("value", STANDARD, ids=lambda value: type(value).__name__)
def test_values_of_the_standard_library_arrive_as_what_they_are(value):
    """So that `==`, `in`, `len`, order and arithmetic are those of the side that compares."""
    got = decode(encode(value, refuse))
    assert type(got) is type(value)
    assert got == value
    assert repr(got) == repr(value)


@pytest.mark.parametrize("value", STANDARD, ids=lambda value: type(value).__name__)
def test_no_subclass_of_theirs_arrives_by_value(value):
    """It may override `==`."""
    cls = type("Agrees", (type(value),), {"__eq__": lambda *_: True, "__hash__": None})
    made = cls.__new__(cls, 2026, 2, 3) if isinstance(value, date) else cls.__new__(cls)
    assert decode(encode([made], lambda _: Handle(7, "it"))) == [Handle(7, "it")]


def test_a_namedtuple_arrives_as_a_tuple_with_names():
    """Its class stays; an item may have the name of a tuple's method."""
    for made in (Point(1, 2), NamedTuple("Point", [("x", int), ("count", int)])(1, 2)):
        got = decode(encode(made, refuse))
        assert type(got) is NamedItems
        assert got == (1, 2)
        assert (got.x, got.count, got._fields, got._asdict()) == (1, 2, ("x", "count"), {"x": 1, "count": 2})
        assert repr(got) == "Point(x=1, count=2)"
        assert got.is_of(Point)
        assert not got.is_of(Loud)
        assert decode(encode(got, refuse), to_record=lambda name, fields, items: (name, fields, items)) == (
            *("Point", ("x", "count")),
            [1, 2],
        )
    assert decode(encode(Loud(1), lambda _: Handle(7, "it"))) == Handle(7, "it")


@pytest.mark.parametrize(
    "value",
    [
        {(2**70,)},
        frozenset({2**70}),
        Counter([(1, (2,))]),
        datetime(2026, 2, 3, tzinfo=Zone()),
        Decimal("1E+99999"),
        Decimal("sNaN"),
        Fraction(1, 10**3000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_unbounded_or_asks_somebody_stays(value):
    """A number of a billion digits is small until it is used; a zone's class may be a student's."""
    assert decode(encode([value], lambda _: Handle(7, "it"))) == [Handle(7, "it")]


def test_a_defaultdict_calls_its_factory_where_that_is():
    """Here it is the handle's proxy, and whatever cannot be called is refused."""
    factory = lambda: 5  # noqa: E731 - it stands for a proxy
    got = decode(
        encode(defaultdict(list, a=1), lambda _: Handle(7, "type"), keeps_classes=True), lambda _: factory
    )
    assert (got["a"], got["b"]) == (1, 5)
    with pytest.raises(WireError, match="factory"):
        decode(b"DTd" + struct.pack("<I", 0))


@pytest.mark.parametrize("kind", range(len(TEXT_KINDS)))
@pytest.mark.parametrize(
    "text", ["", "9" * 2000, "1E999999999", "1/0", "0001-13-01", "24:61:00", "²", "nan", "-9" * 9]
)
def test_a_forged_text_of_a_number_or_a_time_is_refused(kind, text):
    """Or it is a value within bounds."""
    with contextlib.suppress(WireError):
        value = decode(b"x" + bytes([kind]) + struct.pack("<I", len(text.encode())) + text.encode())
        assert len(repr(value)) < 3000


def test_forged_sets_deques_and_names_are_refused():
    """Items that collide, more items than fit, and names that are no names."""
    for forged in (
        b"j" + struct.pack("<I", 2) + b"TT",
        b"q" + struct.pack("<qI", 1, 2) + b"TT",
        b"q" + struct.pack("<qI", -5, 0),
        b"n" + struct.pack("<I", 0) + encode(("a", "a"), refuse) + struct.pack("<I", 2) + b"TT",
        b"n" + struct.pack("<I", 0) + encode(("__eq__",), refuse) + struct.pack("<I", 1) + b"T",
        b"n" + struct.pack("<I", 0) + encode(("a",), refuse) + struct.pack("<I", 0),
    ):
        with pytest.raises(WireError):
            decode(forged)
