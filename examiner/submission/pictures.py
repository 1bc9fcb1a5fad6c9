"""Keeps the pictures that a student attached to a text, and says of each that cannot be shown why."""

import base64
import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any, Final
from urllib.parse import unquote

from examiner.errors import printable
from examiner.model import Files
from examiner.notebook import ATTACHED, MOST_OF_A_PICTURE, attached, raster_type

MOST_ATTACHED: Final = 8 << 20  # bytes of all pictures that are attached in a notebook
MOST_TOLD: Final = 20  # pictures of a notebook of which is said that they cannot be shown
MOST_LOOKED_THROUGH: Final = 400_000  # characters of a notebook in which pictures are looked for
LONGEST_ADDRESS: Final = 60  # characters that are told of the address of a picture

# What is quoted as code shows nothing.
_FENCE = re.compile(r" {0,3}(```|~~~)")
_CODE = re.compile(r"`[^`\n]{1,300}`")
# Markdown's ways to show a picture, and HTML's. Each part is bounded, so that no text takes long to search.
_SHOWN = re.compile(
    r"""!\[[^\]]{0,500}\]\(\s{0,9}
          (?: <([^<>\n]{1,500})> | ([^\s()<>]{1,500} (?:\([^\s()]{0,99}\)[^\s()]{0,99}){0,9}) )
      | ^[ ]{0,3}\[[^\]\n]{1,99}\]:\s{0,9}<?(attachment:[^\s<>]{1,500})
      | <img\s[^>]{0,999}?src\s{0,9}=\s{0,9}
          (?: "([^"]{1,500}) | '([^']{1,500}) | ([^\s"'>]{1,500}) )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
# What stands for a picture that is missing: where nothing stands, nbconvert makes no page at all.
BROKEN: Final = {"image/png": ""}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)

Attachments = dict[str, dict[str, str]]


class Album:
    """The pictures of a notebook, as many as a page can show.

    Parameters
    ----------
    beside : mapping from str to bytes
        What lies beside the notebook, by its path relative to it.
    """

    def __init__(self, beside: Files) -> None:
        self._beside, self._left = beside, MOST_ATTACHED
        self._told: set[str] = set()
        self._unsearched = MOST_LOOKED_THROUGH

    def keep(self, place: str, source: str, raw: Mapping[str, Any]) -> tuple[Attachments, list[str]]:
        """Return the pictures attached to a cell that its text shows, and a sentence for each that it lacks.

        An attached picture that is missing or refused is there, and broken.

        Parameters
        ----------
        place : str
            The name of the cell, for the sentences.
        source : str
            The text of the cell.
        raw : mapping
            The cell as it was handed in; nothing is taken for granted of its attachments.
        """
        kept: Attachments = {}
        sentences = []
        searched = source[: self._unsearched]
        self._unsearched -= len(searched)
        for address in dict.fromkeys(shown(searched)):
            if address[: len(ATTACHED)].lower() == ATTACHED:
                name = address[len(ATTACHED) :]
                kept[name], fact = self._taken(attached(raw, name))
            else:
                name, fact = address, self._path_fault(address)
            if fact:
                told = printable(unquote(name), LONGEST_ADDRESS)
                sentences.append(f"{place}: the picture '{told}' {fact}")
        new = [sentence for sentence in sentences if sentence not in self._told]
        new = new[: MOST_TOLD - len(self._told)]
        self._told.update(new)
        return kept, new

    def _taken(self, content: bytes | None) -> tuple[dict[str, str], str]:
        """Return an attached picture as nbformat has it, and why it is not shown, if it is not."""
        if content is None:
            return dict(BROKEN), "is missing"
        kind, fact = raster_type(content), _content_fault(content)
        if not fact and len(content) > self._left:
            fact = f"is not shown: with it, attached pictures have more than {MOST_ATTACHED >> 20} MB"
        if fact or not kind:
            return dict(BROKEN), fact
        self._left -= len(content)
        return {kind: base64.b64encode(content).decode()}, ""

    def _path_fault(self, address: str) -> str:
        """Return what keeps a picture that is shown by its address from the page, if anything does."""
        if address[:5].lower() == "data:":
            return ""
        if _SCHEME.match(address):
            return "is not shown: it is no file of the submission, and nothing is loaded from elsewhere"
        names = [name for name in unquote(address).split("/") if name != "."]
        if ".." in names or "" in names:
            return "is not shown: it lies outside of the submission"
        content = self._beside.get("/".join(names))
        if content is None:
            return "is missing"
        is_vector = address.lower().endswith(".svg") and len(content) <= MOST_OF_A_PICTURE
        return "" if is_vector else _content_fault(content)


def shown(source: str) -> Iterator[str]:
    """Yield the addresses of the pictures that a Markdown text shows, outside of what it quotes as code."""
    for match in _SHOWN.finditer(_CODE.sub("", "\n".join(_unfenced(source)))):
        yield unescape(next(filter(None, match.groups()))).strip()


def _unfenced(source: str) -> Iterator[str]:
    """Yield the lines that are in no block of code."""
    fence = ""
    for line in source.split("\n"):
        found = _FENCE.match(line)
        if found and fence in {"", found[1]}:
            fence = "" if fence else found[1]
        elif not fence:
            yield line


def _content_fault(content: bytes) -> str:
    if len(content) > MOST_OF_A_PICTURE:
        return f"is not shown: it is larger than {MOST_OF_A_PICTURE >> 20} MB"
    return "" if raster_type(content) else "is not shown: it is no PNG, JPEG, GIF or WebP"
