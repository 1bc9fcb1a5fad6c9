"""What is tried in turn is all tried in the end."""

from itertools import chain

import pytest

from tests import turns
from tests.turns import GROUPS, IS_WHOLE, commits, every_third, in_turn, part, turn


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


def test_each_group_meets_each_part(monkeypatch):
    """With the number of commits alone, a group would never meet two of three parts."""
    for of in range(1, 70):
        for group in range(GROUPS):
            met = set()
            for count in range(group, GROUPS * of, GROUPS):
                monkeypatch.setattr(turns, "commits", lambda count=count: count)
                met.add(turn(of))
            assert met == set(range(of))


@every_third(0)
def test_of_the_first_group():
    """It runs because its file is named, or it is its turn."""


@every_third(1)
def test_of_the_second_group():
    """It runs because its file is named, or it is its turn."""


@every_third(2)
def test_of_the_third_group():
    """It runs because its file is named, or it is its turn."""


def test_of_three_groups_one_runs_unless_the_file_is_named(request):
    """Or the whole is asked for."""
    groups = [test_of_the_first_group, test_of_the_second_group, test_of_the_third_group]
    run = {item.name for item in request.session.items} & {test.__name__ for test in groups}
    named = any(argument.endswith("test_turns.py") for argument in request.config.args)
    expected = groups if named or IS_WHOLE else [groups[commits() % GROUPS]]
    assert run == {test.__name__ for test in expected}


def test_there_is_no_fourth_group():
    """It would never run."""
    with pytest.raises(ValueError, match="there is no group 3"):
        every_third(3)
