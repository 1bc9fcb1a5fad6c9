"""raises: a block must refuse, in the right way and on purpose."""

import pytest

from examiner_checks import CheckFailed, raises


class DisguisedError(Exception):
    """Says of itself that it is a ValueError."""

    __class__ = ValueError


class ShapeError(ValueError):
    """A student's own kind of ValueError."""


@pytest.mark.parametrize("error", [ValueError, ValueError("text"), ShapeError(), UnicodeError()])
def test_the_expected_exception_or_a_subclass_passes(error):
    """A student may be more precise than asked."""
    with raises(ValueError):
        raise error


@pytest.mark.parametrize("error", [TypeError, DisguisedError, SystemExit(0), AssertionError])
def test_another_exception_fails_and_is_named(error):
    """Neither sys.exit() nor an exception that lies about its class ends the cell in another way."""
    with pytest.raises(CheckFailed, match="expected ValueError"), raises(ValueError):
        raise error


def test_a_block_that_ends_normally_fails():
    """With the author's hint."""
    with (
        pytest.raises(CheckFailed, match="nothing was raised") as caught,
        raises(ValueError, hint="check it"),
    ):
        pass
    assert caught.value.hint == "check it"


@pytest.mark.parametrize("accident", [NotImplementedError, RecursionError])
def test_an_accident_is_no_refusal(accident):
    """Both are RuntimeErrors to Python; an empty solution must not pass a test that wants a RuntimeError."""
    with pytest.raises(CheckFailed, match=accident.__name__), raises(RuntimeError):
        raise accident
    with raises(accident):
        raise accident


def test_an_interrupt_is_the_users_business():
    """Ctrl-C within the block stops the cell."""
    with pytest.raises(KeyboardInterrupt), raises(ValueError):
        raise KeyboardInterrupt


def test_only_listed_exceptions_can_be_expected():
    """An exception class of a student's own would be asked whether it fits."""
    with pytest.raises(TypeError, match="it knows"), raises(ShapeError):
        pass
