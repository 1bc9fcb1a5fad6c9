"""The student environment is there and what the course says, or one sentence says what to run."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from examiner.course.environment import (
    OWN_MARK,
    STAMP,
    by_environment,
    environment_of,
    fingerprint,
    kernel_file,
    kernel_spec,
    require,
    require_some,
    setup,
)
from examiner.course.load import load_course
from examiner.errors import BadCourse, BadSource, MissingEnvironment, PlatformFault
from examiner.model import Assignment, StudentEnvironment

COURSE = load_course(Path(__file__).parents[3])
STOCK = StudentEnvironment(Path(sys.prefix), None, "python3", "Python 3", Path(sys.executable))
UNKNOWN = replace(STOCK, kernel="r")
SEVERAL = Assignment("several", environments={"a.ipynb": STOCK, "b.ipynb": UNKNOWN, "c.ipynb": STOCK})


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
    (course.student.folder / STAMP).write_text(json.dumps(asdict(fingerprint(course.student))))


def test_a_missing_environment_says_what_to_run(course):
    """Nothing can be graded without it, and making it takes one command."""
    with pytest.raises(MissingEnvironment, match="no student environment; run `examiner setup`"):
        require(course.student)


def test_an_environment_of_other_requirements_says_what_to_run(course):
    """Grades must not depend on when somebody last ran the set-up."""
    pretend_installed(course)
    (course.student.folder / STAMP).write_text(json.dumps({"base": "old", "checks": "old"}))
    with pytest.raises(MissingEnvironment, match=r"not what course\.toml says"):
        require(course.student)


def test_a_missing_kernel_says_what_to_run(course):
    """nbgrader would say 'No such kernel' once for every submission."""
    pretend_installed(course)
    with pytest.raises(MissingEnvironment, match="kernel tinytorch-student: Jupyter does not know"):
        require(course.student)


def test_a_kernel_of_another_course_says_whose_it_is(course):
    """Two copies of a course may share an instructor's environment by mistake."""
    pretend_installed(course)
    setup(course, print)
    other = replace(course, student=replace(course.student, display_name="Another"))
    with pytest.raises(MissingEnvironment, match="it is registered for"):
        require(other.student)


def test_setup_registers_the_kernel_and_then_has_nothing_to_do(course, capsys):
    """`make grade` runs it every time."""
    pretend_installed(course)
    assert setup(course, print)
    assert not setup(course, print)
    assert capsys.readouterr().out == "registering the kernel tinytorch-student\n"
    assert require(course.student) == fingerprint(course.student)


def test_an_interrupted_installation_is_not_taken_for_a_whole_one(course):
    """The stamp goes first and comes back last."""
    pretend_installed(course)
    (course.student.folder / STAMP).write_text(json.dumps({"base": "old", "checks": "old"}))
    changed = replace(course, student=replace(course.student, requirements=course.root / "none.txt"))
    changed.student.requirements.write_text("./no-such-file.whl --hash=sha256:00\n")
    with pytest.raises(PlatformFault, match=r"failed; read .*setup\.log"):
        setup(changed, lambda _: None)
    with pytest.raises(MissingEnvironment, match="no student environment"):
        require(changed.student)


def test_missing_requirements_are_the_authors_fault(course):
    """course.toml names the file."""
    wrong = replace(course, student=replace(course.student, requirements=course.root / "none.txt"))
    with pytest.raises(BadCourse, match=r"none\.txt"):
        require(wrong.student)


def test_the_kernels_environment_keeps_the_instructors_path_out():
    """With PYTHONPATH at the course, the reference would be one import away."""
    assert kernel_spec(COURSE.student)["env"]["PYTHONPATH"] == ""


@pytest.mark.parametrize("module", ["tinytorch", "examiner", "nbgrader"])
def test_the_student_environment_has_nothing_of_the_instructors(tmp_path, module):
    """The right answer and the platform cannot be imported there."""
    done = subprocess.run(
        [COURSE.student.python, "-c", f"import {module}"], cwd=tmp_path, capture_output=True, check=False
    )
    assert b"ModuleNotFoundError" in done.stderr


def test_an_environment_that_is_not_ours_is_asked_for_its_kernel_alone(tmp_path):
    """The kernel that a stock course's notebooks name; what is installed there is part of a grade's key."""
    assert not setup(replace(COURSE, student=STOCK), print)
    assert require(STOCK) == require(STOCK)
    assert require(STOCK) != require(replace(STOCK, folder=tmp_path))
    with pytest.raises(MissingEnvironment, match="kernel r: Jupyter does not know this kernel"):
        require(UNKNOWN)


def test_an_assignment_has_its_own_environment_or_that_of_the_course():
    """A course.toml names one; nbgrader's notebooks may name another one in each assignment."""
    own = Assignment("ps1", environments={"a.ipynb": UNKNOWN, "b.ipynb": UNKNOWN})
    assert environment_of(COURSE, Assignment("ps1")) == COURSE.student
    assert environment_of(COURSE, own) == UNKNOWN
    assert by_environment(COURSE, [own, Assignment("ps2"), replace(own, name="ps3"), SEVERAL]) == {
        UNKNOWN: [own, replace(own, name="ps3")],
        COURSE.student: [Assignment("ps2")],
    }


def test_notebooks_of_one_assignment_that_name_several_kernels_are_its_fault():
    """Whoever wrote them reads which names which, and what can be done."""
    with pytest.raises(BadSource) as caught:
        environment_of(COURSE, SEVERAL)
    assert caught.value.place == str(COURSE.root / "source" / "several")
    assert caught.value.fact == (
        "its notebooks name several kernels: python3 in a.ipynb and c.ipynb, r in b.ipynb"
    )
    assert "c.Execute.kernel_name" in caught.value.fix


def test_an_assignment_without_an_environment_stops_no_other():
    """Each fault names its assignment, since a kernel that is missing may be meant by one of many."""
    good = Assignment("good", environments={"a.ipynb": STOCK})
    missing = [Assignment(name, environments={"a.ipynb": UNKNOWN}) for name in ("m1", "m2")]
    found, faults = require_some(COURSE, [*missing, good, SEVERAL])
    assert found == {"good": require(STOCK)}
    assert {name: type(fault) for name, fault in faults.items()} == {
        "m1": MissingEnvironment,
        "m2": MissingEnvironment,
        "several": BadSource,
    }
    place = COURSE.root / "source" / "m2"
    assert str(faults["m2"]).startswith(f"{place}, kernel r: Jupyter does not know this kernel")


def test_where_all_assignments_lack_the_same_environment_it_is_said_once():
    """As for a course that has one environment."""
    missing = [Assignment(name, environments={"a.ipynb": UNKNOWN}) for name in ("m1", "m2")]
    with pytest.raises(MissingEnvironment, match=r"^kernel r: Jupyter does not know this kernel"):
        require_some(COURSE, missing)
    other = Assignment("other", environments={"a.ipynb": replace(UNKNOWN, kernel="julia")})
    assert require_some(COURSE, [missing[0], other])[1].keys() == {"m1", "other"}


def listing(folder):
    """Return everything below a folder, with its content."""
    return {path: path.is_file() and path.read_bytes() for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(
    "kind", ["of sources", "a course", "another environment", "one file", "a hidden file", "a file", "a link"]
)
def test_setup_never_erases_what_it_did_not_make(course, tmp_path, kind):
    """A slip in course.toml, such as `python = "source"`, would delete a semester's work."""
    folder = tmp_path / "theirs"
    names = {
        "of sources": ["01/01.ipynb", "02/02.ipynb"],
        "a course": ["course.toml", "source/01/01.ipynb", ".git/HEAD"],
        "another environment": ["pyvenv.cfg", "bin/python", "lib/python3.11/site-packages/numpy/__init__.py"],
        "one file": ["notes.txt"],
        "a hidden file": [".keep"],
        "a link": ["notes.txt"],
    }
    for name in names.get(kind, []):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    if kind == "a file":
        folder.write_text("mine")
    if kind == "a link":
        (tmp_path / "link").symlink_to(folder)
    place = tmp_path / "link" if kind == "a link" else folder
    before = listing(tmp_path)
    with pytest.raises(BadCourse, match=r"examiner did not make this.*; name another folder"):
        setup(replace(course, student=replace(course.student, folder=place)), print)
    assert listing(tmp_path) == before


def test_setup_goes_on_with_what_it_had_begun(course, tmp_path, monkeypatch):
    """An interrupted set-up leaves a folder that is examiner's, as does an earlier version."""
    folder = course.student.folder
    for begun in (OWN_MARK, STAMP):
        (folder / "lib").mkdir(parents=True, exist_ok=True)
        (folder / "lib" / "half").write_text("")
        (folder / begun).write_text("")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
        with pytest.raises(OSError, match="no-python"):
            setup(course, print)
        assert [path.name for path in folder.iterdir()] == [OWN_MARK]
        (folder / OWN_MARK).unlink()


def test_setup_never_replaces_a_kernel_that_it_did_not_register(course):
    """The kernel `python3` is the instructor's own."""
    pretend_installed(course)
    spec = kernel_file(course.student)
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]}))
    before = spec.read_text()
    with pytest.raises(BadCourse, match="examiner did not register this kernel"):
        setup(course, print)
    assert spec.read_text() == before


def test_a_kernel_of_an_earlier_version_is_registered_anew(course):
    """It starts a module, in the environment that is examiner's."""
    pretend_installed(course)
    spec = kernel_file(course.student)
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": [str(course.student.python), "-m", "ipykernel_launcher"]}))
    assert setup(course, print)
    assert json.loads(spec.read_text()) == kernel_spec(course.student)
