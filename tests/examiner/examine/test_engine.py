"""One submission after another, in real processes behind real walls: what each cell gets, come what may."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from examiner.box import usage
from examiner.box.limits import ResourceLimits as Bounds
from examiner.box.walls import Walls, available
from examiner.errors import UnreadableNotebook
from examiner.examine.engine import Engine, Job
from examiner.examine.server import BrokenServer, SandboxSettings
from examiner.model import GradeKey, Identity, Mode, TimeLimits
from examiner.verdict import Outcome
from tests.turns import in_turn

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
CANARY = "canary-engine"
SOURCES = {
    "f": "def f(x):\n    return x + 1",
    "test_f": f"assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(2) == 3, '{CANARY}'\n### END HIDDEN TESTS",
    "g": "def g(x):\n    return 2 * x",
    "test_g": f"assert g(1) == 2\n### BEGIN HIDDEN TESTS\nassert g(3) == 6, '{CANARY}'\n### END HIDDEN TESTS",
    "test_both": "assert f(g(1)) == 3",
}
TESTS = ("test_f", "test_g", "test_both")
PASSED = dict.fromkeys(TESTS, Outcome.PASSED)

ENDS = {
    "exit": "import ctypes\nctypes.CDLL(None)._exit(1)",
    "a signal": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "no end": "import signal\nwhile True:\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])",
    "nonsense": "import os\nfor n in range(4096):\n    try: os.write(n, b'x' * 99)\n    except OSError: pass",
}


def notebook(**changed):
    """Return a notebook of two functions and three tests, with some sources changed, others added behind."""
    cells = []
    for name, source in (SOURCES | changed).items():
        marks = {"grade_id": name, "schema_version": 3, "points": 2, "grade": name in TESTS}
        marks |= {"solution": name in {"f", "g"}, "locked": name in TESTS}
        metadata = {"nbgrader": marks} if name in SOURCES else {}
        cells.append({"cell_type": "code", "id": name, "metadata": metadata, "source": source, "outputs": []})
        cells[-1]["execution_count"] = None
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture(scope="module")
def engine():
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        yield engine


def job(instructor=None, modes=None, files=None, seconds=30, **changed):
    """Return the job of a student who has handed in a notebook with these changes.

    A cell has time enough on a machine that is busy; where something hangs, the test says so and waits less.
    """
    submitted = notebook(**changed)
    key = GradeKey(hashlib.sha256(submitted).hexdigest(), "assignment", "environment")
    identity = Identity("course", "student", "ps1", "1", key)
    limits = TimeLimits(cell_seconds=seconds, notebook_seconds=60)
    return Job(identity, instructor or notebook(), submitted, files or {}, limits, modes or {})


def outcomes(graded):
    """Return what each grade cell got."""
    return {verdict.grade_id: verdict.outcome for verdict in graded.sheet.verdicts}


def outputs_of(graded, cell):
    """Return the outputs of one cell of the executed notebook."""
    [found] = [entry for entry in json.loads(graded.notebook)["cells"] if entry["id"] == cell]
    return found["outputs"]


def text(graded, cell):
    """Return what one cell printed."""
    return "".join(output.get("text", "") for output in outputs_of(graded, cell))


def test_a_right_solution_gets_everything(engine):
    """And nothing is said about it but what it is worth."""
    graded = engine.run(job())
    assert outcomes(graded) == PASSED
    assert graded.sheet.points == 6
    assert graded.sheet.repairs == ()
    assert [verdict.mode for verdict in graded.sheet.verdicts] == [Mode.EXAMINED] * 3
    assert graded.sheet.versions.keys() == {"examiner", "python", "numpy", "walls"}
    assert all(graded.sheet.versions.values())


def test_a_wrong_function_costs_the_cells_that_use_it(engine):
    """The cell that asks nothing of it keeps its points."""
    graded = engine.run(job(g="def g(x):\n    return 2"))
    assert outcomes(graded) == PASSED | {"test_g": Outcome.FAILED}


def test_a_function_that_kills_its_process_costs_the_cells_that_call_it(engine):
    """Each cell has a snapshot of its own, so what comes after is not touched."""
    graded = engine.run(job(f="import os\ndef f(x):\n    os._exit(0)", test_both="g(1)"))
    crashed = {"test_f": Outcome.CRASHED, "test_both": Outcome.CRASHED}
    assert outcomes(graded) == PASSED | crashed


def test_a_function_that_talks_nonsense_costs_the_cells_that_call_it(engine):
    """It can reach no other line than that of the cell by which it is called."""
    writes = "for n in range(3, 64):\n        try: os.write(n, bytes(64))\n        except OSError: pass"
    f = f"import os\ndef f(x):\n    {writes}\n    return x"
    assert outcomes(engine.run(job(f=f))) == {
        "test_f": Outcome.TAMPERED,
        "test_g": Outcome.PASSED,
        "test_both": Outcome.TAMPERED,
    }


def test_a_function_that_hangs_costs_the_cells_that_call_it(engine):
    """The time is the worker's, whatever the function does to its own alarms."""
    hang = "import signal\ndef f(x):\n    signal.alarm(0)\n    while True:\n        pass"
    assert outcomes(engine.run(job(seconds=2, f=hang))) == PASSED | {
        "test_f": Outcome.TIMEOUT,
        "test_both": Outcome.TIMEOUT,
    }


def test_what_a_function_changes_while_it_is_tested_is_not_there_in_the_next_cell(engine):
    """Else one test could be answered by what was learned in another."""
    count = "calls = []\ndef f(x):\n    calls.append(x)\n    return x + 1 if len(calls) < 3 else 0"
    assert outcomes(engine.run(job(f=count))) == PASSED


def test_a_cell_that_takes_too_long_is_interrupted_and_the_next_one_runs(engine):
    """As a kernel is interrupted: what was defined before stays."""
    slow = "def f(x):\n    return x + 1\nimport time\ntry:\n    time.sleep(60)\nexcept Exception:\n    pass"
    graded = engine.run(job(seconds=2, f=slow))
    assert outcomes(graded) == PASSED
    assert outputs_of(graded, "f")[0]["ename"] == "CellTimeout"


def test_a_cell_that_cannot_be_interrupted_costs_what_comes_after_it(engine):
    """It is killed from outside, and what was examined before stays."""
    deaf = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass"
    graded = engine.run(job(seconds=2, g=deaf))
    lost = {"test_g": Outcome.TIMEOUT, "test_both": Outcome.TIMEOUT}
    assert outcomes(graded) == PASSED | lost
    assert "did not end" in outputs_of(graded, "g")[0]["evalue"]


def test_a_cell_that_ends_the_process_costs_what_comes_after_it(engine):
    """What was examined before stays."""
    graded = engine.run(job(g=ENDS["a signal"]))
    lost = {"test_g": Outcome.CRASHED, "test_both": Outcome.CRASHED}
    assert outcomes(graded) == PASSED | lost
    assert "the student's cell 3 (g) ended the process" in outputs_of(graded, "g")[0]["evalue"]


@pytest.mark.parametrize(
    "leave", ["exit()", "quit()", "import sys\nsys.exit(1)", "raise SystemExit", "import os\nos._exit(0)"]
)
def test_a_cell_that_wants_to_leave_costs_nothing_but_itself(engine, leave):
    """In Jupyter, too, the cells after it run; and the page shows which cell it was."""
    graded = engine.run(job(g=leave, own="print('still here')"))
    assert outcomes(graded) == PASSED | {"test_g": Outcome.ERROR, "test_both": Outcome.ERROR}
    assert [output["ename"] for output in outputs_of(graded, "g") if "ename" in output] == ["SystemExit"]
    assert text(graded, "own") == "still here\n"


def test_a_process_that_reports_nonsense_has_tampered(engine):
    """Its control line is a file like any other, for code that looks for it."""
    forge = "import contextlib, os\nfor n in range(3, 60):\n"
    forge += "    with contextlib.suppress(OSError):\n        os.write(n, b'\\0' * 64)"
    graded = engine.run(job(f=forge))
    assert set(outcomes(graded).values()) <= {Outcome.TAMPERED, Outcome.CRASHED}
    assert graded.sheet.points == 0


def test_no_cell_can_read_the_hidden_tests(engine):
    """They are not in the student's process, nor in any file that it can reach."""
    look = (
        "import gc, os\n"
        "found = [each for each in gc.get_objects() if type(each) is str and 'canary' + '-eng' in each]\n"
        "print(In, found, os.listdir('.'), os.environ)\n"
        "for folder in ('/work', '/root', '/home', '/proc'):\n"
        "    print(os.path.isdir(folder) and os.listdir(folder))"
    )
    graded = engine.run(job(own=look))
    assert outcomes(graded) == PASSED
    assert CANARY not in text(graded, "own")
    assert "### BEGIN HIDDEN" not in text(graded, "own")


def test_examiner_cannot_be_imported_and_what_lies_beside_the_notebook_can(engine):
    """Students get the allowed parts, and not what judges them."""
    cell = (
        "import part.of\nprint(part.of.it)\ntry:\n    import examiner\nexcept ImportError:\n    print('none')"
    )
    files = {"part/__init__.py": b"", "part/of.py": b"it = 'there'"}
    assert text(engine.run(job(files=files, own=cell)), "own") == "there\nnone\n"


HIDDEN = ("jupyter", "pip", "examiner_checks", "nowhere_at_all")
FIND_HIDDEN = f"""
import importlib, subprocess, sys
from pathlib import Path
for name in {HIDDEN!r}:
    try:
        print(importlib.import_module(name).__file__)
    except ModuleNotFoundError as error:
        print(error)
files = [*Path(importlib.import_module('IPython').__file__).parents[1].rglob('*')]
readable = []
for path in files:
    if any(part.split('.')[0] in {HIDDEN!r} for part in path.parts):
        try:
            readable.append(path.is_file() and path.read_text() or '')
        except (OSError, UnicodeDecodeError):
            pass
print({{text for text in readable if text and 'ModuleNotFoundError' not in text}})
"""


@pytest.mark.parametrize("walls", [None, Walls(namespaces=False, landlock=6, seccomp=True)])
def test_what_is_hidden_can_be_neither_imported_nor_read(walls):
    """A stock course's student environment is the instructor's: nbgrader and the reference are in it."""
    cells = {"own": FIND_HIDDEN, "again": "import tornado\nprint(tornado.__name__)"}
    with Engine(SandboxSettings(PYTHON, walls, hidden=HIDDEN), b"secret") as engine:
        graded = engine.run(job(**cells))
        beside = engine.run(job(files={"pip/__init__.py": b"mine = 1"}, own="import pip\nprint(pip.mine)"))
    refused = [f"No module named {name!r}" for name in HIDDEN]
    assert text(graded, "own").splitlines() == [*refused, "set()"]
    assert text(graded, "again") == "tornado\n"
    assert text(beside, "own") == "1\n"  # the parts that an assignment allows have the reference's name


def test_nothing_stays_for_the_next_candidate(engine):
    """Not a file, not a module, not a variable, not a state of chance."""
    leave = "open('left', 'w').close(); open('/tmp/left', 'w').close()\nimport math; math.pi = 3\nleft = 1"
    engine.run(job(own=leave))
    look = "import math, os, random\nfiles = [*os.listdir('.'), *os.listdir('/tmp')]\n"
    look += "print('left' in files, math.pi, 'left' in dir())\n"
    first = engine.run(job(own=look + "print(random.random())"))
    again = engine.run(job(own=look + "print(random.random())"))
    assert text(first, "own").startswith("False 3.14")
    assert text(first, "own").split("\n")[0].endswith("False")
    assert text(first, "own") == text(again, "own")


def test_a_dead_server_is_our_fault_and_the_next_job_gets_a_new_one(started):
    """A student must not lose a point by it, so there is no sheet at all."""
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        engine.run(job())
        _keeper, server, *_ = started()
        os.kill(server, signal.SIGKILL)
        with pytest.raises(BrokenServer):
            engine.run(job())
        assert outcomes(engine.run(job())) == PASSED


def test_a_program_that_is_no_python_is_our_fault_and_leaves_nothing_behind(started):
    """It may have ended before it is told anything, as it mostly has where both share a processor."""
    processors, settings = os.sched_getaffinity(0), SandboxSettings(Path("/bin/false"))
    os.sched_setaffinity(0, {min(processors)})
    try:
        for _ in range(10):
            with Engine(settings, b"secret") as engine, pytest.raises(BrokenServer):
                engine.run(job())
    finally:
        os.sched_setaffinity(0, processors)
    assert not started()


@pytest.mark.parametrize("walls", [Walls(namespaces=False, landlock=6, seccomp=True), Walls(False, 0, False)])
def test_it_grades_the_same_behind_other_walls(walls):
    """Inside most containers there are no namespaces; and who types that he wants none gets none."""
    with Engine(SandboxSettings(PYTHON, walls), b"secret") as engine:
        assert outcomes(engine.run(job())) == PASSED
        assert outcomes(engine.run(job(g=ENDS["a signal"])))["test_f"] == Outcome.PASSED
        assert outcomes(engine.run(job(modes={"test_f": Mode.KERNEL}))) == PASSED


def test_a_course_is_graded_behind_all_walls_unless_somebody_asks_for_those_of_the_machine(tiny):
    """All of them are demanded where none are named; named walls are used, even if they are too few."""
    assert SandboxSettings.of(tiny.course, tiny.course.student).walls is None
    assert SandboxSettings.of(tiny.course, tiny.course.student, unsafe=True).walls == available()
    sandbox = SandboxSettings.of(tiny.course, tiny.course.student, Walls(False, 0, False))
    assert sandbox.walls == Walls(False, 0, False)
    assert (sandbox.python, sandbox.caches) == (tiny.course.student.python, tiny.course.student.caches)


def test_closing_the_engine_ends_the_server(started):
    """Nothing is left of it, whatever it was doing."""
    with Engine(SandboxSettings(PYTHON), b"secret"):
        processes = started()
    assert processes
    assert not [number for number in processes if Path(f"/proc/{number}").exists()]


def test_a_cell_of_the_kernel_runs_in_a_snapshot_and_is_self_reported(engine):
    """Such cells look into the student's process; they are priced as nbgrader does."""
    instructor = notebook(test_f="assert f.__code__.co_argcount == 1", test_g="0.5")
    graded = engine.run(job(instructor, modes={"test_f": Mode.KERNEL, "test_g": Mode.KERNEL}))
    assert outcomes(graded) == PASSED | {"test_g": Outcome.PARTIAL}
    assert [verdict.mode.is_self_reported for verdict in graded.sheet.verdicts] == [True, True, False]
    assert graded.sheet.points == 4.5


def test_a_cell_of_the_kernel_without_a_reply_gets_nothing(engine):
    """In a stock kernel a process that ends itself can leave full marks behind."""
    modes = {"test_f": Mode.KERNEL, "test_g": Mode.KERNEL}
    graded = engine.run(job(modes=modes, f="import os\ndef f(x):\n    os._exit(0)"))
    assert outcomes(graded) == {**PASSED, "test_f": Outcome.CRASHED, "test_both": Outcome.CRASHED}


def test_a_cell_of_the_kernel_that_hangs_is_interrupted(engine):
    """The others are priced all the same."""
    graded = engine.run(job(modes={"test_f": Mode.KERNEL}, seconds=2, f="def f(x):\n    while True: pass"))
    assert outcomes(graded)["test_f"] == Outcome.TIMEOUT
    assert outcomes(graded)["test_g"] == Outcome.PASSED


def test_the_text_of_a_kernel_cell_is_not_passed_on_to_the_students_cells(engine):
    """A snapshot gets it when no other cell runs any more: they share a folder."""
    spy = "def f(x):\n    open('seen', 'a').write(In[-1] + '.')\n    return x + 1"
    # The student's cell waits, as what would leave a trace may take a moment.
    look = "import os, time\ntime.sleep(0.3)\nprint(os.path.exists('seen'))"
    graded = engine.run(job(modes={"test_f": Mode.KERNEL}, f=spy, own=look))
    assert text(graded, "own") == "False\n"
    assert outcomes(graded)["test_f"] == Outcome.PASSED


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", [None, Walls(namespaces=False, landlock=6, seccomp=True)])
def test_snapshots_outlive_the_students_process_however_it_ends(kind, end):
    """What was reached before is judged; the process itself is ended before."""
    with Engine(SandboxSettings(PYTHON, kind), b"secret") as engine:
        graded = engine.run(job(seconds=2 if end == "no end" else 30, g=f"{ENDS[end]}\n{SOURCES['g']}"))
        assert outcomes(graded)["test_f"] == Outcome.PASSED
        assert not {"test_g", "test_both"} & {c for c, o in outcomes(graded).items() if o == Outcome.PASSED}
        assert outcomes(engine.run(job())) == PASSED


def test_a_cell_that_kills_everything_costs_the_snapshots_before_it(engine):
    """They were the student's own processes; what comes behind is examined as ever."""
    graded = engine.run(job(g=f"import os\nos.kill(-1, 9)\n{SOURCES['g']}"))
    assert outcomes(graded) == PASSED | {"test_f": Outcome.CRASHED}


def test_snapshots_of_a_kernel_cell_outlive_a_student_who_ends_the_process(engine):
    """What comes later costs nothing that was reached before."""
    graded = engine.run(job(modes={"test_f": Mode.KERNEL}, own=ENDS["a signal"]))
    assert outcomes(graded) == PASSED


def test_the_executed_notebook_shows_outputs_and_verdicts(engine):
    """It goes to `autograded/`, where formgrader shows it."""
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    graded = engine.run(job(g="def g(x):\n    return 2", own="print('hi')\n1 + 1", plot=plot))
    nbformat.validate(nbformat.reads(graded.notebook.decode(), as_version=4))
    assert [output["output_type"] for output in outputs_of(graded, "own")] == ["stream", "execute_result"]
    assert "image/png" in outputs_of(graded, "plot")[0]["data"]
    assert outputs_of(graded, "test_f") == []
    assert outputs_of(graded, "test_g")[0]["ename"] == "failed"


def test_a_flood_of_outputs_is_cut_and_costs_nothing(engine):
    """The feedback has a limit, the grade has nothing to do with it."""
    flood = "for i in range(3000):\n    display('x' * 5000)"
    graded = engine.run(job(own=flood))
    assert outcomes(graded) == PASSED
    assert outputs_of(graded, "own")[0]["ename"] == "OutputLimit"


def test_what_is_no_notebook_is_the_students_fault(engine):
    """Without a sheet: it cannot be graded, which is not the same as 0 points."""
    with pytest.raises(UnreadableNotebook):
        engine.run(Job(job().identity, notebook(), b"{"))
    with pytest.raises(UnreadableNotebook):
        engine.run(Job(job().identity, notebook(), b"[" * 100_000))


def test_the_same_submission_gets_the_same_seeds(engine):
    """And another one others: nobody can tabulate what is drawn."""
    first, again, other = (engine.run(work).sheet for work in (job(), job(), job(own="1")))
    assert [v.seed for v in first.verdicts] == [v.seed for v in again.verdicts]
    assert not {v.seed for v in first.verdicts} & {v.seed for v in other.verdicts}


GRAB = """
import os, signal
def grab(megabytes):
    held = b"x" * (megabytes << 20)
    while True:
        signal.pause()
"""
SMALL = Bounds(memory_mb=300, together_mb=400)


@pytest.fixture(scope="module", params=in_turn([None, Walls(namespaces=False, landlock=6, seccomp=True)], 2))
def small_engine(request):
    """An engine whose candidates may use little memory."""
    with Engine(SandboxSettings(PYTHON, request.param), b"secret", limits=SMALL) as engine:
        yield engine


# None of its processes takes more than a process may; all of them together do.
GREEDY = f"{GRAB}\ndef f(x):\n    for n in range(4):\n        os.fork() or grab(150)\n    os.wait()\n    "
GREEDY_LOSES = {"test_f": Outcome.OUT_OF_MEMORY, "test_both": Outcome.OUT_OF_MEMORY}


def test_a_function_that_takes_too_much_memory_costs_the_cells_that_call_it(small_engine):
    """Even if it waits for the end of what was killed, and answers as if nothing had been."""
    assert outcomes(small_engine.run(job(f=f"{GREEDY}return x + 1"))) == PASSED | GREEDY_LOSES


@pytest.mark.parametrize("small_engine", [None], indirect=True)
def test_a_function_that_took_too_much_memory_and_hangs_is_told_of_the_memory(small_engine):
    """It is the cause."""
    hanging = small_engine.run(job(f=f"{GREEDY}signal.pause()", seconds=5))
    assert outcomes(hanging) == PASSED | GREEDY_LOSES


def test_a_cell_that_takes_too_much_memory_costs_what_comes_after_it(small_engine):
    """What was examined before stays; the student is told what it was."""
    graded = small_engine.run(job(g=f"{GRAB}\nos.fork() or grab(150)\ngrab(280)"))
    lost = {"test_g": Outcome.OUT_OF_MEMORY, "test_both": Outcome.OUT_OF_MEMORY}
    assert outcomes(graded) == PASSED | lost
    assert "used too much memory" in outputs_of(graded, "g")[0]["evalue"]


# The student's cells wait, since the server looks at memory twenty times a second.
HOLD = "import time\nheld = None\nheld = b'x' * ({} << 20)\ntime.sleep(0.5)\n"


def test_what_takes_most_is_lost_when_a_snapshot_that_waits_has_memory_of_its_own(small_engine):
    """The student's process, then the snapshot: each costs its own cells, and is told why."""
    cells = {"f": HOLD.format(150) + SOURCES["f"], "g": HOLD.format(270) + SOURCES["g"]}
    lost = {"test_g": Outcome.OUT_OF_MEMORY, "test_both": Outcome.OUT_OF_MEMORY}
    assert outcomes(small_engine.run(job(**cells))) == PASSED | lost
    cells = {"f": HOLD.format(270) + SOURCES["f"], "g": HOLD.format(150) + SOURCES["g"]}
    graded = small_engine.run(job(**cells))
    assert outcomes(graded) == PASSED | {"test_f": Outcome.OUT_OF_MEMORY}
    [verdict] = [verdict for verdict in graded.sheet.verdicts if verdict.grade_id == "test_f"]
    assert "used too much memory" in verdict.message


def test_memory_that_snapshots_share_counts_once(small_engine):
    """Three of them and the student's process have 800 MB, and may use 400."""
    graded = small_engine.run(job(f=HOLD.format(200) + SOURCES["f"], own="time.sleep(0.5)"))
    assert outcomes(graded) == PASSED


def test_ten_large_arrays_are_not_too_much(engine):
    """With the limits that a course has: a gigabyte that each of four processes sees."""
    arrays = "import numpy as np\narrays = [np.ones(13_107_200) for _ in range(10)]\n"
    patient = replace(
        job(f=arrays + SOURCES["f"], own="import time; time.sleep(0.5)"), limits=TimeLimits(20, 60)
    )
    assert outcomes(engine.run(patient)) == PASSED


def test_a_process_that_may_not_have_more_memory_is_told_so_by_python(small_engine):
    """Then the cell goes on, as it does in a student's kernel."""
    graded = small_engine.run(job(own="try:\n    bytes(400 << 20)\nexcept MemoryError:\n    print('no')"))
    assert outcomes(graded) == PASSED
    assert text(graded, "own") == "no\n"
    in_kernel = small_engine.run(job(modes={"test_f": Mode.KERNEL}, f="def f(x):\n    bytes(400 << 20)"))
    assert outcomes(in_kernel)["test_f"] == Outcome.OUT_OF_MEMORY


PROCESSORS = "import os; print(len(os.sched_getaffinity(0)))"


def test_a_submission_stays_on_one_processor(engine):
    """So no process of it has to be woken on another, while other submissions use the others."""
    before = os.sched_getaffinity(0)
    graded = engine.run(job(own=PROCESSORS))
    assert text(graded, "own") == "1\n"
    assert os.sched_getaffinity(0) == before


def test_who_may_not_move_a_server_grades_all_the_same():
    """Such as root in a container without the right to: its servers are another user's."""
    program = "import os, sys\nfrom examiner.examine.processor import on_one_processor\n"
    program += "if os.geteuid() == 0:\n    os.setuid(65534)\n"
    program += "with on_one_processor([1, 10**8]):\n    print(len(os.sched_getaffinity(0)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_submission_that_is_measured_may_use_all_processors(engine):
    """What is measured gets a processor on which nothing else of its submission runs."""
    measuring = f"from examiner_checks import memory\n{SOURCES['test_both']}\nif f(0) > 9:\n    memory(f)"
    graded = engine.run(job(notebook(test_both=measuring), own=PROCESSORS))
    assert text(graded, "own") == f"{len(os.sched_getaffinity(0))}\n"
    assert outcomes(graded) == PASSED


def test_processes_that_a_thread_has_started_are_found():
    """A process with one thread is asked only about that one, so this is the case apart."""
    program = (
        "import subprocess, sys, threading\n"
        "def start():\n    child = subprocess.Popen(['sleep', '60'])\n    print(child.pid, flush=True)\n"
        "thread = threading.Thread(target=lambda: (start(), sys.stdin.read()))\nthread.start()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([PYTHON, "-c", program], **pipes) as parent:
        child = int(parent.stdout.readline())
        try:
            assert [*usage.processes(parent.pid)] == [parent.pid, child]
        finally:
            os.kill(child, signal.SIGKILL)
            parent.stdin.close()
