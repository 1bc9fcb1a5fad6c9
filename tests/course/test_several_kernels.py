"""A plain nbgrader course whose assignments name different kernels: each is graded in its own environment."""

import json

import pytest

from examiner.errors import AuthorFault, BadSource, MissingEnvironment, PlatformFault
from examiner.gate import evidence
from examiner.gate.check import CheckRequest, check
from examiner.gate.evidence import Evidence
from examiner.model import Mode
from examiner.report.gate import data
from examiner.store import sheets
from tests.libraries import make_kernel
from tests.turns import every_third

pytestmark = [pytest.mark.course, every_third(0)]

CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "several"\nc.Execute.timeout = 20\n'
# What one of the two environments has, and the other one has not.
CHECKS = "import examiner_checks\n    return len([examiner_checks])"
MATHS = "import mpmath\n    return int(mpmath.mpf(1))"
KERNELS = {
    "checks": "tinytorch-student",
    "maths": "libraries",
    "foreign": "foreign",
    "unknown": "no-such-kernel",
}
SOLUTIONS = {"checks": CHECKS, "maths": MATHS, "foreign": MATHS, "unknown": CHECKS}
STUDENTS = {"anna": CHECKS, "ben": MATHS}
HANDED_IN = {"anna": ("checks", "maths", "unknown"), "ben": ("checks", "maths", "foreign", "mixed")}
TESTS = {
    "examined": "assert one() == 1",
    # It asks what only the student's process can say, so it runs in a kernel.
    "reported": "import gc\nassert any(known is one for known in gc.get_objects()) and one() == 1",
}


def notebook(kernel, body, *, is_source, tests=TESTS):
    """Return the text of a notebook with one function to write and tests of it."""
    answer = f"### BEGIN SOLUTION\n    {body}\n    ### END SOLUTION" if is_source else body
    cells = [cell("one", f"def one():\n    {answer}", solution=True)]
    cells += [cell(name, tests[name], grade=True, locked=True, points=1) for name in tests]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def cell(name, source, **marks):
    """Return a code cell with nbgrader's marks."""
    usual = {"grade_id": name, "grade": False, "solution": False, "locked": False, "task": False}
    metadata = {"nbgrader": usual | {"schema_version": 3} | marks}
    made = {"cell_type": "code", "id": name, "metadata": metadata, "source": source}
    return made | {"outputs": [], "execution_count": None}


def write(path, *args, **options):
    """Write a notebook, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook(*args, **options))


@pytest.fixture
def course(tmp_path, monkeypatch, make_empty_course):
    """A course of kernels of two environments, of one that is unknown, and of two in one assignment.

    One of the kernels says that it is of a language of its own.
    """
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    make_kernel(tmp_path / "jupyter", KERNELS["maths"])
    make_kernel(tmp_path / "jupyter", KERNELS["foreign"], language="foreign")
    root = tmp_path / "course"
    for name, kernel in KERNELS.items():
        write(root / "source" / name / "work.ipynb", kernel, SOLUTIONS[name], is_source=True)
    for name in ("checks", "maths"):
        write(root / "source" / "mixed" / f"{name}.ipynb", KERNELS[name], SOLUTIONS[name], is_source=True)
    (root / "nbgrader_config.py").write_text(CONFIG)
    return make_empty_course(root)


def cells(entry):
    """Return the mode and the points of the cells of a submission, as a run tells them."""
    return {cell["grade_id"]: (cell["mode"], cell["points"]) for cell in entry["cells"]}


def environments(course, assignment):
    """Return what the keys of an assignment's grades say of its environment."""
    histories = [sheets.read(course.course, student, assignment) for student in STUDENTS]
    filed = [history.last for history in histories if history.last]
    return {part.sheet.identity.key.environment for grade in filed for part in grade.parts}


def test_each_assignment_is_graded_in_the_environment_of_its_kernel(course):
    """Trials, candidates and kernels, whatever a submission says; what has no environment stops alone."""
    for student, names in HANDED_IN.items():
        for name in names:
            path = course.root / "submitted" / student / name / "work.ipynb"
            write(path, "python3", STUDENTS[student], is_source=False)
    run = course.examiner("grade", "--json", "run.json")
    assert run.returncode == PlatformFault.exit_code, run.stderr
    told = json.loads((course.root / "run.json").read_text())
    found = {(entry["student"], entry["assignment"]): entry for entry in told["submissions"]}
    all_points = {"examined": ("examined", 1.0), "reported": ("kernel", 1.0)}
    no_points = {"examined": ("examined", 0.0), "reported": ("kernel", 0.0)}
    assert cells(found["anna", "checks"]) == cells(found["ben", "maths"]) == all_points
    assert cells(found["anna", "maths"]) == cells(found["ben", "checks"]) == no_points
    assert cells(found["ben", "foreign"]) == {"examined": ("kernel", 1.0), "reported": ("kernel", 1.0)}
    assert found["anna", "unknown"]["state"] == found["ben", "mixed"]["state"] == "stopped"
    kinds = {name: fault["kind"] for name, fault in told["stopped"].items()}
    assert kinds == {"unknown": MissingEnvironment.__name__, "mixed": BadSource.__name__}
    lines = run.stderr.replace("\n", "")
    assert lines.count("source/unknown, kernel no-such-kernel: Jupyter does not know this kernel") == 1
    assert lines.count("source/mixed: its notebooks name several kernels") == 1
    assert {path.name for path in (course.root / "release").iterdir()} == {*KERNELS}
    assert {path.stem for path in (course.root / "evidence").iterdir()} == {"checks", "maths"}
    keys = {name: environments(course, name) for name in ("checks", "maths", "foreign")}
    assert [len(found) for found in keys.values()] == [1, 1, 1]
    assert len(set.union(*keys.values())) == len(keys)


@pytest.fixture
def known(course):
    """The course with its examined tests alone, and evidence on all of its assignments."""
    for name in ("checks", "maths"):
        path = course.root / "source" / name / "work.ipynb"
        write(path, KERNELS[name], SOLUTIONS[name], is_source=True, tests={"examined": TESTS["examined"]})
    for assignment in course.course.assignments:
        modes, version = {"examined": Mode.EXAMINED}, evidence.version(course.course, assignment)
        evidence.write(course.course, Evidence(assignment.name, version, modes))
    return course


def assert_tried(plain):
    """Assert that both solutions passed, and that each other assignment has a breach that says why not."""
    reports = {report["assignment"]: report for report in plain}
    facts = {name: reports[name]["breaches"][0]["fact"] for name in ("foreign", "mixed", "unknown")}
    assert facts["foreign"] == "its kernel foreign is not ipykernel, and the check can try no other one"
    assert facts["mixed"].startswith("its notebooks name several kernels: tinytorch-student in checks.ipynb")
    assert facts["unknown"].startswith("Jupyter does not know this kernel")
    assert [reports[name]["perfect_runs"] for name in ("checks", "maths")] == [1, 1]


def test_each_assignment_is_checked_in_the_environment_of_its_kernel(known):
    """One of which that cannot be done gets a breach, and all others are tried."""
    run = known.examiner("check", "--known", "--repeat", "1", "--json", "check.json")
    assert run.returncode == AuthorFault.exit_code, run.stderr
    assert_tried(json.loads((known.root / "check.json").read_text()))


def test_each_solution_is_tried_in_the_environment_of_its_kernel(known):
    """And the progress goes on from one environment to the next."""
    steps = []
    request = CheckRequest(repeat=1, workers=2, only_solution=True)
    assert_tried(data(check(known.course, request, lambda *step: steps.append(step[:2]))))
    assert steps == [(0, 2), (1, 2), (2, 2)]


def test_setup_tells_of_each_environment(course):
    """Those of such a course are the instructor's; what is missing is told with its assignment."""
    run = course.called("setup")
    assert run.returncode == PlatformFault.exit_code
    assert run.stdout.splitlines() == [
        ".venv-student and the kernel tinytorch-student are up to date",
        ".venv-libraries and the kernel foreign are up to date",
        ".venv-libraries and the kernel libraries are up to date",
    ]
    lines = run.stderr.replace("\n", "")
    assert lines.count("source/unknown, kernel no-such-kernel: Jupyter does not know this kernel") == 1
    assert lines.count("source/mixed: its notebooks name several kernels") == 1
