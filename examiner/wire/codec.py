"""A bounded codec for plain data.

Both ends run this module, but the trusted end depends on its decoder alone: `decode` is total (any bytes
give a value or `WireError`), bounded in time and memory, and builds nothing but plain data and handles. There
is no pickle, no class lookup and no comparison of a value that came from the other side.

An object that is not plain data stays in its process and is sent as a `Handle` (an object of the candidate)
or a `Reverse` (an object of the judge). Arrays of 16 kB and more are sent through a block of shared memory.
"""

import math
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np

from examiner.wire.apart import Apart
from examiner.wire.libraries import taken_apart
from examiner.wire.limits import MessageLimits, WireError
from examiner.wire.shared_memory import SharedBlock
from examiner.wire.standard import (
    MAX_TEXT,
    TEXT_KINDS,
    NamedItems,
    are_fields,
    as_text,
    is_namedtuple,
    names_of,
)


class Handle(NamedTuple):
    """An object of the candidate, by number.

    `type_name` is the candidate's claim, good for messages only. So is `cls`, the class of `TYPES` that the
    object is said to be, if it is one: the object itself stays where it is.
    """

    number: int
    type_name: str
    cls: type | None = None


class Reverse(NamedTuple):
    """An object of the examiner, by number."""

    number: int


DTYPES: Final = tuple(
    np.dtype(name)
    for name in (
        "bool",
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *(f"float{bits}" for bits in (16, 32, 64)),
        "complex64",
        "complex128",
    )
)
CODES: Final = {dtype: code for code, dtype in enumerate(DTYPES)}
# The only classes that can be sent, by number: what a `dtype=` argument or an `x.dtype.type` may be.
TYPES: Final[tuple[type, ...]] = (
    *(dtype.type for dtype in DTYPES),
    *(bool, int, float, complex, str, bytes, list, tuple, dict, slice, range, type(None), np.ndarray),
)
TYPE_CODES: Final = {cls: code for code, cls in enumerate(TYPES)}
INLINE: Final = 16 << 10  # bytes from which on an array is sent through shared memory
MAX_DIMENSIONS: Final = 32
MAX_INT_BYTES: Final = 512  # some 1,200 digits: Python still prints them, and powers of them do not take long
MAX_NAME: Final = 200

_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")
_F64 = struct.Struct("<d")
_C128 = struct.Struct("<dd")
_ARRAY = struct.Struct("<BB")
_RANGE = struct.Struct("<qqq")
_OFFSET = struct.Struct("<Q")
# What arrives by value and has no identity here, nor a class of the other side.
BY_VALUE: Final[frozenset[type]] = frozenset(
    {np.ndarray, bytes, bytearray, complex, dict, float, int, list, range, slice, str, tuple, NamedItems}
    | {Counter, OrderedDict, defaultdict, deque, set, frozenset, *(kind.cls for kind in TEXT_KINDS)}
)
MAX_KEY: Final = 8  # items of a tuple that is a key
MAX_TUPLES: Final = 2000  # such keys in a message
_KEYS: Final = frozenset({str, int, float, bool, bytes, type(None)})
_DICTS: Final[dict[type, bytes]] = {dict: b"d", Counter: b"C", OrderedDict: b"O"}
_SETS: Final[dict[type, bytes]] = {set: b"j", frozenset: b"J"}
_TEXT_CODES: Final = {kind.cls: code for code, kind in enumerate(TEXT_KINDS)}


class _Writer:
    """Encodes one value; `to_handle` turns an object that is not plain data into a handle."""

    def __init__(
        self,
        to_handle: Callable[[Any], Handle | Reverse],
        block: SharedBlock | None,
        limits: MessageLimits,
        *,
        keeps_classes: bool,
    ) -> None:
        self.out = bytearray()
        self.keeps_classes = keeps_classes
        self.to_handle, self.block, self.limits = to_handle, block, limits
        self.items_left, self.tuples = limits.items, 0

    def value(self, v: Any, depth: int = 0) -> None:
        self.items_left -= 1
        limits = self.limits
        if depth > limits.depth or self.items_left < 0 or len(self.out) > limits.frame:
            raise WireError("too deep, too many or too large values for one message")
        write = _WRITERS.get(type(v))
        if write is None:
            write, v = self.otherwise(v)
        write(self, v, depth)

    def takes_keys(self, keys: Collection[Any]) -> bool:
        """Whether a dict or a set with these keys is sent by value."""
        self.tuples += sum(type(key) is tuple for key in keys)
        return all(map(_is_key, keys)) and self.tuples <= MAX_TUPLES

    def otherwise(self, v: Any) -> tuple[Callable[["_Writer", Any, int], None], Any]:
        """Return what writes a value of no listed class, and the value as it writes it."""
        if is_namedtuple(type(v)):
            return _write_record, v
        apart = taken_apart(v)
        return (_write_handle, self.to_handle(v)) if apart is None else (_write_apart, apart)

    def many(self, values: Collection[Any], depth: int) -> None:
        self.out += _U32.pack(len(values))
        for item in values:
            self.value(item, depth + 1)

    def reference(self, v: Any) -> None:
        """Write a handle for a value whose type is plain but not its content, such as an array of objects."""
        _write_handle(self, self.to_handle(v), 0)

    def counted(self, tag: bytes, data: bytes) -> None:
        self.out += tag + _U32.pack(len(data))
        self.out += data


def _write_handle(w: _Writer, v: Handle | Reverse, _depth: int) -> None:
    if isinstance(v, Reverse):
        w.out += b"r" + _U32.pack(v.number)
    elif v.cls is not None:
        w.out += b"H" + _U32.pack(v.number) + bytes([TYPE_CODES[v.cls]])
    else:
        w.out += b"h" + _U32.pack(v.number)
        w.counted(b"", v.type_name[:MAX_NAME].encode("utf-8", "replace"))


def _write_int(w: _Writer, v: int, _depth: int) -> None:
    if -(1 << 63) <= v < 1 << 63:
        w.out += b"i" + _I64.pack(v)
    elif (size := v.bit_length() // 8 + 1) > MAX_INT_BYTES:
        raise WireError(f"an integer of more than {MAX_INT_BYTES} bytes")
    else:
        w.counted(b"I", v.to_bytes(size, "little", signed=True))


def _write_sequence(w: _Writer, v: list[Any] | tuple[Any, ...], depth: int) -> None:
    w.out += b"l" if type(v) is list else b"t"
    w.many(v, depth)


def _write_record(w: _Writer, v: tuple[Any, ...], depth: int) -> None:
    name, fields = names_of(v)
    w.counted(b"n", name[:MAX_NAME].encode("utf-8", "replace"))
    w.value(fields, depth + 1)
    w.many(tuple(tuple.__iter__(v)), depth)


def _write_deque(w: _Writer, v: deque[Any], depth: int) -> None:
    w.out += b"q" + _I64.pack(-1 if v.maxlen is None else v.maxlen)
    w.many(v, depth)


def _write_apart(w: _Writer, v: Apart, depth: int) -> None:
    w.counted(b"v", v.kind.encode())
    w.value(v.parts, depth + 1)


def _write_text(w: _Writer, v: Any, _depth: int) -> None:
    code = _TEXT_CODES[type(v)]
    text = as_text(TEXT_KINDS[code], v)
    if text is None:
        w.reference(v)
    else:
        w.counted(b"x" + bytes([code]), text.encode())


def _is_key(key: Any) -> bool:
    """Whether a dict may have this key; long ints may not, as they can be chosen to share one hash.

    Tuples can, too: there may be few of them.
    """
    if type(key) is tuple:
        return len(key) <= MAX_KEY and all(map(_is_simple_key, key))
    return _is_simple_key(key)


def _is_simple_key(key: Any) -> bool:
    return type(key) in _KEYS and (type(key) is not int or -(1 << 63) <= key < 1 << 63)


def _write_dict(w: _Writer, v: dict[Any, Any], depth: int) -> None:
    if not w.takes_keys(v):
        return w.reference(v)
    if isinstance(v, defaultdict):
        w.out += b"D"
        w.value(v.default_factory, depth + 1)
    else:
        w.out += _DICTS[type(v)]
    w.out += _U32.pack(len(v))
    for key, item in v.items():
        w.value(key, depth + 1)
        w.value(item, depth + 1)
    return None


def _write_set(w: _Writer, v: set[Any] | frozenset[Any], depth: int) -> None:
    if not w.takes_keys(v):
        return w.reference(v)
    w.out += _SETS[type(v)]
    w.many(v, depth)
    return None


def _write_array(w: _Writer, v: "np.ndarray[Any, Any]", depth: int) -> None:
    code = CODES.get(v.dtype)
    if code is None or v.ndim > MAX_DIMENSIONS:
        apart = taken_apart(v) if code is None else None
        return w.reference(v) if apart is None else _write_apart(w, apart, depth)
    shared = w.block is not None and v.nbytes >= INLINE
    w.out += (b"A" if shared else b"a") + _ARRAY.pack(code, v.ndim) + struct.pack(f"<{v.ndim}I", *v.shape)
    if shared and w.block is not None:
        w.out += _OFFSET.pack(w.block.put(_bytes_of(np.ascontiguousarray(v))))
    else:
        w.out += v.tobytes()
    return None


def _bytes_of(array: "np.ndarray[Any, Any]") -> memoryview:
    """Return the memory of a contiguous array as bytes."""
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]  # Python 3.11 has no Buffer


def _write_scalar(w: _Writer, v: "np.generic[Any]", _depth: int) -> None:
    w.out += b"g" + bytes([CODES[v.dtype]]) + v.tobytes()


def _write_dtype(w: _Writer, v: "np.dtype[Any]", _depth: int) -> None:
    if v in CODES:
        w.out += b"y" + bytes([CODES[v]])
    else:  # a dtype of another byte order
        w.reference(v)


def _write_type(w: _Writer, v: type, _depth: int) -> None:
    if v in TYPE_CODES and not w.keeps_classes:
        w.out += b"k" + bytes([TYPE_CODES[v]])
    else:
        w.reference(v)


def _write_range(w: _Writer, v: range, _depth: int) -> None:
    try:
        w.out += b"u" + _RANGE.pack(v.start, v.stop, v.step)
    except struct.error as error:
        raise WireError("a range of numbers that need more than 64 bits") from error


def _write_slice(w: _Writer, v: slice, depth: int) -> None:
    w.out += b"z"
    for bound in (v.start, v.stop, v.step):
        w.value(bound, depth + 1)


def _write_complex(w: _Writer, v: complex, _depth: int) -> None:
    w.out += b"c" + _C128.pack(v.real, v.imag)


def _write_constant(tag: bytes) -> Callable[[_Writer, Any, int], None]:
    def write(w: _Writer, _v: Any, _depth: int) -> None:
        w.out += tag

    return write


_BOOLS = {True: b"T", False: b"F"}
_WRITERS: dict[type, Callable[[_Writer, Any, int], None]] = {
    type(None): _write_constant(b"N"),
    bool: lambda w, v, _d: w.out.extend(_BOOLS[v]),
    int: _write_int,
    float: lambda w, v, _d: w.out.extend(b"f" + _F64.pack(v)),
    complex: _write_complex,
    str: lambda w, v, _d: w.counted(b"s", v.encode("utf-8", "surrogatepass")),
    bytes: lambda w, v, _d: w.counted(b"b", v),
    list: _write_sequence,
    tuple: _write_sequence,
    bytearray: lambda w, v, _d: w.counted(b"B", bytes(v)),
    deque: _write_deque,
    defaultdict: _write_dict,
    **dict.fromkeys(_DICTS, _write_dict),
    **dict.fromkeys(_SETS, _write_set),
    NamedItems: _write_record,
    Apart: _write_apart,
    **dict.fromkeys(_TEXT_CODES, _write_text),
    slice: _write_slice,
    range: _write_range,
    type: _write_type,
    type(Ellipsis): _write_constant(b"e"),
    np.ndarray: _write_array,
    Handle: _write_handle,
    Reverse: _write_handle,
    **{dtype.type: _write_scalar for dtype in DTYPES},
    **{type(dtype): _write_dtype for dtype in DTYPES},
}


class _Reader:
    """Decodes one value from untrusted bytes."""

    def __init__(  # noqa: PLR0913 - the two ends differ in two ways
        self,
        data: bytes,
        block: SharedBlock | None,
        limits: MessageLimits,
        from_handle: Callable[[Handle | Reverse], Any],
        *,
        to_record: Callable[[str, tuple[str, ...], list[Any]], Any],
        to_value: Callable[[str, Any], Any],
        takes_classes: bool,
    ) -> None:
        self.takes_classes, self.to_record, self.to_value = takes_classes, to_record, to_value
        self.data, self.block, self.limits, self.from_handle = data, block, limits, from_handle
        self.position = self.items = self.tuples = 0
        # Bytes that arrays of this message may still take; several arrays may claim the same shared memory.
        self.shared = limits.shared

    def take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self.data):
            raise WireError("a message ended early")
        piece, self.position = self.data[self.position : end], end
        return piece

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        try:
            numbers = form.unpack_from(self.data, self.position)
        except struct.error as error:
            raise WireError("a message ended early") from error
        self.position += form.size
        return numbers

    def byte(self) -> int:
        if self.position >= len(self.data):
            raise WireError("a message ended early")
        self.position += 1
        return self.data[self.position - 1]

    def number(self) -> int:
        return self.unpack(_U32)[0]  # type: ignore[no-any-return]

    def count(self, item_size: int) -> int:
        """Return how many items of `item_size` bytes or more follow; raise if the message is too short."""
        count = self.number()
        if count * item_size > len(self.data) - self.position:
            raise WireError("a message claims more items than it has bytes")
        return count

    def value(self, depth: int = 0) -> Any:
        self.items += 1
        if depth > self.limits.depth or self.items > self.limits.items:
            raise WireError("too deep or too many values in one message")
        read = _READERS.get(self.byte())
        if read is None:
            raise WireError("an unknown kind of value")
        return read(self, depth)

    def take_key(self, key: Any) -> None:
        """Raise WireError if this can be no key, or if there were too many of its kind."""
        self.tuples += type(key) is tuple
        if not _is_key(key) or self.tuples > MAX_TUPLES:
            raise WireError("keys that are not plain, or too many that are tuples")

    def many(self, depth: int) -> list[Any]:
        return [self.value(depth + 1) for _ in range(self.count(item_size=1))]

    def text(self, longest: int | None = None) -> str:
        size = self.number()
        if longest is not None and size > longest:
            raise WireError(f"a name of {size} bytes")
        try:
            return self.take(size).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise WireError("text that is not UTF-8") from error

    def cls(self) -> type:
        """Return a class itself, which can be called: nothing that a candidate may send."""
        if not self.takes_classes:
            raise WireError("a class")
        return self.listed(TYPES)  # type: ignore[no-any-return]

    def listed(self, known: tuple[Any, ...]) -> Any:
        """Return the entry of a fixed list whose index is the next byte."""
        code = self.byte()
        if code >= len(known):
            raise WireError("an unknown dtype or type")
        return known[code]


def _read_big_int(r: _Reader, _depth: int) -> int:
    size = r.number()
    if size > MAX_INT_BYTES:
        raise WireError(f"an integer of more than {MAX_INT_BYTES} bytes")
    return int.from_bytes(r.take(size), "little", signed=True)


def _read_dict(r: _Reader, depth: int) -> dict[Any, Any]:
    count = r.count(item_size=2)
    found: dict[Any, Any] = {}
    for _ in range(count):
        key = r.value(depth + 1)
        r.take_key(key)
        found[key] = r.value(depth + 1)
    if len(found) != count:
        raise WireError("a dict with keys that collide")
    return found


def _read_set(r: _Reader, depth: int) -> set[Any]:
    items = r.many(depth)
    for item in items:
        r.take_key(item)
    if len(found := set(items)) != len(items):
        raise WireError("a set of items that collide")
    return found


def _reader_of(
    cls: Callable[[Any], Any], read: Callable[[_Reader, int], Any]
) -> Callable[[_Reader, int], Any]:
    """Return a reader of another class with the same content."""
    return lambda r, depth: cls(read(r, depth))


def _read_defaultdict(r: _Reader, depth: int) -> defaultdict[Any, Any]:
    factory = r.value(depth + 1)
    if not (factory is None or callable(factory)):
        raise WireError("a defaultdict whose factory cannot be called")
    return defaultdict(factory, _read_dict(r, depth))


def _read_deque(r: _Reader, depth: int) -> deque[Any]:
    [longest] = r.unpack(_I64)
    items = r.many(depth)
    if longest != -1 and longest < len(items):
        raise WireError("a deque that is longer than it may be")
    return deque(items, None if longest == -1 else longest)


def _read_record(r: _Reader, depth: int) -> Any:
    name, fields, items = r.text(4 * MAX_NAME), r.value(depth + 1), r.many(depth)
    if not are_fields(fields) or len(fields) != len(items):
        raise WireError("a namedtuple whose names are not those of its items")
    return r.to_record(name, fields, items)


def _read_apart(r: _Reader, depth: int) -> Any:
    kind = r.text(MAX_NAME)
    return r.to_value(kind, r.value(depth + 1))


def _read_text(r: _Reader, _depth: int) -> Any:
    kind = r.listed(TEXT_KINDS)
    text = r.text(MAX_TEXT)
    if not kind.pattern.fullmatch(text):
        raise WireError(f"text that is no {kind.cls.__name__}")
    try:
        return kind.read(text)
    except (ValueError, ArithmeticError) as error:
        raise WireError(f"text that is no {kind.cls.__name__}") from error


def _read_shape(r: _Reader) -> tuple["np.dtype[Any]", tuple[int, ...], int]:
    """Return the dtype, the shape and the size in bytes that an array claims."""
    dtype, dimensions = r.listed(DTYPES), r.byte()
    if dimensions > MAX_DIMENSIONS:
        raise WireError(f"an array of more than {MAX_DIMENSIONS} dimensions")
    shape = struct.unpack(f"<{dimensions}I", r.take(4 * dimensions))
    return dtype, shape, math.prod(shape) * dtype.itemsize


def _read_array(r: _Reader, _depth: int) -> "np.ndarray[Any, Any]":
    dtype, shape, size = _read_shape(r)
    flat = np.frombuffer(r.take(size), dtype)
    try:
        return _as_booleans(flat.reshape(shape).copy())
    except ValueError as error:  # one dimension is 0, but the product of the others overflows
        raise WireError(f"an array of shape {shape}") from error


def _read_shared_array(r: _Reader, _depth: int) -> "np.ndarray[Any, Any]":
    dtype, shape, size = _read_shape(r)
    if r.block is None:
        raise WireError("an array in shared memory, where no block was given")
    if not INLINE <= size <= r.shared:
        raise WireError(f"an array of {size} bytes in shared memory")
    r.shared -= size
    array = np.empty(shape, dtype)
    r.block.get(r.unpack(_OFFSET)[0], _bytes_of(array))
    return _as_booleans(array)


def _as_booleans(array: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Make the bytes of a boolean array 0 or 1: NumPy does not check them, and would count a 255 as 255."""
    if array.dtype == np.bool_:
        np.not_equal(array.view(np.uint8), 0, out=array)
    return array


def _read_scalar(r: _Reader, _depth: int) -> "np.generic[Any]":
    dtype = r.listed(DTYPES)
    return _as_booleans(np.frombuffer(bytearray(r.take(dtype.itemsize)), dtype))[0]  # type: ignore[no-any-return]


def _read_range(r: _Reader, _depth: int) -> range:
    start, stop, step = r.unpack(_RANGE)
    if step == 0:
        raise WireError("a range with step 0")
    return range(start, stop, step)


_READERS: dict[int, Callable[[_Reader, int], Any]] = {
    ord("N"): lambda _r, _d: None,
    ord("T"): lambda _r, _d: True,
    ord("F"): lambda _r, _d: False,
    ord("i"): lambda r, _d: r.unpack(_I64)[0],
    ord("I"): _read_big_int,
    ord("f"): lambda r, _d: r.unpack(_F64)[0],
    ord("c"): lambda r, _d: complex(*r.unpack(_C128)),
    ord("s"): lambda r, _d: r.text(),
    ord("b"): lambda r, _d: r.take(r.number()),
    ord("B"): lambda r, _d: bytearray(r.take(r.number())),
    ord("l"): lambda r, d: r.many(d),
    ord("t"): lambda r, d: tuple(r.many(d)),
    **{ord(tag): _reader_of(cls, _read_dict) for cls, tag in _DICTS.items()},
    **{ord(tag): _reader_of(cls, _read_set) for cls, tag in _SETS.items()},
    ord("D"): _read_defaultdict,
    ord("q"): _read_deque,
    ord("n"): _read_record,
    ord("v"): _read_apart,
    ord("x"): _read_text,
    ord("a"): _read_array,
    ord("A"): _read_shared_array,
    ord("g"): _read_scalar,
    ord("z"): lambda r, d: slice(r.value(d + 1), r.value(d + 1), r.value(d + 1)),
    ord("e"): lambda _r, _d: Ellipsis,
    ord("u"): _read_range,
    ord("y"): lambda r, _d: r.listed(DTYPES),
    ord("k"): lambda r, _d: r.cls(),
    ord("h"): lambda r, _d: r.from_handle(Handle(r.number(), r.text(4 * MAX_NAME))),
    ord("H"): lambda r, _d: r.from_handle(Handle(r.number(), "type", r.listed(TYPES))),
    ord("r"): lambda r, _d: r.from_handle(Reverse(r.number())),
}


def _refuse(value: Any) -> NoReturn:
    raise TypeError(f"a {type(value).__name__} is not plain data")


def _refuse_library(kind: str, _parts: Any) -> NoReturn:
    raise WireError(f"a {kind[:MAX_NAME]}, where no value of a library is expected")


def encode(
    value: Any,
    to_handle: Callable[[Any], Handle | Reverse] = _refuse,
    block: SharedBlock | None = None,
    limits: MessageLimits | None = None,
    *,
    keeps_classes: bool = False,
) -> bytes:
    """Return the bytes of a value.

    Parameters
    ----------
    value
        Plain data, of exact types, nested to `limits.depth`; anything else is passed to `to_handle`.
    to_handle
        Returns the handle by which the other side refers to an object that is not plain; without it,
        TypeError is raised.
    block
        Where arrays of 16 kB and more are put; without a block they are part of the message.
    keeps_classes
        Whether classes are passed to `to_handle`, too, as on the candidate's side.

    Raises
    ------
    WireError
        If the value exceeds a limit.
    """
    if block is not None:
        block.used = 0  # the receiver has copied the arrays of the message before
    writer = _Writer(to_handle, block, limits or MessageLimits(), keeps_classes=keeps_classes)
    writer.value(value)
    if len(writer.out) > writer.limits.frame:
        raise WireError(f"a message of {len(writer.out)} bytes")
    return bytes(writer.out)


def decode(  # noqa: PLR0913 - the two ends differ in two ways
    data: bytes,
    from_handle: Callable[[Handle | Reverse], Any] = lambda handle: handle,
    block: SharedBlock | None = None,
    limits: MessageLimits | None = None,
    *,
    to_record: Callable[[str, tuple[str, ...], list[Any]], Any] = NamedItems.of,
    to_value: Callable[[str, Any], Any] = _refuse_library,
    takes_classes: bool = False,
) -> Any:
    """Return the value that some bytes encode: plain data and handles only.

    Parameters
    ----------
    data
        The bytes, which are not trusted.
    from_handle
        Returns what a handle stands for on this side; it raises `WireError` for an unknown number.
    block
        Where arrays of 16 kB and more were put.
    to_record
        Returns what a namedtuple is on this side, given the name of its class, its fields and its items.
    to_value
        Returns the value of a library, given its kind and its parts, as `libraries.rebuilt` does; without it,
        such a value is refused, since making it imports the library.
    takes_classes
        Whether classes may be in it, as on the candidate's side. None comes to the judge as itself, since it
        could be called there.

    Raises
    ------
    WireError
        If the bytes are not exactly one value, or exceed a limit.
    """
    reader = _Reader(
        data,
        block,
        limits or MessageLimits(),
        from_handle,
        to_record=to_record,
        to_value=to_value,
        takes_classes=takes_classes,
    )
    value = reader.value()
    if reader.position != len(data):
        raise WireError("bytes after the value")
    return value
