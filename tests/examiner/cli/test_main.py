"""The command line: what it prints where, and with which exit code it ends."""

import csv

import pytest

pytestmark = pytest.mark.course


def test_help_has_examples_and_exit_codes(small):
    """Who is in a hurry copies an example."""
    run = small.examiner("grade", "--help")
    assert "examiner grade -s student03 --points" in run.stdout
    assert "130 interrupted" in run.stdout


def test_the_version_is_printed(small):
    """It belongs into every report of a defect."""
    assert small.examiner("--version").stdout == "0.1.0\n"


def test_no_command_is_answered_with_help(small):
    """And does nothing."""
    assert "grade" in small.examiner().stdout + small.examiner().stderr


@pytest.mark.parametrize("options", [["--workers", "0"], ["--nonsense"], ["extra"]])
def test_a_wrong_command_line_ends_with_2(small, options):
    """As an instructor's fault does."""
    assert small.examiner("grade", *options).returncode == 2


def test_export_writes_where_it_is_told_to(graded, tmp_path):
    """With a column for every question."""
    run = graded.called("export", "--to", str(tmp_path / "points.csv"), "--questions")
    assert run.returncode == 0, run.stderr
    with (tmp_path / "points.csv").open(newline="") as file:
        rows = {(row["student_id"], row["assignment"]): row for row in csv.DictReader(file)}
    assert rows["anna", "01_double"]["interface_double"] == "4.0"
    assert "points.csv" in run.stdout


def test_a_course_can_be_named_from_elsewhere(graded, tmp_path):
    """No command depends on the working directory."""
    (graded.root / "grades.csv").unlink()
    graded.root = tmp_path
    run = graded.called("export", "--course", str(tmp_path / "course"))
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "course" / "grades.csv").is_file()


def test_one_student_is_shown_alone(graded):
    """The others are neither graded nor in the way."""
    run = graded.called("grade", "-s", "anna", "-s", "ben")
    assert "anna" in run.stdout
    assert "carl" not in run.stdout
    assert run.returncode == 0
