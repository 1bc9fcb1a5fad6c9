"""Which notebooks of a public course are compared, what is kept of them, and how differences are counted."""

import json
from dataclasses import replace

import pytest

from benchmarks.courses import Compared, details, kept, sources, table
from benchmarks.side_by_side import Graded

MARKS = {"grade_id": "a", "grade": False, "solution": True, "schema_version": 3}
ANSWER = {"cell_type": "code", "metadata": {"nbgrader": MARKS}, "source": ["### BEGIN SOLUTION\n", "x = 1"]}
TEST = {
    "cell_type": "code",
    "metadata": {"nbgrader": MARKS | {"grade": True, "solution": False, "points": 2}},
    "source": "",
}


def write(path, *cells):
    """Write a notebook of these cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def test_the_instructors_notebooks_are_found_wherever_a_course_keeps_them(tmp_path):
    """Not what nbgrader or Jupyter made of them, and not what has no solution or nothing to grade."""
    for name in ("source/ps1/one.ipynb", "solutions/week_1/two.ipynb", "deep/source/drafts/ps2/three.ipynb"):
        write(tmp_path / name, ANSWER, TEST)
    for folder in (
        "release",
        "submitted/anna",
        "autograded/anna",
        "feedback",
        ".ipynb_checkpoints",
        "exchange/x",
    ):
        write(tmp_path / folder / "ps1" / "one.ipynb", ANSWER, TEST)
    write(tmp_path / "source/ps1/lecture.ipynb", ANSWER)
    write(tmp_path / "source/ps1/released.ipynb", TEST)
    (tmp_path / "source/ps1/broken.ipynb").write_text("{")
    (tmp_path / "source/ps1/list.ipynb").write_text("[]")
    found = [str(path.relative_to(tmp_path)) for path in sources(tmp_path)]
    assert found == [
        "deep/source/drafts/ps2/three.ipynb",
        "solutions/week_1/two.ipynb",
        "source/ps1/one.ipynb",
    ]


def test_what_was_graded_is_not_graded_again_until_its_key_changes(tmp_path):
    """A run that was interrupted goes on where it was."""
    graded, calls = Graded(2.0, {"solution": {"a": 2.0}}, fault="exit code 3"), []

    def grade():
        calls.append(1)
        return graded

    assert [kept(tmp_path / "side.json", key, grade) for key in ("1", "1", "2", "2")] == [graded] * 4
    assert len(calls) == 2


@pytest.fixture
def compared():
    """A notebook of which each side has given the solution, the release and a mutant something else."""
    points = {"same": 2.0, "other": 2.0, "open": 1.0}
    ours = {
        "solution": {"same": 2.0, "other": 0.0, "open": None},
        "blank": {"same": 0.0, "other": 0.0, "open": 0.0},
    }
    theirs = {
        "solution": {"same": 2.0, "other": 2.0, "open": 1.0},
        "blank": {"same": 0.0, "other": 2.0, "open": 0.0},
    }
    words = {"solution": {"other": "error: NameError"}}
    examiner = Graded(
        1.0, ours, words, reasons={"other": "it differs"}, claimed=("same",), unproven={"open": "it is empty"}
    )
    return Compared("methods", "source/ps1/one.ipynb", points, examiner, Graded(3.0, theirs))


def test_every_score_that_differs_is_told_with_both_sides_words(compared):
    """The solution's first; no score is not the same as 0."""
    told = [(one.version, one.cell, one.examiner, one.stock) for one in compared.differences]
    assert told == [
        ("solution", "other", 0.0, 2.0),
        ("solution", "open", None, 1.0),
        ("blank", "other", 0.0, 2.0),
    ]
    lines = list(details([compared]))
    assert "methods/source/ps1/one.ipynb, other: not examined, since it differs" in lines
    assert (
        "methods/source/ps1/one.ipynb, open: unproven, the solution fails it in a kernel (it is empty)"
        in lines
    )
    assert any(line.endswith("solution, other: 0 and stock 2 (error: NameError | nothing)") for line in lines)


def test_what_one_side_could_not_grade_is_a_fault_and_no_difference(compared):
    """Else one notebook that takes too long would look like dozens of wrong scores."""
    late = replace(compared, examiner=Graded(600.0, fault="it did not end in 600 s"))
    assert late.differences == ()
    assert late.faults == {"examiner": "it did not end in 600 s"}


def test_the_table_has_a_line_for_each_course_and_one_for_all(compared):
    """Cells, examined, claimed, unproven, honest differences, others."""
    head, methods, everything, *_ = table([compared])
    assert head.split()[:5] == ["course", "notebooks", "failed", "cells", "examined"]
    assert methods.split() == ["methods", "1", "0", "3", "2", "1", "1", "2", "1", "1", "3"]
    assert everything.split()[1:] == methods.split()[1:]
