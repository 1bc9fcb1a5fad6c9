"""Reads a submitted notebook: its JSON, whatever program saved it, and its cells, in any version."""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from examiner.errors import UnreadableNotebook

MOST_CELLS: Final = 2000  # cells that a submission may have
BYTE_ORDER_MARK: Final = "\ufeff"  # the byte order mark, which some programs put before a text
UNKNOWN: Final = ""  # the kind of a cell that has none that we know

_KINDS: Final = {
    "code": "code",
    "markdown": "markdown",
    "raw": "raw",
    "heading": "markdown",
    "html": "markdown",
}
_OF_CODE: Final = (
    "outputs",
    "execution_count",
    "input",
    "prompt_number",
)  # that only code cells have
_BYTES: Final = "bytes of Windows-1252"  # how bytes that are no UTF-8 are read
_START: Final = re.compile(r"\s*")


@dataclass(frozen=True)
class SubmittedCell:
    """A cell as the student handed it in; `kind` is `UNKNOWN` if the file says none that there is.

    `attachments` is whatever stands there.
    """

    kind: str
    source: str
    id: str
    nbgrader: Mapping[str, Any]
    may_be_code: bool = True
    attachments: Any = None

    @property
    def grade_id(self) -> str:
        """The name that nbgrader gave it, if it still has one."""
        name = self.nbgrader.get("grade_id")
        return name if isinstance(name, str) else ""


def read_document(content: bytes) -> dict[str, Any]:
    """Return the JSON of a submitted notebook.

    What programs do to a file without touching what is in it is put up with: a byte order mark, another
    encoding, line breaks within texts, something behind the end.

    Raises
    ------
    ValueError
        If it is no JSON, or no object; the text says what is wrong.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        document = _patiently(content, error)
    if not isinstance(document, dict):
        raise ValueError("this is JSON, but no notebook")  # noqa: TRY004 - a file's content, not a caller's type
    return document


def _patiently(content: bytes, error: Exception) -> Any:
    """Return the JSON of a file that is not quite as it should be, or raise the error that is known."""
    encoding = json.detect_encoding(content)
    text = content.decode(encoding, _BYTES if encoding.startswith("utf-8") else "replace").lstrip(
        BYTE_ORDER_MARK
    )
    try:
        start = _START.match(text)
        document, _ = _PATIENT.raw_decode(text, start.end() if start else 0)
    except (ValueError, RecursionError):
        raise ValueError(f"this is no readable notebook ({error})") from error
    return document


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that are no UTF-8 as what they most often are."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", "replace"), error.end


def _number(digits: str) -> int:
    """Return a number; none in a notebook that counts has more digits than Python reads."""
    try:
        return int(digits)
    except ValueError:
        return 0


codecs.register_error(_BYTES, _as_windows_1252)
_PATIENT: Final = json.JSONDecoder(strict=False, parse_int=_number)


def cells_of(document: Mapping[str, Any], name: str) -> list[SubmittedCell]:
    """Return the cells of a submitted notebook.

    Parameters
    ----------
    document : mapping
        Its JSON, in any version of the format.
    name : str
        The name of the notebook, for the error.

    Raises
    ------
    UnreadableNotebook
        If it holds no cells at all, or more than `MOST_CELLS`.
    """
    raw_cells = _raw_cells(document)
    if raw_cells is None:
        raise UnreadableNotebook(name, "the notebook holds no cells", "hand it in again")
    known = (cell for cell in map(_cell, raw_cells) if cell.kind or cell.source or cell.nbgrader)
    cells = list(islice(known, MOST_CELLS + 1))
    if len(cells) > MOST_CELLS:
        fix = "hand in the cells of the assignment, and few more"
        raise UnreadableNotebook(name, f"the notebook has more than {MOST_CELLS} cells", fix)
    return cells


def _raw_cells(document: Mapping[str, Any]) -> Iterator[Any] | None:
    """Return the cells of format 4, and of the worksheets of earlier ones; None if there are no lists."""
    sheets = document.get("worksheets")
    holders = [document, *(sheets if isinstance(sheets, list) else [])]
    lists = [cells for holder in holders if isinstance(holder, dict) for cells in [holder.get("cells")]]
    if not any(isinstance(cells, list) for cells in lists):
        return None
    return (raw for cells in lists if isinstance(cells, list) for raw in cells)


def _cell(raw: Any) -> SubmittedCell:
    raw = raw if isinstance(raw, dict) else {}
    metadata, identity, kind = raw.get("metadata"), raw.get("id"), raw.get("cell_type")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return SubmittedCell(
        _KINDS.get(kind.strip().lower(), UNKNOWN) if isinstance(kind, str) else UNKNOWN,
        _source(raw),
        identity if isinstance(identity, str) else "",
        nbgrader if isinstance(nbgrader, dict) else {},
        may_be_code=any(entry in raw for entry in _OF_CODE),
        attachments=raw.get("attachments"),
    )


def _source(raw: Mapping[str, Any]) -> str:
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        lines = [line for line in source if isinstance(line, str)]
        are_ended = any(line.endswith("\n") for line in lines[:-1])
        source = "".join(lines) if are_ended else "\n".join(lines)  # some programs leave out the line breaks
    return source.lstrip(BYTE_ORDER_MARK) if isinstance(source, str) else ""
