"""Grades one notebook at a time: the student's cells run in a candidate, the grade cells in a judge.

All of the student's cells run before the first snapshot is examined, so that nothing that a grade cell asks
can come into their outputs. If the candidate fails, only the grade cells that need it lose points. A failure
on our side is raised, so that the caller can try again.
"""

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self

from examiner import version
from examiner.box.limits import ResourceLimits
from examiner.candidate.work import MATPLOTLIB, Role, Work
from examiner.errors import BadSource, UnreadableNotebook
from examiner.examine.baselines import LEARNED, Baselines
from examiner.examine.cells import examine
from examiner.examine.doubt import in_doubt
from examiner.examine.executed import Output, executed
from examiner.examine.expected_imports import imported_libraries, may_draw
from examiner.examine.flow import defining_cells, released_texts
from examiner.examine.follow import RunFollower
from examiner.examine.instruments import BoxInstruments
from examiner.examine.judges import JudgeRun, JudgeServer, Rehearsal
from examiner.examine.processor import on_one_processor
from examiner.examine.server import BrokenServer, SandboxSettings, Server, ServerInfo
from examiner.judge.cell import MEASURING_SECONDS
from examiner.judge.compile import MEASURING_CHECKS, GradeCell, prepare
from examiner.judge.work import JudgedAssignment
from examiner.model import Identity, Mode, TimeLimits
from examiner.notebook import Notebook, parse, visible
from examiner.submission.document import read_document
from examiner.submission.repair import Piece, Repaired, bounded, repair, unanswered
from examiner.verdict import GradeSheet, Verdict, timestamp
from examiner.wire.channel import Channel

# Checks that measure: a baseline's process has imported matplotlib, so the student's does, to be as large.
MEASURES: Final = re.compile(rf"(?:{'|'.join(sorted(MEASURING_CHECKS))})\(".encode())
_OF_IPYTHON: Final = frozenset({"In", "Out", "get_ipython"})


@dataclass(frozen=True)
class Job:
    """One notebook of one submission, to be graded.

    Parameters
    ----------
    identity : Identity
        Whose work it is, and the digests of what its grade depends on.
    instructor, submitted : bytes
        The two notebooks.
    files : mapping from str to bytes
        What lies beside the notebook, by its path relative to it.
    limits : TimeLimits
        Seconds for each student's cell and each grade cell, and for all student's cells together.
    modes : mapping from str to Mode
        By grade_id, for cells that are not examined.
    tracebacks : str
        IPython's mode for tracebacks: "Minimal" saves the twentieth of a second that "Context" takes.
    instructors : mapping from str to bytes
        Those of the files that are the instructor's: a grade cell can read them.
    repairs : tuple of str
        What was put right before, such as the name of the notebook, in sentences.
    """

    identity: Identity
    instructor: bytes
    submitted: bytes
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: TimeLimits = field(default_factory=TimeLimits)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    tracebacks: str = "Context"
    instructors: Mapping[str, bytes] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class GradedNotebook:
    """The result of a job: its sheet, the executed notebook, and the solution cells that are as released."""

    sheet: GradeSheet
    notebook: bytes
    unanswered: tuple[str, ...] = ()


RunInKernel = Callable[[Job], Mapping[str, tuple[Verdict, list[Output]]]]
"""Runs a whole notebook in a kernel, and returns the verdict and the outputs of each self-reported cell."""


@dataclass(frozen=True)
class PreparedNotebook:
    """An instructor's notebook, parsed and compiled once for all submissions."""

    document: Mapping[str, Any]
    notebook: Notebook
    cells: tuple[GradeCell, ...]
    libraries: frozenset[str]


class Engine:
    """Grades jobs one after another, each with a fresh candidate and a fresh judge, of two warm servers.

    Parameters
    ----------
    settings : SandboxSettings
        The sandbox that the student's code runs in.
    secret : bytes
        The course's secret, from which seeds are derived.
    reference : module, optional
        The module that hidden tests use as `reference`.
    limits : ResourceLimits, optional
        What each process of a candidate may use; its CPU time is limited by the job.
    run_in_kernel : callable, optional
        What runs the notebook once more for its self-reported cells. Without it, a snapshot runs each of
        them by itself, which is quicker; but what the hidden part of one binds is not there for the next.
    locked_may_fail : bool
        Whether a locked cell that fails is a failure of the grade cells that need it, and not of the author:
        the gate tries what a kernel makes of it.
    """

    def __init__(  # noqa: PLR0913 - all that is the same for every job
        self,
        settings: SandboxSettings,
        secret: bytes,
        reference: ModuleType | None = None,
        limits: ResourceLimits | None = None,
        run_in_kernel: RunInKernel | None = None,
        *,
        locked_may_fail: bool = False,
    ) -> None:
        self._settings, self._secret, self._reference = settings, secret, reference
        self._run_in_kernel, self._locked_may_fail = run_in_kernel, locked_may_fail
        self._limits = limits or ResourceLimits()
        self._server: Server | None = Server(settings)
        self._judges: JudgeServer | None = JudgeServer(settings, reference)
        self._baselines = Baselines(settings, reference, self._limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def run(self, job: Job) -> GradedNotebook:
        """Grade a job.

        Raises
        ------
        BrokenServer
            If the server failed; the next call starts another one.
        BadSource, UnreadableNotebook
            If the instructor's or the submitted notebook cannot be read.
        BadLockedCell
            If a locked cell of the instructor's cannot be run; no student can do anything about it.
        """
        prepared = _prepared(job.instructor, tuple(job.modes.items()))
        repaired = repaired_of(job, prepared.notebook)
        try:
            seconds = job.limits.cell_seconds
            limits = replace(self._limits, cpu_seconds=job.limits.notebook_seconds)
            server, judges = self._ready_servers()
            versions = _versions(server.wait_until_warm())
            server = self._with_libraries(server, job, prepared.libraries)
            slot = judges.slot(_judged(job), Rehearsal(self._limits, seconds, not self._locked_may_fail))
            code = [piece for piece in repaired.pieces if piece.is_code]
            in_snapshots = () if self._run_in_kernel else [cell.grade_id for cell in _in_kernel(prepared)]
            released = released_texts(code, in_snapshots)
            work = _work(job, prepared, code, released)
            with self._kept_together(work), server.start(work, limits) as candidate:
                follower = RunFollower(candidate, code, job.limits, released)
                follower.follow_to_the_end()
                instruments = partial(self._instruments, follower, seconds)
                sources = partial(_sources_before, code)
                with JudgeRun(judges, slot, self._limits, seconds, instruments, sources) as judge:
                    sheet = examine(prepared.cells, follower, job.identity, self._secret, judge.judge)
                kernel_verdicts = self._self_reported(job, prepared, follower)
                follower.check_server()
        except BrokenServer:
            self._close()
            raise
        sheet = replace(sheet, verdicts=(*sheet.verdicts, *kernel_verdicts), versions=versions)
        return _graded(prepared, repaired, follower, sheet)

    def _with_libraries(self, server: Server, job: Job, imported: frozenset[str]) -> Server:
        """Return a server that has imported what a job does; what measures has no more than its baseline."""
        if not MEASURES.search(job.instructor):
            server.learn(imported | ({MATPLOTLIB} if may_draw(_texts(job)) else frozenset()))
            return server
        if server.learned - LEARNED:
            server.close()
            server = self._server = Server(self._settings)
        server.learn(LEARNED)
        return server

    def _kept_together(self, work: Work) -> AbstractContextManager[None]:
        """Keep what grades a submission on one processor; what measures needs one for itself."""
        if work.measures:
            return contextlib.nullcontext()
        return on_one_processor([server.process() for server in self._ready_servers()])

    def _self_reported(self, job: Job, prepared: PreparedNotebook, follower: RunFollower) -> list[Verdict]:
        """Return the verdicts on the cells that are not examined."""
        cells = _in_kernel(prepared)
        if not cells or not self._run_in_kernel:
            return [follower.run_in_snapshot(cell, job.identity, self._secret) for cell in cells]
        given = self._run_in_kernel(job)
        for cell in cells:
            follower.show(cell.grade_id, given[cell.grade_id][1])
        return [given[cell.grade_id][0] for cell in cells]

    def _instruments(
        self, follower: RunFollower, seconds: float, cell: GradeCell, channel: Channel
    ) -> BoxInstruments:
        deadline = time.monotonic() + seconds + MEASURING_SECONDS
        definitions = self._importing_reference + cell.definitions
        return BoxInstruments(channel, follower, self._baselines, definitions, deadline)

    @property
    def _importing_reference(self) -> str:
        return "" if self._reference is None else f"import {self._reference.__name__} as reference\n"

    def _ready_servers(self) -> tuple[Server, JudgeServer]:
        self._server = self._server or Server(self._settings)
        self._judges = self._judges or JudgeServer(self._settings, self._reference)
        return self._server, self._judges

    def _close(self) -> None:
        """End all servers; the next job starts them again."""
        self._baselines.close()
        servers, self._server, self._judges = (self._server, self._judges), None, None
        for server in servers:
            if server:
                server.close()


@lru_cache(maxsize=8)
def _prepared(instructor: bytes, modes: tuple[tuple[str, Mode], ...]) -> PreparedNotebook:
    document, notebook = instructors_notebook(instructor)
    libraries = imported_libraries(notebook.cells)
    return PreparedNotebook(document, notebook, prepare(notebook.cells, dict(modes)), libraries)


def instructors_notebook(content: bytes) -> tuple[Mapping[str, Any], Notebook]:
    """Return the JSON of an instructor's notebook, and the notebook in it.

    Raises
    ------
    BadSource
        If it is not a notebook.
    """
    place = Path("the instructor's notebook")
    try:
        document = json.loads(content)
    except ValueError as error:
        raise BadSource(place, f"it is no notebook ({error})", "save it again in JupyterLab") from error
    return document, parse(document, place)


@cache
def _versions(info: ServerInfo) -> Mapping[str, str]:
    return {
        "examiner": version(),
        "python": info.python,
        "numpy": info.numpy,
        "walls": str(info.walls),
    }


def repaired_of(job: Job, notebook: Notebook) -> Repaired:
    """Return the notebook to run for a job, or raise UnreadableNotebook."""
    try:
        document = read_document(job.submitted)
    except ValueError as error:
        place = f"{job.identity.student}/{job.identity.assignment}"
        raise UnreadableNotebook(place, str(error), "open it in JupyterLab and save it again") from error
    repaired = repair(notebook, document, job.files)
    return replace(repaired, repairs=bounded([*job.repairs, *repaired.repairs]))


def _judged(job: Job) -> JudgedAssignment:
    """Return what judges need to know; modules beside the notebook are the candidate's."""
    beside = {name.partition("/")[0].removesuffix(".py") for name in job.instructors if name.endswith(".py")}
    return JudgedAssignment(job.instructor, job.modes, _readable(job.instructors), tuple(sorted(beside)))


def _readable(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that a grade cell may read."""
    return {name: content for name, content in files.items() if not name.endswith(".py")}


def _texts(job: Job) -> Iterator[bytes]:
    """Yield the notebooks of a job, and the programs beside them."""
    yield from (job.instructor, job.submitted)
    yield from (content for name, content in job.files.items() if name.endswith(".py"))


def _work(job: Job, prepared: PreparedNotebook, code: Sequence[Piece], released: Mapping[int, str]) -> Work:
    measures = any(cell.measures for cell in prepared.cells)
    seed = hashlib.sha256(job.identity.key.submission.encode()).digest()[:8]
    return Work(
        cells=tuple(
            (_role(piece, job.modes), released.get(n, "") if piece.is_autograded else piece.source)
            for n, piece in enumerate(code)
        ),
        defining={} if measures or _asks_for_history(prepared) else defining_cells(code),
        files=job.files,
        seconds=job.limits.cell_seconds,
        seed=int.from_bytes(seed, "little"),
        tracebacks=job.tracebacks,
        measures=measures,
    )


def _asks_for_history(prepared: PreparedNotebook) -> bool:
    """Whether a grade cell reads names of IPython's, such as `In` or `_ih`, which change with each cell."""
    return any(n in _OF_IPYTHON or n.startswith("_") for cell in prepared.cells for n in cell.wanted)


def _sources_before(code: Sequence[Piece], grade_id: str) -> tuple[str, ...]:
    """Return the texts of the code cells before a grade cell; of other grade cells, what is released."""
    texts = []
    for piece in code:
        if piece.original and piece.original.grade_id == grade_id:
            break
        texts.append(
            visible(piece.original.source) if piece.original and piece.is_autograded else piece.source
        )
    return tuple(texts)


def _role(piece: Piece, modes: Mapping[str, Mode]) -> Role:
    if not piece.is_autograded or piece.original is None:
        return Role.PLAIN
    return Role.KERNEL if modes.get(piece.original.grade_id) is Mode.KERNEL else Role.EXAMINED


def _in_kernel(prepared: PreparedNotebook) -> list[GradeCell]:
    return [cell for cell in prepared.cells if cell.mode is Mode.KERNEL]


def _graded(
    prepared: PreparedNotebook, repaired: Repaired, follower: RunFollower, sheet: GradeSheet
) -> GradedNotebook:
    by_name = {verdict.grade_id: verdict for verdict in sheet.verdicts}
    verdicts = in_doubt([by_name[cell.grade_id] for cell in prepared.cells], repaired)
    sheet = replace(sheet, verdicts=verdicts, repairs=repaired.repairs, graded_at=timestamp())
    notebook = executed(prepared.document, repaired.pieces, follower.outputs, sheet)
    return GradedNotebook(sheet, notebook, unanswered(repaired.pieces))
