"""What is run of a submission: the instructor's notebook, with the student's answers in its solution cells.

Cells are recognised by their grade_id, or by their id where that was lost. What a student deleted, doubled,
retyped, changed or moved is mended, and told. The student's own cells stay where they stood. Nothing else is
taken over: no metadata, tags, outputs or attachments.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from examiner.errors import UnreadableNotebook
from examiner.notebook import STUB, TEXT_STUB, Cell, Notebook, blank, solution_regions, visible

_KINDS: Final = {
    "code": "code",
    "markdown": "markdown",
    "raw": "raw",
    "heading": "markdown",
    "html": "markdown",
}
_VALID_ID: Final = re.compile(r"[a-zA-Z0-9-_]{1,64}")

MOST_CELLS: Final = 2000  # of a submission


@dataclass(frozen=True)
class Piece:
    """One cell of what is run.

    Parameters
    ----------
    original : Cell or None
        The instructor's cell; None for one of the student's own.
    """

    kind: str
    source: str
    id: str
    original: Cell | None = None

    @property
    def is_code(self) -> bool:
        """Whether the cell is run."""
        return self.kind == "code"

    @property
    def is_autograded(self) -> bool:
        """Whether it is a cell that tests."""
        return self.original is not None and self.original.is_autograded


@dataclass(frozen=True)
class Repaired:
    """The cells of what is run, in order, and what was mended, a sentence each."""

    pieces: tuple[Piece, ...]
    repairs: tuple[str, ...]


@dataclass(frozen=True)
class _Theirs:
    """A cell as the student handed it in."""

    kind: str
    source: str
    id: str
    marks: Mapping[str, Any]

    @property
    def grade_id(self) -> str:
        name = self.marks.get("grade_id")
        return name if isinstance(name, str) else ""


def repair(notebook: Notebook, submitted: Mapping[str, Any]) -> Repaired:
    """Return what is to be run of a submission.

    Parameters
    ----------
    notebook : Notebook
        The instructor's.
    submitted : mapping
        The JSON of the student's notebook, of any format.

    Raises
    ------
    UnreadableNotebook
        If the student's JSON holds no cells at all, or more than anybody writes.
    """
    theirs = list(islice(_cells(submitted, notebook), MOST_CELLS + 1))
    if len(theirs) > MOST_CELLS:
        fix = "hand in the cells of the assignment, and few besides"
        raise UnreadableNotebook(notebook.path.name, f"the notebook has more than {MOST_CELLS} cells", fix)
    repairs: list[str] = []
    found = _match(notebook, theirs, repairs)
    own = _own_cells(theirs, found)
    ids = {cell.id for cell in notebook.cells}
    pieces = [_own(theirs[place], ids) for place in own.get(-1, ())]
    for cell in notebook.cells:
        place = found.get(cell.index)
        pieces.append(_mended(cell, None if place is None else theirs[place], repairs))
        pieces += [_own(theirs[place], ids) for place in own.get(cell.index, ())]
    return Repaired(tuple(pieces), tuple(repairs))


def released(cell: Cell) -> str:
    """Return the source of a cell as students get it."""
    if not cell.is_solution:
        return visible(cell.source)
    stub = STUB if cell.is_code else TEXT_STUB
    return blank(cell.source, stub) if solution_regions(cell.source) else stub


def unanswered(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Return the solution cells that are still as students get them."""
    cells = ((piece.original, piece.source) for piece in pieces)
    return tuple(
        cell.grade_id for cell, source in cells if cell and cell.is_solution and source == released(cell)
    )


def name_of(cell: Cell) -> str:
    """Return what a cell is called in a sentence."""
    return cell.grade_id or cell.id or f"cell {cell.index + 1}"


def _cells(document: Mapping[str, Any], notebook: Notebook) -> Iterator[_Theirs]:
    """Yield the student's cells: those of format 4, or those of the sheets of a format before."""
    sheets = document.get("worksheets", [document])
    cells = (
        [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        if isinstance(sheets, list)
        else []
    )
    if not any(isinstance(each, list) for each in cells):
        raise UnreadableNotebook(notebook.path.name, "the notebook holds no cells", "hand it in again")
    for raw in (raw for each in cells if isinstance(each, list) for raw in each):
        if not isinstance(raw, dict) or str(raw.get("cell_type")) not in _KINDS:
            continue
        source = raw.get("source", raw.get("input", ""))
        if isinstance(source, list):
            source = "".join(line for line in source if isinstance(line, str))
        metadata = raw.get("metadata")
        marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        identity = raw.get("id")
        yield _Theirs(
            _KINDS[raw["cell_type"]],
            source if isinstance(source, str) else "",
            identity if isinstance(identity, str) else "",
            marks if isinstance(marks, dict) else {},
        )


def _match(notebook: Notebook, theirs: Sequence[_Theirs], repairs: list[str]) -> dict[int, int]:
    """Return the place of the student's version of each of the instructor's cells that is there."""
    by_grade_id: dict[str, int] = {}
    for place, each in enumerate(theirs):
        if each.grade_id and each.grade_id in by_grade_id:
            repairs.append(f"{each.grade_id}: it was there more than once; the last one counts")
        by_grade_id[each.grade_id] = place
    unmarked = [place for place, each in enumerate(theirs) if not each.grade_id]
    by_id = {theirs[place].id: place for place in unmarked if theirs[place].id}
    by_source = {theirs[place].source.strip(): place for place in unmarked}
    found: dict[int, int] = {}
    for cell in notebook.cells:
        where = by_grade_id.get(cell.grade_id) if cell.grade_id else None
        if where is None and cell.id in by_id:
            where = by_id[cell.id]
            if cell.grade_id:
                repairs.append(f"{cell.grade_id}: its name was lost; it was recognised by its id")
        if where is None and not cell.grade_id:
            where = by_source.get(cell.source.strip())
        if where is not None and where not in found.values():
            found[cell.index] = where
    repairs += _moved(notebook, found)
    return found


def _moved(notebook: Notebook, found: Mapping[int, int]) -> Iterator[str]:
    """Yield a sentence for each cell that stands out of order: all but the longest part that is in order."""
    order = sorted(found, key=lambda index: found[index])
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for place in order:
        length = bisect_left(ends, place)
        before[place] = ends[length - 1] if length else None
        ends[length:] = [place, *ends[length + 1 :]]
    kept: set[int] = set()
    last: int | None = ends[-1] if ends else None
    while last is not None:
        kept.add(last)
        last = before[last]
    for index in sorted(set(order) - kept):
        yield f"{name_of(notebook.cells[index])}: it was moved; put back in its place"


def _own_cells(theirs: Sequence[_Theirs], found: Mapping[int, int]) -> dict[int, list[int]]:
    """Return the places of the student's own cells, by the cell that each comes after; -1 stands for none."""
    whose = {place: index for index, place in found.items()}
    own: dict[int, list[int]] = {}
    last = -1
    for place in range(len(theirs)):
        last = whose.get(place, last)
        if place not in whose:
            own.setdefault(last, []).append(place)
    return own


def _own(theirs: _Theirs, ids: set[str]) -> Piece:
    """Return a cell of the student's own, under an id that no other cell has."""
    wanted = theirs.id if _VALID_ID.fullmatch(theirs.id) else "own"
    free, number = wanted, 1
    while free in ids:
        number += 1
        free = f"{wanted[:56]}-{number}"
    ids.add(free)
    return Piece(theirs.kind, theirs.source, free)


def _mended(cell: Cell, theirs: _Theirs | None, repairs: list[str]) -> Piece:
    """Return a cell of the instructor's as it is run."""
    name = name_of(cell)
    if theirs is None:
        if cell.grade_id or cell.is_code:
            repairs.append(f"{name}: it was missing; put back as released")
        return Piece(cell.kind, released(cell) if cell.is_solution else cell.source, cell.id, cell)
    if not cell.grade_id:
        return Piece(theirs.kind, theirs.source, cell.id, cell)
    if theirs.kind != cell.kind:
        repairs.append(f"{name}: it was made a {theirs.kind} cell; it is a {cell.kind} cell again")
    if not _has_marks_of(cell, theirs):
        repairs.append(f"{name}: its nbgrader entries were changed; the instructor's count")
    if cell.is_solution:
        return Piece(cell.kind, theirs.source, cell.id, cell)
    if theirs.source.strip() not in {released(cell).strip(), cell.source.strip()}:
        repairs.append(f"{name}: its text was changed; put back")
    return Piece(cell.kind, cell.source, cell.id, cell)


def _has_marks_of(cell: Cell, theirs: _Theirs) -> bool:
    ours: dict[str, bool | float] = {
        "grade": cell.is_grade,
        "solution": cell.is_solution,
        "locked": cell.is_locked,
    }
    if cell.is_grade:
        ours["points"] = cell.points
    return all(theirs.marks.get(mark) in (None, wanted) for mark, wanted in ours.items())
