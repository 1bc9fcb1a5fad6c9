"""Comparisons, membership and identity, by whoever can know them."""

import pytest

from examiner.verdict import AUTHOR_ERROR, Outcome

STUDENT = """
import numpy as np
class Node:
    def __init__(self, v): self.v = v
class Agrees:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 1
one, two, agrees, more = Node(1), Node(2), Agrees(), Agrees()
nodes = [one, two]
table = {"n": one, "k": [1, 2]}
arrays = {"a": np.arange(3), "b": [np.ones(2)]}
joint = {("a", 1): 0.5, ("b", 2): 0.5}
data = np.arange(6)
view, alias, copied = data[:3], data, data.copy()
class Holder:
    inside = data
    items = [data, copied]
holder = Holder()
def f(x): return x
functions = {"f": f}
"""


@pytest.mark.parametrize(
    ("test", "claimed"),
    [
        ("table['k'] == [1, 2] and table != {} and table != {'n': 1}", None),
        ("nodes == [one, two] and nodes != [two, one] and table == {'n': one, 'k': [1, 2]}", ("identity",)),
        (
            "one in nodes and two not in [one] and nodes.index(two) == 1 and nodes.count(one) == 1",
            ("identity",),
        ),
        ("one == one and one != two and f == functions['f'] and functions == {'f': f}", ("identity",)),
        ("joint == {('a', 1): 0.5, ('b', 2): 0.5} and ('a', 1) in joint", ()),
        ("{'a': np.arange(3), 'b': [np.ones(2)]} == arrays and arrays != {'a': np.arange(3), 'b': []}", ()),
        ("{'a': np.arange(3), 'b': [np.zeros(2)]} != arrays", ()),
        ("[np.arange(3)] == [arrays['a']] and arrays['a'] in [np.zeros(3), np.arange(3)]", ()),
        ("[np.arange(4)] != [arrays['a']] and [np.arange(3) + 1] != [arrays['a']]", ()),
        ("alias is data and view is not data and copied is not data", ("identity",)),
        (
            "holder.inside is data and holder.items[1] is copied and holder.items[0] is not copied",
            ("identity",),
        ),
        ("np.shares_memory(view, data) and not np.may_share_memory(copied, data)", ("memory",)),
        ("id(alias) == id(data) != id(copied) and id(one) == id(nodes[0]) != id(two)", ("identity",)),
        ("agrees == agrees and agrees in [agrees]", ("identity",)),
        ("Node == Node and Node != Agrees and type(one) == Node and Node != int", None),
        ("(np.arange(3) == arrays['a']).all() and 3 != 4 and not 3 == 4", ()),
    ],
)
def test_what_is_equal_is_equal(judged, test, claimed):
    """Data by value, objects by their identity."""
    verdict = judged(f"import numpy as np\nassert {test}", STUDENT)
    assert verdict.outcome is Outcome.PASSED, verdict.message
    assert claimed is None or verdict.claimed == claimed


@pytest.mark.parametrize(
    "test",
    [
        "agrees == 3",
        "agrees != 3",
        "3 == agrees",
        "[agrees] == [3]",
        "{'a': agrees} == {'a': 1}",
        "3 in [agrees]",
        "agrees in [3]",
        "agrees == more",
        "[agrees] == [more]",
        "one == 1",
        "agrees == {'a': 1}",
        "x = [1]\nx is f(x)",
        "np.shares_memory(np.ones(2), data)",
        "id([1]) == id(data)",
    ],
)
def test_a_class_of_a_students_decides_no_comparison(judged, test):
    """Neither with data of the test, nor in a container, nor between two objects of its own."""
    assert judged(f"import numpy as np\n{test}", STUDENT).raised == AUTHOR_ERROR


def test_an_array_that_is_compared_with_a_list_is_ambiguous(judged):
    """As it is in a notebook."""
    assert judged("arrays == {'a': [0, 1, 2], 'b': []}", STUDENT).raised == "ValueError"


def test_what_the_cell_has_bound_anew_is_no_longer_the_students(judged):
    """Where the student's process has a name says nothing about the cell's."""
    assert judged("data = [1]\nother = [1]\ndata is other", STUDENT).raised == AUTHOR_ERROR
    assert judged("first = data[0]\ndata = [1]\nalias is data", STUDENT).raised == AUTHOR_ERROR


def test_an_id_over_there_is_no_id_here(judged):
    """Two processes have the same addresses."""
    assert judged("assert id(data) < 0 and id(one) < 0", STUDENT).outcome is Outcome.PASSED
