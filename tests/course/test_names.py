"""Names in any language, of assignments, notebooks and students, with what globs and markup take for more."""

import csv
import json
import os
import unicodedata
from types import SimpleNamespace

import pytest

from examiner.course.load import load_course
from examiner.gate import evidence
from examiner.gate.evidence import Evidence
from examiner.model import Mode
from examiner.store.grades import read_grades

pytestmark = pytest.mark.course

NFD = "u\u0308"  # an `ü` of two characters
ASSIGNMENTS = ("ps 3", "Übung-4", "x[1]*{a}")
STUDENTS = (
    "x[1]",
    "*",
    "[b]",
    "{student_id}",
    'o\'b "q"; --',
    "Zoë Ünal",
    "学生",
    "a&b <i>",
    "%s$HOME",
)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def cell(source, name, **marks):
    """Return a cell of nbgrader's."""
    entry = {"grade": False, "solution": False, "locked": False, "schema_version": 3, "task": False} | marks
    kind = {"cell_type": "code", "execution_count": None, "outputs": []}
    return kind | {"id": name, "metadata": {"nbgrader": entry | {"grade_id": name}}, "source": source}


def write(path, answer):
    """Write a notebook."""
    test = cell("assert x == 1", "test", grade=True, locked=True, points=2)
    cells = [cell(answer, "sol", solution=True), test]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture(scope="module")
def graded(tmp_path_factory, make_empty_course):
    """A course in a folder with such a name, all handed in; two notebooks share the name of a cell."""
    small = make_empty_course(tmp_path_factory.mktemp("names") / "Kurs [2026] *")
    for name in ASSIGNMENTS:
        for notebook in ("Blatt 1[a]", "Prüfung"):
            write(
                small.root / "source" / name / f"{notebook}.ipynb",
                "### BEGIN SOLUTION\nx = 1\n### END SOLUTION",
            )
            for student in STUDENTS:
                write(small.root / "submitted" / student / name / f"{notebook}.ipynb", "x = 1")
    folder = (
        small.root
        / "submitted"
        / unicodedata.normalize("NFD", "Jürg")
        / unicodedata.normalize("NFD", "Übung-4")
    )
    write(folder / "Blatt 1[a].ipynb", "x = 1")
    write(folder / unicodedata.normalize("NFD", "Prüfung.ipynb"), "x = 2")
    (small.root / "roster.csv").write_text("id,first_name\nJürg,Jürg\n")
    (small.root / "nbgrader_config.py").write_text("c = get_config()\n")
    course = load_course(small.root)
    for assignment in course.assignments:
        modes = {"test": Mode.EXAMINED}
        evidence.write(course, Evidence(assignment.name, evidence.version(course, assignment), modes))
    return SimpleNamespace(small=small, run=small.called("grade", "--points"))


def scores(graded):
    """Return all scores."""
    grades = read_grades(load_course(graded.small.root)).grades
    return {name: grade.score for name, grade in grades.items()}


EXPECTED = {(student, name): 4 for student in STUDENTS for name in ASSIGNMENTS} | {("Jürg", "Übung-4"): 2}


def test_everybody_gets_what_they_earned(graded):
    """No name is a pattern, a format or markup; one that looks the same is the same."""
    assert graded.run.returncode == 0, graded.run.stderr
    assert scores(graded) == EXPECTED
    assert "was mended" not in graded.run.stdout
    shown = graded.run.stdout
    assert all(student in shown for student in (*STUDENTS, "Jürg"))


def test_everybody_gets_feedback_and_an_executed_notebook(graded):
    """In the folder of that very name."""
    for step, suffix in (("feedback", "html"), ("autograded", "ipynb"), ("release", "ipynb")):
        for student, name in EXPECTED if step != "release" else [("", name) for name in ASSIGNMENTS]:
            found = {path.name for path in (graded.small.root / step / student / name).glob(f"*.{suffix}")}
            assert found == {f"Blatt 1[a].{suffix}", f"Prüfung.{suffix}"}, (step, student, name)


def test_a_cell_of_two_notebooks_has_a_column_of_its_own(graded):
    """Else the score of one would be lost."""
    assert graded.small.called("export", "--questions").returncode == 0
    with (graded.small.root / "grades.csv").open(newline="") as file:
        rows = {(row["student_id"].lstrip("'"), row["assignment"]): row for row in csv.DictReader(file)}
    row = rows["Jürg", "Übung-4"]
    assert [row[name] for name in ("Blatt 1[a]/test", "Prüfung/test", "raw_score")] == ["2.0", "0.0", "2.0"]
    assert {name: float(row["score"]) for name, row in rows.items() if row["score"]} == EXPECTED


def test_the_gradebook_can_be_rebuilt(graded):
    """From sheets that lie in folders of these names."""
    (graded.small.root / "gradebook.db").unlink()
    assert graded.small.called("rebuild").returncode == 0
    assert scores(graded) == EXPECTED


def test_of_two_folders_that_look_the_same_none_is_graded(graded):
    """Nobody knows which one counts; all others keep what they have."""
    write(graded.small.root / "submitted" / "Jürg" / "Übung-4" / "Prüfung.ipynb", "x = 1")
    run = graded.small.called("grade", "--student", f"J{NFD}rg", "--assignment", "Übung-4")
    assert run.returncode == 3
    assert run.stderr.count("there is another folder of this name") == 2
    assert scores(graded) == EXPECTED


OBEYED = ("\x1b[2J\x1b]0;title\x07", "\u202egnp", "\u200bzero", "tab\tbed", "\x9b31m")
REFUSED = {
    os.fsdecode(b"caf\xe9"): "is no UTF-8",
    "line\nbreak": "the end of a line",
    "\u2028": "the end of a line",
}


def test_a_terminal_obeys_no_name_and_no_print_fails(small, monkeypatch):
    """All are graded but for names that nothing can hold, and shown in characters that any terminal has."""
    for student in (*OBEYED, *REFUSED):
        small.hand_in(student)
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    run = small.examiner("grade", "-a", "01_double", "--points", "--json", "run.json")
    assert run.returncode == 3
    assert all(words in run.stderr for words in REFUSED.values())
    lines = (run.stdout + run.stderr).split("\n")
    assert [line for line in lines if not (line.isascii() and line.isprintable())] == []
    assert all(ascii(name)[1:-1] in run.stdout for name in (*OBEYED, *REFUSED))
    told = json.loads((small.root / "run.json").read_text())["submissions"]
    states = {entry["student"]: entry["state"] for entry in told}
    assert states == dict.fromkeys(OBEYED, "graded") | dict.fromkeys(REFUSED, "fault")
    assert all((small.root / "feedback" / name / "01_double" / "double.html").is_file() for name in OBEYED)
