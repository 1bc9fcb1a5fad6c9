"""How the gate's findings are shown."""

import json

from rich.console import Console

from examiner.gate.model import Breach, Report, Tried
from examiner.report import gate

BREACH = Breach("tests/mutants/01/worse.toml", "it loses nothing instead of a (1)", "write a test")
REPORT = Report(
    assignment="01",
    points=90.0,
    grade_cells=3,
    perfect_runs=10,
    runs=10,
    release_points=0.0,
    mutants=(Tried("thrice", "three times", {"a": 40.0}), Tried("worse", "four times", {}, breach=BREACH)),
    automatic=(
        Tried("f returns []", "f", {"a": 4.0, "b": 0.5}),
        Tried("g returns []", "f", {}, excuse="it is void"),
    ),
    self_reported=4.0,
    reasons={"one.ipynb, cell a": "it gets more"},
    breaches=(BREACH,),
)


def shown(renderable):
    """Return what a wide terminal shows."""
    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_each_assignment_is_a_line_with_its_counts():
    """Mutants that are none are counted apart: they were not killed."""
    [line] = [line for line in shown(gate.table([REPORT])).splitlines() if "01" in line]
    assert line.split() == ["01", "3", "4", "10/10", "0/90", "1/2", "1/1", "1", "1"]


def test_each_mutant_is_a_line_with_what_it_lost():
    """An author sees where a mistake costs points, and where it does not."""
    text = shown(gate.mutants_table(REPORT))
    assert "a (4), b (0.5)" in text
    assert "nothing: it is void" in text
    assert "nothing" in text


def test_voids_are_named_once_for_each_reason():
    """Nothing is silently passed."""
    assert list(gate.voids([REPORT])) == ["01: void, since it is void: g returns []."]


def test_each_cell_that_runs_in_the_kernel_is_named_with_the_reason():
    """An author can rewrite it, or decide that its points may be self-reported."""
    [sentence] = gate.warnings([REPORT])
    assert sentence == "one.ipynb, cell a: it runs in the kernel, self-reported, since it gets more."


def test_runs_of_the_solution_alone_are_a_sentence():
    """There is nothing else to say of them."""
    untried = Report("02", breaches=(BREACH,))
    assert list(gate.solutions([REPORT, untried])) == ["01: all 90 points in 10 of 10 runs"]


def test_the_data_is_json():
    """For a program that follows the gate from commit to commit."""
    [data] = json.loads(json.dumps(gate.data([REPORT])))
    assert data["breaches"] == [{"place": BREACH.place, "fact": BREACH.fact, "fix": BREACH.fix}]
    assert data["mutants"][0]["lost"] == {"a": 40.0}


def test_progress_is_ten_lines_where_there_is_no_terminal():
    """A log of continuous integration shows that something happens, and not five hundred lines of it."""
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture, gate.progress(console) as progress:
        for done in range(518):
            progress(done, 517, "ps1, run 1")
    lines = capture.get().splitlines()
    assert len(lines) == 10
    assert lines[-1] == "trials 517/517 ps1, run 1"


def test_progress_is_a_bar_in_a_terminal():
    """With the time that is left."""
    console = Console(width=100, force_terminal=True)
    with console.capture() as capture, gate.progress(console) as progress:
        progress(1, 4, "")
        progress(4, 4, "")
    assert "4/4" in capture.get()
