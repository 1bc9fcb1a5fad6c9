"""What is tried in turn is all tried in the end."""

from itertools import chain

import pytest

from tests.turns import IS_WHOLE, every, in_turn, part, turn


def test_the_parts_are_the_whole_and_none_is_much_larger():
    """Whatever their number is; so many commits later, everything was tried."""
    things = [f"attack {number}" for number in range(30)]
    parts = [part(things, number, 4) for number in range(4)]
    assert sorted(chain(*parts)) == sorted(things)
    assert {*map(len, parts)} == {7, 8}


def test_it_is_the_turn_of_one_part_unless_the_whole_is_asked_for():
    """All processes of a run, which name tests by it, find the same one."""
    things = [*range(12)]
    assert in_turn(things, 3) in ([things] if IS_WHOLE else [part(things, number, 3) for number in range(3)])
    assert in_turn(things, 3) == in_turn(things, 3)


def test_no_turn_is_empty():
    """A test of nothing would pass, or fail with some commits alone."""
    with pytest.raises(ValueError, match="4 parts of 3 things"):
        in_turn([1, 2, 3], 4)


@every(2, 0)
def test_with_every_second_commit():
    """It is run because its file is named, or it is its turn."""


@every(2, 1)
def test_with_the_commits_between():
    """It is run because its file is named, or it is its turn."""


def test_what_has_its_turn_is_run_with_one_commit_of_several(request):
    """And left out with the others, unless it is asked for."""
    names = {item.name for item in request.session.items}
    both = {"test_with_every_second_commit", "test_with_the_commits_between"}
    named = any(argument.endswith("test_turns.py") for argument in request.config.args)
    of_this_commit = {sorted(both)[turn(2)]}
    assert names & both == (both if named or IS_WHOLE else of_this_commit)


def test_there_is_no_turn_beyond_the_last():
    """It would never come."""
    with pytest.raises(ValueError, match="there is no turn 3 of 3"):
        every(3, 3)
