"""A course of nbgrader's without course.toml is read as it is, or one clear error says what is unusual."""

import json
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examiner.course.load import load_course
from examiner.errors import BadCourse, NoCourse
from examiner.model import Markers, Mode

SETTINGS = 'c = get_config()\nc.CourseDirectory.course_id = "music"\n'


def notebook(kernel="python3"):
    """Return the text of a notebook that names a kernel."""
    metadata = {"kernelspec": {"name": kernel}} if kernel else {}
    return json.dumps({"cells": [], "metadata": metadata, "nbformat": 4, "nbformat_minor": 0})


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Return a function that writes settings and notebooks, each with its kernel, and reads the course."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    folder = tmp_path / "jupyter" / "kernels" / "echo"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": ["/bin/cat"], "language": "echo"}))
    root = tmp_path / "course"

    def load(settings=SETTINGS, **kernels):
        for name, kernel in (kernels or {"ps1": "python3"}).items():
            (root / "source" / name).mkdir(parents=True)
            (root / "source" / name / "work.ipynb").write_text(notebook(kernel))
        (root / "nbgrader_config.py").write_text(settings)
        return load_course(root)

    return load


def test_its_name_assignments_and_kernel_are_read(course):
    """The kernel that the notebooks name is the student environment, with the instructor's part hidden."""
    found = course(ps1="python", ps2="")
    assert (found.id, [assignment.name for assignment in found.assignments]) == ("music", ["ps1", "ps2"])
    assert found.student.python == Path(sys.executable)
    assert (found.student.kernel, found.student.requirements) == ("python3", None)
    assert found.student.folder == Path(sys.prefix)
    assert found.hidden == ("examiner", "nbgrader")
    assert (found.mode, found.limits.cell_seconds) == (None, 30)


def test_settings_that_mean_something_here_are_followed(course):
    """The time of a cell, the kernel, and where grade cells are judged."""
    settings = "c.Execute.timeout = 5\nc.Execute.kernel_name = 'python3'\nc.Examiner.mode = 'kernel'\n"
    found = course(SETTINGS + settings, ps1="r", ps2="julia")
    assert (found.limits.cell_seconds, found.student.kernel) == (5, "python3")
    assert found.mode is Mode.KERNEL


def test_markers_and_stubs_are_those_of_the_settings(course):
    """All that nbgrader lets a course say, also a stub that is no dictionary."""
    settings = (
        "c.ClearSolutions.begin_solution_delimeter = '<s>'\n"
        "c.ClearSolutions.end_solution_delimeter = '</s>'\n"
        "c.ClearHiddenTests.begin_test_delimeter = '<t>'\n"
        "c.ClearMarkScheme.end_mark_scheme_delimeter = '</m>'\n"
        "c.ClearSolutions.code_stub = '...'\nc.ClearSolutions.text_stub = 'Write.'\n"
    )
    assert course(SETTINGS + settings).markers == Markers(
        solution=("<s>", "</s>"),
        hidden=("<t>", "END HIDDEN TESTS"),
        scheme=("BEGIN MARK SCHEME", "</m>"),
        code_stubs=(("python", "..."),),
        text_stub="Write.",
    )


def test_without_settings_the_markers_are_the_usual_ones(course):
    """So that nothing that was graded or tried turns stale."""
    assert course().markers == Markers()


def test_a_kernel_of_another_language_judges_its_cells_itself(course):
    """There is nothing that could stand in for it."""
    found = course(ps1="echo")
    assert found.mode is Mode.KERNEL
    assert found.student.python == Path("/bin/cat")


def test_students_and_due_dates_are_those_of_the_gradebook(course, tmp_path):
    """nbgrader keeps them there and nowhere else."""
    course()
    with closing(sqlite3.connect(tmp_path / "course" / "gradebook.db")) as connection, connection:
        connection.execute("create table student (id, first_name, last_name, email, lms_user_id)")
        connection.execute("create table assignment (name, duedate)")
        connection.execute("insert into student values ('anna', 'Anna', 'Bach', null, null)")
        connection.execute("insert into assignment values ('ps1', '2026-02-02 15:58:23.948203')")
    found = load_course(tmp_path / "course")
    assert [student.name for student in found.roster] == ["Anna Bach"]
    assert found.assignments[0].due == datetime(2026, 2, 2, 15, 58, 23, 948203, UTC)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("c.CourseDirectory.source_directory = 'src'", "c.CourseDirectory.source_directory is 'src'"),
        ("c.CourseDirectory.db_url = 'postgresql://x'", "c.CourseDirectory.db_url is 'postgresql://x'"),
        ("c.CourseDirectory.root = '/elsewhere'", "c.CourseDirectory.root is '/elsewhere'"),
        ("c.Examiner.mode = 'fast'", "the mode is 'fast'; choose from 'examined', 'kernel'"),
        ("c.Examiner.mod = 'kernel'", "c.Examiner.mod is unknown"),
        ("raise OSError('no')", "it cannot be run"),
        (
            "import pathlib, examiner.course.load as c\nc.load_course(pathlib.Path(__file__).parent)",
            "it asks for the settings of course.toml, which is not there",
        ),
    ],
)
def test_settings_that_lead_elsewhere_are_one_clear_sentence(course, settings, words):
    """Nothing is graded in one place and written in another."""
    with pytest.raises(BadCourse, match=r"nbgrader_config\.py") as caught:
        course(f"{SETTINGS}{settings}\n")
    assert words in str(caught.value)


def test_notebooks_of_two_kernels_are_too_many(course):
    """One environment is what a course's students have."""
    with pytest.raises(BadCourse, match=r"its notebooks name several kernels \(julia, r\)"):
        course(ps1="r", ps2="julia")


def test_a_source_without_notebooks_is_said(tmp_path):
    """It may be the wrong folder, or a beginning."""
    (tmp_path / "source").mkdir()
    (tmp_path / "nbgrader_config.py").write_text(SETTINGS)
    with pytest.raises(BadCourse, match="there is no assignment"):
        load_course(tmp_path)


def test_settings_alone_are_no_course(tmp_path):
    """nbgrader's settings may lie in a home as well."""
    (tmp_path / "nbgrader_config.py").write_text(SETTINGS)
    with pytest.raises(NoCourse, match=r"there is no course\.toml, nor nbgrader_config\.py beside source/"):
        load_course(tmp_path)
