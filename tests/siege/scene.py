"""A course of five submissions, and all that a run leaves there, times aside.

One student has failed, one is late and loses everything, and of one the written answer was graded by hand,
with a comment, before the others handed in. One cell is measured.
"""

import contextlib
import json
import re
import shutil
import sqlite3
import sys
from pathlib import Path

from tests.conftest import bare_course

ASSIGNMENT = "01_double"
STUDENTS = [f"student{number:02}" for number in range(1, 6)]
WRONG, LATE, BY_HAND = STUDENTS[2], STUDENTS[1], STUDENTS[4]
EXAMINER = Path(sys.executable).parent / "examiner"
PENALTY = 'get_config().LateSubmissionPlugin.penalty_method = "zero"  # noqa: F821\n'
MEASURED = """\
import numpy as np
from examiner_checks import speed
def doubled(x):
    return x + x
speed(double, doubled, lambda: (np.ones(100_000),), at_most=1000)
"""
HAND_POINTS, HAND_WORDS = 2.5, "Short, and right."

# What is said of an hour, a machine or a chance; all else is the same after each run.
VARYING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z| UTC)?"
    r"|data:image/png;base64,[\w+/=]+"
    r"|[\d.e+-]+ times the time of the reference( \([^()]* sure: [^()]*\))?"
)
DIGEST = re.compile(r"/\d{4}-[0-9a-f]{64}\.json$")
LOGS = ".examiner/logs"  # each run overwrites them
EMPTY = {".examiner/staging", ".ipython"}  # these stay, without anything in them
MARKS = "SELECT s.student_id, n.name, b.name, b.type, g.auto_score, g.manual_score, g.extra_credit, "
MARKS += (
    "g.needs_manual_grade, sn.late_submission_penalty, sn.flagged, s.timestamp, s.extension FROM grade g "
)
JOINS = (
    "JOIN base_cell b ON b.id = {t}.cell_id JOIN submitted_notebook sn ON sn.id = {t}.notebook_id "
    "JOIN notebook n ON n.id = sn.notebook_id JOIN submitted_assignment s ON s.id = sn.assignment_id "
    "ORDER BY 1, 2, 3, 4"
)
WORDS = "SELECT s.student_id, n.name, b.name, c.auto_comment, c.manual_comment FROM comment c "
QUERIES = {
    "grades": MARKS + JOINS.format(t="g"),
    "comments": WORDS + JOINS.format(t="c"),
    "cells": "SELECT b.name, b.type, g.max_score, g.cell_type FROM base_cell b "
    "LEFT JOIN grade_cells g ON g.id = b.id ORDER BY 1, 2",
    "sources": "SELECT name, cell_type, locked, source, checksum FROM source_cell ORDER BY 1",
    "students": "SELECT id, first_name, last_name, email, lms_user_id FROM student ORDER BY 1",
    "assignments": "SELECT name, duedate FROM assignment ORDER BY 1",
}


def bare(root):
    """Make the course at a path, with one student's work."""
    small = bare_course(root)
    shutil.rmtree(root / "source" / "02_triple")
    (root / "roster.csv").write_text("id\n" + "".join(f"{student}\n" for student in STUDENTS))
    settings = root / "course.toml"
    settings.write_text(settings.read_text().partition("[assignments.02_triple]")[0])
    with (root / "nbgrader_config.py").open("a") as file:
        file.write(PENALTY)
    source = small.source(ASSIGNMENT)
    document = json.loads(source.read_text())
    document["cells"].insert(5, _measured_cell())
    source.write_text(json.dumps(document))
    hand_in(small, BY_HAND)
    return small


def _measured_cell():
    marks = {"grade": True, "grade_id": "speed_double", "locked": True, "points": 2}
    marks |= {"schema_version": 3, "solution": False, "task": False}
    cell = {"cell_type": "code", "execution_count": None, "id": "speed_double", "outputs": []}
    return cell | {"metadata": {"nbgrader": marks}, "source": MEASURED}


def hand_in(small, student):
    """Hand in one student's work."""
    code = "def double(x):\n    return 4\n" if student == WRONG else None
    when = "2026-09-22 22:00:00 UTC" if student == LATE else "2026-09-01 12:00:00 UTC"
    small.hand_in(student, code=code, when=when)


def grade_by_hand(root):
    """Enter what a person would in formgrader, for the one student that is graded."""
    with contextlib.closing(sqlite3.connect(root / "gradebook.db")) as book, book:
        cell = "(SELECT id FROM base_cell WHERE name = 'written_why' AND type = 'SolutionCell')"
        mark = "(SELECT id FROM base_cell WHERE name = 'written_why' AND type = 'GradeCell')"
        values = "manual_score = ?, needs_manual_grade = 0"
        book.execute(f"UPDATE grade SET {values} WHERE cell_id = {mark}", [HAND_POINTS])
        book.execute(f"UPDATE comment SET manual_comment = ? WHERE cell_id = {cell}", [HAND_WORDS])


def forget(root, *names):
    """Remove folders of a course that a run makes anew."""
    for name in names:
        shutil.rmtree(root / name)


def picture(root):
    """Return all that counts in a course, by names; two undisturbed runs give the same."""
    found = {"gradebook " + name: rows for name, rows in _rows(root / "gradebook.db").items()}
    for folder in ("autograded", "feedback", "release"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                found[str(path.relative_to(root))] = _lasting(path)
    found["grades.csv"] = (root / "grades.csv").read_text()
    found["evidence"] = json.loads((root / "evidence" / f"{ASSIGNMENT}.json").read_text())["modes"]
    return found


def _rows(path):
    with contextlib.closing(sqlite3.connect(path)) as book:
        return {name: [list(row) for row in book.execute(query)] for name, query in QUERIES.items()}


def _lasting(path):
    """Return a file's text without what varies: times, and the samples of what was measured."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = json.dumps(json.loads(text, object_hook=_without_samples))
    return VARYING.sub("…", text) if path.suffix in {".html", ".ipynb"} else text


def _without_samples(data):
    return {key: value for key, value in data.items() if key not in {"seconds", "measured", "calls"}}


def names(*folders):
    """Return the names of all files and folders below some, so that what is left behind is seen.

    The digests in the names of grade sheets are left out: how often a fault of ours was filed is no trace.
    """
    found = {DIGEST.sub("", str(path.relative_to(root))) for root in folders for path in root.rglob("*")}
    return sorted(name for name in found if not name.startswith(LOGS) and name not in EMPTY)
