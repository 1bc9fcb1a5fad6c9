"""The notebooks that are mangled: those of the bundled class, and a plain course of every kind of answer."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from examiner.errors import UnreadableNotebook
from examiner.notebook import Cell, Notebook, parse
from examiner.submission.matching import plainly_released
from examiner.submission.repair import Repaired, repair

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """What one student has handed in for one notebook, undisturbed.

    Parameters
    ----------
    name : str
        Of the notebook and the student.
    instructor : bytes
        The instructor's notebook.
    submitted : bytes
        The student's.
    is_plain : bool
        Whether it is of the plain course, and can be graded in a moment.
    """

    name: str
    instructor: bytes
    submitted: bytes
    is_plain: bool

    @property
    def notebook(self) -> Notebook:
        """The instructor's notebook."""
        return parsed(self.instructor)

    def document(self) -> Document:
        """Return a copy of the student's notebook, to be mangled."""
        document: Document = json.loads(self.submitted)
        for cell in document["cells"]:
            cell["source"] = "".join(cell["source"])
        return document

    def repaired(self) -> Repaired:
        """Return the notebook that is run if nothing is mangled."""
        return undisturbed(self.instructor, self.submitted)


@cache
def parsed(content: bytes) -> Notebook:
    """Return the notebook in an instructor's file."""
    return parse(json.loads(content), Path("a.ipynb"))


@cache
def undisturbed(instructor: bytes, submitted: bytes) -> Repaired:
    """Return the notebook that is run for what was handed in."""
    return repair(parsed(instructor), json.loads(submitted))


def works() -> list[Work]:
    """Return all of them; those of the plain course come first."""
    return [*_plain(), *_bundled()]


def _bundled() -> Iterator[Work]:
    for source in sorted(ROOT.glob("source/*/*.ipynb")):
        for path in sorted(ROOT.glob(f"submitted/*/{source.parent.name}/{source.name}")):
            work = Work(
                f"{path.parts[-3]}/{source.stem}", source.read_bytes(), path.read_bytes(), is_plain=False
            )
            try:
                if not work.repaired().repairs:
                    yield work
            except (UnreadableNotebook, ValueError):
                continue


def _plain() -> Iterator[Work]:
    """Yield the works of the plain course: all right, some wrong, some missing, and nothing done."""
    course = tomllib.loads((Path(__file__).parent / "plain.toml").read_text())
    cells, answers = [_cell(**entry) for entry in course["cells"]], course["answers"]
    released = {cell["id"]: plainly_released(original) for cell, original in _pairs(cells)}
    some = {name: answers[name] for name in ("mean", "both", "why")}
    for student, known in (
        ("right", answers),
        ("half", answers | course["wrong"]),
        ("some", some),
        ("blank", {}),
    ):
        texts = released | {_id(name): text for name, text in known.items()}
        handed = [cell | {"source": texts[cell["id"]]} for cell in cells]
        handed.insert(3, _cell("tidy", "own", course["own"]["tidy"]))
        handed.insert(12, _cell("try", "own", "print(area)" if student == "half" else "mean([1, 2])"))
        yield Work(f"{student}/plain", _notebook(cells), _notebook(handed), is_plain=True)


def _pairs(cells: list[Document]) -> Iterator[tuple[Document, Cell]]:
    return zip(cells, parsed(_notebook(cells)).cells, strict=True)


def _id(name: str) -> str:
    return f"{name}-5f0c"


def _cell(name: str, role: str, source: str, points: int = 0) -> Document:
    """Return a cell of the plain course."""
    marks = {
        "grade": role in {"test", "written"},
        "solution": role in {"answer", "written"},
        "locked": role in {"test", "locked"},
        "task": False,
    }
    entries = marks | {"grade_id": name, "schema_version": 3} | ({"points": points} if points else {})
    metadata = {"nbgrader": entries} if any(marks.values()) else {}
    cell: Document = {"id": _id(name), "metadata": metadata, "source": source}
    if role in {"written", "text"}:
        return cell | {"cell_type": "markdown"}
    return cell | {"cell_type": "code", "outputs": [], "execution_count": None}


def _notebook(cells: list[Document]) -> bytes:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    whole = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False).encode()
