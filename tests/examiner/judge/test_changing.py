"""Arguments come back where the instructor's solution changes them, and nowhere else."""

import warnings

import pytest

from examiner.judge.changing import changed_arguments, take_over
from examiner.notebook import Cell
from examiner.verdict import Outcome
from tests.libraries import find_libraries

find_libraries()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import networkx as nx
    import pandas as pd

SOLUTION = """
def fill(x): x[:] = 0
def sort(numbers):
    for i in range(len(numbers)):
        numbers[i], numbers[0] = numbers[0], numbers[i]
def count(words, counts):
    for word in words: counts[word] = 1
def through(table): clear(table)
def clear(table):
    for row in table: row[0] = 0
def first(table):
    row = table[0]
    row.append(1)
def scale(x): x *= 2
def out(x, y): return np.add(x, 1, out=y)
def popped(items): return items.pop()
def connect(graph): graph.add_edge(1, 2)
def weigh(graph): nx.set_edge_attributes(graph, 1, "weight")
def double(tensor): tensor.mul_(2)
def start(tensor): nn.init.zeros_(tensor)
def rename(frame): frame.rename(columns={"a": "b"}, inplace=True)
def renamed(frame): return frame.rename(columns={"a": "b"}, inplace=False)
class Model:
    def fit(self, data): data.sort()
def own(x):
    x = x.copy()
    x[0] = 1
    return x
def part(x):
    y = x[:]
    y.append(1)
def optional(x, inplace=False):
    if inplace:
        x[:] = 0
def local(x):
    found = []
    found.append(x)
    x.name.sort
def translated(text): return _(text)
def number(n):
    total = n
    total += 1
"""


def test_what_a_solution_writes_into_is_found_by_its_text():
    """Through loops, other names, other functions, too; but not what it has copied, or may leave alone."""
    found = changed_arguments([Cell(0, "work", "code", SOLUTION, "work", is_solution=True)])
    assert found == {
        **{name: {(0, "x")} for name in ("fill", "scale")},
        **{name: {(0, "table")} for name in ("through", "clear", "first")},
        "sort": {(0, "numbers")},
        "count": {(1, "counts")},
        **{name: {(0, "graph")} for name in ("connect", "weigh")},
        **{name: {(0, "tensor")} for name in ("double", "start")},
        "rename": {(0, "frame")},
        "out": {(1, "y")},
        "popped": {(0, "items")},
        "fit": {(0, "data")},
    }


DOUBLE = "import numpy as np\ndef double(x): return 2 * x"
ZEROS = "import numpy as np\ndef double(x):\n    x[:] = 0\n    return x"
DOUBLED = "import numpy as np\nx = np.ones(3)\nassert np.allclose(double(x), 2 * x)"


def test_an_input_that_the_solution_leaves_alone_stays_what_it_is(judged):
    """Else zeros would be twice zeros."""
    assert judged(DOUBLED, DOUBLE).outcome is Outcome.PASSED
    assert judged(DOUBLED, ZEROS, solution=DOUBLE).outcome is Outcome.FAILED
    assert judged(DOUBLED, ZEROS, solution=ZEROS).outcome is Outcome.PASSED, "as in a notebook"


@pytest.mark.parametrize(
    ("call", "holds"),
    [
        ("x = [1, 2]\nchange(x)", "x == [1, 2, 9]"),
        ("x = [1, 2]\nchange(items=x)", "x == [1, 2, 9]"),
        ("x = (1, [2])\nchange(x[1])", "x == (1, [2, 9])"),
        ("x = [1]\ny = [x]\nMore().change(x)", "y == [[1, 9]]"),
    ],
)
def test_the_cells_own_object_becomes_what_the_function_made_of_it(judged, call, holds):
    """By place or by name, as an item, and by a method; other names for it see it."""
    student = "def change(items): items.append(9)\nclass More:\n    def change(self, items): items.append(9)"
    verdict = judged(f"{call}\nassert {holds}", student)
    assert verdict.outcome is Outcome.PASSED, verdict.message


CHANGED = {
    "a graph": (
        "import networkx as nx\ndef change(it):\n    it.add_edge(2, 3, w=5)\n    it.nodes[1]['a'] = 1",
        "import networkx as nx\nit = nx.path_graph(3)\nadj, same = it.adj, it\nassert len(it.edges) == 2\n",
        "it.edges[2, 3] == {'w': 5} and it.nodes[1] == {'a': 1} and same.degree[2] == 2",
    ),
    "a frame": (
        "import pandas as pd\ndef change(it):\n    it['b'] = it.a * 2\n    it.loc[0, 'a'] = 7",
        "import pandas as pd\nit = pd.DataFrame({'a': [1, 2]})\n",
        "it.equals(pd.DataFrame({'a': [7, 2], 'b': [2, 4]}))",
    ),
    "a series": (
        "import pandas as pd\ndef change(it):\n    it.loc['c'] = 9\n    it.name = 'b'\n    it.attrs['a'] = 1",
        "import pandas as pd\nit = pd.Series({'a': 1})\n",
        "it.to_dict() == {'a': 1, 'c': 9} and it.name == 'b' and it.attrs == {'a': 1}",
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_value_of_a_library_becomes_what_the_function_made_of_it(judged, what):
    """A graph is built by such functions; what the solution leaves alone stays what it is."""
    student, before, holds = CHANGED[what]
    test = f"{before}change(it)\nassert {holds}"
    verdict = judged(test, student)
    assert verdict.outcome is Outcome.PASSED, verdict.message
    idle = f"{student.splitlines()[0]}\ndef change(it): return it.copy()"
    assert judged(test, student, solution=idle).outcome is not Outcome.PASSED
    assert judged(test, idle, solution=student).outcome is not Outcome.PASSED


def test_a_graph_or_a_frame_that_a_student_gives_another_class_changes_nothing():
    """Its methods would be the student's."""
    graph, frame = nx.path_graph(2), pd.DataFrame({"a": [1]})
    assert not take_over(graph, nx.DiGraph())
    assert not take_over(frame, frame.a)
    assert [*graph.edges] == [(0, 1)]


def test_what_comes_back_in_another_form_changes_nothing():
    """A list stays a list; an array keeps its shape."""
    numbers = [1, 2]
    assert not take_over(numbers, (3, 4))
    assert numbers == [1, 2]


def test_inner_containers_stay_the_same_objects():
    """The cell may have other names for them."""
    inner, more = [1], {"a": 1}
    whole = {"list": inner, "dict": more}
    assert take_over(whole, {"list": [2, 3], "dict": {}, "new": 5})
    assert (whole, inner, more) == ({"list": [2, 3], "dict": {}, "new": 5}, [2, 3], {})


@pytest.mark.parametrize("lie", ["[1]", "(1, 2, 3)", "5"])
def test_whatever_a_student_makes_of_it_is_compared_here(judged, lie):
    """An object that is equal to everything stays an object of the student's."""
    student = (
        "class Same(list):\n    def __eq__(self, other): return True\n"
        f"def change(items): items[:] = [Same({lie if lie != '5' else ''})]"
    )
    verdict = judged("x = [1]\nchange(x)\nassert x == [[1, 9]]", student)
    assert verdict.outcome in {Outcome.FAILED, Outcome.ERROR}
