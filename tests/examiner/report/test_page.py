"""A page of a stranger's notebook runs nothing in the browser of who looks at it, and keeps its pictures."""

import pytest
from bs4 import BeautifulSoup
from jinja2.runtime import Context
from nbconvert import HTMLExporter

from examiner.report.page import clean_html, markdown2html

PIXEL = "data:image/png;base64,iVBORw0KGgo="


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
    "html",
    [
        '<h2 id="a">Title</h2>',
        "<table><thead><tr><th>x</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>",
        '<p>a <em>b</em> <code>c</code> <a href="https://example.org">d</a></p>',
        f'<img src="{PIXEL}">',
        '<img src="plot.png" alt="a plot">',
        "<blockquote><p>quoted</p></blockquote>",
        "<details><summary>more</summary>text</details>",
        "<ol><li>one</li></ol>",
    ],
)
def test_text_tables_pictures_and_links_stay(html):
    """Otherwise the feedback would be worse than the notebook."""
    assert clean_html(html) == html


def test_markdown_keeps_its_formulas_and_loses_its_scripts():
    """Markdown may hold HTML, and nbgrader's template would put it into the page as it is."""
    exporter = HTMLExporter()
    context = Context(exporter.environment, {}, "x", {})
    html = markdown2html(context, "# Title\n\n> $a < b$\n\n<script>alert(1)</script>")
    assert "<h1" in html
    assert "<blockquote>" in html
    assert "$a &lt; b$" in html
    assert "script" not in html
