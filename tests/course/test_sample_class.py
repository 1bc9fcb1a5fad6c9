"""The bundled class: made from one readable page, and graded to what its code earned.

Some of its work is graded at a time, other work with each commit; all of it by `make whole`.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from examiner.course.load import load_course
from examiner.pipeline import GradeRequest, autograde
from examiner.store.grades import read_grades
from tests.turns import every_third, in_turn

from .sample_class import HERE, make_class

REPOSITORY = HERE.parents[1]
EXPECTED = tomllib.loads((HERE / "expected_scores.toml").read_text())
PAIRS = [(student, name) for student in sorted(EXPECTED) for name in sorted(EXPECTED[student])]
CHUNKS = [PAIRS[n : n + 3] for n in range(0, len(PAIRS), 3)]
OF_THIS_TURN = [pair for chunk in in_turn(CHUNKS, len(CHUNKS)) for pair in chunk]
NAMES = {name for _, name in OF_THIS_TURN}
GRADED = {
    student: {name: points for name, points in EXPECTED[student].items() if name in NAMES}
    for student in sorted({student for student, _ in OF_THIS_TURN})
}
CLASS = tuple(GRADED)
EXPLAINED = CLASS[0]


class Silent:
    """Watches a run, and says nothing."""

    def phase(self, _name, _total):
        """Say nothing."""

    def step(self, _done, _total, _name):
        """Say nothing."""

    def start(self, _name):
        """Say nothing."""

    def end(self, _name, _fault):
        """Say nothing."""


def test_what_is_committed_is_what_class_toml_makes():
    """Byte for byte; after a change of an assignment, style or mutant, `make class` writes it anew."""
    folder = REPOSITORY / "submitted"
    committed = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    made = make_class(load_course(REPOSITORY))
    assert committed.keys() == made.keys()
    assert [path for path in made if committed[path] != made[path]] == []


def test_everybody_is_in_the_roster():
    """Names and e-mail addresses come from there into the gradebook."""
    roster = {student.id for student in load_course(REPOSITORY).roster}
    assert roster == EXPECTED.keys() == {path.name for path in (REPOSITORY / "submitted").glob("student*")}


@pytest.fixture(scope="module")
def grades(released, tmp_path_factory):
    """What the gradebook says about a copy of the course, in which the class of this turn is graded.

    One student's pages are made, too.
    """
    root = tmp_path_factory.mktemp("class") / "course"
    shutil.copytree(released.root, root)
    shutil.copytree(REPOSITORY / "submitted", root / "submitted")
    run = autograde(
        load_course(root), GradeRequest(tuple(sorted(NAMES)), CLASS, workers=os.cpu_count()), Silent()
    )
    assert not run.faults
    command = [Path(sys.executable).with_name("examiner"), "grade", "--course", root, "--student", EXPLAINED]
    command += [option for name in sorted(NAMES) for option in ("--assignment", name)]
    explained = subprocess.run(command, capture_output=True, text=True, check=False)
    assert explained.returncode == 0, explained.stderr
    assert "releases" not in explained.stdout, "they were made"
    assert "submissions" not in explained.stdout, "they were graded"
    pages = {path.parent.name for path in (root / "feedback" / EXPLAINED).rglob("*.html")}
    assert pages == GRADED[EXPLAINED].keys()
    return read_grades(load_course(root))


@pytest.mark.course
@every_third(1)
def test_everybody_gets_the_points_that_their_code_earned(grades):
    """Warnings, slow imports and deleted tests cost nothing; loops that never end cost their cell."""
    found = {
        student: {name: grade.raw_score for name in GRADED[student] if (grade := grades.of(student, name))}
        for student in CLASS
    }
    assert found == GRADED


@pytest.mark.course
@every_third(1)
def test_nobody_has_a_grade_for_what_was_not_handed_in(grades):
    """No submission is no zero."""
    graded = {key for key, grade in grades.grades.items() if grade.is_graded}
    assert graded == {(student, name) for student in CLASS for name in GRADED[student]}


@pytest.mark.course
@every_third(1)
def test_only_student12_is_late(grades):
    """By a day and a half, which costs nothing unless the instructor says so."""
    late = {key: grade.late_seconds for key, grade in grades.grades.items() if grade.late_seconds}
    assert late == {("student12", name): 36 * 3600.0 for name in GRADED.get("student12", ())}
    assert not any(grade.penalty for grade in grades.grades.values())


@pytest.mark.course
@every_third(1)
def test_written_answers_wait_for_a_person_and_blank_ones_do_not(grades):
    """nbgrader gives 0 to an answer that is still the release's."""
    waiting = {student for (student, _), grade in grades.grades.items() if grade.needs_manual_grade}
    assert waiting == {*CLASS} - {"student06"}
