"""The notebooks of an assignment are found in what was handed in, whatever they are called there."""

import json
import unicodedata

import pytest

from examiner.errors import StudentFault
from examiner.submission.intake import read, submissions
from examiner.submission.notebooks import find_notebooks, require_some


def marked(name, source, **marks):
    """Return a cell of nbgrader's."""
    entries = {
        "grade_id": name,
        "grade": False,
        "solution": False,
        "locked": False,
        "schema_version": 3,
    } | marks
    return {"cell_type": "code", "id": name, "metadata": {"nbgrader": entries}, "source": source}


def notebook(function, answer="return 1", *, plain=False):
    """Return a notebook; `plain` ones have lost all of nbgrader's metadata."""
    cells = [
        marked(
            "sol",
            f"def {function}():\n    ### BEGIN SOLUTION\n    {answer}\n    ### END SOLUTION",
            solution=True,
        ),
        marked("test", f"assert {function}() == 1", grade=True, locked=True, points=1),
    ]
    for cell in cells if plain else ():
        del cell["metadata"], cell["id"]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def handed(function, answer="return 1", *, plain=False):
    """Return such a notebook as a student hands it in."""
    document = json.loads(notebook(function, answer, plain=plain))
    for cell in document["cells"]:
        cell["source"] = "\n".join(line for line in cell["source"].split("\n") if "###" not in line)
    return json.dumps(document).encode()


BLANK = handed("f", "# YOUR CODE HERE\n    raise NotImplementedError()")
ACCENT = unicodedata.normalize("NFC", "Übung")
PAIR = {"part 1": notebook("f"), ACCENT: notebook("g")}
ONE, TWO = handed("f"), handed("g")

RENAMED = [
    "part 1 (1).ipynb",
    "Copy of part 1.ipynb",
    "part 1-Copy1.ipynb",
    "Part 1.IPYNB",
    "part_1_student01.ipynb",
    "solutions/part 1.ipynb",
    "part 1.ipynb.txt",
    "part 1.ipynb.json",
    "part 1.json",
    "quite another name.ipynb",
]


@pytest.mark.parametrize("name", RENAMED)
@pytest.mark.parametrize("plain", [False, True])
def test_a_renamed_notebook_is_known_by_what_is_in_it(name, plain):
    """Also without metadata, also as the only notebook of an assignment; the page says what was done."""
    one = handed("f", plain=plain)
    found = find_notebooks(PAIR, {name: one, f"{ACCENT}.ipynb": TWO, "data.csv": b"1"})
    assert found.paths == {"part 1": name, ACCENT: f"{ACCENT}.ipynb"}
    assert found.repairs("part 1") == (
        f"part 1.ipynb: it was handed in as {name!r}; it was recognised by what is in it",
    )
    assert found.repairs(ACCENT) == ()
    assert find_notebooks({"part 1": PAIR["part 1"]}, {name: one}).paths == {"part 1": name}


def test_another_form_of_a_letter_is_the_same_name():
    """Some systems store `ü` as two characters; nothing is said of it."""
    name = unicodedata.normalize("NFD", f"{ACCENT}.ipynb")
    found = find_notebooks(PAIR, {"part 1.ipynb": ONE, name: TWO})
    assert found.paths[ACCENT] == name
    assert found.repairs(ACCENT) == ()


def test_both_renamed_or_exchanged_are_told_apart():
    """What is in a notebook says more than what is on it."""
    for one, two in (
        ("a.ipynb", "b.ipynb"),
        (f"{ACCENT}.ipynb", "part 1.ipynb"),
        ("b.ipynb", "part 1.ipynb"),
    ):
        assert find_notebooks(PAIR, {one: ONE, two: TWO}).paths == {"part 1": one, ACCENT: two}


def test_a_copy_beside_the_notebook_is_only_a_copy():
    """What has the right name counts, as in nbgrader."""
    found = find_notebooks(
        PAIR, {"part 1.ipynb": ONE, "part 1-Copy1.ipynb": handed("f", "return 2"), f"{ACCENT}.ipynb": TWO}
    )
    assert found.paths["part 1"] == "part 1.ipynb"


def test_an_answered_copy_wins_over_a_notebook_without_an_answer():
    """Somebody has worked in the copy, and handed in both; of two such copies, a person says which."""
    original = {"part 1": PAIR["part 1"]}
    files = {"part 1.ipynb": BLANK, "part 1-Copy1.ipynb": ONE}
    assert find_notebooks(original, files).paths == {"part 1": "part 1-Copy1.ipynb"}
    assert find_notebooks(original, files | {"b.ipynb": BLANK}).paths == {"part 1": "part 1-Copy1.ipynb"}
    assert find_notebooks(original, {"part 1.ipynb": BLANK, "b.ipynb": BLANK}).paths == {
        "part 1": "part 1.ipynb"
    }
    assert find_notebooks(original, {"part 1.ipynb": b"{", "b.ipynb": ONE}).paths == {
        "part 1": "part 1.ipynb"
    }
    two = find_notebooks(original, files | {"c.ipynb": handed("f", "return 2")})
    assert (two.paths, two.unsure) == ({}, {"part 1": ("c.ipynb", "part 1-Copy1.ipynb")})


def test_of_two_for_one_nobody_guesses():
    """A person has to say which; the other notebook is found all the same."""
    files = {"a.ipynb": ONE, "b.ipynb": handed("f", "return 2"), f"{ACCENT}.ipynb": TWO}
    found = find_notebooks(PAIR, files)
    assert found.paths == {ACCENT: f"{ACCENT}.ipynb"}
    assert found.unsure == {"part 1": ("a.ipynb", "b.ipynb")}


def test_of_two_for_one_the_same_one_or_an_answered_one_is_sure():
    """A download that was repeated, or the release beside it, leaves nothing to guess."""
    for other in (ONE, BLANK):
        assert find_notebooks({"part 1": PAIR["part 1"]}, {"a.ipynb": ONE, "b.ipynb": other}).paths == {
            "part 1": "a.ipynb"
        }


def test_a_file_that_holds_both_is_neither_for_sure():
    """Somebody has copied everything into one; a person looks."""
    both = json.loads(ONE)
    both["cells"] += json.loads(TWO)["cells"]
    found = find_notebooks(PAIR, {"all.ipynb": json.dumps(both).encode()})
    assert not found.paths
    assert found.unsure == {"part 1": ("all.ipynb",), ACCENT: ("all.ipynb",)}


def test_another_assignments_notebook_is_not_taken():
    """Its cells may have the same names; what they say is something else."""
    found = find_notebooks({"part 1": PAIR["part 1"]}, {"other.ipynb": handed("h")})
    assert not found.paths
    assert found.unsure == {"part 1": ("other.ipynb",)}


def test_a_file_with_the_right_name_is_read_whatever_is_in_it():
    """If nothing is known in it, it is the notebook all the same: a broken one is told, not passed over."""
    assert find_notebooks(PAIR, {"part 1.ipynb": b"{", f"{ACCENT}.ipynb": TWO}).paths.keys() == PAIR.keys()


@pytest.mark.parametrize(
    "content", [b"{", b"cell_type", b'{"cells": 3, "cell_type": 1}', b'{"cells": ["cell_type"]}']
)
def test_what_is_no_notebook_is_nobodys(content):
    """And ends nothing."""
    found = find_notebooks(PAIR, {"junk.ipynb": content, f"{ACCENT}.ipynb": TWO})
    assert found.paths == {ACCENT: f"{ACCENT}.ipynb"}


def test_a_missing_notebook_names_those_that_are_there(small):
    """The commonest mistake of all is a renamed file; what is not recognised is named."""
    path = small.hand_in("anna")
    path.rename(path.with_name("double (1).ipynb"))
    path.with_name("double (1).ipynb").write_bytes(handed("nothing"))
    [submission] = submissions(small.course)
    files = read(submission.folder)
    originals = {"double": small.source("01_double").read_bytes()}
    with pytest.raises(StudentFault, match=r"double\.ipynb: it is missing \(there is double \(1\)\.ipynb\)"):
        require_some(submission, originals, files)


def test_names_of_files_are_named_in_printable_characters(small):
    """A terminal would obey what a student wrote into the name of a file."""
    name = "\x1b[2Jdouble.ipynb"
    path = small.hand_in("anna")
    originals = {"double": small.source("01_double").read_bytes()}
    [sentence] = find_notebooks(originals, {name: path.read_bytes()}).repairs("double")
    assert sentence.isprintable()
    path.rename(path.with_name(name)).write_bytes(handed("nothing"))
    [submission] = submissions(small.course)
    with pytest.raises(StudentFault, match="there is") as refused:
        require_some(submission, originals, read(submission.folder))
    assert str(refused.value).isprintable()


def test_a_sound_submission_passes(small):
    """No error means no objection."""
    small.hand_in("anna")
    [submission] = submissions(small.course)
    originals = {"double": small.source("01_double").read_bytes()}
    require_some(submission, originals, read(submission.folder))
