"""A student's bytes that would be code in the judge: what is plain data is read, all else is refused."""

import hashlib
import json
import pickle  # this test's own values are pickled, and read in a box
from pathlib import Path

import numpy as np
import pytest

from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, TimeLimits
from examiner.verdict import Outcome

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
SAVE = "def save(name):\n    open(name, 'wb').write(data)\n    return data\n"
ARRAYS = (
    f"import pickle\nimport numpy as np\ndata = pickle.dumps({{'a': np.arange(3), 'b': [{{2.5}}]}})\n{SAVE}"
)
# Pickles of what leaves a trace in the process that reads them: each by another way to name a function.
TRACE = 'import sys; sys.modules["taken"] = sys'
MADE = (
    "import pickle\nclass Made:\n    def __reduce__(self):\n        return {}\ndata = pickle.dumps(Made())\n"
)
EVIL = {
    "exec": MADE.format(f"exec, ({TRACE!r},)"),
    "a module's function": f"import runpy, os\n{MADE.format('os.mkdir, (chr(97),)')}",
    "a function by its path": f"data = b'\\x80\\x04cbuiltins\\nexec\\n\\x8c\\x26{TRACE}\\x85R.'\n",
}
READS = {
    "load": "import pickle\ngot = pickle.load(open('x.pkl', 'rb'))",
    "loads": "import pickle\ngot = pickle.loads(saved)",
    "an Unpickler": "import io, pickle\ngot = pickle.Unpickler(io.BytesIO(saved)).load()",
    "Python's own Unpickler": "import io, pickle\ngot = pickle._Unpickler(io.BytesIO(saved)).load()",
    "np.load": "import numpy as np\ngot = np.load('x.pkl', allow_pickle=True)",
    "np.load of bytes": "import io\nimport numpy as np\ngot = np.load(io.BytesIO(saved), allow_pickle=True)",
}
RUNS = {
    "runpy": "import runpy\nrunpy.run_path('x.py')",
    "a spec": "import importlib.util as u\nspec = u.spec_from_file_location('x', 'x.py')\n"
    "u.module_from_spec(spec)\nspec.loader.exec_module(u.module_from_spec(spec))",
    "a loader": "from importlib.machinery import SourceFileLoader as S\nS('x', 'x.py').load_module()",
    "its text": "exec(open('x.py').read())",
    "its compiled text": "exec(compile(open('x.py').read(), 'x.py', 'exec'))",
    "a path of the search": "import sys\nsys.path.insert(0, '.')\nimport x",
    "an absolute path": "import os, runpy\nos.path.exists('x.py')\nrunpy.run_path(os.path.abspath('x.py'))",
}
# The cell takes no notice of what refuses it: a test that swallows everything must not pass for that.
SWALLOWED = "try:\n    {}\nexcept Exception:\n    pass\nimport os, sys\n"
SWALLOWED += "assert 'taken' in sys.modules or os.path.isdir('a')"


@pytest.fixture(scope="module")
def engine():
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        yield engine


def verdict(engine, test, solution, files=None):
    """Return the verdict of a grade cell on a solution, with files of the instructor's beside it."""
    cells = []
    for name, source in (("work", solution), ("it", test)):
        marks = {"grade_id": name, "schema_version": 3, "points": 1, "grade": name == "it"}
        marks |= {"solution": name == "work", "locked": name == "it"}
        made = {"cell_type": "code", "id": name, "metadata": {"nbgrader": marks}, "source": source}
        cells.append(made | {"outputs": [], "execution_count": None})
    raw = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    key = GradeKey(hashlib.sha256(raw).hexdigest(), "a", "e")
    job = Job(
        Identity("course", "student01", "ps1", "1", key),
        raw,
        raw,
        files or {},
        TimeLimits(30, 90),
        instructors=files or {},
    )
    [found] = engine.run(job).sheet.verdicts
    return found


def swallowed(lines):
    """Return a cell that does something, takes no notice of what it raises, and looks for the trace of it."""
    return SWALLOWED.format(lines.replace("\n", "\n    "))


@pytest.mark.parametrize("reads", READS.values(), ids=READS)
def test_a_pickle_of_plain_data_is_read(engine, reads):
    """Arrays, containers and numbers are all that most tests save."""
    test = f"saved = save('x.pkl')\n{reads}\nassert got['a'].tolist() == [0, 1, 2] and got['b'] == [{{2.5}}]"
    assert verdict(engine, test, ARRAYS + SAVE).outcome is Outcome.PASSED


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("reads", READS.values(), ids=READS)
def test_a_pickle_of_anything_else_runs_nothing_and_is_refused(engine, reads, evil):
    """It was not run, and the cell cannot pass, whatever it swallows."""
    found = verdict(engine, f"saved = save('x.pkl')\n{swallowed(reads)}", evil + SAVE)
    assert found.outcome is not Outcome.PASSED
    passing = (
        f"saved = save('x.pkl')\ntry:\n    {reads.replace(chr(10), chr(10) + '    ')}\nexcept Exception: pass"
    )
    found = verdict(engine, passing, evil + SAVE)
    assert "a pickle that may be a student's needs" in found.message


MASKED = pickle.dumps(np.ma.array([1, 2], mask=[False, True]))
OWN = "import pickle\nassert pickle.load(open('own.pkl', 'rb')).tolist() == [1, None]"


def test_a_pickle_of_the_instructors_may_need_more(engine):
    """What it is made of stands in the file; a student's alone is refused."""
    files = {"own.pkl": MASKED}
    assert verdict(engine, OWN, f"data = b''\n{SAVE}", files).outcome is Outcome.PASSED
    theirs = "import pickle\nassert pickle.loads(save('x.pkl')).tolist() == [1, None]"
    assert "needs numpy.ma" in verdict(engine, theirs, f"data = {MASKED!r}\n{SAVE}").message


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("holds", [b"", b"builtins exec posix mkdir runpy os"], ids=["", "words of Python"])
def test_a_cell_that_reads_the_instructors_pickle_reads_no_evil_one(engine, evil, holds):
    """Whatever else stands in the instructor's file: what Python itself has may act."""
    files = {"own.pkl": MASKED, "own.txt": holds}
    test = f"{OWN}\nnames = 'own.txt'\nsaved = save('x.pkl')\n{swallowed('pickle.loads(saved)')}"
    assert verdict(engine, test, evil + SAVE, files).outcome is not Outcome.PASSED


@pytest.mark.parametrize("runs", RUNS.values(), ids=RUNS)
def test_a_students_script_is_not_run(engine, runs):
    """By no way of running a file."""
    solution = f"data = {TRACE.encode()!r}\n{SAVE}"
    assert verdict(engine, f"save('x.py')\n{swallowed(runs)}", solution).outcome is not Outcome.PASSED


def test_a_students_library_is_not_loaded(engine):
    """Its own start would run; the cell takes no notice of what refuses it."""
    test = "import ctypes\nsave('x.so')\nassert open('x.so', 'rb').read() == bytes(9)\n"
    found = verdict(
        engine,
        f"{test}try:\n    ctypes.CDLL('./x.so')\nexcept Exception:\n    pass",
        f"data = bytes(9)\n{SAVE}",
    )
    assert "x.so is a student's, and a library would run here" in found.message
