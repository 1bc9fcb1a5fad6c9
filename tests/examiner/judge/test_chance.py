"""What a student's function got as inputs does not tell what it will get while it is measured."""

import hashlib
import json
from pathlib import Path

import pytest

from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, TimeLimits
from examiner.verdict import Outcome

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"

# A Mersenne Twister puts out its 624 words of state, each mixed by steps that can be undone.
PREDICTS = """
import numpy as np
told = None
def unmixed(word):
    word = word ^ (word >> 18)
    word = word ^ ((word << 15) & 0xEFC60000)
    mixed = word
    for _ in range(5):
        word = mixed ^ ((word << 7) & 0x9D2C5680)
    mixed = word
    for _ in range(3):
        word = mixed ^ (word >> 11)
    return word & 0xFFFFFFFF
def f(x):
    global told
    hit = told is not None and np.array_equal(told.randint(0, 2**32, x.size, dtype=np.uint32), x)
    if x.size >= 624 and not hit:
        told = np.random.RandomState()
        words = unmixed(x[-624:].astype(np.uint64)).astype(np.uint32)
        told.set_state(("MT19937", words, 624, 0, 0.0))
    return float(hit) + [sum(x.tolist()) for _ in range(100)][0] * 0.0
"""
DRAWN = """
import numpy as np
from examiner_checks import memory, speed
def drawn(size=10_000):
    return (np.random.randint(0, 2**32, size, dtype=np.uint32),)
def base(x):
    return [sum(x.tolist()) for _ in range(100)][0] * 0.0
seen = []
def keep(got, *_):
    seen.append(got)
"""
FREELY = DRAWN + "f(*drawn(624))\nassert f(*drawn(100)) == 1.0"
FAST = DRAWN + "speed(f, base, drawn, at_most=10000, check=keep)\n"
LARGE = DRAWN + "memory(f, drawn, baseline=base, at_most=1 << 30, check=keep)\n"
MEASURED = {"speed": FAST, "memory": LARGE}


@pytest.fixture(scope="module")
def engine():
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        yield engine


def verdict(engine, test):
    """Return the verdict on who predicts, of one grade cell."""
    sources = {"f": PREDICTS, "t": test}
    cells = []
    for name, source in sources.items():
        marks = {"grade_id": name, "schema_version": 3, "points": 1, "grade": name == "t"}
        marks |= {"solution": name == "f", "locked": name == "t"}
        cell = {"cell_type": "code", "id": name, "metadata": {"nbgrader": marks}, "source": source}
        cells.append(cell | {"outputs": [], "execution_count": None})
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    key = GradeKey(hashlib.sha256(notebook).hexdigest(), "a", "e")
    identity = Identity("course", "student01", "ps1", "1", key)
    [found] = engine.run(Job(identity, notebook, notebook, limits=TimeLimits(4, 60))).sheet.verdicts
    return found


def test_a_call_that_is_not_measured_can_be_predicted(engine):
    """Else the next test would show nothing."""
    assert verdict(engine, FREELY).outcome is Outcome.PASSED


@pytest.mark.parametrize("test", MEASURED.values(), ids=MEASURED.keys())
def test_no_measured_call_can_be_predicted(engine, test):
    """Each of them lasts long enough to be a sample by itself, and gets more words than the state has."""
    found = verdict(engine, test + "assert len(seen) >= 4 and sum(seen) == 0, seen")
    assert found.outcome is Outcome.PASSED, found.message


DRAWS = """
import random
import numpy as np
def roll(): return random.randint(1, 10**9)
def draw(): return float(np.random.rand())
def predicted():
    random_now, numpy_now = random.Random(), np.random.RandomState()
    random_now.setstate(random.getstate())
    numpy_now.set_state(np.random.get_state())
    return random_now.randint(1, 10**9), float(numpy_now.rand())
"""


@pytest.mark.parametrize(
    "test",
    [
        (
            "random.seed(1)\nfirst = roll()\nrandom.seed(1)\n"
            "assert first == roll() == fixed(1).randint(1, 10**9)"
        ),
        "np.random.seed(3)\nwant = np.random.rand()\nnp.random.seed(3)\nassert want == draw() != draw()",
        (
            "np.random.seed(3)\nx, y = np.random.rand(2)\nnp.random.seed(3)\nnp.random.rand()\n"
            "assert draw() == y"
        ),
        (
            "np.random.seed(3)\nrandom.seed(3)\n"
            "assert predicted() == (random.randint(1, 10**9), np.random.rand())"
        ),
    ],
)
def test_a_student_draws_from_a_generator_that_the_cell_has_seeded(judged, test):
    """It is one generator in a notebook."""
    verdict = judged(f"import random\nimport numpy as np\nfixed = random.Random\n{test}", DRAWS)
    assert verdict.outcome is Outcome.PASSED, verdict.message


@pytest.mark.parametrize("seed", ["", "np.random.default_rng(1)\n", "g = random.Random()\ng.seed(1)\n"])
def test_what_a_cell_draws_cannot_be_told_from_the_students_generator(judged, seed):
    """Unless the cell itself has seeded it."""
    test = f"import random\nimport numpy as np\n{seed}told = predicted()\n"
    drawn = "assert told[0] != random.randint(1, 10**9) and told[1] != np.random.rand()"
    assert judged(test + drawn, DRAWS).outcome is Outcome.PASSED
