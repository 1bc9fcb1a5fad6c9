"""A course of one small assignment, and snapshots of a student's process without walls."""

import json
import os
import shutil
import signal
import socket
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from examiner.box import usage
from examiner.candidate.snapshot import Snapshot
from examiner.course.load import load_course
from examiner.judge.proxy import Remote
from examiner.model import Assignment
from examiner.notebook import read
from examiner.wire.channel import Channel
from examiner.wire.shared_memory import SharedBlock

FIXTURES = Path(__file__).parent / "fixtures"
REPOSITORY = Path(__file__).parents[2]

SETTINGS = f"""
id = "tiny"
[student]
python = "{REPOSITORY}/.venv-student"
requirements = "{REPOSITORY}/requirements/student.txt"
kernel = "tinytorch-student"
display_name = "TinyTorch (student environment)"
[assignments.01_tiny]
"""


class TinyCourse:
    """A course in a folder, with the student environment of the repository."""

    def __init__(self, root):
        self.root = root
        self.path = root / "source" / "01_tiny" / "tiny.ipynb"
        self.path.parent.mkdir(parents=True)
        shutil.copy(FIXTURES / "tiny.ipynb", self.path)
        self.assignment = Assignment("01_tiny")
        (root / "course.toml").write_text(SETTINGS)
        self.course = load_course(root)

    @property
    def notebook(self):
        """The notebook as it is now."""
        return read(self.path)

    def place(self, cell=""):
        """Return the place of a cell, as the gate names it."""
        return f"source/01_tiny/tiny.ipynb, cell {cell}" if cell else "source/01_tiny/tiny.ipynb"

    def change(self, cell_id, **entries):
        """Change entries of a cell; `nbgrader` entries are merged into its metadata."""
        raw = json.loads(self.path.read_text())
        [cell] = [cell for cell in raw["cells"] if cell["id"] == cell_id]
        cell["metadata"].setdefault("nbgrader", {}).update(entries.pop("nbgrader", {}))
        cell.update(entries)
        self.path.write_text(json.dumps(raw))

    def edit(self, cell, old, new):
        """Replace text that stands in a cell once."""
        source = self.notebook.find(cell).source
        assert source.count(old) == 1
        self.change(cell, source=source.replace(old, new))

    def mutant(self, name, text):
        """Write a mutant's file, whose header may leave out what the test is not about."""
        path = self.root / "tests" / "mutants" / "01_tiny" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def small(tmp_path, make_bare_course):
    """A small course in which nobody has handed in; what is tested here asks for no evidence about it."""
    return make_bare_course(tmp_path / "course")


@pytest.fixture
def tiny(tmp_path):
    return TinyCourse(tmp_path)


class Forked:
    """A candidate without walls: each snapshot is a fork of the test that holds a student's code."""

    def __init__(self, source="", serve=None):
        self.source, self.serve = source, serve or self._honestly

    @contextmanager
    def snapshot(self, _grade_id=""):
        """Fork a process that serves the wire; yield our end of it."""
        ours, theirs = socket.socketpair()
        blocks = SharedBlock.create(), SharedBlock.create()
        process = os.fork()
        if process == 0:
            ours.close()
            try:
                self.serve(Channel(theirs, *blocks))
            finally:
                os._exit(0)
        theirs.close()
        channel = Channel(ours, *reversed(blocks))
        try:
            yield channel
        finally:
            channel.close()
            for block in blocks:
                block.close()
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)

    @contextmanager
    def remote(self, seconds=20.0):
        """Yield the trusted end of a snapshot."""
        with self.snapshot() as channel:
            yield Remote(channel, time.monotonic() + seconds)

    def check_server(self):
        """There is no server that could end."""

    def _honestly(self, channel):
        namespace = {"__name__": "__main__"}
        exec(self.source, namespace)
        Snapshot(channel, namespace).serve()


@pytest.fixture
def started():
    """The function that returns the numbers of the processes that a test has started, parents first."""
    before = {*usage.processes(os.getpid())}
    return lambda: [pid for pid in usage.processes(os.getpid()) if pid not in before]


@pytest.fixture
def forked():
    return Forked
