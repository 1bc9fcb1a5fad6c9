"""Bad input gets one clear sentence and a non-zero exit, through the command line."""

import os
import re
import sqlite3
from contextlib import contextmanager

import pytest
from nbgrader.api import Gradebook

from examiner.batch import worker
from examiner.store import tables
from examiner.store.grades import read_grades

pytestmark = pytest.mark.course

CLASS_NAME = re.compile(r"! [A-Z][a-z]+[A-Z][A-Za-z]+ ")


def refused(run, code, *words):
    """Assert that a run ended with this code, and said one sentence with these words: first the place."""
    assert run.returncode == code, run.stderr
    assert not [word for word in words if word not in run.stderr], run.stderr
    assert not CLASS_NAME.match(run.stderr), run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    assert run.stderr.endswith(".\n")


def rewrite(path, old, new):
    """Replace what stands in a file once."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("command", ["grade", "export", "setup", "lab"])
def test_a_folder_without_a_course(small, tmp_path, command):
    """Every command says the same."""
    refused(small.called(command, "--course", str(tmp_path)), 2, "no course.toml", "--course")


def test_no_submissions(small):
    """The release is made all the same: that is how a course begins."""
    run = small.called("grade")
    refused(run, 2, "no submission to grade", "submitted/<student>/01_double/")
    assert (small.root / "release" / "01_double" / "double.ipynb").is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--assignment", "01_duoble"], "the course has no such assignment; choose from 01_double"),
        (["--student", "ana"], "the course has no such student; choose from anna"),
    ],
)
def test_an_unknown_name(small, options, words):
    """With the names that come close, and before anything is done."""
    refused(small.called("grade", *options), 2, words)
    assert not (small.root / "release").exists()


def test_an_unknown_format(graded):
    """The list of formats grows."""
    refused(graded.called("export", "--format", "xslx"), 2, "format 'xslx'", "choose from csv")


def test_no_gradebook_to_export(small):
    """There is nothing to export before something was graded."""
    refused(small.called("export"), 2, "run `examiner grade`")


def test_a_broken_course_file(small):
    """TOML's own message names the line."""
    rewrite(small.root / "course.toml", "[limits]", "[limits")
    refused(small.called("grade"), 2, "course.toml", "at line 11")


def test_an_unreadable_source_notebook(small):
    """It is the instructor's, so nothing is graded."""
    small.source("01_double").write_text("{")
    refused(small.called("grade"), 2, "double.ipynb", "no readable notebook")


def test_a_missing_source_notebook(small):
    """course.toml names an assignment that nobody wrote."""
    small.source("01_double").unlink()
    refused(small.called("grade"), 2, "source/01_double", "there is no notebook")


def test_an_unclosed_solution_marker(small):
    """nbgrader says 'no end solution statement found', and not where."""
    rewrite(small.source("01_double"), "### END SOLUTION", "### END")
    refused(small.called("grade"), 2, "cell 3 (double_function)", "no line after it")


def test_a_part_that_does_not_exist(small):
    """A release without it would greet students with an ImportError."""
    rewrite(small.root / "course.toml", '["one"]', '["three"]')
    refused(small.called("grade"), 2, "there is no part pack.three")


@pytest.mark.parametrize("command", ["grade", "export"])
def test_a_gradebook_of_another_version(graded, command):
    """Reading it would give wrong grades, writing it would destroy it."""
    with sqlite3.connect(graded.root / "gradebook.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'b6d005d67074'")
    refused(graded.called(command), 1, "b6d005d67074", "nbgrader db upgrade")


def test_a_gradebook_that_is_none(graded):
    """A disk that was full, a file of the same name."""
    (graded.root / "gradebook.db").write_text("not a database, but long enough to look like one" * 9)
    refused(graded.called("grade"), 1, "this is no gradebook")


def test_a_missing_kernel(small):
    """nbgrader says so once for every submission."""
    small.hand_in("anna")
    rewrite(small.root / "course.toml", '"tinytorch-student"', '"no-such-kernel"')
    refused(small.called("grade"), 1, "no-such-kernel", "run `examiner setup`")


def test_a_missing_student_environment(small):
    """It is not in git; one command makes it."""
    small.hand_in("anna")
    config = small.root / "course.toml"
    config.write_text(config.read_text().replace("/.venv-student", "/.venv-nowhere"))
    refused(small.called("grade"), 1, ".venv-nowhere", "run `examiner setup`")


def test_missing_settings_of_nbgrader(small):
    """A course made by hand may lack them; the sentence holds the lines to write."""
    small.hand_in("anna")
    (small.root / "nbgrader_config.py").unlink()
    run = small.called("grade")
    assert run.returncode == 2
    assert "from examiner.plugin import configure" in run.stderr


def test_a_submission_that_is_a_link_is_not_followed(graded, tmp_path):
    """nbgrader copies what a link points at into the student's feedback."""
    (tmp_path / "secret").write_text("canary-secret")
    (graded.root / "submitted" / "anna" / "01_double" / "data.txt").symlink_to(tmp_path / "secret")
    run = graded.called("grade", "-s", "anna")
    refused(run, 3, "anna/01_double/data.txt", "this is not a regular file")


def test_a_time_stamp_that_is_none(graded):
    """Whoever collected the work wrote it; without one, the work is simply not late."""
    (graded.root / "submitted" / "anna" / "01_double" / "timestamp.txt").write_text("yesterday-ish")
    run = graded.called("grade", "-s", "anna")
    refused(run, 3, "anna/01_double/timestamp.txt", "this is no time ('yesterday-ish')", "UTC, or remove it")


def test_a_removed_student_whose_work_is_still_there(graded):
    """The run says so and goes on; with the student in the roster, the grade is back."""
    graded.submitted("anna", "01_double").parent.parent.rename(graded.root / "submitted" / "nora")
    assert graded.called("grade", "-s", "nora", "-a", "02_triple").returncode == 0
    before = read_grades(graded.course).of("nora", "02_triple")
    with Gradebook(tables.url_of(graded.course.gradebook)) as book:
        book.remove_student("nora")
    for _ in range(2):
        run = graded.called("grade", "-s", "nora", "-a", "02_triple")
        assert run.returncode == 0, run.stderr
        assert "nora/02_triple: the gradebook has no such student any more" in run.stdout
    with (graded.root / "roster.csv").open("a") as roster:
        roster.write("nora,Nora,North,,\n")
    assert graded.called("grade", "-s", "nora", "-a", "02_triple").returncode == 0
    assert read_grades(graded.course).of("nora", "02_triple") == before


def test_what_costs_its_workers_is_not_graded_in_every_run(graded, monkeypatch):
    """It would cost each run the same again; asked for, it is tried once more."""
    graded.hand_in("anna", code="def double(x):\n    return 2 * x\n")
    with monkeypatch.context() as patch:
        patch.setattr(worker, "grading_worker", dying_worker)
        refused(graded.called("grade", "-s", "anna", "-a", "01_double"), 1, "died 2 times", "with --regrade")
    again = graded.called("grade", "-s", "anna", "-a", "01_double")
    refused(again, 1, "died 2 times", "with --regrade")
    assert "0 graded" in again.stdout
    mended = graded.called("grade", "-s", "anna", "-a", "01_double", "--regrade")
    assert (mended.returncode, "1 graded" in mended.stdout) == (0, True)


@contextmanager
def dying_worker(_context):
    """Stand for a worker that a submission kills."""
    os._exit(9)
    yield


def test_a_folder_named_like_a_notebook(graded):
    """A student may call anything so; the notebook beside it is graded and explained."""
    folder = graded.submitted("anna", "01_double").parent / "other.ipynb"
    folder.mkdir()
    (folder / "data.txt").write_text("1")
    run = graded.called("grade", "-s", "anna", "-a", "01_double")
    assert run.returncode == 0, run.stderr
    assert (graded.root / "feedback" / "anna" / "01_double" / "double.html").is_file()
