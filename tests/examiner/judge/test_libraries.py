"""The judge's own libraries evaluate no text of a student's, and draw no conclusion from what is missing."""

import warnings

import pytest

from examiner.judge.lent import AuthorError
from examiner.judge.libraries import allow_texts, guard_libraries
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
