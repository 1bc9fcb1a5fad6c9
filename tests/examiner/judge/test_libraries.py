"""The judge's own libraries evaluate no text of a student's, and draw no conclusion from what is missing."""

import warnings

import pytest

from examiner.judge.lent import AuthorError
from examiner.judge.libraries import allow_texts, guard_libraries
from examiner.verdict import Outcome
from tests.libraries import find_libraries

find_libraries()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pandas as pd
    import sympy


@pytest.fixture(autouse=True)
def guarded():
    """Guard them, for a cell in which one text stands."""
    guard_libraries()
    allow_texts({"Symbol('own')"})


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getpid()",
        "eval(chr(49))",
        "x.__class__",
        "[open]",
        "lambda: 1",
        "exit()",
        "x.is_real",
        '"a"',
    ],
)
@pytest.mark.parametrize("evaluate", [sympy.sympify, sympy.simplify, sympy.parse_expr])
def test_a_text_of_a_students_is_not_evaluated(evaluate, text):
    """It would be a program in the process that decides."""
    with pytest.raises(AuthorError, match="does not stand in the cell"):
        evaluate(text)


def test_arithmetic_and_the_authors_text_are_evaluated():
    """SymPy itself does so when it simplifies."""
    x = sympy.Symbol("x")
    assert sympy.sympify("2*x + sin(x)/1.5") == 2 * x + sympy.sin(x) / 1.5
    assert sympy.sympify("Symbol('own')") == sympy.Symbol("own")
    assert sympy.simplify(2 * sympy.sin(x) * sympy.cos(x) - sympy.sin(2 * x)) == 0


@pytest.mark.parametrize("telling", ["all", "any", "sum", "mean"])
def test_a_comparison_with_what_is_missing_tells_nothing(telling):
    """`all` leaves it out, so that a column of nothing but `NA` equalled every other."""
    got = pd.Series(pd.array([pd.NA, 2], dtype="Int64"))
    with pytest.raises(AssertionError, match="missing"):
        getattr(got == pd.Series([1, 2]), telling)()
    assert (got[1:] == 2).all()


MINE = """
import pandas as pd
class Mine(pd.Series):
    def __sub__(self, other):
        return pd.Series([0.0])
    __rsub__ = __radd__ = __add__ = __sub__
def f():
    return Mine([5.0])
def nothing():
    return pd.NA
"""


@pytest.mark.parametrize("difference", ["f() - want", "want - f()", "f() + -want"])
def test_a_students_class_is_no_operand_of_a_value_of_a_library(judged, difference):
    """It would give zeros for the difference to any frame."""
    test = f"import pandas as pd\nwant = pd.Series([1.0])\nassert ({difference}).abs().max() < 1e-9"
    verdict = judged(test, MINE, MINE.replace("Mine([5.0])", "pd.Series([1.0])"))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.points == 0


def test_what_there_is_one_of_is_itself(judged):
    """As `pd.NA`, of which no copy can be made."""
    test = "import pandas as pd\nassert nothing() is pd.NA and nothing() is not pd.NaT"
    assert judged(test, MINE).outcome is Outcome.PASSED
