"""What the gate is going to try."""

import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

from examiner.errors import BadSource
from examiner.gate.model import TrialKind
from examiner.gate.trials import Known, beside, first_trials, further_trials, make_plans
from examiner.model import Assignment

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def plan(tiny):
    return make_plans(tiny.course, tiny.assignment)[0]


def of_kind(plan, kind, repeat=1):
    """Return the trials of one kind."""
    trials = *first_trials(plan, repeat), *further_trials(plan, repeat, Known)
    return [trial for trial in trials if trial.kind is kind]


def test_the_release_that_is_tried_is_the_one_that_nbgrader_makes(tiny, plan):
    """Solutions cleared as nbgrader clears them; grade cells whole, as nbgrader puts them back to grade."""
    released = nbformat.read(tiny.path, 4)
    for preprocessor in (ClearSolutions(), ClearHiddenTests()):
        released, _ = preprocessor.preprocess(released, {})
    [trial] = of_kind(plan, TrialKind.RELEASE)
    solution_cells = [cell for cell in released.cells if cell.id in trial.sources]
    assert [cell.id for cell in solution_cells] == ["double", "counter_class"]
    assert {cell.id: cell.source for cell in solution_cells} == dict(trial.sources)
    assert {cell.source for cell in released.cells if "canary" in cell.source} == set()


def test_every_run_of_the_solution_has_its_own_seed_and_changes_nothing(plan):
    """The same ones tomorrow, so that a failure can be repeated."""
    runs = of_kind(plan, TrialKind.INSTRUCTOR, repeat=10)
    assert len({trial.seed for trial in runs}) == 10
    assert [trial.seed for trial in runs] == [
        trial.seed for trial in of_kind(plan, TrialKind.INSTRUCTOR, repeat=10)
    ]
    assert not any(trial.sources for trial in runs)


def test_every_function_of_a_solution_gets_its_mutants(plan):
    """And one run watches what they return."""
    functions = {mutant.function.name for mutant in plan.automatic}
    assert functions == {"double", "Counter.count", "Counter.total", "Counter.total.setter"}
    [watched] = of_kind(plan, TrialKind.OBSERVED)
    assert set(watched.sources) == {"double", "counter_class"}


def test_the_allowed_parts_lie_beside_the_notebook_and_what_is_generated_does_not(tiny):
    """What a release has, whether or not its parts were generated into the source folder before."""
    course = replace(tiny.course, package=REPOSITORY / "tinytorch")
    folder = tiny.path.parent
    for name in (
        "tinytorch/stale.py",
        "examiner_checks/stale.py",
        "data/own.txt",
        ".hidden/file",
        "__pycache__/x.pyc",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    files = set(beside(course, Assignment("01_tiny", parts=("tensor",))))
    assert files == {"tinytorch/__init__.py", "tinytorch/tensor.py", "data/own.txt"}


def test_an_assignment_without_a_notebook_is_a_bad_source(tiny):
    """Its folder is named."""
    tiny.path.unlink()
    with pytest.raises(BadSource, match=r"01_tiny: there is no notebook in it; add one"):
        make_plans(tiny.course, tiny.assignment)


def test_each_notebook_of_an_assignment_has_a_plan_with_the_mutants_that_change_it(tiny):
    """One that fits none is told once, with the first; a canary that both have is told with both."""
    document = json.loads(tiny.path.read_text())
    for raw in document["cells"]:
        if raw["id"] in {"double", "counter_class"}:
            raw["metadata"]["nbgrader"]["grade_id"] = f"{raw['id']}_again"
    (tiny.path.parent / "u.ipynb").write_text(json.dumps(document))
    for cell in ("double", "double_again", "triple"):
        text = 'mistake = "none"\nloses = ["numeric_double"]\n[[edits]]\n'
        tiny.mutant(f"of_{cell}", f'{text}cell = "{cell}"\nold = "2 *"\nnew = "3 *"\n')
    tiny.mutant("unreadable", "[")
    first, second = make_plans(tiny.course, tiny.assignment)
    assert (first.title, second.title) == ("01_tiny/tiny", "01_tiny/u")
    assert [[mutant.name for mutant in plan.mutants] for plan in (first, second)] == [
        ["of_double"],
        ["of_double_again"],
    ]
    told = [[str(breach) for breach in plan.breaches] for plan in (first, second)]
    assert [sum("of_triple.toml" in text for text in texts) for texts in told] == [1, 0]
    assert [sum("unreadable.toml" in text for text in texts) for texts in told] == [1, 0]
    assert [sum("its canary is that of" in text for text in texts) for texts in told] == [3, 3]


def test_a_canary_of_another_assignment_is_a_breach(tiny):
    """Also where only one of the two is checked."""
    other = tiny.root / "source" / "02_copy" / "copy.ipynb"
    other.parent.mkdir()
    other.write_bytes(tiny.path.read_bytes())
    course = replace(tiny.course, assignments=(tiny.assignment, Assignment("02_copy")))
    facts = [breach.fact for breach in make_plans(course, tiny.assignment)[0].breaches]
    assert len(facts) == 3
    assert facts[0] == "its canary is that of source/02_copy/copy.ipynb, cell numeric_double"
