"""NumPy's values beyond plain numbers: arrays of moments, texts and plain objects, and masked arrays."""

import math
from typing import Any, Final

import numpy as np

from examiner.wire.apart import LIBRARIES, Apart, Library, expect, is_item, item, only_if

UNITS: Final = frozenset({"Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"})
MAX_WIDTH: Final = 10_000  # characters of a text in an array of texts
_LAST_CHARACTER: Final = 0x10FFFF
_NUMBERS: Final = frozenset("biufc")


def take(value: Any) -> Apart | None:
    """Return an array or a scalar as its parts."""
    cls = type(value)
    if cls is np.ndarray:
        return _take_array(value)
    if cls is np.str_:
        return Apart("str_", str(value))
    if cls is np.datetime64 or cls is np.timedelta64:
        return Apart("moment", take_moments(np.asarray(value)).parts)
    if cls is np.ma.MaskedArray:
        return _take_masked(value)
    return None


def _take_array(array: "np.ndarray[Any, Any]") -> Apart | None:
    kind = array.dtype.kind
    if kind in "Mm":
        return take_moments(array)
    if kind == "O":
        return take_objects(array)
    if kind == "U":
        width = array.dtype.itemsize // 4
        only_if(array.dtype.isnative and 0 < width <= MAX_WIDTH)
        codes = np.frombuffer(array.tobytes(), np.uint32)
        return Apart("texts of a width", (array.shape, width, codes))
    return None


def take_moments(array: "np.ndarray[Any, Any]") -> Apart:
    """Return an array of moments or durations as its unit and integers."""
    unit, step = np.datetime_data(array.dtype)
    only_if(unit in UNITS and step == 1 and array.dtype.isnative)
    return Apart("moments", (array.dtype.kind, unit, array.astype(np.int64)))


def take_objects(array: "np.ndarray[Any, Any]") -> Apart:
    """Return an array of objects that are plain; texts are joined, since one by one they take long."""
    items = array.ravel().tolist()
    if items and all(type(one) is str for one in items):
        return Apart("texts", (array.shape, *joined(items)))
    return Apart("objects", (array.shape, [item(one) for one in items]))


def joined(texts: list[str | None]) -> tuple[str, "np.ndarray[Any, Any]"]:
    """Return texts as one text and their lengths; None is of length -1."""
    lengths = np.array([-1 if text is None else len(text) for text in texts], np.int64)
    return "".join(text for text in texts if text is not None), lengths


def parted(text: Any, lengths: Any) -> list[str | None]:
    """Return the texts that were joined."""
    are_lengths = type(lengths) is np.ndarray and lengths.dtype == np.int64 and lengths.ndim == 1
    expect(type(text) is str and are_lengths, "texts that are none")
    found: list[str | None] = []
    start = 0
    for length in lengths.tolist():
        expect(-1 <= length <= len(text) - start, "texts of other lengths")
        found.append(None if length < 0 else text[start : start + length])
        start += max(0, length)
    expect(start == len(text), "texts of other lengths")
    return found


def _take_masked(array: Any) -> Apart:
    """Take a masked array in which nothing is masked: what is masked agrees with everything."""
    only_if(array.dtype.kind in _NUMBERS and not array.hardmask and not np.any(array.mask))
    mask = None if array.mask is np.ma.nomask else np.array(array.mask)
    return Apart("masked", (np.array(array.data), mask, np.asarray(array.fill_value)[()]))


def _shaped(shape: Any, flat: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    is_shape = type(shape) is tuple and all(type(size) is int and size >= 0 for size in shape)
    expect(is_shape and math.prod(shape) == len(flat), "another shape")
    return flat.reshape(shape)


def make_moments(parts: Any) -> "np.ndarray[Any, Any]":
    """Return an array of moments or durations."""
    kind, unit, integers = parts
    expect(kind in {"M", "m"} and unit in UNITS, "an unknown unit")
    expect(type(integers) is np.ndarray and integers.dtype == np.int64, "moments that are no integers")
    moments: np.ndarray[Any, Any] = integers.view(f"{kind}8[{unit}]")
    return moments


def _make_moment(parts: Any) -> Any:
    moments = make_moments(parts)
    expect(moments.ndim == 0, "more than one moment")
    return moments[()]


def of_objects(items: list[Any]) -> "np.ndarray[Any, Any]":
    """Return an array of these objects, whatever they are."""
    array = np.empty(len(items), object)
    for place, one in enumerate(items):
        array[place] = one
    return array


def _make_objects(parts: Any) -> "np.ndarray[Any, Any]":
    shape, items = parts
    expect(type(items) is list and all(map(is_item, items)), "objects that are not plain")
    return _shaped(shape, of_objects(items))


def _make_texts(parts: Any) -> "np.ndarray[Any, Any]":
    shape, text, lengths = parts
    items = parted(text, lengths)
    expect(None not in items, "a missing text")
    return _shaped(shape, of_objects(items))


def _make_wide_texts(parts: Any) -> "np.ndarray[Any, Any]":
    shape, width, codes = parts
    expect(type(width) is int and 0 < width <= MAX_WIDTH, "texts of another width")
    is_flat = type(codes) is np.ndarray and codes.dtype == np.uint32 and codes.ndim == 1
    expect(is_flat and len(codes) % width == 0, "texts that are none")
    expect(not len(codes) or int(codes.max()) <= _LAST_CHARACTER, "characters that are none")
    return _shaped(shape, codes.view(f"U{width}"))


def _make_text(parts: Any) -> np.str_:
    expect(type(parts) is str, "a text that is none")
    return np.str_(parts)


def _make_masked(parts: Any) -> Any:
    data, mask, fill = parts
    expect(type(data) is np.ndarray and data.dtype.kind in _NUMBERS | {"b"}, "masked data that is none")
    is_mask = mask is None or (
        type(mask) is np.ndarray and mask.dtype == np.bool_ and mask.shape == data.shape
    )
    expect(is_mask and not np.any(mask is not None and mask), "a mask that hides something")
    expect(type(fill) is data.dtype.type, "a filling of another type")
    return np.ma.MaskedArray(data, np.ma.nomask if mask is None else mask, fill_value=fill)


LIBRARIES["numpy"] = Library(
    take,
    {
        "moments": make_moments,
        "moment": _make_moment,
        "objects": _make_objects,
        "texts": _make_texts,
        "texts of a width": _make_wide_texts,
        "str_": _make_text,
        "masked": _make_masked,
    },
    scalars=frozenset({"str_", "moment"}),
)
