"""A course of two tiny assignments, and students who hand in."""

import json
import shutil
from pathlib import Path

import pytest

from examiner.course import load_course
from examiner.notebook import mark, visible

REPOSITORY = Path(__file__).parents[1]
FIXTURE = REPOSITORY / "tests" / "course" / "fixture"

NOTEBOOKS = {"01_double": "double", "02_triple": "triple"}
RIGHT = {
    "01_double": "def double(x):\n    return x + x\n",
    "02_triple": "def triple(x):\n    return double(x) + x\n",
}


class SmallCourse:
    """A copy of the fixture in a folder of its own, which a test may spoil."""

    def __init__(self, root):
        self.root = root

    @property
    def course(self):
        """The course as it is now."""
        return load_course(self.root)

    def source(self, assignment):
        """Return the path of an instructor's notebook."""
        return self.root / "source" / assignment / f"{NOTEBOOKS[assignment]}.ipynb"

    def submitted(self, student, assignment):
        """Return the path of a student's notebook."""
        return self.root / "submitted" / student / assignment / f"{NOTEBOOKS[assignment]}.ipynb"

    def hand_in(self, student, assignment="01_double", code=None, when="2026-09-01 12:00:00 UTC", extra=()):
        """Hand in a notebook with this code in its solution cell, and cells with extra code at its end."""
        document = json.loads(self.source(assignment).read_text())
        for cell in document["cells"]:
            cell["source"] = visible("".join(cell["source"]))
            if cell["cell_type"] == "code" and mark(cell, "solution"):
                cell["source"] = RIGHT[assignment] if code is None else code
        for number, source in enumerate(extra):
            cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
            document["cells"].append(cell | {"id": f"extra{number}", "source": source})
        path = self.submitted(student, assignment)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        (path.parent / "timestamp.txt").write_text(when)
        return path


@pytest.fixture
def small(tmp_path):
    """Return a fresh copy of the small course, in which nobody has handed in."""
    root = tmp_path / "course"
    shutil.copytree(FIXTURE, root)
    config = root / "course.toml"
    config.write_text(config.read_text().replace("REPOSITORY", str(REPOSITORY)))
    return SmallCourse(root)
