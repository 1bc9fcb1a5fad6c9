"""Verdicts and grade sheets as data."""

import json
import math

import pytest

from examiner.model import GradeKey, Identity, Mode
from examiner.plain import from_plain, to_plain
from examiner.verdict import GradeSheet, Outcome, Verdict

IDENTITY = Identity("course", "ada", "01_tiny", "2026-01-01", GradeKey("a", "b", "c"))
SHEET = GradeSheet(
    IDENTITY,
    (
        Verdict("numeric_a", Outcome.PASSED, 4.0, 4.0, awards=((1.5, "half"), (2.5, "rest")), seed="5eed"),
        Verdict(
            "numeric_b", Outcome.FAILED, 0.0, 3.0, Mode.KERNEL, "told \udcff it", "hint", 3, is_hidden=True
        ),
        Verdict("speed_c", Outcome.INCONCLUSIVE, None, 2.0, Mode.KERNEL, output="…", seconds=1.5, calls=9),
    ),
    repairs=("put back numeric_b",),
    versions={"python": "3.11", "numpy": "2.4"},
    graded_at="2026-01-02T03:04:05+00:00",
)


def test_a_sheet_comes_back_from_json_as_it_was():
    """Lone surrogates of a student's text included: the file is ASCII."""
    text = json.dumps(to_plain(SHEET))
    assert text.isascii()
    assert from_plain(json.loads(text), GradeSheet) == SHEET


def test_a_sheet_sums_the_points_there_are():
    """A verdict that is left to a person has none."""
    assert SHEET.points == 4.0


def test_json_of_something_else_is_no_sheet():
    """A field more or less is another version's."""
    more = json.loads(json.dumps(to_plain(SHEET)))
    more["verdicts"][0]["colour"] = "red"
    less = json.loads(json.dumps(to_plain(SHEET)))
    del less["identity"]["key"]["assignment"]
    full = json.loads(json.dumps(to_plain(SHEET)))
    full["verdicts"][1]["points"] = 3.0
    for data in ([], {}, 1, more, less, full):
        with pytest.raises(ValueError):  # noqa: PT011 - any: whoever reads a file says which
            from_plain(data, GradeSheet)


def test_a_sheet_of_before_is_written_as_it_was_read():
    """Its digest is the name of a file and a note in the gradebook, so no entry may come, go or change."""
    text = json.dumps(to_plain(SHEET))
    assert '"raised"' not in text
    whole = text.replace('"points": 0.0', '"points": 0')
    assert whole != text
    assert json.dumps(to_plain(from_plain(json.loads(whole), GradeSheet))) == whole


def test_the_class_of_an_exception_is_filed_with_the_verdict():
    """Whoever decides by it need not read messages."""
    verdict = Verdict("numeric_a", Outcome.ERROR, 0.0, 4.0, message="ValueError: no", raised="ValueError")
    assert from_plain(json.loads(json.dumps(to_plain(verdict))), Verdict) == verdict


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.PASSED])
def test_only_passed_has_full_marks(outcome):
    """The rule of positive evidence, where nobody can forget it."""
    with pytest.raises(ValueError, match="points"):
        Verdict("numeric_a", outcome, 4.0, 4.0)


@pytest.mark.parametrize("points", [None, 3.9, -1.0, 4.1, math.nan, math.inf])
def test_passed_has_nothing_else(points):
    """Points and outcome say the same thing."""
    with pytest.raises(ValueError, match="points"):
        Verdict("numeric_a", Outcome.PASSED, points, 4.0)


@pytest.mark.parametrize("outcome", [Outcome.INCONCLUSIVE, Outcome.INFRASTRUCTURE])
def test_what_is_left_to_a_person_has_no_points(outcome):
    """Not even 0: that would be a grade."""
    assert Verdict("speed_c", outcome, None, 2.0).points is None
    with pytest.raises(ValueError, match="points"):
        Verdict("speed_c", outcome, 0.0, 2.0)


def test_a_cell_without_points_can_pass_and_fail():
    """It has a verdict all the same."""
    for outcome in (Outcome.PASSED, Outcome.FAILED):
        assert Verdict("numeric_a", outcome, 0.0, 0.0).points == 0.0


def test_only_the_examiners_own_verdicts_are_not_self_reported():
    """The sheet labels the others."""
    assert [mode.is_self_reported for mode in (Mode.EXAMINED, Mode.KERNEL)] == [False, True]
