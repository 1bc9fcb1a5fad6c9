"""The executed notebook: claims made valid, verdicts as outputs."""

import json
from dataclasses import replace

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter

from examiner.examine.executed import (
    MOST_TEXT,
    checked_outputs,
    executed,
    verdict_outputs,
)
from examiner.examine.pricing import points_of
from examiner.model import GradeKey, Identity, Mode
from examiner.notebook import Cell
from examiner.report.feedback import verdict_in
from examiner.submission.repair import Piece
from examiner.verdict import GradeSheet, Outcome, Verdict

STREAM = {"output_type": "stream", "name": "stdout", "text": "hi"}
DISPLAY = {"output_type": "display_data", "data": {"text/plain": "x", "image/png": "aGk="}, "metadata": {}}
RESULT = {
    "output_type": "execute_result",
    "data": {"text/plain": "2", "text/latex": "$2$", "image/png": "aGk="},
    "metadata": {"image/png": {"width": 3}},
    "execution_count": 4,
}
ERROR = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["a", "b"]}
VALID = [STREAM, DISPLAY, RESULT, ERROR]


def test_valid_outputs_stay_as_they_are():
    """They are what a student sees in the feedback."""
    assert checked_outputs(VALID) == VALID


@pytest.mark.parametrize(
    "claim",
    [
        None,
        "text",
        {},
        [None, 1, "a", [], {}],
        [{"output_type": "stream", "name": "stdin", "text": "a"}],
        [{"output_type": "stream", "name": "stdout", "text": ["a"]}],
        [{"output_type": "display_data", "data": [], "metadata": {}}],
        [{"output_type": "error", "ename": 1, "evalue": "", "traceback": []}],
        [{"output_type": "pyout"}, {"output_type": ["stream"]}],
    ],
)
def test_what_is_no_output_is_left_out(claim):
    """A candidate can claim anything."""
    assert checked_outputs(claim) == []


def test_unknown_entries_and_wrong_representations_are_left_out():
    """So that the notebook stays valid, and nothing hides in it."""
    [stream] = checked_outputs([STREAM | {"evil": 1}])
    [display] = checked_outputs([DISPLAY | {"data": {"text/html": 3, "text/plain": "x"}, "transient": {}}])
    [error] = checked_outputs([ERROR | {"traceback": ["a", 1]}])
    assert stream == STREAM
    assert display["data"] == {"text/plain": "x"}
    assert error["traceback"] == ["a"]


@pytest.mark.parametrize(
    "kind",
    [
        "application/javascript",
        "application/vnd.jupyter.widget-view+json",
        "application/json",
        "image/svg+xml",
        'text/html"><script>',
    ],
)
@pytest.mark.parametrize("value", ["x", {"model_id": 1}, ["x"]])
def test_what_no_page_shows_or_what_runs_there_is_left_out(kind, value):
    """A view of a widget that is none ends nbconvert, and formgrader's page with it."""
    [display] = checked_outputs([DISPLAY | {"data": {kind: value, "text/plain": "x"}}])
    assert display["data"] == {"text/plain": "x"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"image/png": {"width": "1 onerror=alert(1)", "height": [3]}},
        {"image/png": {"alt": "x", "unconfined": True}, "image/jpeg": 3},
        {"filenames": {"image/png": "https://example.org/x.png"}},
        {"filenames": 1, "width": "1 onerror=alert(1)"},
        {"image/png": {"width": float("inf"), "height": float("nan")}},
        {"image/png": {"width": True, "height": -1}},
    ],
)
def test_metadata_of_an_output_holds_sizes_alone(metadata):
    """nbconvert writes them into a tag without quotes: a text there could be an event handler."""
    [display] = checked_outputs([DISPLAY | {"metadata": metadata}])
    assert display["metadata"] == {}
    [display] = checked_outputs([DISPLAY | {"metadata": metadata | {"image/png": {"width": 640}}}])
    assert display["metadata"] == {"image/png": {"width": 640}}


def verdict(outcome, points, **known):
    """Return a verdict on a cell of two points."""
    return Verdict("t", outcome, points, 2.0, **known)


JUDGED = [
    verdict(Outcome.PASSED, 2.0, output="printed"),
    verdict(Outcome.PASSED, 2.0, mode=Mode.KERNEL),
    verdict(Outcome.PARTIAL, 1.25, output="printed", awards=((1.25, "a half"),)),
    verdict(Outcome.FAILED, 0.0, message="no", line=3),
    verdict(Outcome.CRASHED, 0.0),
    verdict(Outcome.ERROR, 0.0, message="lone \udcff", seconds=0.5, calls=3, seed="5eed"),
    verdict(Outcome.INFRASTRUCTURE, None),
]
TEST = Cell(0, "t", "code", "assert True", "t", 2.0, is_grade=True, is_locked=True)
DOCUMENT = {
    "cells": [{"metadata": {"nbgrader": {"grade_id": "t", "points": 2, "grade": True}}}],
    "metadata": {"kernelspec": {"name": "k", "display_name": "k"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def executed_with(verdicts=(), pieces=(), outputs=(), repairs=()):
    """Return the JSON of an executed notebook: one cell that tests, then these."""
    sheet = GradeSheet(
        Identity("c", "s", "a", "1", GradeKey("", "", "")),
        tuple(verdicts),
        repairs=tuple(repairs),
        versions={"numpy": "2.4"},
    )
    text = executed(DOCUMENT, [Piece("code", TEST.source, "t", TEST), *pieces], dict(outputs), sheet)
    notebook = nbformat.reads(text.decode(), as_version=4)
    nbformat.validate(notebook)
    return json.loads(text)


@pytest.mark.parametrize("judged", [verdict for verdict in JUDGED if verdict.points is not None], ids=str)
def test_nbgrader_would_give_the_same_points_for_the_outputs_of_a_verdict(judged):
    """So that whoever prices the executed notebook again finds nothing else."""
    assert points_of(verdict_outputs(judged), 2.0) == judged.points


def test_an_open_verdict_is_no_full_marks():
    """No output at all would be."""
    assert points_of(verdict_outputs(verdict(Outcome.INFRASTRUCTURE, None)), 2.0) == 0


def test_the_executed_notebook_is_valid_and_has_the_instructors_metadata():
    """Formgrader and nbconvert read it; lone surrogates and raw bytes would stop them."""
    pieces = [Piece("code", "print('\ud800')", "a"), Piece("markdown", "text", "b"), Piece("code", "", "c")]
    notebook = executed_with(pieces=pieces, outputs={1: VALID, 2: [STREAM | {"text": "\udfff"}]})
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [1, 2, 3]
    assert code[1]["outputs"] == VALID
    assert notebook["metadata"]["kernelspec"]["name"] == "k"
    assert code[0]["metadata"] == DOCUMENT["cells"][0]["metadata"]


@pytest.mark.parametrize("judged", JUDGED, ids=str)
def test_a_verdict_comes_back_from_the_metadata_of_its_cell(judged):
    """Feedback is made from it, at any time, also by nbgrader's own command."""
    [cell] = executed_with([judged])["cells"]
    assert verdict_in(cell) == replace(judged, message=judged.message.replace("\udcff", "?"))
    assert cell["metadata"]["nbgrader"]["grade_id"] == "t"


def test_a_self_reported_verdict_says_so():
    """Whoever looks at it in formgrader should know whose word it is."""
    [cell] = executed_with([verdict(Outcome.PASSED, 2.0, mode=Mode.KERNEL)])["cells"]
    assert "self-reported" in cell["outputs"][0]["text"]
    [cell] = executed_with([verdict(Outcome.PASSED, 2.0)])["cells"]
    assert cell["outputs"] == []


def test_a_verdict_that_rests_on_claims_says_so():
    """Whoever looks at the notebook in formgrader sees what the student's process was asked."""
    verdict = Verdict("it", Outcome.PASSED, 1.0, 1.0, claimed=("identity", "dir"))
    [output] = verdict_outputs(verdict)
    assert output["text"] == "claimed by the student's process: identity, dir\n"


def test_what_was_mended_stands_at_the_top_and_means_nothing_to_nbgrader():
    """Formgrader and the feedback show it; looking up grades passes over it."""
    repairs = ["test: it was missing; put back as released", "*<b>x</b>*\n# y: it was there more than once"]
    notebook = executed_with(repairs=repairs)
    note, test = notebook["cells"]
    assert notebook["metadata"]["examiner"] == {"repairs": repairs, "versions": {"numpy": "2.4"}}
    assert (note["cell_type"], note["metadata"]) == ("markdown", {})
    assert "\n    test: it was missing; put back as released\n" in note["source"]
    assert test["metadata"]["nbgrader"]["grade_id"] == "t"
    soup = BeautifulSoup(HTMLExporter().markdown2html({}, note["source"]), "html.parser")
    assert soup.find("b") is None
    assert soup.find("h1") is None
    assert "*<b>x</b>* # y: it was there more than once" in soup.pre.text


def test_the_note_has_an_id_that_no_student_has_taken():
    """Two cells of one id are no valid notebook."""
    pieces = [Piece("code", "", "mended"), Piece("code", "", "mended-2")]
    ids = [cell["id"] for cell in executed_with(pieces=pieces, repairs=["a"])["cells"]]
    assert ids == ["mended-3", "t", "mended", "mended-2"]


def test_outputs_that_no_browser_would_open_are_left_out():
    """Each cell may be within its bound, and all of them together beyond any; what is short stays."""
    pieces = [Piece("code", str(number), f"p{number}") for number in range(4)]
    long = {n: [STREAM | {"text": "\U0001f600" * (MOST_TEXT // 3)}] for n in (2, 3, 4)}
    notebook = executed_with([verdict(Outcome.FAILED, 0.0)], pieces, {1: VALID, **long})
    shown = [cell["outputs"] for cell in notebook["cells"]]
    assert shown[0][0]["ename"] == "failed"
    assert shown[1] == VALID
    assert ["left out" in outputs[0]["text"] for outputs in shown[2:]].count(True) == 1
    assert len(json.dumps(notebook, ensure_ascii=False)) <= MOST_TEXT


@pytest.mark.parametrize("minor", [0, 5])
def test_a_text_has_the_instructors_pictures_and_the_students(minor):
    """Of one name the student's counts, unless it is broken: a page is made of every notebook."""

    def named(*kept):
        return {name: {"image/png": content} for name, content in kept}

    document = DOCUMENT | {"nbformat_minor": minor}
    document["cells"] = [{"metadata": {}, "attachments": named(("a", "1"), ("b", "1"), ("c", "1"))}]
    piece = Piece("markdown", "", "w", Cell(0, "w", "markdown", ""), named(("a", "2"), ("b", ""), ("d", "2")))
    sheet = GradeSheet(Identity("c", "s", "a", "1", GradeKey("", "", "")), ())
    notebook = nbformat.reads(executed(document, [piece], {}, sheet).decode(), as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].attachments == named(("a", "2"), ("b", "1"), ("c", "1"), ("d", "2"))
