"""What a notebook imports is there already: for its candidates, and for no side of what is measured."""

import json
from pathlib import Path

import pytest

from examiner.examine.engine import Engine, Job
from examiner.examine.expected_imports import imported_libraries
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity
from examiner.notebook import parse

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
ANIMATES = "import matplotlib.animation as animation"
IS_THERE = "import sys\n'matplotlib.ani' 'mation' in sys.modules"
# Nothing is measured; the text alone says that something may be.
MEASURES = "def memory(f):\n    pass\nmemory(len)"


def document(*sources):
    """Return a notebook of plain code cells."""
    cells = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source, "outputs": []}
        | {"execution_count": None}
        for number, source in enumerate(sources)
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def imported(*sources):
    """Return what the cells of a notebook import of known libraries."""
    return imported_libraries(parse(document(*sources), Path("some.ipynb")).cells)


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import pandas", {"pandas"}),
        ("import pandas as pd, os, scipy.stats", {"pandas", "scipy.stats"}),
        ("from sklearn.linear_model import Ridge", {"sklearn.linear_model", "sklearn.linear_model.Ridge"}),
        ("from scipy import *", {"scipy"}),
        ("def f():\n    import sympy", {"sympy"}),
        ("try:\n    import torch\nexcept ImportError:\n    pass", {"torch"}),
        ("%matplotlib inline\nimport pandas", {"pandas"}),
        ("import numpy\nfrom numpy import linalg", set()),
        ("import helpers\nfrom .helpers import f\nfrom . import g", set()),
        ("import antigravity, webbrowser", set()),
        ("# import pandas", set()),
        ("text = 'import pandas'", set()),
        ("import pandas as", set()),
        ("\0", set()),
    ],
)
def test_modules_of_known_libraries_are_expected_where_an_instructor_imports_them(source, modules):
    """And no others: what an unknown module does when it is imported, nobody has looked at."""
    assert imported("x = 1", source) == modules


def test_a_server_imports_once_what_an_instructor_imports_and_nothing_that_a_student_does():
    """Where something is measured, neither side has more than matplotlib itself."""
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:

        def is_there(instructor, submitted):
            identity = Identity("course", "student", "assignment", "", GradeKey("digest", "", ""))
            texts = [json.dumps(document(*sources)).encode() for sources in (instructor, submitted)]
            executed = json.loads(engine.run(Job(identity, *texts)).notebook)
            [asking] = [cell for cell in executed["cells"] if cell["source"] == IS_THERE]
            return asking["outputs"][0]["data"]["text/plain"] == "True"

        assert not is_there(["1"], [IS_THERE, ANIMATES])
        assert not is_there(["1"], [IS_THERE])
        assert is_there(["1", ANIMATES], [IS_THERE])
        assert not is_there([MEASURES, ANIMATES], [IS_THERE])
        assert is_there(["1", ANIMATES], [IS_THERE])
