"""A course of one trivial notebook with six grade cells, and students who each hand in another version."""

import json
from pathlib import Path
from typing import Any

from examiner.examine.engine import Job
from examiner.model import GradeKey, Identity, TimeLimits

GRADE_CELLS = 6
STUDENT = Path(__file__).parents[1] / ".venv-student" / "bin" / "python"


def cell(name: str, source: str, **marks: Any) -> dict[str, Any]:
    """Return a raw cell with nbgrader's metadata."""
    entries = {"grade": False, "solution": False, "locked": False, "schema_version": 3, "task": False}
    nbgrader = entries | marks | {"grade_id": name}
    shared = {"cell_type": "code", "execution_count": None, "outputs": []}
    return shared | {"id": name, "metadata": {"nbgrader": nbgrader}, "source": source}


def notebook(number: int, *, is_instructors: bool = False) -> dict[str, Any]:
    """Return the notebook of one student, different from all others."""
    cells = [cell("imports", "import numpy as np", locked=True)]
    for n in range(GRADE_CELLS):
        body = f"    return x + {n}  # {number}"
        if is_instructors:
            body = f"    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        test = f"assert f{n}(1) == {n + 1}\nassert f{n}(-1) == {n - 1}"
        hidden = f"assert np.allclose(f{n}(np.ones(3)), {n + 1})\nassert f{n}(0) == {n}"
        if is_instructors:
            test += f"\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
        cells.append(cell(f"f{n}", f"def f{n}(x):\n{body}", solution=True))
        cells.append(cell(f"test_f{n}", test, grade=True, locked=True, points=2))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


INSTRUCTOR = notebook(-1, is_instructors=True)


def job(number: int) -> Job:
    """Return the job of one student."""
    identity = Identity("trivial", f"s{number}", "ps1", "1", GradeKey(f"submission {number}", "a", "e"))
    submitted = json.dumps(notebook(number)).encode()
    return Job(identity, json.dumps(INSTRUCTOR).encode(), submitted, {}, TimeLimits(30, 300))


def stock_course(root: Path, students: int) -> None:
    """Make a course in which a number of students have handed in."""
    source = root / "source" / "ps1" / "p.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text(json.dumps(INSTRUCTOR))
    for number in range(students):
        hand_in(root, f"s{number}", number)


def hand_in(root: Path, student: str, number: int) -> None:
    """Let a student hand in the notebook of this number."""
    path = root / "submitted" / student / "ps1" / "p.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook(number)))
