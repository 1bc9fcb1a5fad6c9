"""What crosses of SciPy: sparse matrices as their arrays, and what optimizers return as a dict."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from examiner.wire.apart import LIBRARIES, Apart, Library, expect, module, only_if

MAX_SIDE: Final = 1 << 31
_FORMATS: Final = ("csr", "csc", "coo", "dia")
_NUMBERS: Final = "biufc"
_INDICES: Final = (np.dtype(np.int32), np.dtype(np.int64))
_RESULTS: Final = {
    "OptimizeResult": ("scipy.optimize", "OptimizeResult"),
    "OdeResult": ("scipy.integrate._ivp.ivp", "OdeResult"),
    "RootResults": ("scipy.optimize", "RootResults"),
}


def take(value: Any) -> Apart | None:
    """Return a value of SciPy as its parts."""
    cls = type(value)
    if (kind := f"scipy {cls.__name__}") in _SPARSE and cls is _class(cls.__name__):
        return Apart(kind, _take_sparse(value))
    if cls.__name__ in _RESULTS and cls is _result(cls.__name__):
        only_if(all(type(key) is str for key in value))
        return Apart(cls.__name__, dict(value))
    return None


@cache
def _class(name: str) -> Any:
    return getattr(module("scipy.sparse"), name)


@cache
def _result(name: str) -> Any:
    place, cls = _RESULTS[name]
    return getattr(module(place), cls)


def _take_sparse(matrix: Any) -> Any:
    only_if(len(matrix.shape) == 2 and matrix.dtype.kind in _NUMBERS and matrix.dtype.isnative)  # noqa: PLR2004
    only_if(max(matrix.shape) < MAX_SIDE and matrix.dtype.itemsize <= 16)  # noqa: PLR2004 - complex128
    if matrix.format == "coo":
        parts = [matrix.data, matrix.row, matrix.col]
    elif matrix.format == "dia":
        parts = [matrix.data, matrix.offsets]
    else:
        only_if(len(matrix.data) == len(matrix.indices) == matrix.indptr[-1])
        parts = [matrix.data, matrix.indices, matrix.indptr]
    shape = tuple(int(side) for side in matrix.shape)
    return (shape, [np.asarray(part) for part in parts])


def _maker(name: str) -> Callable[[Any], Any]:
    def make(parts: Any) -> Any:
        shape, (data, *places) = parts
        sides = type(shape) is tuple and len(shape) == 2 and all(type(side) is int for side in shape)  # noqa: PLR2004
        expect(sides and all(0 <= side < MAX_SIDE for side in shape), "sides that are none")
        are_arrays = all(type(part) is np.ndarray for part in (data, *places))
        expect(are_arrays and data.dtype.kind in _NUMBERS, "data that is none")
        expect(all(part.dtype in _INDICES and part.ndim == 1 for part in places), "indices that are none")
        _CHECKS[name[:3]](shape, data, *places)
        given = (data, (places[0], places[1])) if name.startswith("coo") else (data, *places)
        return _class(name)(given, shape=shape, copy=False)

    return make


def _check_coo(shape: tuple[int, int], data: Any, rows: Any, columns: Any) -> None:
    expect(data.shape == rows.shape == columns.shape, "arrays of different lengths")
    _check_within(rows, shape[0])
    _check_within(columns, shape[1])


def _check_dia(_shape: tuple[int, int], data: Any, offsets: Any) -> None:
    expect(data.ndim == 2 and len(data) == len(offsets), "diagonals of another number")  # noqa: PLR2004
    expect(len(set(offsets.tolist())) == len(offsets), "a diagonal twice")
    _check_within(np.abs(offsets), MAX_SIDE)


def _check_rows(shape: tuple[int, int], data: Any, indices: Any, starts: Any) -> None:
    """Hold compressed rows against their shape: SciPy's own code reads memory by them, unchecked."""
    expect(data.shape == indices.shape and len(starts) == shape[0] + 1, "arrays of other lengths")
    in_order = starts[0] == 0 and starts[-1] == len(data) and bool(np.all(starts[1:] >= starts[:-1]))
    expect(in_order, "rows that do not follow each other")
    _check_within(indices, shape[1])


def _check_within(indices: Any, side: int) -> None:
    expect(not len(indices) or (int(indices.min()) >= 0 and int(indices.max()) < side), "an index outside")


_CHECKS: Final[dict[str, Callable[..., None]]] = {
    "csr": _check_rows,
    "csc": lambda shape, *arrays: _check_rows(shape[::-1], *arrays),
    "coo": _check_coo,
    "dia": _check_dia,
}
_SPARSE: Final = {
    f"scipy {form}_{kind}": f"{form}_{kind}" for form in _FORMATS for kind in ("matrix", "array")
}


def _make_result(name: str) -> Callable[[Any], Any]:
    def make(parts: Any) -> Any:
        expect(type(parts) is dict and all(type(key) is str for key in parts), "a result that is none")
        cls = _result(name)
        made = cls.__new__(cls)
        dict.update(made, parts)
        return made

    return make


LIBRARIES["scipy"] = Library(
    take,
    {kind: _maker(name) for kind, name in _SPARSE.items()} | {name: _make_result(name) for name in _RESULTS},
)
