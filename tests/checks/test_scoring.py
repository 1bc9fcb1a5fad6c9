"""Awards add up within one cell, and hidden inputs depend on the seed."""

import subprocess
import sys

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from examiner_checks import CheckFailed, attempt, award, awards, rng, start_cell


def test_awards_add_up_within_a_cell_and_start_anew_in_the_next():
    """Each cell's last expression is its own score."""
    start_cell()
    assert award(1, "shape") == 1.0
    assert award(0.5) == 1.5
    assert awards() == [(1.0, "shape"), (0.5, "")]
    start_cell()
    assert awards() == []
    assert award(0) == 0.0


@pytest.mark.parametrize("points", [-1, float("nan"), float("inf"), -float("inf")])
def test_only_finite_points_of_zero_or_more_can_be_awarded(points):
    """NaN is above every limit and below none."""
    start_cell()
    with pytest.raises(ValueError, match="zero or more"):
        award(points)
    assert award(0) == 0.0


def test_in_jupyter_every_run_of_a_cell_starts_at_zero():
    """Also when the same cell is run twice, and a cell that awards nothing in between changes nothing."""
    shell = InteractiveShell.instance()
    try:
        shell.run_cell("from examiner_checks import award", store_history=True)
        cell = "award(2)\naward(1)"
        results = [shell.run_cell(text, store_history=True).result for text in (cell, "7", cell, "award(0)")]
    finally:
        InteractiveShell.clear_instance()
    assert results == [3.0, 7, 3.0, 0.0]


def test_outside_jupyter_an_award_needs_a_cell():
    """A total over several cells would be too high for each of them."""
    script = "import examiner_checks; examiner_checks.award(1)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "no cell is running" in run.stderr


def test_an_attempt_that_fails_costs_only_its_own_points(capsys):
    """And prints its reason and its hint: no value, no text of the exception."""
    start_cell()
    with attempt(2, "sum"):
        pass
    with attempt(3, "mean"):
        raise CheckFailed("secret value 17", hint="divide by the count")
    with attempt(3, "max"):
        sys.exit(0)
    with attempt(1, "min"):
        raise ValueError("secret value 18")
    assert awards() == [(2.0, "sum")]
    assert capsys.readouterr() == ("not yet: mean (divide by the count)\nnot yet: max\nnot yet: min\n", "")


def test_random_numbers_depend_on_the_label_and_the_seed(monkeypatch):
    """The same for everybody who practises, others when it counts."""
    monkeypatch.delenv("EXAMINER_SEED", raising=False)
    practice = rng("a").normal(size=4)
    assert np.array_equal(practice, rng("a").normal(size=4))
    assert not np.array_equal(practice, rng("b").normal(size=4))
    monkeypatch.setenv("EXAMINER_SEED", "practice")
    assert np.array_equal(practice, rng("a").normal(size=4))
    monkeypatch.setenv("EXAMINER_SEED", "s3")
    assert not np.array_equal(practice, rng("a").normal(size=4))


def test_random_numbers_are_the_same_on_every_machine(monkeypatch):
    """A student and an instructor talk about the same input."""
    monkeypatch.delenv("EXAMINER_SEED", raising=False)
    assert rng("everywhere").integers(1000, size=5).tolist() == [435, 51, 460, 616, 42]
