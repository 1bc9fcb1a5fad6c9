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


def turn(of: int) -> int:
    """Return which of so many parts it is, from 0 on; the first one outside a clone of the repository."""
    count = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return int(count.stdout or 0) % of


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


def every(of: int, number: int) -> pytest.MarkDecorator:
    """Mark tests that run with one of so many commits, counted from 0, and whenever their file is named."""
    if not 0 <= number < of:
        raise ValueError(f"there is no turn {number} of {of}")
    return pytest.mark.every(of, number)


def is_its_turn(item: pytest.Item) -> bool:
    """Whether a test runs now: it has no turn, or this is it, or somebody asks for it or for the whole."""
    mark = item.get_closest_marker("every")
    is_named = any(Path(arg.partition("::")[0]).resolve() == item.path for arg in item.config.args)
    return mark is None or IS_WHOLE or is_named or turn(mark.args[0]) == mark.args[1]
