"""The student environment is there and what the course says, or one sentence says what to run."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from examiner.course.environment import STAMP, fingerprint, kernel_spec, require, setup
from examiner.course.load import load_course
from examiner.errors import BadCourse, MissingEnvironment, PlatformFault
from examiner.model import StudentEnvironment

COURSE = load_course(Path(__file__).parents[3])


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Return a course without an environment, in an instructor's environment without kernels."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "instructor"))
    student = replace(COURSE.student, folder=tmp_path / "student")
    return replace(COURSE, root=tmp_path, student=student)


def pretend_installed(course):
    """Put in the place of an environment what says that it is one."""
    course.student.python.parent.mkdir(parents=True)
    course.student.python.symlink_to(sys.executable)
    (course.student.folder / STAMP).write_text(json.dumps(asdict(fingerprint(course))))


def test_a_missing_environment_says_what_to_run(course):
    """Nothing can be graded without it, and making it takes one command."""
    with pytest.raises(MissingEnvironment, match="no student environment; run `examiner setup`"):
        require(course)


def test_an_environment_of_other_requirements_says_what_to_run(course):
    """Grades must not depend on when somebody last ran the set-up."""
    pretend_installed(course)
    (course.student.folder / STAMP).write_text(json.dumps({"base": "old", "checks": "old"}))
    with pytest.raises(MissingEnvironment, match=r"not what course\.toml says"):
        require(course)


def test_a_missing_kernel_says_what_to_run(course):
    """nbgrader would say 'No such kernel' once for every submission."""
    pretend_installed(course)
    with pytest.raises(MissingEnvironment, match="kernel tinytorch-student: Jupyter does not know"):
        require(course)


def test_a_kernel_of_another_course_says_whose_it_is(course):
    """Two copies of a course may share an instructor's environment by mistake."""
    pretend_installed(course)
    setup(course, print)
    other = replace(course, student=replace(course.student, display_name="Another"))
    with pytest.raises(MissingEnvironment, match="it is registered for"):
        require(other)


def test_setup_registers_the_kernel_and_then_has_nothing_to_do(course, capsys):
    """`make grade` runs it every time."""
    pretend_installed(course)
    assert setup(course, print)
    assert not setup(course, print)
    assert capsys.readouterr().out == "registering the kernel tinytorch-student\n"
    assert require(course) == fingerprint(course)


def test_an_interrupted_installation_is_not_taken_for_a_whole_one(course):
    """The stamp goes first and comes back last."""
    pretend_installed(course)
    (course.student.folder / STAMP).write_text(json.dumps({"base": "old", "checks": "old"}))
    changed = replace(course, student=replace(course.student, requirements=course.root / "none.txt"))
    changed.student.requirements.write_text("./no-such-file.whl --hash=sha256:00\n")
    with pytest.raises(PlatformFault, match=r"failed; read .*setup\.log"):
        setup(changed, lambda _: None)
    with pytest.raises(MissingEnvironment, match="no student environment"):
        require(changed)


def test_missing_requirements_are_the_authors_fault(course):
    """course.toml names the file."""
    wrong = replace(course, student=replace(course.student, requirements=course.root / "none.txt"))
    with pytest.raises(BadCourse, match=r"none\.txt"):
        require(wrong)


def test_the_kernels_environment_keeps_the_instructors_path_out():
    """With PYTHONPATH at the course, the reference would be one import away."""
    assert kernel_spec(COURSE)["env"]["PYTHONPATH"] == ""


@pytest.mark.parametrize("module", ["tinytorch", "examiner", "nbgrader"])
def test_the_student_environment_has_nothing_of_the_instructors(tmp_path, module):
    """The right answer and the platform cannot be imported there."""
    done = subprocess.run(
        [COURSE.student.python, "-c", f"import {module}"], cwd=tmp_path, capture_output=True, check=False
    )
    assert b"ModuleNotFoundError" in done.stderr


def test_an_environment_that_is_not_ours_is_asked_for_its_kernel_alone(tmp_path):
    """The kernel that a stock course's notebooks name; what is installed there is part of a grade's key."""
    student = StudentEnvironment(Path(sys.prefix), None, "python3", "Python 3", Path(sys.executable))
    stock = replace(COURSE, student=student)
    assert not setup(stock, print)
    assert require(stock) == require(stock)
    assert require(stock) != require(replace(stock, student=replace(student, folder=tmp_path)))
    with pytest.raises(MissingEnvironment, match="kernel r: Jupyter does not know this kernel"):
        require(replace(stock, student=replace(student, kernel="r")))
