"""A course is copied whole and comes back whole; of a person who is forgotten, nothing is left."""

import shutil
import sqlite3
import tarfile
from contextlib import closing

import pytest
from nbgrader.api import Gradebook
from nbgrader.utils import notebook_hash

from examiner.store import tables
from examiner.store.grades import read_grades
from tests.conftest import SmallCourse
from tests.turns import every_third

pytestmark = [pytest.mark.course, every_third(2)]

FORGOTTEN, OTHER = "student77", "student01"


def done(run):
    """Assert that a command succeeded; return it."""
    assert run.returncode == 0, run.stderr
    return run


def enter(course, student, score, comment):
    """Enter a manual grade and a comment, as formgrader does."""
    with Gradebook(tables.url_of(course.gradebook)) as book:
        grade = book.find_grade("written_why", "double", "01_double", student)
        grade.manual_score = score
        book.find_comment("written_why", "double", "01_double", student).manual_comment = comment
        book.db.commit()


def graded_class(folder, make_small_course):
    """Grade two students, whose written answers a person grades, too, and release their feedback."""
    small = make_small_course(folder / "course")
    for student in (FORGOTTEN, OTHER):
        path = small.hand_in(student, when="2026-09-22 22:00:00 UTC")
        (path.parent / "submission_secret.txt").write_text(f"secret of {student}")
        (path.parent / "data.txt").write_text(f"by {student}")
    done(small.examiner("grade"))
    for student in (FORGOTTEN, OTHER):
        enter(small.course, student, 2.0, f"Well done, {student}!")
    with (small.root / "roster.csv").open("a") as roster:
        roster.write(f"{FORGOTTEN},Fay,Forgotten,{FORGOTTEN}@example.org,\n")
    done(small.examiner("grade"))
    inbound = small.course.inbound / f"{FORGOTTEN}+01_double+2026-09-22 22:00:00 UTC+key"
    shutil.copytree(small.submitted(FORGOTTEN, "01_double").parent, inbound)
    released = small.course.inbound.parent / "feedback"
    released.mkdir()
    for student in (FORGOTTEN, OTHER):
        page = small.root / "feedback" / student / "01_double" / "double.html"
        name = notebook_hash(secret=f"secret of {student}", notebook_id="double")
        (released / f"{name}.html").write_bytes(page.read_bytes() + b"released before")
    return small.root


@pytest.fixture
def small(once, make_small_course, tmp_path):
    """A class of two in which everything about a person has been made; a test may spoil it."""
    root = once("a class of two", lambda folder: graded_class(folder, make_small_course))
    shutil.copytree(root, tmp_path / "course")
    return SmallCourse(tmp_path / "course")


def traces(root, student):
    """Return the files and folders that name a student, or hold the name in their bytes."""
    name = student.encode()
    return [
        path
        for path in sorted(root.rglob("*"))
        if student in path.name or (path.is_file() and name in path.read_bytes())
    ]


def rows(course):
    """Return the gradebook as SQL."""
    with closing(sqlite3.connect(course.gradebook)) as connection:
        return sorted(connection.iterdump())


def test_of_a_forgotten_student_nothing_is_left(small):
    """Neither a name nor a byte, in any file of the course; what is about others is as it was."""
    grades = read_grades(small.course)
    assert len(traces(small.root, FORGOTTEN)) > 20
    listed = small.called("forget", FORGOTTEN)
    assert (listed.returncode, "nothing was removed yet; add --yes" in listed.stderr) == (2, True)
    assert traces(small.root, FORGOTTEN)
    for place in (f"submitted/{FORGOTTEN}", f"sheets/01_double/{FORGOTTEN}", "gradebook.db", "roster.csv"):
        assert place in listed.stdout
    done(small.called("forget", FORGOTTEN, "--yes"))
    assert traces(small.root, FORGOTTEN) == []
    assert len(list((small.course.inbound.parent / "feedback").iterdir())) == 1
    again = done(small.called("grade"))
    assert "0 graded, 1 as they were" in again.stdout
    after = read_grades(small.course)
    assert after.of(OTHER, "01_double") == grades.of(OTHER, "01_double")
    assert [comment.partition(" ")[2] for comment in after.of(OTHER, "01_double").comments] == [
        f"Well done, {OTHER}!"
    ]
    done(small.called("rebuild"))
    assert read_grades(small.course).grades == after.grades
    assert traces(small.root, FORGOTTEN) == []


def test_who_was_half_forgotten_is_forgotten_by_the_same_command(small):
    """Whatever ended it the first time."""
    shutil.rmtree(small.root / "submitted" / FORGOTTEN)
    with closing(sqlite3.connect(small.course.gradebook)) as connection, connection:
        connection.execute("delete from student where id = ?", [FORGOTTEN])
    done(small.called("forget", FORGOTTEN, "--yes"))
    left = traces(small.root, FORGOTTEN)
    assert left == []


def test_a_damaged_file_of_entries_stops_it_and_is_removed_once_it_is_set_aside(small):
    """It may name the student, and nobody can say where."""
    [path] = (small.root / "sheets" / "edits").glob("*.json")
    path.write_bytes(path.read_bytes()[:-3])
    run = small.called("forget", FORGOTTEN, "--yes")
    assert (run.returncode, "run `examiner rebuild`" in run.stderr) == (1, True)
    assert small.called("rebuild").returncode == 1
    done(small.called("forget", FORGOTTEN, "--yes"))
    assert traces(small.root, FORGOTTEN) == []


def test_nobody_is_forgotten_by_a_slip_of_the_pen(small):
    """An id that is not known says which ones are close."""
    before = traces(small.root, FORGOTTEN)
    run = small.called("forget", "student7", "--yes")
    assert (run.returncode, "choose from" in run.stderr) == (2, True)
    assert small.called("forget", "..", "--yes").returncode == 2
    assert traces(small.root, FORGOTTEN) == before


def test_a_course_comes_back_whole(small, tmp_path):
    """On another machine: the gradebook is the same, row for row, and the next run replaces no grade."""
    archive, other = tmp_path / "course.tar.gz", SmallCourse(tmp_path / "other")
    (small.root / "submitted" / OTHER / "01_double" / "link").symlink_to("/nowhere")
    filed = [path.name for path in sorted((small.root / "sheets").rglob("*"))]
    done(small.called("backup", str(archive)))
    assert archive.stat().st_mode & 0o077 == 0
    done(other_called(small, other, "restore", str(archive)))
    assert rows(other.course) == rows(small.course)
    assert (other.root / "sheets").stat().st_mode & 0o077 == 0
    assert (other.root / "submitted" / OTHER / "01_double" / "link").is_symlink()
    assert not (other.root / "feedback").exists()
    (other.root / "submitted" / OTHER / "01_double" / "link").unlink()
    done(other.called("grade"))
    assert [path.name for path in sorted((other.root / "sheets").rglob("*"))] == filed
    assert read_grades(other.course).grades == read_grades(small.course).grades
    assert (other.root / "feedback" / OTHER / "01_double" / "double.html").is_file()


def other_called(small, other, *arguments):
    """Call a command for another folder, which may not be there yet."""
    return small.called(*arguments, "--course", str(other.root))


def test_a_restore_replaces_nothing_that_is_different(small, tmp_path):
    """Equal files may be there, as after a clone of the course; one other file and nothing is restored."""
    archive, other = tmp_path / "course.tar.gz", SmallCourse(tmp_path / "other")
    done(small.called("backup", str(archive)))
    shutil.copytree(small.root / "source", other.root / "source")
    (other.root / "roster.csv").write_text("id\nsomebody\n")
    run = other_called(small, other, "restore", str(archive))
    assert (run.returncode, "roster.csv" in run.stderr, "move them away" in run.stderr) == (2, True, True)
    assert sorted(path.name for path in other.root.iterdir()) == ["roster.csv", "source"]
    (other.root / "roster.csv").unlink()
    done(other_called(small, other, "restore", str(archive)))
    assert rows(other.course) == rows(small.course)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "another", "outside", "missing"])
def test_a_damaged_archive_restores_nothing(small, tmp_path, damage):
    """One sentence, and the folder is as it was."""
    archive, other = tmp_path / "course.tar.gz", SmallCourse(tmp_path / "other")
    done(small.called("backup", str(archive)))
    content = archive.read_bytes()
    if damage == "cut":
        archive.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        half, rest = content[: len(content) // 2], content[len(content) // 2 :]
        archive.write_bytes(half + bytes(b ^ 255 for b in rest[:50]) + rest[50:])
    elif damage == "text":
        archive.write_text("no archive")
    elif damage == "missing":
        archive.unlink()
    else:
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(small.root / "roster.csv", "../escaped" if damage == "outside" else "roster.csv")
    run = other_called(small, other, "restore", str(archive))
    assert run.returncode in {1, 2}
    assert run.stderr.count("\n") == 1, run.stderr
    assert list(other.root.iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def test_a_backup_is_not_written_into_what_it_copies(small):
    """The next backup would hold the last one."""
    run = small.called("backup", "submitted/course.tar.gz")
    assert (run.returncode, "name a file elsewhere" in run.stderr) == (2, True)
