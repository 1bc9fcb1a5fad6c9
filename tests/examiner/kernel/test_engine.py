"""Submissions in boxed kernels: nbgrader's scores, but only for cells that were answered."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import determine_grade

from examiner.errors import BadSource, MissingEnvironment
from examiner.examine.engine import Job
from examiner.examine.server import SandboxSettings
from examiner.kernel.engine import KernelEngine
from examiner.kernel.provisioner import KERNEL_LIMITS, NoKernel
from examiner.model import GradeKey, Identity, Mode, TimeLimits
from examiner.verdict import Outcome

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
ECHO = Path(__file__).parents[1] / "fixtures" / "echo_kernel.py"
BOUNDS = replace(KERNEL_LIMITS, together_mb=1000)
CANARY = "canary-kernel"
SOURCES = {
    "f": "def f(x):\n    return x + 1",
    "test_f": f"assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(2) == 3, '{CANARY}'\n### END HIDDEN TESTS",
    "g": "def g(x):\n    return 2 * x",
    "test_g": "points = 0\npoints += g(1) == 2\npoints += g(3) == 6\npoints",
    "test_both": "assert f(g(1)) == 3",
}
TESTS = ("test_f", "test_g", "test_both")
PASSED = dict.fromkeys(TESTS, Outcome.PASSED)
LOOP = "while True:\n        try:\n            while True: pass\n        except BaseException: pass"


def notebook(tags=None, **changed):
    """Return a notebook of two functions and three tests, with some sources changed, others added behind."""
    cells = []
    for name, source in (SOURCES | changed).items():
        marks = {"grade_id": name, "schema_version": 3, "points": 2, "grade": name in TESTS}
        marks |= {"solution": name in {"f", "g"}, "locked": name in TESTS}
        metadata = {"nbgrader": marks} if name in SOURCES else {}
        if tags and name in tags:
            metadata["tags"] = ["skip-execution"]
        cells.append({"cell_type": "code", "id": name, "metadata": metadata, "source": source, "outputs": []})
        cells[-1]["execution_count"] = None
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture(scope="module", autouse=True)
def kernels(tmp_path_factory):
    """Two kernels that Jupyter knows during these tests: the student environment's, and a strange one."""
    root = tmp_path_factory.mktemp("jupyter")
    commands = {
        "students": ("python", [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]),
        "broken": ("echo", [str(PYTHON), "-c", "raise SystemExit('no kernel today')"]),
        "echo": ("echo", [str(PYTHON), str(ECHO), "{connection_file}"]),
    }
    for name, (language, argv) in commands.items():
        folder = root / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": language}
        (folder / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(root))
        yield


def run(instructor=None, kernel="students", files=None, seconds=30, limit=90, **changed):
    """Grade a student who has handed in a notebook with these changes."""
    submitted = notebook(**changed)
    key = GradeKey(hashlib.sha256(submitted).hexdigest(), "assignment", "environment")
    identity = Identity("course", "student", "ps1", "1", key)
    limits = TimeLimits(cell_seconds=seconds, notebook_seconds=limit)
    with KernelEngine(kernel, SandboxSettings(PYTHON), b"secret", BOUNDS) as engine:
        return engine.run(Job(identity, instructor or notebook(), submitted, files or {}, limits))


def outcomes(graded):
    """Return what each grade cell got."""
    return {verdict.grade_id: verdict.outcome for verdict in graded.sheet.verdicts}


def points(graded):
    """Return the points of each grade cell."""
    return {verdict.grade_id: verdict.points for verdict in graded.sheet.verdicts}


def outputs_of(graded, cell):
    """Return the outputs of one cell of the executed notebook."""
    [found] = [entry for entry in json.loads(graded.notebook)["cells"] if entry.get("id") == cell]
    return found["outputs"]


OUTPUT_WIDGET = """
from comm import create_comm
model = {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel"}
state = model | {"msg_id": "", "outputs": []}
widget = create_comm(target_name="jupyter.widget", data={"state": state})
here = get_ipython().kernel.get_parent()["header"]["msg_id"]
widget.send({"method": "update", "state": {"msg_id": here}})
print("inside", flush=True)
widget.send({"method": "update", "state": {"msg_id": ""}})
print("outside")
"""


def test_a_notebook_with_widgets_runs_like_any_other():
    """What an output widget shows is no output of its cell, and `interact` shows all in one."""
    graded = run(f=f"{SOURCES['f']}\n{OUTPUT_WIDGET}")
    assert outcomes(graded) == PASSED
    assert [output["text"] for output in outputs_of(graded, "f")] == ["outside\n"]


def test_a_right_solution_gets_everything_and_is_labelled():
    """The kernel has a say in its points, and the sheet tells so."""
    graded = run()
    assert outcomes(graded) == PASSED
    assert {verdict.mode for verdict in graded.sheet.verdicts} == {Mode.KERNEL}
    assert graded.sheet.versions["kernel"] == "students"
    assert "seccomp" in graded.sheet.versions["walls"]
    assert all(verdict.mode.is_self_reported and verdict.seed for verdict in graded.sheet.verdicts)


def test_a_wrong_function_costs_what_it_costs_in_nbgrader():
    """Errors and numbers are priced alike, from the same outputs; and so is a warning, alas."""
    warn = "def f(x):\n    import sys\n    print('!', file=sys.stderr)\n    return x + 1"
    graded = run(f=warn, g="def g(x):\n    return 2")
    assert points(graded) == {"test_f": 0, "test_g": 1, "test_both": 0}
    executed = nbformat.reads(graded.notebook.decode(), 4)
    stock = {c.id: determine_grade(c)[0] for c in executed.cells if c.metadata.nbgrader.get("grade")}
    assert stock == points(graded)


def test_what_the_student_changed_in_test_cells_and_their_tags_does_not_count():
    """A tag in the student's copy would have nbgrader skip a test, and give it all points."""
    graded = run(tags=TESTS, f="def f(x):\n    return 0", test_f="pass", test_both="pass")
    assert outcomes(graded) == PASSED | {"test_f": Outcome.FAILED, "test_both": Outcome.FAILED}
    assert len(graded.sheet.repairs) == 2


@pytest.mark.parametrize("instructor", [b"{", b'{"nbformat": 3, "cells": []}'])
def test_an_instructors_file_that_is_no_notebook_is_the_authors_fault(instructor):
    """It is said as for cells that are examined, in a sentence with the next step."""
    with pytest.raises(BadSource, match=r"the instructor.s notebook: .*; .*save it"):
        run(instructor)


def test_a_test_that_was_not_run_is_never_full_marks():
    """Where the instructor has it skipped, a person has to say what it is worth."""
    graded = run(notebook(tags=["test_f"]))
    assert outcomes(graded) == PASSED | {"test_f": Outcome.INCONCLUSIVE}
    assert any(verdict.outcome.is_open for verdict in graded.sheet.verdicts)


def test_a_cell_that_ends_the_kernel_says_so():
    """In the executed notebook, where the student's own cell stands."""
    graded = run(g="import os\nos._exit(0)")
    assert outcomes(graded) == PASSED | {"test_g": Outcome.CRASHED, "test_both": Outcome.CRASHED}
    assert [output["ename"] for output in outputs_of(graded, "g")] == ["crashed"]


def test_a_function_that_ends_the_kernel_costs_all_that_comes_after():
    """There is no other process to go on in; what was answered before stays."""
    graded = run(g="import os\ndef g(x):\n    os._exit(0)")
    crashed = {"test_g": Outcome.CRASHED, "test_both": Outcome.CRASHED}
    assert outcomes(graded) == PASSED | crashed
    assert "ended the process" in graded.sheet.verdicts[1].message


def test_a_kernel_that_grows_too_large_is_ended_and_the_sheet_says_so():
    """What one process may map is more than all together may have; examiner looks from outside."""
    grow = "def g(x):\n    hold = []\n    while True:\n        hold.append(bytearray(1 << 20) * 500)"
    too_large = {"test_g": Outcome.OUT_OF_MEMORY, "test_both": Outcome.OUT_OF_MEMORY}
    assert outcomes(run(g=grow)) == PASSED | too_large


def test_a_function_that_hangs_is_interrupted_and_the_next_cell_runs():
    """As nbgrader does it, within the time of a cell."""
    graded = run(seconds=3, f="def f(x):\n    while x == 2: pass\n    return x + 1")
    assert outcomes(graded) == PASSED | {"test_f": Outcome.TIMEOUT, "test_both": Outcome.TIMEOUT}


def test_a_function_that_cannot_be_interrupted_costs_all_that_comes_after():
    """Nobody waits for it cell by cell."""
    graded = run(seconds=3, g=f"def g(x):\n    {LOOP}")
    assert outcomes(graded) == PASSED | {"test_g": Outcome.TIMEOUT, "test_both": Outcome.TIMEOUT}


def test_the_time_of_the_whole_notebook_is_bounded():
    """Cells that each stay within their own time add up."""
    graded = run(f="import time\ndef f(x): return x + 1\ntime.sleep(2)", limit=1)
    assert outcomes(graded) == dict.fromkeys(TESTS, Outcome.TIMEOUT)


def test_a_flood_of_outputs_is_cut_off():
    """What is kept goes into the executed notebook, and through our memory."""
    flood = "for _ in range(100):\n    print('x' * 100_000)"
    graded = run(f=f"def f(x):\n    return x + 1\n{flood}", test_f=flood)
    assert outcomes(graded) == PASSED
    [output] = outputs_of(graded, "f")
    assert output["ename"] == "OutputLimit"


def test_a_message_that_is_too_large_is_not_taken_in():
    """The kernel is not heard from that on, and what it has answered before stays."""
    graded = run(seconds=3, g="def g(x):\n    return 2 * x\nprint('x' * 100_000_000)")
    assert outcomes(graded) == dict.fromkeys(TESTS, Outcome.TIMEOUT) | {"test_f": Outcome.PASSED}


def test_messages_that_make_no_sense_cost_the_one_who_sends_them():
    """They are signed, since a kernel's process knows its own key."""
    send = (
        "k = get_ipython().kernel\n"
        "k.session.send(k.iopub_socket, 'status', content={}, parent=k.get_parent())\n"
    )
    graded = run(g=f"def g(x):\n    return 2 * x\n{send}")
    assert outcomes(graded) == dict.fromkeys(TESTS, Outcome.TAMPERED) | {"test_f": Outcome.PASSED}


def test_the_text_of_a_test_is_not_there_before_its_turn():
    """Neither in a file nor in the kernel's memory."""
    look = (
        "import gc, os\n"
        f"words = '{CANARY[:6]}' + '{CANARY[6:]}'\n"
        "texts = [text for text in gc.get_objects() if isinstance(text, str)] + In\n"
        "names = [os.path.join(p, n) for p, _, ns in os.walk(os.path.expanduser('~/..')) for n in ns]\n"
        "files = [open(name, 'rb').read() for name in names if os.path.isfile(name)]\n"
        "sum(words in t for t in texts[:-1]), sum(words.encode() in f for f in files)"
    )
    graded = run(f=f"def f(x):\n    return x + 1\n{look}")
    assert outcomes(graded) == PASSED
    assert outputs_of(graded, "f")[0]["data"]["text/plain"] == "(0, 0)"


def test_files_lie_beside_the_notebook():
    """Data, and modules that the student has written."""
    graded = run(f="from own import f", files={"own.py": b"def f(x):\n    return x + 1\n", "a/b.txt": b""})
    assert outcomes(graded) == PASSED


def test_a_kernel_of_another_language_is_priced_by_its_outputs():
    """This one says each cell as its value: no number, so nbgrader gives all points."""
    graded = run(notebook(test_f="0.5"), kernel="echo")
    assert points(graded) == {"test_f": 0.5, "test_g": 2, "test_both": 2}


def test_a_kernel_that_does_not_come_up_is_our_fault():
    """With what it said last, since nobody else has heard it."""
    with pytest.raises(NoKernel, match="no kernel today"):
        run(kernel="broken")


def test_a_kernel_that_jupyter_does_not_know_is_missing():
    """It is nobody's zero."""
    with pytest.raises(MissingEnvironment, match="Jupyter does not know this kernel"):
        run(kernel="no-such-kernel")
