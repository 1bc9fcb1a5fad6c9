"""Values of libraries, taken apart into plain data and put together again.

A library is named by the package that its classes come from. It is imported only when one of its values
comes: whoever has no value of it does not pay for it. Only exact classes are taken apart, since an instance
of a subclass may override any operator; and only what the other side can make again exactly. All else stays.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from examiner.wire.limits import WireError
from examiner.wire.standard import TEXT_KINDS, as_text

MAX_LABELS: Final = 1000  # of tuples in one index, since these can be chosen to share one hash
MAX_DEPTH: Final = 8
INTEGERS: Final = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_SIMPLE: Final = frozenset(
    {type(None), bool, int, float, complex, str, bytes, np.bool_, np.float16, np.float32, np.float64}
    | {np.complex64, np.complex128, *(np.dtype(name).type for name in INTEGERS)}
)
_TEXTS: Final = {kind.cls: kind for kind in TEXT_KINDS}


class Apart(NamedTuple):
    """A value of a library: the name of its kind, and its parts, some of which may be apart themselves."""

    kind: str
    parts: Any


class StaysThere(Exception):  # noqa: N818 - says what is to be done
    """A value cannot be made again exactly, so it crosses as a handle."""


class Library(NamedTuple):
    """How values of a library are taken apart, and put together by the name of their kind.

    `scalars` are the kinds that may be items of other values, such as an array of objects; `constants` the
    names of classes of which equal objects are one. `become` makes a value what another of its class is, and
    returns whether it can be that; `changing` are the names of the classes for which it can be asked.
    """

    take: Callable[[Any], Apart | None]
    makers: Mapping[str, Callable[[Any], Any]]
    scalars: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    become: Callable[[Any, Any], bool] = lambda _ours, _theirs: False
    changing: frozenset[str] = frozenset()


LIBRARIES: Final[dict[str, Library]] = {}


def root_of(cls: type) -> str:
    """Return the name of the package that a class says that it comes from."""
    module = getattr(cls, "__module__", "")
    return module.partition(".")[0] if type(module) is str else ""


def taken_apart(value: Any) -> Apart | None:
    """Return a value of a known library as its parts, or None if it stays where it is."""
    name = root_of(type(value))
    library = LIBRARIES.get(name)
    if library is None or name not in sys.modules:
        return None
    try:
        return library.take(value)
    except StaysThere:
        return None


def rebuilt(kind: str, parts: Any) -> Any:
    """Return the value of a library that consists of these parts, which are not trusted.

    Raises
    ------
    WireError
        If there is no such value.
    """
    make = next((known.makers[kind] for known in LIBRARIES.values() if kind in known.makers), None)
    if make is None:
        raise WireError("an unknown kind of library value")
    try:
        return make(parts)
    except WireError:
        raise
    except Exception as error:  # a library says in many ways that something is no value of its own
        raise WireError(f"parts that make no {kind}: {type(error).__name__}") from error


def module(name: str) -> Any:
    """Return a module of a library, imported now at the latest."""
    return sys.modules.get(name) or importlib.import_module(name)


def only_if(holds: bool) -> None:
    """Leave the value where it is unless this holds."""
    if not holds:
        raise StaysThere


def expect(holds: bool, what: str) -> None:
    """Refuse parts of which this does not hold."""
    if not holds:
        raise WireError(f"a library value with {what}")


def item(value: Any, depth: int = 0) -> Any:
    """Return an item of an array of objects as it is sent: plain data, or a scalar of a library apart.

    Raises
    ------
    StaysThere
        If it is anything else.
    """
    cls = type(value)
    if cls in _SIMPLE:
        return value
    if cls in _TEXTS:
        only_if(as_text(_TEXTS[cls], value) is not None)
        return value
    if depth >= MAX_DEPTH:
        raise StaysThere
    if cls is list or cls is tuple:
        return cls(item(one, depth + 1) for one in value)
    if cls is dict and all(type(key) is str for key in value):
        return {key: item(one, depth + 1) for key, one in value.items()}
    apart = taken_apart(value)
    if apart is None or apart.kind not in LIBRARIES[root_of(cls)].scalars:
        raise StaysThere
    return apart


def label(value: Any) -> Any:
    """Return a name or label, which must be hashable, as it is sent; StaysThere if it is none."""
    if type(value) is tuple:
        return tuple(map(label, value))
    if isinstance(value, list | dict):
        raise StaysThere
    return item(value)


def is_item(value: Any) -> bool:
    """Whether a decoded value may be an item of an array of objects."""
    try:
        item(value)
    except StaysThere:
        return False
    return True


def is_label(value: Any) -> bool:
    """Whether a decoded value may be a name or a label."""
    try:
        label(value)
    except StaysThere:
        return False
    return True
