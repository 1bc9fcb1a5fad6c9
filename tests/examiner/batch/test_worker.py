"""A worker grades whole submissions, notebook by notebook, and takes nothing for granted."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from examiner.batch import worker
from examiner.batch.worker import AssignmentVersion, GradingContext, SubmittedWork
from examiner.errors import UnreadableNotebook
from examiner.examine.server import BrokenServer, SandboxSettings
from examiner.model import GradeKey, Identity, Mode, TimeLimits
from examiner.verdict import Outcome

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
IDENTITY = Identity("course", "anna", "ps1", "", GradeKey("work", "assignment", "environment"))


def notebook(solution, test):
    """Return a notebook of one solution cell and one test."""
    marks = {"schema_version": 3, "locked": False, "grade": False, "solution": True, "grade_id": "f"}
    graded = marks | {"grade": True, "solution": False, "locked": True, "points": 2, "grade_id": "test_f"}
    cells = [
        {"cell_type": "code", "id": marked["grade_id"], "metadata": {"nbgrader": marked}, "source": source}
        | {"outputs": [], "execution_count": None}
        for marked, source in ((marks, solution), (graded, test))
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


ONE = notebook("### BEGIN SOLUTION\ndef f(): return 1\n### END SOLUTION", "assert f() == 1")
DATA = notebook(
    "### BEGIN SOLUTION\ndef f(): return 2\n### END SOLUTION", "import helper\nassert helper.f() == 2"
)
VERSION = AssignmentVersion(
    {"one": ONE, "two": DATA}, {"helper.py": b"def f(): return 2"}, {"test_f": Mode.KERNEL}
)
CONTEXT = GradingContext(
    SandboxSettings(PYTHON), b"secret", TimeLimits(20, 90), {"ps1": VERSION}, kernel="tinytorch-student"
)


@pytest.fixture(scope="module")
def work():
    """What grades a submission."""
    with worker.grading_worker(CONTEXT) as work:
        yield work


def outcomes(done):
    """Return what each notebook's test gave."""
    return {part.notebook: part.sheet.verdicts[0].outcome for part in done.grade.parts}


def test_every_notebook_is_graded_beside_the_instructors_files(work):
    """A student's file of the same name does not take the place of the instructor's."""
    done = work(
        SubmittedWork(IDENTITY, {"one.ipynb": ONE, "two.ipynb": DATA, "helper.py": b"def f(): return 3"})
    )
    assert outcomes(done) == {"one": Outcome.PASSED, "two": Outcome.PASSED}
    assert done.notebooks.keys() == {"one.ipynb", "two.ipynb"}


def test_a_notebook_that_was_not_handed_in_gets_nothing(work):
    """And the other one what it earned."""
    done = work(SubmittedWork(IDENTITY, {"one.ipynb": ONE}))
    assert outcomes(done) == {"one": Outcome.PASSED, "two": Outcome.FAILED}
    assert [part.sheet.points for part in done.grade.parts] == [2, 0]


def test_a_notebook_of_another_name_is_graded_and_named(work):
    """What lies in its folder lies beside it, as where the student worked."""
    files = {"homework/One (1).ipynb": ONE, "homework/data.txt": b"1", "two.ipynb": DATA}
    done = work(SubmittedWork(IDENTITY, files))
    assert outcomes(done) == {"one": Outcome.PASSED, "two": Outcome.PASSED}
    assert done.notebooks.keys() == {"one.ipynb", "two.ipynb"}
    said = "one.ipynb: it was handed in as 'homework/One (1).ipynb'; it was recognised by what is in it"
    assert [part.sheet.repairs for part in done.grade.parts] == [(said,), ()]
    assert said in done.notebooks["one.ipynb"].decode()


def test_where_two_files_may_be_a_notebook_a_person_decides(work):
    """No points are lost, none are given, and the other notebook keeps its own."""
    other = notebook("def f(): return 3", "assert f() == 1")
    done = work(SubmittedWork(IDENTITY, {"a.ipynb": ONE, "b.ipynb": other, "two.ipynb": DATA}))
    assert outcomes(done) == {"one": Outcome.INCONCLUSIVE, "two": Outcome.PASSED}
    said = "one.ipynb: it was not found, and 'a.ipynb', 'b.ipynb' may be it; give the right one this name"
    assert done.grade.parts[0].sheet.repairs == (said,)
    assert done.grade.is_settled


def test_files_beside_a_notebook_in_a_folder_are_found(work):
    """They are where the student had them; the instructor's come first."""
    handed = notebook("from mine import f", "assert f() == 1")
    mine, other = b"def f(): return 1", b"def f(): return 2"
    files = {"a/One.ipynb": handed, "a/mine.py": mine, "mine.py": other, "two.ipynb": DATA}
    assert outcomes(work(SubmittedWork(IDENTITY, files)))["one"] == Outcome.PASSED
    files = {"One.ipynb": handed, "a/mine.py": mine, "mine.py": other, "two.ipynb": DATA}
    assert outcomes(work(SubmittedWork(IDENTITY, files)))["one"] == Outcome.FAILED


def test_an_answer_that_is_still_as_released_is_named(work):
    """nbgrader writes 'No response.' beside it."""
    blank = notebook("# YOUR CODE HERE\nraise NotImplementedError()", "assert f() == 1")
    done = work(SubmittedWork(IDENTITY, {"one.ipynb": blank, "two.ipynb": DATA}))
    assert [part.unanswered for part in done.grade.parts] == [("f",), ()]


def test_an_unreadable_notebook_waits_for_a_person_and_the_other_keeps_its_points(work):
    """It is named where people look."""
    done = work(SubmittedWork(IDENTITY, {"one.ipynb": ONE, "two.ipynb": b"{"}))
    assert outcomes(done) == {"one": Outcome.PASSED, "two": Outcome.INCONCLUSIVE}
    assert done.notebooks.keys() == {"one.ipynb"}
    [said] = done.grade.parts[1].sheet.repairs
    assert said.startswith("anna/ps1/two.ipynb: this is no readable notebook")


def test_work_of_which_nothing_can_be_read_is_refused(work):
    """The student has to do something about it."""
    with pytest.raises(UnreadableNotebook, match=r"anna/ps1/two\.ipynb: this is no readable notebook"):
        work(SubmittedWork(IDENTITY, {"two.ipynb": b"{"}))


def test_a_server_that_died_costs_nobody_a_point(started):
    """The next try has a server of its own."""
    with worker.grading_worker(CONTEXT) as work:
        keeper, *_ = started()
        os.kill(keeper, signal.SIGKILL)
        done = work(SubmittedWork(IDENTITY, {"one.ipynb": ONE, "two.ipynb": DATA}))
    assert outcomes(done) == {"one": Outcome.PASSED, "two": Outcome.PASSED}


def test_what_we_could_not_grade_is_left_to_a_person():
    """It is never a zero."""
    fault = BrokenServer("here", "it broke", "try again")
    grade = worker.infrastructure(VERSION, IDENTITY, None, fault)
    assert [part.sheet.verdicts[0].points for part in grade.parts] == [None, None]
    assert not grade.is_settled
    assert "it broke" in grade.parts[0].sheet.verdicts[0].message


def test_the_reference_is_the_courses_own(tmp_path):
    """Two courses on one machine have two packages of the same name."""
    for number in (1, 2):
        package = tmp_path / str(number) / "ref"
        (package / "nn").mkdir(parents=True)
        (package / "__init__.py").write_text("from ref.nn import number")
        (package / "nn" / "__init__.py").write_text(f"number = {number}")
        assert worker.load_package(package).number == number


FLOWS = (
    "assert f() == 1\nexpected = 1",
    "import dis\nassert f() == expected and dis.dis",
    "del dis\ntry:\n    dis\nexcept NameError:\n    assert f() == 1",
)


def test_self_reported_cells_run_in_one_kernel_from_top_to_bottom():
    """What one binds is there for the next, as it was for the instructor's solution."""
    document = json.loads(ONE)
    solution, test = document["cells"]
    tests = []
    for number, source in enumerate(FLOWS):
        marks = test["metadata"]["nbgrader"] | {"grade_id": f"test_{number}"}
        tests.append(test | {"id": f"t{number}", "source": source, "metadata": {"nbgrader": marks}})
    flowing = json.dumps(document | {"cells": [solution, *tests]}).encode()
    version = AssignmentVersion({"one": flowing}, {}, {"test_1": Mode.KERNEL, "test_2": Mode.KERNEL})
    with worker.grading_worker(replace(CONTEXT, versions={"ps1": version})) as work:
        right = work(SubmittedWork(IDENTITY, {"one.ipynb": flowing}))
        wrong = work(SubmittedWork(IDENTITY, {"one.ipynb": flowing.replace(b"return 1", b"return 2")}))
    verdicts = right.grade.parts[0].sheet.verdicts
    assert [verdict.points for verdict in verdicts] == [2, 2, 2]
    assert [verdict.mode for verdict in verdicts] == [Mode.EXAMINED, Mode.KERNEL, Mode.KERNEL]
    assert [verdict.points for verdict in wrong.grade.parts[0].sheet.verdicts] == [0, 0, 0]


def test_a_self_reported_cell_finds_in_the_history_what_ran_before_it():
    """Courses look there for what a student printed, and draw their numbers by the cell's own seed."""
    looking = "assert In[-2].startswith('def f')\nimport os\nassert len(os.environ['EXAMINER_SEED']) == 64"
    solution, own = "### BEGIN SOLUTION\ndef f(): return 1\n### END SOLUTION", b"def f(): return 1"
    version = AssignmentVersion({"one": notebook(solution, looking)}, {}, {"test_f": Mode.KERNEL})
    with worker.grading_worker(replace(CONTEXT, versions={"ps1": version})) as work:
        done = work(SubmittedWork(IDENTITY, {"one.ipynb": notebook(own.decode(), looking)}))
    [verdict] = done.grade.parts[0].sheet.verdicts
    assert (verdict.outcome, verdict.message) == (Outcome.PASSED, "")


def test_what_a_student_prints_where_cells_are_self_reported_tells_no_test():
    """The kernel gets tests before later cells of the student's; nobody is shown what these print there."""
    look = {"cell_type": "code", "id": "own", "metadata": {}, "outputs": [], "execution_count": None}
    document = json.loads(ONE)
    document["cells"].append(look | {"source": "print('seen', In)"})
    version = AssignmentVersion({"one": ONE}, {}, {"test_f": Mode.KERNEL})
    with worker.grading_worker(replace(CONTEXT, versions={"ps1": version})) as work:
        done = work(SubmittedWork(IDENTITY, {"one.ipynb": json.dumps(document).encode()}))
    printed = json.dumps([cell.get("outputs") for cell in json.loads(done.notebooks["one.ipynb"])["cells"]])
    assert "seen" in printed
    assert "assert f()" not in printed
