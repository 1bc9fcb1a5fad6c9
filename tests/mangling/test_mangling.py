"""Mangled notebooks: nothing breaks, nobody gains, and answers that are intact keep their points."""

import pytest

from tests.mangling.manglings import ALL, Touch
from tests.mangling.run import table, trials
from tests.mangling.trial import Came
from tests.turns import turn

COUNT = 500
TURNS = 1000  # with each commit other submissions; `make mangling` tries 10,000


@pytest.fixture(scope="module")
def done():
    return trials(COUNT, seed=turn(TURNS))


def test_mangled_notebooks_earn_what_they_hold(done):
    """Points of intact answers stay, no others come, and what cannot be read is refused by a sentence."""
    wrong = [trial for trial in done if not trial.came.is_right]
    assert not wrong, "\n".join(map(str, wrong))


def test_each_kind_of_mangling_is_tried(done):
    """Else a kind that finds nothing to mangle would look like one that does no harm."""
    assert {trial.number % len(ALL) for trial in done} == {*range(len(ALL))}
    assert {Came.SAME, Came.REPAIRED, Came.LESS, Came.REFUSED} <= {trial.came for trial in done}
    assert any(trial.is_graded for trial in done)
    assert all(entry.name in table(done) for entry in ALL)


def test_only_what_is_destroyed_is_refused(done):
    """And of what touches nothing, a person is hardly ever asked."""
    for trial in done:
        touched = {entry.touches for entry in ALL if entry.name in trial.manglings}
        assert trial.came is not Came.REFUSED or Touch.FILE in touched
