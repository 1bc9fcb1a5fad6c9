"""A submission of one function, for trying whether a machine can grade."""

import json
from typing import Any

from examiner.examine.engine import Job
from examiner.model import GradeKey, Identity, TimeLimits
from examiner.notebook import NBFORMAT

RIGHT_OR_WRONG = "assert f(1) == 2"


def trial(body: str, *tests: str) -> Job:
    """Return the job of a student whose function `f(x)` has this body, with these grade cells."""
    cells = [
        _cell("f", "def f(x):\n    raise NotImplementedError", solution=True),
        *(_cell(f"test{number}", test, grade=True, locked=True) for number, test in enumerate(tests)),
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": NBFORMAT, "nbformat_minor": 5}
    instructor = json.dumps(notebook).encode()
    cells[0]["source"] = f"def f(x):\n    {body}"
    identity = Identity("doctor", "doctor", "doctor", "", GradeKey(body, "", ""))
    return Job(identity, instructor, json.dumps(notebook).encode(), limits=TimeLimits(notebook_seconds=60))


def _cell(name: str, source: str, **flags: bool) -> dict[str, Any]:
    nbgrader = {"grade_id": name, "points": 1, "schema_version": 3, "grade": False, "solution": False}
    nbgrader |= {"locked": False} | flags
    cell = {"cell_type": "code", "execution_count": None, "id": name, "source": source}
    return cell | {"outputs": [], "metadata": {"nbgrader": nbgrader}}
