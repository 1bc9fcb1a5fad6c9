"""The tables say at a glance who has what, and what is not final."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from examiner.model import Grade, Grades, Mark, Question, Student
from examiner.report.table import class_table, legend, question_key, question_table

ONE, TWO = Question("n", "gradient_one", 4.0), Question("n", "written_two", 6.0)
GRADE = Grade(datetime(2026, 9, 1, tzinfo=UTC), 0.0, 0.0, {ONE: Mark(3.5, False), TWO: Mark(2.0, False)})
ANNA = Student("anna", "Anna", "Adams")


def grades(found):
    """Return what a gradebook says in which `anna` has this grade."""
    return Grades((ANNA,), {}, {"01_double": (ONE, TWO)}, {("anna", "01_double"): found} if found else {})


def text(table):
    """Return a table as a terminal shows it."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.mark.parametrize(
    ("found", "sign", "cell"),
    [
        (GRADE, "", " 5.5 "),
        (replace(GRADE, marks=GRADE.marks | {TWO: Mark(None, True)}), "", " 3.5* "),
        (replace(GRADE, late_seconds=1.0, penalty=1.5), "", " 4† "),
        (replace(GRADE, marks=GRADE.marks | {TWO: Mark(2.0, True, True)}), "", " 5.5≈ "),
        (replace(GRADE, marks={ONE: Mark(3.5, True, True), TWO: Mark(None, True)}), "", " 3.5*≈ "),
        (GRADE, "~", " 5.5~ "),
        (GRADE, "!", " 5.5! "),
        (None, "!", " ! "),
        (None, "", " · "),
        (replace(GRADE, marks={ONE: Mark(None, True)}), "", " * "),
    ],
)
def test_a_grade_says_whether_it_is_final(small, found, sign, cell):
    """What needs somebody's attention is marked, and explained below."""
    table = class_table(small.course, grades(found), [ANNA], {("anna", "01_double"): sign})
    assert cell in text(table).split("anna Anna Adams")[1].split("\n")[0]
    assert all(line[0] in text(table) for line in legend(table).split("\n") if line)
    assert set(cell) & set("*≈†~!·") <= set(legend(table))


def test_what_there_is_to_earn_stands_below(small):
    """Sums of assignments and of all."""
    assert text(class_table(small.course, grades(GRADE), [ANNA], {})).count("10 ") == 2


def test_questions_have_numbers_and_a_key():
    """Sixteen names of questions do not fit beside each other."""
    shown = text(question_table(grades(GRADE), "01_double", [ANNA, Student("ben")]))
    assert question_key(grades(GRADE), "01_double") == "1 gradient_one  2 written_two"
    assert "3.5" in shown
    assert "ben" not in shown
