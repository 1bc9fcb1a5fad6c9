"""`examiner grade` on a small class of all kinds of students, graded through the real command line."""

import csv
import json
import re
import shutil
import sqlite3

import pytest

from examiner.errors import StudentFault
from examiner.notebook import mark
from examiner.pipeline import GradeRequest, autograde
from examiner.store.grades import read_grades
from examiner.submission.intake import digest

pytestmark = pytest.mark.course

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="

SCORES = {
    ("anna", "01_double"): 7,
    ("anna", "02_triple"): 10,
    ("ben", "01_double"): 0,
    ("ben", "02_triple"): 10,
    ("carl", "01_double"): 0,
    ("fred", "01_double"): 0,
    ("gina", "01_double"): 0,
}


def scores(small):
    """Return the score of every submission that has one."""
    grades = read_grades(small.course).grades
    return {name: grade.score for name, grade in grades.items() if grade.is_graded}


def state(root):
    """Return a digest of everything that commands write for people and for git."""
    return {
        name: digest(root / name) for name in ("release", "autograded", "feedback", "submitted", "source")
    } | {"grades.csv": (root / "grades.csv").read_text()}


def test_every_submission_gets_what_its_code_earned(graded_once):
    """Bad ones among them stop nobody else."""
    assert scores(graded_once[0]) == SCORES


def test_a_submission_that_cannot_be_graded_is_explained_and_is_no_zero(graded_once):
    """The exit code says that something is left to do; the sentence says what."""
    small, run = graded_once
    assert run.returncode == 3
    assert run.stderr.startswith("! emil/01_double/double.ipynb: this is no readable notebook")
    assert re.search(r"emil +! ", run.stdout)
    assert ("emil", "01_double") not in scores(small)


def test_the_table_shows_students_assignments_and_sums(graded_once):
    """And with --points every question."""
    text = graded_once[1].stdout
    assert re.search(r"anna Anna Adams, MSc +7\* +10 +17", text)
    assert re.search(r"ben Ben Brown +0\*† +10 +10", text)
    assert re.search(r"at most +10 +10 +20", text)
    assert "1 interface_double  2 numeric_double  3 written_why" in text
    assert re.search(r"anna +4 +3 +\n", text)


def rows(small):
    """Return the lines of the exported CSV."""
    with (small.root / "grades.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_csv_holds_what_the_gradebook_says(graded_once):
    """Names with commas are quoted; being late is in it."""
    by_name = {(row["student_id"], row["assignment"]): row for row in rows(graded_once[0])}
    anna, ben = by_name["anna", "01_double"], by_name["ben", "01_double"]
    assert (anna["last_name"], anna["score"], anna["max_score"]) == ("Adams, MSc", "7.0", "10.0")
    assert (anna["status"], anna["interface_score"], anna["written_score"]) == (
        "needs manual grading",
        "4.0",
        "",
    )
    assert float(ben["late_seconds"]) == 24 * 3600
    assert by_name["carl", "02_triple"]["status"] == "not submitted"


def test_no_hidden_test_can_be_read_in_feedback_or_release(graded_once):
    """A canary stands in every hidden test; carl prints its inputs, raises them, and prints the history."""
    root = graded_once[0].root
    files = [path for name in ("feedback", "release") for path in (root / name).rglob("*") if path.is_file()]
    texts = {path: path.read_text() for path in files}
    assert not [path for path, text in texts.items() if "canary" in text]
    pages = [text for path, text in texts.items() if path.suffix == ".html"]
    assert len(pages) == len(SCORES)
    told = ("Traceback (most recent", "BEGIN HIDDEN", "saw")
    assert not [text for text in pages if any(words in text for words in told)]


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("anna/01_double/double", "4 of 4 points. All tests passed, the hidden ones too."),
        ("ben/01_double/double", "Hint: Try larger numbers."),
        ("ben/01_double/double", "not yet: arrays (Use an operator of numpy&#39;s.)"),
        ("carl/01_double/double", "An exception was raised here:"),
        ("fred/01_double/double", "It took too long and was stopped after 3 s"),
    ],
)
def test_feedback_says_in_words_how_it_ended(graded_once, page, told):
    """Points alone teach nothing."""
    text = (graded_once[0].root / "feedback" / f"{page}.html").read_text()
    assert told.replace("&#39;", "'") in text.replace("&#39;", "'")


def test_a_page_runs_nothing_of_a_students_and_shows_the_pictures(graded_once):
    """Whoever looks at it is logged in somewhere."""
    page = (graded_once[0].root / "feedback/anna/01_double/double.html").read_text()
    assert "alert(1)" not in page
    assert "<b>bold</b>" in page
    assert f"data:image/png;base64,{PIXEL}" in page.replace("\n", "")


def test_feedback_holds_pages_their_time_stamps_and_nothing_else(graded_once):
    """What lies beside an executed notebook may have been written there by a hidden test."""
    names = {path.name for path in (graded_once[0].root / "feedback").rglob("*") if path.is_file()}
    assert names == {"double.html", "triple.html", "timestamp.txt"}


def test_a_second_run_does_nothing_and_changes_nothing(graded):
    """No notebook runs, no file is written, and none of nbgrader's steps is started."""
    before = state(graded.root)
    run = graded.called("grade")
    assert run.stdout.startswith("Small course\n")
    assert "0 graded, 8 as they were" in run.stdout
    assert run.returncode == 3
    assert state(graded.root) == before


@pytest.mark.parametrize("spoil", [shutil.rmtree, lambda path: (path / "double.ipynb").write_text("{}")])
def test_a_release_that_is_lost_or_edited_is_made_again_byte_for_byte(graded, spoil):
    """It is in git, so that a difference shows what students get: what the source makes, and nothing else."""
    before = digest(graded.root / "release")
    spoil(graded.root / "release" / "01_double")
    run = graded.called("grade", "-a", "01_double")
    assert digest(graded.root / "release") == before
    assert "releases 1/1 01_double" in run.stdout
    assert "0 graded" in run.stdout


def test_only_a_changed_submission_is_graded_again(graded):
    """The other grades, and the manual ones, are left alone."""
    graded.hand_in("ben")
    run = graded.called("grade")
    assert "submissions 1/1 ben/01_double" in run.stdout
    assert scores(graded) == SCORES | {("ben", "01_double"): 7}


def test_work_that_cannot_be_read_keeps_the_former_grade_and_notebook(graded):
    """nbgrader removes the former notebook before it runs the new one."""
    before = digest(graded.root / "autograded" / "anna"), digest(graded.root / "feedback" / "anna")
    graded.submitted("anna", "01_double").write_text("[]")
    run = graded.called("grade", "-s", "anna")
    assert run.returncode == 3
    assert "anna/01_double/double.ipynb: this is JSON, but no notebook" in run.stderr
    assert re.search(r"anna Anna Adams, MSc +7\*! ", run.stdout)
    assert scores(graded) == SCORES
    assert (digest(graded.root / "autograded" / "anna"), digest(graded.root / "feedback" / "anna")) == before


def test_a_changed_assignment_makes_grades_stale_until_somebody_asks_for_others(graded):
    """Nobody's grade changes because the instructor corrected a word."""
    path = graded.source("02_triple")
    path.write_text(path.read_text().replace("Three times.", "Thrice."))
    graded.keep_evidence("02_triple")
    run = graded.called("grade", "-a", "02_triple")
    assert "submissions" not in run.stdout
    assert "10~" in run.stdout
    run = graded.called("grade", "-a", "02_triple", "-s", "anna", "--regrade")
    assert "submissions 1/1 anna/02_triple" in run.stdout
    assert "~" not in run.stdout


def test_a_manual_grade_makes_new_feedback(graded):
    """Formgrader writes into the same gradebook; the page follows at the next run."""
    with sqlite3.connect(graded.root / "gradebook.db") as database:
        database.execute("UPDATE grade SET manual_score = 2 WHERE auto_score IS NULL AND needs_manual_grade")
    run = graded.called("grade", "-s", "anna")
    assert "feedback 1/1 anna/01_double" in run.stdout
    assert "Score: 9.0 / 10.0" in (graded.root / "feedback/anna/01_double/double.html").read_text()


def test_a_lost_gradebook_is_made_again_with_the_manual_grades(graded):
    """It is a rendering of the sheets and of what persons entered, and nothing is graded for it."""
    with sqlite3.connect(graded.root / "gradebook.db") as database:
        database.execute("UPDATE grade SET manual_score = 2 WHERE auto_score IS NULL AND needs_manual_grade")
    graded.called("grade")
    before = scores(graded)
    assert before["anna", "01_double"] == 9
    (graded.root / "gradebook.db").unlink()
    run = graded.called("grade")
    assert "0 graded, 8 as they were" in run.stdout
    assert scores(graded) == before


def test_mended_work_is_mended_with_a_word(graded):
    """Whoever changes or loses a test loses no points by it, and is told."""
    path = graded.submitted("anna", "02_triple")
    document = json.loads(path.read_text())
    document["cells"] = [cell for cell in document["cells"] if not mark(cell, "grade")]
    path.write_text(json.dumps(document))
    run = graded.called("grade", "-s", "anna")
    assert "anna/02_triple was mended: interface_triple: it was missing; put back" in run.stdout
    assert scores(graded) == SCORES


def test_cells_may_change_after_work_was_handed_in(graded):
    """nbgrader refuses to; here the grades are stale, and a regrade enters points at the new cells."""
    path = graded.source("02_triple")
    path.write_text(path.read_text().replace('"interface_triple"', '"interface_thrice"'))
    graded.keep_evidence("02_triple")
    run = graded.called("grade")
    assert "0 graded, 8 as they were" in run.stdout
    assert re.search(r"anna .*~", run.stdout)
    run = graded.called("grade", "-a", "02_triple", "--regrade", "--points")
    assert "interface_thrice" in run.stdout
    assert scores(graded) == SCORES


def test_the_result_can_be_read_by_a_program(graded, tmp_path):
    """Scores, states, faults, and the verdicts of what was graded now."""
    graded.hand_in("ben")
    graded.called("grade", "--json", str(tmp_path / "run.json"))
    entries = json.loads((tmp_path / "run.json").read_text())["submissions"]
    by_name = {(entry["student"], entry["assignment"]): entry for entry in entries}
    ben, emil = by_name["ben", "01_double"], by_name["emil", "01_double"]
    assert (ben["state"], ben["score"], ben["max_score"]) == ("graded", 7, 10)
    assert [cell["outcome"] for cell in ben["cells"]] == ["passed", "passed"]
    assert (emil["state"], emil["score"], emil["fault"]["kind"]) == ("fault", None, "StudentFault")
    assert by_name["anna", "02_triple"]["state"] == "as it was"


def test_a_student_who_is_not_in_the_roster_is_graded_too(graded_once):
    """A late registration is no reason to lose work; carl stands in the table like everybody."""
    assert ("carl", "01_double") in scores(graded_once[0])


def test_a_late_penalty_is_nbgraders(graded):
    """Its plugins stay in use; a penalty is never more than the score."""
    with (graded.root / "nbgrader_config.py").open("a") as file:
        file.write('c = get_config()\nc.LateSubmissionPlugin.penalty_method = "zero"\n')
    graded.hand_in("ben", when="2026-09-22 22:00:00 UTC")
    run = graded.called("grade", "-s", "ben", "-a", "01_double")
    assert "late 1/1 ben/01_double" in run.stdout
    grade = read_grades(graded.course).of("ben", "01_double")
    assert (grade.raw_score, grade.penalty, grade.score) == (7, 7, 0)
    assert "late 1/" not in graded.called("grade", "-s", "ben").stdout


def test_evidence_is_gathered_where_there_is_none(graded):
    """A course that somebody wrote this morning is graded this evening."""
    shutil.rmtree(graded.root / "evidence")
    run = graded.called("grade", "-a", "02_triple")
    assert "evidence 1/1 02_triple" in run.stdout
    assert "0 graded" in run.stdout
    assert "evidence 1/" not in graded.called("grade", "-a", "02_triple").stdout


class Meddler:
    """Watches a run, and does something when the first submission is about to be graded."""

    def __init__(self, meddle):
        self.meddle = meddle

    def phase(self, name, _total):
        """Meddle."""
        if name == "submissions":
            self.meddle()

    def step(self, _done, _total, _name):
        """Say nothing."""

    def start(self, _name):
        """Say nothing."""

    def end(self, _name, _fault):
        """Say nothing."""


def replace_by_link(path):
    """Put a link to a secret in the place of a file."""
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("meddle", [replace_by_link, lambda path: path.write_text("{}")])
def test_work_that_changes_during_a_run_stops_nobody_else(small, meddle):
    """It has no grade under the digest of what it was, and is graded in the next run."""
    small.hand_in("ben")
    path = small.hand_in("anna")
    run = autograde(small.course, GradeRequest(workers=2), Meddler(lambda: meddle(path)))
    [(submission, fault)] = run.faults.items()
    assert (str(submission), type(fault)) == ("anna/01_double", StudentFault)
    assert scores(small) == {("ben", "01_double"): 7}
    path.unlink()
    small.hand_in("anna")
    assert not autograde(small.course, GradeRequest(workers=2), Meddler(lambda: None)).faults
    assert scores(small) == {("ben", "01_double"): 7, ("anna", "01_double"): 7}
