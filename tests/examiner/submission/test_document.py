"""A notebook is read whatever program has saved it, as long as what is in it is whole."""

import codecs
import json

import pytest

from examiner.errors import UnreadableNotebook
from examiner.submission.document import MOST_CELLS, cells_of, read_document

WHOLE = {"cells": [{"cell_type": "code", "source": "x = 'é'", "metadata": {}}], "nbformat": 4}
TEXT = json.dumps(WHOLE, ensure_ascii=False)

SAVED = {
    "as it should be": TEXT.encode(),
    "a mark of UTF-8": codecs.BOM_UTF8 + TEXT.encode(),
    "two marks": codecs.BOM_UTF8 * 2 + TEXT.encode(),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "Windows-1252": TEXT.encode("cp1252"),
    "something behind the end": TEXT.encode() + b'}],\n "nbformat": 4}',
    "zeros behind the end": TEXT.encode() + bytes(1000),
    "blanks before": b"\n\n  " + TEXT.encode() + b"\r\n",
    "a number of 5,000 digits": TEXT.encode().replace(
        b'"nbformat": 4', b'"nbformat": 4, "n": ' + b"9" * 5000
    ),
}


@pytest.mark.parametrize("how", SAVED)
def test_what_a_program_does_to_a_file_touches_no_answer(how):
    """Editors of one system write what those of another do not expect."""
    [cell] = cells_of(read_document(SAVED[how]), "a.ipynb")
    assert cell.source == "x = 'é'"


def test_line_breaks_within_texts_are_line_breaks():
    """Programs that write JSON by hand forget to escape them."""
    [cell] = cells_of(
        read_document(b'{"cells": [{"cell_type": "code", "source": "a = 1\nb = 2"}]}'), "a.ipynb"
    )
    assert cell.source == "a = 1\nb = 2"


def test_one_byte_that_is_no_utf8_leaves_all_others_as_they_are():
    """A disk or a transfer has changed it; the letters around it are not read in another way for that."""
    content = json.dumps({"cells": [{"cell_type": "code", "source": "a = 'ü'  # ?"}]}, ensure_ascii=False)
    [cell] = cells_of(read_document(content.encode().replace(b"?", b"\xe9")), "a.ipynb")
    assert cell.source == "a = 'ü'  # é"


@pytest.mark.parametrize(
    "content", [b"", b"{", TEXT.encode()[:-20], b"\xff\xfe\x00", b"[" * 100_000, b"<html>"]
)
def test_what_is_destroyed_is_refused_by_one_sentence(content):
    """Nothing is guessed of what is not there."""
    with pytest.raises(ValueError, match="no readable notebook"):
        read_document(content)


@pytest.mark.parametrize("content", [b"[]", b"3", b'"cells"', b"null"])
def test_other_json_is_no_notebook(content):
    """And says so."""
    with pytest.raises(ValueError, match="JSON, but no notebook"):
        read_document(content)


def sources(cells, **document):
    """Return the sources of the cells of a document."""
    return [cell.source for cell in cells_of({"cells": cells, **document}, "a.ipynb")]


def test_sources_are_read_in_whatever_form_they_come():
    """As text, as lines, as lines without their breaks, with a mark before them, or not at all."""
    code = {"cell_type": "code"}
    forms = ["a\nb", ["a\n", "b"], ["a", "b"], "\ufeffa\nb", ["\ufeffa\n", "b"], "\ufeff\ufeffa\nb"]
    assert sources([code | {"source": form} for form in forms]) == ["a\nb"] * len(forms)
    assert sources([code | {"input": "a\nb"}, code, code | {"source": 3}]) == ["a\nb", "", ""]


@pytest.mark.parametrize("kind", ["code", "Code", " CODE ", None, 3, ["code"], "sql"])
def test_a_cell_of_no_known_kind_is_a_cell(kind):
    """It may hold an answer."""
    [cell] = cells_of({"cells": [{"cell_type": kind, "source": "x", "outputs": []}]}, "a.ipynb")
    assert (cell.kind or "unknown") == ("code" if str(kind).strip().lower() == "code" else "unknown")
    assert cell.may_be_code


def test_worksheets_that_are_left_over_hide_no_cells():
    """Some programs leave an empty list of them when they convert a notebook."""
    code = [{"cell_type": "code", "source": "x"}]
    assert sources(code, worksheets=[]) == ["x"]
    assert sources(code, worksheets=None) == ["x"]
    assert sources(None, worksheets=[{"cells": code}, {"cells": code}]) == ["x", "x"]


@pytest.mark.parametrize(
    "document", [{}, {"cells": {}}, {"worksheets": 3}, {"worksheets": [{"cells": None}]}]
)
def test_a_notebook_without_cells_is_refused(document):
    """It is not a submission that scores 0, it is one that cannot be read."""
    with pytest.raises(UnreadableNotebook, match="holds no cells"):
        cells_of(document, "a.ipynb")


def test_a_notebook_of_too_many_cells_is_refused():
    """Nobody writes so many, and each costs time."""
    empty = {"cell_type": "code", "metadata": {}, "source": ""}
    assert len(cells_of({"cells": [empty] * MOST_CELLS}, "a.ipynb")) == MOST_CELLS
    with pytest.raises(UnreadableNotebook, match=f"more than {MOST_CELLS} cells"):
        cells_of({"cells": [empty] * (MOST_CELLS + 1)}, "a.ipynb")
