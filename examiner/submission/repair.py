"""Makes the notebook to run: the instructor's, with the student's answers in its solution cells.

Cells are recognised by their grade_id, or by their id if that was lost. Cells that the student deleted,
duplicated, changed, moved or gave another type are restored, and each repair is reported. The student's own
cells stay where they were. Nothing else is taken from the submission: no metadata, tags, outputs or
attachments.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from examiner.errors import UnreadableNotebook
from examiner.notebook import Cell, Notebook, released

_KINDS: Final = {
    "code": "code",
    "markdown": "markdown",
    "raw": "raw",
    "heading": "markdown",
    "html": "markdown",
}
_VALID_ID: Final = re.compile(r"[a-zA-Z0-9-_]{1,64}")

MOST_CELLS: Final = 2000  # cells that a submission may have


@dataclass(frozen=True)
class Piece:
    """One cell of the repaired notebook.

    Parameters
    ----------
    original : Cell or None
        The instructor's cell; None if the cell is the student's own.
    """

    kind: str
    source: str
    id: str
    original: Cell | None = None

    @property
    def is_code(self) -> bool:
        """Whether it is a code cell, which is run."""
        return self.kind == "code"

    @property
    def is_autograded(self) -> bool:
        """Whether it is an autograded cell of the instructor."""
        return self.original is not None and self.original.is_autograded


@dataclass(frozen=True)
class Repaired:
    """The cells of the repaired notebook, in order, and one sentence for each repair."""

    pieces: tuple[Piece, ...]
    repairs: tuple[str, ...]


@dataclass(frozen=True)
class _StudentCell:
    """A cell as the student handed it in."""

    kind: str
    source: str
    id: str
    nbgrader: Mapping[str, Any]

    @property
    def grade_id(self) -> str:
        name = self.nbgrader.get("grade_id")
        return name if isinstance(name, str) else ""


def repair(notebook: Notebook, submitted: Mapping[str, Any]) -> Repaired:
    """Return the notebook to run for a submission.

    Parameters
    ----------
    notebook : Notebook
        The instructor's.
    submitted : mapping
        The JSON of the student's notebook, in any version of the format.

    Raises
    ------
    UnreadableNotebook
        If the student's JSON holds no cells at all, or more than `MOST_CELLS`.
    """
    cells = list(islice(_cells(submitted, notebook), MOST_CELLS + 1))
    if len(cells) > MOST_CELLS:
        fix = "hand in the cells of the assignment, and few more"
        raise UnreadableNotebook(notebook.path.name, f"the notebook has more than {MOST_CELLS} cells", fix)
    repairs: list[str] = []
    found = _match(notebook, cells, repairs)
    own = _own_cells(cells, found)
    ids = {cell.id for cell in notebook.cells}
    pieces = [_own(cells[position], ids) for position in own.get(-1, ())]
    for original in notebook.cells:
        position = found.get(original.index)
        pieces.append(_repaired(original, None if position is None else cells[position], repairs))
        pieces += [_own(cells[position], ids) for position in own.get(original.index, ())]
    return Repaired(tuple(pieces), tuple(repairs))


def unanswered(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Return the grade_ids of the solution cells that are still as released."""
    cells = ((piece.original, piece.source) for piece in pieces)
    return tuple(
        cell.grade_id for cell, source in cells if cell and cell.is_solution and source == released(cell)
    )


def name_of(cell: Cell) -> str:
    """Return the name of a cell for a sentence."""
    return cell.grade_id or cell.id or f"cell {cell.index + 1}"


def _cells(document: Mapping[str, Any], notebook: Notebook) -> Iterator[_StudentCell]:
    """Yield the student's cells, from nbformat 4 or from the worksheets of an earlier version."""
    sheets = document.get("worksheets", [document])
    lists = (
        [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        if isinstance(sheets, list)
        else []
    )
    if not any(isinstance(cells, list) for cells in lists):
        raise UnreadableNotebook(notebook.path.name, "the notebook holds no cells", "hand it in again")
    for raw in (raw for cells in lists if isinstance(cells, list) for raw in cells):
        if not isinstance(raw, dict) or str(raw.get("cell_type")) not in _KINDS:
            continue
        source = raw.get("source", raw.get("input", ""))
        if isinstance(source, list):
            source = "".join(line for line in source if isinstance(line, str))
        metadata = raw.get("metadata")
        nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        identity = raw.get("id")
        yield _StudentCell(
            _KINDS[raw["cell_type"]],
            source if isinstance(source, str) else "",
            identity if isinstance(identity, str) else "",
            nbgrader if isinstance(nbgrader, dict) else {},
        )


def _match(notebook: Notebook, cells: Sequence[_StudentCell], repairs: list[str]) -> dict[int, int]:
    """Return the positions of the student's versions of the instructor's cells, by the latter's index."""
    by_grade_id: dict[str, int] = {}
    for position, cell in enumerate(cells):
        if cell.grade_id and cell.grade_id in by_grade_id:
            repairs.append(f"{cell.grade_id}: it was there more than once; the last one counts")
        by_grade_id[cell.grade_id] = position
    unnamed = [position for position, cell in enumerate(cells) if not cell.grade_id]
    by_id = {cells[position].id: position for position in unnamed if cells[position].id}
    by_source: dict[str, list[int]] = {}
    for position in reversed(unnamed):  # of several with the same text, the first is taken first
        by_source.setdefault(_plain(cells[position].source), []).append(position)
    found: dict[int, int] = {}
    taken = {by_id[cell.id] for cell in notebook.cells if cell.id in by_id}  # cells known by their ids
    for original in notebook.cells:
        where = by_grade_id.get(original.grade_id) if original.grade_id else None
        if where is None and original.id in by_id:
            where = by_id[original.id]
            if original.grade_id:
                repairs.append(f"{original.grade_id}: its name was lost; it was recognised by its id")
        if where is None and not original.grade_id:
            same = by_source.get(_plain(released(original)), [])
            where = next((same.pop() for _ in range(len(same)) if same[-1] not in taken), None)
        if where is not None and where not in found.values():
            found[original.index] = where
    repairs += _moved(notebook, found)
    return found


def _moved(notebook: Notebook, found: Mapping[int, int]) -> Iterator[str]:
    """Yield a sentence for each cell that was moved: those outside the longest increasing subsequence."""
    order = sorted(found, key=lambda index: found[index])
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for index in order:
        length = bisect_left(ends, index)
        before[index] = ends[length - 1] if length else None
        ends[length:] = [index, *ends[length + 1 :]]
    kept: set[int] = set()
    last: int | None = ends[-1] if ends else None
    while last is not None:
        kept.add(last)
        last = before[last]
    for index in sorted(set(order) - kept):
        yield f"{name_of(notebook.cells[index])}: it was moved; put back in its place"


def _own_cells(cells: Sequence[_StudentCell], found: Mapping[int, int]) -> dict[int, list[int]]:
    """Return the positions of the student's own cells, by the instructor's cell before them; -1 for none."""
    index_of = {position: index for index, position in found.items()}
    own: dict[int, list[int]] = {}
    last = -1
    for position in range(len(cells)):
        last = index_of.get(position, last)
        if position not in index_of:
            own.setdefault(last, []).append(position)
    return own


def _own(cell: _StudentCell, ids: set[str]) -> Piece:
    """Return a cell of the student's own, with an id that no other cell has."""
    wanted = cell.id if _VALID_ID.fullmatch(cell.id) else "own"
    free, number = wanted, 1
    while free in ids:
        number += 1
        free = f"{wanted[:56]}-{number}"
    ids.add(free)
    return Piece(cell.kind, cell.source, free)


def _repaired(original: Cell, cell: _StudentCell | None, repairs: list[str]) -> Piece:
    """Return a cell of the instructor's as it is run; `cell` is the student's version of it."""
    name = name_of(original)
    if cell is None:
        if original.grade_id or original.is_code:
            repairs.append(f"{name}: it was missing; put back as released")
        source = released(original) if original.is_solution else original.source
        return Piece(original.kind, source, original.id, original)
    if not original.is_kept:
        return Piece(cell.kind, cell.source, original.id, original)
    if cell.kind != original.kind:
        repairs.append(f"{name}: it was made a {cell.kind} cell; it is a {original.kind} cell again")
    if not _has_same_metadata(original, cell):
        repairs.append(f"{name}: its nbgrader entries were changed; the instructor's count")
    if original.is_solution:
        return Piece(original.kind, cell.source, original.id, original)
    if _plain(cell.source) not in {_plain(released(original)), _plain(original.source)}:
        repairs.append(f"{name}: its text was changed; put back")
    return Piece(original.kind, original.source, original.id, original)


def _has_same_metadata(original: Cell, cell: _StudentCell) -> bool:
    """Whether the nbgrader metadata that the student's cell still has is the instructor's."""
    expected = {"grade": original.is_grade, "solution": original.is_solution, "locked": original.is_locked}
    found = cell.nbgrader
    is_same = all(found.get(key) in (None, value) for key, value in expected.items())
    points = found.get("points")
    return is_same and (not original.is_grade or points is None or _number(points) == original.points)


def _number(value: object) -> float | None:
    """Return points as a number; nbgrader takes a text as well."""
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


def _plain(source: str) -> str:
    """Return a text without what editors change when they save: ends of lines, and blanks before them."""
    return "\n".join(line.rstrip() for line in source.splitlines()).strip()
