"""What is handed in for a notebook of a public course."""

import ast

import pytest

from benchmarks.versions import BLANK, SOLUTION, handed_in, mutants, text_of


def cell(name, source, *, solution=False):
    """Return a raw code cell with nbgrader's metadata."""
    return {
        "cell_type": "code",
        "metadata": {"nbgrader": {"grade_id": name, "solution": solution}},
        "source": source,
    }


ANSWER = "def f(x):\n    ### BEGIN SOLUTION\n    return x + 1\n    ### END SOLUTION"
SOURCE = {"cells": [cell("sol", ANSWER, solution=True), cell("test", "assert f(1) == 2\nassert f(0) == 1")]}
RELEASE = {
    "cells": [
        cell("sol", "def f(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()", solution=True),
        cell("test", "assert f(1) == 2"),
    ]
}


def versions(count=3, seed="0"):
    """Return the texts of the cells of each version."""
    found = handed_in(SOURCE, RELEASE, count, seed)
    return {name: [text_of(one) for one in document["cells"]] for name, document in found}


def test_each_version_is_the_release_with_another_answer():
    """As a student hands it in: no mark of the instructor's, no hidden test."""
    found = versions()
    assert found[BLANK] == [text_of(one) for one in RELEASE["cells"]]
    assert found[SOLUTION][0] == "def f(x):\n    return x + 1"
    assert {texts[1] for texts in found.values()} == {"assert f(1) == 2"}
    assert list(found) == [BLANK, SOLUTION, "mutant1", "mutant2", "mutant3"]


def test_each_mutant_has_one_change_and_all_are_different():
    """Of this solution there are three: another operator, another number, nothing returned."""
    found = {texts[0] for name, texts in versions().items() if name.startswith("mutant")}
    assert found == {
        "def f(x):\n    return x - 1",
        "def f(x):\n    return x + 2",
        "def f(x):\n    return None",
    }


def test_a_seed_gives_the_same_mutants_and_there_are_no_more_than_there_are_changes():
    """So that two runs, and two machines, compare the same."""
    assert versions(seed="1") == versions(seed="1")
    assert versions(count=9) == versions(count=9)
    assert len(versions(count=9)) == 5
    assert len({repr(versions(count=1, seed=str(n))) for n in range(20)}) == 3


@pytest.mark.parametrize("source", ["%%timeit\nf()", "!ls", "def f(:", "True", "'1'"])
def test_what_cannot_be_changed_has_no_mutants(source):
    """Cells with magics or slips are handed in as they are."""
    assert mutants({"sol": source}, 3, "0") == []


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", "a <= b"),
        ("a == b", "a != b"),
        ("a * b", "a + b"),
        ("a / b", "a * b"),
        ("a and b", "a or b"),
    ],
)
def test_an_operator_becomes_its_neighbour(source, changed):
    """The slips that students make."""
    assert mutants({"sol": source}, 1, "0") == [("sol", ast.unparse(ast.parse(changed)))]
