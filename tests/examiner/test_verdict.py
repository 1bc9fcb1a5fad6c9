"""Verdicts and grade sheets as data."""

import json
import math

import pytest

from examiner.model import GradeKey, Identity, Mode
from examiner.plain import from_plain, to_plain
from examiner.verdict import GradeSheet, Outcome, Verdict, surely_cleared
from examiner_checks.decision import Ladder, estimate
from examiner_checks.measured import Measured, Raw, Subject

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


def test_what_is_surely_earned_is_provisional_and_no_grade_yet():
    """It counts until a person decides, and a sheet without it reads and writes as before there was any."""
    verdict = Verdict("speed_c", Outcome.INCONCLUSIVE, None, 2.0, provisional=1.5)
    assert (verdict.points, verdict.counted) == (None, 1.5)
    assert from_plain(json.loads(json.dumps(to_plain(verdict))), Verdict) == verdict
    assert Verdict("speed_c", Outcome.INCONCLUSIVE, None, 2.0).counted is None
    assert "provisional" not in to_plain(Verdict("speed_c", Outcome.PASSED, 2.0, 2.0))


@pytest.mark.parametrize("points", [2.0, 2.5, -1.0, math.nan, math.inf])
def test_provisional_points_are_fewer_than_all(points):
    """All points need positive evidence."""
    with pytest.raises(ValueError, match="provisionally"):
        Verdict("speed_c", Outcome.INCONCLUSIVE, None, 2.0, provisional=points)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.INCONCLUSIVE])
def test_only_what_is_measured_without_a_clear_answer_has_provisional_points(outcome):
    """A fault of the platform has shown nothing, and everything else is settled."""
    points = None if outcome.is_open else 2.0 if outcome is Outcome.PASSED else 0.0
    with pytest.raises(ValueError, match="provisionally"):
        Verdict("speed_c", outcome, points, 2.0, provisional=1.0)


RUNGS = ((4.0, 5.0), (3.0, 3.0), (2.0, 1.0))  # at least, and the points


@pytest.mark.parametrize(
    ("low", "high", "cleared"),
    [
        (3.5, 4.5, 1),
        (3.0, 4.5, 2),  # an interval that touches a rung does not lie beyond it
        (2.5, 9.0, 2),
        (1.5, 9.0, None),
        (-math.inf, math.inf, None),
        (4.1, 4.2, 0),
    ],
)
def test_a_rung_is_surely_cleared_if_the_whole_interval_lies_beyond_it(low, high, cleared):
    """For figures of which more is better, and for their opposites."""
    figures = (low,) * 20
    more = Measured("growth", "it", "", figures, RUNGS, True, low, low, high, 0, is_settled=False)
    assert surely_cleared(more) == cleared
    rungs = tuple((1 / threshold, points) for threshold, points in RUNGS)
    ends = (0.0 if high == math.inf else 1 / high), (math.inf if low <= 0 else 1 / low)
    fewer = Measured("growth", "it", "", figures, rungs, False, ends[0], *ends, 0, is_settled=False)
    assert surely_cleared(fewer) == cleared


@pytest.mark.parametrize(("reached", "cleared"), [(math.inf, None), (64.0, 1), (16.0, 0), (32.0, 1)])
def test_a_break_even_that_stays_unclear_further_down_is_where_it_was_clear(reached, cleared):
    """From that size on it is faster for sure."""
    subject = Subject("break even", "it", "", Ladder.of({16: 2.0, 64: 1.0}, None))
    assert surely_cleared(subject.exactly(reached, is_settled=False)) == cleared


def test_five_gross_samples_clear_a_rung_before_there_is_an_interval():
    """As they would have settled it: slow code leaves time for few."""
    subject = Subject("speed", "it", "", Ladder.of(None, {400: 2.0, 4: 1.0}))
    figures = (50.0, 60.0, 420.0, 390.0, 410.0)
    found = subject.estimated(estimate(figures), figures, Raw(), are_ratios=True)
    assert not found.is_settled
    assert surely_cleared(found) == 1


def test_a_cell_without_points_can_pass_and_fail():
    """It has a verdict all the same."""
    for outcome in (Outcome.PASSED, Outcome.FAILED):
        assert Verdict("numeric_a", outcome, 0.0, 0.0).points == 0.0


def test_only_the_examiners_own_verdicts_are_not_self_reported():
    """The sheet labels the others."""
    assert [mode.is_self_reported for mode in (Mode.EXAMINED, Mode.KERNEL)] == [False, True]
