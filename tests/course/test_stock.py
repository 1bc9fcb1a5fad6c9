"""nbgrader's own example course, as its quickstart makes it: the same points by nbgrader and by examiner."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbgrader
import pytest

from examiner.course.load import load_course
from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.kernel.engine import KernelEngine
from examiner.model import GradeKey, Identity, Mode
from examiner.store.grades import read_grades
from tests.turns import every_third, in_turn

pytestmark = [pytest.mark.course, every_third(1)]

PATH = f"{Path(sys.executable).parent}:{os.defpath}"  # nbgrader itself calls alembic by its name
EXAMPLES = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide" / "submitted"
STUDENTS = ("bitdiddle", "hacker")
NOTEBOOKS = ("problem1", "problem2")
PATCHES = "sum_of_squares_uses_squares"  # takes a name away from the student's module, which no copy can show
TESTS = ("correct_squares", "squares_invalid_input", "correct_sum_of_squares", PATCHES)


def scores(root):
    """Return the points in the gradebook, by student, notebook and cell; None where a person has to look."""
    grades = read_grades(load_course(root))
    return {
        (student, question.notebook, question.grade_id): mark.score
        for student in STUDENTS
        for question, mark in grades.of(student, "ps1").marks.items()
    }


@pytest.fixture(scope="module")
def stock(tmp_path_factory, nbgrader):
    """The example course with its example submissions, autograded by nbgrader, and what that gave."""
    root = tmp_path_factory.mktemp("stock") / "example"
    nbgrader(root.parent, "quickstart", "example", PATH=PATH)
    shutil.copytree(EXAMPLES, root / "submitted")
    nbgrader(root, "generate_assignment", "ps1", PATH=PATH)
    nbgrader(root, "autograde", "ps1", PATH=PATH)
    return root, scores(root)


def points(root, engine, modes=None):
    """Return the points that an engine gives, by student, notebook and cell."""
    found = {}
    for student in STUDENTS:
        folder = root / "submitted" / student / "ps1"
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".ipynb"}
        for name in NOTEBOOKS:
            submitted = (folder / f"{name}.ipynb").read_bytes()
            key = GradeKey(hashlib.sha256(submitted).hexdigest(), "", "")
            identity = Identity("example", student, "ps1", "1", key)
            instructor = (root / "source" / "ps1" / f"{name}.ipynb").read_bytes()
            graded = engine.run(Job(identity, instructor, submitted, files, modes=modes or {}))
            found |= {(student, name, verdict.grade_id): verdict.points for verdict in graded.sheet.verdicts}
    return found


def of_tests(found):
    """Return the points of cells that test; nbgrader also gives 0 to an answer that nobody wrote."""
    return {key: value for key, value in found.items() if key[2] in TESTS}


def test_the_course_is_read_without_a_course_file(stock):
    """Its notebooks ask for the kernel `python`, which is the instructor's own."""
    course = load_course(stock[0])
    assert (course.id, [assignment.name for assignment in course.assignments]) == ("example", ["ps1"])
    assert {student.id for student in course.roster} == set(STUDENTS)
    assert course.student.python == Path(sys.executable)


def test_boxed_kernels_give_the_points_that_nbgrader_gives(stock):
    """To each student, for each cell."""
    root, stocks = stock
    course = load_course(root)
    surroundings = SandboxSettings(course.student.python, hidden=course.hidden)
    assert sum(of_tests(stocks).values()) > 0
    with KernelEngine(course.student.kernel, surroundings, b"secret") as engine:
        assert points(root, engine) == of_tests(stocks)


def test_the_examiner_gives_the_points_that_nbgrader_gives(stock):
    """One cell takes a name away from the student's module, and is judged in the kernel."""
    root, stocks = stock
    course = load_course(root)
    surroundings = SandboxSettings(course.student.python, hidden=course.hidden)
    with Engine(surroundings, b"secret") as engine:
        assert points(root, engine, {PATCHES: Mode.KERNEL}) == of_tests(stocks)


@pytest.mark.parametrize("mode", in_turn(["examined", "kernel"], 2))
def test_the_command_line_gives_the_points_that_nbgrader_gives(stock, tmp_path, mode):
    """The course is graded as it is; what is left to a person is left to a person."""
    root, stocks = stock
    shutil.copytree(root / "source", tmp_path / "source")
    shutil.copytree(root / "submitted", tmp_path / "submitted")
    settings = (root / "nbgrader_config.py").read_text()
    (tmp_path / "nbgrader_config.py").write_text(f"{settings}\nc.Examiner.mode = {mode!r}\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "examiner", "grade"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path) == stocks


def test_plain_nbgrader_gives_the_same_points_in_boxed_kernels(stock, nbgrader):
    """All it takes is the name of the provisioner."""
    root, stocks = stock
    nbgrader(
        root, "autograde", "ps1", "--force", PATH=PATH, JUPYTER_DEFAULT_PROVISIONER_NAME="examiner-boxed"
    )
    assert scores(root) == stocks
