"""The assignments of this course pass their gate."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.course
def test_no_assignment_breaches_its_gate():
    """Solution 100 % three times, release 0, every known mistake costs what it should."""
    command = [Path(sys.executable).with_name("examiner"), "check", "--repeat", "3", "--course", REPOSITORY]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
