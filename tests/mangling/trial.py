"""One mangled submission: what is run of it, what that earns, and whether that is right.

Most need no grading: if the same texts are run in the same order between the same tests as without the
mangling, the same comes out. Where that is not so, both are graded in the engine.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from time import process_time

from examiner.errors import ExaminerError
from examiner.notebook import released
from examiner.submission.document import read_document
from examiner.submission.notebooks import find_notebooks
from examiner.submission.repair import Repaired, repair
from tests.mangling.manglings import ALL, SCRATCH, Mangled, Mangling, Touch
from tests.mangling.works import Work

MOST_SECONDS = 3.0  # of one processor, for a notebook to be read and mended
SAME_GRADED = 0.05  # of the plain works of which the same is run, to see that the same comes out
TOUCHED_GRADED = 0.25  # of those in which answers were touched, to see that they earn no more
PERHAPS = 0.2  # of the submissions, the notebook gets another name
_HARMLESS = {"ids_lost", "header_odd", "outputs_odd", "sources_in_another_form", "cells_that_are_none"}
_HARMLESS |= {"own_cells", "entries_changed", "texts_deleted"}
_ALWAYS_GRADED = {"cells_that_leave", "tests_doubled"}
MIXED = tuple(entry for entry in ALL if entry.change.__name__ in _HARMLESS)
OF_BYTES = tuple(entry for entry in ALL if entry.is_of_bytes and entry.touches is Touch.NOTHING)
NAMES = (
    "{} (1).ipynb",
    "Copy of {}.ipynb",
    "{}-Copy1.ipynb",
    "{}.IPYNB",
    "{}_student01.ipynb",
    "a/{}.ipynb",
    "x.ipynb",
)

# Returns the points of each test for what was handed in for a work; None where a person has to look.
Grade = Callable[[Work, bytes], dict[str, float | None]]


class Came(StrEnum):
    """What came of a mangled submission."""

    SAME = "same"  # nothing had to be mended
    REPAIRED = "repaired"
    LESS = "no more"  # answers were touched, and it earns no more than before
    ASKED = "asked"  # a person has to look
    REFUSED = "refused"  # by one sentence
    LOST = "lost"  # points of answers that are intact
    UNEARNED = "unearned"
    BROKEN = "broken"  # another exception, or too slow

    @property
    def is_right(self) -> bool:
        """Whether this may be."""
        return self not in {Came.LOST, Came.UNEARNED, Came.BROKEN}


@dataclass(frozen=True)
class Trial:
    """What was done to which work, and what came of it."""

    number: int
    work: str
    manglings: tuple[str, ...]
    came: Came
    seconds: float
    note: str = ""
    is_graded: bool = False


def attempt(seed: int, number: int, works: list[Work], grade: Grade) -> Trial:
    """Mangle a work that the seed and the number choose, and see what comes of it."""
    random = Random(f"{seed}:{number}")
    it, done = _mangled(random, works, number)
    names = tuple(entry.name for entry in done)
    started = process_time()
    try:
        repaired = repair(it.work.notebook, read_document(it.content))
        seconds = process_time() - started
        came, note, is_graded = _judged(it, repaired, done, grade, random)
    except (ExaminerError, ValueError) as error:
        seconds = process_time() - started
        is_sentence = isinstance(error, ExaminerError) or "this is" in str(error)
        may_be = any(entry.touches is Touch.FILE for entry in done) and is_sentence
        came, note, is_graded = (Came.REFUSED if may_be else Came.BROKEN), repr(error)[:300], False
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported with its number
        seconds, came, note, is_graded = process_time() - started, Came.BROKEN, repr(error)[:300], False
    if seconds > MOST_SECONDS:
        came, note = Came.BROKEN, f"it took {seconds:.1f} s"
    return Trial(number, it.work.name, names, came, seconds, note, is_graded)


def _mangled(random: Random, works: list[Work], number: int) -> tuple[Mangled, list[Mangling]]:
    """Return a mangled submission, and all that was done to it: what has its turn, and more."""
    first = ALL[number % len(ALL)]
    while True:
        is_graded = first.touches is Touch.ANSWERS or first.change.__name__ in _ALWAYS_GRADED
        work = random.choice([known for known in works if known.is_plain or not is_graded])
        it = Mangled(work, random, work.document())
        more = [
            first,
            *(entry for entry in random.sample(MIXED, random.choice([0, 0, 1, 2])) if entry != first),
        ]
        done = [entry for entry in more if not entry.is_of_bytes and _changes(it, entry)]
        it.content = json.dumps(it.document, ensure_ascii=random.random() < 0.5).encode(
            "utf-8", "surrogatepass"
        )
        last = first if first.is_of_bytes else random.choice([None, None, *OF_BYTES])
        if last is not None and _changes(it, last):
            done.append(last)
        if first in done:
            return it, done


def _changes(it: Mangled, entry: Mangling) -> bool:
    """Mangle, and return whether there was anything of the kind; others may have spoilt it before."""
    try:
        return entry.change(it) is not False
    except (KeyError, TypeError, AttributeError, UnicodeError, ValueError):
        return False


def _judged(
    it: Mangled, repaired: Repaired, done: list[Mangling], grade: Grade, random: Random
) -> tuple[Came, str, bool]:
    """Return what came of a submission that could be read, why, and whether it was graded."""
    is_intact = all(entry.touches is Touch.NOTHING for entry in done)
    mended, before = (Came.REPAIRED if repaired.repairs else Came.SAME), it.work.repaired()
    if note := _broken(it.work, repaired):
        return Came.BROKEN, note, False
    if is_intact and random.random() < PERHAPS and (note := _misnamed(it, random)):
        return Came.LOST, note, False
    is_same = _program(repaired) == _program(before) and _texts(repaired) == _texts(before)
    if is_same and not (it.work.is_plain and random.random() < SAME_GRADED):
        return mended, "", False
    if not is_intact and not (it.work.is_plain and random.random() < TOUCHED_GRADED):
        return Came.LESS, "", False  # nothing of the instructor's is in it: see `_broken`
    was, now = grade(it.work, it.work.submitted), grade(it.work, it.content)
    came = _compared(was, now, is_same_text=_texts(repaired) == _texts(before), is_intact=is_intact)
    came = Came.ASKED if came is Came.LOST and repaired.doubtful else came
    return came or mended, f"{was} became {now}; {repaired.repairs[:6]}", True


def _compared(
    was: dict[str, float | None], now: dict[str, float | None], *, is_same_text: bool, is_intact: bool
) -> Came | None:
    """Return what became of the points, or None if they are the same."""
    if any((now[name] or 0) > (was[name] or 0) for name in was):
        return Came.UNEARNED
    if now == was and is_same_text:
        return None
    if None in now.values():
        return Came.ASKED
    return Came.LOST if is_intact else Came.LESS


def _broken(work: Work, repaired: Repaired) -> str:
    """Return what is wrong with a notebook to run, whatever was handed in."""
    originals = [piece.original for piece in repaired.pieces if piece.original]
    if originals != list(work.notebook.cells):
        return "the cells are not the instructor's, in their order"
    for piece in repaired.pieces:
        cell = piece.original
        if cell and cell.is_kept and not cell.is_solution and piece.source != cell.source:
            return f"{cell.grade_id} is not what it was"
        if cell and cell.is_kept and piece.kind != cell.kind:
            return f"{cell.grade_id} is a {piece.kind} cell"
    given = "\n".join([released(cell) for cell in work.notebook.cells])
    texts = "\n".join(
        piece.source for piece in repaired.pieces if not (piece.original and not piece.original.is_solution)
    )
    for cell in work.notebook.cells:
        if cell.is_solution and cell.source in texts and cell.source not in given:
            return f"{cell.grade_id} is the instructor's own answer"
    return ""


def _program(repaired: Repaired) -> list[str]:
    """Return what runs between the tests, which are given by name: lines that say something."""
    program = [""]
    for piece in repaired.pieces:
        if piece.is_autograded and piece.original:
            program += [f"test {piece.original.grade_id}", ""]
        elif piece.is_code:
            lines = (line.rstrip() for line in piece.source.splitlines() if line not in SCRATCH)
            program[-1] += "".join(f"{line}\n" for line in lines if re.match(r"\s*[^\s#]", line))
    return program


def _texts(repaired: Repaired) -> list[str]:
    """Return the written answers."""
    answers = (p for p in repaired.pieces if p.original and p.original.is_solution and not p.is_code)
    return ["\n".join(line.rstrip() for line in piece.source.splitlines()).strip() for piece in answers]


def _misnamed(it: Mangled, random: Random) -> str:
    """Return what is wrong if the submission is handed in under another name, beside another notebook."""
    path = random.choice(NAMES).format("part 1")
    found = find_notebooks(
        {"part 1": it.work.instructor, "part 2": OTHER}, {path: it.content, "part 2.ipynb": OTHER}
    )
    return "" if found.paths.get("part 1") == path else f"{path} was not recognised: {found.unsure}"


OTHER_MARKS = {"nbgrader": {"grade_id": "z", "solution": True}}
OTHER_CELL = {"cell_type": "code", "metadata": OTHER_MARKS, "source": "z = 1"}
OTHER = json.dumps({"cells": [OTHER_CELL], "nbformat": 4}).encode()
