"""Exceptions of students' classes: what catches them, and what they tell."""

import pytest

from examiner.judge.lent import AuthorError, known_name
from examiner.judge.raised import class_name, recreated
from examiner.verdict import AUTHOR_ERROR, Outcome

STUDENT = """
import numpy as np
class TooSmall(ValueError):
    def __init__(self, text, least=3):
        super().__init__(text)
        self.least = least
class Own(Exception): pass
class Agreeing(type):
    def __instancecheck__(cls, x): return True
    def __subclasscheck__(cls, x): return True
class Agrees(Exception, metaclass=Agreeing): pass
class AuthorError(Exception): pass
Wide = AssertionError
def small(): raise TooSmall("too small")
def own(): raise Own("a", 2)
def key(): return {}["k"]
def missing(): return open("nowhere.txt")
def singular(): np.linalg.inv(np.zeros((2, 2)))
def leave(): raise SystemExit(3)
def claims(): raise AuthorError("the cell is wrong")
def fine(): return 1
"""


@pytest.mark.parametrize(
    "test",
    [
        (
            "try: small()\n"
            "except TooSmall as e: assert str(e) == 'too small' and e.least == 3 and e.args == ('too small',)"
        ),
        "try: own()\nexcept (TooSmall, Own) as e: assert e.args == ('a', 2) and type(e).__name__ == 'Own'",
        "try: small()\nexcept Exception as e: assert isinstance(e, TooSmall) and isinstance(e, ValueError)",
        (
            "try: key()\n"
            "except KeyError as e: assert e.args == ('k',) and str(e) == \"'k'\" and type(e) is KeyError"
        ),
        "try: missing()\nexcept FileNotFoundError as e: assert e.errno == 2 and e.filename == 'nowhere.txt'",
        "try: leave()\nexcept SystemExit: pass",
        "import numpy as np\ntry: singular()\nexcept np.linalg.LinAlgError as e: assert 'Singular' in str(e)",
        (
            "import pytest\nwith pytest.raises(TooSmall, match='small') as info: small()\n"
            "assert info.value.least == 3"
        ),
        "from pytest import raises\nwith raises(Own): own()",
        "import unittest\nunittest.TestCase().assertRaises(Own, own)",
        "import unittest\nwith unittest.TestCase().assertRaisesRegex(TooSmall, 'small'): small()",
        "import contextlib\nwith contextlib.suppress(Own): own()",
        "try: raise TooSmall('x', 5)\nexcept TooSmall as e: assert e.least == 5 and str(e) == 'x'",
        "try: raise Own\nexcept Own as e: assert e.args == ()",
        "assert issubclass(TooSmall, ValueError) and not issubclass(Own, ValueError)",
        (
            "class T:\n    def test(self):\n        try: own()\n        except Own: return 1\n"
            "assert T().test() == 1"
        ),
    ],
)
def test_every_form_of_catching_takes_a_students_class(judged, test):
    """As in a notebook, with what the exception has."""
    verdict = judged(test, STUDENT)
    assert verdict.outcome is Outcome.PASSED, verdict.message


@pytest.mark.parametrize(
    "test",
    [
        "try: small()\nexcept Own: pass",
        "try: own()\nexcept ValueError: pass",
        "try: own()\nexcept (TooSmall, KeyError): pass",
        "import pytest\nwith pytest.raises(TooSmall): own()",
        "import pytest\nwith pytest.raises(Own): fine()",
        "import unittest\nunittest.TestCase().assertRaises(Own, small)",
        "try: own()\nexcept Agrees: pass",
        "try: assert False, 'found'\nexcept Agrees: pass",
        "try: assert False, 'found'\nexcept Wide: pass",
        "try: undefined_name\nexcept Own: pass",
        "import contextlib\nwith contextlib.suppress(Agrees): assert False",
        "import pytest\nwith pytest.raises(Agrees): own()",
    ],
)
def test_no_class_of_a_students_catches_what_is_not_of_it(judged, test):
    """Neither another exception, nor what the test itself has found; a metaclass is not asked."""
    assert judged(test, STUDENT).points == 0.0


def test_a_students_exception_is_no_authors_error(judged):
    """Whatever its class is called."""
    verdict = judged("claims()", STUDENT)
    assert verdict.outcome is Outcome.ERROR
    assert verdict.raised != AUTHOR_ERROR


def test_an_exception_has_the_class_and_the_text_of_the_students():
    """Arguments that do not give the text are left out, and what is no plain data."""
    assert recreated(["KeyError", "LookupError"], "'k'", ("k",)).args == ("k",)
    assert recreated(["ValueError"], "other", ("text",)).args == ("other",)
    assert recreated(["ValueError"], "x", (object(),)).args == ("x",)
    own = recreated(["Own", "KeyError"], "as it says", ("k",))
    assert (str(own), class_name(own), known_name(type(own))) == ("as it says", "KeyError", "KeyError")
    assert not isinstance(recreated(["AuthorError"], ""), AuthorError)
