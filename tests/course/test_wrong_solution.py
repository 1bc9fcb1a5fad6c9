"""`examiner grade` where the instructor's own solution loses points: only that assignment stops."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examiner.errors import AuthorFault
from examiner.store.grades import read_grades
from tests.turns import every_third, in_turn

pytestmark = [pytest.mark.course, every_third(1)]

WRONG, GOOD = "01_double", "02_triple"
CELL = "interface_double"


def slip(small, old="check_equal(double(21), 42", new="check_equal(double(21), 24"):
    """Change the hidden test of one assignment, so that no right answer passes it; the other way mends it."""
    path = small.source(WRONG)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.fixture
def slipped(small):
    """A course with a wrong hidden test in one of its assignments, and a student who hands in both."""
    slip(small)
    for assignment in (WRONG, GOOD):
        small.hand_in("anna", assignment)
    return small


def scores(small):
    """Return the score of every submission that has one."""
    grades = read_grades(small.course).grades
    return {name: grade.score for name, grade in grades.items() if grade.is_graded}


def test_no_right_student_gets_nothing_for_a_wrong_test(slipped):
    """The other assignment is graded; cell, line and message are told once, and how to go on."""
    run = slipped.examiner("grade", "--json", str(slipped.root / "run.json"))
    assert run.returncode == AuthorFault.exit_code
    told = " ".join(run.stderr.split())
    assert told.count("the instructor's solution fails it") == 1
    assert f"source/{WRONG}/double.ipynb, cell {CELL}: in a Jupyter kernel" in told
    assert "(line 6, CheckFailed: got 42, expected 24" in told
    assert "--anyway" in told
    assert scores(slipped) == {("anna", GOOD): 10}
    assert not list((slipped.root / "sheets").glob(f"{WRONG}/*/*"))
    data = json.loads((slipped.root / "run.json").read_text())
    assert set(data["stopped"]) == {WRONG}
    states = {(row["assignment"], row["state"]) for row in data["submissions"]}
    assert states == {(WRONG, "stopped"), (GOOD, "graded")}


@pytest.mark.parametrize("text", in_turn(["{", '{"cells": [], "nbformat": 3}', None], 3))
def test_one_bad_source_stops_one_assignment(small, text):
    """It is told once, with the place; the release and the grades of all others come."""
    for assignment in (WRONG, GOOD):
        small.hand_in("anna", assignment)
    if text is None:
        small.source(WRONG).unlink()
    else:
        small.source(WRONG).write_text(text)
    run = small.called("grade")
    assert run.returncode == AuthorFault.exit_code
    assert " ".join(run.stderr.split()).count(f"source/{WRONG}") == 1
    assert scores(small) == {("anna", GOOD): 10}
    assert small.called("rebuild").returncode == 0
    assert scores(small) == {("anna", GOOD): 10}


def test_it_stops_until_the_test_is_mended(slipped):
    """Then everybody gets what they earned."""
    slipped.called("grade")
    assert slipped.called("grade").returncode == AuthorFault.exit_code
    slip(slipped, "check_equal(double(21), 24", "check_equal(double(21), 42")
    run = slipped.called("grade")
    assert run.returncode == 0, run.stderr
    assert scores(slipped)["anna", WRONG] == 7


def test_who_wants_goes_on_anyway(slipped):
    """The scores are those of the wrong test; without the option, nothing is graded by it later either."""
    run = slipped.called("grade", "--anyway")
    assert run.returncode == 0, run.stderr
    assert scores(slipped)["anna", WRONG] == 3
    slipped.hand_in("carl", WRONG)
    assert slipped.called("grade").returncode == AuthorFault.exit_code
    assert ("carl", WRONG) not in scores(slipped)
    assert scores(slipped)["anna", WRONG] == 3


def test_nbgraders_own_command_stops_as_well(slipped):
    """Formgrader's button shows the sentence."""
    config = "from pathlib import Path\nfrom examiner.plugin import configure\n"
    (slipped.root / "nbgrader_config.py").write_text(
        f"{config}configure(get_config(), Path({str(slipped.root)!r}))\n"
    )
    run = subprocess.run(
        [Path(sys.executable).parent / "nbgrader", "autograde", WRONG],
        cwd=slipped.root,
        env=os.environ | {"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode != 0
    assert "WrongSolution" in run.stderr
    assert scores(slipped) == {}
