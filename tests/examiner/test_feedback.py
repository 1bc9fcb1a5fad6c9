"""Feedback tells what helps, and nothing of the hidden tests, whatever a student's code printed or raised."""

import json

import pytest

from examiner.report.feedback import explain, hints, message, reasons, secrets

SOURCE = """\
# f doubles
from examiner_checks import attempt, check_equal
assert f(1) == 2, "Two times one is two."
### BEGIN HIDDEN TESTS
canary = "canary-of-this-cell"
check_equal(f(secret_input := 987654), 1975308, hint="Try a large number.")
with attempt(2, "negative numbers"):
    check_equal(f(-3), -6, hint="Mind the sign.")
### END HIDDEN TESTS
assert f(0) == 0
"""
VISIBLE_LINE, HIDDEN_LINE = 3, 6


def grade_cell(*outputs, score=0.0, source=SOURCE):
    """Return a grade cell of 4 points that ran as the seventh."""
    nbgrader = {"grade_id": "numeric_f", "grade": True, "points": 4.0, "score": score}
    return {
        "cell_type": "code",
        "execution_count": 7,
        "metadata": {"nbgrader": nbgrader},
        "source": source,
        "outputs": list(outputs),
    }


def student_cell(source, *outputs):
    """Return a student's own cell."""
    return {
        "cell_type": "code",
        "execution_count": 8,
        "metadata": {},
        "source": source,
        "outputs": list(outputs),
    }


def raised(name, text="", line=HIDDEN_LINE, count=7):
    """Return an error as IPython 9 reports it, in colours."""
    frame = f"\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[{count}]\x1b[39m\x1b[32m, line {line}\x1b[39m\n"
    deeper = "\x1b[36mCell\x1b[39m \x1b[32mIn[2]\x1b[39m\x1b[32m, line 1\x1b[39m, in f(x)"
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": ["---", frame, deeper, text]}


def printed(text, name="stdout"):
    """Return what went to a stream."""
    return {"output_type": "stream", "name": name, "text": text}


def shown(*cells):
    """Return everything that a student can read of these cells, as text."""
    return json.dumps(explain({"cells": list(cells), "metadata": {}}, cell_seconds=10)["cells"])


@pytest.mark.parametrize(
    ("outputs", "score", "words"),
    [
        ([], 4.0, "4 of 4 points. All tests passed, the hidden ones too."),
        ([printed("987654")], 4.0, "4 of 4 points. All tests passed, the hidden ones too."),
        ([], 2.0, "2 of 4 points. The tests ran to their end."),
        ([raised("CheckFailed", "got 1")], 0.0, "0 of 4 points. A check failed in a hidden test."),
        ([raised("IndexError", "987654")], 0.0, "0 of 4 points. An IndexError was raised in a hidden test."),
        ([raised("KeyError", "987654", line=99)], 0.0, "0 of 4 points. A KeyError was raised."),
        ([raised("KeyError", "987654", count=6)], 0.0, "0 of 4 points. A KeyError was raised."),
        ([raised("Was987654", "987654")], 0.0, "0 of 4 points. An exception was raised in a hidden test."),
        ([raised("KeyboardInterrupt"), raised("CellTimeoutError")], 0.0, "took longer than 10 seconds"),
        ([printed("UserWarning: 987654", "stderr")], 0.0, "Something wrote to stderr, as a warning does"),
        ([], None, "Not graded."),
    ],
)
def test_each_way_to_end_is_told_in_words_without_what_was_hidden(outputs, score, words):
    """A traceback shows hidden lines, an exception's text hidden inputs; the class and the place must do."""
    cell = grade_cell(*outputs, score=score)
    assert words in message(cell, 10)
    assert "987654" not in shown(cell)
    assert "canary" not in shown(cell)


def test_a_visible_line_that_failed_is_shown():
    """The student has the line already, and looking for it costs time."""
    text = message(grade_cell(raised("ValueError", "987654", line=VISIBLE_LINE)), 10)
    assert 'A ValueError was raised in this line:\n\n    assert f(1) == 2, "Two times one is two."' in text
    assert "987654" not in text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("got 1, expected 987654\nHint: Try a large number.", "Hint: Try a large number."),
        ("Two times one is two.", "Hint: Two times one is two."),
        ("input was 987654", ""),
        ("Try a large number. It was 987654", ""),
        ("", ""),
    ],
)
def test_only_the_authors_own_hint_is_quoted(text, hint):
    """What a student's exception says can select a hint, and can never become one."""
    told = message(grade_cell(raised("AssertionError", text)), 10)
    assert hint in told
    assert ("Hint" in told) == bool(hint)
    assert "987654" not in told


def test_missed_attempts_are_told_in_the_authors_words_only():
    """`attempt` prints its reason; a student can print the same line, and gains nothing by it."""
    lines = "not yet: negative numbers (Mind the sign.)\nnot yet: the input was 987654\n"
    told = message(grade_cell(printed(lines), score=2.0), 10)
    assert "not yet: negative numbers (Mind the sign.)" in told
    assert "987654" not in told


def test_hints_are_literals_of_the_author():
    """A hint that is put together while the test runs could hold anything."""
    assert hints(SOURCE) == {"Two times one is two.", "Try a large number.", "Mind the sign."}
    assert hints('check(x, hint=f"{x} is wrong")\nassert x, str(x)') == set()
    assert hints("with raises(ValueError, 'a b'):\n    check_equal(f(1), 2, 'c')") == {"a b", "c"}
    assert hints("for x, y in [(1, 'one is odd'), ('key', 'b c')]: check(x, hint=y)") == {"one is odd", "b c"}
    assert reasons(SOURCE) == {"negative numbers"}
    assert hints("%%time\nassert x, 'y'") == set()


def test_hidden_source_is_gone_and_the_visible_rest_stays():
    """A comment says that something was there, so that points that were lost have a place."""
    [cell] = explain({"cells": [grade_cell()]}, 10)["cells"]
    assert cell["source"] == (
        "# f doubles\nfrom examiner_checks import attempt, check_equal\n"
        'assert f(1) == 2, "Two times one is two."\n# (hidden tests ran here)\nassert f(0) == 0\n'
    )


def test_the_notebook_that_was_given_is_not_changed():
    """Formgrader shows the same notebook with everything in it."""
    cell = grade_cell(printed("x"))
    explain({"cells": [cell]}, 10)
    assert cell == grade_cell(printed("x"))


def test_metadata_cannot_keep_hidden_tests_in_place():
    """A student may take the mark 'grade' off the copy of a test cell."""
    cell = grade_cell(raised("ValueError", "987654"))
    cell["metadata"] = {"nbgrader": {"grade_id": "numeric_f", "grade": False, "locked": True}}
    assert "987654" not in shown(cell)
    assert "canary" not in shown(cell)


def test_a_students_own_outputs_stay():
    """Prints and plots of the solution are the student's, and help to understand the points."""
    plot = {"output_type": "display_data", "data": {"image/png": "iVBORw0", "text/plain": "<Figure>"}}
    cell = student_cell("plot()", printed("loss 0.1"), plot)
    assert explain({"cells": [cell, grade_cell()]}, 10)["cells"][0]["outputs"] == [printed("loss 0.1"), plot]


@pytest.mark.parametrize(
    "output",
    [
        printed(SOURCE),
        printed('x = "\x1b[32mcanary-of-\x1b[0mthis-cell"'),
        {
            "output_type": "execute_result",
            "data": {"text/plain": ["a", "check_equal(f(-3), -6, hint='?')canary-of-this-cell"]},
        },
        {"output_type": "display_data", "data": {"text/html": "<p>canary-of-this-cell</p>"}},
        raised("ValueError", "canary-of-this-cell", count=8),
    ],
)
def test_an_output_that_repeats_hidden_tests_is_not_shown(output):
    """A student's later cell can print the history of inputs, in which the hidden tests stand."""
    text = shown(grade_cell(), student_cell("print(In)", output))
    assert "canary" not in text
    assert "it repeats hidden tests" in text


def test_what_students_can_know_is_no_secret():
    """A line of theirs that also stands in a hidden test is not taken away from them."""
    mine = student_cell(
        "with attempt(2, 'negative numbers'):\n    assert f(0) == 0", printed("assert f(0) == 0")
    )
    found = secrets([mine, grade_cell()])
    assert 'canary = "canary-of-this-cell"' in found
    assert not any("assert f(0)" in each for each in found)
    assert "assert f(0) == 0" in shown(mine, grade_cell())


def test_everything_after_a_students_broken_marker_is_left_out():
    """Markers of the author's are sound, so this text is the student's; showing less of it is no loss."""
    cell = grade_cell(source="x = 1\n### BEGIN HIDDEN TESTS\ny = 2")
    assert explain({"cells": [cell]}, 10)["cells"][0]["source"] == "x = 1"
    assert "y = 2" not in shown(cell)


def test_a_written_answer_is_left_as_it_is():
    """Markdown has no outputs, and its comments are nbgrader's business."""
    cell = {"cell_type": "markdown", "metadata": {}, "source": "Because."}
    assert explain({"cells": [cell]}, 10)["cells"] == [cell]
