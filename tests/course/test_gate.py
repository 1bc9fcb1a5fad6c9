"""The assignments of this course pass their gate."""

import subprocess
import sys
from pathlib import Path

import pytest

from examiner.course.load import load_course
from examiner.gate import evidence
from examiner.model import Mode
from tests.turns import IS_WHOLE, turn

REPOSITORY = Path(__file__).parents[2]
COURSE = load_course(REPOSITORY)
PARTS = 64  # of the mistakes that are known, of which one is tried at a time


def check(*options):
    """Run `examiner check` on the course, and fail with what it says."""
    command = [Path(sys.executable).with_name("examiner"), "check", *options, "--course", REPOSITORY]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("assignment", COURSE.assignments, ids=lambda assignment: assignment.name)
def test_the_evidence_in_git_is_about_the_assignment_as_it_is(assignment):
    """Otherwise the first `examiner grade` in a clone gathers it, for minutes."""
    found = evidence.read(COURSE, assignment)
    assert found is not None, "run `examiner check` and commit evidence/"
    assert set(found.modes.values()) == {Mode.EXAMINED}


@pytest.mark.course
def test_no_assignment_breaches_its_gate():
    """The solution has all points, the release none, every known mistake costs what it should.

    This is the short form: each cell is judged where the evidence in git says, one in sixty-four of the
    mistakes is tried, another one with each commit, and in some of the cells where they should cost nothing.
    `make whole` tries all of them so, and the solution three times; `make check` tries all in both modes and
    gathers the evidence anew, `make seeds` runs the solutions three hundred times.
    """
    part = () if IS_WHOLE else ("--part", f"{turn(PARTS) + 1}/{PARTS}")
    repeat = "3" if IS_WHOLE else "1"
    check("--known", "--repeat", repeat, *part)
