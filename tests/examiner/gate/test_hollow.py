"""Hollow stubs: what answers zeros while it is measured, and where in a grade cell that begins."""

import importlib
import json
import sys

import numpy as np
import pytest

from examiner.candidate import watching as runtime
from examiner.gate import hollow
from examiner.gate import stubs as automatic

CELL = """
def doubled(x):
    return 2 * x

def nothing(x):
    return 0 * x

class Kept:
    label = "kept"

    def __init__(self, x):
        self.x, self.pairs, self.count = x, [x, (x,)], len(x)

    def add(self, x):
        self.x = self.x + x
        return self.x

class Bare:
    def answer(self): return 1.0
    @staticmethod
    def nobodys(): return 2.0

class _Own:
    def method(self): return 1.0
"""
STUBS = {(stub.name, stub.kind): stub for stub in hollow.stubs("cell", CELL)}


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """The module that lies beside a mutated notebook, as in a fresh process."""
    monkeypatch.setitem(sys.modules, automatic.RUNTIME_MODULE, importlib.reload(runtime))


def run(source):
    """Return the names that a cell defines."""
    names = {"np": np}
    exec(source, names)
    return names


def begin():
    """Begin to measure, as a marked grade cell does."""
    exec(hollow.BEGIN, {})


def test_each_public_function_and_each_public_class_has_a_stub():
    """Methods are functions; helpers are not public."""
    functions = {"doubled", "nothing", "Kept.add", "Bare.answer", "Bare.nobodys"}
    zeros = {(name, hollow.ZEROS) for name in functions}
    assert STUBS.keys() == zeros | {("Kept", hollow.EMPTIED), ("Bare", hollow.EMPTIED)}


def test_a_stub_is_right_until_a_cell_begins_to_measure():
    """So it passes whatever a cell asks on small inputs before; a student can tell those from large ones."""
    names = run(STUBS["doubled", hollow.ZEROS].source)
    before = names["doubled"](np.ones(3))
    begin()
    after = names["doubled"](np.ones(3))
    assert before.tolist() == [2, 2, 2]
    assert after.tolist() == [0, 0, 0]


def test_an_emptied_object_keeps_shapes_and_counts_and_no_numbers():
    """All of its arrays, also those in lists, and after each method that could put something in."""
    names = run(STUBS["Kept", hollow.EMPTIED].source)
    begin()
    x = np.arange(1.0, 4)
    kept = names["Kept"](x)
    kept.add(x)
    assert kept.count == 3
    assert not kept.x.any()
    assert not any(np.any(part) for part in kept.pairs)
    assert x.tolist() == [1, 2, 3], "what the caller holds is the caller's"


def test_a_stub_matters_only_where_the_solution_gives_something_else_while_measured():
    """A function that returns zeros anyway, or is called only before, has nothing to lose."""
    names = run(hollow.observed("cell", automatic.observed("cell", CELL)))
    names["doubled"](np.ones(3))
    early = json.loads(runtime.seen())["differed"]
    assert not any(stub.matters(early) for stub in STUBS.values())
    begin()
    names["nothing"](np.ones(3))
    names["Kept"](np.ones(3))
    names["Bare"]().answer()
    names["Bare"].nobodys()
    late = json.loads(runtime.seen())["differed"]
    matter = {key for key, stub in STUBS.items() if stub.matters(late)}
    assert matter == {
        ("Kept", hollow.EMPTIED),
        ("Bare.answer", hollow.ZEROS),
        ("Bare.nobodys", hollow.ZEROS),
    }


@pytest.mark.parametrize(
    ("before", "statement"),
    [
        ("", "memory(f, inputs, at_most=1)"),
        ("", "with attempt(1, 'x'):\n    held(f, inputs, at_most=1)"),
        ("", "for n in (1, 2):\n    quality(f(n), at_least=1)"),
        ("def judge(n):\n    speed(f, g, inputs, at_most=n)", "judge(3)"),
    ],
)
def test_a_cell_is_marked_where_it_begins_to_measure(before, statement):
    """Not where it defines what measures: that is called later."""
    head = f"from examiner_checks import attempt, held, memory, quality, speed\nassert f(1)\n{before}\n"
    source = f"{head}{statement}\nassert f(2)"
    assert hollow.measures(source)
    assert hollow.marked(source) == f"{head}{hollow.BEGIN}\n{statement}\nassert f(2)"


@pytest.mark.parametrize("source", ["assert memory(1)", "def break_even(): pass\nbreak_even()", "%time f()"])
def test_a_cell_that_measures_nothing_stays_as_it_is(source):
    """Names count if they come from the checks: students write a `break_even` of their own."""
    assert not hollow.measures(source)
    assert hollow.marked(source) == source
