"""Reads the time in a text that anybody may have written, and refuses one that can be read in two ways.

A time without a zone is in UTC, as with nbgrader.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import product
from typing import Final
from zoneinfo import ZoneInfo

from dateutil.parser import parse

MOST_CHARACTERS: Final = 100

# Hours east of Greenwich. The American names are those of RFC 5322, section 4.3, the European ones tzdata's.
# A name that two countries use for different zones, such as IST, is not here.
_HOURS: Final = {
    "UTC": 0,
    "GMT": 0,
    "UT": 0,
    "Z": 0,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "WET": 0,
    "WEST": 1,
    "CET": 1,
    "CEST": 2,
    "MET": 1,
    "MEST": 2,
    "EET": 2,
    "EEST": 3,
}
# nbgrader and most programs write such a time; to read any other takes a hundred times as long.
_USUAL: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
# A day and a month in digits: which of them comes first depends on the country.
_UNORDERED: Final = re.compile(r"(?<!\d)\d{1,2}([./-])\d{1,2}\1(\d{4}|\d\d)(?!\d)")
_YEAR_FIRST: Final = re.compile(
    r"(\d{4}|\d{8})(?!\d)"
)  # then comes the month: nobody writes year, day, month
# ISO 8601 counts such hours to the east, POSIX to the west.
_SIGNED: Final = re.compile(r"(UTC|GMT|UT)\s*[+-]\d", re.IGNORECASE)
# What is not written comes from these dates: where they make a difference, too little is written.
_DEFAULTS: Final = (datetime(2000, 1, 1), datetime(2001, 2, 2))  # noqa: DTZ001 - they get the zone of the text


def moment_in(text: str) -> datetime:
    """Return the time in a text, in UTC; the text may end with the name of a zone.

    Raises
    ------
    ValueError
        If it is no time, or can be read in more than one way; the message is a clause that says so.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it is longer than {MOST_CHARACTERS} characters")
    head, _, name = text.strip().rpartition(" ")
    zone = _zone(name)
    written = head if zone else text.strip()
    try:
        moment = _usual(written) or _read(written)
        return moment.replace(tzinfo=zone or moment.tzinfo or UTC).astimezone(UTC)
    except _UnclearError:
        raise
    except Exception as error:  # dateutil raises more than it says it does, and the text may be anything
        raise ValueError("this is no time") from error


class _UnclearError(ValueError):
    """The text is a time, and it is not clear which."""


def _zone(name: str) -> tzinfo | None:
    """Return the zone that a word names, or None if it is none; a name of letters alone is read elsewhere."""
    if name.upper() in _HOURS:
        return timezone(timedelta(hours=_HOURS[name.upper()]))
    try:
        return ZoneInfo(name) if "/" in name else None
    except (OSError, ValueError, LookupError):  # anything can stand here, such as a path
        return None


def _usual(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if _USUAL.fullmatch(text) else None


def _read(text: str) -> datetime:
    if _UNORDERED.search(text):
        raise _UnclearError("it does not say whether the day or the month comes first")
    if _SIGNED.search(text):
        raise _UnclearError("it does not say whether the zone lies east or west of Greenwich")
    orders = (False,) if _YEAR_FIRST.match(text) else (False, True)
    ways = product(orders, orders, _DEFAULTS)
    found: set[datetime] = {
        parse(text, dayfirst=day, yearfirst=year, default=default, tzinfos=_offset)
        for day, year, default in ways
    }
    if len(found) > 1:
        raise _UnclearError("it can be read as more than one time")
    return found.pop()


def _offset(name: str | None, seconds: int | None) -> tzinfo | None:
    """Return the zone that dateutil found; it would take a name that it does not know for UTC."""
    if seconds is not None:
        return timezone(timedelta(seconds=seconds))
    if name is None:
        return None
    if name.upper() not in _HOURS:
        raise _UnclearError(f"{name} is no zone that is known, or one of several of that name")
    return timezone(timedelta(hours=_HOURS[name.upper()]))
