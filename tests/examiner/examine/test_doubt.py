"""What may have failed only since an answer was not found waits for a person."""

import json
from pathlib import Path

import pytest

from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity
from examiner.verdict import Outcome

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
IDENTITY = Identity("course", "student", "ps1", "1", GradeKey("work", "assignment", "environment"))


def cell(name, source, **marks):
    """Return a code cell of nbgrader's."""
    entries = {
        "grade_id": name,
        "schema_version": 3,
        "grade": False,
        "solution": False,
        "locked": False,
    } | marks
    return {"cell_type": "code", "id": name, "metadata": {"nbgrader": entries}, "source": source}


def test(name, source):
    """Return a grade cell of 2 points."""
    return cell(name, source, grade=True, locked=True, points=2)


test.__test__ = False

CELLS = [
    cell("one", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION", solution=True),
    test("test_one", "assert x == 1"),
    cell("two", "### BEGIN SOLUTION\nx = 2\n### END SOLUTION", solution=True),
    test("test_two", "x\n1\nassert x == 2"),
    test("test_else", "assert 1 == 1"),
    test("test_wrong", "assert 1 == 2"),
]


@pytest.fixture(scope="module")
def engine():
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        yield engine


def notebook(cells):
    """Return a notebook as bytes."""
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def graded(engine, answers):
    """Return the verdicts on a notebook whose answers stand in one cell below all else."""
    tests = [raw for raw in CELLS if not raw["metadata"]["nbgrader"]["solution"]]
    own = {"cell_type": "code", "metadata": {}, "source": answers}
    done = engine.run(Job(IDENTITY, notebook(CELLS), notebook([*tests, own])))
    return {verdict.grade_id: verdict for verdict in done.sheet.verdicts}


def test_a_test_that_needs_a_lost_answer_is_left_open(engine):
    """It may be the answer of either cell; what passes, and what needs neither, is as ever."""
    verdicts = graded(engine, "x = 1")
    outcomes = {name: verdict.outcome for name, verdict in verdicts.items()}
    assert sorted([outcomes.pop("test_one"), outcomes.pop("test_two")]) != [Outcome.FAILED, Outcome.FAILED]
    assert outcomes == {"test_else": Outcome.PASSED, "test_wrong": Outcome.FAILED}
    lost = [verdict for verdict in verdicts.values() if verdict.outcome is Outcome.INCONCLUSIVE]
    assert lost
    assert all(verdict.points is None and "a person has to look" in verdict.message for verdict in lost)
