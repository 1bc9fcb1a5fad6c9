"""What nbgrader's metadata and markers mean, said once."""

import json

import pytest

from examiner.errors import BadSource, UnreadableNotebook
from examiner.model import Markers
from examiner.notebook import (
    STUB,
    TEXT_STUB,
    Notebook,
    Region,
    blank,
    check_source,
    hidden,
    hidden_regions,
    load,
    load_source,
    parse,
    read,
    released,
    visible,
)

OWN = Markers(
    solution=("ANSWER[", "]ANSWER"),
    hidden=("SECRET", "END SECRET"),
    scheme=("<key>", "</key>"),
    code_stubs=(("python", "...  # yours"),),
    text_stub="Write.",
)
TESTS = "import numpy\nassert f(1)\n### BEGIN HIDDEN TESTS\nassert f(2)\n### END HIDDEN TESTS\nassert f(3)"


def raw(source, grade_id="", kind="code", **marks):
    """Return one cell as a notebook file holds it."""
    metadata = {"nbgrader": {"grade_id": grade_id, **marks}} if grade_id else {}
    return {"cell_type": kind, "id": "x", "metadata": metadata, "source": source}


@pytest.fixture
def notebook(tmp_path):
    """Return a function that writes cells to a file and reads them."""

    def write(*cells, **fields):
        path = tmp_path / "n.ipynb"
        path.write_text(
            json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells} | fields)
        )
        return read(path)

    return write


def test_cells_carry_what_nbgrader_says_about_them(notebook):
    """Points, kinds and categories are read here and nowhere else."""
    cells = notebook(
        raw("text", kind="markdown"),
        raw(["a = 1\n", "b = 2"], "answer", solution=True),
        raw(TESTS, "gradient_of_f", grade=True, locked=True, points=4),
        raw("essay", "written_why", kind="markdown", grade=True, solution=True, points=10),
    ).cells
    assert [c.is_autograded for c in cells] == [False, False, True, False]
    assert [c.points for c in cells] == [0, 0, 4, 10]
    assert [c.category for c in cells] == ["other", "other", "gradient", "written"]
    assert cells[1].source == "a = 1\nb = 2"


def test_a_cell_is_found_by_its_grade_id(notebook):
    """Mutants name the cells they edit."""
    found = notebook(raw("x", "answer", solution=True))
    assert found.find("answer").source == "x"
    with pytest.raises(KeyError):
        found.find("question")


def test_hidden_and_visible_parts_split_at_the_markers():
    """The hidden part keeps its line numbers, so that a line number in an error finds it."""
    assert hidden_regions(TESTS) == (Region(3, 5),)
    assert visible(TESTS) == "import numpy\nassert f(1)\nassert f(3)"
    assert hidden(TESTS).split("\n")[3] == "assert f(2)"
    assert not hidden(TESTS).split("\n")[1]


def test_a_released_cell_has_neither_its_solution_nor_its_hidden_tests(notebook):
    """A solution without marks is all solution, also where it is a text."""
    solved = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    cells = notebook(
        raw(solved, "answer", solution=True),
        raw("x = 1", "unmarked", solution=True),
        raw("because", "written_why", kind="markdown", solution=True),
        raw(TESTS, "test", grade=True, locked=True),
    ).cells
    assert [released(cell) for cell in cells] == [blank(solved), STUB, TEXT_STUB, visible(TESTS)]


def test_a_blank_solution_keeps_what_stands_around_it():
    """Signature and docstring stay, the stub is indented as the marker is."""
    source = 'def f(x):\n    """Double."""\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n'
    assert blank(source) == (
        'def f(x):\n    """Double."""\n    # YOUR CODE HERE\n    raise NotImplementedError()\n'
    )


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            [raw("### BEGIN SOLUTION\nx", "a", solution=True)],
            "line 1 says 'BEGIN SOLUTION', but no line after",
        ),
        ([raw("x\n### HASHED AUTOTEST f(1)", "a", grade=True)], "line 2 asks nbgrader to make a test"),
        (
            [raw("### BEGIN SOLUTION\n### BEGIN SOLUTION", "a", solution=True)],
            "inside the region that line 1",
        ),
        (
            [raw("### BEGIN SOLUTION\n### END SOLUTION")],
            "a solution is in a cell that is not a solution cell",
        ),
        ([raw(TESTS, "a", solution=True)], "hidden tests are in a cell that is not a grade cell"),
        ([raw("x", "a", solution=True), raw("y", "a", solution=True)], "cell 1 has the same grade_id"),
    ],
)
def test_a_source_that_cannot_be_released_is_one_clear_sentence(notebook, cells, words):
    """nbgrader says 'no end solution statement found', and not where."""
    with pytest.raises(BadSource, match=r"n\.ipynb, cell \d") as caught:
        check_source(notebook(*cells))
    assert words in str(caught.value)


def test_a_sound_source_passes(notebook):
    """No error means no objection."""
    found = notebook(
        raw("### BEGIN SOLUTION\n### END SOLUTION", "a", solution=True), raw(TESTS, "b", grade=True)
    )
    check_source(found)
    assert isinstance(found, Notebook)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"{}", b'{"nbformat": "4"}'])
def test_a_file_that_is_no_notebook_is_whoevers_fault_the_caller_says(tmp_path, content):
    """The same file is an author's fault in source/ and a student's in submitted/."""
    path = tmp_path / "n.ipynb"
    path.write_bytes(content)
    for fault in (UnreadableNotebook, BadSource):
        with pytest.raises(fault, match=r"n\.ipynb: this is"):
            load(path, fault)


@pytest.mark.parametrize("fields", [{"nbformat": 3}, {"cells": 5}, {"cells": [5]}, {"cells": [{}]}])
def test_an_instructors_notebook_is_of_format_4(notebook, fields):
    """A release is made from it; there is no reason to guess."""
    with pytest.raises(BadSource, match=r"format|cannot be read"):
        notebook(**fields)


def places(value, *at):
    """Yield the way to everything in a JSON document, itself included."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, *at, key)


SOUND = {"nbformat": 4, "nbformat_minor": 5, "cells": [raw(["x\n", "y"], "t", grade=True, points=2)]} | {
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
}


@pytest.mark.parametrize("markers", [Markers(), OWN], ids=["usual", "own"])
@pytest.mark.parametrize("wrong", [None, [], {}, [1], {"a": 1}, 7, "x", True], ids=repr)
@pytest.mark.parametrize("place", [*places(SOUND)], ids=lambda place: "/".join(map(str, place)) or "all")
def test_a_source_of_another_shape_is_read_or_refused_with_its_path(tmp_path, place, wrong, markers):
    """Whatever stands wherever in it: nothing else is raised, and a cell has texts where it should."""
    document = json.loads(json.dumps({"": SOUND}))
    holder = document
    *above, last = ("", *place)
    for key in above:
        holder = holder[key]
    holder[last] = wrong
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(document[""]))
    told, found = "", {"nbformat": 4, "cells": []}
    try:
        found = load_source(path, markers)
    except BadSource as refused:
        told = str(refused)
    assert not told or str(path) in told
    for cell in parse(found, path).cells:
        assert {type(text) for text in (cell.id, cell.kind, cell.source, cell.grade_id)} == {str}
        assert type(cell.points) is float
    assert isinstance(found.get("metadata", {}).get("kernelspec", {}), dict)


@pytest.mark.parametrize(
    ("source", "marks", "left"),
    [
        ("a = 1\n### END SOLUTION\nb = 2", {"locked": True}, "a = 1\nb = 2"),
        ("a = 1\n### END SOLUTION", {"solution": True}, STUB),
        ("### BEGIN SOLUTION\n1\n### END SOLUTION\nx\n### END SOLUTION", {"solution": True}, STUB + "\nx"),
        ("assert a\n### END HIDDEN TESTS\nb", {"grade": True}, "assert a\nb"),
        ("Do.\n### END MARK SCHEME", {"task": True}, "Do."),
        ("Do.\n### BEGIN MARK SCHEME\n1 point\n### END MARK SCHEME", {"task": True}, "Do."),
    ],
)
def test_an_end_without_a_beginning_is_left_out(notebook, source, marks, left):
    """It is accepted, as by nbgrader, whose releases lack the line."""
    found = notebook(raw(source, "a", **marks))
    check_source(found)
    assert released(found.cells[0]) == left


@pytest.mark.parametrize(
    ("language", "stub"), [("R", "# YOUR CODE HERE\nfail()"), ("python", STUB), ("perl", STUB)]
)
def test_the_stub_is_that_of_the_language(notebook, language, stub):
    """nbgrader has one for each that it knows."""
    found = notebook(raw("x", "a", solution=True), metadata={"kernelspec": {"language": language}})
    assert released(found.cells[0]) == stub


def test_a_course_may_have_markers_of_its_own(notebook):
    """No marker is a pattern, one may be part of another, and lines stay where they are."""
    cells = [
        raw("def f():\n    # ANSWER[\n    return 1\n    # ]ANSWER\n", "f", solution=True),
        raw("assert f()\n# SECRET\nassert f() == 1\n# END SECRET", "t", grade=True),
        raw("Because.", "w", kind="markdown", grade=True, solution=True),
    ]
    path = notebook(*cells).path
    document = load_source(path, OWN)
    found = parse(document, path)
    check_source(found)
    assert [released(cell) for cell in found.cells] == [
        "def f():\n    ...  # yours\n",
        "assert f()",
        "Write.",
    ]
    lengths = [len(cell["source"].split("\n")) for cell in cells]
    assert [len(cell.source.split("\n")) for cell in found.cells] == lengths


def test_a_usual_marker_is_no_marker_where_the_course_has_another(notebook):
    """It must not become one behind the author's back."""
    path = notebook(raw("x\n### BEGIN SOLUTION", "a", solution=True)).path
    with pytest.raises(BadSource, match=r"cell 1: '### BEGIN SOLUTION' would be a marker"):
        load_source(path, OWN)
