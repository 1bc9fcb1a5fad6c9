"""Finds the instructor's cells in a submitted notebook, whatever was done to them.

A cell is known by its grade_id, else by its id, its text, what it defines, or where it stands between cells
that are known. Only a solution cell takes anything over from what is found, and only its text.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from symtable import symtable
from typing import Final

from examiner.model import normal
from examiner.notebook import Cell, Notebook, released, without_magics
from examiner.submission.document import UNKNOWN, SubmittedCell

ALIKE: Final = 0.5  # of the lines of a text, from which on another is a changed copy of it
IN_PLACE: Final = 0.25  # what its place adds to how well a cell fits
LONGEST_CELL: Final = 100_000  # characters of a cell that are searched for names
MOST_SEARCHED: Final = 1_000_000  # characters of a notebook


class StudentTexts:
    """What stands in a student's cells, by position: looked up once, and up to a number of characters."""

    def __init__(self, cells: Sequence[SubmittedCell]) -> None:
        self._sources = [cell.source for cell in cells]
        self._left = MOST_SEARCHED
        self._names: dict[int, frozenset[str] | None] = {}
        self._lines: dict[int, frozenset[str]] = {}
        self._plain: dict[int, str] = {}

    def names(self, position: int) -> frozenset[str]:
        """Return the names that a cell binds; none if it cannot be read."""
        return self._read(position) or frozenset()

    def is_readable(self, position: int) -> bool:
        """Whether a cell is Python."""
        return self._read(position) is not None

    def plain(self, position: int) -> str:
        """Return the text of a cell without what editors change."""
        if position not in self._plain:
            self._plain[position] = plain(self._sources[position])
        return self._plain[position]

    def lines(self, position: int) -> frozenset[str]:
        """Return the lines of a cell that are not empty."""
        if position not in self._lines:
            self._lines[position] = _lines(self._sources[position])
        return self._lines[position]

    def _read(self, position: int) -> frozenset[str] | None:
        if position not in self._names:
            source = self._sources[position]
            self._left -= len(source)
            self._names[position] = names_in(source) if self._left >= 0 else None
        return self._names[position]


@dataclass
class Matching:
    """Which cell of a submission is which of the instructor's.

    Parameters
    ----------
    texts : StudentTexts
        What stands in the student's cells.
    found : dict from int to int
        By index, the instructor's cells, each with the position of the student's version of it.
    merged : dict from int to int
        By index, solution cells whose answer stands in the student's version of another cell; its position.
    left_out : set of int
        The positions of copies of solution cells that nobody has answered; they would undo an answer.
    doubtful : set of int
        By index, solution cells that were not found, although their answer may be there.
    repairs : list of str
        A sentence for each cell that was not known by its name.
    """

    texts: StudentTexts
    found: dict[int, int] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)
    left_out: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)
    repairs: list[str] = field(default_factory=list)


def match(notebook: Notebook, cells: Sequence[SubmittedCell]) -> Matching:
    """Return which cells of a submission are the instructor's."""
    return _Matcher(notebook, cells).match()


def name_of(cell: Cell) -> str:
    """Return the name of a cell for a sentence."""
    return cell.grade_id or cell.id or f"cell {cell.index + 1}"


def plain(source: str) -> str:
    """Return a text without what editors change when they save: ends of lines, and blanks before them."""
    return "\n".join(line.rstrip() for line in source.splitlines()).strip()


@lru_cache(maxsize=1024)
def plainly_released(original: Cell) -> str:
    """Return the plain text of an instructor's cell as it was released."""
    return plain(released(original))


def is_as_released(original: Cell, source: str) -> bool:
    """Whether a text is that of the release."""
    return plain(source) == plainly_released(original)


def names_in(source: str) -> frozenset[str] | None:
    """Return the names that a cell of Python binds in the notebook; None if it cannot be read."""
    if len(source) > LONGEST_CELL:
        return None
    try:
        table = symtable(without_magics(source), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return frozenset(s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported())


def bound_names(source: str) -> frozenset[str]:
    """Return the names that a cell of Python binds in the notebook; of what cannot be read, none."""
    return names_in(source) or frozenset()


@lru_cache(maxsize=1024)
def _bound_by(original: Cell) -> frozenset[str]:
    return bound_names(original.source)


@lru_cache(maxsize=1024)
def expected_names(original: Cell) -> frozenset[str]:
    """Return the names that an answer has to bind: those of stubs, and those that only the solution binds.

    Where there are none, they are what the released text binds.
    """
    text = released(original)
    given = bound_names(text)
    return (_left_open(original, text) | (_bound_by(original) - given)) or given


def _left_open(original: Cell, text: str) -> frozenset[str]:
    """Return the names of the functions and classes in which a stub stands."""
    stub = _lines(original.stub)
    try:
        tree = ast.parse(without_magics(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    lines = text.split("\n")
    return frozenset(
        statement.name
        for statement in tree.body
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if any(line.strip() in stub for line in lines[statement.lineno - 1 : statement.end_lineno])
    )


@lru_cache(maxsize=1024)
def _lines_of(original: Cell) -> frozenset[str]:
    """Return the lines of a cell that every student has; of a solution cell, without the stub."""
    lines = _lines(released(original))
    return lines - _lines(original.stub) if original.is_solution else lines


def _lines(source: str) -> frozenset[str]:
    return frozenset(line.strip() for line in source[:LONGEST_CELL].splitlines() if line.strip())


class _Matcher:
    """One matching on its way: the instructor's cells, the student's, and what is found so far."""

    def __init__(self, notebook: Notebook, cells: Sequence[SubmittedCell]) -> None:
        self.originals, self.cells = notebook.cells, cells
        self.texts = StudentTexts(cells)
        self.done = Matching(self.texts)
        self.taken: set[int] = set()
        self.known = {normal(cell.grade_id): cell for cell in notebook.cells if cell.grade_id}
        self.names = [normal(cell.grade_id).strip() for cell in cells]

    def match(self) -> Matching:
        self._by_grade_id()
        self._by_id(only_fitting=True)
        if self._has_missing():
            self._by_text()
            self._by_likeness()
            self._by_id(only_fitting=False)
        self._stubs_beside_answers()
        if any(self._lost()):
            self._by_names()
            self._by_merging()
            self._by_place()
            self._doubt()
        return self.done

    def _take(self, original: Cell, position: int, how: str = "") -> None:
        self.done.found[original.index] = position
        self.taken.add(position)
        if how and original.grade_id:
            self.done.repairs.append(f"{original.grade_id}: its name was lost; it was recognised by {how}")

    def _is_missing(self, original: Cell) -> bool:
        return original.index not in self.done.found

    def _has_missing(self) -> bool:
        return any(map(self._is_missing, self.originals)) and len(self.taken) < len(self.cells)

    def _lost(self) -> Iterator[Cell]:
        """Yield the solution cells that nothing is known of."""
        for original in self.originals:
            is_answer = original.is_solution and original.is_kept
            if is_answer and self._is_missing(original) and original.index not in self.done.merged:
                yield original

    def _free(self) -> list[int]:
        """Return the positions of the cells that are nobody's so far, in order."""
        away = self.taken | self.done.left_out
        return [position for position in range(len(self.cells)) if position not in away]

    def _by_grade_id(self) -> None:
        named: dict[int, list[int]] = {}
        for position, name in enumerate(self.names):
            if name in self.known:
                named.setdefault(self.known[name].index, []).append(position)
        for index, positions in sorted(named.items()):
            self._of_several(self.originals[index], positions)

    def _of_several(self, original: Cell, positions: Sequence[int]) -> None:
        """Take the last of the cells with one name; of a solution, the last that holds an answer."""
        answered = [position for position in positions if not self._is_blank(original, position)]
        chosen = answered[-1] if original.is_solution and answered else positions[-1]
        self._take(original, chosen)
        which = "the last one" if chosen == positions[-1] else "the last one with an answer"
        if len(positions) > 1:
            self.done.repairs.append(f"{name_of(original)}: it was there more than once; {which} counts")

    def _is_blank(self, original: Cell, position: int) -> bool:
        return self.texts.plain(position) in {"", plainly_released(original)}

    def _by_id(self, *, only_fitting: bool) -> None:
        by_id = {self.cells[p].id: p for p in self._unnamed() if self.cells[p].id}
        for original in filter(self._is_missing, self.originals):
            position = by_id.get(original.id)
            if position is None or position in self.taken:
                continue
            if not (only_fitting and self._contradicts(original, position)):
                self._take(original, position, "its id")

    def _unnamed(self) -> list[int]:
        return [position for position in self._free() if self.names[position] not in self.known]

    def _contradicts(self, original: Cell, position: int) -> bool:
        """Whether a text speaks against an id: ids that count cells are others after one was put in."""
        if not original.is_kept:
            return False
        text = self.texts.plain(position)
        if original.is_solution:
            names, bound = expected_names(original), self.texts.names(position)
            is_other = text in self.release - {plainly_released(original)}
            return is_other or bool(names and bound and not names & bound)
        return text != plain(original.source) and self._likeness(original, position) < ALIKE

    @cached_property
    def release(self) -> frozenset[str]:
        """The plain texts of the release."""
        return frozenset(text for original in self.originals if (text := plainly_released(original)))

    def _by_text(self) -> None:
        by_text: dict[str, list[int]] = {}
        for position in reversed(self._unnamed()):  # of several with the same text, the first is taken first
            by_text.setdefault(self.texts.plain(position), []).append(position)
        for original in filter(self._is_missing, self.originals):
            text = plainly_released(original)
            same = by_text.get(text) if text or not original.is_kept else None
            if same:
                self._take(original, same.pop(), "its text")

    def _by_likeness(self) -> None:
        """Take changed copies of locked cells and tests, so that others are known by their places."""
        for original in filter(self._is_missing, self.originals):
            if not original.is_kept or original.is_solution:
                continue
            likeness = [(self._likeness(original, position), -position) for position in self._unnamed()]
            best, place = max(likeness, default=(0.0, 0))
            if best >= ALIKE:
                self._take(original, -place, "most of its text")

    def _likeness(self, original: Cell, position: int) -> float:
        """Return how many of the lines of an instructor's cell stand in a student's, from 0 to 1."""
        expected = _lines_of(original)
        return len(expected & self.texts.lines(position)) / len(expected) if expected else 0.0

    def _stubs_beside_answers(self) -> None:
        """Take solution cells for lost that say nothing while a cell of the student's own has the answer.

        Copies of what was released are left out: where they stand, they would undo an answer.
        """
        if len(self.taken) == len(self.cells):
            return
        answers = [o for o in self.originals if o.is_solution and o.is_kept and expected_names(o)]
        stubs = {plainly_released(original): name_of(original) for original in answers}
        for position in self._free():
            name = stubs.get(self.texts.plain(position))
            if name is not None:
                self.done.left_out.add(position)
                self.done.repairs.append(f"{name}: a copy of it as it was released was left out")
        own = [position for position in self._free() if self._may_be_code(position)]
        for original in filter(self._is_found_blank, self.originals):
            names = expected_names(original)
            if names and any(names <= self.texts.names(position) for position in own):
                self.done.left_out.add(self.done.found.pop(original.index))

    def _is_found_blank(self, original: Cell) -> bool:
        position = self.done.found.get(original.index)
        return (
            original.is_solution
            and original.is_code
            and position is not None
            and (self._is_blank(original, position) or self._does_nothing(position))
        )

    def _does_nothing(self, position: int) -> bool:
        """Whether a cell holds only comments, such as where the answer is."""
        return all(line.startswith("#") or line in {"pass", "..."} for line in self.texts.lines(position))

    def _may_be_code(self, position: int) -> bool:
        cell = self.cells[position]
        return cell.kind in {"code", UNKNOWN}

    def _by_names(self) -> None:
        """Give lost solution cells the student's own cells that define what they ask for, in order."""
        lost = [original for original in self._lost() if original.is_code]
        free = self._free()
        fits = [[self._fit(original, position) for position in free] for original in lost]
        for row, column in _in_order(fits):
            self._take(lost[row], free[column], "what it defines")
        for row, original in enumerate(lost):
            rest = [(fit, p) for fit, p in zip(fits[row], free, strict=True) if fit and p not in self.taken]
            if self._is_missing(original) and rest:
                self._take(original, max(rest)[1], "what it defines")

    def _fit(self, original: Cell, position: int) -> float:
        """Return how well a cell of the student's own fits a lost solution cell; 0 if it does not."""
        names = expected_names(original)
        likeness = self._likeness(original, position)
        shared = len(names & self.texts.names(position)) / len(names) if names else 0.0
        if not self._may_be_code(position) and not self._defines(position, names):
            return 0.0
        if not shared and likeness < ALIKE:
            return 0.0
        return shared + likeness / 2 + (IN_PLACE if position in self._slot(original) else 0.0)

    def _defines(self, position: int, names: Iterable[str]) -> bool:
        """Whether a text that is no code has a function or a class of these names; notes have none."""
        source = self.cells[position].source
        return any(re.search(rf"^(?:def|class) {re.escape(name)}\b", source, re.MULTILINE) for name in names)

    def _slot(self, original: Cell) -> range:
        """Return the positions between the nearest cells before and after an original that are known."""
        found = self.done.found
        before = max((i for i in found if i < original.index), default=None)
        after = min((i for i in found if i > original.index), default=None)
        first = -1 if before is None else found[before]
        last = len(self.cells) if after is None else found[after]
        return range(first + 1, last)

    def _by_merging(self) -> None:
        """Find the answers that stand in a cell which is known as another: somebody has merged the two."""
        for original in [original for original in self._lost() if original.is_code]:
            for index, position in sorted(self.done.found.items(), key=lambda pair: pair[1]):
                other = self.originals[index]
                if self._may_be_code(position) and self._is_merged(original, other, position):
                    self.done.merged[original.index] = position
                    sentence = f"it was merged with {name_of(other)}; its answer was taken from there"
                    self.done.repairs.append(f"{name_of(original)}: {sentence}")
                    break

    def _is_merged(self, original: Cell, other: Cell, position: int) -> bool:
        """Whether an answer stands in a cell that is known as another one.

        It binds a name that the other does not; or it stands before or behind the whole text of a locked one.
        """
        if (expected_names(original) - _bound_by(other)) & self.texts.names(position):
            return True
        is_beside = abs(original.index - other.index) == 1
        text, whole = plainly_released(other), self.texts.plain(position)
        is_part = len(text) < len(whole) and (whole.startswith(text) or whole.endswith(text))
        return (
            is_beside and is_part and bool(text) and other.is_kept and not other.is_solution and other.is_code
        )

    def _by_place(self) -> None:
        """Take for a lost solution cell what stands in its place, if that may be an answer."""
        for original in list(self._lost()):
            slot, free = self._slot(original), self._free()
            there = [p for p in free if p in slot and self._may_answer(original, p)]
            if original.is_code:
                there = there if len(there) == 1 else []
            if there:
                longest = max(there, key=lambda position: len(self.cells[position].source))
                self._take(original, longest, "its place")

    def _may_answer(self, original: Cell, position: int) -> bool:
        """Whether a cell may be the answer that nothing but its place speaks for."""
        text = self.texts.plain(position)
        if not text or text in self.release:
            return False
        if not original.is_code:
            return self.cells[position].kind != "code"
        return self._may_be_code(position) and (
            not expected_names(original) or not self.texts.is_readable(position)
        )

    def _doubt(self) -> None:
        """Note which solution cells may have an answer that was not found, or was given to another."""
        guessed = list(self._guessed())
        for original in self._lost():
            may_answer = [] if original.is_code and expected_names(original) else self._free()
            if (
                any(self._may_answer(original, position) for position in may_answer)
                or (original.is_code and any(self._could_be(original, position) for position in guessed))
                or (not original.is_code and self._has_changed_neighbour(original))
            ):
                self.done.doubtful.add(original.index)

    def _guessed(self) -> Iterator[int]:
        """Yield the positions of answers that have no names and stand elsewhere than they should."""
        for index, position in self.done.found.items():
            original = self.originals[index]
            is_nameless = original.is_solution and self.names[position] not in self.known
            if is_nameless and position not in self._slot(original):
                yield position

    def _has_changed_neighbour(self, original: Cell) -> bool:
        """Whether a text beside a lost one is not as released, so that the two may have been merged."""
        beside = [o for o in self.originals if abs(o.index - original.index) == 1 and not o.is_code]
        texts = ((o, self.cells[self.done.found[o.index]].source) for o in beside if not self._is_missing(o))
        return any(source.strip() and not is_as_released(o, source) for o, source in texts)

    def _could_be(self, original: Cell, position: int) -> bool:
        """Whether a cell that was given to another solution cell fits this one as well."""
        names = expected_names(original)
        return bool(names) and names <= self.texts.names(position)


def _in_order(fits: Sequence[Sequence[float]]) -> Iterator[tuple[int, int]]:
    """Yield pairs of a row and a column, both rising, that fit best together; of equals, the later column."""
    rows, columns = len(fits), len(fits[0]) if fits else 0
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows):
        above, here, fit = best[row], best[row + 1], fits[row]
        for column in range(columns):
            both = above[column] + fit[column] if fit[column] else 0.0
            here[column + 1] = max(here[column], above[column + 1], both)
    row, column = rows, columns
    while row and column:
        fit_here = fits[row - 1][column - 1]
        if fit_here and best[row][column] == best[row - 1][column - 1] + fit_here:
            row, column = row - 1, column - 1
            yield row, column
        elif best[row][column] == best[row][column - 1]:
            column -= 1
        else:
            row -= 1
