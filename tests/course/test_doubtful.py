"""What is measured without a clear answer is measured again, alone, and then left to a person."""

import json

import pytest

from examiner.gate import evidence
from examiner.model import Mode
from examiner.pipeline import GradeRequest, autograde
from examiner.store.grades import read_grades
from examiner.verdict import Outcome

pytestmark = pytest.mark.course

CLOSE = """
import numpy as np
from examiner_checks import speed
### BEGIN HIDDEN TESTS
canary = "canary-01-double-numeric_double"

def twice(x):
    sum(range(500_000))
    return 2 * x

speed(double, twice, lambda: (np.random.normal(size=8),), at_most=1.0)
### END HIDDEN TESTS
"""


# Twice as fast for one half of the inputs, half as fast for the other: no pair makes that clearer.
UNDECIDED = """
import numpy as np
def double(x):
    sum(range(250_000 if np.ravel(x)[0] > 0 else 1_000_000))
    return 2 * x
"""


class Counting:
    """Watches a run, and counts how often each submission was begun."""

    def __init__(self):
        self.started = []

    def phase(self, _name, _total):
        """Say nothing."""

    def start(self, name):
        """Take note."""
        self.started.append(name)

    def end(self, _name, _fault):
        """Say nothing."""


def test_a_speed_that_no_pair_makes_clearer_is_nobodys_zero(small):
    """The other cell is graded as ever; formgrader shows that a person has to look."""
    path = small.source("01_double")
    document = json.loads(path.read_text())
    for cell in document["cells"]:
        if cell["id"] == "numeric_double":
            cell["source"] = CLOSE
    path.write_text(json.dumps(document))
    [assignment] = [assignment for assignment in small.course.assignments if assignment.name == "01_double"]
    modes = dict.fromkeys(("interface_double", "numeric_double"), Mode.EXAMINED)
    evidence.write(
        small.course, evidence.Evidence("01_double", evidence.version(small.course, assignment), modes)
    )
    small.hand_in("anna", code=UNDECIDED)
    watch = Counting()
    run = autograde(small.course, GradeRequest(assignments=("01_double",), workers=2), watch)
    assert not run.faults
    assert watch.started.count("anna/01_double") == 2
    marks = {str(q): mark for q, mark in read_grades(small.course).of("anna", "01_double").marks.items()}
    assert marks["interface_double"].score == 4
    assert marks["numeric_double"].score is None
    assert marks["numeric_double"].needs_manual_grade
    [filing] = list(run.graded.values())
    [verdict] = [v for part in filing.parts for v in part.sheet.verdicts if v.grade_id == "numeric_double"]
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert not verdict.measured[0].is_settled
