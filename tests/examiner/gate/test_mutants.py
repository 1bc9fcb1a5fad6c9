"""Mutants' files: what they say, and what is said when they do not fit."""

import pytest

from examiner.gate.mutants import BadMutant, apply, read_mutant

GOOD = """
mistake = "three times as large"
loses = ["numeric_double", "interface_count:20"]

[[edits]]
cell = "double"
old = "return 2 *"
new = "return 3 *"
"""


def test_a_mutant_says_what_is_wrong_and_what_that_costs(tiny):
    """A name alone is all points of the cell; a number after a colon is that many."""
    mutant = read_mutant(tiny.mutant("thrice", GOOD), tiny.notebook)
    assert (mutant.name, mutant.mistake) == ("thrice", "three times as large")
    assert mutant.loses == {"numeric_double": None, "interface_count": 20.0}


def test_an_edit_changes_its_place_and_nothing_else(tiny):
    """The mutant follows the notebook when the rest of the cell changes."""
    mutant = read_mutant(tiny.mutant("thrice", GOOD), tiny.notebook)
    original = tiny.notebook.find("double").source
    assert apply(mutant, tiny.notebook) == {"double": original.replace("2 *", "3 *")}


def test_edits_of_one_cell_add_up(tiny):
    """A mistake may need two changes, the second in what the first one wrote."""
    more = '\n[[edits]]\ncell = "double"\nold = "3 *"\nnew = "4 *"\n'
    mutant = read_mutant(tiny.mutant("more", GOOD + more), tiny.notebook)
    assert "return 4 *" in apply(mutant, tiny.notebook)["double"]


def test_source_replaces_the_whole_cell(tiny):
    """For mistakes that are another way of writing it."""
    text = GOOD.replace('old = "return 2 *"\nnew = "return 3 *"', 'source = "double = abs"')
    mutant = read_mutant(tiny.mutant("whole", text), tiny.notebook)
    assert apply(mutant, tiny.notebook) == {"double": "double = abs"}


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("mistake =", "mistake", "is not TOML"),
        ("mistake =", "mistakes =", "'mistake' is missing"),
        ('"three times as large"', "3", "'mistake' is 3"),
        ("loses =", "costs = 1\nloses =", "'costs' is unknown"),
        ('"numeric_double", ', '"double", ', "'loses' names double, which is no grade cell"),
        ("count:20", "count:many", "'many' in 'loses' is no number"),
        ('["numeric_double", "interface_count:20"]', "[]", "it loses nothing"),
        ("old =", "olds =", "'olds' is unknown"),
        ('old = "return 2 *"\n', "", "either 'old' and 'new' or 'source'"),
        ("old =", 'source = "x"\nold =', "either 'old' and 'new' or 'source'"),
        ("mistake =", 'equivalent = "no difference"\nmistake =', "'equivalent' and 'proof' go together"),
        ("mistake =", 'equivalent = "none"\nproof = "pass"\nmistake =', "it loses points and is equivalent"),
        ("[[edits]]", "edits = []\n[unknown]", "'unknown' is unknown"),
    ],
)
def test_a_file_that_cannot_be_meant_so_is_refused(tiny, old, new, fact):
    """A misspelt key would otherwise be a mutant that tests nothing."""
    path = tiny.mutant("bad", GOOD.replace(old, new))
    with pytest.raises(BadMutant) as error:
        read_mutant(path, tiny.notebook)
    assert fact in error.value.fact


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ('cell = "double"', 'cell = "numeric_double"', "numeric_double is no solution cell"),
        ('old = "return 2 *"', 'old = "return 5 *"', "'return 5 *' occurs 0 times in the cell"),
        ('old = "return 2 *"', 'old = "a"', "times in the cell, not once"),
    ],
)
def test_an_edit_that_does_not_fit_the_notebook_is_refused(tiny, old, new, fact):
    """It names the text, so that one sees which change of the notebook left the mutant behind."""
    mutant = read_mutant(tiny.mutant("bad", GOOD.replace(old, new)), tiny.notebook)
    with pytest.raises(BadMutant) as error:
        apply(mutant, tiny.notebook)
    assert fact in error.value.fact
