"""Submissions are found, told apart by digests, and read without following anything."""

import os
import socket

import pytest

from examiner.errors import BadSource, StudentFault, UnreadableNotebook
from examiner.intake import check, digest, submissions


def test_submissions_are_folders_of_known_assignments(small):
    """Other folders and files in submitted/ are nobody's work."""
    small.hand_in("ben")
    small.hand_in("anna", "02_triple")
    (small.root / "submitted" / "README.md").write_text("")
    (small.root / "submitted" / "anna" / "notes").mkdir()
    (small.root / "submitted" / ".hidden" / "01_double").mkdir(parents=True)
    (small.root / "submitted" / "link").symlink_to(small.root / "submitted" / "ben")
    assert [str(each) for each in submissions(small.course)] == ["anna/02_triple", "ben/01_double"]


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


def test_a_missing_notebook_names_those_that_are_there(small):
    """The commonest mistake of all is a renamed file."""
    path = small.hand_in("anna")
    path.rename(path.with_name("double (1).ipynb"))
    [submission] = submissions(small.course)
    with pytest.raises(StudentFault, match=r"double\.ipynb: it is missing \(there is double \(1\)\.ipynb\)"):
        check(small.course, small.course.assignments[0], submission)


def test_an_unreadable_notebook_is_refused(small):
    """nbgrader would say so in a traceback of sixty lines."""
    small.hand_in("anna").write_bytes(b"\x00")
    [submission] = submissions(small.course)
    with pytest.raises(UnreadableNotebook, match="no readable notebook"):
        check(small.course, small.course.assignments[0], submission)


def test_a_sound_submission_passes(small):
    """No error means no objection."""
    small.hand_in("anna")
    [submission] = submissions(small.course)
    check(small.course, small.course.assignments[0], submission)
