"""What is measured without a clear answer is measured again, alone, and then left to a person."""

import csv
import io
import json

import pytest
from nbgrader.api import Gradebook

from examiner.model import GradeKey, Identity
from examiner.pipeline import GradeRequest, autograde
from examiner.store import sheets, tables
from examiner.store.grades import read_grades
from examiner.store.sheets import FiledGrade, NotebookSheet
from examiner.verdict import GradeSheet, Outcome, Verdict
from examiner_checks.decision import Ladder
from examiner_checks.measured import Raw, Subject
from tests.turns import every_third

pytestmark = [pytest.mark.course, every_third(0)]

CLOSE = """
import numpy as np
from examiner_checks import speed
### BEGIN HIDDEN TESTS
canary = "canary-01-double-numeric_double"

def twice(x):
    sum(range(2_000_000))
    return 2 * x

speed(double, twice, lambda: (np.random.normal(size=8),), at_most=1.0)
### END HIDDEN TESTS
"""


# Twice as fast in one half of the calls, half as fast in the other, by turns: no pair makes that clearer, as
# long as a call takes so long that it is a sample by itself.
UNDECIDED = """
import itertools
pace = itertools.cycle([1_000_000, 4_000_000])
def double(x):
    sum(range(next(pace)))
    return 2 * x
"""

LADDER = CLOSE.replace("at_most=1.0", "at_most={1.0: 2, 50.0: 1}").replace(
    "import speed", "import award, speed"
)


class Counting:
    """Watches a run, and counts how often each submission was begun."""

    def __init__(self):
        self.started = []

    def phase(self, _name, _total):
        """Say nothing."""

    def step(self, _done, _total, _name):
        """Say nothing."""

    def start(self, name):
        """Take note."""
        self.started.append(name)

    def end(self, _name, _fault):
        """Say nothing."""


def exported(small):
    """Return the grades as a run leaves them for other programs."""
    return (small.root / "grades.csv").read_text()


def measure(small, test):
    """Have a grade cell of the first assignment measure, and be examined."""
    path = small.source("01_double")
    document = json.loads(path.read_text())
    for cell in document["cells"]:
        if cell["id"] == "numeric_double":
            cell["source"] = test
    path.write_text(json.dumps(document))
    small.keep_evidence("01_double")


def unclear(attempt):
    """Return the grading of an earlier attempt, in which the times of this student alone varied as much."""
    raw = Raw(candidate=((0.5, 2.0) * 10,), baseline=((1.0, 1.01, 0.99, 1.02) * 5,))
    measured = Subject("speed", "it", "times", Ladder.of(1.0, None)).exactly(1.0, raw, is_settled=False)
    verdict = Verdict("numeric_double", Outcome.INCONCLUSIVE, None, 3.0, measured=(measured,))
    identity = Identity("small", "anna", "01_double", attempt, GradeKey(attempt, "tests", "place"))
    return FiledGrade((NotebookSheet("double", GradeSheet(identity, (verdict,))),))


def test_a_speed_that_no_pair_makes_clearer_is_nobodys_zero(small):
    """The other cell is graded as ever; formgrader shows that a person has to look."""
    measure(small, CLOSE)
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


def test_what_is_surely_cleared_counts_meanwhile_and_who_varies_is_named(small):
    """In the table, the CSV, the JSON and on the page; after a rebuild, too, and until a person decides."""
    measure(small, f"{LADDER}award(0)")
    for attempt in ("1", "2"):
        sheets.accept(small.course, unclear(attempt))
    small.hand_in("anna", code=UNDECIDED)
    shown = small.called("grade", "--assignment", "01_double", "--json", "run.json")
    assert shown.returncode == 0, shown.stderr
    assert "5*≈" in shown.stdout, shown.stdout
    assert "unclear in 3 gradings in a row" in " ".join(shown.stdout.split())
    [told] = json.loads((small.root / "run.json").read_text())["varying"]
    assert told.startswith("anna/01_double, cell numeric_double: unclear in 3 gradings in a row")
    row = next(row for row in csv.DictReader(io.StringIO(exported(small))) if row["student_id"] == "anna")
    assert (row["status"], row["raw_score"]) == ("provisional", "5.0")
    [page] = (small.root / "feedback" / "anna" / "01_double").glob("*.html")
    assert "1 of 3 points, provisionally. There was no clear answer" in page.read_text()
    before = read_grades(small.course)
    assert small.called("rebuild").returncode == 0
    assert read_grades(small.course) == before
    with Gradebook(tables.url_of(small.course.gradebook)) as book:
        grade = book.find_grade("numeric_double", "double", "01_double", "anna")
        grade.manual_score, grade.needs_manual_grade = 1.0, False  # as formgrader does
        book.db.commit()
    assert "5* " in small.called("grade", "--assignment", "01_double").stdout
    assert "1 of 3 points, given by a person." in page.read_text()
