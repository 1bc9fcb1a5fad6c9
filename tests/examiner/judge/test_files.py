"""Files that a grade cell shares with the student's code, by names that stand in the cell."""

import contextlib
from pathlib import Path

import pytest

from examiner.judge.compile import OURS, GradeCell
from examiner.judge.files import CellFiles
from examiner.model import Mode

HELD = {"theirs.txt": b"one", "other.txt": b"two", "random.py": b"evil = 1"}


class Folder:
    """The other side: a folder of its own, and what was asked of it."""

    lost = None

    def __init__(self):
        self.before, self.asked, self.files = [], [], dict(HELD)

    def aside(self, _cls, operation, name, content=None):
        self.asked.append((operation, name))
        if operation == "read file":
            return self.files.get(name)
        self.files[name] = content
        return None

    def ask(self, *args):
        """Do what is done before each request."""
        for prepare in self.before:
            prepare(args)


@pytest.fixture
def cell_files(tmp_path, monkeypatch):
    """Return a function that gives the files of a cell in which some texts stand, and the other side."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("the instructor's")

    def make(*texts, solution=()):
        cell = GradeCell(
            *("it", 1.0, Mode.EXAMINED, ""),
            texts=frozenset(texts),
            solution_texts=frozenset(solution),
            ours=OURS,
        )
        folder = Folder()
        return CellFiles(cell, folder), folder

    return make


def test_a_file_of_the_students_is_read_anew_each_time(cell_files, tmp_path):
    """It may have changed, or be gone; afterwards none is left here."""
    files, folder = cell_files("theirs.txt")
    with files.watched():
        assert (tmp_path / "theirs.txt").exists() is False
        assert Path("theirs.txt").read_text() == "one"
        folder.files["theirs.txt"] = b"more"
        assert Path("theirs.txt").read_text() == "more"
        del folder.files["theirs.txt"]
        with pytest.raises(FileNotFoundError):
            Path("theirs.txt").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


@pytest.mark.parametrize("name", ["other.txt", "data.csv", "random.py", "../theirs.txt", "/etc/passwd"])
def test_only_what_the_cell_names_and_nobody_here_has_is_asked_for(cell_files, name):
    """No path of a student's, no file of the instructor's, and no module."""
    files, folder = cell_files("theirs.txt", "data.csv", "random.py", "../theirs.txt", "/etc/passwd")
    with files.watched(), contextlib.suppress(FileNotFoundError):
        Path(name).read_bytes()
    assert folder.asked == []


def test_what_the_cell_writes_goes_where_it_is_to_be_read(cell_files):
    """A request or the solution names it; what is expected of the student stays here."""
    files, folder = cell_files("in.txt", "known.txt", "want.txt", solution=("known.txt",))
    with files.watched():
        for name in ("in.txt", "known.txt", "want.txt"):
            Path(name).write_text("text")
        folder.ask("call", None, (["in.txt"],))
        assert [name for operation, name in folder.asked if operation == "write file"] == [
            "in.txt",
            "known.txt",
        ]
        assert folder.files["in.txt"] == b"text"
        folder.files["in.txt"] = b"changed there"
        assert Path("in.txt").read_text() == "changed there"


def test_whether_a_file_is_there_is_asked(cell_files, tmp_path):
    """By the functions that open nothing."""
    files, _ = cell_files("theirs.txt", "none.txt")
    with files.watched():
        for name in ("theirs.txt", "none.txt"):
            files.looked_for("exists", (None, name))
        assert (tmp_path / "theirs.txt").exists()
        assert not (tmp_path / "none.txt").exists()
