"""What happens to notebooks on their way: by programs, people, disks, and by who wants more points.

Each mangling says what it touches. If it touches nothing, the work earns what it earned before; otherwise no
more than that.
"""

import ast
import codecs
import json
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final

from examiner.notebook import released
from examiner.submission.matching import plain
from tests.mangling.works import Document, Work

Raw = dict[str, Any]


class Touch(StrEnum):
    """What a mangling touches."""

    NOTHING = "nothing"  # the answers are there, and in an order in which they run
    ANSWERS = "answers"
    FILE = "file"  # it may be destroyed


@dataclass
class Mangled:
    """A submission on its way: its work, its JSON, and once that is written, its bytes."""

    work: Work
    random: Random
    document: Document
    content: bytes = b""

    @property
    def cells(self) -> list[Raw]:
        """The cells, to be changed in place."""
        cells: list[Raw] = self.document.get("cells", [])
        return cells

    def marked(self, *marks: str) -> list[int]:
        """Return the positions of the cells that have one of these marks of nbgrader's."""
        return [
            n for n, raw in enumerate(self.cells) if any(entries(raw).get(mark) is True for mark in marks)
        ]

    def answers(self) -> list[int]:
        """Return the positions of the solution cells that are code."""
        return [n for n in self.marked("solution") if self.cells[n]["cell_type"] == "code"]

    def locked(self) -> list[int]:
        """Return the positions of the cells that are put back whatever was done to them."""
        return [n for n in self.marked("grade", "locked") if n not in self.marked("solution")]

    def pick(self, positions: Iterable[int]) -> int | None:
        """Return one of some positions, if there are any."""
        known = list(positions)
        return self.random.choice(known) if known else None

    def released(self, position: int) -> str:
        """Return the text of a cell as it was released."""
        name = entries(self.cells[position]).get("grade_id")
        return next((released(cell) for cell in self.work.notebook.cells if cell.grade_id == name), "")


def entries(raw: Raw) -> Raw:
    """Return what nbgrader says of a cell."""
    metadata = raw.get("metadata")
    found = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Mangling:
    """One way to mangle; `change` returns False if there is nothing of that kind in the notebook."""

    name: str
    touches: Touch
    change: Callable[[Mangled], bool | None]
    is_of_bytes: bool = False


ALL: Final[list[Mangling]] = []
# What cells that are put in hold: it changes nothing for any other.
SCRATCH: Final = ("", "# a thought", "1 + 1", "scratch_value = 3", "print('scratch')", "def scratch(): pass")
Change = Callable[[Mangled], bool | None]


def mangling(touches: Touch, *, of_bytes: bool = False) -> Callable[[Change], Change]:
    """Add a function to the manglings; its docstring is its name."""

    def add(change: Change) -> Change:
        ALL.append(Mangling((change.__doc__ or "").rstrip("."), touches, change, of_bytes))
        return change

    return add


# --- programs that save a notebook in their own way -------------------------------------------------------


@mangling(Touch.NOTHING)
def ids_lost(it: Mangled) -> None:
    """ids lost."""
    for raw in it.cells:
        raw.pop("id", None)


@mangling(Touch.NOTHING)
def ids_odd(it: Mangled) -> None:
    """ids that are no texts, twice there, or counted anew."""
    kind = it.random.randrange(4)
    for n, raw in enumerate(it.cells):
        raw["id"] = [n, "same", f"cell-{n}", None][kind]


@mangling(Touch.NOTHING)
def ids_shifted(it: Mangled) -> None:
    """ids of the cells before."""
    ids = [raw.get("id") for raw in it.cells]
    for raw, identity in zip(it.cells, [None, *ids], strict=False):
        raw["id"] = identity


@mangling(Touch.NOTHING)
def metadata_lost(it: Mangled) -> None:
    """metadata of all cells lost."""
    value = it.random.choice([{}, None, [], "", 3, {"nbgrader": None}, {"nbgrader": []}])
    for raw in it.cells:
        raw["metadata"] = value


@mangling(Touch.NOTHING)
def metadata_and_ids_lost(it: Mangled) -> None:
    """metadata and ids of all cells lost."""
    for raw in it.cells:
        raw["metadata"] = {}
        raw.pop("id", None)


@mangling(Touch.NOTHING)
def everything_but_texts_lost(it: Mangled) -> None:
    """all but texts and kinds lost, lines without ends."""
    it.cells[:] = [{"cell_type": raw["cell_type"], "source": raw["source"].split("\n")} for raw in it.cells]


@mangling(Touch.NOTHING)
def one_cell_bare(it: Mangled) -> bool:
    """metadata and id of one cell lost."""
    position = it.pick(it.marked("grade", "solution", "locked"))
    if position is None:
        return False
    it.cells[position]["metadata"] = {}
    it.cells[position].pop("id", None)
    return True


@mangling(Touch.NOTHING)
def kinds_odd(it: Mangled) -> bool:
    """kinds of cells lost or unknown."""
    positions = it.marked("grade", "solution", "locked")
    for position in it.random.sample(positions, min(len(positions), it.random.randint(1, 4))):
        kind = it.random.choice([None, 3, "sql", "Code", "", ["code"], "absent"])
        it.cells[position]["cell_type"] = kind
        if kind == "absent":
            del it.cells[position]["cell_type"]
    return bool(positions)


@mangling(Touch.NOTHING)
def kinds_changed(it: Mangled) -> bool:
    """cells made text or raw."""
    position = it.pick(it.marked("grade", "solution", "locked"))
    if position is None:
        return False
    it.cells[position]["cell_type"] = it.random.choice(["markdown", "raw", "code", "heading"])
    return True


@mangling(Touch.NOTHING)
def sources_in_another_form(it: Mangled) -> None:
    """texts as lines, with a mark, or with other ends of lines."""
    kind = it.random.randrange(5)
    for raw in it.cells:
        text = raw["source"]
        forms = [
            text.splitlines(keepends=True),
            "\ufeff" + text,
            text.replace("\n", "\r\n"),
            text + "\n\n",
            [text],
        ]
        raw["source"] = forms[kind]


@mangling(Touch.NOTHING)
def format_3(it: Mangled) -> None:
    """saved in format 3."""
    for raw in it.cells:
        if raw["cell_type"] == "code":
            raw["input"] = raw.pop("source")
            raw["prompt_number"] = 1
        raw.pop("id", None)
    it.document["worksheets"] = [{"cells": it.document.pop("cells"), "metadata": {}}]
    it.document |= {"nbformat": 3, "nbformat_minor": 0}


@mangling(Touch.NOTHING)
def header_odd(it: Mangled) -> None:
    """numbers of the format and metadata of the notebook odd."""
    key = it.random.choice(["nbformat", "nbformat_minor", "metadata", *(["worksheets"] if it.cells else [])])
    it.document[key] = it.random.choice([None, 99, "4", [], {}, -1, 4.5])
    if it.random.random() < 0.3 and key != "worksheets":
        del it.document[key]


@mangling(Touch.NOTHING)
def outputs_odd(it: Mangled) -> None:
    """outputs and other entries that are no valid ones."""
    deep: Any = "x"
    for _ in range(it.random.choice([3, 200])):
        deep = [deep]
    for raw in it.cells:
        raw["outputs"] = it.random.choice([None, 3, "text", [{"output_type": 3}], deep, {"a": float("nan")}])
        raw[it.random.choice(["attachments", "execution_count", "prompt_number", "x\ud800y"])] = deep


@mangling(Touch.NOTHING)
def cells_that_are_none(it: Mangled) -> None:
    """entries between the cells that are none."""
    for _ in range(it.random.randint(1, 5)):
        it.cells.insert(it.random.randint(0, len(it.cells)), it.random.choice([None, 3, [], {}, "cell"]))


@mangling(Touch.NOTHING)
def grade_ids_otherwise(it: Mangled) -> bool:
    """grade_ids in another form, or unknown."""
    positions = it.marked("grade", "solution", "locked")
    for position in positions:
        name = entries(it.cells[position]).get("grade_id")
        forms = [f" {name} ", unicodedata.normalize("NFD", str(name)), f"{name}-copy", [name], None, ""]
        entries(it.cells[position])["grade_id"] = it.random.choice(forms)
    return bool(positions)


@mangling(Touch.NOTHING)
def entries_changed(it: Mangled) -> bool:
    """nbgrader's entries changed."""
    positions = it.marked("grade", "solution", "locked")
    for position in it.random.sample(positions, min(3, len(positions))):
        key = it.random.choice(
            ["points", "grade", "solution", "locked", "task", "schema_version", "cell_type"]
        )
        entries(it.cells[position])[key] = it.random.choice([True, False, 1000, -1, "x", None, [], {}, 1e400])
    return bool(positions)


# --- people -----------------------------------------------------------------------------------------------


@mangling(Touch.NOTHING)
def locked_changed(it: Mangled) -> bool:
    """a locked cell or a test changed or emptied."""
    position = it.pick(it.locked())
    if position is None:
        return False
    text = it.cells[position]["source"]
    lines = text.split("\n")
    it.cells[position]["source"] = it.random.choice(
        ["", "pass", text + "\nprint('done')", "# " + text, "\n".join(lines[:-1]), text[: len(text) // 2]]
    )
    return True


@mangling(Touch.NOTHING)
def locked_deleted(it: Mangled) -> bool:
    """locked cells and tests deleted."""
    positions = it.locked()
    gone = {*it.random.sample(positions, it.random.randint(1, len(positions)))} if positions else set()
    it.cells[:] = [raw for n, raw in enumerate(it.cells) if n not in gone]
    return bool(gone)


@mangling(Touch.NOTHING)
def texts_deleted(it: Mangled) -> bool:
    """headings and texts deleted."""
    before = len(it.cells)
    theirs = {plain(cell.source) for cell in it.work.notebook.cells if not (cell.is_code or cell.is_kept)}
    it.cells[:] = [raw for raw in it.cells if plain(str(raw.get("source"))) not in theirs]
    return len(it.cells) < before


@mangling(Touch.NOTHING)
def tests_doubled(it: Mangled) -> bool:
    """a test or an answer doubled by copy and paste."""
    position = it.pick([*it.marked("grade"), *it.answers()])
    if position is None:
        return False
    it.cells.insert(position + 1, json.loads(json.dumps(it.cells[position])))
    return True


@mangling(Touch.NOTHING)
def moved(it: Mangled) -> bool:
    """a cell of the instructor's moved."""
    position = it.pick(it.marked("grade", "solution", "locked"))
    if position is None:
        return False
    it.cells.insert(it.random.randrange(len(it.cells)), it.cells.pop(position))
    return True


@mangling(Touch.NOTHING)
def doubled_as_released(it: Mangled) -> bool:
    """an answer, and its cell once more as released."""
    position = it.pick(n for n in it.answers() if it.cells[n]["source"] != it.released(n))
    if position is None:
        return False
    copy = json.loads(json.dumps(it.cells[position]))
    copy["source"] = it.random.choice([it.released(position), "", "\n"])
    if it.random.random() < 0.5 and copy["source"].strip():
        copy["metadata"] = {}
        copy.pop("id", None)
    it.cells.insert(it.random.choice([position, position + 1, len(it.cells)]), copy)
    return True


@mangling(Touch.NOTHING)
def pasted_elsewhere(it: Mangled) -> bool:
    """an answer cut out and pasted elsewhere, without metadata."""
    position = it.pick(n for n in it.answers() if _is_movable(it, n))
    if position is None:
        return False
    raw = it.cells.pop(position)
    it.cells.insert(it.random.randint(0, len(it.cells)), _bare(raw))
    return True


@mangling(Touch.NOTHING)
def pasted_beside_the_stub(it: Mangled) -> bool:
    """an answer in a cell of its own, its own cell as released."""
    position = it.pick(n for n in it.answers() if _is_movable(it, n))
    if position is None:
        return False
    copy = _bare(it.cells[position])
    it.cells[position]["source"] = it.released(position)
    it.cells.insert(it.random.choice([position, position + 1]), copy)
    return True


@mangling(Touch.NOTHING)
def split(it: Mangled) -> bool:
    """an answer split into two cells."""
    position = it.pick(n for n in it.answers() if len(_statements(it.cells[n]["source"])) > 1)
    if position is None:
        return False
    parts = _statements(it.cells[position]["source"])
    where = it.random.randint(1, len(parts) - 1)
    head, tail = "\n".join(parts[:where]), "\n".join(parts[where:])
    first, second = (json.loads(json.dumps(it.cells[position])) for _ in range(2))
    kind = it.random.randrange(4)
    first, second = (_bare(first) if kind in {1, 3} else first), (_bare(second) if kind in {0, 3} else second)
    it.cells[position : position + 1] = [first | {"source": head}, second | {"source": tail}]
    return True


@mangling(Touch.NOTHING)
def merged(it: Mangled) -> bool:
    """an answer merged with the cell above or below."""
    positions = [n for n in it.answers() if it.cells[n]["source"] != it.released(n)]
    code = [n for n, raw in enumerate(it.cells) if raw["cell_type"] == "code"]
    pairs = [(n, n + 1) for n in code if n + 1 in code and (n in positions or n + 1 in positions)]
    pairs = [pair for pair in pairs if all(_parses(it.cells[n]["source"]) for n in pair)]
    if not pairs:
        return False
    first, second = it.random.choice(pairs)
    kept = it.random.choice([first, second])
    text = it.cells[first]["source"] + "\n\n" + it.cells[second]["source"]
    it.cells[first : second + 1] = [it.cells[kept] | {"source": text}]
    return True


@mangling(Touch.NOTHING)
def own_cells(it: Mangled) -> None:
    """cells of the student's own put in."""
    for _ in range(it.random.randint(1, 6)):
        kind = it.random.choice(["code", "code", "markdown", "raw", None, "Code"])
        text = it.random.choice(SCRATCH)
        raw = {"cell_type": kind, "metadata": {}, "source": text, "id": it.random.choice(["a", "b", "", 3])}
        it.cells.insert(it.random.randint(0, len(it.cells)), raw)


@mangling(Touch.NOTHING)
def cells_that_leave(it: Mangled) -> None:
    """cells that call exit."""
    text = it.random.choice(
        ["exit()", "quit()", "import sys\nsys.exit(1)", "raise SystemExit", "import os\nos._exit(0)"]
    )
    raw = {"cell_type": "code", "metadata": {}, "source": text, "outputs": []}
    it.cells.insert(it.random.randint(0, len(it.cells)), raw)


# --- what touches answers ---------------------------------------------------------------------------------


@mangling(Touch.ANSWERS)
def answer_deleted(it: Mangled) -> bool:
    """an answer deleted."""
    position = it.pick(it.marked("solution"))
    if position is None:
        return False
    del it.cells[position]
    return True


@mangling(Touch.ANSWERS)
def answers_exchanged(it: Mangled) -> bool:
    """the texts or the names of two answers exchanged."""
    positions = it.marked("solution")
    if len(positions) < 2:
        return False
    a, b = (it.cells[n] for n in it.random.sample(positions, 2))
    key = it.random.choice(["source", "metadata", "id"])
    a[key], b[key] = b.get(key), a.get(key)
    return True


@mangling(Touch.ANSWERS)
def answer_damaged(it: Mangled) -> bool:
    """a line or a letter of an answer lost."""
    position = it.pick(n for n in it.answers() if it.cells[n]["source"].strip())
    if position is None:
        return False
    text = it.cells[position]["source"]
    lines, letter = text.split("\n"), it.random.randrange(len(text))
    line = it.random.randrange(len(lines))
    it.cells[position]["source"] = it.random.choice(
        [text[:letter] + text[letter + 1 :], "\n".join(lines[:line] + lines[line + 1 :]), text[:letter], ""]
    )
    return True


@mangling(Touch.ANSWERS)
def shuffled(it: Mangled) -> None:
    """all cells in another order."""
    it.random.shuffle(it.cells)


@mangling(Touch.ANSWERS)
def shuffled_and_bare(it: Mangled) -> None:
    """all cells in another order, without metadata."""
    it.random.shuffle(it.cells)
    it.cells[:] = [_bare(raw) for raw in it.cells]


@mangling(Touch.ANSWERS)
def own_deleted(it: Mangled) -> None:
    """all cells without names deleted."""
    it.cells[:] = [raw for raw in it.cells if entries(raw)]


# --- people who want more -----------------------------------------------------------------------------------


@mangling(Touch.ANSWERS)
def test_made_an_answer(it: Mangled) -> bool:
    """a test that is called an answer, or has the name of one."""
    tests, answers = it.marked("grade"), it.answers()
    if not tests or not answers:
        return False
    test, answer = it.cells[it.random.choice(tests)], it.cells[it.random.choice(answers)]
    if it.random.random() < 0.5:
        entries(test).update(solution=True, grade=False, locked=False)
        test["source"] = "pass"
    else:
        entries(test)["grade_id"] = entries(answer).get("grade_id")
        test["source"] = "1000"
    return True


@mangling(Touch.ANSWERS)
def points_asked_for(it: Mangled) -> bool:
    """a cell in place of a test that gives itself points."""
    position = it.pick(it.marked("grade"))
    if position is None:
        return False
    it.cells[position]["source"] = it.random.choice(
        ["1000", "from examiner_checks import award\naward(1000)", ""]
    )
    it.cells[position]["metadata"]["tags"] = ["skip-execution"]
    it.cells.insert(0, it.cells.pop(position))
    return True


@mangling(Touch.ANSWERS)
def answers_from_tests(it: Mangled) -> bool:
    """answers taken away, and tests that would pass put in their place, without metadata."""
    answers = {*it.answers()}
    if not answers:
        return False
    it.cells[:] = [raw for n, raw in enumerate(it.cells) if n not in answers]
    for raw in it.cells:
        if entries(raw).get("grade"):
            raw["source"] = "pass"
            raw["metadata"] = {}
    return True


# --- files --------------------------------------------------------------------------------------------------


@mangling(Touch.NOTHING, of_bytes=True)
def another_encoding(it: Mangled) -> bool:
    """saved in another encoding, or with a mark."""
    text = it.content.decode()
    kind = it.random.choice(["mark", "utf-16", "utf-32", "utf-16-be", "cp1252"])
    try:
        made = {
            "mark": codecs.BOM_UTF8 + it.content,
            "utf-16-be": codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        }
        it.content = made.get(kind) or text.encode(kind)
    except UnicodeEncodeError:
        return False
    return True


@mangling(Touch.NOTHING, of_bytes=True)
def written_otherwise(it: Mangled) -> None:
    """JSON of another layout, or with line breaks in texts."""
    document = json.loads(it.content)
    kind = it.random.randrange(4)
    if kind == 0:
        it.content = json.dumps(document, indent=1, sort_keys=True).encode()
    elif kind == 1:
        it.content = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    elif kind == 2:
        it.content = it.content.replace(b"\\n", b"\n") if b"\\\\n" not in it.content else it.content
    else:
        it.content = b"\n\t " + json.dumps(document, indent="\t").replace("\n", "\r\n").encode()


@mangling(Touch.NOTHING, of_bytes=True)
def something_behind(it: Mangled) -> None:
    """something behind the end."""
    behind = it.random.choice([bytes(4096), b"}", it.content[-100:], b"\n<!-- saved -->", it.content])
    it.content += behind


@mangling(Touch.FILE, of_bytes=True)
def cut_off(it: Mangled) -> None:
    """cut off."""
    it.content = it.content[: it.random.randrange(len(it.content))]


@mangling(Touch.FILE, of_bytes=True)
def bytes_changed(it: Mangled) -> None:
    """some bytes changed."""
    content = bytearray(it.content)
    for _ in range(it.random.choice([1, 1, 2, 5, 50])):
        content[it.random.randrange(len(content))] = it.random.randrange(256)
    it.content = bytes(content)


@mangling(Touch.FILE, of_bytes=True)
def block_lost(it: Mangled) -> None:
    """a block lost, doubled or filled with zeros."""
    start = it.random.randrange(len(it.content))
    block = it.content[start : start + it.random.choice([1, 16, 512, 4096])]
    end = start + len(block)
    it.content = it.content[:start] + it.random.choice([b"", block * 2, bytes(len(block))]) + it.content[end:]


@mangling(Touch.FILE, of_bytes=True)
def another_file(it: Mangled) -> None:
    """another file in its place."""
    no_cell = b'{"cells": [{"cell_type": "code"}], "nbformat": 4}'
    others = [b"", b"{}", b"[]", b"null", b"<html>log in</html>", b"PK\3\4", b"[" * 50_000, b'{"cells": 3}']
    it.content = it.random.choice([*others, b'{"cells": []}', no_cell, bytes(999), it.random.randbytes(3000)])


def _bare(raw: Raw) -> Raw:
    return {"cell_type": raw["cell_type"], "metadata": {}, "source": raw["source"]}


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _bound(text: str) -> set[str]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return names | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _statements(text: str) -> list[str]:
    """Return the texts of the statements of a cell, with what stands before each."""
    if not _parses(text):
        return []
    lines, ends = text.split("\n"), [statement.end_lineno or 0 for statement in ast.parse(text).body]
    starts = [0, *ends[:-1]]
    return ["\n".join(lines[start:end]) for start, end in zip(starts, ends, strict=True)]


def _is_movable(it: Mangled, position: int) -> bool:
    """Whether a cell holds an answer that is known by what it defines, and nobody else defines."""
    text = it.cells[position]["source"]
    name = entries(it.cells[position]).get("grade_id")
    [original] = [cell for cell in it.work.notebook.cells if cell.grade_id == name]
    wanted = _bound(it.released(position)) or _bound(original.source)
    others = [
        raw["source"] for n, raw in enumerate(it.cells) if n != position and isinstance(raw["source"], str)
    ]
    is_alone = all(wanted.isdisjoint(_bound(other)) for other in others)
    return text != it.released(position) and bool(wanted) and wanted <= _bound(text) and is_alone
