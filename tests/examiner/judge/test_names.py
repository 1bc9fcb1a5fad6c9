"""The notebook's names: asking for them, binding and deleting them, and fakes in place of a student's."""

import pytest

from examiner.verdict import Outcome
from examiner.wire.channel import FrameKind
from examiner.wire.codec import encode

STUDENT = """
import random
import numpy as np
x = 3
def helper(n): return 2 * n
def user(n): return helper(n) + 1
def sneaky(n):
    helper.__globals__["helper"] = kept
    return helper(n) + 1
kept = helper
def roll(): return random.randint(1, 6)
def solve(): return np.linalg.solve(np.eye(2), np.ones(2)).sum()
def greet(): print("hello")
def ask(): return input("name? ")
class Dog:
    sound = "wuff"
    def bark(self): return self.sound + self.end()
    def end(self): return "!"
"""


@pytest.mark.parametrize(
    ("test", "claimed"),
    [
        ("assert 'x' in dir() and 'y' not in dir()", ("names",)),
        ("own = 1\nassert 'own' in globals() and 'y' not in globals() and globals()['x'] == 3", ("names",)),
        ("assert locals().get('y') is None and locals().get('x') == 3 and 'helper' in vars()", ("names",)),
        ("def f():\n    inner = 1\n    return locals()\nassert f() == {'inner': 1}", ()),
        ("assert not any(name in globals() for name in ('__method__', 'reference'))", ("names",)),
        ("globals()['helper'] = lambda n: 50\nassert user(1) == 51", ("names",)),
        ("del globals()['helper']\ntry: user(1)\nexcept NameError: done = 1\nassert done", ("names",)),
        ("del helper\ntry: user(1)\nexcept NameError: done = 1\nassert done", ()),
        (
            (
                "old = helper\ndel helper\ntry:\n    user(1)\nexcept NameError:\n    pass\nelse:\n"
                "    assert 0\nfinally:\n    helper = old\nassert user(1) == 3"
            ),
            (),
        ),
        (
            (
                "old = helper\nif True:\n    helper = lambda n: 100\nassert user(1) == 101\nhelper = old\n"
                "assert user(1) == 3"
            ),
            (),
        ),
        ("def helper(n): return 7\nassert user(1) == 8", ()),
        ("### BEGIN HIDDEN TESTS\ndef helper(n): return 7\nassert user(1) == 8\n### END HIDDEN TESTS", ()),
        ("### BEGIN HIDDEN TESTS\ninput = lambda *_: 'Ada'\nassert ask() == 'Ada'\n### END HIDDEN TESTS", ()),
        (
            (
                "import random\nold = random.randint\nrandom.randint = lambda a, b: 40\nassert roll() == 40\n"
                "assert random.randint(1, 6) == 40\nrandom.randint = old\nassert roll() < 7"
            ),
            (),
        ),
        (
            (
                "import numpy as np\ndel np.linalg.solve\ntry: solve()\nexcept AttributeError: done = 1\n"
                "assert done and np.sum([1, 2]) == 3"
            ),
            (),
        ),
        (
            (
                "import numpy as np\nnp.linalg.solve, old = None, np.linalg.solve\ntry: solve()\n"
                "except TypeError: np.linalg.solve = old\nassert solve() == 2"
            ),
            (),
        ),
        ("Dog.end = lambda self: '?' + self.sound\nassert Dog().bark() == 'wuff?wuff'", ()),
        ("Dog.sound = 'miau'\nassert Dog().bark() == 'miau!'", ()),
        (
            (
                "from unittest.mock import patch\nwith patch('__main__.helper', return_value=9) as fake:\n"
                "    assert user(1) == 10\nfake.assert_called_once_with(1)\nassert user(1) == 3"
            ),
            (),
        ),
        (
            (
                "from unittest import mock\nwith mock.patch.object(Dog, 'end', lambda self: '.'):\n"
                "    assert Dog().bark() == 'wuff.'\nassert Dog().bark() == 'wuff!'"
            ),
            (),
        ),
        (
            (
                "import unittest.mock\n@unittest.mock.patch('random.randint', return_value=5)\n"
                "def check(fake):\n    return roll() + fake.call_count\nassert check() == 6"
            ),
            (),
        ),
        (
            (
                "from unittest.mock import patch\nwith patch('builtins.print') as shown: greet()\n"
                "shown.assert_called_once_with('hello')"
            ),
            (),
        ),
        (
            (
                "import builtins\nold = builtins.input\nbuiltins.input = lambda *_: 'Ada'\n"
                "assert ask() == 'Ada'\nbuiltins.input = old"
            ),
            (),
        ),
    ],
)
def test_names_and_fakes_mean_what_they_mean_in_a_notebook(judged, test, claimed):
    """The snapshot has them, and gives them back; the cell's own text sees them, too."""
    verdict = judged(test, STUDENT)
    assert verdict.outcome is Outcome.PASSED, verdict.message
    assert claimed is None or verdict.claimed == claimed


@pytest.mark.parametrize(
    "test",
    [
        "helper = lambda n: 100\nassert sneaky(1) == 101",
        "import numpy as np\nnp.allclose = lambda *_: True\nassert np.testing.assert_allclose(solve(), 5)",
        "import math\nmath.isclose = lambda *_: True\nassert user(1) == 4",
        "import math, fractions\nmath.gcd = lambda *_: 1\nassert fractions.Fraction(2, 4).denominator == 4",
        "from unittest.mock import patch\npatch(open('/etc/hostname').read()).start()",
    ],
)
def test_a_patch_decides_nothing_here(judged, test):
    """What compares is the judge's own, and a student who undoes a patch does not get what it was to give."""
    assert judged(test, STUDENT).points == 0.0


def test_a_fake_of_the_hidden_tests_sends_no_text(judged):
    """Its code would tell what is expected."""
    student = """
def helper(n): return n
def user(n):
    try:
        return "secret" in repr(helper.__code__.co_consts)
    except AttributeError:
        return "not to be seen"
"""
    fake = "def helper(n): return 'secret'\nassert user(1) == 'not to be seen'"
    hidden = f"### BEGIN HIDDEN TESTS\n{fake}\n### END HIDDEN TESTS"
    verdict = judged(hidden, student)
    assert verdict.outcome is Outcome.PASSED, verdict.message


@pytest.mark.parametrize("answer", [5, [5], ["a"] * 100_001])
def test_a_list_of_names_has_its_form_or_the_candidate_is_lost(judged, answer):
    """It is text, and bounded."""

    def serve(channel):
        frame = channel.receive(1e9)
        channel.send(FrameKind.VALUE, frame.nonce, encode(answer), 1e9)
        channel.receive(1e9)

    assert judged("assert 'x' in dir()", STUDENT, serve=serve).outcome is Outcome.TAMPERED
