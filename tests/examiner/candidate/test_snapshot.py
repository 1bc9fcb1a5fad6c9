"""The candidate's end: honest code in it behaves as it does in a notebook."""

import numpy as np
import pytest

from examiner.judge.lent import CandidateError
from examiner.judge.proxy import Proxy

STUDENT = """
import sys
shared = [1, 2]
small, big = 7, list(range(300_000))
number = 2**5000
class Own(list):
    pass
own = Own([1])
def loud(n):
    print("so loud " * n)
    print("to stderr", file=sys.stderr, flush=True)
    sys.stdout.write("…")
    return n
def odd():
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError
    raise Silent
def deep(n):
    return deep(n + 1)
def numbers():
    yield from range(3)
"""


@pytest.fixture
def remote(forked):
    with forked(STUDENT).remote() as remote:
        yield remote


def test_names_come_by_value_where_they_are_plain(remote):
    """A subclass of list is not: its `==` may be anything."""
    found = remote.ask("resolve", "shared", "own", "unknown")
    assert found.keys() == {"shared", "own"}
    assert found["shared"] == [1, 2]
    assert type(found["own"]) is Proxy


def test_names_that_are_too_large_stay_where_they_are(remote):
    """What a student happens to keep in a global is no breach of the protocol."""
    found = remote.ask("resolve", "small", "big", "number")
    assert found["small"] == 7
    assert type(found["big"]) is Proxy
    assert type(remote.ask("resolve", "number")["number"]) is Proxy
    assert found["big"][299_999] == 299_999


def test_prints_of_a_students_code_do_no_harm(remote):
    """An honest `print` must not fail, fill a pipe or reach anybody, whatever became of file descriptor 1."""
    assert remote.ask("resolve", "loud")["loud"](1000) == 1000


def test_an_exception_without_a_text_is_still_an_answer(remote):
    """Its `__str__` is the student's code as well."""
    with pytest.raises(CandidateError, match="Silent"):
        remote.ask("resolve", "odd")["odd"]()


def test_recursion_without_end_ends_in_the_snapshot(remote):
    """And the snapshot goes on answering."""
    with pytest.raises(RecursionError):
        remote.ask("resolve", "deep")["deep"](0)
    assert remote.ask("value", 1) == 1


def test_generators_are_taken_one_at_a_time(remote):
    """`next` over here is `next` over there."""
    numbers = remote.ask("resolve", "numbers")["numbers"]()
    assert next(numbers) == 0
    assert list(numbers) == [1, 2]
    with pytest.raises(StopIteration):
        next(numbers)


def test_large_arrays_and_small_ones_go_both_ways(remote):
    """Through shared memory and inline, many times over: each message starts the block anew."""
    for size in (1, 100, 3000, 200_000):
        for _ in range(5):
            x = np.random.default_rng(size).normal(size=size)
            np.testing.assert_array_equal(remote.ask("value", [x, -x])[1], -x)
