"""What a candidate records of its cells, and that it prices them as nbgrader's kernel would."""

import json
import re
from itertools import groupby
from pathlib import Path

import nbformat
import pytest
from nbgrader.preprocessors import Execute
from nbgrader.utils import determine_grade

from examiner.examine.engine import Engine, Job
from examiner.examine.pricing import points_of
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, Mode, TimeLimits

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
FIXTURES = Path(__file__).parents[1] / "fixtures"
MAX_POINTS = 4.0


@pytest.fixture(scope="module")
def engine():
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        yield engine


def cell(number, source, marks):
    """Return a code cell as JSON."""
    metadata = {"nbgrader": {"schema_version": 3, "grade_id": f"c{number}", **marks}} if marks else {}
    blank = {"cell_type": "code", "execution_count": None, "outputs": []}
    return {**blank, "id": f"c{number}", "metadata": metadata, "source": source}


def graded(engine, sources, marks, modes=(), seconds=10, files=None):  # noqa: PLR0913, PLR0917
    """Return what the engine makes of a notebook with these cells."""
    cells = [cell(number, source, marks) for number, source in enumerate(sources)]
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook = json.dumps(document).encode()
    identity = Identity("course", "student", "assignment", "", GradeKey("digest", "", ""))
    return engine.run(
        Job(identity, notebook, notebook, files or {}, TimeLimits(seconds), dict.fromkeys(modes, Mode.KERNEL))
    )


def outputs(engine, *sources, files=None, seconds=10):
    """Return the outputs of each of a student's cells."""
    executed = json.loads(graded(engine, sources, {}, files=files, seconds=seconds).notebook)
    return [cell["outputs"] for cell in executed["cells"]]


def points(engine, *sources, seconds=10):
    """Return the points of each cell, as one that tests in the kernel."""
    marks = {"grade": True, "solution": False, "locked": True, "task": False, "points": MAX_POINTS}
    modes = [f"c{number}" for number in range(len(sources))]
    return [verdict.points for verdict in graded(engine, sources, marks, modes, seconds).sheet.verdicts]


def test_a_stream_is_one_output_until_something_else_comes_between(engine):
    """As a notebook shows it: text, then the display, then text again."""
    cell = "import sys\nprint(1)\nprint(2)\nprint('!', file=sys.stderr)\ndisplay(3)\nprint(4)"
    kinds = [
        (output["output_type"], output.get("name"), output.get("text")) for output in outputs(engine, cell)[0]
    ]
    assert kinds == [
        ("stream", "stdout", "1\n2\n"),
        ("stream", "stderr", "!\n"),
        ("display_data", None, None),
        ("stream", "stdout", "4\n"),
    ]


def test_text_that_bypasses_python_is_recorded(engine):
    """A kernel watches the descriptors too, and stderr of a program started by a cell costs its points."""
    cell = "import os, subprocess\nos.write(1, b'raw ')\nsubprocess.run(['sh', '-c', 'echo oh >&2'])\nNone"
    texts = {output["name"]: output["text"] for output in outputs(engine, cell)[0]}
    assert texts == {"stdout": "raw ", "stderr": "oh\n"}


def test_the_last_expression_is_the_result_unless_a_semicolon_follows(engine):
    """`award(…)` as the last line is how a grade cell gives partial credit."""
    first, second, third = outputs(engine, "1 + 1.5", "1 + 1;", "Out[1]")
    assert first == [
        {
            "output_type": "execute_result",
            "data": {"text/plain": "2.5"},
            "metadata": {},
            "execution_count": 1,
        }
    ]
    assert second == []
    assert third[0]["execution_count"] == 3


def test_an_error_carries_its_name_text_and_traceback(engine):
    """Feedback shows them where the test is a visible one."""
    [[error]] = outputs(engine, "def f():\n    raise ValueError('no')\nf()")
    assert (error["output_type"], error["ename"], error["evalue"]) == ("error", "ValueError", "no")
    assert "raise" in "".join(error["traceback"])


@pytest.mark.parametrize("cell", ["1 +", "import sys; sys.exit(0)", "await 3", "input()", "%nonsense"])
def test_what_cannot_run_gets_no_points(engine, cell):
    """No output would be full marks."""
    assert points(engine, cell) == [0.0]


def test_magics_and_await_work_as_in_a_kernel(engine):
    """Students write them, and the shell is IPython's own."""
    timed, shown, awaited = outputs(
        engine, "%%time\n3", "!echo hello", "import asyncio\nawait asyncio.sleep(0, 5)"
    )
    assert timed[-1]["data"] == {"text/plain": "3"}
    assert shown[0]["text"].strip() == "hello"
    assert awaited[0]["data"] == {"text/plain": "5"}


def test_a_figure_is_displayed_when_its_cell_ends(engine):
    """The inline backend of a notebook, without a line that asks for it."""
    [[figure]] = outputs(engine, "import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert figure["output_type"] == "display_data"
    assert figure["data"]["image/png"].startswith("iVBOR")


def test_a_figure_that_nobody_expected_is_the_same():
    """What draws is imported beforehand only where a notebook may need it, the checks beside it aside."""
    drawn, secret = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);", '"matpl" "otlib"'
    unexpected = f'plt = __import__({secret} ".pyp" "lot", fromlist=[""])\ngetattr(plt, "pl" "ot")([1, 2]);'
    is_there = f"import sys\n{secret} in sys.modules"
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        checks = {"examiner_checks/performance.py": b"def speed():\n    pass\n"}
        [[before], [*_, figure]] = outputs(engine, is_there, unexpected, files=checks)
        [[after], [expected]] = outputs(engine, is_there, drawn)
    assert [output["data"]["text/plain"] for output in (before, after)] == ["False", "True"]
    assert figure == expected


def test_a_display_can_be_updated_from_a_later_cell(engine):
    """Progress bars do that."""
    first, second = outputs(engine, "shown = display('old', display_id=True)", "shown.update('new')")
    assert first[0]["data"] == {"text/plain": "'new'"}
    assert second == []


@pytest.mark.parametrize(("wait", "left"), [("False", []), ("True", ["before\n"])])
def test_clear_output_clears_at_once_or_with_the_next_output(engine, wait, left):
    """A waiting clear without anything after it leaves what was there."""
    cell = f"from IPython.display import clear_output\nprint('before')\nclear_output(wait={wait})"
    assert [output["text"] for output in outputs(engine, cell)[0]] == left


def test_a_flood_of_text_is_cut(engine):
    """A loop that prints would otherwise fill the memory of the process that grades."""
    [[stream]] = outputs(engine, "for _ in range(3000): print('x' * 1000)")
    assert 1_000_000 <= len(stream["text"]) < 1_001_000
    assert "cut after" in stream["text"]


def test_text_that_is_no_unicode_is_replaced(engine):
    """Half a surrogate pair cannot be written into a notebook."""
    [[stream]] = outputs(engine, "print('\\ud800')")
    assert stream["text"] == "?\n"


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Register the student environment as a kernel, as Jupyter knows it."""
    folder = tmp_path / "kernels" / "student"
    folder.mkdir(parents=True)
    argv = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "student", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    return "student"


@pytest.mark.course
def test_the_points_are_those_of_nbgraders_kernel(engine, kernel, tmp_path):
    """Every kind of output, run by nbgrader itself and by a candidate.

    What bypasses Python is left out: a kernel delivers it late, and often to no cell at all.
    """
    notebook = nbformat.read(FIXTURES / "outputs.ipynb", 4)
    # A busy machine may take seconds for the first figure; what never ends need not take as long.
    notebook.cells.sort(key=never_ends)
    execute = Execute(kernel_name=kernel, timeout_func=lambda cell: 1 if never_ends(cell) else 10)
    execute.preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    for output in (output for cell in notebook.cells for output in cell.outputs):
        if "text/plain" in output.get("data", {}):  # NumPy 2 writes numbers so that nbgrader reads none
            output.data["text/plain"] = re.sub(r"^np\.\w+\((.*)\)$", r"\1", output.data["text/plain"])
    theirs = [determine_grade(cell)[0] for cell in notebook.cells]
    ending, endless = ([cell.source for cell in cells] for _, cells in groupby(notebook.cells, never_ends))
    shown = outputs(engine, *ending) + outputs(engine, *endless, seconds=1)
    ours = [points_of(cell_outputs, MAX_POINTS) for cell_outputs in shown]
    assert ours == theirs
    assert {0.0, 1.5, 4.0} <= set(ours)


def never_ends(cell):
    """Whether a cell has to be interrupted."""
    return "while True" in cell.source


def test_a_cell_that_swallows_its_interrupt_has_an_error_all_the_same(engine):
    """Points need positive evidence: `except BaseException: pass` must not turn a hang into full marks."""
    hang = "import time\ntry:\n    time.sleep(60)\nexcept BaseException:\n    pass"
    assert points(engine, hang, "1;", seconds=1) == [0.0, MAX_POINTS]
