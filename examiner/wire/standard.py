"""What crosses the wire by value beyond the builtin types: a listed part of the standard library.

Only exact types are listed: an instance of a subclass may override any operator, so it stays on its side.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple, Self

MAX_DIGITS: Final = 1200
MAX_TEXT: Final = 2 * MAX_DIGITS + 2


class TextKind(NamedTuple):
    """A type whose values are sent as text: how it is written, what it may look like, how it is read."""

    cls: type
    write: Callable[[Any], str]
    pattern: re.Pattern[str]
    read: Callable[[str], Any]


_NUMBER, _CLOCK = rf"\d{{1,{MAX_DIGITS}}}", r"\d\d:\d\d:\d\d(\.\d{6})?([+-]\d\d:\d\d(:\d\d(\.\d{6})?)?)?"
_TEXTS: Final[tuple[tuple[type, Callable[[Any], str], str, Callable[[str], Any]], ...]] = (
    (Fraction, str, rf"-?{_NUMBER}(/{_NUMBER})?", Fraction),
    (Decimal, str, rf"-?({_NUMBER}(\.{_NUMBER})?(E[+-]\d{{1,4}})?|Infinity)|NaN", Decimal),
    (date, date.isoformat, r"\d{4}-\d\d-\d\d", date.fromisoformat),
    (datetime, datetime.isoformat, rf"\d{{4}}-\d\d-\d\dT{_CLOCK}", datetime.fromisoformat),
    (time, time.isoformat, _CLOCK, time.fromisoformat),
    (
        timedelta,
        lambda v: str(v // timedelta(microseconds=1)),
        r"-?\d{1,21}",
        lambda text: timedelta(microseconds=int(text)),
    ),
)
TEXT_KINDS: Final = tuple(
    TextKind(cls, write, re.compile(pattern, re.ASCII), read) for cls, write, pattern, read in _TEXTS
)


def as_text(kind: TextKind, value: Any) -> str | None:
    """Return the text of a value, or None if it has none that gives the same value again."""
    if type(getattr(value, "tzinfo", None)) not in {type(None), timezone}:
        return None  # such a time asks its zone, whose class may be anybody's
    try:
        text = kind.write(value)
    except ValueError:  # more digits than Python writes
        return None
    return text if kind.pattern.fullmatch(text) else None


class NamedItems(tuple[Any, ...]):  # noqa: SLOT001 - the slots of a tuple's subclass cannot hold its names
    """A namedtuple of the other side's: a tuple whose items have names. Its class stays where it is."""

    _fields: tuple[str, ...]
    _class_name: str

    @classmethod
    def of(cls, name: str, fields: tuple[str, ...], items: Iterable[Any]) -> Self:
        """Return the record of a class of that name."""
        record = cls(items)
        record._class_name, record._fields = name, fields
        return record

    def __getattribute__(self, name: str) -> Any:
        """Return the item of that name; an item may be called `count`, too."""
        if name in (fields := tuple.__getattribute__(self, "_fields")):
            return tuple.__getitem__(self, fields.index(name))
        return tuple.__getattribute__(self, name)

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={item!r}" for name, item in self._asdict().items())
        return f"{self._class_name}({items})"

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def is_of(self, cls: type) -> bool:
        """Whether a class makes namedtuples of this name and these fields."""
        return is_namedtuple(cls) and signature_of(cls) == (self._class_name, self._fields)


# What `namedtuple` itself and `typing.NamedTuple` put into a class.
_MADE: Final = frozenset(vars(NamedTuple("_MADE", []))) | {
    *("__annotations__", "__orig_bases__", "__annotate_func__", "__annotations_cache__"),
    *("__static_attributes__", "__firstlineno__", "__replace__", "__match_args__"),
}


def is_namedtuple(cls: type) -> bool:
    """Whether a class is as `namedtuple` makes it: without a method of its own or an operator overridden."""
    own = vars(cls)
    fields: Any = own.get("_fields")
    return (
        type(cls) is type
        and cls.__bases__ == (tuple,)
        and are_fields(fields)
        and own.keys() <= _MADE.union(fields)
    )


def are_fields(names: Any) -> bool:
    """Whether these are names that a namedtuple may have."""
    return (
        type(names) is tuple
        and all(type(name) is str and name.isidentifier() and name[0] != "_" for name in names)
        and len(set(names)) == len(names)
    )


def signature_of(cls: type) -> tuple[str, tuple[str, ...]]:
    """Return the name and the fields of a class that makes namedtuples."""
    return cls.__name__, vars(cls)["_fields"]


def names_of(value: tuple[Any, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the name of the class of a record or of a namedtuple, and its fields."""
    own = vars(value) if type(value) is NamedItems else {}
    return (own["_class_name"], own["_fields"]) if own else signature_of(type(value))
