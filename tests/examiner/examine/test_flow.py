"""A notebook is one namespace: what a grade cell binds is there for the cells and functions that read it."""

import hashlib
import json
from pathlib import Path

import pytest

from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, Mode, TimeLimits
from examiner.verdict import Outcome

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
HIDDEN = "\n### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS"
DOUBLE = "def double(x):\n    return 2 * x"
# How a name gets into a notebook's namespace, and what then reads `A`, which is 3.
BOUND = {
    "by assignment": "A = 3",
    "by unpacking": "A, B = 3, 4",
    "by a function": "def give():\n    return 3\nA = give()",
    "by an import": "from math import floor\nA = floor(3.5)",
    "by a loop": "for A in (1, 2, 3):\n    pass",
    "in a branch": "if len('ab') == 2:\n    A = 3",
    "before a branch that is not taken": "A = 3\nif len('ab') == 9:\n    A = 9",
    "before a loop without a turn": "A = 3\nfor A in ():\n    pass",
    "before what fails": "A = 3\ntry:\n    A = int('x')\nexcept ValueError:\n    pass",
    "in a block": "import io\nwith io.StringIO('3') as file:\n    A = int(file.read())",
    "by a change": "A = 1\nA += 2",
    "from the student's": "A = double(1) + 1",
    "before a test that fails": "A = 3\nassert double(1) == 9",
}


def cell(name, source, **marks):
    """Return one code cell with nbgrader's marks."""
    marks = {"grade_id": name, "schema_version": 3, "grade": False, "solution": False, "locked": True} | marks
    raw = {"cell_type": "code", "id": name, "source": source, "outputs": [], "execution_count": None}
    return raw | {"metadata": {"nbgrader": marks}}


def solution(source, name="solution"):
    return cell(name, source, solution=True, locked=False)


def graded(name, source, points=1):
    return cell(name, source, grade=True, points=points)


def plain(source, name="plain"):
    return cell(name, source) | {"metadata": {}}


def document(*cells):
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture(scope="module")
def engine():
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        yield engine


def run(engine, instructor, submitted=None, modes=None, seconds=20):
    """Return what each grade cell gets, and what the student's own cell printed.

    Where something never ends, a cell has fewer seconds.
    """
    handed = document(*(submitted or instructor))
    key = GradeKey(hashlib.sha256(handed).hexdigest(), "assignment", "environment")
    identity = Identity("course", "student", "ps1", "1", key)
    done = engine.run(Job(identity, document(*instructor), handed, {}, TimeLimits(seconds, 60), modes or {}))
    found = {raw["id"]: raw["outputs"] for raw in json.loads(done.notebook)["cells"]}
    printed = "".join(output.get("text", output.get("evalue", "")) for output in found.get("plain", []))
    return {verdict.grade_id: verdict for verdict in done.sheet.verdicts}, printed


def passed(verdicts):
    return {name for name, verdict in verdicts.items() if verdict.outcome is Outcome.PASSED}


@pytest.mark.parametrize("how", BOUND)
def test_what_a_grade_cell_binds_is_there_for_later_cells_of_every_kind(engine, how):
    """For a cell of the student's, for an examined one and for one that runs in a kernel."""
    cells = [
        solution(DOUBLE),
        graded("first", BOUND[how]),
        plain("print(A)"),
        graded("later", "assert double(A) == 6"),
        graded("kernel", "assert double(A) == 6"),
    ]
    verdicts, printed = run(engine, cells, modes={"kernel": Mode.KERNEL})
    assert {"later", "kernel"} <= passed(verdicts)
    assert printed == "3\n"


@pytest.mark.parametrize("how", ["by assignment", "by an import", "in a block", "by a change"])
def test_functions_of_the_solution_read_what_the_visible_part_binds(engine, how):
    """In the cell that binds it, and in later ones."""
    reads = solution("def triple(x):\n    return A * x")
    cells = [
        reads,
        graded("own", f"{BOUND[how]}\nassert triple(2) == 6"),
        graded("later", "assert triple(3) == 9"),
    ]
    assert passed(run(engine, cells)[0]) == {"own", "later"}


def test_they_read_what_is_defined_and_imported_there(engine):
    """Such a statement runs on the student's side as well, since code is not sent as a value."""
    reads = solution("def area(r):\n    return square(r) * math.pi")
    test = "import math\ndef square(x):\n    return x * x\nassert abs(area(2) - 4 * math.pi) < 1e-12"
    assert passed(run(engine, [reads, graded("test", test)])[0]) == {"test"}


def test_they_read_what_was_bound_last(engine):
    """As often as the cell binds it anew."""
    test = (
        "A = 1\nassert scaled(2) == 2\nA = 5\nassert scaled(2) == 10\n"
        "A = [3]\nA[0] = 4\nassert scaled(2) == [4, 4]"
    )
    reads = solution("def scaled(x):\n    return A * x")
    assert passed(run(engine, [reads, graded("test", test)])[0]) == {"test"}


def test_a_name_that_only_the_hidden_part_binds_is_the_authors_error(engine):
    """No student can know of it; the message names line and name, and says what to do."""
    cells = [
        solution("def triple(x):\n    return A * x"),
        graded("test", HIDDEN.format("A = 3\nassert triple(2) == 6")),
    ]
    verdict = run(engine, cells)[0]["test"]
    assert verdict.raised == "AuthorError"
    for part in ("line 3", "`A`", "visible line"):
        assert part in verdict.message


def test_a_hidden_value_replaces_a_visible_one_for_the_time_of_its_cell(engine):
    """The next cell finds again what is visible."""
    cells = [
        plain("A = 1"),
        solution("def triple(x):\n    return A * x"),
        graded("test", "assert triple(2) == 2" + HIDDEN.format("A = 3\nassert triple(2) == 6")),
        graded("later", "assert triple(2) == 2"),
    ]
    assert passed(run(engine, cells)[0]) == {"test", "later"}


def test_what_the_hidden_part_binds_is_there_for_later_grade_cells_alone(engine):
    """The judge has it; the student's cells do not."""
    cells = [
        solution(DOUBLE),
        graded("first", "assert double(1) == 2" + HIDDEN.format("secret = 3")),
        plain("print('secret' in globals())"),
        graded("later", "assert double(2) == 4" + HIDDEN.format("assert double(secret) == 6")),
    ]
    verdicts, printed = run(engine, cells)
    assert passed(verdicts) == {"first", "later"}
    assert printed == "False\n"


def test_a_value_of_an_earlier_cell_cannot_be_replaced_by_the_student(engine):
    """What the cell bound is computed anew; the student's own cell gave the name another value."""
    cells = [solution(DOUBLE), graded("first", "A = double(1) + 1"), graded("later", "assert A == 3")]
    wrong = [solution("def double(x):\n    return 0"), cells[1], plain("A = 3"), cells[2]]
    assert passed(run(engine, cells)[0]) == {"first", "later"}
    assert "later" not in passed(run(engine, cells, wrong)[0])


def test_points_of_an_earlier_cell_are_not_given_again(engine):
    """What a block awards that binds the name counts in its own cell alone."""
    awarding = "from examiner_checks import attempt, award\nwith attempt(1, 'three'):\n    A = 3\naward(0)"
    cells = [solution(DOUBLE), graded("first", awarding), graded("later", "assert double(A) == 6", points=2)]
    verdicts, _ = run(engine, cells)
    assert [verdict.points for verdict in verdicts.values()] == [1, 2]


def test_what_cannot_be_done_again_is_only_missing(engine):
    """An earlier cell that asks for what no copy has, exits or fails costs a later one only the name."""
    for spoils in ("B = type(Maker()).__name__", "import sys\nB = sys.exit()", "B = double(None)"):
        maker = solution(f"class Maker:\n    pass\n{DOUBLE}")
        test = "try:\n    B\nexcept NameError:\n    pass\nassert double(1) == 2"
        assert "later" in passed(run(engine, [maker, graded("first", spoils), graded("later", test)])[0])


def test_nothing_that_the_student_runs_of_a_grade_cell_counts(engine):
    """Its text fails there, prints, and takes all its time; the cell is judged outside, and others go on."""
    cells = [
        solution(DOUBLE),
        graded("first", "A = 3\nassert double(1) == 2"),
        plain("print(A)"),
        graded("later", "assert A == 3"),
    ]
    loops = (
        "import os\nown = os.getpid()\ndef double(x):\n    print('seen')\n"
        "    while os.getpid() == own:\n        pass\n    return 2 * x"
    )
    verdicts, printed = run(engine, cells, [solution(loops), *cells[1:]], seconds=3)
    assert passed(verdicts) == {"first", "later"}
    assert printed == "3\n"


def test_a_cell_runs_only_once_if_nobody_reads_what_it_binds(engine):
    """An import that another cell has as well is nothing new."""
    counting = "import os\nruns = []\ndef double(x):\n    runs.append(1)\n    return 2 * x"
    test = graded("test", "import os\nunread = 1\nassert double(1) == 2")
    cells = [solution(counting), test, plain("print(len(runs), os.sep)")]
    assert run(engine, cells)[1] == "0 /\n"
    read = [solution(counting), test, plain("print(len(runs), unread)")]
    assert run(engine, cells, read)[1] == "1 1\n"
