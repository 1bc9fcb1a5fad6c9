"""Grades one notebook of a public course twice: by `examiner grade`, and by stock nbgrader's `autograde`.

Each side has a folder of its own with a course of one assignment, of which both know only what nbgrader's
settings say. What is handed in was made from the release of the stock side, so that one runs first.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.versions import SOLUTION, Document, handed_in, text_of
from examiner.course.load import load_course
from examiner.errors import ExaminerError
from examiner.gate import evidence
from examiner.notebook import mark
from examiner.store import sheets
from examiner.verdict import Verdict

ASSIGNMENT: Final = "ps1"
KERNEL: Final = "public-courses"
PROGRAMS: Final = Path(sys.executable).parent
SCHEMA: Final = 3  # of nbgrader's metadata; it refuses older ones until `nbgrader update`
BESIDE_BYTES: Final = 4 << 20  # of one file beside a notebook
CONFIG: Final = """c = get_config()
c.CourseDirectory.course_id = "public"
c.Execute.kernel_name = "{kernel}"
c.Execute.timeout = {seconds}
"""
SCORES: Final = """
select submitted_assignment.student_id, base_cell.name, grade.auto_score from grade
join submitted_notebook on grade.notebook_id = submitted_notebook.id
join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id
join base_cell on grade.cell_id = base_cell.id
"""

Scores = dict[str, dict[str, float | None]]  # by version and grade_id
Messages = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Settings:
    """How a notebook is graded.

    Parameters
    ----------
    kernels : Path
        A folder on Jupyter's path that has the kernel of the student environment.
    cell_seconds, seconds : int
        How long a cell may take, and how long each side as a whole.
    mutants : int
        How many mutants are handed in.
    """

    kernels: Path
    cell_seconds: int
    seconds: int
    mutants: int
    seed: str


@dataclass(frozen=True)
class Ended:
    """How a command ended: without a fault, or with its last words."""

    fault: str
    seconds: float


@dataclass(frozen=True)
class Graded:
    """What one side gave, by version and grade_id.

    Parameters
    ----------
    messages : mapping
        Why points were lost, in the words of that side.
    reasons : mapping from str to str
        Why a cell is not examined.
    unproven : mapping from str to str
        Why the solution loses points in a Jupyter kernel, for which examiner would not grade the assignment.
    claimed : tuple of str
        The cells that rest on what a student's objects say of themselves.
    fault : str
        Why the notebook could not be graded.
    """

    seconds: float = 0.0
    scores: Scores = field(default_factory=dict)
    messages: Messages = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    unproven: Mapping[str, str] = field(default_factory=dict)
    claimed: Sequence[str] = ()
    fault: str = ""


def autograded(document: Document) -> dict[str, float]:
    """Return the points of the cells of a notebook that are graded by running them."""
    return {
        str(mark(cell, "grade_id")): float(mark(cell, "points") or 0)
        for cell in document["cells"]
        if cell["cell_type"] == "code" and mark(cell, "grade") and not mark(cell, "solution")
    }


def by_stock(notebook: Path, folder: Path, settings: Settings) -> Graded:
    """Have stock nbgrader release the notebook, hand in its versions, and grade them, the solution first."""
    source = make_course(notebook, folder, settings)
    released = _nbgrader(folder, settings, "generate_assignment", ASSIGNMENT, "--force")
    release = folder / "release" / ASSIGNMENT / notebook.name
    if not release.is_file():
        return Graded(released.seconds, fault=released.fault or "there is no release")
    document = json.loads(source.read_text())
    for name, version in handed_in(
        document, json.loads(release.read_text()), settings.mutants, settings.seed
    ):
        hand_in(folder, name, notebook, version)
    first = _nbgrader(folder, settings, "autograde", ASSIGNMENT, "--student", SOLUTION)
    others = _nbgrader(folder, settings, "autograde", ASSIGNMENT)
    seconds = released.seconds + first.seconds + others.seconds
    complaints, fault = dict(_complaints(folder, notebook)), first.fault or others.fault
    return Graded(seconds, scores(folder), complaints, fault=fault)


def by_examiner(notebook: Path, folder: Path, stock: Path, settings: Settings) -> Graded:
    """Have examiner grade what was handed in on the stock side."""
    make_course(notebook, folder, settings)
    shutil.copytree(stock / "submitted", folder / "submitted", dirs_exist_ok=True)
    command = [str(PROGRAMS / "examiner"), "grade", "--anyway", "--workers", "1", "--course", str(folder)]
    ended = run(command, folder, settings)
    try:
        return _findings(folder, ended)
    except ExaminerError as error:
        return Graded(ended.seconds, fault=ended.fault or str(error))


def _findings(folder: Path, ended: Ended) -> Graded:
    """Return what the evidence and the sheets of a course say."""
    course = load_course(folder)
    found = evidence.read(course, course.assignments[0])
    verdicts = dict(_verdicts(folder))
    return Graded(
        seconds=ended.seconds,
        scores=scores(folder),
        messages={who: {v.grade_id: said_by(v) for v in mine} for who, mine in verdicts.items()},
        reasons=dict(found.reasons) if found else {},
        unproven=dict(found.failures) if found else {},
        claimed=sorted({v.grade_id for mine in verdicts.values() for v in mine if v.claimed}),
        fault=ended.fault if found else ended.fault or "there is no evidence",
    )


def said_by(verdict: Verdict) -> str:
    """Return an outcome and its message in one line."""
    return f"{verdict.outcome}: {verdict.message}".partition("\n")[0].removesuffix(": ")


def _verdicts(folder: Path) -> Iterator[tuple[str, Sequence[Verdict]]]:
    """Yield each version and the verdicts on it."""
    course = load_course(folder)
    for path in sorted((folder / "submitted").iterdir()):
        grade = sheets.read(course, path.name, ASSIGNMENT).last
        if grade is not None:
            yield path.name, grade.parts[0].sheet.verdicts


def make_course(notebook: Path, folder: Path, settings: Settings) -> Path:
    """Make a course of one assignment with one notebook, and return the path of that."""
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    for name, path in beside(notebook).items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, source / name)
    shutil.copyfile(notebook, source / notebook.name)
    (folder / "nbgrader_config.py").write_text(CONFIG.format(kernel=KERNEL, seconds=settings.cell_seconds))
    if _schema(source / notebook.name) < SCHEMA:
        _nbgrader(folder, settings, "update", str(source / notebook.name))
    return source / notebook.name


def _schema(path: Path) -> int:
    cells = json.loads(path.read_text())["cells"]
    return min(
        (mark(cell, "schema_version") or 0 for cell in cells if mark(cell, "grade_id")), default=SCHEMA
    )


def beside(notebook: Path) -> dict[str, Path]:
    """Return the files beside a notebook that are no notebooks, by their paths relative to it."""
    found = sorted(path for path in notebook.parent.rglob("*") if path.is_file() and not path.is_symlink())
    names = {str(path.relative_to(notebook.parent)): path for path in found if path.suffix != ".ipynb"}
    return {
        name: path
        for name, path in names.items()
        if path.stat().st_size <= BESIDE_BYTES and not any(part[0] in "._" for part in Path(name).parts)
    }


def hand_in(folder: Path, student: str, notebook: Path, document: Document) -> None:
    """Hand in a version of the notebook, beside the files of the release."""
    place = folder / "submitted" / student / ASSIGNMENT
    shutil.copytree(folder / "release" / ASSIGNMENT, place)
    (place / notebook.name).write_text(json.dumps(document))


def scores(folder: Path) -> Scores:
    """Return the automatic scores in a gradebook; there are none if it cannot be read."""
    found: Scores = {}
    with suppress(sqlite3.Error), closing(sqlite3.connect(folder / "gradebook.db")) as gradebook:
        for student, cell, points in gradebook.execute(SCORES):
            found.setdefault(student, {})[cell] = points
    return found


def _complaints(folder: Path, notebook: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each version and the first error or warning of each of its grade cells, as nbgrader ran them."""
    for path in sorted(folder.glob(f"autograded/*/{ASSIGNMENT}/*.ipynb")):
        if path.name == notebook.name:
            cells = json.loads(path.read_text())["cells"]
            yield path.parts[-3], {str(mark(cell, "grade_id")): complaint(cell) for cell in cells}


def complaint(cell: Mapping[str, Any]) -> str:
    """Return the first line of a cell's first error, or of what it wrote to stderr."""
    for output in cell.get("outputs", ()):
        if output["output_type"] == "error":
            return f"{output['ename']}: {output['evalue']}".partition("\n")[0]
        if output.get("name") == "stderr":
            return "stderr: " + text_of({"source": output["text"]}).strip().partition("\n")[0]
    return ""


def _nbgrader(folder: Path, settings: Settings, *arguments: str) -> Ended:
    return run([sys.executable, "-m", "nbgrader", *arguments], folder, settings)


def run(command: Sequence[str], folder: Path, settings: Settings) -> Ended:
    """Run a command in a folder, with its output in a log there, and end it when its time is over."""
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)])
    variables = os.environ | {"PATH": path, "JUPYTER_PATH": str(settings.kernels), "COLUMNS": "250"}
    log, started = folder / "log.txt", time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        fault = _waited(process, settings.seconds)
    seconds = time.monotonic() - started
    return Ended(fault and f"{fault}: {_last_words(log)}", seconds)


def _waited(process: subprocess.Popen[bytes], seconds: float) -> str:
    """Wait for a process, and return what is wrong with how it ended, or nothing."""
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"it did not end in {seconds} s"
    return f"exit code {code}" if code else ""


def _last_words(log: Path) -> str:
    """Return the last line of a log in which something is said."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][-400:] if lines else ""
