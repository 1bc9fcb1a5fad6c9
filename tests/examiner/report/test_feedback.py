"""Feedback tells what helps, and nothing of the hidden tests, whatever a student's code did or said."""

import base64
import copy
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from examiner.errors import PlatformFault
from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, Mode, TimeLimits
from examiner.plain import to_plain
from examiner.report.feedback import explain, hints, message, provisional_in, reasons, secrets, verdict_in
from examiner.verdict import Outcome, Verdict
from examiner_checks.decision import Ladder, estimate
from examiner_checks.measured import Raw, Subject

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"

# The inputs of its hidden tests are numbers that stand nowhere else.
TEST = """\
# f doubles
from examiner_checks import attempt, award, check_equal
assert f(1) == 2, "Two times one is two."
### BEGIN HIDDEN TESTS
canary = "canary-of-this-cell"
check_equal(f(987654), 1975308, hint="Try a large number.")
### END HIDDEN TESTS
assert f(0) == 0
"""
VISIBLE_LINE, HIDDEN_LINE = 3, 6
PARTS = """\
from examiner_checks import attempt, award, check_equal
with attempt(1, "positive numbers"):
    check_equal(f(1), 2)
### BEGIN HIDDEN TESTS
canary = "canary-of-the-other-cell"
with attempt(2, "negative numbers"):
    check_equal(f(-987654), -1975308, hint="Mind the sign.")
with attempt(1, "no number at all"):
    check_equal(f(None), None)
### END HIDDEN TESTS
award(0)
"""
KERNEL = """\
### BEGIN HIDDEN TESTS
canary = "canary-of-the-kernel-cell"
assert f(987654) == 1975308
### END HIDDEN TESTS
"""
TESTS = {"test_f": TEST, "test_parts": PARTS, "test_kernel": KERNEL}
RIGHT = "def f(x):\n    return None if x is None else x + x"
HIDDEN_TEXTS = ("987654", "1975308", "canary", "BEGIN HIDDEN", "said-by-the-student")


def notebook(answer=RIGHT, own=(), without=(), first=""):
    """Return a notebook with a student's answer and cells of their own behind it, some tests left out."""
    cells = []
    for name, source in {"first": first, "f": answer, **TESTS, **dict(own)}.items():
        marks = {"grade_id": name, "schema_version": 3, "points": 4, "grade": name in TESTS}
        marks |= {"solution": name == "f", "locked": name in TESTS}
        cell = {"cell_type": "code", "execution_count": None, "id": name, "outputs": [], "source": source}
        if name not in without:
            cells.append(cell | {"metadata": {"nbgrader": marks} if name in {"f", *TESTS} else {}})
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture(scope="module")
def engine():
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        yield engine


def graded(engine, scores=(), **handed_in):
    """Return the executed notebook of a submission, with the points that nbgrader would put there."""
    identity = Identity("course", "student", "ps1", "1", GradeKey(repr(handed_in), "", ""))
    modes = {"test_kernel": Mode.KERNEL}
    job = Job(identity, notebook(), notebook(**handed_in), {}, TimeLimits(cell_seconds=1), modes)
    document = json.loads(engine.run(job).notebook)
    for cell in document["cells"]:
        if "examiner" in cell["metadata"]:
            marks = cell["metadata"]["nbgrader"]
            points = cell["metadata"]["examiner"]["points"] or 0.0
            marks["score"] = dict(scores).get(marks["grade_id"], points)
    return document


def feedback_on(document, name="test_f"):
    """Return what feedback says about one cell."""
    [cell] = [cell for cell in explain(document)["cells"] if cell["id"] == name]
    return "".join(output.get("text", "") for output in cell["outputs"])


def everything(document):
    """Return all that a student can read in the feedback, but for their own sources."""
    page = explain(document)
    for cell in page["cells"]:
        if cell["id"] not in TESTS:
            cell["source"] = ""
    return json.dumps(page)


RAISING = "def f(x):\n    raise ValueError(f'said-by-the-student {x}')"
ENDS = {
    "right": (RIGHT, "4 of 4 points. All tests passed, the hidden ones too."),
    "wrong at a visible line": (
        "def f(x):\n    return 5",
        '0 of 4 points. A check failed here:\n\n    assert f(1) == 2, "Two times one is two."\n\nH',
    ),
    "wrong in a hidden test": (
        "def f(x):\n    return 2 * x if x is None or x < 9 else what",
        "0 of 4 points. An exception was raised in a hidden test.",
    ),
    "wrong for large numbers": (
        "def f(x):\n    print('said-by-the-student', x)\n    return None if x is None else 2 * x % 1001",
        "0 of 4 points. A check failed in a hidden test.\nHint: Try a large number.",
    ),
    "raises": (RAISING, "0 of 4 points. An exception was raised here:\n\n    assert f(1) == 2"),
    "raises in a hidden test": (
        "def f(x):\n    if x in (0, 1): return 2 * x\n    raise KeyError(f'said-by-the-student {x}')",
        "0 of 4 points. An exception was raised in a hidden test.\n",
    ),
    "raises its own class": (
        "def f(x):\n    raise type(f'said-by-the-student{x}', (Exception,), {})(x)",
        "0 of 4 points. An exception was raised here",
    ),
    "pretends that a check failed": (
        "def f(x):\n    raise AssertionError(f'Try a large number. said-by-the-student {x}')",
        "0 of 4 points. A check failed here",
    ),
    "hangs": (
        "def f(x):\n    while True: pass",
        "0 of 4 points. It took too long and was stopped after 1 s here:\n\n    assert f(1) == 2",
    ),
    "eats memory": (
        "def f(x):\n    return bytearray(1 << 40)",
        "0 of 4 points. It needed more memory than is allowed here",
    ),
    "hangs in a hidden test": (
        "def f(x):\n    while x not in (0, 1, None): pass\n    return 2 * x",
        "0 of 4 points. It took too long and was stopped after 1 s in a hidden test.",
    ),
    "ends its process": (
        "import os\ndef f(x):\n    os._exit(1)",
        "0 of 4 points. Your code ended its own process, for example by exit() or a crash here",
    ),
    "gives what cannot be judged": (
        "class Any:\n    def __eq__(self, other): return True\ndef f(x):\n    return Any()",
        "0 of 4 points. Your code returned something that the test cannot judge",
    ),
    "is not there": ("", "0 of 4 points. An exception was raised here"),
}


@pytest.mark.parametrize(("answer", "words"), ENDS.values(), ids=ENDS)
def test_each_way_to_end_is_told_in_words_without_what_was_hidden(engine, answer, words):
    """A traceback shows hidden lines, an exception's text hidden inputs; outcome and place must do."""
    document = graded(engine, answer=answer)
    assert words in feedback_on(document)
    page = everything(document)
    assert not [text for text in HIDDEN_TEXTS if text in page]


def test_a_statement_of_several_lines_is_shown_whole_if_it_can_be_seen():
    """Its first line alone often says nothing; a part of it that is hidden stays hidden."""
    source = (
        "for x in y:\n    check(\n        f(x),\n        x,\n    )\ng(\n### BEGIN HIDDEN TESTS\n987654,\n"
    )
    source += "### END HIDDEN TESTS\n)\nwith z:\n    pass"
    texts = {line: message(cell_of(source), verdict(Outcome.ERROR, line=line)) for line in (1, 3, 6, 11)}
    assert texts[3].endswith("here:\n\n    check(\n        f(x),\n        x,\n    )\n")
    assert texts[1].endswith("here:\n\n    for x in y:\n")
    assert texts[6].endswith("here:\n\n    g(\n")
    assert texts[11].endswith("here:\n\n    with z:\n")


def test_a_cell_above_that_ended_everything_is_named_as_the_cause(engine):
    """The student would otherwise look for the mistake in the function that the test calls."""
    ended = graded(engine, first="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert "The test could not begin: a cell above it ended the process of your code" in feedback_on(ended)
    deaf = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass"
    stopped = graded(engine, first=deaf)
    assert "The test could not begin: a cell above it took too long" in feedback_on(stopped)


def test_points_for_parts_are_told_with_the_authors_reasons(engine):
    """What was got, what was missed and the hint on it; the reasons are written to be read."""
    answer = "def f(x):\n    return 2 * x if x is None or x > 0 else x"
    text = feedback_on(graded(engine, answer=answer), "test_parts")
    assert text == (
        "1 of 4 points. Some of the tests passed.\n"
        "got: positive numbers (1)\nnot yet: negative numbers (Mind the sign.)\nnot yet: no number at all\n"
    )
    assert feedback_on(graded(engine, answer="def f(x):\n    pass"), "test_parts").startswith(
        "1 of 4 points. Some of the tests passed.\ngot: no number at all (1)\nnot yet: positive numbers\n"
    )


def test_a_cell_of_the_kernel_is_labelled_and_tells_nothing_that_it_printed(engine):
    """Its outputs come from the process that had the hidden test in it."""
    document = graded(engine, answer="def f(x):\n    print('said-by-the-student', x, In)\n    return 2 * x")
    text = feedback_on(document, "test_kernel")
    assert text.startswith(
        "4 of 4 points. All tests passed, the hidden ones too.\nThis test ran inside your own"
    )
    assert not [text for text in HIDDEN_TEXTS if text in everything(document)]
    text = feedback_on(graded(engine, answer=RAISING), "test_kernel")
    assert text.startswith("0 of 4 points. An exception was raised.\nThis test ran inside your own")


def test_what_a_person_gave_counts(engine):
    """The page says whose points these are, and what the tests had given."""
    document = graded(engine, scores={"test_f": 3.0}, answer="def f(x):\n    return 2")
    assert feedback_on(document).startswith(
        "3 of 4 points, given by a person; 0 by the tests. A check failed in a hidden"
    )


def test_what_was_mended_stands_at_the_top(engine):
    """A student who deleted a test should know that it ran all the same."""
    page = explain(graded(engine, without=["test_f"]))
    first = page["cells"][0]
    assert first["cell_type"] == "markdown"
    assert "Mended before grading" in first["source"]
    assert "test_f: it was missing; put back as released" in first["source"]


def test_a_students_own_outputs_stay(engine):
    """Prints and plots of the solution are the student's, and help to understand the points."""
    plot = "display({'image/png': 'aGk=', 'text/plain': 'plot'}, raw=True)"
    own = {"own": "print('loss 0.1')", "plot": plot}
    document = graded(engine, own=own)
    assert feedback_on(document, "own") == "loss 0.1\n"
    [plot] = [cell for cell in explain(document)["cells"] if cell["id"] == "plot"]
    assert "image/png" in plot["outputs"][0]["data"]


def test_hidden_source_is_gone_and_the_visible_rest_stays(engine):
    """A comment says that something was there, so that points that were lost have a place."""
    [cell] = [cell for cell in explain(graded(engine))["cells"] if cell["id"] == "test_f"]
    assert cell["source"] == (
        "# f doubles\nfrom examiner_checks import attempt, award, check_equal\n"
        'assert f(1) == 2, "Two times one is two."\n# (hidden tests ran here)\nassert f(0) == 0\n'
    )


def test_the_notebook_that_was_given_is_not_changed(engine):
    """Formgrader shows the same notebook with everything in it."""
    document = graded(engine, answer=RAISING)
    before = copy.deepcopy(document)
    explain(document)
    assert document == before


def test_verdicts_do_not_stay_in_the_metadata(engine):
    """They quote hidden tests, and nbconvert could write metadata into the page."""
    page = explain(graded(engine, answer=RAISING))
    assert not [cell for cell in (page, *page["cells"]) if "examiner" in cell["metadata"]]


def test_a_notebook_without_verdicts_has_to_be_graded_again(engine):
    """Its outputs come from a student's process, and guessing from them is over."""
    document = graded(engine)
    for cell in document["cells"]:
        cell["metadata"].pop("examiner", None)
    with pytest.raises(PlatformFault, match=r"^autograded/ada: .*earlier version.*--regrade"):
        explain(document, "autograded/ada")


@pytest.mark.parametrize(
    "metadata", [{}, {"examiner": 1}, {"examiner": {}}, {"examiner": {"outcome": "passed"}}]
)
def test_no_verdict_is_made_of_anything_else(metadata):
    """An older version has written none."""
    with pytest.raises(ValueError, match=r"no [vV]erdict"):
        verdict_in({"metadata": metadata})


def test_only_a_cell_with_a_verdict_has_provisional_points():
    """nbgrader asks this of every cell of a page."""
    waits = Verdict("t", Outcome.INCONCLUSIVE, None, 4.0, provisional=1.5)
    assert provisional_in({"metadata": {"examiner": to_plain(waits)}}) == 1.5
    assert provisional_in({"metadata": {"examiner": to_plain(Verdict("t", Outcome.PASSED, 4.0, 4.0))}}) == 0
    assert provisional_in({"metadata": {}}) == 0


def test_a_test_that_the_gradebook_knows_no_more_shows_nothing_that_was_said_in_it(engine):
    """Its outputs quote hidden tests, whatever is left of its marks."""
    document = graded(engine, answer=RAISING)
    for cell in document["cells"]:
        cell["metadata"].get("nbgrader", {}).update(grade=False, solution=False, score=None)
    assert feedback_on(document).startswith("Not graded. An exception was raised here")
    assert not [text for text in HIDDEN_TEXTS if text in everything(document)]


def cell_of(source=TEST, score=0.0):
    """Return a grade cell of 4 points."""
    nbgrader = {"grade_id": "numeric_f", "grade": True, "points": 4.0, "score": score}
    return {"cell_type": "code", "metadata": {"nbgrader": nbgrader}, "source": source, "outputs": []}


def verdict(outcome, points=0.0, **known):
    """Return a verdict on that cell."""
    return Verdict("numeric_f", outcome, points, 4.0, **{"seconds": 1.0} | known)


@pytest.mark.parametrize(
    ("judged", "score", "words"),
    [
        (
            verdict(Outcome.TAMPERED),
            0.0,
            "0 of 4 points. The process of your code sent something that is not a valid answer",
        ),
        (
            verdict(Outcome.INCONCLUSIVE, None),
            0.0,
            "0 of 4 points so far. There was no clear answer",
        ),
        (
            verdict(Outcome.INCONCLUSIVE, None, provisional=2.0),
            2.0,
            "2 of 4 points, provisionally. There was no clear answer, so a person decides",
        ),
        (
            verdict(Outcome.INCONCLUSIVE, None, provisional=2.0),
            3.0,
            "3 of 4 points, given by a person.",
        ),
        (verdict(Outcome.INFRASTRUCTURE, None), 0.0, "0 of 4 points so far. The grading itself failed"),
        (
            verdict(Outcome.INFRASTRUCTURE, None),
            2.5,
            "2.5 of 4 points, given by a person. The grading",
        ),
        (verdict(Outcome.OUT_OF_MEMORY), 0.0, "0 of 4 points. It needed more memory than is allowed."),
        (verdict(Outcome.FAILED), 0.0, "0 of 4 points. The test ran to its end and gave no points."),
        (verdict(Outcome.PASSED, 4.0), None, "Not graded."),
        (
            verdict(Outcome.TAMPERED, seconds=0.0),
            0.0,
            "could not begin: the process of your code did not",
        ),
        (verdict(Outcome.FAILED, line=99), 0.0, "A check failed."),
    ],
    ids=str,
)
def test_outcomes_that_are_hard_to_come_by_have_words_too(judged, score, words):
    """Every outcome there is, in the order of the points it gives."""
    assert words in message(cell_of(score=score), judged)


@pytest.mark.parametrize("outcome", Outcome)
def test_nothing_that_was_said_in_a_grade_cell_is_told(outcome):
    """Message and output are the instructor's to read, and so is a hint that does not stand in the cell."""
    points = {Outcome.PASSED: 4.0, Outcome.PARTIAL: 2.0}.get(outcome, None if outcome.is_open else 0.0)
    quote = "said-by-the-student 987654"
    loud = verdict(
        outcome,
        points,
        message=quote,
        hint=quote,
        output=f"not yet: {quote}\n{quote}",
        awards=((2.0, quote),),
        line=HIDDEN_LINE,
        is_hidden=True,
    )
    cell = cell_of(score=points or 0.0) | {"outputs": [printed(quote)]}
    cell["metadata"]["examiner"] = asdict(loud)
    page = json.dumps(explain({"cells": [cell], "metadata": {}}))
    assert not [text for text in HIDDEN_TEXTS if text in page]


def test_hints_are_literals_of_the_author():
    """A hint that is put together while the test runs could hold anything."""
    assert hints(TEST) == ["Try a large number.", "Two times one is two."]
    assert hints('check(x, hint=f"{x} is wrong")\nassert x, str(x)') == []
    assert hints("with raises(ValueError, 'a b'):\n    check_equal(f(1), 2, 'c')") == ["a b", "c"]
    loop = "for x, y in [(1, 'one is odd'), ('key', 'b c')]: check(x, hint=y)"
    assert hints(loop) == ["one is odd", "b c"]
    assert reasons(PARTS) == ["positive numbers", "negative numbers", "no number at all"]
    assert reasons("award(1, 'a')\nwith attempt(2, f'{x}'): pass\naward(3)") == ["a"]
    assert hints("%%time\nassert x, 'y'") == []


def student_cell(source, *outputs):
    """Return a student's own cell."""
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs)}


def judged_cell():
    """Return a grade cell with its verdict."""
    cell = cell_of()
    cell["metadata"]["examiner"] = asdict(verdict(Outcome.FAILED))
    return cell


def printed(text):
    """Return what went to a stream."""
    return {"output_type": "stream", "name": "stdout", "text": text}


@pytest.mark.parametrize(
    "output",
    [
        printed(TEST),
        printed('x = "\x1b[32mcanary-of-\x1b[0mthis-cell"'),
        {"output_type": "execute_result", "data": {"text/plain": ["a", "hint='?')canary-of-this-cell"]}},
        {"output_type": "display_data", "data": {"text/html": "<p>canary-of-this-cell</p>"}},
        {"output_type": "error", "ename": "E", "evalue": "canary-of-this-cell", "traceback": []},
    ],
)
def test_an_output_that_repeats_hidden_tests_is_not_shown(output):
    """Where grade cells run in a kernel, a student's later cell can print the history of inputs."""
    page = json.dumps(explain({"cells": [judged_cell(), student_cell("print(In)", output)], "metadata": {}}))
    assert "canary" not in page
    assert "it repeats hidden tests" in page


def test_what_students_can_know_is_no_secret():
    """A line of theirs that also stands in a hidden test is not taken away from them."""
    mine = student_cell(
        "check_equal(f(987654), 1975308, hint='mine')\nassert f(0) == 0", printed("assert f(0) == 0")
    )
    found = secrets([mine, judged_cell()])
    assert 'canary = "canary-of-this-cell"' in found
    assert not any("assert f(0)" in text for text in found)
    assert explain({"cells": [mine, judged_cell()], "metadata": {}})["cells"][0]["outputs"] == mine["outputs"]


def test_everything_after_a_students_broken_marker_is_left_out():
    """Markers of the author's are sound, so this text is the student's; showing less of it is no loss."""
    cell = student_cell("x = 1\n### BEGIN HIDDEN TESTS\ny = 2", printed("y"))
    [shown] = explain({"cells": [cell], "metadata": {}})["cells"]
    assert (shown["source"], shown["outputs"]) == ("x = 1", [])


def test_a_written_answer_is_left_as_it_is():
    """Markdown has no outputs, and its comments are nbgrader's business."""
    cell = {"cell_type": "markdown", "metadata": {}, "source": "Because."}
    assert explain({"cells": [cell], "metadata": {}})["cells"] == [cell]


def measured(kind, figures, *, raw=None, **bounds):
    """Return what a check of this kind would have kept."""
    subject = Subject(kind, "your product", "times the time of the reference", Ladder.of(**bounds))
    if kind == "break even":
        return subject.exactly(figures[0], raw)
    return subject.estimated(estimate(figures), figures, raw or Raw(), are_ratios=kind == "speed")


def slow_cell(*found):
    """Return an executed notebook whose one grade cell has measured this."""
    verdict = Verdict("speed_f", Outcome.PARTIAL, 2.0, 6.0, measured=found)
    marks = {"grade_id": "speed_f", "grade": True, "solution": False, "locked": True, "points": 6, "score": 2}
    metadata = {"nbgrader": marks, "examiner": to_plain(verdict)}
    return {
        "metadata": {},
        "cells": [{"cell_type": "code", "source": "1", "outputs": [], "metadata": metadata}],
    }


def test_what_was_measured_is_told_and_drawn():
    """The ratio, how sure it is, what would have given more, and a picture of every pair."""
    ratios = tuple(1.8 + place / 100 for place in range(15))
    notebook = slow_cell(measured("speed", ratios, at_most={1.5: 6, 3: 2}, at_least=None))
    [cell] = explain(json.loads(json.dumps(notebook, allow_nan=False)))["cells"]
    text, drawn = cell["outputs"]
    assert "Measured: your product: 1.87 times the time of the reference" in text["text"]
    assert "6 points up to 1.5; 2 points up to 3" in text["text"]
    assert base64.b64decode(drawn["data"]["image/png"]).startswith(b"\x89PNG")


def test_a_figure_without_samples_is_told_and_not_drawn():
    """A sentence says it all; over several sizes there is a picture, also of a break-even that is none."""
    exact = Subject("memory", "its memory", "bytes", Ladder.of(10.0, None)).exactly(20.0)
    sizes = Raw((8.0, 16.0), ((1e-3,) * 3, (2e-3,) * 3), ((1e-3,) * 3, (1e-3,) * 3))
    never = measured("break even", (float("inf"),), raw=sizes, at_most=16.0, at_least=None)
    [cell] = explain(slow_cell(exact, never))["cells"]
    assert [output["output_type"] for output in cell["outputs"]] == ["stream", "display_data"]
    assert "its memory: 20 bytes; passes up to 10" in cell["outputs"][0]["text"]
