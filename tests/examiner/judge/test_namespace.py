"""The names that a grade cell sees: whose they are, and what is done with a student's text and classes."""

import os

import numpy as np
import pytest

from examiner.judge.cell import Conditions, judge_cell
from examiner.judge.compile import prepare
from examiner.judge.proxy import Proxy, class_of
from examiner.notebook import Cell
from examiner.verdict import AUTHOR_ERROR, Outcome
from examiner.wire.codec import TYPES

STUDENT = """
import os
import numpy as np
blank, kind, number = np.ndarray, np.float32, int
kinds = [np.float32, int]
class Layer:
    kind = np.float32
def chosen():
    return np.float32
def twice(check):
    try:
        check(1)
    except Exception:
        pass
    try:
        check(2)
    except Exception:
        pass
    return 1
where = "os.getpid() + 0"
code = "seen = os.getpid()"
module = "os"
"""


@pytest.fixture
def judge(forked):
    """Return a function that gives the verdict of one grade cell on the student above."""

    def verdict(source, seed="5eed", student=STUDENT):
        cell = Cell(9, "it", "code", source, "it", 4.0, is_grade=True, is_locked=True)
        [prepared] = prepare([cell])
        with forked(student).snapshot() as channel:
            return judge_cell(prepared, channel, seed, Conditions(20.0))

    return verdict


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.__name__)
def test_every_class_of_a_students_is_a_proxy(forked, cls):
    """As a name, an attribute, an item or a result: called, it is called on the student's side."""
    module = "numpy" if cls.__module__ == "numpy" else "builtins"
    name = cls.__name__ if cls is not type(None) else "NoneType"
    made = "import types, numpy, builtins\n"
    made += f"it = getattr({module}, {name!r}, None) or types.NoneType\n"
    made += "class Has: it = it\nholds = [it]\ndef gives(): return it\ndef within(): return {'a': (it,)}\n"
    with forked(made).remote() as remote:
        found = remote.ask("resolve", "it", "Has", "holds", "gives", "within")
        results = [
            found["it"],
            found["Has"].it,
            found["holds"][0],
            found["gives"](),
            found["within"]()["a"][0],
        ]
        assert [type(result) for result in results] == [Proxy] * 5
        assert {class_of(result) for result in results} == {cls}


def test_a_class_of_the_judges_is_never_called_for_a_student(judge):
    """`blank((3, 3))` once gave memory of the process that judges."""
    source = "import os\nmade = blank((3, 3))\nassert made.shape == (3, 3)\nassert number('7') == 7"
    assert judge(source).outcome is Outcome.PASSED
    hidden = STUDENT + "class blank:\n    def __new__(cls, shape): return os.getpid()\n"
    verdict = judge("print(blank(1))", student=hidden)
    assert int(verdict.output) != os.getpid()


@pytest.mark.parametrize(
    "claim",
    [
        "kind == np.float32 and kind != np.float64 and not kind == float",
        "np.float32 == kind and kind is np.float32 and kind is not np.float64",
        "Layer.kind == chosen() and chosen() is Layer.kind",
        "isinstance(np.float32(1), kind) and not isinstance(1, kind) and isinstance(1, number)",
        "issubclass(kind, np.floating) and not issubclass(number, kind)",
        "np.zeros(2, dtype=kind).dtype == np.float32 and np.dtype(kind) == 'float32'",
        "{np.float32: 1}[kind] == 1 and kinds[0] == np.float32",
    ],
)
def test_a_known_class_can_be_compared_and_used_as_a_dtype(judge, claim):
    """What grade cells ask of a dtype that students chose."""
    verdict = judge(f"import numpy as np\nassert {claim}")
    assert verdict.outcome is Outcome.PASSED, verdict.message


def test_the_first_finding_stands(judge):
    """Whatever a student's `except` makes of it, and however harmless the next failure is."""
    source = """
def check(n):
    assert n == 2, "the first"
    raise ValueError("harmless")
assert twice(check) == 1
"""
    verdict = judge(source)
    assert (verdict.outcome, verdict.message) == (Outcome.FAILED, "AssertionError: the first")


def test_a_text_of_the_cell_is_evaluated_here_and_a_students_in_the_snapshot(judge):
    """A student's text is code on the student's side alone, whatever the cell does with it."""
    source = "import os\nprint(eval('os.getpid()'), eval(where))\nassert eval('2 * 3') == 6"
    verdict = judge(source)
    assert verdict.outcome is Outcome.PASSED, verdict.message
    here, there = map(int, verdict.output.split())
    assert here == os.getpid() != there


def test_a_students_text_that_is_run_binds_nothing_here(judge):
    """`exec` of a text of the cell binds its names in the cell."""
    assert judge("exec('n = 3')\nassert n == 3").outcome is Outcome.PASSED
    assert judge("exec(code)\nprint('seen' in globals())").output == "False\n"


@pytest.mark.parametrize(
    "use", ["compile(where, 'x', 'eval')", "__import__(module)", "eval(b'1')", "exec([])", "eval(kind)"]
)
def test_a_students_text_is_nothing_else(judge, use):
    """No code object, no module, and no other kind of text."""
    verdict = judge(use)
    assert (verdict.outcome, verdict.raised) == (Outcome.ERROR, AUTHOR_ERROR)


def test_a_text_of_the_cell_means_what_the_cell_means(judge):
    """Identities of copies mean nothing in it, too."""
    verdict = judge("a, b = [1], [1]\neval('a is b')")
    assert (verdict.outcome, verdict.raised) == (Outcome.ERROR, AUTHOR_ERROR)


def test_all_of_a_seed_decides_what_the_global_generator_draws(judge):
    """32 bits of it could be found by trying."""
    source = "import numpy as np\nprint(np.random.random())"
    seeds = ["00000000" + "1" * 56, "00000000" + "2" * 56, "00000000" + "1" * 56]
    first, second, again = (judge(source, seed=seed).output for seed in seeds)
    assert first == again != second


def test_an_empty_array_passes_no_comparison(judge):
    """By any name under which the cell imports the function."""
    nothing = STUDENT + "def nothing(x): return np.zeros((0, 1))\n"
    for source in (
        "import numpy as np\nassert np.allclose(nothing(1), 5.0)",
        "from numpy import allclose as close\nassert close(nothing(1), 5.0)",
        "from numpy.testing import assert_allclose\nassert_allclose(nothing(1), 5.0)",
        "import numpy.testing as npt\nnpt.assert_array_equal(nothing(1), [[5.0]])",
    ):
        assert judge(source, student=nothing).outcome is Outcome.FAILED, source
    assert np.allclose(np.zeros((0, 1)), 5.0)  # so much for NumPy itself
