"""Sources, signatures, classes and attributes of what a student has defined."""

import pytest

from examiner.judge.sources import definition
from examiner.verdict import AUTHOR_ERROR, Outcome

STUDENT = '''
import functools
def total(numbers, start=0, *, twice=False):
    """Return the sum.

        Twice, if wanted."""
    for number in numbers:
        start += number
    return start
def fact(n):
    return 1 if n < 2 else n * fact(n - 1)
other = fact
double = lambda x: 2 * x
def deco(function):
    @functools.wraps(function)
    def inner(*items): return function(*items) + 1
    return inner
@deco
def counted(*items): return len(items)
class Robot:
    kinds = 3
    def __init__(self, name): self.name = name
    def __str__(self): return f"robot {self.name}"
    def __repr__(self): return "R()"
    def __format__(self, how): return "formatted " + how
    def __len__(self): return 7
class Small(Robot): pass
robot, small = Robot("R2"), Small("S")
def generated():
    yield 1
'''


@pytest.mark.parametrize(
    "test",
    [
        "'for ' in inspect.getsource(total) and 'fact' not in inspect.getsource(total)",
        "inspect.getsource(other) == inspect.getsource(fact) and 'n - 1' in inspect.getsource(other)",
        "inspect.getsource(double) == 'double = lambda x: 2 * x\\n'",
        "inspect.getsource(counted).startswith('@deco')",
        "inspect.getsource(Robot.__init__).strip() == 'def __init__(self, name): self.name = name'",
        "inspect.getsourcelines(fact)[0][1].split()[0] == 'return' and inspect.getsourcelines(fact)[1] == 10",
        "'__str__' in inspect.getsource(Robot)",
        "inspect.getfullargspec(total).args == ['numbers', 'start']",
        "inspect.getfullargspec(total).kwonlydefaults == {'twice': False}",
        "inspect.isfunction(fact) and inspect.isclass(Robot) and not inspect.isclass(robot)",
        "inspect.isgeneratorfunction(generated) and inspect.isgenerator(generated())",
        "inspect.getdoc(total) == 'Return the sum.\\n\\nTwice, if wanted.'",
        "'__str__' in dict(inspect.getmembers(Robot, inspect.isfunction))",
        "inspect.isfunction(lambda: 1) and not inspect.isfunction(3) and inspect.signature(lambda a: 1)",
        "total.__defaults__ == (0,) and total.__kwdefaults__ == {'twice': False}",
        "total.__code__.co_argcount == 2",
        "counted(1) == 2 and counted.__wrapped__(1) == 1",
        "robot.__class__ == Robot and type(robot) is Robot",
        "type(small) is not Robot and type(robot) != Small",
        "robot.__class__.__name__ == 'Robot' and type(small).__name__ == 'Small'",
        "Small.__bases__ == (Robot,) and issubclass(Small, Robot) and Small.__mro__[1] is Robot",
        "robot.__dict__ == {'name': 'R2'} and vars(small) == {'name': 'S'} and hasattr(robot, '__str__')",
        "str(robot) == 'robot R2' and repr(robot) == 'R()'",
        "f'{robot!r}' == 'R()' and f'{robot}' == 'robot R2'",
        "format(robot, 'x') == 'formatted x' and str(3) == '3' and f'{3:>3}{2.5!r}' == '  32.5'",
        "len(robot) == 7 and robot.__len__() == 7 and robot.__str__() == 'robot R2'",
        "isinstance(robot, Robot) and isinstance(robot, object) and not isinstance(robot, (int, str))",
        "isinstance(generated(), Iterator) and not isinstance(robot, Iterator)",
        "isinstance(fact, types.FunctionType) and isinstance(generated(), types.GeneratorType)",
    ],
)
def test_a_definition_is_looked_at_as_in_a_notebook(judged, test):
    """Texts come from the notebook, everything else from the student's process."""
    verdict = judged(f"import inspect, types\nfrom collections.abc import Iterator\nassert {test}", STUDENT)
    assert verdict.outcome is Outcome.PASSED, verdict.message


DECOYS = """
import inspect, linecache
def fact(n):
    return __import__("math").factorial(n)
inspect.getsource = lambda *_: "def fact(n): return n * fact(n - 1)"
linecache.getlines = lambda *_: ["def fact(n): return n * fact(n - 1)"]
fact.__source__ = "fact(n - 1)"
def decoy(n): return n * fact(n - 1)
fact.__qualname__ = fact.__name__ = "decoy"
"""


def test_the_text_is_that_of_the_notebook(judged):
    """A process could show any other, or name another definition."""
    test = "import inspect\nassert fact(4) == 24\nassert 'fact(n - 1)' in inspect.getsource(fact)"
    assert judged(test, DECOYS, solution=STUDENT).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "test", ["inspect.getfile(fact)", "inspect.getclosurevars(fact)", "robot.__eq__(robot)", "Robot.__lt__"]
)
def test_what_a_student_would_decide_is_the_authors_error(judged, test):
    """It says what to write instead."""
    assert judged(f"import inspect\n{test}", STUDENT).raised == AUTHOR_ERROR


def test_the_last_definition_of_a_name_counts():
    """As it does in the notebook; a cell that is no Python defines nothing."""
    sources = ["def f():\n    return 1", "%time f()\nx = 2\ndef f():\n    return 2", "this is no Python f"]
    assert definition("f", sources) == ("def f():\n    return 2\n", 3)
    assert definition("g", sources) is None
    assert definition("f.inner", sources) is None
    assert definition("f", ["f = g", "g = f"]) is None
