"""Made the two graded courses beside this file. It is kept to be read, and no test runs it.

It was run once, in the repository as it was at commit 9b188be (see made.json):

    make .venv/dev.stamp setup
    .venv/bin/python tests/course/graded_before/make.py

What it makes has to come from that version of examiner: made anew by a later one, it would prove less. If the
courses must say more one day, put new ones beside these.
"""

import copy
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from nbgrader.api import Gradebook

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
KEPT = (
    *("course.toml", "nbgrader_config.py", "roster.csv", "grades.csv", "pack", "tests"),
    *("source", "release", "submitted", "autograded", "sheets", "evidence", ".examiner"),
)
LEFT_OUT = shutil.ignore_patterns(
    *("__pycache__", ".gitignore", "logs", "staging", "lock", "exchange-cache", ".nbgrader.log")
)

SMALL = """\
# A course of two tiny assignments; the tests copy it and say where REPOSITORY is.
id = "small"
title = "Small course"

[student]
python = "REPOSITORY/.venv-student"
requirements = "REPOSITORY/requirements/student.txt"
kernel = "tinytorch-student"
display_name = "TinyTorch (student environment)"

[limits]
cell_seconds = 5
notebook_seconds = 120

[reference]
package = "pack"

[assignments.01_double]
due = 2026-09-21T22:00:00Z
parts = []

[assignments.02_triple]
due = 2026-10-05T22:00:00Z
parts = ["one"]
"""

SMALL_SETTINGS = '''\
"""nbgrader's settings, taken from course.toml; late work gets nothing."""

from pathlib import Path

from examiner.plugin import configure

c = get_config()  # noqa: F821  (nbgrader puts get_config here)
configure(c, Path(__file__).parent)
c.LateSubmissionPlugin.penalty_method = "zero"
'''

PLAIN_SETTINGS = '''\
"""nbgrader's settings, as an instructor writes them who has no course.toml."""

c = get_config()  # noqa: F821  (nbgrader puts get_config here)
c.CourseDirectory.course_id = "plain"
c.Execute.timeout = 20
'''

ROSTER = """\
id,first_name,last_name,email,lms_id
anna,Anna,"Adams, MSc",anna@example.org,11
ben,Bjørn,Brown,ben@example.org,12
carl,Carl,Cole,carl@example.org,13
emil,Emil,Evans,emil@example.org,14
"""

PACK = {
    "__init__.py": '''\
"""The right answers of the small course."""

from pack.one import double as double
from pack.two import triple as triple
''',
    "one.py": '''\
"""Part one."""


def double(x):
    return 2 * x
''',
    "two.py": '''\
"""Part two."""

from pack.one import double


def triple(x):
    return double(x) + x
''',
}

MUTANT = """\
mistake = "negative numbers are taken for positive ones"
loses = ["numeric_double:1"]

[[edits]]
cell = "double_function"
old = "2 * x"
new = "abs(2 * x)"
"""


def text(name, source):
    """Return a cell of text."""
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def marked(kind, name, source, points=None, **marks):
    """Return a cell that nbgrader knows."""
    known = {"grade": False, "solution": False, "task": False, "locked": False} | marks
    known |= {"grade_id": name, "schema_version": 3} | ({} if points is None else {"points": points})
    cell = {"cell_type": kind, "id": name, "metadata": {"nbgrader": known}, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def given(name, source):
    """Return a cell that students may not change."""
    return marked("code", name, source, locked=True)


def asked(name, source):
    """Return a cell that students write."""
    return marked("code", name, source, solution=True)


def graded(name, points, source):
    """Return a cell that tests."""
    return marked("code", name, source, points, grade=True, locked=True)


def written(name, points, source):
    """Return a question that is answered in words."""
    return marked("markdown", name, source, points, grade=True, solution=True)


def notebook(*cells):
    """Return a notebook."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


DOUBLE = notebook(
    text("title", "# Double\n\nWrite a function that doubles."),
    given("imports", "import numpy as np"),
    asked(
        "double_function",
        'def double(x):\n    """Return twice x."""\n'
        "    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION",
    ),
    asked(
        "fourfold_function",
        "def fourfold(x):\n    ### BEGIN SOLUTION\n    return double(double(x))\n    ### END SOLUTION",
    ),
    graded(
        "interface_double",
        4,
        "# double works on a number\nfrom examiner_checks import check_equal\n"
        'assert double(2) == 4, "Two and two is four."\n### BEGIN HIDDEN TESTS\n'
        'check_equal(double(21), 42, hint="Try larger numbers.")\n### END HIDDEN TESTS\n'
        "assert double(0) == 0",
    ),
    graded(
        "numeric_double",
        3,
        "# double works on arrays\nimport numpy as np\n"
        "from examiner_checks import attempt, award, check_array, rng\n### BEGIN HIDDEN TESTS\n"
        'x = rng("numeric_double").integers(1, 1000, size=5).astype(float)\nprint("drawn:", x.tolist())\n'
        'with attempt(2, "arrays"):\n    check_array(double(x), 2 * x, hint="Use an operator of numpy\'s.")\n'
        'with attempt(1, "negative numbers"):\n    check_array(double(-x), -2 * x)\n'
        "### END HIDDEN TESTS\naward(0)",
    ),
    graded(
        "interface_fourfold",
        1,
        "kept = double\ndel double\ntry:\n    fourfold(1)\nexcept NameError:\n    pass\nelse:\n"
        '    raise AssertionError("fourfold does not use double")\nfinally:\n    double = kept',
    ),
    written("written_why", 2, "Because it is so."),
)
TRIPLE = notebook(
    text("title", "# Triple\n\nUse what there is."),
    given("imports", "import numpy as np\nfrom pack import double"),
    asked(
        "triple_function",
        "def triple(x):\n    ### BEGIN SOLUTION\n    return double(x) + x\n    ### END SOLUTION",
    ),
    graded(
        "interface_triple",
        6,
        "# triple is what the reference says\nfrom examiner_checks import check_equal\n"
        "### BEGIN HIDDEN TESTS\n"
        'check_equal(triple(14), reference.triple(14), hint="Three times.")\n### END HIDDEN TESTS',
    ),
    graded(
        "speed_triple",
        4,
        "# triple takes no detour\nfrom examiner_checks import rng, speed\n### BEGIN HIDDEN TESTS\n"
        'draw = rng("speed_triple")\n'
        "speed(triple, reference.triple, lambda: (draw.normal(size=50_000),), at_most=2.0)\n"
        "### END HIDDEN TESTS",
    ),
)
SQUARES = notebook(
    text("title", "# Squares"),
    asked(
        "squares_function",
        "def squares(n):\n    ### BEGIN SOLUTION\n"
        "    return [i**2 for i in range(1, n + 1)]\n    ### END SOLUTION",
    ),
    asked(
        "sum_function",
        "def sum_of_squares(n):\n    ### BEGIN SOLUTION\n    return sum(squares(n))\n    ### END SOLUTION",
    ),
    graded(
        "correct_squares",
        2,
        "assert squares(2) == [1, 4]\n### BEGIN HIDDEN TESTS\nassert squares(3) == [1, 4, 9]\n"
        "### END HIDDEN TESTS",
    ),
    graded(
        "uses_squares",
        1,
        "kept = squares\ndel squares\ntry:\n    sum_of_squares(1)\nexcept NameError:\n    pass\nelse:\n"
        '    raise AssertionError("sum_of_squares does not use squares")\nfinally:\n    squares = kept',
    ),
)
WORDS = notebook(
    text("title", "# Words"),
    asked(
        "word_function",
        'def word():\n    ### BEGIN SOLUTION\n    return "word"\n    ### END SOLUTION',
    ),
    graded("correct_word", 1, 'assert word() == "word"'),
    written("why_word", 2, "It is the word."),
    marked("markdown", "draw_word", "Draw it, and say how you did.", 2, task=True, locked=True),
)


def write(path, content):
    """Write a file in whatever folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1) + "\n")


def answered(released, answers, also=()):
    """Return the notebook of a student: a release with other sources, and cells at its end."""
    document = copy.deepcopy(released)
    for cell in document["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    document["cells"] = [cell for cell in document["cells"] if cell["source"] is not None]
    for number, source in enumerate(also):
        cell = {"cell_type": "code", "execution_count": None, "id": f"own{number}", "metadata": {}}
        document["cells"].append(cell | {"outputs": [], "source": source})
    return document


def hand_in(root, student, assignment, when, notebooks):
    """Put a student's notebooks where the exchange puts them, in the place of what is there."""
    folder = root / "submitted" / student / assignment
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in notebooks.items():
        write(folder / f"{name}.ipynb", content)
    if when:
        write(folder / "timestamp.txt", when)


def run(root, program, *arguments, code=0):
    """Run a command in a course."""
    folder = Path(sys.executable).parent
    path = f"{folder}:{os.defpath}"
    done = subprocess.run(
        [folder / program, *arguments], cwd=root, env=os.environ | {"PATH": path}, timeout=600, check=False
    )
    assert done.returncode == code, done


def enter(root, place, score, comment, extra=None):
    """Enter a grade and a comment as formgrader does for a person."""
    student, assignment, book, cell = place
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
        grade = gradebook.find_grade(cell, book, assignment, student)
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = score, extra, False
        gradebook.find_comment(cell, book, assignment, student).manual_comment = comment
        gradebook.find_submission_notebook(book, assignment, student).flagged = extra is not None
        gradebook.db.commit()


def released(root, assignment, name):
    """Return a notebook as students get it."""
    return json.loads((root / "release" / assignment / f"{name}.ipynb").read_text())


def make_small(root):
    """Make the course with a course.toml, as it grew over a term."""
    write(root / "course.toml", SMALL.replace("REPOSITORY", str(REPOSITORY)))
    write(root / "nbgrader_config.py", SMALL_SETTINGS)
    write(root / "roster.csv", ROSTER)
    for name, content in PACK.items():
        write(root / "pack" / name, content)
    write(root / "tests" / "mutants" / "01_double" / "absolute.toml", MUTANT)
    write(root / "source" / "01_double" / "double.ipynb", DOUBLE)
    write(root / "source" / "02_triple" / "triple.ipynb", TRIPLE)
    run(root, "examiner", "release")

    def double(student, code, when="2026-09-20 12:00:00 UTC", also=(), **others):
        answers = {"double_function": code, "fourfold_function": fourfold} | others
        notebooks = {"double": answered(released(root, "01_double", "double"), answers, also)}
        hand_in(root, student, "01_double", when, notebooks)

    def triple(student, code, when="2026-10-01 08:30:00 UTC"):
        notebooks = {"triple": answered(released(root, "02_triple", "triple"), {"triple_function": code})}
        hand_in(root, student, "02_triple", when, notebooks)

    right, fourfold = "def double(x):\n    return x + x", "def fourfold(x):\n    return double(double(x))"
    double("anna", right, also=["print('größer: ∑', double(21))"], written_why="Since $x + x = 2x$.")
    double("ben", "def double(x):\n    raise ValueError(f'für {x!r}: \\ud83d')")
    double(
        "carl",
        "def double(x):\n    return abs(x) + abs(x)",
        written_why="It is obvious.",
        fourfold_function="def fourfold(x):\n    return 4 * x",
    )
    double("dora", "def double(x):\n    return 4", written_why="I guess.")
    hand_in(root, "emil", "01_double", "2026-09-20 12:00:00 UTC", {"double": "{"})
    run(root, "examiner", "grade", code=3)
    first = root / "submitted" / "dora" / "01_double"
    shutil.copytree(first, root / "earlier" / "dora" / "01_double")

    place = ("carl", "01_double", "double", "written_why")
    enter(root, place, 1.5, "Schön! Now say it in a formula.", extra=0.5)
    double("dora", right, "2026-09-21 21:59:59 UTC", written_why="I know.", interface_double=None)
    triple("anna", "def triple(x):\n    return 3 * x")
    triple("ben", "def triple(x):\n    return double(x) + x", "2026-10-06 09:00:00 UTC")
    triple("carl", "def triple(x):\n    return sum(double(x) for _ in range(60)) / 40")
    run(root, "examiner", "grade", code=3)

    enter(root, ("anna", "01_double", "double", "written_why"), 2, "Yes.")
    enter(root, place, 1.75, "Schön! Now say it in a formula.", extra=0.5)
    run(root, "examiner", "grade", code=3)


def make_plain(root):
    """Make the course of somebody who uses nbgrader, and grades with examiner."""
    write(root / "nbgrader_config.py", PLAIN_SETTINGS)
    write(root / "source" / "ps1" / "squares.ipynb", SQUARES)
    write(root / "source" / "ps1" / "words.ipynb", WORDS)
    run(root, "nbgrader", "generate_assignment", "ps1")
    answers = {
        "squares_function": "def squares(n):\n    return [i * i for i in range(1, n + 1)]",
        "sum_function": "def sum_of_squares(n):\n    return sum(squares(n))",
    }
    words = {"word_function": 'def word():\n    return "word"', "why_word": "It is one."}
    notebooks = {
        "squares": answered(released(root, "ps1", "squares"), answers),
        "words": answered(released(root, "ps1", "words"), words),
    }
    hand_in(root, "bitdiddle", "ps1", "2026-09-02 10:00:00.250000 Europe/Berlin", notebooks)
    answers |= {"sum_function": "def sum_of_squares(n):\n    return n * (n + 1) * (2 * n + 1) // 6"}
    hand_in(root, "hacker", "ps1", None, {"squares": answered(released(root, "ps1", "squares"), answers)})
    run(root, "examiner", "grade")
    enter(root, ("bitdiddle", "ps1", "words", "draw_word"), 1.5, "A nice one.")
    run(root, "examiner", "grade")


def keep(root, place):
    """Copy what tests need of a course; its gradebook as text, and no path of this machine."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name in KEPT:
        if (root / name).is_dir():
            shutil.copytree(root / name, place / name, ignore=LEFT_OUT)
        elif (root / name).exists():
            shutil.copy(root / name, place)
    for folder in [*place.glob("source/*/examiner_checks"), *place.glob("release/02_*/examiner_checks")]:
        shutil.rmtree(folder)  # all are the same, and one is enough to tell which they were
    with closing(sqlite3.connect(root / "gradebook.db")) as database:
        (place / "gradebook.sql").write_text("\n".join(database.iterdump()) + "\n")
    settings = place / "course.toml"
    if settings.exists():
        settings.write_text(settings.read_text().replace(str(REPOSITORY), "REPOSITORY"))


def main():
    """Make both courses, and a note of what they were made with."""
    with tempfile.TemporaryDirectory() as aside:
        for name, make in (("small", make_small), ("plain", make_plain)):
            make(Path(aside, name))
            keep(Path(aside, name), HERE / name)
        shutil.rmtree(HERE / "earlier", ignore_errors=True)
        shutil.copytree(Path(aside, "small", "earlier"), HERE / "earlier")
    command = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
    stamp = json.loads((REPOSITORY / ".venv-student" / "examiner-fingerprint.json").read_text())
    made = {"commit": commit, "python": sys.version, "student environment": stamp}
    write(HERE / "made.json", made)


if __name__ == "__main__":
    main()
