"""What a worker process does: grades one submission after another with one engine, notebook by notebook.

Submissions come as bytes and leave as bytes; nothing here reads or writes the course.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from examiner.errors import PlatformFault, UnreadableNotebook
from examiner.examine.engine import Engine, GradedNotebook, Job
from examiner.examine.server import SandboxSettings
from examiner.model import Files, Identity, Mode, TimeLimits
from examiner.notebook import parse
from examiner.store.sheets import FiledGrade, NotebookSheet
from examiner.submission.intake import EXCHANGE_FILES
from examiner.verdict import GradeSheet, Outcome, Verdict

if TYPE_CHECKING:
    from examiner.kernel.engine import KernelEngine

NOTEBOOK_TRIES: Final = 2  # of a notebook for which something of ours failed


@dataclass(frozen=True)
class AssignmentVersion:
    """What the submissions of an assignment are graded against.

    Parameters
    ----------
    notebooks : mapping from str to bytes
        The instructor's, by name without the ending.
    files : mapping from str to bytes
        What lies beside them; it takes the place of a student's file of the same name.
    modes : mapping from str to Mode
        By grade_id, for cells that are not examined.
    """

    notebooks: Files
    files: Files
    modes: Mapping[str, Mode] = field(default_factory=dict)


@dataclass(frozen=True)
class GradingContext:
    """What a worker needs to know before the first submission comes.

    Parameters
    ----------
    papers : mapping from str to AssignmentVersion
        By the assignment's name.
    package : Path, optional
        The reference.
    kernel : str
        The Jupyter kernel that all cells run in, if they are not examined.
    """

    surroundings: SandboxSettings
    secret: bytes
    limits: TimeLimits
    papers: Mapping[str, AssignmentVersion]
    package: Path | None = None
    kernel: str = ""


@dataclass(frozen=True)
class SubmittedWork:
    """One submission, with all its files."""

    identity: Identity
    files: Files
    handed_in: datetime | None = None

    def __str__(self) -> str:
        return f"{self.identity.student}/{self.identity.assignment}"


@dataclass(frozen=True)
class GradedSubmission:
    """What came of a submission: its sheets, and the executed notebooks by file name."""

    filing: FiledGrade
    notebooks: Files


@contextmanager
def grading_worker(desk: GradingContext) -> Iterator[Callable[[SubmittedWork], GradedSubmission]]:
    """Give what grades a submission."""
    with _engine(desk) as engine:
        yield partial(_grade, desk, engine)


def _engine(desk: GradingContext) -> "Engine | KernelEngine":
    if desk.kernel:
        from examiner.kernel.engine import KernelEngine  # noqa: PLC0415  (Jupyter's client costs half a second)

        return KernelEngine(desk.kernel, desk.surroundings, desk.secret)
    reference = load_package(desk.package) if desk.package else None
    return Engine(desk.surroundings, desk.secret, reference)


def load_package(folder: Path) -> ModuleType:
    """Import the package in a folder, wherever that is, under its own name."""
    name = folder.name
    for known in [each for each in sys.modules if each == name or each.startswith(name + ".")]:
        del sys.modules[known]
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise PlatformFault(folder, "the reference cannot be imported", "correct 'package' in course.toml")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def infrastructure(
    paper: AssignmentVersion, identity: Identity, handed_in: datetime | None, fault: PlatformFault
) -> FiledGrade:
    """Return sheets that leave every cell to a person, for work that we could not grade."""
    parts = [_part(name, paper, identity, Outcome.INFRASTRUCTURE, str(fault)) for name in paper.notebooks]
    return FiledGrade(tuple(parts), handed_in)


def _part(
    name: str, paper: AssignmentVersion, identity: Identity, outcome: Outcome, message: str
) -> NotebookSheet:
    """Return a sheet on which every cell of a notebook got the same: nothing, or no points yet."""
    points = None if outcome.is_open else 0.0
    cells = parse(json.loads(paper.notebooks[name]), Path(f"{name}.ipynb")).cells
    verdicts = [
        Verdict(cell.grade_id, outcome, points, cell.points, message=message)
        for cell in cells
        if cell.is_autograded
    ]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return NotebookSheet(name, GradeSheet(identity, tuple(verdicts), graded_at=now))


def _grade(desk: GradingContext, engine: "Engine | KernelEngine", handed: SubmittedWork) -> GradedSubmission:
    """Grade every notebook of a submission; one that was not handed in gets nothing."""
    paper = desk.papers[handed.identity.assignment]
    parts, notebooks = [], {}
    for name, instructor in paper.notebooks.items():
        submitted = handed.files.get(f"{name}.ipynb")
        if submitted is None:
            parts.append(
                _part(name, paper, handed.identity, Outcome.FAILED, "this notebook was not handed in")
            )
            continue
        job = Job(handed.identity, instructor, submitted, _beside(paper, handed), desk.limits, paper.modes)
        try:
            graded = _tried(engine, job)
        except UnreadableNotebook as fault:
            raise UnreadableNotebook(f"{handed}/{name}.ipynb", fault.fact, fault.fix) from fault
        parts.append(NotebookSheet(name, graded.sheet, graded.unanswered))
        notebooks[f"{name}.ipynb"] = graded.notebook
    return GradedSubmission(FiledGrade(tuple(parts), handed.handed_in), notebooks)


def _beside(paper: AssignmentVersion, handed: SubmittedWork) -> Files:
    """Return what lies beside a notebook when it runs: the student's files, the instructor's over them."""
    own = {
        name: content
        for name, content in handed.files.items()
        if not name.endswith(".ipynb") and name not in EXCHANGE_FILES and name.isprintable()
    }
    return own | dict(paper.files)


def _tried(engine: "Engine | KernelEngine", job: Job) -> GradedNotebook:
    """Grade a notebook, and again if something of ours failed."""
    for _ in range(NOTEBOOK_TRIES - 1):
        with suppress(PlatformFault):
            graded = engine.run(job)
            if all(verdict.outcome is not Outcome.INFRASTRUCTURE for verdict in graded.sheet.verdicts):
                return graded
    return engine.run(job)
