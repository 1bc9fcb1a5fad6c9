"""Reads notebooks with nbgrader's metadata: cells, points, categories, hidden regions.

It reads plain JSON, since nbformat's validation takes more than a second to import, and a submission only has
to be valid in nbgrader's own reading.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from examiner.errors import BadSource, ExaminerError
from examiner.model import Markers

NBFORMAT: Final = 4
ENTRY: Final = "examiner"  # what is ours in the metadata of an executed notebook and of its cells

CHECKS: Final = "examiner_checks"  # the package that grade cells import
REFERENCE: Final = "reference"  # what a hidden test calls the instructor's package

USUAL: Final = Markers()
BEGIN_HIDDEN, END_HIDDEN = USUAL.hidden
BEGIN_SOLUTION, END_SOLUTION = USUAL.solution
BEGIN_SCHEME, END_SCHEME = USUAL.scheme

# What nbgrader writes instead of a solution, by the kernel's language, and instead of a written answer.
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
CODE_STUBS: Final = {
    "python": STUB,
    "R": "# YOUR CODE HERE\nfail()",
    "matlab": "% YOUR CODE HERE\nerror('No Answer Given!')",
    "octave": "% YOUR CODE HERE\nerror('No Answer Given!')",
    "sas": "/* YOUR CODE HERE */\n %notImplemented;",
    "java": "// YOUR CODE HERE",
}
TEXT_STUB = USUAL.text_stub
_STUBS: Final = "stubs"  # in `ENTRY` of a document that was read with a course's own markers

AUTOTEST: Final = "AUTOTEST"  # a comment with it becomes a test when nbgrader releases

ATTACHED: Final = "attachment:"  # what the address of a picture begins with that is attached to its cell
MOST_OF_A_PICTURE: Final = 4 << 20  # bytes
MOST_ATTACHMENTS: Final = 1000  # of a cell, among which one is looked for that is spelled otherwise
_RASTER: Final = (
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF87a"),
    ("image/gif", b"GIF89a"),
)

CATEGORIES = ("interface", "gradient", "numeric", "speed", "memory", "written")


@dataclass(frozen=True)
class Cell:
    """One cell, with what nbgrader's metadata says about it; `stub` is released instead of a solution."""

    index: int
    id: str
    kind: str
    source: str
    grade_id: str = ""
    points: float = 0.0
    is_grade: bool = False
    is_solution: bool = False
    is_locked: bool = False
    is_task: bool = False
    stub: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether it has a part in the grading; everything else in a notebook is the student's to change."""
        return bool(self.grade_id) and (self.is_grade or self.is_solution or self.is_locked or self.is_task)

    @property
    def is_code(self) -> bool:
        """Whether the cell is run."""
        return self.kind == "code"

    @property
    def is_autograded(self) -> bool:
        """Whether running the cell decides its points."""
        return self.is_grade and self.is_code and not self.is_solution

    @property
    def category(self) -> str:
        """The category of a grade cell, by its grade_id."""
        return category(self.grade_id)


@dataclass(frozen=True)
class Notebook:
    """The cells of a notebook file."""

    path: Path
    cells: tuple[Cell, ...]

    @property
    def grade_cells(self) -> tuple[Cell, ...]:
        """The cells that carry points, in order."""
        return tuple(cell for cell in self.cells if cell.is_grade)

    def find(self, grade_id: str) -> Cell:
        """Return the cell with this grade_id; KeyError if there is none."""
        for cell in self.cells:
            if cell.grade_id == grade_id:
                return cell
        raise KeyError(grade_id)


def category(grade_id: str) -> str:
    """Return the part before the first underscore, if it is a category, else 'other'."""
    head = grade_id.partition("_")[0]
    return head if head in CATEGORIES else "other"


def mark(cell: Mapping[str, Any], name: str) -> Any:
    """Return one entry of a raw cell's nbgrader metadata, or None."""
    return cell["metadata"].get("nbgrader", {}).get(name)


def raster_type(content: bytes) -> str | None:
    """Return the MIME type of a PNG, JPEG, GIF or WebP picture, by its first bytes; else None."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for kind, start in _RASTER if content.startswith(start)), None)


def attached(cell: Mapping[str, Any], name: str) -> bytes | None:
    """Return the picture of this name that is attached to a raw cell, or else what is attached by it.

    Parameters
    ----------
    cell : mapping
        A cell of any notebook: whatever is no attachment as nbformat has them counts as none.
    name : str
        As it stands in the text of the cell, where characters may be written as `%20`.
    """
    attachments = cell.get("attachments")
    if not isinstance(attachments, Mapping):
        return None
    names = [name] if name in attachments else islice(attachments, MOST_ATTACHMENTS)
    bundles = [attachments[key] for key in names if unquote(str(key)) == unquote(name)]
    encoded = [value for bundle in bundles if isinstance(bundle, Mapping) for value in bundle.values()]
    found = [content for content in map(_decoded, encoded) if content is not None]
    return next(filter(raster_type, found), found[0] if found else None)


def _decoded(encoded: object) -> bytes | None:
    """Return what is encoded in base64, as a text or as its lines; None if it is not."""
    text = "".join(map(str, encoded)) if isinstance(encoded, list) else encoded
    try:
        return b64decode("".join(text.split()), validate=True) if isinstance(text, str) else None
    except ValueError:
        return None


def read(path: Path) -> Notebook:
    """Read an instructor's notebook.

    Raises
    ------
    BadSource
        If the file is not a notebook, or not in format 4.
    """
    return parse(load(path, BadSource), path)


def parse(document: Mapping[str, Any], path: Path) -> Notebook:
    """Return the notebook in the JSON of an instructor's file; `path` says where it lies.

    Raises
    ------
    BadSource
        If it is not in format 4, or a cell lacks an entry.
    """
    if document["nbformat"] != NBFORMAT:
        raise BadSource(path, f"its format is {document['nbformat']}", f"save it in format {NBFORMAT}")
    try:
        stubs = _stubs(document)
        return Notebook(path, tuple(_cell(i, raw, stubs) for i, raw in enumerate(document["cells"])))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadSource(
            path, f"its cells cannot be read ({error!r})", "save it again in JupyterLab"
        ) from error


def load_source(path: Path, markers: Markers) -> dict[str, Any]:
    """Return the JSON of an instructor's notebook, with the usual markers instead of the course's own.

    All that follows knows the usual ones alone. Only lines with a marker change, and none is added.

    Raises
    ------
    BadSource
        If the file is not a notebook in format 4, or has a line that would become a marker.
    """
    document = load(path, BadSource)
    parse(document, path)  # what follows may rely on its shape
    if markers == USUAL:
        return document
    for number, cell in enumerate(document.get("cells", ()), start=1):
        source = cell.get("source", "")
        lines = (source if isinstance(source, str) else "".join(source)).split("\n")
        cell["source"] = "\n".join(_in_usual_words(line, markers, f"{path}, cell {number}") for line in lines)
    stubs = {"code": dict(markers.code_stubs), "text": markers.text_stub}
    document.setdefault("metadata", {}).setdefault(ENTRY, {})[_STUBS] = stubs
    return document


def _in_usual_words(line: str, markers: Markers, place: str) -> str:
    words = dict(zip(markers.words, USUAL.words, strict=True))
    for word in sorted(words, key=len, reverse=True):  # one may be part of another
        if word in line:
            return line.replace(word, words[word])
    if any(usual in line for usual in USUAL.words):
        fix = "write it otherwise there: the course has set another marker"
        raise BadSource(place, f"'{line.strip()}' would be a marker in other courses", fix)
    return line


def _stubs(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return what the release has instead of code, and of text."""
    metadata = document.get("metadata", {})
    language = metadata.get("kernelspec", {}).get("language", "python")
    own = metadata.get(ENTRY, {}).get(_STUBS, {})
    return (CODE_STUBS | own.get("code", {})).get(language, STUB), own.get("text", TEXT_STUB)


def load(path: Path, fault: type[ExaminerError]) -> dict[str, Any]:
    """Return the JSON of a notebook of any format, or raise `fault`, the error for whoever owns the file."""
    fix = "open it in JupyterLab and save it again"
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise fault(path, f"this is no readable notebook ({error})", fix) from error
    if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
        raise fault(path, "this is JSON, but no notebook", fix)
    return document


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _cell(index: int, raw: Mapping[str, Any], stubs: tuple[str, str]) -> Cell:
    source, (code, text) = raw["source"], stubs
    return Cell(
        index=index,
        id=_text(raw.get("id", "")),
        kind=_text(raw["cell_type"]),
        source="".join(source) if isinstance(source, list) else _text(source),
        grade_id=_text(mark(raw, "grade_id") or ""),
        points=float(mark(raw, "points") or 0),
        is_grade=bool(mark(raw, "grade")),
        is_solution=bool(mark(raw, "solution")),
        is_locked=bool(mark(raw, "locked")),
        is_task=bool(mark(raw, "task")),
        stub=code if raw["cell_type"] == "code" else text,
    )


@dataclass(frozen=True)
class Region:
    """Lines `first`…`last` of a cell, counted from 1, markers included."""

    first: int
    last: int

    def __contains__(self, line: int) -> bool:
        return self.first <= line <= self.last


def regions(source: str, begin: str, end: str) -> tuple[Region, ...]:
    """Return the marked regions of a cell; an end without a beginning means nothing, as in nbgrader.

    Raises
    ------
    ValueError
        If a region is opened twice or never closed.
    """
    found, first = [], None
    for number, line in enumerate(source.split("\n"), start=1):
        if begin in line:
            if first is not None:
                raise ValueError(f"line {number} opens '{begin}' inside the region that line {first} opened")
            first = number
        elif end in line and first is not None:
            found.append(Region(first, number))
            first = None
    if first is not None:
        raise ValueError(f"line {first} says '{begin}', but no line after it says '{end}'")
    return tuple(found)


def hidden_regions(source: str) -> tuple[Region, ...]:
    """Return the regions of hidden tests."""
    return regions(source, BEGIN_HIDDEN, END_HIDDEN)


def solution_regions(source: str) -> tuple[Region, ...]:
    """Return the regions of the instructor's solution."""
    return regions(source, BEGIN_SOLUTION, END_SOLUTION)


def stray_ends(source: str, begin: str, end: str) -> tuple[int, ...]:
    """Return the lines that end a region which none has begun; nbgrader leaves them out of a release."""
    inside = regions(source, begin, end)
    lines = enumerate(source.split("\n"), start=1)
    is_end = (n for n, line in lines if end in line and begin not in line)
    return tuple(n for n in is_end if not any(n in region for region in inside))


def _without(source: str, begin: str, end: str) -> str:
    """Return the source without its marked regions, and without ends that nothing has begun."""
    inside, stray = regions(source, begin, end), stray_ends(source, begin, end)
    lines = enumerate(source.split("\n"), start=1)
    return "\n".join(line for n, line in lines if n not in stray and not any(n in r for r in inside))


def visible(source: str) -> str:
    """Return the source without its hidden tests, as students see it."""
    return _without(source, BEGIN_HIDDEN, END_HIDDEN)


def hidden(source: str) -> str:
    """Return only the hidden tests; every other line is empty, so that line numbers stay."""
    inside = hidden_regions(source)
    lines = source.split("\n")
    return "\n".join(line if any(n in r for r in inside) else "" for n, line in enumerate(lines, start=1))


def blank(source: str, stub: str = STUB) -> str:
    """Return a solution cell as students get it, with nbgrader's stub instead of each solution."""
    lines, kept, past = source.split("\n"), list[str](), 0
    stray = stray_ends(source, BEGIN_SOLUTION, END_SOLUTION)

    def keep(first: int, last: int) -> None:
        kept.extend(line for n, line in enumerate(lines[first:last], start=first + 1) if n not in stray)

    for region in solution_regions(source):
        keep(past, region.first - 1)
        marker = lines[region.first - 1]
        indent = marker[: len(marker) - len(marker.lstrip())]
        kept += [indent + line for line in stub.split("\n")]
        past = region.last
    keep(past, len(lines))
    return "\n".join(kept)


def released(cell: Cell) -> str:
    """Return the source of a cell as in the release: without solutions, hidden tests and mark schemes."""
    source = blank(cell.source, cell.stub)
    if cell.is_solution and not solution_regions(cell.source):
        source = cell.stub
    return _without(visible(source), BEGIN_SCHEME, END_SCHEME)


def without_magics(source: str) -> str:
    """Return a cell's source with an empty line for each magic or shell command of IPython."""
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n"))


def check_source(notebook: Notebook) -> None:
    """Refuse an instructor's notebook that nbgrader would reject, and name the cell.

    Raises
    ------
    BadSource
        If a region is not closed or is in the wrong kind of cell, two cells have the same grade_id, or a test
        is one that nbgrader would make only when it releases.
    """
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        here = place(notebook, cell)
        if cell.is_grade and (number := _autotest(cell)):
            fact = f"line {number} asks nbgrader to make a test, so that there is none in the cell"
            raise BadSource(here, fact, "run `nbgrader generate_source_with_tests`, and take what it makes")
        try:
            has_solution, has_hidden = bool(solution_regions(cell.source)), bool(hidden_regions(cell.source))
        except ValueError as error:
            raise BadSource(here, str(error), "close each region before the next is opened") from None
        if has_solution and not cell.is_solution:
            raise BadSource(
                here, "a solution is in a cell that is not a solution cell", "make it a solution cell"
            )
        if has_hidden and not cell.is_grade:
            raise BadSource(
                here, "hidden tests are in a cell that is not a grade cell", "make it a grade cell"
            )
        if cell.grade_id and cell.grade_id in seen:
            fact = f"cell {seen[cell.grade_id] + 1} has the same grade_id"
            raise BadSource(here, fact, "give each cell a grade_id of its own")
        seen[cell.grade_id] = cell.index


def _autotest(cell: Cell) -> int:
    """Return the number of the line that nbgrader would replace by a test, or 0."""
    lines = enumerate(cell.source.split("\n") if cell.is_code else (), start=1)
    return next((number for number, line in lines if line.strip().startswith("#") and AUTOTEST in line), 0)


def place(notebook: Notebook, cell: Cell) -> str:
    """Return the place of a cell, for people."""
    return f"{notebook.path}, cell {cell.index + 1} ({cell.grade_id or cell.id})"
