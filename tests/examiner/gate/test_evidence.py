"""Which grade cells are examined, by what the trials gave in both modes, and how that is kept."""

import json
import shutil
from dataclasses import replace

import pytest

from examiner.gate import evidence
from examiner.gate.model import Account, Result, Trial, TrialKind
from examiner.gate.run import TrialRunner
from examiner.gate.trials import MUTANTS, make_plans
from examiner.model import Mode
from examiner.verdict import Outcome
from examiner_checks.decision import Ladder
from examiner_checks.measured import Subject

CELL = "numeric_double"  # of 40 points


def account(points, raised="", message="", *, wrote_stderr=False):
    """Return an account of one cell."""
    outcome = Outcome.PASSED if points else Outcome.FAILED
    return Account(points, outcome, raised, wrote_stderr, f"{raised}: {message}" if message else raised)


def witness(plan, lost):
    """Return the run in a real kernel, of which a cell has this account and all others their points."""
    kernel = {cell: account(points) for cell, points in plan.points.items()} | lost
    return Result(Trial(plan.name, TrialKind.WITNESS, TrialKind.WITNESS, ""), {}, kernel)


def weighed(tiny, *seen, cell=CELL, real=None):
    """Return the mode of a cell and why, after trials of these kinds and points: examined, in a snapshot.

    `real` is what the cell gave in the real kernel, if that was not all points.
    """
    [plan] = make_plans(tiny.course, tiny.assignment)
    results = {
        (kind, str(number)): Result(Trial(plan.name, kind, str(number), ""), {cell: one}, {cell: other})
        for number, (kind, one, other) in enumerate(seen)
    }
    results[TrialKind.WITNESS, TrialKind.WITNESS] = witness(plan, {cell: real} if real else {})
    found = evidence.weigh(tiny.course, tiny.assignment, [plan], {plan.name: results})
    return found.modes[cell], found.reasons.get(cell, "")


def test_a_cell_that_gives_the_same_both_ways_is_examined(tiny):
    """The verdict is computed outside the student's process then."""
    right, wrong = account(40), account(0, "AssertionError")
    seen = (
        (TrialKind.INSTRUCTOR, right, right),
        (TrialKind.RELEASE, wrong, wrong),
        (TrialKind.AUTOMATIC, wrong, wrong),
    )
    assert weighed(tiny, *seen) == (Mode.EXAMINED, "")


def test_a_kernel_that_is_fooled_speaks_for_examining(tiny):
    """A value that equals everything gets its points there, and none here."""
    assert weighed(tiny, (TrialKind.MUTANT, account(0), account(40))) == (Mode.EXAMINED, "")


def test_a_solution_that_loses_points_when_examined_is_judged_in_the_kernel(tiny):
    """What no proxy can mean is not the students' fault."""
    mode, why = weighed(tiny, (TrialKind.INSTRUCTOR, account(0, "AuthorError", "no"), account(40)))
    assert mode is Mode.KERNEL
    assert why == "examined, the instructor's solution loses 40 points (no)"


def test_a_reason_shows_the_line_of_the_cell(tiny):
    """And no word of ours for what kind of error it was, or an empty one."""
    failed = replace(account(0, "AssertionError", ""), line=1)
    first = tiny.notebook.find("numeric_double").source.split("\n")[0]
    _, why = weighed(tiny, (TrialKind.INSTRUCTOR, failed, account(40)))
    assert why == f"examined, the instructor's solution loses 40 points (line 1, `{first}`: AssertionError)"
    refused = account(0, "AuthorError", "line 1: `.flags` of a copy means nothing")
    _, why = weighed(tiny, (TrialKind.INSTRUCTOR, refused, account(40)))
    assert why.endswith(f"(line 1, `{first}`: `.flags` of a copy means nothing)")


def test_a_solution_that_loses_points_both_ways_says_nothing_about_the_mode(tiny):
    """It is the author's error, which the gate names."""
    lost = account(0, "AssertionError")
    assert weighed(tiny, (TrialKind.INSTRUCTOR, lost, lost), real=lost)[0] is Mode.EXAMINED


def test_a_solution_that_loses_points_in_a_real_kernel_alone_proves_nothing(tiny):
    """However it came through the examination and through a snapshot: these two may make the same mistake."""
    right, lost = account(40), account(0, "NameError", "name 'double' is not defined")
    mode, why = weighed(tiny, (TrialKind.INSTRUCTOR, right, right), real=replace(lost, line=7))
    assert mode is Mode.KERNEL
    assert why == (
        "in a Jupyter kernel, the instructor's solution fails it "
        "(line 7, NameError: name 'double' is not defined)"
    )


def test_a_real_kernel_stands_above_a_snapshot(tiny):
    """A snapshot that fails the solution says nothing, about that or about any other version."""
    right, unbound = account(40), account(0, "NameError")
    assert weighed(tiny, (TrialKind.INSTRUCTOR, right, unbound))[0] is Mode.EXAMINED
    seen = ((TrialKind.INSTRUCTOR, right, unbound), (TrialKind.MUTANT, right, unbound))
    assert weighed(tiny, *seen) == (Mode.EXAMINED, "")
    assert weighed(tiny, (TrialKind.INSTRUCTOR, right, right), seen[1])[0] is Mode.KERNEL


def test_a_wrong_version_that_gets_more_examined_is_a_difference(tiny):
    """Something that the kernel sees is not seen from outside."""
    mode, why = weighed(tiny, (TrialKind.MUTANT, account(40), account(0, "AssertionError", "shared")))
    assert mode is Mode.KERNEL
    assert why == "0 gets 40 points examined and 0 in the kernel (AssertionError: shared)"


@pytest.mark.parametrize(
    ("again", "mode"),
    [((40, 0), Mode.KERNEL), ((0, 0), Mode.EXAMINED), ((40, 40), Mode.EXAMINED), ((0, 40), Mode.EXAMINED)],
)
def test_what_a_repetition_does_not_show_was_chance(tiny, again, mode):
    """Both sides draw numbers of their own; other versions of the cell say nothing about it."""
    [plan] = make_plans(tiny.course, tiny.assignment)
    first = Trial(plan.name, TrialKind.AUTOMATIC, "zeros", "")
    other = Trial(plan.name, TrialKind.AUTOMATIC, "None", "")
    pairs = [
        (first, 40, 0),
        (replace(first, again=1), 40, 0),
        (replace(first, again=2), *again),
        (other, 0, 0),
    ]
    results = {
        trial.key: Result(trial, {CELL: account(one)}, {CELL: account(two)}) for trial, one, two in pairs
    }
    found = evidence.weigh(tiny.course, tiny.assignment, [plan], {plan.name: results})
    assert (found.modes[CELL], found.tried) == (mode, {"automatic": 2})


def test_a_wrong_answer_that_is_right_by_chance_leaves_a_cell_examined(tiny):
    """Zeros are twice as large as zeros, which each side draws in every second run."""
    source = "import numpy as np\nsize = np.random.randint(2, size=2)[-1]\nassert double(size) == 2 * size"
    tiny.change(CELL, source=source)
    [found] = evidence.gather(TrialRunner(tiny.course, 1, ignore), [tiny.assignment])
    assert (found.modes[CELL], found.reasons) == (Mode.EXAMINED, {})


def test_a_warning_in_the_kernel_is_no_difference(tiny):
    """It takes anything on stderr for a failure; an exception beside a warning is one all the same."""
    warned = account(0, wrote_stderr=True)
    assert weighed(tiny, (TrialKind.AUTOMATIC, account(40), warned))[0] is Mode.EXAMINED
    raised = account(0, "AssertionError", wrote_stderr=True)
    assert weighed(tiny, (TrialKind.AUTOMATIC, account(40), raised))[0] is Mode.KERNEL


def test_a_cell_that_uses_the_reference_cannot_pass_in_a_kernel(tiny):
    """No kernel has one; in a cell that does not use it, the same exception is a difference."""
    unknown = account(0, "NameError", "name 'reference' is not defined")
    assert weighed(tiny, (TrialKind.AUTOMATIC, account(40), unknown))[0] is Mode.KERNEL
    tiny.edit(CELL, "x = rng", "reference.double\nx = rng")
    assert weighed(tiny, (TrialKind.AUTOMATIC, account(40), unknown))[0] is Mode.EXAMINED


@pytest.mark.parametrize("raised", ["Inconclusive", "CellTimeout"])
def test_a_measurement_is_not_held_against_the_clock_of_a_kernel(tiny, raised):
    """Others run beside it; where nothing was measured, the same exception is a difference."""
    subject = Subject("speed", "it", "times", Ladder.of(2.0, None))
    measured = replace(account(40), measured=(subject.exactly(1.0),))
    assert weighed(tiny, (TrialKind.AUTOMATIC, measured, account(0, raised)))[0] is Mode.EXAMINED
    assert weighed(tiny, (TrialKind.AUTOMATIC, account(40), account(0, raised)))[0] is Mode.KERNEL


def test_no_text_of_a_message_decides(tiny):
    """A student's exception may say anything; what it is, is told by its class."""
    for message in ("stderr: a warning", "Inconclusive: too close", "name 'reference' is not defined"):
        raised = account(0, "ValueError", message)
        assert weighed(tiny, (TrialKind.AUTOMATIC, account(40), raised))[0] is Mode.KERNEL


def ignore(done, total, name):
    """Take no notice of progress."""


def test_evidence_is_gathered_without_mutants_and_without_a_gate(tiny):
    """As for a course that was written for nbgrader: what cannot be examined is found, and its reason."""
    tiny.edit(CELL, "x = rng", "assert double([1.0]).flags.writeable\nx = rng")
    [found] = evidence.gather(TrialRunner(tiny.course, 2, ignore), [tiny.assignment])
    kernel = [cell for cell, mode in found.modes.items() if mode is Mode.KERNEL]
    assert kernel == [CELL]
    line = "assert double([1.0]).flags.writeable"
    assert f"loses 40 points (line 8, `{line}`: `.flags` of a copy" in found.reasons[CELL]
    assert found.tried == {"release": 1, "automatic": 19}
    assert evidence.read(tiny.course, tiny.assignment) == found


def test_evidence_is_good_for_one_version(tiny):
    """A changed test may no longer be one that can be examined; other limits change nothing."""
    [plan] = make_plans(tiny.course, tiny.assignment)
    evidence.write(tiny.course, evidence.weigh(tiny.course, tiny.assignment, [plan], {plan.name: {}}))
    assert evidence.read(tiny.course, tiny.assignment) is not None
    tiny.edit(CELL, "x = rng", "y = 1\nx = rng")
    assert evidence.read(tiny.course, tiny.assignment) is None


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"modes": {"a": "b"}}'])
def test_a_file_that_is_no_evidence_is_none(tiny, text):
    """It is made again."""
    path = evidence.path_of(tiny.course, tiny.assignment.name)
    path.parent.mkdir()
    path.write_text(text)
    assert evidence.read(tiny.course, tiny.assignment) is None


def test_evidence_of_a_wrong_solution_is_kept_with_what_is_wrong(tiny):
    """Who graded that anyway is asked again; without such a thing the file has no entry for it."""
    [plan] = make_plans(tiny.course, tiny.assignment)
    results = {(TrialKind.WITNESS, TrialKind.WITNESS): witness(plan, {CELL: account(0, "ValueError")})}
    evidence.write(tiny.course, evidence.weigh(tiny.course, tiny.assignment, [plan], {plan.name: results}))
    found = evidence.read(tiny.course, tiny.assignment)
    assert (found.failures, found.modes[CELL]) == ({CELL: "ValueError"}, Mode.KERNEL)


def test_the_file_is_plain_json(tiny):
    """A diff shows what changed."""
    [plan] = make_plans(tiny.course, tiny.assignment)
    evidence.write(tiny.course, evidence.weigh(tiny.course, tiny.assignment, [plan], {plan.name: {}}))
    data = json.loads(evidence.path_of(tiny.course, tiny.assignment.name).read_text())
    assert set(data) == {"version", "modes", "reasons", "tried", "planned"}
    assert data["modes"][CELL] == "examined"


def test_what_was_left_to_the_check_is_said(tiny):
    """Where the time was up before all wrong answers were tried."""
    [plan] = make_plans(tiny.course, tiny.assignment)
    counts = {TrialKind.INSTRUCTOR: 3, TrialKind.RELEASE: 1, TrialKind.AUTOMATIC: 2}
    made = {
        (kind, str(number)): Result(Trial(plan.name, kind, str(number), ""), {}, {})
        for kind, times in counts.items()
        for number in range(times)
    }
    found = evidence.weigh(tiny.course, tiny.assignment, [plan], {plan.name: made})
    planned = len(plan.automatic) + len(plan.mutants)
    assert sum(found.planned.values()) == planned > 2
    words = f"3 runs of the solution and the release, 2 of {planned} mechanical answers were tried; `examiner"
    assert words in evidence.summary(found)
    evidence.write(tiny.course, found)
    assert evidence.read(tiny.course, tiny.assignment) == found


def test_evidence_stays_valid_in_a_copy_without_the_mutants(tiny):
    """A checkout of the course alone has no `tests/`; a changed mutant or notebook counts as before."""
    [plan] = make_plans(tiny.course, tiny.assignment)
    folder = tiny.course.root / MUTANTS / tiny.assignment.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wrong.toml").write_text("")
    made = evidence.weigh(tiny.course, tiny.assignment, [plan], {plan.name: {}})
    evidence.write(tiny.course, made)
    (folder / "wrong.toml").write_text("# another one")
    assert evidence.read(tiny.course, tiny.assignment) is None
    shutil.rmtree(folder)
    assert evidence.read(tiny.course, tiny.assignment) == made
    (tiny.course.source(tiny.assignment) / "data.csv").write_text("1")
    assert evidence.read(tiny.course, tiny.assignment) is None
