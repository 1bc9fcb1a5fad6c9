"""What is too much for one run of the tests is tried in turn: another part with each commit."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest

REPOSITORY = Path(__file__).parents[1]
IS_WHOLE = "TRY_THE_WHOLE" in os.environ  # as `make whole` says

_Thing = TypeVar("_Thing")


GROUPS = 3  # of tests, of which one runs with each commit


def commits() -> int:
    """Return how many commits there are; 0 outside a clone of the repository."""
    count = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return int(count.stdout or 0)


def turn(of: int) -> int:
    """Return which of so many parts it is, from 0 on.

    It is another one with each commit, and all of them come with the commits of each group: with the number
    of commits alone, a group would never meet some of six parts.
    """
    rounds, group = divmod(commits(), GROUPS)
    return (rounds + group) % of


def part(things: Sequence[_Thing], number: int, of: int) -> Sequence[_Thing]:
    """Return one of so many parts, spread evenly over all; from 0 on."""
    return things[number::of]


def in_turn(things: Sequence[_Thing], of: int) -> Sequence[_Thing]:
    """Return the part of them whose turn it is; or the whole, where somebody asks for it.

    Raises
    ------
    ValueError
        If some of the parts would be empty.
    """
    if of > len(things):
        raise ValueError(f"{of} parts of {len(things)} things")
    return things if IS_WHOLE else part(things, turn(of), of)


def every_third(group: int) -> pytest.MarkDecorator:
    """Mark tests of a group, 0 to 2: they run with every third commit, and whenever their file is named."""
    if group not in range(GROUPS):
        raise ValueError(f"there is no group {group}")
    return pytest.mark.every_third(group)


def with_each_commit() -> pytest.MarkDecorator:
    """Mark tests that run always, in a file of a group."""
    return pytest.mark.every_third(None)


def is_its_turn(item: pytest.Item) -> bool:
    """Whether a test runs now: it has no group, or it is the group's turn, or it is asked for by its file."""
    mark = item.get_closest_marker("every_third")
    is_named = any(Path(arg.partition("::")[0]).resolve() == item.path for arg in item.config.args)
    return IS_WHOLE or is_named or mark is None or mark.args[0] in {None, commits() % GROUPS}
