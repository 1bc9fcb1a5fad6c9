"""Reads notebooks with nbgrader's metadata: cells, points, categories, hidden regions.

It reads plain JSON, since nbformat's validation takes more than a second to import, and a submission only has
to be valid in nbgrader's own reading.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from examiner.errors import BadSource, ExaminerError

NBFORMAT: Final = 4
ENTRY: Final = "examiner"  # what is ours in the metadata of an executed notebook and of its cells

CHECKS: Final = "examiner_checks"  # the package that grade cells import
REFERENCE: Final = "reference"  # what a hidden test calls the instructor's package

BEGIN_HIDDEN, END_HIDDEN = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
BEGIN_SOLUTION, END_SOLUTION = "BEGIN SOLUTION", "END SOLUTION"

# What nbgrader writes instead of a solution, and instead of a written answer.
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
TEXT_STUB = "YOUR ANSWER HERE"

CATEGORIES = ("interface", "gradient", "numeric", "speed", "memory", "written")


@dataclass(frozen=True)
class Cell:
    """One cell, with what nbgrader's metadata says about it."""

    index: int
    id: str
    kind: str
    source: str
    grade_id: str = ""
    points: float = 0.0
    is_grade: bool = False
    is_solution: bool = False
    is_locked: bool = False

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
        return Notebook(path, tuple(_cell(i, raw) for i, raw in enumerate(document["cells"])))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadSource(
            path, f"its cells cannot be read ({error!r})", "save it again in JupyterLab"
        ) from error


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


def _cell(index: int, raw: Mapping[str, Any]) -> Cell:
    source = raw["source"]
    return Cell(
        index=index,
        id=raw.get("id", ""),
        kind=raw["cell_type"],
        source=source if isinstance(source, str) else "".join(source),
        grade_id=mark(raw, "grade_id") or "",
        points=float(mark(raw, "points") or 0),
        is_grade=bool(mark(raw, "grade")),
        is_solution=bool(mark(raw, "solution")),
        is_locked=bool(mark(raw, "locked")),
    )


@dataclass(frozen=True)
class Region:
    """Lines `first`…`last` of a cell, counted from 1, markers included."""

    first: int
    last: int

    def __contains__(self, line: int) -> bool:
        return self.first <= line <= self.last


def regions(source: str, begin: str, end: str) -> tuple[Region, ...]:
    """Return the marked regions of a cell.

    Raises
    ------
    ValueError
        If a region is opened twice, never closed, or closed without having been opened.
    """
    found, first = [], None
    for number, line in enumerate(source.split("\n"), start=1):
        if begin in line:
            if first is not None:
                raise ValueError(f"line {number} opens '{begin}' inside the region that line {first} opened")
            first = number
        elif end in line:
            if first is None:
                raise ValueError(f"line {number} says '{end}', but no line before it says '{begin}'")
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


def visible(source: str) -> str:
    """Return the source without its hidden tests, as students see it."""
    hidden = hidden_regions(source)
    lines = source.split("\n")
    return "\n".join(line for n, line in enumerate(lines, start=1) if not any(n in r for r in hidden))


def hidden(source: str) -> str:
    """Return only the hidden tests; every other line is empty, so that line numbers stay."""
    inside = hidden_regions(source)
    lines = source.split("\n")
    return "\n".join(line if any(n in r for r in inside) else "" for n, line in enumerate(lines, start=1))


def blank(source: str, stub: str = STUB) -> str:
    """Return a solution cell as students get it, with nbgrader's stub instead of each solution."""
    lines, kept, past = source.split("\n"), [], 0
    for region in solution_regions(source):
        kept += lines[past : region.first - 1]
        marker = lines[region.first - 1]
        indent = marker[: len(marker) - len(marker.lstrip())]
        kept += [indent + line for line in stub.split("\n")]
        past = region.last
    return "\n".join(kept + lines[past:])


def released(cell: Cell) -> str:
    """Return the source of a cell as in the release: without solutions and hidden tests."""
    if not cell.is_solution:
        return visible(cell.source)
    stub = STUB if cell.is_code else TEXT_STUB
    return blank(cell.source, stub) if solution_regions(cell.source) else stub


def check_source(notebook: Notebook) -> None:
    """Refuse an instructor's notebook that nbgrader would reject, and name the cell.

    Raises
    ------
    BadSource
        If a region is not closed or is in the wrong kind of cell, or two cells have the same grade_id.
    """
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        place = f"{notebook.path}, cell {cell.index + 1} ({cell.grade_id or cell.id})"
        try:
            has_solution, has_hidden = bool(solution_regions(cell.source)), bool(hidden_regions(cell.source))
        except ValueError as error:
            raise BadSource(place, str(error), "close each region before the next is opened") from None
        if has_solution and not cell.is_solution:
            raise BadSource(
                place, "a solution is in a cell that is not a solution cell", "make it a solution cell"
            )
        if has_hidden and not cell.is_grade:
            raise BadSource(
                place, "hidden tests are in a cell that is not a grade cell", "make it a grade cell"
            )
        if cell.grade_id and cell.grade_id in seen:
            fact = f"cell {seen[cell.grade_id] + 1} has the same grade_id"
            raise BadSource(place, fact, "give each cell a grade_id of its own")
        seen[cell.grade_id] = cell.index
