"""What a student's code prints, reads and writes while a grade cell looks."""

import pytest

from examiner.verdict import Outcome

STUDENT = """
import sys
def greet(name):
    print("Hello,", name)
    print("oh", file=sys.stderr)
def fail():
    print("before")
    raise ValueError("no")
def ask(): return input("name? ")
def line(): return sys.stdin.readline()
def many(): print("x" * 3_000_000)
class Node:
    def __str__(self): return "a node"
node = Node()
def numbers(f):
    print(f(1))
def old():
    import warnings
    warnings.warn("it is old", DeprecationWarning)
    return 5
"""


@pytest.mark.parametrize(
    "test",
    [
        "with redirect_stdout(out): greet('Ada')\nassert out.getvalue() == 'Hello, Ada\\n'",
        "with redirect_stderr(out): greet('Ada')\nassert out.getvalue() == 'oh\\n'",
        (
            "old, sys.stdout = sys.stdout, out\ngreet('you')\nsys.stdout = old\n"
            "assert out.getvalue() == 'Hello, you\\n'"
        ),
        (
            "with redirect_stdout(out):\n    greet('a')\n    print('between')\n    greet('b')\n"
            "assert out.getvalue().split('\\n') == ['Hello, a', 'between', 'Hello, b', '']"
        ),
        "greet('unseen')\nwith redirect_stdout(out): pass\nassert out.getvalue() == ''",
        (
            "try:\n    with redirect_stdout(out): fail()\nexcept ValueError: pass\n"
            "assert out.getvalue() == 'before\\n'"
        ),
        "with redirect_stdout(out): print(node, [1], sep='|')\nassert out.getvalue() == 'a node|[1]\\n'",
        "with redirect_stdout(out): numbers(lambda x: x + 1)\nassert out.getvalue() == '2\\n'",
        (
            "from IPython.utils.capture import capture_output\n"
            "with capture_output() as shown: greet('Ada')\nassert shown.stdout == 'Hello, Ada\\n'"
        ),
        "sys.stdin = io.StringIO('one\\ntwo\\n')\nassert line() == 'one\\n' and line() == 'two\\n'",
    ],
)
def test_what_is_printed_comes_to_the_stream_that_the_cell_has_set(judged, test):
    """In the order in which it was printed, also by a function that fails; else it is shown to nobody."""
    start = "import io, sys\nfrom contextlib import redirect_stderr, redirect_stdout\nout = io.StringIO()\n"
    verdict = judged(start + test, STUDENT)
    assert verdict.outcome is Outcome.PASSED, verdict.message
    assert "unseen" not in verdict.output


@pytest.mark.parametrize(
    "test",
    [
        "import pytest\nwith pytest.warns(DeprecationWarning, match='old'): assert old() == 5",
        (
            "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n"
            "    warnings.simplefilter('always')\n    old()\n    ask\n"
            "assert [str(w.message) for w in seen] == ['it is old']"
        ),
        "import unittest\nwith unittest.TestCase().assertWarns(DeprecationWarning): old()",
        (
            "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('error')\n"
            "    try: old()\n    except DeprecationWarning: done = 1\nassert done"
        ),
    ],
)
def test_a_cell_that_catches_warnings_gets_those_of_the_students_code(judged, test):
    """With their class and their text."""
    verdict = judged(test, STUDENT)
    assert verdict.outcome is Outcome.PASSED, verdict.message
    assert judged(test, STUDENT.replace("warnings.warn(", "str("), solution=STUDENT).points == 0.0


def test_what_nobody_looks_at_is_not_asked_for(judged):
    """A request more for each request would be half of the time."""
    assert judged("greet('a')\ngreet('b')", STUDENT).calls == 3


def test_what_is_printed_is_bounded(judged):
    """A million characters are kept of one request."""
    test = "import contextlib, io\nout = io.StringIO()\nwith contextlib.redirect_stdout(out): many()\n"
    assert judged(f"{test}assert len(out.getvalue()) == 1 << 20", STUDENT).outcome is Outcome.PASSED


def test_a_text_that_is_no_text_loses_the_candidate(judged):
    """Whoever answers for the student's `__str__`."""
    student = "class Node: pass\nnode = Node()"
    assert judged("assert 'Node' in str(node)", student).outcome is Outcome.PASSED


def test_the_last_cells_are_those_that_were_handed_in(judged):
    """Not what a process says they were."""
    student = "In = ['', 'print(1)']\nprint('Hello')"
    test = "assert In[-2] == _ih[-2] == _i and 'Hello' in In[-2] and 'In[-2]' in In[-1]"
    assert judged(test, student).outcome is Outcome.PASSED
    assert judged("assert In[-2] == 'print(1)'", student).outcome is Outcome.FAILED
