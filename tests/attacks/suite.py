"""Submissions as data: what each one does, and how it comes to lie in `submitted/`.

`hostile/<kind>/<name>.toml` and `honest/<name>.toml` each describe one student:

    does      what it does, in a line
    earned    the points its code really earned, or "refused" where no code can be read
    built_on  what the solution cells not named below hold: "blank", as released, or "right"
    tools     files of tools/ whose code stands in front, in a cell of its own
    builder   a function of builders.py that makes the files odd, after all else
    unseen    a text that must never appear in feedback
    says      a text that its outputs must hold, or the attack never took place: its own, or a verdict's name
    [cells]   sources of solution cells, by grade_id
    [extra]   sources of cells of their own, each behind the cell of that name
    [files]   other files that lie beside the notebook

In sources, @COURSE@ stands for the folder of the course: the strongest attacker knows where it lies. What an
attack leaves behind has MARK in its name or in its text, so that it is found.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from examiner.notebook import BEGIN_SOLUTION, END_SOLUTION, blank, mark, visible

from . import builders

HERE: Final = Path(__file__).parent
ASSIGNMENT, NOTEBOOK = "01_windows", "windows.ipynb"
SOURCE: Final = HERE / "course" / "source" / ASSIGNMENT / NOTEBOOK
POINTS: Final = 12
MARK: Final = "left-by-an-attack"
REFUSED: Final = "refused"
HONEST: Final = "honest"

KINDS: Final = {
    "interpreter_hooks": "changes how cells are read, compiled or run",
    "forged_output": "publishes points or results of its own making",
    "always_equal": "returns what every comparison likes",
    "who_compares": "answers with what compares, subtracts or converts as a test hopes",
    "nothing_there": "answers with nothing, so that there is nothing to compare",
    "handed_classes": "answers with classes, for a test to call",
    "costly_values": "answers with what costs a judge much, or ends it",
    "texts": "answers with texts and bytes that are programs, patterns or paths elsewhere",
    "first_finding": "goes on after a test has found something, as if it had not",
    "locked_data": "changes what a test computes with",
    "no_code": "hands in no code, and has the tests not run",
    "clocks": "makes slow code look fast",
    "measured_memory": "hides what its code takes",
    "given_back": "hides what its code takes, and gives it back before the call has ended",
    "hollow": "has answers of the right shape with nothing in them, where it is measured",
    "varying": "takes another time whenever it likes, so that no measurement is clear",
    "predicted_inputs": "tells the next inputs from what it has seen",
    "theft": "takes somebody else's answers",
    "reading_hidden_tests": "wants to see the hidden tests, or to carry them out",
    "grader_tampering": "changes the gradebook, the grader, or what starts with it",
    "shadow_files": "hands in files that are imported or run in place of the real ones",
    "harm_to_others": "changes what other students handed in or got",
    "death_and_denial": "dies, hangs, floods or eats up the machine",
    "file_attacks": "hands in files that are hard to read, or that lead elsewhere",
    "page_attacks": "puts active content into pages that others open",
    "wire": "answers calls with what is hard to carry",
    "unlucky": "is right, and not hostile at all",
    "white_box": "knows the wire, the fork server, the box and the snapshot from the inside",
}


@dataclass(frozen=True)
class Submission:
    """What one student hands in, and what it is worth."""

    name: str
    kind: str
    does: str
    earned: float | Literal["refused"]
    built_on: Literal["blank", "right"] = "blank"
    tools: tuple[str, ...] = ()
    builder: str = ""
    unseen: str = ""
    says: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def student(self) -> str:
        """The id under which it is handed in."""
        return f"{self.kind}.{self.name}"

    def sources(self) -> Iterator[tuple[str, str]]:
        """Yield every piece of code that it brings, with the name of its place."""
        yield from ((f"tools/{name}", (HERE / "tools" / f"{name}.py").read_text()) for name in self.tools)
        yield from self.cells.items()
        yield from self.extra.items()


def read_submission(path: Path, kind: str) -> Submission:
    """Read the description of a submission; a key that means nothing is an error."""
    page = tomllib.loads(path.read_text(encoding="utf-8"))
    if kind == HONEST:
        page = {"earned": POINTS, "built_on": "right"} | page
    return Submission(path.stem, kind, **page | {"tools": tuple(page.get("tools", ()))})


def attacks() -> list[Submission]:
    """Return all hostile submissions, and the unlucky ones."""
    return [read_submission(path, path.parent.name) for path in sorted((HERE / "hostile").glob("*/*.toml"))]


def honest() -> list[Submission]:
    """Return the students who did nothing but their work."""
    return [read_submission(path, HONEST) for path in sorted((HERE / "honest").glob("*.toml"))]


def hand_in(submission: Submission, course: Path) -> Path:
    """Put a submission into `submitted/` of a course, and return its folder."""
    folder = course / "submitted" / submission.student / ASSIGNMENT
    folder.mkdir(parents=True)
    for name, text in submission.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(_placed(text, course), encoding="utf-8")
    document = notebook(submission, course)
    (folder / NOTEBOOK).write_text(json.dumps(document, indent=1), encoding="utf-8")
    (folder / "timestamp.txt").write_text("2026-09-20 12:00:00.000000 UTC\n")
    if submission.builder:
        getattr(builders, submission.builder)(folder / NOTEBOOK, course)
    return folder


def notebook(submission: Submission, course: Path) -> dict[str, Any]:
    """Return the release as this student filled it in."""
    document: dict[str, Any] = json.loads(SOURCE.read_text(encoding="utf-8"))
    front = [source for place, source in submission.sources() if place.startswith("tools/")]
    cells = []
    for cell in document["cells"]:
        name = mark(cell, "grade_id") or cell["id"]
        text = _filled(cell, submission.built_on) if name not in submission.cells else submission.cells[name]
        cells.append(cell | {"source": _placed(text, course)})
        own = [*front, submission.extra[name]] if name in submission.extra else front
        cells += [_own(f"own_{name}_{i}", _placed(text, course)) for i, text in enumerate(own)]
        front = []
    return document | {"cells": cells}


def _filled(cell: Mapping[str, Any], built_on: str) -> str:
    source = "".join(cell["source"])
    if not mark(cell, "solution"):
        return visible(source)
    if built_on == "blank":
        return blank(source)
    return "\n".join(
        line for line in source.split("\n") if BEGIN_SOLUTION not in line and END_SOLUTION not in line
    )


def _own(name: str, source: str) -> dict[str, Any]:
    """Return a new cell; one that begins with `%%markdown-cell` is text."""
    head, _, rest = source.partition("\n")
    if head == "%%markdown-cell":
        return {"cell_type": "markdown", "id": name, "metadata": {}, "source": rest}
    new = {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}, "outputs": []}
    return new | {"source": source.strip("\n")}


def _placed(text: str, course: Path) -> str:
    return text.replace("@COURSE@", str(course))
