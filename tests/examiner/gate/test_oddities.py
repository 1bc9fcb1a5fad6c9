"""What nbgrader accepts in a source notebook, and its author hardly means."""

from pathlib import Path

import pytest

from examiner.gate.oddities import oddities
from examiner.notebook import parse


def found(source, **marks):
    """Return what is odd in a notebook of one cell."""
    entry = {"grade_id": "t", **(marks or {"grade": True, "points": 1})}
    cell = {"cell_type": "code", "id": "t", "metadata": {"nbgrader": entry}, "source": source}
    return list(oddities(parse({"nbformat": 4, "metadata": {}, "cells": [cell]}, Path("a.ipynb"))))


@pytest.mark.parametrize(
    "last",
    [
        *("f(2) == 4", "not f(1)", "f(1) > 0 and f(2) > 0"),
        *("'done'", "f'{f(2)}'", "[f(2)]", "isinstance(f(2), int)", "np.allclose(f(2), 4)", "all(f(2))"),
    ],
)
def test_a_value_that_can_be_no_points_gives_all_of_them(last):
    """Such a cell tests nothing, and its author takes the comparison for a test."""
    odd = found(f"import numpy as np\n{last}")

    assert [("the value of line 2" in sentence) for sentence in odd] == [True]


@pytest.mark.parametrize(
    "source",
    [
        *("score", "f(2)", "0.5 * (f(1) == 1) + 0.5", "sum([1])", "np.float64(1)", "None", "f(2) == 4;"),
        *("assert f(2) == 4", "x = f(2) == 4", "print(1)", "%timeit f(1)", "score and score", ""),
    ],
)
def test_what_may_be_points_is_not_told(source):
    """A number is partial credit, and nothing at all is what most tests end in."""
    assert found(source) == []


def test_an_end_without_a_beginning_is_told_with_its_line():
    """Perhaps the beginning was forgotten, and the solution is in the release."""
    [odd] = found("x = 1\n### END SOLUTION", solution=True)
    assert "a.ipynb, cell 1 (t): line 2 says 'END SOLUTION', but no line before" in odd
