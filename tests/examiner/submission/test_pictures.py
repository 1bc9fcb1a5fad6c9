"""A written answer keeps its pictures; of one that cannot be shown is said why, and nothing fails."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examiner.notebook import MOST_OF_A_PICTURE, attached, raster_type
from examiner.submission.pictures import BROKEN, MOST_ATTACHED, MOST_TOLD, Album, shown

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0", b"GIF89a\x01\x00", b"RIFF\x04\x00\x00\x00WEBPVP8 "
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
FILES = {
    "plot.png": PNG,
    "figures/plot 1.png": PNG,
    "drawing.svg": SVG,
    "page.png": b"<script>alert(1)</script>",
    "empty.png": b"",
    "huge.png": PNG + bytes(MOST_OF_A_PICTURE),
    "huge.svg": SVG + b" " * MOST_OF_A_PICTURE,
}


def coded(content):
    """Return bytes as a notebook has them."""
    return base64.b64encode(content).decode()


def kept(source, attachments=None):
    """Return what is kept of a cell, and what is said of it."""
    return Album(FILES).keep("why", source, {"attachments": attachments})


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PNG, "png"), (JPEG, "jpeg"), (GIF, "gif"), (b"GIF87a", "gif"), (WEBP, "webp")],
    ids=["png", "jpeg", "gif", "old gif", "webp"],
)
@pytest.mark.parametrize("claimed", ["image/png", "image/jpeg", "text/html", "image/svg+xml", "", "x"])
def test_a_picture_is_kept_by_what_it_is(content, kind, claimed):
    """Its MIME type is the student's word."""
    found, said = kept("![a](attachment:a)", {"a": {claimed: coded(content)}})
    assert found == {"a": {f"image/{kind}": coded(content)}}
    assert said == []


@pytest.mark.parametrize("content", [SVG, b"", b"<html>", b"%PDF-1.7", b"BM6", b" " + PNG, b"RIFF1234WAVE"])
def test_what_is_no_picture_is_broken_and_told(content):
    """Among it what a browser could run."""
    found, said = kept("![a](attachment:a)", {"a": {"image/png": coded(content)}})
    assert found == {"a": BROKEN}
    assert said == ["why: the picture 'a' is not shown: it is no PNG, JPEG, GIF or WebP"]


@pytest.mark.parametrize(
    "attachments",
    [
        *(
            None,
            [],
            "a",
            1,
            {},
            {"b": {"image/png": coded(PNG)}},
            {"a": None},
            {"a": []},
            {"a": "x"},
            {"a": {}},
        ),
        *(
            {"a": {"image/png": value}}
            for value in (None, 1, {}, "no base64!", "iVBO", [None], [["x"]], "\ud800")
        ),
        {"a": {"image/png": None, "image/jpeg": [1]}},
    ],
    ids=repr,
)
def test_whatever_is_attached_nothing_fails(attachments):
    """nbconvert makes no page where the attachment, its types or its content are missing."""
    found, said = kept("![a](attachment:a)", attachments)
    assert found == {"a": BROKEN}
    assert len(said) == 1
    assert said[0].startswith("why: the picture 'a' is ")


def test_of_several_types_the_picture_is_kept():
    """JupyterLab attaches one; other programs attach a drawing with it."""
    bundle = {"image/svg+xml": coded(SVG), "text/plain": "x", "image/png": coded(PNG)}
    assert kept("![a](attachment:a)", {"a": bundle}) == ({"a": {"image/png": coded(PNG)}}, [])


def test_the_lines_of_a_picture_are_one():
    """nbformat allows a list of lines, and other programs break them."""
    text = coded(PNG)
    assert kept("![a](attachment:a)", {"a": {"image/png": [text[:20] + "\n", text[20:]]}}) == (
        {"a": {"image/png": text}},
        [],
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a b.png", "![x](attachment:a%20b.png)"),
        ("a b.png", "![x](<attachment:a b.png>)"),
        ("a%20b.png", "![x](attachment:a%20b.png)"),
        ("Ü(1).png", "![x](attachment:Ü(1).png)"),
        ("Ü(1).png", "![x](attachment:%C3%9C(1).png 'title')"),
        ("a.png", "![x][y]\n\n[y]: attachment:a.png"),
        ("a.png", "<img alt='x' src='attachment:a.png'>"),
        ("a&b.png", '<IMG SRC="attachment:a&amp;b.png">'),
        ("a.png", "<img src=attachment:a.png width=20>"),
        ("a.png", "[![x](attachment:a.png)](http://example.org)"),
    ],
)
def test_a_name_may_have_odd_characters(name, written):
    """The address in the text and the name in the notebook are spelled by different programs."""
    found, said = kept(written, {name: {"image/png": coded(PNG)}})
    assert said == []
    assert [bundle for bundle in found.values() if bundle != BROKEN] == [{"image/png": coded(PNG)}]
    assert attached({"attachments": found}, next(iter(found))) == PNG


def test_what_is_not_shown_is_not_kept():
    """JupyterLab leaves a picture behind that was deleted from the text; nobody asked for it."""
    assert kept("words", {"a": {"image/png": "broken"}}) == ({}, [])


@pytest.mark.parametrize(
    "source", ["`![a](attachment:a)`", "```\n![a](attachment:a)\n```", "~~~\n![a](x.png)"]
)
def test_what_is_quoted_as_code_shows_nothing(source):
    """An answer may explain how a picture is shown."""
    assert list(shown(source)) == []


@pytest.mark.parametrize(
    ("address", "fact"),
    [
        ("plot.png", ""),
        ("./plot.png", ""),
        ("figures/plot%201.png", ""),
        ("drawing.svg", ""),
        ("data:image/png;base64,AAAA", ""),
        ("no.png", "is missing"),
        ("", ""),
        ("../../roster.csv", "outside"),
        ("..%2f..%2froster.csv", "outside"),
        ("/etc/passwd", "outside"),
        ("figures/../plot.png", "outside"),
        ("page.png", "no PNG"),
        ("empty.png", "no PNG"),
        ("huge.png", "larger than 4 MB"),
        ("huge.svg", "larger than 4 MB"),
        ("http://example.org/x.png", "nothing is loaded"),
        ("//example.org/x.png", "nothing is loaded"),
        ("file:///etc/passwd", "nothing is loaded"),
        ("javascript:alert(1)", "nothing is loaded"),
    ],
)
def test_a_picture_by_its_path_lies_beside_the_notebook(address, fact):
    """The page takes it from there; nothing outside of the submission is looked at."""
    found, said = kept(f"![a]({address})")
    assert found == {}
    assert len(said) == bool(fact)
    assert all(fact in sentence for sentence in said)


def test_pictures_are_bounded_each_and_together():
    """A page with more would open in no browser."""
    assert kept("![a](attachment:a)", {"a": {"image/png": coded(FILES["huge.png"])}})[0] == {"a": BROKEN}
    album, large = Album({}), coded(PNG + bytes(MOST_OF_A_PICTURE - len(PNG)))
    found = [
        album.keep(str(n), "![a](attachment:a)", {"attachments": {"a": {"image/png": large}}})
        for n in range(4)
    ]
    kept_ones = [bundles for bundles, said in found if not said]
    assert len(kept_ones) == MOST_ATTACHED // MOST_OF_A_PICTURE
    assert "more than 8 MB" in found[-1][1][0]


def test_sentences_are_few_short_and_harmless():
    """They are printed, and shown at the top of the page."""
    album = Album({})
    said = [
        text
        for n in range(99)
        for text in album.keep("why", f"![a](attachment:{n}\x1b[2J{'x' * 400})", {})[1]
    ]
    assert len(said) == MOST_TOLD
    assert max(map(len, said)) < 120
    assert all(text.isprintable() for text in said)
    assert Album({}).keep("why", "![a](b.png) ![a](b.png)", {})[1] == ["why: the picture 'b.png' is missing"]


@pytest.mark.parametrize(
    "text", ["![", "![a](", "<img ", "<img src=", "`", "```\n", "[a]: ", "![a](<", "![a](x("]
)
def test_looking_for_pictures_takes_no_long_time(text):
    """A text of many beginnings is looked through once; by the square of its length it would take an hour."""
    assert len(kept(text * (1 << 20))[1]) <= MOST_TOLD


@given(st.text(string.printable), st.text("![]()<>`\n\"'=: attachmentimgsrc", max_size=60))
def test_any_text_is_looked_through(name, source):
    """Whatever is written, there is an answer."""
    found, _ = kept(source, {name: {"image/png": coded(PNG)}})
    assert all(raster_type(attached({"attachments": found}, key) or PNG) for key in found)
