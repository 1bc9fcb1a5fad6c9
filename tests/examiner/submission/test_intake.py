"""Submissions are found, told apart by digests, and read without following anything."""

import os
import socket

import pytest

from examiner.errors import BadSource, StudentFault
from examiner.submission import intake
from examiner.submission.intake import check_folder, digest, read, submissions, work_of


def test_submissions_are_folders_of_known_assignments(small):
    """Other folders and files in submitted/ are nobody's work."""
    small.hand_in("ben")
    small.hand_in("anna", "02_triple")
    (small.root / "submitted" / "README.md").write_text("")
    (small.root / "submitted" / "anna" / "notes").mkdir()
    (small.root / "submitted" / ".hidden" / "01_double").mkdir(parents=True)
    (small.root / "submitted" / "link").symlink_to(small.root / "submitted" / "ben")
    assert [str(submission) for submission in submissions(small.course)] == [
        "anna/02_triple",
        "ben/01_double",
    ]


def test_a_submission_that_is_a_link_or_a_file_is_found_and_refused(small):
    """nbgrader would grade whatever it leads to; and to pass it over says nothing to anybody."""
    small.hand_in("anna")
    for name in ("ben", "carl"):
        (small.root / "submitted" / name).mkdir()
    (small.root / "submitted" / "ben" / "01_double").symlink_to(
        small.root / "submitted" / "anna" / "01_double"
    )
    (small.root / "submitted" / "carl" / "01_double").write_text("")
    anna, ben, carl = submissions(small.course)
    check_folder(anna)
    for submission in (ben, carl):
        with pytest.raises(StudentFault, match="not a folder"):
            check_folder(submission)


def test_a_course_without_submissions_has_none(small):
    """The folder may not be there yet."""
    assert submissions(small.course) == []


def test_a_digest_depends_on_names_and_contents_alone(tmp_path):
    """Not on times, nor on what Python and Jupyter leave behind."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1")
    before = digest(tmp_path / "a")
    os.utime(tmp_path / "a" / "x", (0, 0))
    (tmp_path / "a" / "__pycache__").mkdir()
    (tmp_path / "a" / "__pycache__" / "x.pyc").write_bytes(b"2")
    assert digest(tmp_path / "a") == before
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "y")
    assert digest(tmp_path / "a") != before


def test_a_digest_does_not_confuse_a_name_with_a_content(tmp_path):
    """Two different folders never look the same."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"yz")
    (tmp_path / "b" / "xy").write_bytes(b"z")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


def link(path):
    """Put a link to a secret there."""
    path.symlink_to("/etc/passwd")


def bind(path):
    """Put a socket there."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("make", [link, os.mkfifo, bind])
@pytest.mark.parametrize("fault", [StudentFault, BadSource])
def test_what_is_no_regular_file_is_refused_unread(tmp_path, make, fault):
    """A link copies a secret into a student's feedback, a pipe waits forever."""
    make(tmp_path / "x")
    with pytest.raises(fault, match="not a regular file"):
        digest(tmp_path, fault)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MOST_BYTES", 10, "with this file, there are more than"),
        ("MOST_FILES", 2, "more than 2 files"),
        ("DEEPEST", 2, "deeper than 2 folders"),
    ],
)
def test_too_much_is_refused(tmp_path, monkeypatch, name, value, words):
    """A submission must not fill the memory of what reads it."""
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    for number in range(3):
        (deep / f"{number}").write_bytes(b"1234")
    assert len(read(tmp_path)) == 3
    monkeypatch.setattr(intake, name, value)
    with pytest.raises(StudentFault, match=words):
        read(tmp_path)


def test_what_the_exchange_adds_is_nobodys_work(small):
    """The same work handed in again is the same work."""
    small.hand_in("anna", when="2026-09-01 12:00:00 UTC")
    [submission] = submissions(small.course)
    assert work_of(read(submission.folder)).keys() == {"double.ipynb"}


def test_a_path_that_is_too_long_to_be_made_again_is_refused(tmp_path):
    """What lies deep may fit where it was handed in, and nowhere else."""
    folder = tmp_path
    for _ in range(5):
        folder /= "x" * 250
        folder.mkdir()
    (folder / "data.txt").write_text("1")
    with pytest.raises(StudentFault, match="longer than 1000 bytes; give it and its folders shorter names"):
        read(tmp_path)


def test_a_name_that_is_no_utf8_is_refused_in_words_that_can_be_printed(small):
    """Some systems write other encodings; no gradebook can hold such an id."""
    small.hand_in("anna")
    (small.root / "submitted" / "anna").rename(small.root / "submitted" / os.fsdecode(b"caf\xe9"))
    [submission] = submissions(small.course)
    with pytest.raises(StudentFault, match="is no UTF-8") as refused:
        check_folder(submission)
    assert str(refused.value).isprintable()
    assert r"caf\udce9" in refused.value.place
