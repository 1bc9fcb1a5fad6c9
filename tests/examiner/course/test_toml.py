"""course.toml and roster.csv become one frozen value, or one clear error."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examiner.course.load import load_course
from examiner.course.names import choose
from examiner.errors import BadCourse, NoCourse, UnknownName
from examiner.model import Mode

ROOT = Path(__file__).parents[3]

SMALL = """
id = "small"
[student]
python = ".venv-student"
requirements = "student.txt"
kernel = "small-student"
[assignments.01_first]
"""


@pytest.fixture
def course(tmp_path):
    """Return a function that writes a course.toml and a roster.csv and reads them."""

    def load(toml=SMALL, roster=None):
        (tmp_path / "course.toml").write_text(toml)
        if roster is not None:
            (tmp_path / "roster.csv").write_text(roster)
        return load_course(tmp_path)

    return load


def test_the_course_of_this_repository_is_read():
    """Its names are what the documents, the workflow and the kernel are called by."""
    course = load_course(ROOT)
    assert [a.name for a in course.assignments] == [
        "01_tensor",
        "02_variable",
        "04_conv2d",
        "05_pooling",
        "08_acceleration",
        "09_quantization",
        "10_pruning",
        "11_caching",
        "12_benchmarking",
    ]
    assert course.student.kernel == "tinytorch-student"
    assert [s.id for s in course.roster] == [f"student{i:02}" for i in range(1, 13)]


def test_what_is_not_said_has_a_default(course):
    """A course needs an id, a student environment and an assignment, nothing else."""
    small = course()
    assert (small.limits.cell_seconds, small.roster, small.package) == (10, (), None)
    assert small.student.display_name == "small-student"


def test_a_course_can_ask_for_its_kernel(course):
    """Else the evidence says where each grade cell is judged."""
    assert course().mode is None
    assert course('mode = "kernel"' + SMALL).mode is Mode.KERNEL


def test_a_due_date_keeps_its_moment(course):
    """The gradebook is in UTC; the instructor may think in any zone."""
    due = course(SMALL + "due = 2026-09-21T23:00:00+01:00\n").assignments[0].due
    assert due == datetime(2026, 9, 21, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("id = ", "it is not TOML"),
        (SMALL.replace('id = "small"', ""), "'id' is missing"),
        (SMALL.replace('"small"', "3"), "'id' is 3; give text in quotes"),
        (SMALL.replace('"small"', '"../small"'), "cannot be the name of a folder"),
        (SMALL.replace("kernel", "kernle"), "'kernel' is missing"),
        (SMALL + "deu = 2026-09-21T22:00:00Z", "'deu' is unknown; use due"),
        (SMALL + "due = 2026-09-21T22:00:00", "no time zone"),
        (SMALL + "due = 2026-09-21", "give a date and time"),
        (SMALL + "parts = [3]", "give a list of names"),
        (SMALL + "[limits]\ncell_seconds = 0", "give a number of seconds above 0"),
        (SMALL + '[reference]\npackage = "nothing"', "is no Python package"),
        (SMALL.replace("[assignments.01_first]", ""), "it names no assignment"),
        (SMALL.replace("01_first", "'a/b'"), "cannot be the name of a folder"),
        ('mode = "fast"' + SMALL, "the mode is 'fast'; choose from 'examined', 'kernel'"),
    ],
)
def test_a_broken_course_file_is_one_clear_sentence(course, toml, words):
    """The sentence names the file, the fact and the next step."""
    with pytest.raises(BadCourse, match=r"course\.toml") as caught:
        course(toml)
    assert words in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("roster", "words"),
    [
        ("name\nAnna\n", "its columns are name"),
        ("", "its columns are missing"),
        ("id,email\nanna,a@example.org,more\n", "line 2: it has more or fewer fields"),
        ("id,email\nanna\n", "line 2: it has more or fewer fields"),
        ("id\nanna\nanna\n", "'anna' is in it twice"),
        ("id\n../anna\n", "cannot be the name of a folder"),
    ],
)
def test_a_broken_roster_is_one_clear_sentence(course, roster, words):
    """A student who is silently left out is found out too late."""
    with pytest.raises(BadCourse, match=r"roster\.csv") as caught:
        course(roster=roster)
    assert words in str(caught.value)


def test_a_folder_without_course_file_is_no_course(tmp_path):
    """The commonest mistake of all is the wrong folder."""
    shutil.rmtree(tmp_path)
    with pytest.raises(NoCourse, match="this is no course"):
        load_course(tmp_path)


def test_an_unknown_name_brings_the_closest_known_one():
    """Names are typed by hand."""
    with pytest.raises(UnknownName, match="choose from student03"):
        choose("student", "studnet03", ["student03", "anna"])
