"""Grades submissions in a worker process, one after another with one engine, notebook by notebook.

Submissions and results are passed as bytes; nothing here reads or writes the folder of the course.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from examiner.errors import PlatformFault, UnreadableNotebook, printable
from examiner.examine.engine import Engine, GradedNotebook, Job
from examiner.examine.executed import Output
from examiner.examine.server import SandboxSettings
from examiner.model import Files, Identity, Mode, TimeLimits
from examiner.notebook import parse
from examiner.store.sheets import FiledGrade, NotebookSheet
from examiner.submission.intake import EXCHANGE_FILES
from examiner.submission.notebooks import FoundNotebooks, find_notebooks, is_notebook
from examiner.submission.repair import bounded
from examiner.verdict import GradeSheet, Outcome, Verdict, timestamp

if TYPE_CHECKING:
    from examiner.kernel.engine import KernelEngine

NOTEBOOK_TRIES: Final = 2  # of a notebook, if our side failed or may have
DOUBTED: Final = {Outcome.INFRASTRUCTURE, Outcome.CRASHED}  # the machine may be the reason
MOST_NAMED: Final = 5  # files that may be a notebook


@dataclass(frozen=True)
class AssignmentVersion:
    """What the submissions of an assignment are graded against.

    Parameters
    ----------
    notebooks : mapping from str to bytes
        The instructor's notebooks, by name without `.ipynb`.
    files : mapping from str to bytes
        The files beside them; each replaces a student's file of the same name.
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
    versions : mapping from str to AssignmentVersion
        By the assignment's name.
    package : Path, optional
        The folder of the reference.
    kernel : str
        The Jupyter kernel of the student environment; cells that are not examined run in it.
    is_whole : bool
        Whether no cell is examined.
    """

    settings: SandboxSettings
    secret: bytes
    limits: TimeLimits
    versions: Mapping[str, AssignmentVersion]
    package: Path | None = None
    kernel: str = ""
    is_whole: bool = False


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
    """The result for a submission: its grade, and the executed notebooks by file name."""

    grade: FiledGrade
    notebooks: Files


@contextmanager
def grading_worker(context: GradingContext) -> Iterator[Callable[[SubmittedWork], GradedSubmission]]:
    """Yield the function that grades a submission."""
    with _engine(context) as engine:
        yield partial(_grade, context, engine)


def _engine(context: GradingContext) -> "Engine | KernelEngine":
    if context.is_whole:
        return _kernel_engine(context)
    reference = load_package(context.package) if context.package else None
    return Engine(context.settings, context.secret, reference, run_in_kernel=partial(_self_reported, context))


def _kernel_engine(context: GradingContext) -> "KernelEngine":
    from examiner.kernel.engine import KernelEngine  # noqa: PLC0415 - importing Jupyter's client takes half a second

    return KernelEngine(context.kernel, context.settings, context.secret)


def _self_reported(context: GradingContext, job: Job) -> Mapping[str, tuple[Verdict, list[Output]]]:
    return _kernel_engine(context).self_reported(job)


def load_package(folder: Path) -> ModuleType:
    """Import the package in a folder under the folder's name, in place of one imported before."""
    name = folder.name
    for known in [module for module in sys.modules if module == name or module.startswith(name + ".")]:
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
    version: AssignmentVersion, identity: Identity, handed_in: datetime | None, fault: PlatformFault
) -> FiledGrade:
    """Return a grade that leaves every cell to a person, for work that we could not grade."""
    parts = [_part(name, version, identity, Outcome.INFRASTRUCTURE, str(fault)) for name in version.notebooks]
    return FiledGrade(tuple(parts), handed_in)


def _part(
    name: str, version: AssignmentVersion, identity: Identity, outcome: Outcome, message: str
) -> NotebookSheet:
    """Return a sheet with the same outcome for every cell of a notebook: 0 points, or none yet."""
    points = None if outcome.is_open else 0.0
    cells = parse(json.loads(version.notebooks[name]), Path(f"{name}.ipynb")).cells
    verdicts = [
        Verdict(cell.grade_id, outcome, points, cell.points, message=message)
        for cell in cells
        if cell.is_autograded
    ]
    return NotebookSheet(name, GradeSheet(identity, tuple(verdicts), graded_at=timestamp()))


def _grade(context: GradingContext, engine: "Engine | KernelEngine", work: SubmittedWork) -> GradedSubmission:
    """Grade every notebook of a submission; what was not handed in gets 0 points, or waits for a person.

    Raises
    ------
    UnreadableNotebook
        If none of them can be read; one of several waits for a person.
    """
    version = context.versions[work.identity.assignment]
    parts, notebooks, unreadable = [], {}, []
    found = find_notebooks(version.notebooks, work.files)
    for name, instructor in version.notebooks.items():
        path = found.paths.get(name)
        if path is None:
            parts.append(_missing(name, version, work.identity, found.unsure[name]))
            continue
        job = Job(
            work.identity,
            instructor,
            work.files[path],
            files=_beside(version, work, found, path),
            instructors=version.files,
            limits=context.limits,
            modes=version.modes,
            repairs=found.repairs(name),
        )
        try:
            graded = _tried(engine, job)
        except UnreadableNotebook as fault:
            unreadable.append(UnreadableNotebook(f"{work}/{path}", fault.fact, fault.fix))
            parts.append(_waiting(name, version, work.identity, str(unreadable[-1])))
            continue
        parts.append(NotebookSheet(name, graded.sheet, graded.unanswered))
        notebooks[f"{name}.ipynb"] = graded.notebook
    if unreadable and not notebooks:
        raise unreadable[0]
    return GradedSubmission(FiledGrade(tuple(parts), work.handed_in), notebooks)


def _missing(
    name: str, version: AssignmentVersion, identity: Identity, perhaps: Sequence[str]
) -> NotebookSheet:
    """Return the sheet of a notebook that was not found; if a file may be it, a person has to look."""
    if not perhaps:
        return _part(name, version, identity, Outcome.FAILED, "this notebook was not handed in")
    files = ", ".join(f"'{printable(path)}'" for path in perhaps[:MOST_NAMED])
    fact = f"{name}.ipynb: it was not found, and {files} may be it; give the right one this name"
    return _waiting(name, version, identity, fact)


def _waiting(name: str, version: AssignmentVersion, identity: Identity, fact: str) -> NotebookSheet:
    """Return the sheet of a notebook that a person has to look at first."""
    part = _part(name, version, identity, Outcome.INCONCLUSIVE, fact)
    return replace(part, sheet=replace(part.sheet, repairs=bounded([fact])))


def _beside(version: AssignmentVersion, work: SubmittedWork, found: FoundNotebooks, notebook: str) -> Files:
    """Return the files beside a notebook when it runs: the student's, replaced by the instructor's.

    Those of its own folder lie beside it, where it is in one.
    """
    own = {
        name: content
        for name, content in work.files.items()
        if not is_notebook(name) and name not in found.paths.values()
        if name not in EXCHANGE_FILES and name.isprintable()
    }
    folder = notebook[: notebook.rfind("/") + 1]
    nearer = {name.removeprefix(folder): content for name, content in own.items() if name.startswith(folder)}
    return own | nearer | dict(version.files)


def _tried(engine: "Engine | KernelEngine", job: Job) -> GradedNotebook:
    """Grade a notebook, and try again if our side failed, or if a process of the notebook's ended.

    The machine may have taken that process. If it ends again, the notebook has ended it.
    """
    for _ in range(NOTEBOOK_TRIES - 1):
        with suppress(PlatformFault):
            graded = engine.run(job)
            if all(verdict.outcome not in DOUBTED for verdict in graded.sheet.verdicts):
                return graded
    return engine.run(job)
