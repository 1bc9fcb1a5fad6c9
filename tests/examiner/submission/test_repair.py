"""What is run of a submission, whatever was done to its cells."""

from pathlib import Path

import pytest

from examiner.notebook import parse, released, visible
from examiner.submission.repair import MOST_OF_A_REPAIR, MOST_REPAIRS, bounded, repair

SOLUTION = "def f(x):\n    ### BEGIN SOLUTION\n    return x + 1\n    ### END SOLUTION"
TEST = "assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(2) == 3\n### END HIDDEN TESTS"


def cell(name, source, kind="code", **marks):
    """Return a raw cell; with marks, one of nbgrader's."""
    entries = {"grade": False, "solution": False, "locked": False, "schema_version": 3} | marks
    metadata = {"nbgrader": entries | {"grade_id": name}} if marks else {}
    return {"cell_type": kind, "id": name, "metadata": metadata, "source": source}


def instructors():
    """Return the cells of an instructor's notebook."""
    return [
        cell("intro", "# Hello", "markdown"),
        cell("imports", "import math", locked=True),
        cell("f", SOLUTION, solution=True),
        cell("look", "f(1)"),
        cell("test_f", TEST, grade=True, locked=True, points=2),
        cell("g", "def g(): return 7", solution=True),
        cell("why", "Because.", "markdown", grade=True, solution=True, points=1),
    ]


def handed_in(**sources):
    """Return the cells of a student who has answered everything, and changed nothing else."""
    answers = {"f": "def f(x): return 1 + x", "g": "def g(): return 8", "why": "I say so."} | sources
    cells = instructors()
    for raw in cells:
        raw["source"] = answers.get(raw["id"], visible(raw["source"]))
    return cells


def mended(cells, **document):
    """Return what is run of a student's cells."""
    notebook = parse({"nbformat": 4, "cells": instructors()}, Path("a.ipynb"))
    return repair(notebook, {"nbformat": 4, "cells": cells} | document)


def sources(repaired):
    """Return the sources by the ids of their cells, in order."""
    return {piece.id: piece.source for piece in repaired.pieces}


def test_answers_are_put_into_the_instructors_notebook():
    """The hidden tests are there again, the answers are the student's, and nothing had to be mended."""
    repaired = mended(handed_in())
    assert sources(repaired) == {
        "intro": "# Hello",
        "imports": "import math",
        "f": "def f(x): return 1 + x",
        "look": "f(1)",
        "test_f": TEST,
        "g": "def g(): return 8",
        "why": "I say so.",
    }
    assert repaired.repairs == ()


def test_a_missing_solution_is_put_back_without_the_answer():
    """A student who deletes a cell must not be given the instructor's answer, marked in it or not."""
    repaired = mended([raw for raw in handed_in() if raw["id"] not in {"f", "g", "why"}])
    assert "raise NotImplementedError()" in sources(repaired)["f"]
    assert "return x + 1" not in sources(repaired)["f"]
    assert sources(repaired)["g"] == "# YOUR CODE HERE\nraise NotImplementedError()"
    assert sources(repaired)["why"] == "YOUR ANSWER HERE"
    assert repaired.repairs == tuple(
        f"{name}: it was missing; put back as released" for name in ("f", "g", "why")
    )


def test_a_missing_test_is_put_back():
    """Else deleting it would be a way around it."""
    repaired = mended([raw for raw in handed_in() if raw["id"] != "test_f"])
    assert sources(repaired)["test_f"] == TEST
    assert [piece.is_autograded for piece in repaired.pieces].count(True) == 1
    assert repaired.repairs == ("test_f: it was missing; put back as released",)


def test_a_changed_test_is_put_back():
    """What is run is the instructor's text."""
    repaired = mended(handed_in(test_f="pass"))
    assert sources(repaired)["test_f"] == TEST
    assert repaired.repairs == ("test_f: its text was changed; put back",)


def test_of_a_doubled_cell_the_last_counts_and_the_others_are_the_students_own():
    """As nbgrader takes them; JupyterLab doubles cells by copy and paste."""
    cells = handed_in()
    cells.insert(2, cell("f-copy", "def f(x): return 0") | {"metadata": cells[2]["metadata"]})
    repaired = mended(cells)
    assert list(sources(repaired))[1:4] == ["imports", "f-copy", "f"]
    assert sources(repaired)["f"] == "def f(x): return 1 + x"
    assert repaired.repairs == ("f: it was there more than once; the last one counts",)


def test_a_retyped_cell_gets_its_type_back():
    """A markdown cell is not run; a solution in one would be lost."""
    cells = handed_in()
    cells[2]["cell_type"] = "markdown"
    repaired = mended(cells)
    assert repaired.pieces[2].is_code
    assert repaired.repairs == ("f: it was made a markdown cell; it is a code cell again",)


def test_moved_cells_go_back_and_only_they_are_named():
    """Of six cells in order and one that is not, the one was moved."""
    cells = handed_in()
    cells.insert(0, cells.pop(4))
    repaired = mended(cells)
    assert list(sources(repaired)) == [raw["id"] for raw in instructors()]
    assert repaired.repairs == ("test_f: it was moved; put back in its place",)


def test_a_students_own_cells_stay_where_they_stood():
    """They may define what a solution below them uses."""
    cells = handed_in()
    cells[2:2] = [cell("mine", "helper = 1"), cell("yours", "text", "markdown")]
    cells.insert(0, cell("first", "1"))
    assert list(sources(mended(cells)))[:6] == ["first", "intro", "imports", "mine", "yours", "f"]


def test_own_cells_get_ids_of_their_own():
    """Two cells of a notebook must not have the same id, and a student's may be anything."""
    own = [cell(name, "1") for name in ("same", "same", "bad id!", "x" * 64, "x" * 64)]
    ids = [piece.id for piece in mended([*handed_in(), *own]).pieces[-5:]]
    assert ids == ["same", "same-2", "own", "x" * 64, "x" * 56 + "-2"]


def test_marks_that_were_changed_are_told_and_do_not_count():
    """A student cannot say what a cell is worth, nor that it is none."""
    cells = handed_in()
    cells[4]["metadata"] = {"nbgrader": {"grade_id": "test_f", "points": 500}, "tags": ["skip-execution"]}
    cells[6]["metadata"]["nbgrader"]["grade"] = [1]
    repaired = mended(cells)
    assert repaired.pieces[4].original.points == 2
    assert repaired.repairs == tuple(
        f"{name}: its nbgrader entries were changed; the instructor's count" for name in ("test_f", "why")
    )


def test_a_cell_that_lost_its_name_is_known_by_its_id():
    """Some editors drop what they do not know; the work in it must not be lost."""
    cells = handed_in()
    cells[2]["metadata"] = {}
    repaired = mended(cells)
    assert sources(repaired)["f"] == "def f(x): return 1 + x"
    assert repaired.repairs == ("f: its name was lost; it was recognised by its id",)


def test_a_plain_cell_of_the_instructors_is_the_students_to_change():
    """Nothing is graded in it, so it runs as the student has it, once."""
    assert sources(mended(handed_in(look="f(2)")))["look"] == "f(2)"
    cells = handed_in()
    for raw in cells:
        del raw["id"]
    assert list(sources(mended(cells))) == [raw["id"] for raw in instructors()]


def test_a_notebook_of_format_3_is_read():
    """Old editors still write it: its cells lie in sheets, and code is called input."""
    cells = handed_in()
    for raw in cells:
        del raw["id"]
        if raw["cell_type"] == "code":
            raw["input"] = [line + "\n" for line in raw.pop("source").split("\n")]
    repaired = mended(None, nbformat=3, worksheets=[{"cells": cells}])
    assert sources(repaired)["f"].strip() == "def f(x): return 1 + x"
    assert repaired.repairs == ()


@pytest.mark.parametrize(
    "junk",
    [
        [None, 1, [], {}, {"cell_type": []}],
        [{"cell_type": "code", "metadata": 3, "source": {"a": 1}, "id": 7}],
        [{"cell_type": "code", "metadata": {"nbgrader": {"grade_id": ["f"]}}, "source": [1, "a"]}],
        [{"cell_type": "code", "metadata": {"nbgrader": {"grade_id": "unheard of", "grade": True}}}],
    ],
)
def test_what_is_no_cell_of_ours_changes_nothing(junk):
    """Bytes of a student's are valid JSON at best."""
    kept = [p for p in mended([*handed_in(), *junk]).pieces if p.original]
    assert [piece.id for piece in kept] == [raw["id"] for raw in instructors()]


def twins():
    """Return an instructor's notebook in which all is there that may look as if it had been changed."""
    return [
        cell("", ""),
        cell("", ""),
        cell("", "# Text", "markdown"),
        cell("", "# Text", "markdown"),
        cell("", "x = 1\n### END SOLUTION"),
        cell("f", "### BEGIN SOLUTION\ny = 1  \n### END SOLUTION\n### END SOLUTION\nz = 2  ", solution=True),
        cell("t", "assert y\n### BEGIN HIDDEN TESTS\n1\n### END HIDDEN TESTS\n\n", grade=True, points="2"),
        cell("task", "Do.\n### BEGIN MARK SCHEME\n1\n### END MARK SCHEME", "markdown", task=True, points=1),
        cell("nobodys", "x = 3", locked=False),
        cell("l", "a = 1\r\nb = 2", locked=True),
        cell("", ""),
    ]


def saved(cells, program):
    """Return cells as released and saved by a program."""
    notebook = parse({"nbformat": 4, "cells": twins()}, Path("a.ipynb"))
    for number, (raw, original) in enumerate(zip(cells, notebook.cells, strict=True)):
        raw["source"] = released(original)
        raw["metadata"] |= {"deletable": False, "editable": False}
        match program:
            case "colab":
                raw["metadata"]["id"] = f"x{number}"
                del raw["id"]
            case "vscode":
                raw["id"] = f"{number:08x}"
                raw["metadata"]["vscode"] = {"languageId": "python"}
                raw["source"] = "\r\n".join(line.rstrip() for line in raw["source"].splitlines())
            case "jupyterlab":
                raw["metadata"]["trusted"] = True
                raw["source"] = raw["source"].splitlines(keepends=True)
    return cells


@pytest.mark.parametrize("program", ["nobody", "jupyterlab", "vscode", "colab"])
def test_nothing_is_said_of_a_notebook_that_nobody_changed(program):
    """Cells without names may be alike, and programs save metadata, ids and ends of lines of their own."""
    notebook = parse({"nbformat": 4, "cells": twins()}, Path("a.ipynb"))
    done = repair(notebook, {"nbformat": 4, "cells": saved(twins(), program)})
    assert done.repairs == ()
    assert [piece.original and piece.original.index for piece in done.pieces] == [*range(len(twins()))]


def test_what_is_nobodys_to_grade_is_the_students_to_change():
    """nbgrader leaves a name in a cell whose kind was taken away, and does not put it back."""
    cells = saved(twins(), "nobody")
    cells[8]["source"] = "x = 4"
    notebook = parse({"nbformat": 4, "cells": twins()}, Path("a.ipynb"))
    done = repair(notebook, {"nbformat": 4, "cells": cells})
    assert (done.pieces[8].source, done.repairs) == ("x = 4", ())


@pytest.mark.parametrize("number", [5, 6, 7, 9])
def test_a_deletion_is_said_all_the_same(number):
    """And of a locked cell, each change of a word."""
    notebook = parse({"nbformat": 4, "cells": twins()}, Path("a.ipynb"))
    cells = saved(twins(), "colab")
    del cells[number]
    assert len(repair(notebook, {"nbformat": 4, "cells": cells}).repairs) == 1


def test_a_flood_of_repairs_is_cut():
    """A notebook of ten thousand copies of a cell would else fill screens, sheets and the top of a page."""
    told = bounded([f"{n}: \x1b[31m\n{'x' * 10_000}" for n in range(1000)])
    assert len(told) == MOST_REPAIRS + 1
    assert all(len(line) <= MOST_OF_A_REPAIR and line.isprintable() for line in told)
    assert told[-1] == "and 960 more"
    assert bounded(["one", "two"]) == ("one", "two")


def with_pictures(**attachments):
    """Return the pieces of a notebook whose texts have pictures, by their ids."""
    shown = "![a](attachment:a.png)"
    cells = [*handed_in(why=shown), cell("own", shown, "markdown")]
    for raw in cells:
        raw["attachments"] = attachments.get(raw["id"])
    repaired = mended(cells)
    return {piece.id: piece.attachments for piece in repaired.pieces}, repaired.repairs


def test_texts_of_a_students_keep_their_pictures():
    """A written answer may be a drawing; without it there is nothing to give points for."""
    picture = {"a.png": {"image/png": "iVBORw0KGgo="}}
    pieces, repairs = with_pictures(why=picture, own=picture, intro=picture, f=picture)
    assert {id_ for id_, kept in pieces.items() if kept} == {"why", "own"}
    assert pieces["why"] == picture
    assert repairs == ()


def test_a_picture_that_is_missing_is_told():
    """The answer counts, and whoever reads it knows that something was there."""
    pieces, repairs = with_pictures()
    assert pieces["why"] == {"a.png": {"image/png": ""}}
    assert repairs == (
        "why: the picture 'a.png' is missing",
        "a cell of the student's own: the picture 'a.png' is missing",
    )
