"""The executed notebook: claims made valid, verdicts as outputs."""

import json

import nbformat
import pytest

from examiner.executed import checked_outputs, executed, verdict_outputs
from examiner.points import points_of
from examiner.repair import Piece
from examiner.verdict import Outcome, Verdict

STREAM = {"output_type": "stream", "name": "stdout", "text": "hi"}
DISPLAY = {"output_type": "display_data", "data": {"text/plain": "x", "image/png": "aGk="}, "metadata": {}}
RESULT = {
    "output_type": "execute_result",
    "data": {"text/plain": "2", "application/json": {"a": [1, None]}},
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


def verdict(outcome, points, **known):
    """Return a verdict on a cell of two points."""
    return Verdict("t", outcome, points, 2.0, **known)


@pytest.mark.parametrize(
    "judged",
    [
        verdict(Outcome.PASSED, 2.0, output="printed"),
        verdict(Outcome.PARTIAL, 1.25, output="printed"),
        verdict(Outcome.FAILED, 0.0, message="no", line=3),
        verdict(Outcome.CRASHED, 0.0),
    ],
)
def test_nbgrader_would_give_the_same_points_for_the_outputs_of_a_verdict(judged):
    """So that whoever prices the executed notebook again finds nothing else."""
    assert points_of(verdict_outputs(judged), 2.0) == judged.points


def test_an_open_verdict_is_no_full_marks():
    """No output at all would be."""
    assert points_of(verdict_outputs(verdict(Outcome.INFRASTRUCTURE, None)), 2.0) == 0


def test_the_executed_notebook_is_valid_and_has_the_instructors_metadata():
    """Formgrader and nbconvert read it; lone surrogates and raw bytes would stop them."""
    document = {
        "cells": [],
        "metadata": {"kernelspec": {"name": "k", "display_name": "k"}},
        "nbformat_minor": 5,
    }
    pieces = [Piece("code", "print('\ud800')", "a"), Piece("markdown", "text", "b"), Piece("code", "", "c")]
    text = executed(document, pieces, {0: VALID, 1: [STREAM | {"text": "\udfff"}]}, {})
    notebook = nbformat.reads(text.decode(), as_version=4)
    nbformat.validate(notebook)
    assert [cell["execution_count"] for cell in notebook.cells if cell.cell_type == "code"] == [1, 2]
    assert json.loads(text)["cells"][0]["outputs"] == VALID
    assert notebook.metadata.kernelspec.name == "k"
