"""Makes the bundled class: `submitted/` from the release, the instructor's solutions, and class.toml.

Run it with the course's folder as its one argument, after the release was made; `make class` does.
"""

import json
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from examiner.course.load import load_course
from examiner.gate.mutants import apply, read_mutant
from examiner.gate.trials import MUTANTS
from examiner.model import Assignment, Course
from examiner.notebook import BEGIN_SOLUTION, END_SOLUTION, Notebook, mark, read, solution_regions

HERE = Path(__file__).parent

Wishes = Mapping[str, Any]


def make_class(course: Course) -> dict[str, bytes]:
    """Return every file of `submitted/`, by its path in there."""
    page = tomllib.loads((HERE / "class.toml").read_text(encoding="utf-8"))
    files = {}
    for student, wishes in page["students"].items():
        for assignment in course.assignments:
            if assignment.name in wishes.get("assignments", [assignment.name]):
                folder = f"{student}/{assignment.name}"
                name = only_notebook(course.release(assignment)).name
                document = notebook(course, assignment, wishes, page["answers"][assignment.name])
                files[f"{folder}/{name}"] = written(document)
                files[f"{folder}/timestamp.txt"] = timestamp(assignment, wishes["hours"])
    return files


def notebook(course: Course, assignment: Assignment, wishes: Wishes, answer: str) -> dict[str, Any]:
    """Return the notebook that a student hands in."""
    document: dict[str, Any] = json.loads(only_notebook(course.release(assignment)).read_bytes())
    cells = {mark(cell, "grade_id") or cell["id"]: cell for cell in document["cells"]}
    if not wishes.get("is_blank"):
        for name, source in solutions(course, assignment, wishes).items():
            set_source(cells[name], source)
        for cell in cells.values():
            if cell["cell_type"] == "markdown" and mark(cell, "solution"):
                set_source(cell, answer)
    for edit in of(assignment, wishes, "edits"):
        set_source(cells[edit["cell"]], edited("".join(cells[edit["cell"]]["source"]), edit))
    document["cells"] = list(arranged(assignment, document["cells"], wishes))
    if "format" in wishes:
        document["nbformat_minor"] = wishes["format"]
        for cell in document["cells"]:
            del cell["id"]
    return document


def only_notebook(folder: Path) -> Path:
    """Return the notebook of an assignment's folder; there is one."""
    [path] = folder.glob("*.ipynb")
    return path


def solutions(course: Course, assignment: Assignment, wishes: Wishes) -> dict[str, str]:
    """Return the solution cells: the instructor's, in the student's style, with the student's mistakes."""
    original = read(only_notebook(course.source(assignment)))
    found = {cell.grade_id: cell.source for cell in original.cells if cell.is_solution and cell.is_code}
    if "style" in wishes:
        style = tomllib.loads((HERE / "styles" / f"{wishes['style']}.toml").read_text(encoding="utf-8"))
        found |= {
            cell: filled(found[cell], blocks) for cell, blocks in style.get(assignment.name, {}).items()
        }
    for mistake in wishes.get("mistakes", {}).get(assignment.name, []):
        found |= mistaken(course, assignment, original, mistake)
    return {cell: without_markers(source) for cell, source in found.items()}


def mistaken(course: Course, assignment: Assignment, original: Notebook, mistake: str) -> dict[str, str]:
    """Return the solution cells that a mutant changes."""
    path = course.root / MUTANTS / assignment.name / f"{mistake}.toml"
    return apply(read_mutant(path, original), original)


def filled(source: str, blocks: Sequence[str]) -> str:
    """Return a solution cell with each of its solutions replaced by a block of code."""
    lines, kept, past = source.split("\n"), [], 0
    for region, block in zip(solution_regions(source), blocks, strict=True):
        marker = lines[region.first - 1]
        indent = marker[: len(marker) - len(marker.lstrip())]
        kept += lines[past : region.first]
        kept += [(indent + line).rstrip() for line in block.strip("\n").split("\n")]
        past = region.last - 1
    return "\n".join(kept + lines[past:])


def without_markers(source: str) -> str:
    """Return a solution cell as a student has it, who never saw where the instructor's solution began."""
    lines = source.split("\n")
    return "\n".join(line for line in lines if BEGIN_SOLUTION not in line and END_SOLUTION not in line)


def edited(source: str, edit: Wishes) -> str:
    """Return the source with one edit made."""
    if "source" in edit:
        return str(edit["source"])
    if source.count(edit["old"]) != 1:
        raise ValueError(f"class.toml: {edit['old']!r} does not stand once in cell {edit['cell']}")
    return source.replace(edit["old"], edit["new"])


def arranged(
    assignment: Assignment, cells: Sequence[dict[str, Any]], wishes: Wishes
) -> Iterator[dict[str, Any]]:
    """Yield the cells that are left, with those that were inserted."""
    deleted = wishes.get("deleted", {}).get(assignment.name, [])
    inserted = {entry["behind"]: entry["source"] for entry in of(assignment, wishes, "inserted")}
    for cell in cells:
        name = mark(cell, "grade_id") or cell["id"]
        if name not in deleted:
            yield cell
        if name in inserted:
            new = {
                "cell_type": "code",
                "execution_count": None,
                "id": f"own_{name}",
                "metadata": {},
                "outputs": [],
            }
            set_source(new, inserted[name].strip("\n"))
            yield new


def of(assignment: Assignment, wishes: Wishes, key: str) -> list[Wishes]:
    """Return the entries of a list that concern an assignment."""
    return [entry for entry in wishes.get(key, []) if entry["assignment"] == assignment.name]


def set_source(cell: dict[str, Any], source: str) -> None:
    """Set a cell's source, as a notebook file has it."""
    cell["source"] = source.splitlines(keepends=True)


def written(document: dict[str, Any]) -> bytes:
    """Return the notebook's file, as nbformat writes it."""
    return (json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def timestamp(assignment: Assignment, hours: int) -> bytes:
    """Return the file in which nbgrader's exchange keeps when something was handed in."""
    assert assignment.due is not None
    return f"{assignment.due - timedelta(hours=hours):%Y-%m-%d %H:%M:%S.%f %Z}\n".encode()


def main() -> None:
    """Replace what is in `submitted/`."""
    course = load_course(Path(sys.argv[1]))
    folder = course.root / "submitted"
    files = make_class(course)
    for student in {path.partition("/")[0] for path in files}:
        shutil.rmtree(folder / student, ignore_errors=True)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


if __name__ == "__main__":
    main()
