"""What crosses of pandas: frames, series, indices, their arrays and scalars, as columns of plain arrays."""

import re
from collections.abc import Callable
from datetime import timedelta, timezone
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from examiner.wire.apart import (
    INTEGERS,
    LIBRARIES,
    MAX_LABELS,
    Apart,
    Library,
    StaysThere,
    expect,
    is_item,
    is_label,
    item,
    label,
    module,
    only_if,
)
from examiner.wire.arrays import joined, parted, take_moments, take_objects

MAX_ROWS: Final = 1 << 22  # of a range, which takes no bytes
_UNITS: Final = frozenset({"s", "ms", "us", "ns"})
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,2}")
_FREQUENCY: Final = re.compile(r"-?[0-9]{0,6}[A-Za-z]{1,4}(-[A-Z]{3})?")
_CLOSED: Final = frozenset({"left", "right", "both", "neither"})
_CROSSING: Final = frozenset(
    map(np.dtype, ("bool", "complex64", "complex128", *(f"float{bits}" for bits in (16, 32, 64)), *INTEGERS))
)
_PLAIN: Final = frozenset("biufcO")
_ATTRIBUTES: Final = frozenset({"_mgr", "_attrs", "_flags", "_name", "_item_cache", "_cacher"})


def _pandas() -> Any:
    return module("pandas")


def take(value: Any) -> Apart | None:
    """Return a value of pandas as its parts."""
    name = _kinds().get(type(value))
    return None if name is None else Apart(name, _TAKERS[name](value))


@cache
def _kinds() -> dict[type, str]:
    """Return the kinds of values by their exact classes."""
    pd = _pandas()
    arrays = ("IntegerArray", "FloatingArray", "BooleanArray")
    kinds = {
        pd.DataFrame: "DataFrame",
        pd.Series: "Series",
        pd.Index: "Index",
        pd.RangeIndex: "RangeIndex",
        pd.MultiIndex: "MultiIndex",
        pd.DatetimeIndex: "timed index",
        pd.TimedeltaIndex: "timed index",
        pd.PeriodIndex: "Index",
        pd.IntervalIndex: "Index",
        pd.CategoricalIndex: "Index",
        pd.Categorical: "Categorical",
        pd.arrays.IntervalArray: "IntervalArray",
        pd.arrays.PeriodArray: "PeriodArray",
        pd.arrays.DatetimeArray: "DatetimeArray",
        pd.arrays.TimedeltaArray: "TimedeltaArray",
        pd.arrays.NumpyExtensionArray: "NumpyExtensionArray",
        type(pd.array([""], dtype=pd.StringDtype("python"))): "StringArray",
        type(pd.array([""], dtype=pd.StringDtype("python", na_value=np.nan))): "StringArray",
        **{getattr(pd.arrays, name): name for name in arrays},
        pd.Timestamp: "Timestamp",
        pd.Timedelta: "Timedelta",
        pd.Interval: "Interval",
        pd.Period: "Period",
        type(pd.NaT): "NaT",
        type(pd.NA): "NA",
    }
    return {cls: kind for cls, kind in kinds.items() if isinstance(cls, type)}


def _nested(value: Any) -> Apart:
    apart = take(value)
    if apart is None:
        raise StaysThere
    return apart


def _column(array: Any) -> Any:
    """Return the array of a column or an index as it is sent."""
    if type(array) is _pandas().arrays.NumpyExtensionArray:
        array = array.to_numpy()
    if type(array) is not np.ndarray:
        return _nested(array)
    only_if(array.ndim == 1 and array.dtype.isnative and array.dtype.kind in _PLAIN | {"M", "m"})
    if array.dtype.kind == "O":
        return take_objects(array)
    if array.dtype.kind in "Mm":
        return take_moments(array)
    only_if(array.dtype in _CROSSING)
    return array


def _take_frame(frame: Any) -> Any:
    _is_itself(frame)
    dtypes = set(frame.dtypes)
    [*single] = dtypes
    if len(single) == 1 and isinstance(single[0], np.dtype) and single[0].kind in "biufc":
        data = frame.to_numpy()
        only_if(data.dtype == single[0] and data.dtype in _CROSSING)
    else:
        data = [_column(frame.iloc[:, place].array) for place in range(frame.shape[1])]
    return (_nested(frame.index), _nested(frame.columns), data, _notes(frame))


def _take_series(series: Any) -> Any:
    _is_itself(series)
    return (_nested(series.index), _column(series.array), label(series.name), _notes(series))


def _is_itself(value: Any) -> None:
    """Leave where it is what has attributes of its own, which may hide those of its class."""
    only_if(vars(value).keys() <= _ATTRIBUTES)


def _notes(value: Any) -> tuple[Any, bool]:
    only_if(type(value.attrs) is dict)
    return item(value.attrs), bool(value.flags.allows_duplicate_labels)


def _take_index(index: Any) -> Any:
    array = index.array
    column = _column(array)
    if index.dtype == object:
        only_if(sum(type(label(one)) is tuple for one in index) <= MAX_LABELS)
    return (type(index).__name__, column, label(index.name))


def _take_range(index: Any) -> Any:
    only_if(len(index) <= MAX_ROWS)
    return (index.start, index.stop, index.step, label(index.name))


def _take_multi(index: Any) -> Any:
    levels = [_nested(level) for level in index.levels]
    return (levels, [np.asarray(codes) for codes in index.codes], [label(name) for name in index.names])


def _take_timed(index: Any) -> Any:
    # The array of a series with a frequency has none, and that of an index has.
    array = index.array
    return (_of_moments(array), label(index.name), _frequency(index.freq))


def _of_moments(array: Any) -> Any:
    zone = getattr(array, "tz", None)
    naive = array if zone is None else array.tz_convert("UTC").tz_localize(None)
    return (take_moments(naive.to_numpy()), _zone(zone))


def _frequency(frequency: Any) -> str | None:
    if frequency is None:
        return None
    text: str = frequency.freqstr
    only_if(bool(_FREQUENCY.fullmatch(text)) and _offset(text) == frequency)
    return text


def _offset(text: Any) -> Any:
    if text is None:
        return None
    expect(type(text) is str and bool(_FREQUENCY.fullmatch(text)), "a frequency that is none")
    return module("pandas.tseries.frequencies").to_offset(text)


def _zone(zone: Any) -> str | timedelta | None:
    if zone is None:
        return None
    if type(zone) is timezone:
        offset = zone.utcoffset(None)
        only_if(repr(zone) == repr(timezone(offset)))  # none with a name of its own
        return offset
    only_if(type(zone) is ZoneInfo and type(zone.key) is str and bool(_ZONE.fullmatch(zone.key)))
    return str(zone.key)


def _read_zone(zone: Any) -> Any:
    if type(zone) is timedelta:
        return timezone.utc if not zone else timezone(zone)  # noqa: UP017 - the one that repr compares with
    expect(type(zone) is str and bool(_ZONE.fullmatch(zone)), "a time zone that is none")
    return ZoneInfo(zone)


def _take_timed_array(array: Any) -> Any:
    only_if(getattr(array, "freq", None) is None)
    return _of_moments(array)


def _take_strings(array: Any) -> Any:
    dtype = array.dtype
    only_if(dtype.storage == "python")
    texts = [one if isinstance(one, str) else None for one in array.to_numpy(dtype=object)]
    return (dtype.na_value is _pandas().NA, *joined(texts))


def _take_categorical(array: Any) -> Any:
    return (np.asarray(array.codes), _nested(array.categories), bool(array.ordered))


def _take_nullable(array: Any) -> Any:
    return (np.asarray(array._data), np.asarray(array._mask))  # noqa: SLF001 - NaN and NA are told apart by these


def _take_intervals(array: Any) -> Any:
    return (_column(array.left.array), _column(array.right.array), array.closed)


def _take_timestamp(value: Any) -> Any:
    only_if(value.fold == 0)
    return (take_moments(np.asarray(value.to_datetime64())), _zone(value.tz))


_TAKERS: Final[dict[str, Callable[[Any], Any]]] = {
    "DataFrame": _take_frame,
    "Series": _take_series,
    "Index": _take_index,
    "RangeIndex": _take_range,
    "MultiIndex": _take_multi,
    "timed index": _take_timed,
    "Categorical": _take_categorical,
    "IntervalArray": _take_intervals,
    "PeriodArray": lambda array: (array.asi8, _frequency(array.freq)),
    "DatetimeArray": _take_timed_array,
    "TimedeltaArray": _take_timed_array,
    "NumpyExtensionArray": lambda array: (_column(array),),
    "StringArray": _take_strings,
    "IntegerArray": _take_nullable,
    "FloatingArray": _take_nullable,
    "BooleanArray": _take_nullable,
    "Timestamp": _take_timestamp,
    "Timedelta": lambda value: take_moments(np.asarray(value.to_timedelta64())),
    "Interval": lambda value: (item(value.left), item(value.right), value.closed),
    "Period": lambda value: (value.ordinal, _frequency(value.freq)),
    "NaT": lambda _: None,
    "NA": lambda _: None,
}


def _is_index(value: Any) -> bool:
    return isinstance(value, _pandas().Index)


def _is_column(value: Any) -> bool:
    """Whether a decoded value is an array of one dimension that a series may have."""
    is_array = type(value) is np.ndarray and value.dtype.kind in _PLAIN | {"M", "m"}
    return (is_array or isinstance(value, _pandas().api.extensions.ExtensionArray)) and value.ndim == 1


def _series(column: Any, index: Any, name: Any = None) -> Any:
    expect(_is_column(column) and len(column) == len(index), "a column of another length")
    return _pandas().Series(column, index=index, dtype=column.dtype, name=name, copy=False)


def _make_frame(parts: Any) -> Any:
    index, columns, data, notes = parts
    pd = _pandas()
    expect(_is_index(index) and _is_index(columns), "an index that is none")
    if type(data) is np.ndarray:
        expect(
            data.shape == (len(index), len(columns)) and data.dtype.kind in "biufc", "data of another shape"
        )
        frame = pd.DataFrame(data, index=index, copy=False)
    else:
        expect(type(data) is list and len(data) == len(columns), "more or fewer columns")
        frame = pd.DataFrame(
            {place: _series(column, index) for place, column in enumerate(data)}, index=index
        )
    frame.columns = columns
    return _noted(frame, notes)


def _make_series(parts: Any) -> Any:
    index, column, name, notes = parts
    expect(_is_index(index) and is_label(name), "an index or a name that is none")
    return _noted(_series(column, index, name), notes)


def _noted(value: Any, notes: Any) -> Any:
    attrs, allows = notes
    expect(type(attrs) is dict and is_item(attrs) and type(allows) is bool, "notes that are none")
    if attrs:
        value.attrs = attrs
    if not allows:
        value.flags.allows_duplicate_labels = False
    return value


def _make_index(parts: Any) -> Any:
    pd, (cls, column, name) = _pandas(), parts
    expect(_is_column(column) and is_label(name), "an index or a name that is none")
    if column.dtype == object:
        tuples = sum(type(one) is tuple for one in column)
        expect(tuples <= MAX_LABELS and all(map(is_label, column)), "labels that are none")
    index = pd.Index(column, dtype=column.dtype, name=name, tupleize_cols=False)
    expect(type(index).__name__ == cls, "an index of another kind")
    return index


def _make_range(parts: Any) -> Any:
    start, stop, step, name = parts
    expect(all(type(one) is int for one in (start, stop, step)) and step != 0, "a range that is none")
    expect(len(range(start, stop, step)) <= MAX_ROWS and is_label(name), "a range that is too long")
    return _pandas().RangeIndex(start, stop, step, name=name)


def _make_multi(parts: Any) -> Any:
    levels, codes, names = parts
    are_codes = all(type(one) is np.ndarray and one.dtype.kind == "i" and one.ndim == 1 for one in codes)
    expect(all(map(_is_index, levels)) and are_codes and all(map(is_label, names)), "levels that are none")
    expect(len({len(one) for one in codes}) == 1, "codes of different lengths")
    return _pandas().MultiIndex(levels=levels, codes=codes, names=names)


def _make_timed(parts: Any) -> Any:
    pd, (moments, name, frequency) = _pandas(), parts
    expect(is_label(name), "a name that is none")
    return pd.Index(_timed(moments), name=name) if frequency is None else _with(moments, name, frequency)


def _with(moments: Any, name: Any, frequency: Any) -> Any:
    """Return an index of moments that have a frequency, which is held against them."""
    index = _pandas().Index(_timed(moments), name=name)
    index.freq = _offset(frequency)
    return index


def _timed(parts: Any) -> Any:
    """Return an array of moments of pandas."""
    moments, zone = parts
    is_moments = type(moments) is np.ndarray and moments.dtype.kind in "mM" and moments.ndim == 1
    expect(is_moments and np.datetime_data(moments.dtype)[0] in _UNITS, "moments of another unit")
    index = _pandas().Index(moments, dtype=moments.dtype)
    if zone is not None:
        index = index.tz_localize("UTC").tz_convert(_read_zone(zone))
    return index.array.copy()


def _timed_of(kind: str) -> Callable[[Any], Any]:
    def make(parts: Any) -> Any:
        array = _timed(parts)
        expect(type(array).__name__ == kind, "an array of another kind")
        return array

    return make


def _make_strings(parts: Any) -> Any:
    pd, (is_na, text, lengths) = _pandas(), parts
    expect(type(is_na) is bool, "texts that are none")
    dtype = pd.StringDtype("python", na_value=pd.NA if is_na else np.nan)
    return pd.array(parted(text, lengths), dtype=dtype)


def _make_categorical(parts: Any) -> Any:
    codes, categories, ordered = parts
    is_codes = type(codes) is np.ndarray and codes.dtype.kind == "i" and codes.ndim == 1
    expect(is_codes and _is_index(categories) and type(ordered) is bool, "categories that are none")
    return _pandas().Categorical.from_codes(codes, categories=categories, ordered=ordered)


def _nullable(name: str, kinds: str) -> Callable[[Any], Any]:
    def make(parts: Any) -> Any:
        data, mask = parts
        is_data = type(data) is np.ndarray and data.dtype.kind in kinds and data.ndim == 1
        is_mask = type(mask) is np.ndarray and mask.dtype == np.bool_
        expect(is_data and is_mask and mask.shape == data.shape, "a mask of another shape")
        return getattr(_pandas().arrays, name)(data, mask)

    return make


def _make_intervals(parts: Any) -> Any:
    left, right, closed = parts
    expect(_is_column(left) and _is_column(right) and closed in _CLOSED, "intervals that are none")
    expect(len(left) == len(right), "intervals of different lengths")
    return _pandas().arrays.IntervalArray.from_arrays(left, right, closed=closed)


def _make_periods(parts: Any) -> Any:
    ordinals, frequency = parts
    is_ordinals = type(ordinals) is np.ndarray and ordinals.dtype == np.int64 and ordinals.ndim == 1
    expect(is_ordinals and frequency is not None, "periods that are none")
    return _pandas().PeriodIndex.from_ordinals(ordinals, freq=_offset(frequency)).array


def _make_period(parts: Any) -> Any:
    ordinal, frequency = parts
    expect(type(ordinal) is int and frequency is not None, "a period that is none")
    return _pandas().Period(ordinal=ordinal, freq=_offset(frequency))


def _make_timestamp(parts: Any) -> Any:
    moment, zone = parts
    expect(
        type(moment) is np.ndarray and moment.ndim == 0 and moment.dtype.kind == "M", "a moment that is none"
    )
    made = _pandas().Timestamp(moment[()])
    return made if zone is None else made.tz_localize("UTC").tz_convert(_read_zone(zone))


def _make_timedelta(moment: Any) -> Any:
    expect(
        type(moment) is np.ndarray and moment.ndim == 0 and moment.dtype.kind == "m", "a span that is none"
    )
    return _pandas().Timedelta(moment[()])


def _make_interval(parts: Any) -> Any:
    left, right, closed = parts
    expect(is_label(left) and is_label(right) and closed in _CLOSED, "an interval that is none")
    return _pandas().Interval(left, right, closed=closed)


def _make_numpy(parts: Any) -> Any:
    [array] = parts
    expect(type(array) is np.ndarray and _is_column(array), "an array that is none")
    return _pandas().arrays.NumpyExtensionArray(array)


def _become(ours: Any, theirs: Any) -> bool:
    """Make a frame or a series another one."""
    ours._update_inplace(theirs)  # noqa: SLF001 - as methods with `inplace=True` do it
    ours.attrs = theirs.attrs
    if type(ours) is _pandas().Series:
        ours.name = theirs.name
    return True


LIBRARIES["pandas"] = Library(
    take,
    {
        "DataFrame": _make_frame,
        "Series": _make_series,
        "Index": _make_index,
        "RangeIndex": _make_range,
        "MultiIndex": _make_multi,
        "timed index": _make_timed,
        "Categorical": _make_categorical,
        "IntervalArray": _make_intervals,
        "PeriodArray": _make_periods,
        "DatetimeArray": _timed_of("DatetimeArray"),
        "TimedeltaArray": _timed_of("TimedeltaArray"),
        "NumpyExtensionArray": _make_numpy,
        "StringArray": _make_strings,
        "IntegerArray": _nullable("IntegerArray", "iu"),
        "FloatingArray": _nullable("FloatingArray", "f"),
        "BooleanArray": _nullable("BooleanArray", "b"),
        "Timestamp": _make_timestamp,
        "Timedelta": _make_timedelta,
        "Interval": _make_interval,
        "Period": _make_period,
        "NaT": lambda _: _pandas().NaT,
        "NA": lambda _: _pandas().NA,
    },
    scalars=frozenset({"Timestamp", "Timedelta", "Interval", "Period", "NaT", "NA"}),
    constants=frozenset({"NAType", "NaTType"}),
    become=_become,
    changing=frozenset({"DataFrame", "Series"}),
)
