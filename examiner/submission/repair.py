"""Makes the notebook to run: the instructor's, with the student's answers in its solution cells.

Cells that the student deleted, duplicated, changed, moved or gave another type are restored, and each repair
is reported. The student's own cells stay where they were; what they define stands before or after an answer
as the student had it. A text of theirs keeps the pictures that it shows. Nothing else is taken from the
submission: no metadata, tags or outputs.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from examiner.errors import printable
from examiner.model import Files
from examiner.notebook import Cell, Notebook, released
from examiner.submission.document import UNKNOWN, SubmittedCell, cells_of
from examiner.submission.matching import (
    Matching,
    bound_names,
    is_as_released,
    match,
    name_of,
    names_in,
    plain,
)
from examiner.submission.pictures import Album, Attachments

MOST_REPAIRS: Final = 40  # that are told of a notebook
MOST_OF_A_REPAIR: Final = 300  # characters
_VALID_ID: Final = re.compile(r"[a-zA-Z0-9-_]{1,64}")


@dataclass(frozen=True)
class Piece:
    """One cell of the repaired notebook.

    Parameters
    ----------
    original : Cell or None
        The instructor's cell; None if the cell is the student's own.
    attachments : mapping
        The pictures that a student attached to a text, as nbformat has them.
    """

    kind: str
    source: str
    id: str
    original: Cell | None = None
    attachments: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)

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
    """The notebook to run.

    Parameters
    ----------
    pieces : tuple of Piece
        Its cells, in order.
    repairs : tuple of str
        One sentence for each repair.
    doubtful : frozenset of str
        The grade_ids of the solution cells that are missing, although their answers may stand elsewhere.
    """

    pieces: tuple[Piece, ...]
    repairs: tuple[str, ...]
    doubtful: frozenset[str] = frozenset()


def repair(
    notebook: Notebook, submitted: Mapping[str, Any], beside: Files = MappingProxyType({})
) -> Repaired:
    """Return the notebook to run for a submission.

    Parameters
    ----------
    notebook : Notebook
        The instructor's.
    submitted : mapping
        The JSON of the student's notebook, in any version of the format.
    beside : mapping from str to bytes
        What lies beside the student's notebook, where the pictures of a text may be.

    Raises
    ------
    UnreadableNotebook
        If the student's JSON holds no cells at all, or too many.
    """
    cells = cells_of(submitted, notebook.path.name)
    matching = match(notebook, cells)
    kept = _in_order(matching.found)
    repairs = matching.repairs
    repairs += [
        f"{name_of(notebook.cells[index])}: it was moved; put back in its place"
        for index in sorted(matching.found.keys() - kept)
    ]
    texts = dict(_texts(notebook, cells, matching, repairs))
    own = _own_cells(notebook, cells, matching, kept, texts)
    ids = {cell.id for cell in notebook.cells}
    pieces = [_own(cells[position], ids) for position in own.get(-1, ())]
    for original in notebook.cells:
        position = matching.found.get(original.index)
        found = None if position is None else _parted(original, cells[position], notebook, matching)
        piece = _repaired(original, found, texts.get(original.index), repairs)
        where = matching.merged.get(original.index, position)
        pieces.append(piece if where is None else replace(piece, attachments=cells[where].attachments))
        pieces += [_own(cells[position], ids) for position in own.get(original.index, ())]
    strange = sum(cells[position].kind == UNKNOWN for positions in own.values() for position in positions)
    if strange:
        repairs.append(
            f"{strange} of the student's own cells had no known kind; what they hold says which it is"
        )
    doubtful = frozenset(notebook.cells[index].grade_id for index in matching.doubtful)
    return Repaired(tuple(_with_pictures(pieces, Album(beside), repairs)), tuple(repairs), doubtful)


def bounded(repairs: Sequence[str]) -> tuple[str, ...]:
    """Return sentences about repairs, each in one line of bounded length, and not more than can be read."""
    lines = [printable(" ".join(repair.split()), MOST_OF_A_REPAIR) for repair in repairs[:MOST_REPAIRS]]
    more = len(repairs) - MOST_REPAIRS
    return (*lines, f"and {more} more") if more > 0 else tuple(lines)


def unanswered(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Return the grade_ids of the solution cells that are still as released."""
    cells = ((piece.original, piece.source) for piece in pieces)
    return tuple(
        cell.grade_id for cell, source in cells if cell and cell.is_solution and source == released(cell)
    )


def _in_order(found: Mapping[int, int]) -> set[int]:
    """Return the cells that were not moved: those of the longest subsequence that is in order."""
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
    return kept


def _texts(
    notebook: Notebook, cells: Sequence[SubmittedCell], matching: Matching, repairs: list[str]
) -> Iterator[tuple[int, str]]:
    """Yield the text that is put into each solution cell that has no cell of its own, by its index."""
    index_of = {position: index for index, position in matching.found.items()}
    for original in notebook.cells:
        index = original.index
        if index in matching.merged:
            position = matching.merged[index]
            yield index, _merged(original, notebook.cells[index_of[position]], cells[position].source)
        elif original.is_solution and original.is_kept and index not in matching.found:
            yield index, _missing(original, matching, repairs)


def _parted(original: Cell, cell: SubmittedCell, notebook: Notebook, matching: Matching) -> SubmittedCell:
    """Return an answer without the text of a locked cell beside it that was merged into it.

    That is put back in its own place; in the answer, its failure would keep what follows from being run.
    """
    if not (original.is_solution and original.is_code):
        return cell
    for other in notebook.cells[max(original.index - 1, 0) : original.index + 2]:
        text = released(other).strip()
        is_lost = other.is_kept and not other.is_solution and other.index not in matching.found
        if not (is_lost and text):
            continue
        source = cell.source.strip().removeprefix(text).removesuffix(text).strip("\n")
        if len(source) < len(cell.source.strip()):
            matching.repairs.append(
                f"{name_of(original)}: it was merged with {name_of(other)}; they are parted"
            )
            cell = replace(cell, source=source)
    return cell


def _merged(original: Cell, other: Cell, source: str) -> str:
    """Return the answer of a solution cell that was merged with another cell."""
    if other.is_kept and not other.is_solution:  # its own text is put back, so the rest is the answer
        return source.replace(released(other).strip(), "", 1).strip("\n")
    if other.index < original.index:
        return _comment(
            original, f"The answer stands in the cell {name_of(other)}, with which it was merged."
        )
    return source  # which is needed here already


def _missing(original: Cell, matching: Matching, repairs: list[str]) -> str:
    """Return the text of a solution cell of which nothing was found."""
    source = released(original)
    if original.index not in matching.doubtful:
        repairs.append(f"{name_of(original)}: it was missing; put back as released")
        return source
    repairs.append(f"{name_of(original)}: it was missing; its answer may stand in another cell: look there")
    note = "This cell was missing; its answer may stand in another one."
    return f"{_comment(original, note)}\n{source}" if original.is_code else f"({note})\n\n{source}"


def _comment(original: Cell, text: str) -> str:
    """Return a comment in the language of a cell, which is that of its stub."""
    sign = original.stub.split(maxsplit=1)[0]
    return f"{sign} {text}{' */' if sign == '/*' else ''}"


def _own_cells(
    notebook: Notebook,
    cells: Sequence[SubmittedCell],
    matching: Matching,
    kept: set[int],
    texts: Mapping[int, str],
) -> dict[int, list[int]]:
    """Return the positions of the student's own cells, by the instructor's cell before them; -1 for none."""
    index_of = {position: index for index, position in matching.found.items()}
    is_disturbed = bool(texts) or len(kept) < len(matching.found)
    answers = list(_answers(notebook, matching, texts)) if is_disturbed else []
    own: dict[int, list[int]] = {}
    last = -1
    for position in range(len(cells)):
        if position in index_of:
            last = index_of[position] if index_of[position] in kept else last
        elif position not in matching.left_out:
            names = matching.texts.names(position) if answers else frozenset()
            own.setdefault(_place(answers, names, position, last), []).append(position)
    return own


def _answers(
    notebook: Notebook, matching: Matching, texts: Mapping[int, str]
) -> Iterator[tuple[int, int, frozenset[str]]]:
    """Yield for each answer its index, where the student had it, and the names that it binds."""
    for original in notebook.cells:
        if original.is_solution and original.is_code and original.is_kept:
            position = matching.found.get(original.index, -1)  # what is not the student's precedes all of it
            names = matching.texts.names(position) if position >= 0 else bound_names(texts[original.index])
            yield original.index, position, names


def _place(
    answers: Sequence[tuple[int, int, frozenset[str]]], names: frozenset[str], position: int, last: int
) -> int:
    """Return after which cell of the instructor's a student's own cell is put, which stood after `last`.

    What binds the same name as an answer stays before or after it, as the student had it. What was not the
    student's, such as a stub that is put back, stands before it.
    """
    for index, where, bound in answers:
        if names & bound:
            last = min(last, index - 1) if position < where else max(last, index)
    return last


def _own(cell: SubmittedCell, ids: set[str]) -> Piece:
    """Return a cell of the student's own, with an id that no other cell has."""
    wanted = cell.id if _VALID_ID.fullmatch(cell.id) else "own"
    free, number = wanted, 1
    while free in ids:
        number += 1
        free = f"{wanted[:56]}-{number}"
    ids.add(free)
    kind = cell.kind
    if kind == UNKNOWN:
        kind = "code" if cell.may_be_code or names_in(cell.source) is not None else "markdown"
    return Piece(kind, cell.source, free, attachments=cell.attachments)


def _repaired(original: Cell, cell: SubmittedCell | None, text: str | None, repairs: list[str]) -> Piece:
    """Return a cell of the instructor's as it is run.

    Parameters
    ----------
    cell : SubmittedCell or None
        The student's version of it.
    text : str or None
        What is put into a solution cell that has none.
    """
    name = name_of(original)
    if cell is None:
        if text is None and (original.grade_id or original.is_code):
            repairs.append(f"{name}: it was missing; put back as released")
        return Piece(original.kind, original.source if text is None else text, original.id, original)
    kind = cell.kind or original.kind
    if not original.is_kept:
        return Piece(kind, cell.source, original.id, original)
    if kind != original.kind:
        repairs.append(f"{name}: it was made a {kind} cell; it is a {original.kind} cell again")
    if cell.kind == UNKNOWN:
        repairs.append(f"{name}: its kind was lost; it is a {original.kind} cell again")
    if not _has_same_metadata(original, cell):
        repairs.append(f"{name}: its nbgrader entries were changed; the instructor's count")
    if original.is_solution:
        return Piece(original.kind, cell.source, original.id, original)
    if not (is_as_released(original, cell.source) or plain(cell.source) == plain(original.source)):
        repairs.append(f"{name}: its text was changed; put back")
    return Piece(original.kind, original.source, original.id, original)


def _with_pictures(pieces: Iterable[Piece], album: Album, repairs: list[str]) -> Iterator[Piece]:
    """Yield the pieces, each with those of its attachments that its text shows and that are pictures."""
    for piece in pieces:
        kept: Attachments = {}
        if _is_text_of_a_students(piece):
            name = name_of(piece.original) if piece.original else "a cell of the student's own"
            kept, sentences = album.keep(name, piece.source, {"attachments": piece.attachments})
            repairs += sentences
        yield replace(piece, attachments=kept)


def _is_text_of_a_students(piece: Piece) -> bool:
    """Whether it is Markdown, and not as the instructor wrote it."""
    original = piece.original
    if piece.kind != "markdown" or original is None:
        return piece.kind == "markdown"
    return not (is_as_released(original, piece.source) or plain(piece.source) == plain(original.source))


def _has_same_metadata(original: Cell, cell: SubmittedCell) -> bool:
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
