"""Jinja filters that make the page of a student's notebook safe to open: nothing runs, nothing is loaded.

nh3 reads HTML as browsers do and writes it anew, with only what is listed here. Pictures become part of the
page: those that are attached to a cell, and those that lie beside the notebook.
"""

import base64
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import ExitStack
from html import escape
from typing import Any, Final
from urllib.parse import unquote

import nh3
from jinja2 import pass_context
from mistune import HTMLRenderer
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.token import STANDARD_TYPES

from examiner.notebook import ATTACHED, MOST_OF_A_PICTURE, attached, raster_type

TAGS: Final = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details"),
    *("div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img"),
    *("kbd", "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup"),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var"),
}
# Of other tags the text stays; of these it is code, or meant for no reader.
GONE_WITH_CONTENT: Final = {
    *("embed", "frameset", "iframe", "noembed", "noframes", "noscript", "object", "script", "style", "svg"),
    *("template", "textarea", "title"),
}
ATTRIBUTES: Final = {
    "*": {"align", "colspan", "height", "rowspan", "start", "style", "title", "width"},
    "a": {"href"},
    "img": {"src", "alt"},
}
# None of them lets an element leave its place, or lie over another one.
INLINE_STYLES: Final = {
    *("background-color", "color", "font-style", "font-weight", "text-align", "text-decoration"),
    "white-space",
}
# Class names have a meaning in the pages, so that students can set none but those of highlighted code.
CLASSES: Final = {"div": {"highlight"}, "span": set(STANDARD_TYPES.values()) - {""}}

LINK: Final = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f]+", re.IGNORECASE)
DATA: Final = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
SCHEMES: Final = {"http", "https", "mailto", "data", ATTACHED.rstrip(":")}

# Beyond these, HTML takes time by the square of its depth, and of its `&`; browsers stop at 512 levels.
DEEPEST_HTML: Final = 400
MOST_REFERENCES: Final = 200_000
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_NEVER_NESTED = {"br", "col", "dd", "dt", "hr", "img", "input", "li", "link", "meta", "p", "td", "th", "tr"}

MOST_MARKDOWN: Final = 200_000  # characters of a cell
# The end of each beginning of a formula is looked for through the whole text.
LONGEST_SEARCH: Final = 5_000_000  # characters
_FORMULA = re.compile(r"\\begin\{|\\\\[\[(]|\$\$")

MOST_PICTURES: Final = 32 << 20  # bytes of files beside the notebook, on one page
_BUDGET = "bytes of pictures"  # in the resources of a page
VECTOR: Final = "image/svg+xml"  # as a picture it runs nothing and loads nothing

Pictures = Callable[[str], str | None]


def clean_html(element: str, pictures: Pictures = lambda _: None) -> str:
    """Return the HTML with only its text, tables, pictures and links left.

    Parameters
    ----------
    element : str
        HTML of a student's.
    pictures : callable
        Returns the data of a picture, as an address, by the address that the HTML has; None if there is none.
    """
    html = str(element)
    if html.count("&") > MOST_REFERENCES or _depth(html) > DEEPEST_HTML:
        return _as_text(html)

    def kept(_tag: str, name: str, value: str) -> str | None:
        if name == "href":
            return value if LINK.fullmatch(value) else None
        if name == "src":
            return value if DATA.fullmatch(value) else pictures(value)
        return value

    return nh3.clean(
        html,
        tags=TAGS,
        clean_content_tags=GONE_WITH_CONTENT,
        attributes=ATTRIBUTES,
        attribute_filter=kept,
        url_schemes=SCHEMES,
        filter_style_properties=INLINE_STYLES,
        allowed_classes=CLASSES,
    )


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Return Markdown as HTML with only text, tables, pictures and links in it."""

    def pictures(address: str) -> str | None:
        if address[: len(ATTACHED)].lower() == ATTACHED:
            cell = context.get("cell")
            content = attached(cell, address[len(ATTACHED) :]) if isinstance(cell, Mapping) else None
            kind = raster_type(content or b"")
            return _data(kind, content) if content and kind else None
        resources = context.get("resources")
        return _beside(resources, address) if isinstance(resources, MutableMapping) else None

    rendered = _rendered(source)
    return _as_text(source) if rendered is None else clean_html(rendered, pictures)


def unchanged(text: str) -> str:
    """Return the text; nbconvert's `strip_files_prefix` would change the addresses of what is clean."""
    return text


class _Renderer(IPythonRenderer):  # type: ignore[misc]  # nbconvert has no type annotations
    """Leaves the addresses of pictures as they are; nbconvert's fails where an attachment is missing."""

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return HTMLRenderer.image(self, text, url, title)


def _rendered(source: str) -> str | None:
    """Return Markdown as HTML, or None where that would take long or fail."""
    searched = len(source) * len(_FORMULA.findall(source[:MOST_MARKDOWN]))
    if len(source) > MOST_MARKDOWN or searched > LONGEST_SEARCH:
        return None
    try:
        # Headings have no anchors: their names would be the student's.
        renderer = _Renderer(escape=False, exclude_anchor_links=True)
        html: str = MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # noqa: BLE001 - a text that the parser fails on is a student's, and is to be read all the same
        return None
    return html


def _as_text(source: str) -> str:
    return f"<pre>{escape(source)}</pre>"


def _depth(html: str) -> int:
    """Return how deep elements may be nested, as a browser sees it; each kind is counted by itself."""
    now: Counter[str] = Counter()
    deepest: Counter[str] = Counter()
    for end, name in _TAG.findall(html):
        tag = name.lower()
        if end:
            now[tag] = max(now[tag] - 1, 0)
        elif tag not in _NEVER_NESTED:
            now[tag] += 1
            deepest[tag] = max(deepest[tag], now[tag])
    return sum(deepest.values())


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _beside(resources: MutableMapping[str, Any], address: str) -> str | None:
    """Return a picture in the notebook's folder, or below it, as data."""
    folder = resources.get("metadata", {}).get("path")
    left = resources.setdefault(_BUDGET, MOST_PICTURES)
    content = _read(folder, address, min(left, MOST_OF_A_PICTURE)) if folder else None
    if content is None:
        return None
    kind = raster_type(content) or (VECTOR if address.lower().endswith(".svg") else None)
    if kind is None:
        return None
    resources[_BUDGET] = left - len(content)
    return _data(kind, content)


def _read(folder: str, address: str, most: int) -> bytes | None:
    """Return a regular file below a folder; no link is followed, and no name leads out of it."""
    names = [name for name in unquote(address).split("/") if name != "."]
    if not names or any(name in {"", ".."} or "\0" in name for name in names):
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with ExitStack() as opened:
        try:
            place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, place)
            for name in names:
                place = os.open(name, flags, dir_fd=place)
                opened.callback(os.close, place)
            status = os.fstat(place)
            if not stat.S_ISREG(status.st_mode) or status.st_size > most:
                return None
            return os.read(place, most)
        except (OSError, ValueError):  # it is not there, or has no name that a file can have
            return None
