"""The runner of notebooks: what it records, what it bounds, what it leaves behind."""

import json
from pathlib import Path

import nbformat
import pytest
from nbgrader.preprocessors import Execute
from nbgrader.utils import determine_grade

from examiner.candidate.runner import BrokenServer, Run, Server, Servers
from examiner.errors import MissingEnvironment
from examiner.model import Limits
from examiner.points import points_of

PYTHON = Path(__file__).parents[2] / ".venv-student" / "bin" / "python"
FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(PYTHON, tmp_path_factory.mktemp("home")) as server:
        yield server


def outputs(server, *cells, **options):
    """Return the outputs of each cell of one run."""
    return [list(cell.outputs) for cell in server.run(Run(cells, **options))]


def outcomes(server, *cells, **options):
    """Return the outcome of each cell of one run."""
    return [cell.outcome for cell in server.run(Run(cells, **options))]


def test_a_stream_is_one_output_until_something_else_comes_between(server):
    """As a notebook shows it: text, then the display, then text again."""
    cell = "import sys\nprint(1)\nprint(2)\nprint('!', file=sys.stderr)\ndisplay(3)\nprint(4)"
    kinds = [(each["output_type"], each.get("name"), each.get("text")) for each in outputs(server, cell)[0]]
    assert kinds == [
        ("stream", "stdout", "1\n2\n"),
        ("stream", "stderr", "!\n"),
        ("display_data", None, None),
        ("stream", "stdout", "4\n"),
    ]


def test_text_that_bypasses_python_is_recorded(server):
    """A kernel watches the descriptors too, and stderr of a program started by a cell costs its points."""
    cell = "import os, subprocess\nos.write(1, b'raw ')\nsubprocess.run(['sh', '-c', 'echo oh >&2'])\nNone"
    texts = {each["name"]: each["text"] for each in outputs(server, cell)[0]}
    assert texts == {"stdout": "raw ", "stderr": "oh\n"}


def test_the_last_expression_is_the_result_unless_a_semicolon_follows(server):
    """`award(…)` as the last line is how a grade cell gives partial credit."""
    first, second, third = outputs(server, "1 + 1.5", "1 + 1;", "Out[1]")
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


def test_an_error_carries_its_name_text_and_traceback(server):
    """Feedback shows them where the test is a visible one."""
    [[error]] = outputs(server, "def f():\n    raise ValueError('no')\nf()")
    assert (error["output_type"], error["ename"], error["evalue"]) == ("error", "ValueError", "no")
    assert "raise" in "".join(error["traceback"])


@pytest.mark.parametrize("cell", ["1 +", "import sys; sys.exit(0)", "await 3", "input()", "%nonsense"])
def test_what_cannot_run_gets_no_points(server, cell):
    """No output would be full marks."""
    assert points_of(outputs(server, cell)[0], 1.0) == 0


def test_magics_and_await_work_as_in_a_kernel(server):
    """Students write them, and the shell is IPython's own."""
    timed, shown, awaited = outputs(
        server, "%%time\n3", "!echo hello", "import asyncio\nawait asyncio.sleep(0, 5)"
    )
    assert timed[-1]["data"] == {"text/plain": "3"}
    assert shown[0]["text"].strip() == "hello"
    assert awaited[0]["data"] == {"text/plain": "5"}


def test_a_figure_is_displayed_when_its_cell_ends(server):
    """The inline backend of a notebook, without a line that asks for it."""
    [[figure]] = outputs(server, "import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert figure["output_type"] == "display_data"
    assert figure["data"]["image/png"].startswith("iVBOR")


def test_a_display_can_be_updated_from_a_later_cell(server):
    """Progress bars do that."""
    first, second = outputs(server, "shown = display('old', display_id=True)", "shown.update('new')")
    assert first[0]["data"] == {"text/plain": "'new'"}
    assert second == []


@pytest.mark.parametrize(("wait", "left"), [("False", []), ("True", ["before\n"])])
def test_clear_output_clears_at_once_or_with_the_next_output(server, wait, left):
    """A waiting clear without anything after it leaves what was there."""
    cell = f"from IPython.display import clear_output\nprint('before')\nclear_output(wait={wait})"
    assert [each["text"] for each in outputs(server, cell)[0]] == left


def test_a_flood_of_text_is_cut(server):
    """A loop that prints would otherwise fill the memory of the process that grades."""
    [[stream]] = outputs(server, "for _ in range(3000): print('x' * 1000)")
    assert 1_000_000 <= len(stream["text"]) < 1_001_000
    assert "cut after" in stream["text"]


def test_text_that_is_no_unicode_is_replaced(server):
    """Half a surrogate pair cannot be written into a notebook."""
    [[stream]] = outputs(server, "print('\\ud800')")
    assert stream["text"] == "?\n"


def test_a_hanging_cell_is_interrupted_and_the_next_one_runs(server):
    """An endless loop costs the cells that reach it, not the others."""
    hang = "while True: pass"
    assert outcomes(server, "x = 1", hang, "x + 1", limits=Limits(cell_seconds=1)) == [
        "finished",
        "timeout",
        "finished",
    ]


def test_a_cell_that_swallows_its_interrupt_still_has_an_error(server):
    """Points need positive evidence: `except BaseException: pass` must not turn a hang into full marks."""
    cell = "import time\ntry:\n    time.sleep(60)\nexcept BaseException:\n    pass"
    [result] = server.run(Run((cell,), limits=Limits(cell_seconds=1)))
    assert result.outcome == "timeout"
    assert result.outputs[-1]["ename"] == "CellTimeout"


def test_a_cell_that_ignores_its_interrupt_is_killed_and_the_rest_counts_as_errors(server):
    """What did not run gets no points."""
    cells = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", "1"
    results = server.run(Run(cells, limits=Limits(cell_seconds=1)))
    assert [each.outcome for each in results] == ["timeout", "not run"]
    assert [each.outputs[-1]["output_type"] for each in results] == ["error", "error"]


def test_all_cells_together_have_a_limit(server):
    """Twenty cells of nine seconds each would otherwise be three minutes within the rules."""
    nap = "import time\ntime.sleep(0.7)"
    result = outcomes(server, nap, nap, nap, nap, limits=Limits(cell_seconds=5, notebook_seconds=1))
    assert result == ["finished", "timeout", "not run", "not run"]


@pytest.mark.parametrize(
    "cell", ["import os\nos._exit(0)", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"]
)
def test_a_dead_process_is_an_error_in_the_cell_that_killed_it(server, cell):
    """And the server lives on."""
    assert outcomes(server, "1", cell, "2") == ["finished", "crashed", "not run"]
    assert outcomes(server, "1") == ["finished"]


def test_memory_is_bounded(server):
    """A mistake in a shape must not take the machine down."""
    [[error]] = outputs(server, "bytearray(1 << 40)")
    assert error["ename"] == "MemoryError"


def test_nothing_is_left_running(server):
    """A process that leaves its session and loses its parent is found and killed all the same."""
    cell = (
        "import os, time\n"
        "reading, writing = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        os.write(writing, str(os.getpid()).encode())\n"
        "        time.sleep(600)\n"
        "    os._exit(0)\n"
        "print(os.read(reading, 20).decode())"
    )
    [[stream]] = outputs(server, cell)
    assert not Path("/proc", stream["text"].strip()).exists()


def test_runs_share_nothing(server):
    """Neither names, modules, files, the working folder nor the state of random numbers."""
    leave = "left = 1\nimport sys\nsys.modules['numpy'] = None\nopen('file', 'w').close()"
    look = "import os, numpy as np\nprint('left' in globals(), os.listdir())\nprint(np.random.random())"
    server.run(Run((leave,)))
    first, second = outputs(server, look), outputs(server, look)
    assert first[0][0]["text"].startswith("False []\n")
    assert first != second


def test_files_and_variables_of_a_run_are_there(server):
    """The parts of the reference that an assignment allows lie beside its notebook."""
    cell = "import os, part.inner\nprint(part.inner.x, os.environ['EXAMINER_SEED'])"
    files = {"part/__init__.py": b"", "part/inner.py": b"x = 5"}
    [[stream]] = outputs(server, cell, files=files, environment={"EXAMINER_SEED": "7"})
    assert stream["text"] == "5 7\n"


def test_a_candidate_finds_nothing_of_the_instructor(server):
    """Neither examiner nor nbgrader, and no variable of the process that grades."""
    names = "examiner", "nbgrader", "recording"
    cell = f"import importlib.util as u, os\nprint([u.find_spec(n) for n in {names}], sorted(os.environ))"
    [[stream]] = outputs(server, cell)
    assert stream["text"].startswith("[None, None, None]")
    assert not {"USER", "PYTHONPATH", "VIRTUAL_ENV"} & set(stream["text"].split("'"))


def test_many_servers_answer_in_the_order_of_the_runs(tmp_path):
    """Labels and results stay together whoever is first."""
    runs = [(n, Run((f"import time\ntime.sleep({0.2 - n / 20})\n{n}",))) for n in range(4)]
    with Servers(PYTHON, tmp_path, 2) as servers:
        answers = [
            (label, cells[0].outputs[0]["data"]["text/plain"]) for label, cells in servers.run_all(runs)
        ]
    assert answers == [(n, str(n)) for n in range(4)]


def test_a_missing_environment_is_said_before_anything_runs(tmp_path):
    """The next step stands in the sentence."""
    with pytest.raises(MissingEnvironment, match="not there; run"):
        Server(tmp_path / "python", tmp_path)


def test_a_server_that_ends_is_a_fault_of_the_platform(tmp_path):
    """It is never a student's zero."""
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nexit 0\n")
    stand_in.chmod(0o755)
    with Server(stand_in, tmp_path) as server, pytest.raises(BrokenServer, match="does not answer"):
        server.run(Run(("1",)))


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
def test_the_points_are_those_of_nbgraders_kernel(server, kernel, tmp_path):
    """Every kind of output, run by nbgrader itself and by the runner.

    What bypasses Python is left out: a kernel delivers it late, and often to no cell at all.
    """
    notebook = nbformat.read(FIXTURES / "outputs.ipynb", 4)
    sources = tuple(cell.source for cell in notebook.cells)
    seconds = 10  # a busy machine may take a few for the first figure; one cell never ends
    Execute(timeout=seconds, kernel_name=kernel).preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    theirs = [determine_grade(cell)[0] for cell in notebook.cells]
    runs = server.run(Run(sources, limits=Limits(cell_seconds=seconds)))
    ours = [points_of(cell.outputs, 4.0) for cell in runs]
    assert ours == theirs
    assert {0.0, 1.5, 4.0} <= set(ours)
