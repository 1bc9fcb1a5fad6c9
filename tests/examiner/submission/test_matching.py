"""An answer is found wherever it stands, and nothing that is put back undoes it."""

import re
from pathlib import Path

import pytest

from examiner.notebook import parse, visible
from examiner.submission.repair import repair, unanswered

STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
BLANK_F = "def f(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"


def cell(name, source, kind="code", **marks):
    """Return a raw cell; with marks, one of nbgrader's."""
    entries = {"grade": False, "solution": False, "locked": False, "schema_version": 3} | marks
    metadata = {"nbgrader": entries | {"grade_id": name}} if marks else {}
    return {"cell_type": kind, "id": f"id-{name}", "metadata": metadata, "source": source}


def hidden(line, indent=""):
    """Return lines that only the instructor has."""
    return f"{indent}### BEGIN SOLUTION\n{line}\n{indent}### END SOLUTION"


CELLS = [
    cell("intro", "# Two functions", "markdown"),
    cell("imports", "import math\nimport random\nDATA = [1, 2, 3]", locked=True),
    cell("f", "def f(x):\n" + hidden("    return x + 1", "    "), solution=True),
    cell("test_f", "assert f(1) == 2\nassert f(2) == 3", grade=True, locked=True, points=2),
    cell("gh", "A = 5  # given\n" + hidden("def g():\n    return A\ndef h():\n    return 3"), solution=True),
    cell("test_g", "assert g() == 5", grade=True, locked=True, points=1),
    cell("test_h", "assert h() == 3", grade=True, locked=True, points=1),
    cell("x", hidden("x = 1"), solution=True),
    cell("test_x", "assert x == 1", grade=True, locked=True, points=1),
    cell("why", hidden("Because."), "markdown", grade=True, solution=True, points=1),
]
NAMES = [raw["id"].removeprefix("id-") for raw in CELLS]
ANSWERS = {
    "f": "def f(x): return 1 + x",
    "gh": "A = 5\ndef g(): return A\ndef h(): return 3",
    "x": "x = 2 - 1",
    "why": "So.",
}


def handed_in(**sources):
    """Return the cells of a student who has answered everything, and changed nothing else."""
    texts = ANSWERS | sources
    return [
        raw | {"source": texts.get(name, visible(raw["source"]))}
        for name, raw in zip(NAMES, CELLS, strict=True)
    ]


def bare(raw, **changes):
    """Return a cell as a program leaves it that knows neither nbgrader nor ids."""
    return {"cell_type": raw["cell_type"], "metadata": {}, "source": raw["source"]} | changes


def own(source, kind="code"):
    """Return a cell of the student's own."""
    return {"cell_type": kind, "metadata": {}, "source": source}


def mended(cells):
    """Return what is run of a student's cells."""
    return repair(parse({"nbformat": 4, "cells": CELLS}, Path("a.ipynb")), {"nbformat": 4, "cells": cells})


def seen(repaired):
    """Return which tests pass if the notebook is run from top to bottom."""
    names, found = {}, {}
    for piece in repaired.pieces:
        if piece.is_autograded:
            found[piece.original.grade_id] = passes(piece.source, dict(names))
        elif piece.is_code:
            passes(piece.source, names)
    return found


def passes(source, names):
    """Whether a cell comes to its end with these names."""
    try:
        exec(source, names)
    except Exception:  # noqa: BLE001 - whatever it is, the cell has failed, and the notebook goes on
        return False
    return True


EVERYTHING = dict.fromkeys(("test_f", "test_g", "test_h", "test_x"), True)


def with_f(*changed, at=2):
    """Return the notebook without the cell `f`, with these cells where it was, or elsewhere."""
    cells = handed_in()
    del cells[2]
    cells[at:at] = changed
    return cells


F = ANSWERS["f"]
IN_ANOTHER_CELL = {
    "its metadata are lost": with_f(own(F)),
    "pasted above everything": with_f(own(F), at=0),
    "pasted below a test": with_f(own(F), at=6),
    "pasted at the end": with_f(own(F), at=9),
    "pasted into a text": with_f(own(F, "markdown"), at=2),
    "of no known kind": with_f(own(F, None)),
    "beside the stub, above it": with_f(own(F), CELLS[2] | {"source": BLANK_F}),
    "beside the stub, at the top": [
        own(F),
        *handed_in(f=BLANK_F),
    ],
    "its own cell says where it is": with_f(CELLS[2] | {"source": "# see below\npass"}, own(F)),
    "its own cell says nothing, behind the test": [*handed_in(f="# below"), own(F)],
    "tried before": with_f(own("def f(x): return 7"), own(F)),
    "tried before, further up": with_f(own("def f(x): return 7"), own(F), at=1),
    "tried once more at the end": [*with_f(own(F)), own("def f(x): return 7")],
    "in two parts": with_f(own("from operator import add"), own("def f(x): return add(x, 1)")),
    "under an id that is another's": with_f(own(F) | {"id": "id-x"}),
    "under a grade_id that nobody knows": with_f(
        CELLS[2] | {"source": F, "id": "a", "metadata": {"nbgrader": {"grade_id": "F-2"}}}
    ),
    "twice, the second as released": with_f(
        CELLS[2] | {"source": F},
        CELLS[2] | {"source": BLANK_F},
    ),
    "twice, the second empty": with_f(CELLS[2] | {"source": F}, CELLS[2] | {"source": " "}),
    "twice, a bare copy of the release below": with_f(CELLS[2] | {"source": F}, own(BLANK_F)),
    "merged with the cell above": [
        raw | {"source": raw["source"] + "\n\n" + F} if raw["id"] == "id-imports" else raw for raw in with_f()
    ],
    "merged with the test below": [
        raw | {"source": F + "\n\n" + raw["source"]} if raw["id"] == "id-test_f" else raw for raw in with_f()
    ],
    "merged with a later answer": [
        raw | {"source": F + "\n\n" + raw["source"]} if raw["id"] == "id-gh" else raw for raw in with_f()
    ],
}


@pytest.mark.parametrize("how", IN_ANOTHER_CELL)
def test_an_answer_counts_wherever_it_stands(how):
    """A stub that is put back below it would bind the name again."""
    repaired = mended(IN_ANOTHER_CELL[how])
    assert seen(repaired) == EVERYTHING
    assert "f" not in unanswered(repaired.pieces)
    assert repaired.repairs
    assert not repaired.doubtful


def test_an_answer_that_was_merged_into_an_earlier_one_is_not_undone():
    """The stub of the later cell stays out."""
    cells = handed_in(f=f"{F}\n\n{ANSWERS['gh']}")
    del cells[4]
    repaired = mended(cells)
    assert seen(repaired) == EVERYTHING
    assert "gh: it was merged with f; its answer was taken from there" in repaired.repairs
    [piece] = [piece for piece in repaired.pieces if piece.original and piece.original.grade_id == "gh"]
    assert piece.source == "# The answer stands in the cell f, with which it was merged."
    assert unanswered(repaired.pieces) == ()


@pytest.mark.parametrize("merge", ["{f}\n\n{test}", "{test}\n{f}"])
def test_an_answer_into_which_a_test_was_merged_is_parted_from_it(merge):
    """Where the test fails, the answer would not be run; it is put back in its own place anyway."""
    failing = "assert missing_name"
    notebook = [raw | {"source": failing} if raw["id"] == "id-test_f" else raw for raw in CELLS]
    cells = handed_in()
    cells[2:4] = [cells[2] | {"source": merge.format(f=F, test=failing)}]
    repaired = repair(
        parse({"nbformat": 4, "cells": notebook}, Path("a.ipynb")), {"nbformat": 4, "cells": cells}
    )
    assert [piece.source for piece in repaired.pieces if piece.id == "id-f"] == [F]
    assert "f: it was merged with test_f; they are parted" in repaired.repairs


@pytest.mark.parametrize("merge", ["{answer}\n\n{test}", "{test}\n{answer}"])
def test_an_answer_that_binds_nothing_is_found_in_the_test_that_it_was_merged_with(merge):
    """What stands around the whole text of a locked cell is not the instructor's."""
    cells = handed_in()
    answer = "globals()['x'] = 1"
    cells[7:9] = [cells[8] | {"source": merge.format(answer=answer, test=cells[8]["source"])}]
    repaired = mended(cells)
    assert seen(repaired) == EVERYTHING
    assert [piece.source for piece in repaired.pieces if piece.id == "id-x"] == [answer]


def test_of_an_answer_in_two_cells_both_count():
    """Its names may be defined one by one."""
    cells = handed_in()
    cells[4:5] = [own("A = 5\ndef g(): return A"), own("def h(): return 3")]
    assert seen(mended(cells)) == EVERYTHING


@pytest.mark.parametrize("lost", [("metadata",), ("metadata", "id"), ("metadata", "id", "cell_type")])
def test_a_notebook_that_lost_everything_but_its_texts_is_known(lost):
    """Other programs than Jupyter save them so."""
    cells = [{key: value for key, value in raw.items() if key not in lost} for raw in handed_in()]
    repaired = mended(cells)
    assert [piece.original and piece.original.grade_id for piece in repaired.pieces] == [
        raw["metadata"].get("nbgrader", {}).get("grade_id", "") for raw in CELLS
    ]
    assert seen(repaired) == EVERYTHING
    assert repaired.pieces[-1].source == "So."
    assert unanswered(repaired.pieces) == ()


def test_ids_that_count_cells_are_no_names():
    """A program has numbered them anew after one was put in; each text says which it is."""
    counted = [raw | {"id": f"id-{name}"} for raw, name in zip(CELLS, NAMES, strict=True)]
    cells = [bare(raw) for raw in handed_in()]
    cells.insert(1, own("print('mine')"))
    for raw, name in zip(cells, [*NAMES, "rest"], strict=True):
        raw["id"] = f"id-{name}"
    repaired = repair(
        parse({"nbformat": 4, "cells": counted}, Path("a.ipynb")), {"nbformat": 4, "cells": cells}
    )
    assert seen(repaired) == EVERYTHING
    assert unanswered(repaired.pieces) == ()


def test_changed_copies_of_tests_are_known_by_most_of_their_text():
    """So that the answers between them are known by their places."""
    cells = [bare(raw) for raw in handed_in()]
    cells[3]["source"] += "\nprint('done')"
    repaired = mended(cells)
    assert "test_f: its name was lost; it was recognised by most of its text" in repaired.repairs
    assert "test_f: its text was changed; put back" in repaired.repairs
    assert seen(repaired) == EVERYTHING


def test_a_moved_test_takes_no_cell_of_the_students_with_it():
    """What stood below it may be what an answer needs."""
    cells = handed_in(f="def f(x): return x + one")
    cells.insert(0, own("one = 1"))
    cells.insert(0, cells.pop(9))
    assert seen(mended(cells)) == EVERYTHING


def test_what_a_student_defines_again_stays_behind_the_answer_that_it_replaces():
    """Also where that was moved: the order in which names are bound is the student's."""
    cells = handed_in(f="def f(x): return 7")
    cells.insert(0, cells.pop(2))
    cells.insert(1, own(F))
    repaired = mended(cells)
    assert seen(repaired) == EVERYTHING
    assert "f: it was moved; put back in its place" in repaired.repairs


def test_an_answer_that_is_deleted_is_as_released():
    """No guess makes work of it that is none."""
    cells = handed_in()
    del cells[2]
    cells.insert(2, own("print('thinking')"))
    repaired = mended(cells)
    assert seen(repaired) == EVERYTHING | {"test_f": False}
    assert "f: it was missing; put back as released" in repaired.repairs
    assert not repaired.doubtful


def test_text_in_a_test_is_taken_for_no_answer_of_another_cell():
    """Only what is lost is looked for."""
    cells = handed_in(f="def f(x): return 7")
    cells[3]["source"] = F + "\n" + cells[3]["source"]
    assert seen(mended(cells)) == EVERYTHING | {"test_f": False}


def test_a_cell_of_the_students_own_without_a_kind_is_told_and_run():
    """It may define what an answer needs."""
    cells = handed_in(f="def f(x): return x + one")
    cells.insert(1, own("one = 1", "sql"))
    repaired = mended(cells)
    assert seen(repaired) == EVERYTHING
    assert repaired.repairs == (
        "1 of the student's own cells had no known kind; what they hold says which it is",
    )
    text = mended([*handed_in(), {"source": "no code at all", "cell_type": None}])
    assert text.pieces[-1].kind == "markdown"


def twice():
    """Return an instructor's notebook with two answers of the same name, which are tested one by one."""
    return [
        cell("one", hidden("x = 1"), solution=True),
        cell("test_one", "assert x == 1", grade=True, locked=True, points=1),
        cell("two", hidden("x = 2"), solution=True),
        cell("test_two", "assert x == 2", grade=True, locked=True, points=1),
    ]


def test_an_answer_that_may_be_of_two_cells_leaves_a_doubt():
    """Where it stands below both tests, nobody can say which it was; a person looks."""
    tests = [raw for raw in twice() if raw["id"].startswith("id-test")]
    notebook = parse({"nbformat": 4, "cells": twice()}, Path("a.ipynb"))
    assert len(repair(notebook, {"nbformat": 4, "cells": [*tests, own("x = 2")]}).doubtful) == 1


def test_what_was_given_is_not_what_is_asked():
    """An answer is known by what was left open, also where it is pasted without the lines around it."""
    cells = handed_in()
    cells[4:5] = [own("def g(): return 5\ndef h(): return 3")]
    assert seen(mended(cells)) == EVERYTHING
    assert unanswered(mended(cells).pieces) == ()


def test_of_two_written_answers_the_one_that_says_something_counts():
    """The other one is as released, or empty."""
    for blank in ("YOUR ANSWER HERE", " "):
        cells = handed_in()
        cells.append(cells[-1] | {"source": blank})
        assert [piece.source for piece in mended(cells).pieces if piece.id == "id-why"] == ["So."]


def test_a_name_in_another_form_is_the_same_name():
    """A blank too many, or the accent as a character of its own; nothing is said of it."""
    cells = handed_in()
    for raw in cells:
        marks = raw["metadata"].get("nbgrader")
        raw["metadata"] = {"nbgrader": marks | {"grade_id": f" {marks['grade_id']}\n"}} if marks else {}
        del raw["id"]
    assert mended(cells).repairs == ()


def test_of_answers_with_the_same_name_each_is_known_by_its_place():
    """The tests between them are known."""
    notebook = parse({"nbformat": 4, "cells": twice()}, Path("a.ipynb"))
    cells = [bare(raw) for raw in twice()]
    cells[0]["source"], cells[2]["source"] = "x = 1", "x = 2"
    for chosen in ([0, 1, 2, 3], [0, 2], [0, 1, 3, 2]):
        done = repair(notebook, {"nbformat": 4, "cells": [cells[n] for n in chosen]})
        assert [piece.source for piece in done.pieces if piece.original.is_solution] == ["x = 1", "x = 2"]
    alone = repair(notebook, {"nbformat": 4, "cells": [cells[1], cells[2], cells[3]]})
    assert [piece.source for piece in alone.pieces][2] == "x = 2"
    assert alone.pieces[0].source == STUB
    assert not alone.doubtful


def test_a_written_answer_that_may_be_there_is_never_no_answer():
    """A person grades it anyway; without a word it would be 0 for no response."""
    cells = handed_in()[:-1]
    assert "why" in unanswered(mended(cells).pieces)
    found = mended([*cells, own("Because I say so.", "markdown")])
    assert found.pieces[-1].source == "Because I say so."
    moved = mended([own("Because I say so.", "markdown"), *cells])
    assert "why" in moved.doubtful
    assert "why" not in unanswered(moved.pieces)
    assert re.search("its answer may stand in another", moved.pieces[-1].source)
