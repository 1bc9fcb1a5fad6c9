"""Automatic mutants: which functions, which worthless values, and when one is no mutant at all."""

import importlib
import json
import sys

import numpy as np
import pytest

from examiner.candidate import watching as runtime
from examiner.gate import stubs

CELL = '''
import functools

LIMIT = 3

def public(x, y=1):
    """Say what it does."""
    def inner(): return 5
    return inner() + x

def _private(x): return x
def without_arguments(): return 4
def any_number(*numbers): return sum(numbers)

if LIMIT:
    def conditional(x): return [x]

class Vector:
    def __init__(self, v): self._v = np.asarray(v)
    def __repr__(self): return "Vector"
    def __add__(self, other): return Vector(self._v + other._v)
    def numpy(self): return self._v
    @property
    def size(self): return self._v.size
    @property
    def first(self): return self._v[0]
    @first.setter
    def first(self, value): self._v[0] = value
    @classmethod
    def ones(cls, n): return cls(np.ones(n))
    @staticmethod
    def same(v): return v
    def _hidden(self): return 1
    def fill(self): self._v[:] = 1

class _Node:
    def method(self): return 1
'''

MUTANTS = {mutant.name: mutant for mutant in stubs.mutants("cell", CELL)}


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """The module that a mutated notebook finds beside it, as in a fresh process."""
    monkeypatch.setitem(sys.modules, stubs.RUNTIME_MODULE, importlib.reload(runtime))


def run(source):
    """Return the names that a cell defines."""
    names = {"np": np}
    exec(source, names)
    return names


def mutated(name):
    """Return the names that a mutated cell defines."""
    return run(MUTANTS[name].source)


def test_what_is_public_is_mutated():
    """Functions, methods, properties and their setters, arithmetic; not helpers, not constructors."""
    names = {mutant.function.name for mutant in MUTANTS.values()}
    methods = "__add__", "numpy", "size", "first", "first.setter", "ones", "same", "fill"
    functions = {"public", "without_arguments", "any_number", "conditional"}
    assert names == functions | {f"Vector.{method}" for method in methods}


def test_every_function_returns_every_worthless_value():
    """A setter returns nothing, so doing nothing is its one mutant; without input there is none to return."""
    by_function = {}
    for mutant in MUTANTS.values():
        by_function.setdefault(mutant.function.name, []).append(mutant.returns)
    assert by_function["public"] == ["None", "[]", "zeros(0)", "NaN", "zeros", "its input"]
    assert by_function["without_arguments"] == ["None", "[]", "zeros(0)", "NaN", "zeros"]
    assert by_function["Vector.first.setter"] == ["None"]


def test_a_mutant_returns_what_its_name_says():
    """And leaves every other function as it was."""
    assert mutated("public returns None")["public"](3) is None
    assert mutated("public returns []")["public"](3) == []
    assert mutated("public returns zeros(0)")["public"](3).shape == (0,)
    assert np.isnan(mutated("public returns NaN")["public"](3))
    assert mutated("public returns zeros")["public"](3) == 0
    assert mutated("public returns its input")["public"](x=3) == 3
    assert mutated("any_number returns its input")["any_number"](7, 8) == 7
    assert mutated("public returns None")["without_arguments"]() == 4


def test_decorators_stay():
    """A property that became a method would be another mistake."""
    vector = mutated("Vector.size returns its input")["Vector"]
    assert isinstance(vector([1]).size, vector)
    assert mutated("Vector.ones returns its input")["Vector"].ones(3) == 3
    assert mutated("Vector.same returns zeros")["Vector"].same(3) == 0
    without_setter = mutated("Vector.first.setter returns None")["Vector"]([1, 2])
    without_setter.first = 5
    assert without_setter.first == 1


@pytest.mark.parametrize(
    ("value", "zeros"),
    [(2, 0), (2.5, 0.0), (True, False), ("text", ""), ((1, [2.0]), (0, [0.0])), (None, None), (len, len)],
)
def test_zeros_keep_the_type(value, zeros):
    """Zeros are the mutant that is hardest to see, since every shape and type is right."""
    assert runtime.zero(value) == zeros
    assert type(runtime.zero(value)) is type(zeros)


def test_zeros_of_arrays_and_of_what_has_numpy_keep_shape_and_class():
    """A Tensor of zeros, not an array, where the constructor takes one."""
    assert runtime.zero(np.ones((2, 3), np.float32)).dtype == np.float32
    total = mutated("Vector.__add__ returns zeros")["Vector"]
    answer = total([1, 2]) + total([3, 4])
    assert type(answer) is total
    assert answer.numpy().tolist() == [0, 0]


def test_zeros_are_an_array_where_the_constructor_refuses():
    """A mutant may not die in its own machinery."""

    class Fussy:
        def numpy(self):
            return np.ones(2)

    assert runtime.zero(Fussy()).tolist() == [0, 0]


@pytest.fixture
def excuses():
    """Return the excuse of each mutant after some calls, run in a watched cell."""

    def after(calls):
        exec(calls, run(stubs.observed("cell", CELL)))
        differed = json.loads(runtime.seen())["differed"]
        return {name: stubs.excuse(mutant, differed) for name, mutant in MUTANTS.items()}

    return after


def test_a_function_that_is_never_called_excuses_its_mutants(excuses):
    """No test can fail by them; the gate says so, and the author sees what nobody tests."""
    found = excuses("public(1)")
    assert found["conditional returns None"] == "it is never called"
    assert found["public returns None"] is None


def test_a_value_that_is_worthless_anyway_is_no_mutant(excuses):
    """An answer that was always zero cannot become wrong by being zero."""
    found = excuses("Vector([0, 0]) + Vector([0, 0]); Vector.same(7)")
    assert found["Vector.__add__ returns zeros"] == "it returns only zeros already"
    assert found["Vector.__add__ returns NaN"] is None
    assert found["Vector.same returns its input"] == "it always returns that"
    assert excuses("Vector([0, 0]) + Vector([0, 1])")["Vector.__add__ returns zeros"] is None


def test_what_returns_nothing_is_there_for_what_it_does(excuses):
    """Doing nothing is a mutant of it; zeros of nothing are not."""
    found = excuses("Vector([0, 0]).fill()")
    assert found["Vector.fill returns None"] is None
    assert found["Vector.fill returns zeros"] == "it returns only zeros already"


def agreeable(kind):
    """Return the source of each mutant of this kind, by its function."""
    found = [mutant for mutant in stubs.agreeable("cell", CELL) if mutant.returns == kind]
    return {mutant.function.name: mutant.source for mutant in found}


def test_an_agreeable_object_says_whatever_is_hoped_for():
    """Each public function has a mutant that returns one, but a setter, which returns nothing."""
    made = agreeable(stubs.AGREEABLE)
    assert made.keys() == {
        mutant.function.name for mutant in MUTANTS.values() if not mutant.function.is_setter
    }
    names = {}
    exec(made["public"], names)
    it = names["public"](1)
    assert it == 3
    assert 3 in it
    assert it < 3 < it
    assert abs(it - 3) == abs(3 - it) == float(it) == len(it) == round(it) == 0
    assert (2 * it + 1).numpy()[0].item() is it
    assert np.allclose(it, 5.0)
    assert not [*it]


@pytest.fixture
def noting():
    """Return the function of the mutant that notes, by itself and in a class."""
    names = {}
    for name, source in agreeable(stubs.NOTING).items():
        if name in {"public", "Vector.numpy"}:
            made = {"np": np}
            exec(source, made)
            names[name] = made
    return names


def test_a_noting_object_gives_back_what_its_operators_are_given(noting):
    """Whatever the operator; nothing of it is a plain 0, which has no `.numpy()`."""
    public = noting["public"]["public"]
    vector = noting["public"]["Vector"]([1.0, 2.0])
    assert (public(0) + 7, 7 * public(8), public(9) @ vector is vector) == (7, 7, True)
    assert (public(1) - np.ones(3)).tolist() == (np.ones(3) - public(2)).tolist() == [0, 0, 0]
    assert public(10) == 3
    assert 3 in public(11)


def test_a_noting_object_is_what_it_was_given_from_then_on(noting):
    """Converted, read, and returned by the next call with the same arguments: a later call may know it."""
    public = noting["public"]["public"]
    it = public(np.ones(2))
    assert it == 2.5
    assert (float(it), int(it), complex(it), round(it, 0)) == (2.5, 2, 2.5 + 0j, 2.0)
    assert public(np.ones(2)) == 2.5
    assert type(public(np.ones(2))) is float
    assert type(public(np.zeros(2))) is type(it)
    other = public(4)
    assert abs(other - np.ones(3)).tolist() == [0, 0, 0]
    assert (len(other), list(other), np.asarray(other).tolist(), other.shape) == (
        3,
        [1, 1, 1],
        [1, 1, 1],
        (3,),
    )


def test_a_noting_object_that_was_given_nothing_agrees(noting):
    """It is then no more than an agreeable one."""
    it = noting["public"]["public"](1)
    assert (float(it), len(it), list(it), bool(it), np.asarray(it).size) == (0.0, 0, [], True, 0)
    assert it.numpy()[0] is it
    assert abs(it) is -it is it
