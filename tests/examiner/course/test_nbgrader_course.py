"""A course of nbgrader's without course.toml is read as it is, or one clear error says what is unusual."""

import json
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examiner.course.environment import by_environment, environment_of
from examiner.course.load import load_course
from examiner.errors import BadCourse, BadSource, NoCourse
from examiner.model import Markers, Mode

SETTINGS = 'c = get_config()\nc.CourseDirectory.course_id = "music"\n'


def notebook(kernel="python3"):
    """Return the text of a notebook that names a kernel."""
    metadata = {"kernelspec": {"name": kernel}} if kernel else {}
    return json.dumps({"cells": [], "metadata": metadata, "nbformat": 4, "nbformat_minor": 0})


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Return a function that writes settings and notebooks, and reads the course.

    It takes the kernel of each assignment's notebook, or those of its notebooks by their names.
    """
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    folder = tmp_path / "jupyter" / "kernels" / "echo"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": ["/bin/cat"], "language": "echo"}))
    root = tmp_path / "course"

    def load(settings=SETTINGS, **kernels):
        for name, named in (kernels or {"ps1": "python3"}).items():
            (root / "source" / name).mkdir(parents=True, exist_ok=True)
            for stem, kernel in (named if isinstance(named, dict) else {"work": named}).items():
                (root / "source" / name / f"{stem}.ipynb").write_text(notebook(kernel))
        (root / "nbgrader_config.py").write_text(settings)
        return load_course(root)

    return load


def in_environments(found):
    """Return the environments of a course, each with the names of its assignments."""
    groups = by_environment(found, found.assignments).items()
    return [(student, [assignment.name for assignment in group]) for student, group in groups]


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
    settings += "c.Examiner.trust_timestamps = False\nc.Exchange.root = '/srv/exchange'\n"
    found = course(SETTINGS + settings, ps1="r", ps2={"a": "julia", "b": "echo"})
    assert (found.limits.cell_seconds, found.student.kernel) == (5, "python3")
    assert in_environments(found) == [(found.student, ["ps1", "ps2"])]
    assert found.mode is Mode.KERNEL
    assert not found.trust_timestamps
    assert found.inbound == Path("/srv/exchange") / found.id / "inbound"


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
    """There is nothing that could stand in for it; the cells of other assignments are judged as they were."""
    found = course(ps1="echo")
    assert found.mode_in(found.student) is Mode.KERNEL
    assert found.student.python == Path("/bin/cat")
    both = course(ps1="echo", ps2="python3")
    modes = {both.mode_in(student): names for student, names in in_environments(both)}
    assert modes == {Mode.KERNEL: ["ps1"], None: ["ps2"]}


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
        ("c.Examiner.trust_timestamps = 'no'", "c.Examiner.trust_timestamps: it is 'no'"),
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


def test_each_assignment_has_the_environment_of_its_own_kernel(course):
    """Whether Jupyter knows it or not; one that names none has Jupyter's own, as it has in Jupyter."""
    found = course(ps1="echo", ps2="python", ps3="r", ps4="")
    kernels = {student.kernel: names for student, names in in_environments(found)}
    assert kernels == {"echo": ["ps1"], "python3": ["ps2", "ps4"], "r": ["ps3"]}
    pythons = {student.kernel: student.python for student, _ in in_environments(found)}
    assert (pythons["echo"], pythons["python3"]) == (Path("/bin/cat"), Path(sys.executable))


@pytest.mark.parametrize(
    ("kernels", "kernel"),
    [
        ({"ps1": "echo", "ps2": ""}, "echo"),
        ({"ps1": "", "ps2": "Echo"}, "Echo"),
        ({"ps1": "python", "ps2": "python3"}, "python3"),
        ({"ps1": "", "ps2": ""}, "python3"),
    ],
)
def test_a_course_of_one_kernel_is_graded_in_it(course, kernels, kernel):
    """Also what names no kernel: so it was before there could be several, and its grades stay as they are."""
    found = course(**kernels)
    assert [(student.kernel, names) for student, names in in_environments(found)] == [(kernel, [*kernels])]
    assert not any(assignment.environments for assignment in found.assignments)


def test_a_kernel_is_the_same_whatever_the_case_of_its_name(course):
    """Jupyter finds it so."""
    found = course(ps1="echo", ps2="ECHO", ps3="")
    assert [names for _, names in in_environments(found)] == [["ps1", "ps2", "ps3"]]


def test_notebooks_of_one_assignment_may_name_one_kernel(course, tmp_path):
    """Or none, beside one that does; two stop it, and no other."""
    found = course(ps1={"a": "echo", "b": ""}, ps2="python3", ps3={"a": "echo", "b": "python3"})
    assert [names for _, names in in_environments(found)] == [["ps1"], ["ps2"]]
    with pytest.raises(
        BadSource, match=r"source/ps3: .*: echo in a\.ipynb, python3 in b\.ipynb; give them one"
    ):
        environment_of(found, found.assignments[2])
    (tmp_path / "course" / "source" / "ps3" / ".b.ipynb").write_text(notebook("julia"))
    (tmp_path / "course" / "source" / "ps3" / "b.ipynb").unlink()
    found = load_course(tmp_path / "course")
    assert [names for _, names in in_environments(found)] == [["ps1", "ps3"], ["ps2"]]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"nbformat": 4, "metadata": []}', '{"nbformat": 4, "metadata": {"kernelspec": null}}'],
)
def test_a_notebook_that_cannot_be_read_names_no_kernel(course, tmp_path, text):
    """It stops its own assignment later, with all that is wrong with it, and the course can be read."""
    course(ps1="echo", ps2="echo")
    (tmp_path / "course" / "source" / "ps2" / "work.ipynb").write_text(text)
    found = load_course(tmp_path / "course")
    assert [(student.kernel, names) for student, names in in_environments(found)] == [
        ("echo", ["ps1", "ps2"])
    ]


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
