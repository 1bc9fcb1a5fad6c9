"""Grades one submission at a time: a student's cells in a candidate, the grade cells here; then a sheet.

The candidate goes on to its next cells while a snapshot of it is examined. Whatever it does, it costs the
cells that need it and nothing else; what fails on our side is raised, for the caller to try again.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn, Self

from examiner.box.limits import ResourceLimits
from examiner.candidate.work import Role, Work
from examiner.errors import BadSource, UnreadableNotebook
from examiner.examine.baselines import Baselines
from examiner.examine.bench import BoxedBench
from examiner.examine.cells import examine
from examiner.examine.executed import executed
from examiner.examine.follow import RunFollower
from examiner.examine.server import BrokenServer, SandboxSettings, Server, ServerInfo
from examiner.judge.cell import Conditions
from examiner.judge.compile import MEASURING_CHECKS, GradeCell, prepare
from examiner.judge.proxy import Remote
from examiner.model import Identity, Mode, TimeLimits
from examiner.notebook import Notebook, parse
from examiner.submission.repair import Piece, Repaired, repair, unanswered
from examiner.verdict import GradeSheet

# Matplotlib itself, `%pylab`, and the words with which other libraries import it.
DRAWS: Final = re.compile(rb"plotlib|pylab|seaborn|\.(?:box)?plot|\.hist\(")
# Checks that measure: the process beside the student's has imported what draws, and is as large for it.
MEASURES: Final = re.compile(rf"(?:{'|'.join(sorted(MEASURING_CHECKS))})\(".encode())


@dataclass(frozen=True)
class Job:
    """One notebook of one submission, to be graded.

    Parameters
    ----------
    identity : Identity
        Whose it is, and the digests of what it is graded from.
    instructor, submitted : bytes
        The two notebooks.
    files : mapping from str to bytes
        What lies beside the notebook, by its path relative to it.
    limits : TimeLimits
        Seconds for each cell, a student's or one that tests, and for the student's cells together.
    modes : mapping from str to Mode
        By grade_id, for cells that are not examined.
    tracebacks : str
        How much of an error is written out: "Minimal" saves the twentieth of a second that "Context" takes.
    """

    identity: Identity
    instructor: bytes
    submitted: bytes
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: TimeLimits = field(default_factory=TimeLimits)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    tracebacks: str = "Context"


@dataclass(frozen=True)
class GradedNotebook:
    """A job that is done: its sheet, the executed notebook, and the solution cells nobody has touched."""

    sheet: GradeSheet
    notebook: bytes
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedNotebook:
    """An instructor's notebook, read once for all who hand it in."""

    document: Mapping[str, Any]
    notebook: Notebook
    cells: tuple[GradeCell, ...]


class Engine:
    """Grades jobs one after another, each in a fresh candidate of one warm server.

    Parameters
    ----------
    surroundings : SandboxSettings
        Where the student's code runs.
    secret : bytes
        What seeds are made from.
    reference : module, optional
        What `reference` means in hidden tests.
    bounds : ResourceLimits, optional
        What each process of a candidate may use, but for its time, which is the job's matter.
    """

    def __init__(
        self,
        surroundings: SandboxSettings,
        secret: bytes,
        reference: ModuleType | None = None,
        bounds: ResourceLimits | None = None,
    ) -> None:
        self._surroundings, self._secret, self._reference = surroundings, secret, reference
        self._bounds = bounds or ResourceLimits()
        self._server: Server | None = Server(surroundings)
        self._baselines = Baselines(surroundings, reference, self._bounds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._baselines.close()
        self._drop_server()

    def run(self, job: Job) -> GradedNotebook:
        """Grade a job.

        Raises
        ------
        BrokenServer
            If the server failed; the next job, or the same again, starts another one.
        BadSource, UnreadableNotebook
            If one of the notebooks is none.
        """
        prepared = _prepared(job.instructor, tuple(job.modes.items()))
        repaired = repair(prepared.notebook, document_of(job))
        try:
            bounds = replace(self._bounds, cpu_seconds=job.limits.notebook_seconds)
            server = self._ready_server()
            versions = _versions(server.wait_until_warm())
            if _may_draw(job):
                server.learn_to_draw()
            with server.start(_work(job, prepared, repaired), bounds) as candidate:
                passage = RunFollower(
                    candidate, [piece for piece in repaired.pieces if piece.is_code], job.limits
                )
                conditions = self._conditions(job, passage)
                sheet = examine(prepared.cells, passage, job.identity, self._secret, conditions)
                passage.follow_to_the_end()
                own_words = [
                    passage.run_in_kernel(cell, job.identity, self._secret) for cell in _in_kernel(prepared)
                ]
                passage.check_server()
        except BrokenServer:
            self._baselines.close()
            self._drop_server()
            raise
        sheet = replace(sheet, verdicts=(*sheet.verdicts, *own_words), versions=versions)
        return _graded(prepared, repaired, passage, sheet)

    def _conditions(self, job: Job, passage: RunFollower) -> Conditions:
        def open_bench(cell: GradeCell, remote: Remote) -> BoxedBench:
            return BoxedBench(cell, remote, passage, self._baselines, self._reference)

        return Conditions(job.limits.cell_seconds, self._reference, open_bench)

    def _ready_server(self) -> Server:
        if self._server is None:
            self._server = Server(self._surroundings)
        return self._server

    def _drop_server(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()


@lru_cache(maxsize=8)
def _prepared(instructor: bytes, modes: tuple[tuple[str, Mode], ...]) -> PreparedNotebook:
    place = Path("the instructor's notebook")
    try:
        document = json.loads(instructor)
    except ValueError as error:
        raise BadSource(place, f"it is no notebook ({error})", "save it again in JupyterLab") from error
    notebook = parse(document, place)
    return PreparedNotebook(document, notebook, prepare(notebook.cells, dict(modes)))


@cache
def _versions(warm: ServerInfo) -> Mapping[str, str]:
    ours = metadata.version("tinytorch-examiner")
    return {"examiner": ours, "python": warm.python, "numpy": warm.numpy, "walls": str(warm.walls)}


def document_of(job: Job) -> Mapping[str, Any]:
    """Return the JSON of what was handed in; UnreadableNotebook if it is none."""
    try:
        document = json.loads(job.submitted)
    except (ValueError, RecursionError) as error:
        _refuse(job, f"this is no readable notebook ({error})")
    if not isinstance(document, dict):
        _refuse(job, "this is JSON, but no notebook")
    return document


def _refuse(job: Job, fact: str) -> NoReturn:
    place = f"{job.identity.student}/{job.identity.assignment}"
    raise UnreadableNotebook(place, fact, "open it in JupyterLab and save it again")


def _may_draw(job: Job) -> bool:
    """Whether matplotlib is likely to be imported: what is imported beforehand is a matter of time alone."""
    programs = (content for name, content in job.files.items() if name.endswith(".py"))
    texts = (job.instructor, job.submitted, *programs)
    return bool(MEASURES.search(job.instructor)) or any(DRAWS.search(text) for text in texts)


def _work(job: Job, prepared: PreparedNotebook, repaired: Repaired) -> Work:
    seed = hashlib.sha256(job.identity.key.submission.encode()).digest()[:8]
    return Work(
        cells=tuple(_handed(piece, job.modes) for piece in repaired.pieces if piece.is_code),
        files=job.files,
        seconds=job.limits.cell_seconds,
        seed=int.from_bytes(seed, "little"),
        tracebacks=job.tracebacks,
        measures=any(cell.measures for cell in prepared.cells),
    )


def _handed(piece: Piece, modes: Mapping[str, Mode]) -> tuple[Role, str]:
    if not piece.is_autograded or piece.original is None:
        return Role.PLAIN, piece.source
    is_kernel = modes.get(piece.original.grade_id) is Mode.KERNEL
    return (Role.KERNEL if is_kernel else Role.EXAMINED), ""


def _in_kernel(prepared: PreparedNotebook) -> list[GradeCell]:
    return [cell for cell in prepared.cells if cell.mode is Mode.KERNEL]


def _graded(
    prepared: PreparedNotebook, repaired: Repaired, passage: RunFollower, sheet: GradeSheet
) -> GradedNotebook:
    by_name = {verdict.grade_id: verdict for verdict in sheet.verdicts}
    verdicts = tuple(by_name[cell.grade_id] for cell in prepared.cells)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    sheet = replace(sheet, verdicts=verdicts, repairs=repaired.repairs, graded_at=now)
    notebook = executed(prepared.document, repaired.pieces, passage.outputs, sheet)
    return GradedNotebook(sheet, notebook, unanswered(repaired.pieces))
