"""A page of a stranger's notebook runs and loads nothing in a browser, and keeps its pictures."""

import base64
import os
from html import escape
from itertools import product

import pytest
from bs4 import BeautifulSoup
from jinja2.runtime import Context
from nbconvert import HTMLExporter

from examiner.report.page import (
    ATTRIBUTES,
    DEEPEST_HTML,
    MOST_PICTURES,
    TAGS,
    clean_html,
    markdown2html,
    unchanged,
)

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATA = f"data:image/png;base64,{PIXEL}"
ENVIRONMENT = HTMLExporter().environment
BEFORE = ("", " ", "\t", "\n", "\x01", "&#1;", "&Tab;", "\xa0", "\u2028")  # what browsers pass over
REL = 'rel="noopener noreferrer"'


def page_of(source, path="", **attachments):
    """Return the HTML of a Markdown cell with these attachments, in a notebook of this folder."""
    return page_in(source, cell={"attachments": attachments}, resources={"metadata": {"path": str(path)}})


def page_in(source, **names):
    """Return the HTML of Markdown where a template has these names."""
    return markdown2html(Context(ENVIRONMENT, names, "x", {}), source)


def sources(html):
    """Return the addresses of the pictures of a page; None for a broken one."""
    return [picture.get("src") for picture in BeautifulSoup(html, "html.parser").find_all("img")]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<SCRIPT\n>alert(1)</SCRIPT >",
        "<scr<script>x</script>ipt>alert(1)</script>",
        '<img src="x" onerror="alert(1)">',
        "<svg onload=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="data:text/html,<script>alert(1)</script>">x</a>',
        '<img src="data:image/svg+xml;base64,PHN2Zz4=">',
        '<iframe src="https://example.org"></iframe>',
        '<form action="https://example.org"><input name="x"></form>',
        '<meta http-equiv="refresh" content="0;url=https://example.org">',
        '<div style="background:url(javascript:alert(1))">x</div>',
        "<style>body{display:none}</style>",
        "<math><mtext><script>alert(1)</script></mtext></math>",
    ],
)
def test_nothing_that_acts_survives(text):
    """Scripts, handlers, frames, forms and the addresses that hide them."""
    soup = BeautifulSoup(clean_html(text), "html.parser")
    names = {tag.name for tag in soup.find_all(True)}
    values = [value for tag in soup.find_all(True) for value in tag.attrs.values()]
    assert names <= {"a", "img", "div"}
    assert not any("javascript" in str(value) or "data:" in str(value) for value in values)
    assert not any(name.startswith("on") for tag in soup.find_all(True) for name in tag.attrs)


@pytest.mark.parametrize(
    "name", ["class", "id", "name", "onclick", "srcset", "ping", "background", "data-toggle"]
)
def test_no_element_has_an_attribute_that_the_page_gives_a_meaning_to(name):
    """bootstrap's class names put a link over the page; scripts find elements by their ids."""
    assert name not in {attribute for attributes in ATTRIBUTES.values() for attribute in attributes}
    for tag in TAGS:
        cleaned = clean_html(f"<table><{tag} {name}='modal-backdrop'>x</{tag}></table>")
        assert "modal-backdrop" not in cleaned


@pytest.mark.parametrize(
    "scheme", ["javascript", "data", "DATA", "vbscript", "file", "blob", "about", "ftp", "ws"]
)
def test_a_link_leads_to_a_web_site_or_is_none(scheme):
    """Browsers take an address in any case, and pass over what stands before it and in it."""
    cases = (scheme, scheme.upper(), scheme.title(), f"{scheme[:2]}&#9;{scheme[2:]}")
    for before, cased in product(BEFORE, cases):
        assert "href" not in clean_html(f'<a href="{before}{cased}:text/html,x">x</a>')


@pytest.mark.parametrize(
    "address",
    [
        "//example.org",
        "\\\\example.org",
        "/\\example.org",
        "/files/x",
        "x.html",
        "../x",
        "#x",
        "?x",
        "",
        "http:x",
        "https:/x",
    ],
)
def test_a_link_leads_nowhere_on_the_server_of_the_page(address):
    """Jupyter does much at an address, with the rights of who is signed in."""
    assert "href" not in clean_html(f'<a href="{address}">x</a>')


@pytest.mark.parametrize(
    "address", ["https://example.org/a?b#c", "HTTP://example.org", "mailto:a@example.org"]
)
def test_a_link_to_a_web_site_stays(address):
    """It tells the site nothing of the page it was on."""
    assert clean_html(f'<a href="{address}">x</a>') == f'<a href="{address}" {REL}>x</a>'


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://example.org/x.png",
            "//example.org/x.png",
            "HTTPS://example.org",
            "\\\\example.org",
            "x.png",
            "/logout",
        ),
        *(
            "data:image/svg+xml,<svg>",
            "data:text/html,x",
            "data:image/png;base64,<",
            "blob:x",
            "attachment:x",
        ),
        *(" http://example.org", "ht&#9;tp://example.org", "data:image/png,x", "data:;base64,AAAA"),
    ],
)
def test_only_data_is_a_picture(address):
    """Anything else would be asked for, of another host or of Jupyter."""
    for before in BEFORE:
        assert sources(clean_html(f'<img src="{before}{address}">')) == [None]


@pytest.mark.parametrize("kind", ["png", "jpeg", "jpg", "gif", "webp", "PNG"])
def test_data_of_a_raster_picture_stays(kind):
    """A plot in a text, as other programs write it."""
    assert sources(clean_html(f'<img src="data:image/{kind};base64,AAAA">')) == [
        f"data:image/{kind};base64,AAAA"
    ]


@pytest.mark.parametrize(
    "style",
    [
        *(
            "background:url(http://example.org)",
            "list-style-image:url(//example.org)",
            "position:fixed;top:0",
        ),
        *(
            "margin:-9999px",
            "padding:9999px",
            "transform:scale(99)",
            "z-index:9",
            "width:9999px",
            "display:block",
        ),
        *(
            "content:url(x)",
            "border-image:url(x)",
            "cursor:url(x)",
            "background:u\\72l(x)",
            "--x:url(x)",
            "font:9px x",
        ),
        *(
            "behavior:url(x)",
            "opacity:0",
            "filter:url(x)",
            "mask:url(x)",
            "float:left",
            "line-height:99",
            "height:0",
        ),
    ],
)
def test_a_style_loads_nothing_and_moves_nothing(style):
    """An invisible link over a button is clicked by whoever wants the button."""
    assert clean_html(f'<a style="color:red;{style}">x</a>') == f'<a style="color:red" {REL}>x</a>'


@pytest.mark.parametrize(
    "html",
    [
        "<h2>Title</h2>",
        "<table><thead><tr><th>x</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>",
        f'<p>a <em>b</em> <code>c</code> <a href="https://example.org" {REL}>d</a></p>',
        f'<img src="{DATA}">',
        "<blockquote><p>quoted</p></blockquote>",
        "<details><summary>more</summary>text</details>",
        "<ol><li>one</li></ol>",
        '<td style="background-color:#f00;text-align:right" colspan="2">1</td>',
    ],
)
def test_text_tables_pictures_and_links_stay(html):
    """Otherwise the feedback would be worse than the notebook."""
    whole = f"<table><tbody><tr>{html}</tr></tbody></table>" if html.startswith("<td") else html
    assert clean_html(whole) == whole


def test_markdown_keeps_its_formulas_and_loses_its_scripts():
    """Markdown may hold HTML, and nbgrader's template would put it into the page as it is."""
    html = page_of("# Title\n\n> $a < b$\n\n<script>alert(1)</script>")
    assert "<h1>Title</h1>" in html
    assert "<blockquote>" in html
    assert "$a &lt; b$" in html
    assert "script" not in html


def test_highlighted_code_keeps_its_colours():
    """They are class names that nbconvert writes."""
    assert '<div class="highlight"><pre><span></span><span class="k">def</span>' in page_of(
        "```python\ndef f(): 1\n```"
    )


@pytest.mark.parametrize(
    "source",
    [
        "![x](attachment:a%20b.png)",
        "![x](<attachment:a b.png>)",
        "<img src='attachment:a b.png'>",
        "![x][y]\n\n[y]: attachment:a%20b.png",
    ],
)
def test_an_attached_picture_is_part_of_the_page(source):
    """So it is seen wherever the page is opened, with nothing beside it."""
    assert sources(page_of(source, **{"a b.png": {"image/png": PIXEL}})) == [DATA]


@pytest.mark.parametrize(
    "attachments",
    [
        None,
        [],
        "a",
        {},
        {"a": None},
        {"a": {}},
        {"a": {"image/png": 1}},
        {"a": {"text/html": "PGI+"}},
        {"a": {"image/png": "PGI+"}},
    ],
    ids=repr,
)
def test_whatever_is_attached_there_is_a_page(attachments):
    """nbconvert raises where an attachment is missing, so that nobody saw the answer."""
    assert sources(page_in("![x](attachment:a)", cell={"attachments": attachments})) == [None]
    assert sources(page_in("![x](attachment:a)")) == [None]


@pytest.fixture
def folder(tmp_path):
    """The folder of a notebook, with pictures and with what is none, and something beside it."""
    found = tmp_path / "course" / "work"
    (found / "below").mkdir(parents=True)
    content = base64.b64decode(PIXEL)
    for name in ("plot.png", "below/a plot.png", "../outside.png", "text.html"):
        (found / name).write_bytes(content)
    (found / "drawing.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    )
    (found / "page.png").write_text("<script>alert(1)</script>")
    (found / "huge.png").write_bytes(content)
    os.truncate(found / "huge.png", MOST_PICTURES)
    (found / "link.png").symlink_to("plot.png")
    (found / "out").symlink_to(found.parent)
    os.mkfifo(found / "pipe.png")
    return found


@pytest.mark.parametrize("address", ["plot.png", "./plot.png", "below/a%20plot.png", "text.html"])
def test_a_picture_beside_the_notebook_is_part_of_the_page(folder, address):
    """It is taken for what its content says."""
    assert sources(page_of(f"![x]({address})", folder)) == [DATA]


def test_a_drawing_beside_the_notebook_is_a_picture(folder):
    """As the data of a picture its script does not run."""
    [address] = sources(page_of("![x](drawing.svg)", folder))
    assert address.startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "no.png",
            "../outside.png",
            "..%2Foutside.png",
            "below/../plot.png",
            "out/outside.png",
            "link.png",
            "pipe.png",
        ),
        *(
            "page.png",
            "huge.png",
            "below",
            "",
            ".",
            "/etc/passwd",
            "file:plot.png",
            "a%00b.png",
            "a" * 300,
            "plot.png/x",
        ),
    ],
)
def test_what_is_no_picture_of_the_submission_is_broken(folder, address):
    """Nothing outside is read, no link is followed, nothing is waited for."""
    assert sources(page_of(f"<img src='{address}'>", folder)) == [None]


def test_the_pictures_of_a_page_are_bounded(folder):
    """A page with more would open in no browser."""
    (folder / "large.png").write_bytes(base64.b64decode(PIXEL) + bytes(3 << 20))
    shown = sources(page_of("![x](large.png)\n" * 20, folder))
    assert len([address for address in shown if address]) == MOST_PICTURES // (3 << 20)


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 50_000,
        "<b><p>" * 5000,
        "<ul><li>" * 20_000,
        "<table><tr><td>" * 10_000,
        "<b><i>" * 9000 + "</b></i>" * 9000,
        "&amp;" * 1_000_000,
    ],
)
def test_html_takes_no_long_time(html):
    """Nested deeper than browsers can show, it is text; reading it would take minutes."""
    assert clean_html(html) == f"<pre>{escape(html)}</pre>"


def test_what_is_deep_for_a_student_is_read():
    """Only far beyond what anybody writes HTML is taken for text."""
    html = "<div>" * (DEEPEST_HTML - 1) + "x" + "</div>" * (DEEPEST_HTML - 1)
    assert clean_html(html) == html
    assert clean_html("<p>x<br>" * 5000).startswith("<p>")


@pytest.mark.parametrize(
    "text", ["\\begin{a}", "\\\\[", "\\\\(", "$$", "> ", "[", "![", "*a ", "`", "|a", "<a ", "&", "\x00"]
)
def test_any_markdown_becomes_a_page_in_time(text):
    """A parser that looks for each end through the whole text would take an hour for some."""
    assert page_of(text * 20_000)
    assert page_of(text * (1 << 20)).startswith("<pre>")


def test_what_is_clean_stays_as_it_is():
    """nbconvert takes away `files/`, and would make `javascript:` of `files/javascript:`."""
    assert unchanged('<a href="files/javascript:alert(1)">') == '<a href="files/javascript:alert(1)">'
