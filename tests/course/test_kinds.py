"""What real grade cells do, a notebook for each kind: honest answers pass, wrong and cheating ones do not.

Each file of `kinds/` is a notebook of a plain nbgrader course. Its cells are, in the order of the notebook:

- `shown`: a locked cell without points;
- `honest`: the instructor's solution. `wrong` and `cheating`, if given, are what two students write instead;
- `own`: a plain cell that only the student named by `of` has;
- `test`: a grade cell of one point. The honest student gets it, and who is in `gets`.

`files` are the texts that lie beside the notebook. All grade cells must be examined. A file that says
`libraries = true` is graded in the environment `.venv-libraries`, which `make test` sets up, as a course of
its own. Each commit has another third of the files, and a quarter of those with libraries; `make whole`
has all of them. Those with `torch = true` are graded by `make torch` alone.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from examiner.course.load import load_course
from examiner.gate import evidence
from examiner.model import Mode
from examiner.store.grades import read_grades
from tests.libraries import ENVIRONMENT, IS_WITH_TORCH, WITH_TORCH, make_kernel
from tests.turns import in_turn

pytestmark = pytest.mark.course

KERNELS = {"student": "tinytorch-student", "libraries": "kinds-libraries", "torch": "kinds-torch"}
MADE = {"libraries": ENVIRONMENT, "torch": WITH_TORCH}
KINDS = {
    path.stem: tomllib.loads(path.read_text()) for path in Path(__file__).with_name("kinds").glob("*.toml")
}


def environment_of(kind):
    """Return the name of the environment in which a kind is graded."""
    return next((name for name in MADE if kind.get(name)), "student")


OF = {
    place: sorted(name for name, kind in KINDS.items() if environment_of(kind) == place) for place in KERNELS
}
GRADED = {"student": in_turn(OF["student"], 5), "libraries": in_turn(OF["libraries"], 7)}
if IS_WITH_TORCH:
    GRADED = {"torch": OF["torch"]}
STUDENTS = ("honest", "wrong", "cheating")
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "kinds"
c.Execute.kernel_name = "{kernel}"
c.Execute.timeout = 20
"""


def notebook(kind, who=None):
    """Return the notebook of a kind: the instructor's, or the one that a student hands in."""
    cells = []
    for number, cell in enumerate(kind["cells"]):
        name, is_test = f"cell{number}", "test" in cell
        if "own" in cell and who != cell["of"]:
            continue
        if "honest" in cell:
            answer = cell.get(who, cell["honest"])
            source = answer if who else f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
        else:
            source = cell.get("test") or cell.get("shown") or cell["own"]
        marks = {"grade_id": name, "grade": is_test, "solution": "honest" in cell, "schema_version": 3}
        marks |= (
            {"locked": "honest" not in cell, "task": False, "points": 1}
            if is_test
            else {"locked": "honest" not in cell, "task": False}
        )
        metadata = {} if "own" in cell else {"nbgrader": marks}
        made = {"cell_type": "code", "id": name, "metadata": metadata, "source": source}
        cells.append(made | {"outputs": [], "execution_count": None})
    kernel = KERNELS[environment_of(kind)]
    metadata = {"kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def due(kind, who):
    """Return the points that a student is to get, by cell."""
    return {
        f"cell{number}": 1.0 if who == "honest" or who in cell.get("gets", ()) else 0.0
        for number, cell in enumerate(kind["cells"])
        if "test" in cell
    }


def write(folder, kind_name, kind, who=None):
    """Write a notebook and what lies beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{kind_name}.ipynb").write_text(notebook(kind, who))
    for name, text in kind.get("files", {}).items():
        (folder / name).write_text(text)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """A folder in which Jupyter finds the kernels of the environments with libraries."""
    folder = tmp_path_factory.mktemp("jupyter")
    for name in GRADED.keys() & MADE.keys():
        make_kernel(folder, KERNELS[name], MADE[name])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield folder


@pytest.fixture(scope="module", params=[*GRADED], ids=KERNELS.get)
def course(request, kernels, tmp_path_factory):  # noqa: ARG001 - the kernel is there meanwhile
    """A course of all kinds in an environment, and three students, graded by the command.

    Nobody has prepared anything.
    """
    root = tmp_path_factory.mktemp("kinds")
    (root / "nbgrader_config.py").write_text(CONFIG.format(kernel=KERNELS[request.param]))
    for name in GRADED[request.param]:
        write(root / "source" / name, name, KINDS[name])
        for who in STUDENTS:
            write(root / "submitted" / who / name, name, KINDS[name], who)
    done = subprocess.run(
        [Path(sys.executable).parent / "examiner", "grade"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return load_course(root)


def test_every_kind_of_grade_cell_is_examined_and_gives_what_is_due(course):
    """To an honest, a wrong and a cheating student."""
    for assignment in course.assignments:
        found = evidence.read(course, assignment)
        assert {*found.modes.values()} == {Mode.EXAMINED}, (assignment.name, found.reasons)
    grades = read_grades(course)
    expected = {
        (who, known.name): due(KINDS[known.name], who) for known in course.assignments for who in STUDENTS
    }
    got = {
        (who, name): {question.grade_id: mark.score for question, mark in grades.of(who, name).marks.items()}
        for who, name in expected
    }
    assert got == expected


def test_each_file_names_its_kind_and_has_both_other_answers():
    """A kind without a cheat would show only that right work passes."""
    for name, kind in KINDS.items():
        assert kind["kind"], name
        for who in STUDENTS[1:]:
            assert notebook(kind, who) != notebook(kind, "honest"), (name, who)
