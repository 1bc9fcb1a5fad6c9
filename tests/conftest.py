"""A course of two tiny assignments, and students who hand in."""

import fcntl
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from multiprocessing import forkserver, get_context
from pathlib import Path

import pytest

from examiner.cli.main import main
from examiner.course.beside import generate
from examiner.course.load import load_course
from examiner.gate import evidence
from examiner.gate.evidence import FOLDER, Evidence, gather
from examiner.gate.run import TrialRunner
from examiner.model import Mode
from examiner.notebook import mark, read, visible
from tests.commands import nbgraders_commands
from tests.libraries import IS_WITH_TORCH
from tests.turns import is_its_turn

REPOSITORY = Path(__file__).parents[1]
FIXTURE = REPOSITORY / "tests" / "course" / "fixture"

# These need PyTorch, which is large: `make torch` tries them.
collect_ignore_glob = [] if IS_WITH_TORCH else ["**/test_tensors.py"]

IMPORTED = ("examiner.batch.worker", "examiner.nbgrader.convert", "examiner.plugin")  # once, for all workers

NOTEBOOKS = {"01_double": "double", "02_triple": "triple"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
ACTIVE = f"""
from base64 import b64decode
from IPython.display import HTML, Image, Javascript, Markdown, display
display(HTML("<b>bold</b><script>al" + "ert(1)</script>"), Markdown("<img src=x onerror='al" + "ert(1)'>"))
display(Javascript("al" + "ert(1)"), Image(b64decode("{PIXEL}")))
"""
RIGHT = {
    "01_double": "def double(x):\n    return x + x\n",
    "02_triple": "def triple(x):\n    return double(x) + x\n",
}


def pytest_configure():
    """Forget which environment is activated: IPython warns in every other one."""
    os.environ.pop("VIRTUAL_ENV", None)


def pytest_collection_modifyitems(config, items):
    """Leave out what has its turn with another commit."""
    out = [item for item in items if not is_its_turn(item)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if is_its_turn(item)]


class SmallCourse:
    """A copy of the fixture in a folder of its own, which a test may spoil."""

    def __init__(self, root):
        self.root = root

    @property
    def course(self):
        """The course as it is now."""
        return load_course(self.root)

    def source(self, assignment):
        """Return the path of an instructor's notebook."""
        return self.root / "source" / assignment / f"{NOTEBOOKS[assignment]}.ipynb"

    def submitted(self, student, assignment):
        """Return the path of a student's notebook."""
        return self.root / "submitted" / student / assignment / f"{NOTEBOOKS[assignment]}.ipynb"

    def hand_in(self, student, assignment="01_double", code=None, when="2026-09-01 12:00:00 UTC", extra=()):
        """Hand in a notebook with this code in its solution cell, and cells with extra code at its end."""
        document = json.loads(self.source(assignment).read_text())
        for cell in document["cells"]:
            cell["source"] = visible("".join(cell["source"]))
            if cell["cell_type"] == "code" and mark(cell, "solution"):
                cell["source"] = RIGHT[assignment] if code is None else code
        for number, source in enumerate(extra):
            cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
            document["cells"].append(cell | {"id": f"extra{number}", "source": source})
        path = self.submitted(student, assignment)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        (path.parent / "timestamp.txt").write_text(when)
        return path

    def examiner(self, *arguments):
        """Run the command line in the course, as somebody who has not activated the environment."""
        return subprocess.run(
            [Path(sys.executable).parent / "examiner", *arguments],
            cwd=self.root,
            env=os.environ | {"PATH": os.defpath, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def called(self, *arguments):
        """Call the command line in this process, whose workers import nbgrader once; return how it ended."""
        get_context("forkserver").set_forkserver_preload(["__main__", *IMPORTED])
        forkserver.ensure_running()
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.root)
            patch.setenv("COLUMNS", "200")
            patch.setattr(sys, "argv", ["examiner", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        return subprocess.CompletedProcess(arguments, ended.value.code, out.getvalue(), err.getvalue())

    def keep_evidence(self, assignment):
        """Have an assignment as it is now examined as it was before, so that nothing is tried for that."""
        [changed] = [known for known in self.course.assignments if known.name == assignment]
        cells = read(self.source(assignment)).grade_cells
        modes = {cell.grade_id: Mode.EXAMINED for cell in cells if cell.is_autograded}
        evidence.write(self.course, Evidence(assignment, evidence.version(self.course, changed), modes))


def small_course(gathered, root):
    """Make a copy of the fixture, with the evidence that decides where each grade cell is judged."""
    small = bare_course(root)
    shutil.copytree(gathered, root / FOLDER, dirs_exist_ok=True)
    return small


def bare_course(root):
    """Make a copy of the fixture, without evidence."""
    shutil.copytree(FIXTURE, root)
    config = root / "course.toml"
    config.write_text(config.read_text().replace("REPOSITORY", str(REPOSITORY)))
    return SmallCourse(root)


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """A function that calls `make` once for all processes of a test run.

    `make` gets a folder to write into, and every process gets what it returned.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name, make):
        folder, result = shared / name, shared / f"{name}.pickle"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the first process makes it, the others wait
            if not result.exists():
                shutil.rmtree(folder, ignore_errors=True)  # an attempt that failed may have left it
                folder.mkdir()
                result.write_bytes(pickle.dumps(make(folder)))
        return pickle.loads(result.read_bytes())

    return made


@pytest.fixture(scope="session")
def nbgrader():
    """The function that runs nbgrader's commands in a folder."""
    with nbgraders_commands() as run:
        yield run


def gathered_evidence(folder):
    """Gather the evidence about the fixture, and return the folder that holds it."""
    course = bare_course(folder / "course").course
    for assignment in course.assignments:
        generate(course, assignment)
    gather(TrialRunner(course, os.cpu_count(), lambda *_: None), course.assignments)
    return course.root / FOLDER


@pytest.fixture(scope="session")
def make_small_course(once):
    """The function that makes fresh copies, for fixtures that outlive a test."""
    return partial(small_course, once("evidence", gathered_evidence))


@pytest.fixture(scope="session")
def make_bare_course():
    """The function that makes copies of the fixture without evidence, for tests that grade nobody."""
    return bare_course


@pytest.fixture(scope="session")
def make_empty_course():
    """The function that takes a folder for a course, in which the test writes all files."""
    return SmallCourse


@pytest.fixture
def small(tmp_path, make_small_course):
    """A small course in which nobody has handed in."""
    return make_small_course(tmp_path / "course")


@pytest.fixture(scope="session")
def graded_once(once, make_small_course):
    """A small course of students of all kinds, graded by the command line, and the ended process."""
    return once("graded", lambda folder: graded_course(make_small_course(folder / "course")))


def graded_course(small):
    """Hand in work of all kinds, and grade it."""
    small.hand_in("anna", extra=[ACTIVE])
    small.hand_in("anna", "02_triple")
    small.hand_in("ben", code="def double(x):\n    return 4\n", when="2026-09-22 22:00:00 UTC")
    small.hand_in(
        "ben", "02_triple", code="import sys\ndef triple(x):\n    print('!', file=sys.stderr); return 42"
    )
    quoting = "def double(x):\n    print('sa' + 'w', x)\n    raise ValueError('sa' + f'w {x!r}')"
    small.hand_in("carl", code=quoting, extra=["print(In)"])
    small.hand_in("emil").write_text("{")
    small.hand_in("fred", code="def double(x):\n    while True: pass")
    small.hand_in("gina", code="import os\ndef double(x):\n    os._exit(1)")
    return small, small.examiner("grade", "--points")


@pytest.fixture
def graded(graded_once, tmp_path):
    """A copy of the course of `graded_once`, which a test may spoil."""
    shutil.copytree(graded_once[0].root, tmp_path / "course")
    return SmallCourse(tmp_path / "course")


@pytest.fixture(scope="session")
def released(once):
    """A copy of the course of this repository with fresh releases; all tests share it."""
    return once("released", released_course)


def released_course(folder):
    """Copy the course without its releases, and make them by the command line."""
    copy = SmallCourse(folder)
    for name in ("source", "tinytorch", "evidence", "tests/mutants"):  # evidence is about the mutants, too
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("roster.csv", "nbgrader_config.py"):
        shutil.copy(REPOSITORY / name, folder)
    settings = (REPOSITORY / "course.toml").read_text()
    for path in (".venv-student", "requirements/student.txt"):
        settings = settings.replace(f'"{path}"', f'"{REPOSITORY / path}"')
    (folder / "course.toml").write_text(settings)
    run = copy.examiner("release")
    assert run.returncode == 0, run.stderr
    return copy
