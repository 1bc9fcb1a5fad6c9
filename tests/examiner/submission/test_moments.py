"""A time is read only if it can be read in one way."""

import random
import string

import pytest

from examiner.submission.moments import MOST_CHARACTERS, moment_in


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-01 12:00:00.5 UTC", "2026-09-01T12:00:00.500000+00:00"),
        ("2026-09-01 12:00:00", "2026-09-01T12:00:00+00:00"),
        ("2026-09-01 14:00:00 +02:00\n", "2026-09-01T12:00:00+00:00"),
        ("2026-09-01T14:00:00.25+0200", "2026-09-01T12:00:00.250000+00:00"),
        ("2026-09-01T12:00Z", "2026-09-01T12:00:00+00:00"),
        ("2015-02-02 14:58:23.5 America/Los_Angeles", "2015-02-02T22:58:23.500000+00:00"),
        ("2026-07-01 12:00:00 Europe/Berlin", "2026-07-01T10:00:00+00:00"),
        ("Tue Sep  1 14:00:00 CEST 2026", "2026-09-01T12:00:00+00:00"),
        ("Tue, 1 Sep 2026 07:00:00 -0500", "2026-09-01T12:00:00+00:00"),
        ("September 1, 2026 8:00 AM EDT", "2026-09-01T12:00:00+00:00"),
        ("2026-9-1 12:00", "2026-09-01T12:00:00+00:00"),
        ("2026/09/01", "2026-09-01T00:00:00+00:00"),
        ("20260901T120000Z", "2026-09-01T12:00:00+00:00"),
    ],
)
def test_a_time_is_read_as_programs_write_it(text, moment):
    """nbgrader's exchange writes the first; others are written by hand, or by an LMS."""
    assert moment_in(text).isoformat() == moment


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        *(("UTC", 12), ("GMT", 12), ("Z", 12), ("WET", 12), ("WEST", 11), ("CET", 11), ("CEST", 10)),
        *(("MET", 11), ("MEST", 10), ("EET", 10), ("EEST", 9), ("EST", 17), ("EDT", 16), ("CST", 18)),
        *(("CDT", 17), ("MST", 19), ("MDT", 18), ("PST", 20), ("PDT", 19)),
    ],
)
@pytest.mark.parametrize("form", ["2026-01-15 12:00:00", "2026-07-15 12:00:00.5", "Jul 15 2026 12:00"])
def test_a_zone_is_converted_by_its_name(zone, hour, form):
    """To read it as UTC would make half a continent late, or early."""
    assert moment_in(f"{form} {zone}").hour == hour


@pytest.mark.parametrize(
    "zone", ["IST", "BST", "AST", "XYZ", "EST5EDT", "UTC+3", "GMT -3", "America", "Europe/"]
)
@pytest.mark.parametrize("form", ["2026-09-01 12:00:00", "Sep 1 2026 12:00"])
def test_a_zone_that_is_not_sure_is_never_utc(zone, form):
    """IST is India's, Ireland's and Israel's; POSIX and ISO 8601 count UTC+3 to different sides."""
    with pytest.raises(ValueError, match=r"no zone that is known|east or west|no time"):
        moment_in(f"{form} {zone}")


@pytest.mark.parametrize("mark", ["/", ".", "-"])
@pytest.mark.parametrize(
    "day", ["05{0}09{0}2026", "21{0}09{0}2026", "09{0}21{0}2026", "5{0}9{0}26", "26{0}09{0}05"]
)
@pytest.mark.parametrize("form", ["{}", "{} 12:00", "12:00 {}", "{} 12:00:00 UTC"])
def test_a_day_and_a_month_in_digits_are_refused(form, day, mark):
    """The fifth of September is the ninth of May in another country."""
    with pytest.raises(ValueError, match="whether the day or the month comes first"):
        moment_in(form.format(day.format(mark)))


@pytest.mark.parametrize("text", ["12:00", "Monday", "Monday 12:00", "Sep 2026", "10 11 12", "September"])
def test_what_would_be_filled_up_with_today_is_refused(text):
    """The same file would mean another time in the next run."""
    with pytest.raises(ValueError, match=r"as more than one time|no time"):
        moment_in(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0001-01-01 00:00:00 +05:00", "9999-12-31 23:59:59 -12:00", "2026-09-01 00:00 +99:00"),
        *("2026-09-01 00:00:00 /etc/passwd", "2026-09-01 00:00:00 ../../../../etc/localtime"),
        *("2026-09-01 00:00:00 No/Where", "2026-09-01 00:00:00 America/", "2026-09-01 00:00:00 \0/x"),
        *("2026-13-45 00:00:00", "2026-02-30", "yesterday", "", "\0", "\ud800"),
        *("." * 300_000, "1" * 300_000, "9" * MOST_CHARACTERS, "1e5", "-" * MOST_CHARACTERS),
    ],
)
def test_what_is_no_time_is_one_kind_of_error(text):
    """Whoever wrote it, and however long it is."""
    with pytest.raises(ValueError, match=r"this is no time|it is longer than 100 characters"):
        moment_in(text)


def test_no_text_gives_another_kind_of_error():
    """dateutil raises six kinds, and hangs on none that is short."""
    chance = random.Random(0)
    alphabet = string.printable + "é/:+-.  UTC"
    for _ in range(3000):
        text = "".join(chance.choices(alphabet, k=chance.randrange(MOST_CHARACTERS)))
        cut = chance.randrange(30)
        for tried in (text, "2026-09-01 12:00:00.000000 UTC"[:cut] + text[:10]):
            try:
                assert moment_in(tried).tzinfo is not None
            except ValueError as error:
                assert str(error)  # noqa: PT017 - some of these are times
