"""What is left out of a trial where the evidence is known, and what never is."""

from dataclasses import replace

import pytest

from examiner.gate.model import Account, Result, Trial, TrialKind
from examiner.gate.mutants import Edit, Mutant
from examiner.gate.short import Part, in_part, shortened
from examiner.gate.trials import Known, first_trials, further_trials, make_plans
from examiner.model import Mode
from examiner.verdict import Outcome

CELLS = ("numeric_double", "interface_count", "interface_start")
MODES = dict.fromkeys(CELLS, Mode.EXAMINED)


@pytest.fixture
def plan(tiny):
    """The tiny course's plan, with a hundred mutants that lose the same cell."""
    edit = Edit("double", "3 *", "2 *")
    mutants = [
        Mutant(tiny.path.with_name(f"m{number}.toml"), "", {"numeric_double": None}, (edit,))
        for number in range(100)
    ]
    return replace(make_plans(tiny.course, tiny.assignment)[0], mutants=tuple(mutants))


def of_kind(plan, kind):
    """Return the whole trials of one kind."""
    trials = *first_trials(plan, 1), *further_trials(plan, 1, Known)
    return [trial for trial in trials if trial.kind is kind]


def result(stub, *caught):
    """Return what came of a stub that lost all points of these cells and of no others."""
    accounts = {cell: Account(0.0 if cell in caught else 90.0, Outcome.PASSED) for cell in CELLS}
    trial = Trial("01_tiny/tiny", TrialKind.AUTOMATIC, stub, "")
    return {(TrialKind.AUTOMATIC, stub): Result(trial, accounts, {})}


def test_a_mutant_runs_where_it_must_lose_and_on_some_of_the_other_cells(plan):
    """Always on the same ones; among many mutants no cell is left out."""
    cells = [shortened(plan, trial, MODES, {}).cells for trial in of_kind(plan, TrialKind.MUTANT)]
    assert cells == [shortened(plan, trial, MODES, {}).cells for trial in of_kind(plan, TrialKind.MUTANT)]
    assert all("numeric_double" in found for found in cells)
    for other in ("interface_count", "interface_start"):
        assert 10 < sum(other in found for found in cells) < 45


def test_a_cell_that_a_mutant_cannot_reach_is_not_run_for_it(plan):
    """Not by chance either."""
    trials = [
        replace(trial, cells=frozenset({"numeric_double"})) for trial in of_kind(plan, TrialKind.MUTANT)
    ]
    assert {shortened(plan, trial, MODES, {}).cells for trial in trials} == {frozenset({"numeric_double"})}


def test_what_claims_to_be_equivalent_runs_everywhere(plan):
    """Each cell could prove it wrong."""
    equal = replace(plan.mutants[0], loses={}, equivalent="it is", proof="pass")
    plan = replace(plan, mutants=(equal,))
    [trial] = of_kind(plan, TrialKind.MUTANT)
    assert shortened(plan, trial, MODES, {}) == replace(trial, modes=MODES)


@pytest.mark.parametrize("kind", [TrialKind.OBSERVED, TrialKind.REACH])
def test_what_records_calls_and_answers_stays_as_it_is(plan, kind):
    """Both modes are asked what they call."""
    [trial] = of_kind(plan, kind)
    assert shortened(plan, trial, MODES, {}) == trial


@pytest.mark.parametrize("kind", [TrialKind.INSTRUCTOR, TrialKind.RELEASE])
def test_the_solution_and_the_release_run_whole(plan, kind):
    """Each cell in the one mode that is known."""
    [trial] = of_kind(plan, kind)
    assert shortened(plan, trial, MODES, {}) == replace(trial, modes=MODES)


@pytest.mark.parametrize(
    ("caught", "enough"),
    [
        ({}, CELLS),
        ({"double": ()}, CELLS),
        ({"double": CELLS}, CELLS[1:2]),
        ({"double": CELLS[:1]}, CELLS),
        ({"double": CELLS[:1], "counter_class": CELLS[1:]}, CELLS[:1]),
        ({"counter_class": CELLS}, CELLS),
    ],
    ids=["unknown", "none", "all", "one", "one of its own", "others only"],
)
def test_a_stub_is_asked_in_one_cell_that_caught_the_first_and_where_nothing_was_caught(plan, caught, enough):
    """A cell that no function's first stub fails may still be failed by another."""
    names = {
        "double": "double:double returns None",
        "counter_class": "counter_class:Counter.count returns None",
    }
    known = {}
    for cell, cells in caught.items():
        known |= result(names[cell], *cells)
    for trial in of_kind(plan, TrialKind.AUTOMATIC):
        if trial.name.startswith("double:"):
            is_first = trial.name.endswith("None")
            found = shortened(plan, trial, MODES, known)
            assert found == replace(trial, modes=MODES, enough=frozenset(() if is_first else enough))


def test_the_first_stubs_of_all_functions_run_first(plan):
    """What they show spares the others something."""
    firsts = [trial.name.endswith("None") for trial in of_kind(plan, TrialKind.AUTOMATIC)]
    assert firsts == sorted(firsts, reverse=True)


def test_all_parts_together_are_all_mutants_and_no_mutant_is_in_two(plan):
    """So whoever runs them in turn has tried everything; each is of about one size."""
    parts = [in_part(plan, Part(number, 4)) for number in (1, 2, 3, 4)]
    for kind in ("mutants", "automatic", "agreeable", "hollow"):
        found = [item for part in parts for item in getattr(part, kind)]
        assert sorted(map(repr, found)) == sorted(map(repr, getattr(plan, kind)))
    assert all(10 < len(part.mutants) < 40 for part in parts)
    assert not any(part.is_whole for part in parts)


def test_all_stubs_of_a_function_are_in_one_part(plan):
    """What an agreeable object passes is held against what None does."""
    for number in (1, 2):
        part = in_part(plan, Part(number, 2))
        tried = {stub.function.key for stub in part.automatic}
        assert {stub.function.key for stub in part.agreeable} <= tried
        assert all((stub.function.key in tried) == (stub in part.automatic) for stub in plan.automatic)


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "a/b", "1/0", "-1/4", "1/2/3"])
def test_what_is_no_part_is_refused(text):
    """A typing error must not leave out mutants."""
    with pytest.raises(ValueError):  # noqa: PT011 - the command line says it in words
        Part.parse(text)
