"""Jinja filters that make the page of a student's notebook safe to open: no scripts, handlers or frames."""

import re
from functools import cache
from typing import Any

import bleach  # type: ignore[import-untyped]
from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]
from jinja2 import pass_context
from nbconvert import HTMLExporter

TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details"),
    *("div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img"),
    *("kbd", "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup"),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var"),
}
ATTRIBUTES = {"align", "class", "colspan", "height", "id", "rowspan", "start", "style", "title", "width"}
PICTURE = re.compile(r"data:image/(png|jpeg|gif);base64,")

# Bleach would remove these tags, but leave the code between them as text.
CODE = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)


def clean_html(element: str) -> str:
    """Return the HTML with only its text, tables, pictures and links left."""
    cleaned: str = bleach.clean(
        CODE.sub("", str(element)),
        tags=TAGS,
        attributes=_allowed,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(),
        strip=True,
    )
    return cleaned


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Return Markdown as HTML with only text, tables, pictures and links in it."""
    return clean_html(_exporter().markdown2html(context, source))


def _allowed(tag: str, name: str, value: str) -> bool:
    if (tag, name) == ("img", "src"):
        return not value.startswith("data:") or PICTURE.match(value) is not None
    if (tag, name) == ("a", "href"):
        return not value.startswith("data:")
    return name in ATTRIBUTES or (tag, name) == ("img", "alt")


@cache
def _exporter() -> Any:
    return HTMLExporter()
