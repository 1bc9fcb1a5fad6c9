"""What a student can do who knows that a kernel runs the notebook once more for its self-reported cells.

The examined cells keep what the code earned, the self-reported ones get what the kernel gave, and nothing
that the second run saw is shown where the student looks.
"""

import json
from pathlib import Path

import pytest

from examiner.batch import worker
from examiner.batch.worker import AssignmentVersion, GradingContext, SubmittedWork
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, Mode, TimeLimits

PYTHON = Path(__file__).parents[2] / ".venv-student" / "bin" / "python"
IDENTITY = Identity("course", "student01", "ps1", "", GradeKey("work", "assignment", "environment"))
CANARY = "canary-of-the-second-run"
IN_KERNEL = "import os\nin_kernel = 'ZMQ' in type(get_ipython()).__name__\n"
SOLUTION = "def f():\n    return 1\n"


def cell(name, source, **marks):
    """Return a raw code cell; one with points is a test."""
    entries = {"grade_id": name, "schema_version": 3, "grade": "points" in marks, "solution": name == "f"}
    metadata = {"nbgrader": entries | {"locked": name != "f"} | marks} if name != "own" else {}
    raw = {"cell_type": "code", "id": name, "metadata": metadata, "source": source}
    return raw | {"outputs": [], "execution_count": None}


def notebook(answer, *own, is_instructors=False):
    """Return a notebook with an examined test, a student's own cell perhaps, and a self-reported test."""
    hidden = f"\n### BEGIN HIDDEN TESTS\nx = '{CANARY}'\nassert f() == 1\n### END HIDDEN TESTS"
    tests = [
        cell(name, "assert f() < 3" + (hidden if is_instructors else ""), points=2)
        for name in ("examined", "reported")
    ]
    cells = [cell("f", answer), tests[0], *(cell("own", source) for source in own), tests[1]]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture(scope="module")
def grade():
    """What grades an answer with a student's own cells: the points by cell, and the outputs by cell."""
    instructor = notebook(SOLUTION, is_instructors=True)
    version = AssignmentVersion({"one": instructor}, {}, {"reported": Mode.KERNEL})
    settings, limits = SandboxSettings(PYTHON), TimeLimits(2, 30)
    context = GradingContext(settings, b"secret", limits, {"ps1": version}, kernel="tinytorch-student")
    with worker.grading_worker(context) as work:

        def graded(answer, *own):
            done = work(SubmittedWork(IDENTITY, {"one.ipynb": notebook(answer, *own)}))
            points = {verdict.grade_id: verdict.points for verdict in done.grade.parts[0].sheet.verdicts}
            cells = json.loads(done.notebooks["one.ipynb"])["cells"]
            return points, {raw["id"]: json.dumps(raw["outputs"]) for raw in cells if "outputs" in raw}

        yield graded


# What a solution does in the kernel alone, and what the self-reported test gets then.
IN_THE_KERNEL = {
    "ends it": ("in_kernel and os._exit(0)", 0),
    "hangs in it": ("while in_kernel: pass", 2),
    "is killed in it": ("in_kernel and os.kill(os.getpid(), 9)", 0),
    "closes its sockets": ("in_kernel and os.closerange(3, 256)", 0),
    "fills it": ("x = bytes(64 << 30) if in_kernel else b''", 2),
    "takes its answer away": ("if in_kernel: del f", 0),
    "is wrong in it": ("if in_kernel: f = lambda: 2", 0),
}


@pytest.mark.parametrize(("does", "reported"), IN_THE_KERNEL.values(), ids=IN_THE_KERNEL)
def test_whatever_happens_in_the_kernel_costs_nothing_that_was_examined(grade, does, reported):
    """The examined test was judged before, in another process."""
    points, _ = grade(f"{SOLUTION}{IN_KERNEL}{does}")
    assert points == {"examined": 2, "reported": reported}


def test_an_answer_that_is_right_in_the_kernel_alone_gets_what_is_self_reported(grade):
    """Which is what the label says; what is examined it does not get."""
    points, _ = grade(f"{IN_KERNEL}def f():\n    return 1 if in_kernel else 2\n")
    assert points == {"examined": 0, "reported": 2}


KEEPS = """
import os
print(os.path.exists("seen") and open("seen").read())
open("seen", "w").write(str(In))
"""
LOOKS = {
    "prints the history": "print(In)",
    "asks the shell's history": "print([*get_ipython().history_manager.get_range()])",
    "shows it as a value": "In",
    "publishes it": "from IPython.display import Markdown\ndisplay(Markdown(str(In)))",
    "raises it": "raise ValueError(str(In))",
    "leaves it in a file for the next run": KEEPS,
    "answers with it": "def f():\n    raise ValueError(str(In))",
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_hidden_tests_that_a_kernel_saw_are_not_in_what_a_students_cells_show(grade, look):
    """The first run, of which these outputs are, gets no text of a test; the second one's are thrown away."""
    for _ in range(2):
        _, outputs = grade(SOLUTION, look)
        assert CANARY not in outputs["own"]
