"""Grades one submission at a time in a boxed Jupyter kernel of any language, by nbgrader's rule for points.

It grades all cells where a course asks for that, else those for which the evidence does.

The kernel runs all cells, grade cells too; it gets the text of each only when that cell is run. As the
student's code can influence the outputs, the verdicts are labelled self-reported. A cell that the kernel did
not answer gets no points.
"""

import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final, Self
from uuid import uuid4

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook
from traitlets import default

from examiner import version
from examiner.box.limits import ResourceLimits
from examiner.errors import MissingEnvironment
from examiner.examine.cells import cell_seed
from examiner.examine.doubt import in_doubt
from examiner.examine.engine import GradedNotebook, Job, instructors_notebook, repaired_of
from examiner.examine.executed import Output, checked_outputs, executed
from examiner.examine.pricing import priced
from examiner.examine.server import SandboxSettings
from examiner.judge.cell import SEED
from examiner.kernel.provisioner import INSTRUCTORS, KERNEL_LIMITS, BoxedProvisioner, NoKernel
from examiner.model import Mode, TimeLimits
from examiner.submission.repair import Piece, Repaired, unanswered
from examiner.verdict import ENDED, GradeSheet, Outcome, Verdict, timestamp

KERNEL_START_SECONDS: Final = 60  # that a kernel may take until it answers
OUTPUT_BYTES: Final = 4_000_000  # that are kept of the outputs of one cell
MESSAGE_BYTES: Final = 64 << 20  # of one message; a socket that sends a longer one is disconnected
NOT_RUN: Final = "the kernel was not asked to run it: it is empty, or tagged skip-execution"
TIMEOUT_NAME: Final = "CellTimeoutError"
# The exceptions that Jupyter's client raises over malformed messages.
MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


# Jupyter's messages about kernels are not shown: what students do to their kernels is on their sheets.
QUIET: Final = logging.getLogger("examiner.kernel")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


class KernelEngine:
    """Grades jobs one after another, each in a fresh kernel behind the walls.

    Parameters
    ----------
    kernel : str
        The name by which Jupyter knows the kernel.
    settings : SandboxSettings
        The walls around the kernel, and what is hidden from it.
    secret : bytes
        The secret from which seeds are derived.
    limits : ResourceLimits, optional
        How much the kernel may use; its CPU time is set by each job.
    """

    def __init__(
        self, kernel: str, settings: SandboxSettings, secret: bytes, limits: ResourceLimits | None = None
    ) -> None:
        self._kernel, self._settings, self._secret = kernel, settings, secret
        self._limits = limits or KERNEL_LIMITS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: every kernel has ended with its job."""

    def run(self, job: Job) -> GradedNotebook:
        """Grade a job.

        Raises
        ------
        MissingEnvironment
            If Jupyter does not know the kernel.
        NoKernel, TooFewWalls
            If the kernel does not start.
        BadSource, UnreadableNotebook
            If the instructor's or the student's notebook is not a notebook.
        """
        ran = self._run(job)
        versions = {"examiner": version(), "kernel": self._kernel, "walls": ran.walls}
        repaired = ran.repaired
        verdicts = in_doubt(ran.verdicts, repaired)
        sheet = GradeSheet(job.identity, verdicts, repaired.repairs, versions, timestamp())
        notebook = executed(ran.document, repaired.pieces, ran.record.shown(ran.pieces), sheet)
        return GradedNotebook(sheet, notebook, unanswered(repaired.pieces))

    def self_reported(self, job: Job) -> dict[str, tuple[Verdict, list[Output]]]:
        """Run a whole notebook, and return the verdict and the outputs of each cell that is not examined.

        Other errors are as of `run`.
        """
        seed = partial(cell_seed, self._secret, job.identity)
        ran = self._run(job, lambda cell: _setting(seed(cell)) if job.modes.get(cell) is Mode.KERNEL else "")
        numbers = [number for number, piece in enumerate(ran.pieces) if piece.is_autograded]
        given = {
            verdict.grade_id: (replace(verdict, seed=seed(verdict.grade_id)), ran.record.outputs.get(n, []))
            for verdict, n in zip(ran.verdicts, numbers, strict=True)
        }
        return {name: found for name, found in given.items() if job.modes.get(name) is Mode.KERNEL}

    def _run(self, job: Job, before: Callable[[str], str] = lambda _: "") -> "_Ran":
        """Run a notebook; what `before` returns for a grade cell runs before it, and is in no history."""
        document, notebook = instructors_notebook(job.instructor)
        repaired = repaired_of(job, notebook)
        pieces = [piece for piece in repaired.pieces if piece.is_code]
        unseen = {
            n: before(p.original.grade_id) for n, p in enumerate(pieces) if p.original and p.is_autograded
        }
        # A kernel gets its environment variables once, so without more ado all its cells have the same seed.
        seed = cell_seed(self._secret, job.identity, "")
        provisioner = self._provisioner(job, seed)
        record = _execute(provisioner, _cells(document, pieces), unseen, job.limits)
        verdicts = [_verdict(piece, n, record, seed) for n, piece in enumerate(pieces) if piece.is_autograded]
        return _Ran(document, repaired, pieces, record, tuple(verdicts), str(provisioner.standing))

    def _provisioner(self, job: Job, seed: str) -> BoxedProvisioner:
        """Return the provisioner that will start the kernel for its parent, a kernel manager."""
        settings = self._settings
        limits = replace(self._limits, cpu_seconds=job.limits.notebook_seconds)
        listener = f"{Listener.__module__}.{Listener.__name__}"
        manager = AsyncKernelManager(kernel_name=self._kernel, client_class=listener, log=QUIET)
        try:
            specification = manager.kernel_spec
        except NoSuchKernel as error:
            fact, fix = "Jupyter does not know this kernel", "install it, and see `jupyter kernelspec list`"
            raise MissingEnvironment(f"kernel {error.name}", fact, fix) from error
        provisioner = manager.provisioner = BoxedProvisioner(
            parent=manager,
            kernel_id=str(uuid4()),
            kernel_spec=specification,
            absent=sorted({*INSTRUCTORS, *settings.hidden}),
            files=dict(job.files),
            fonts=str(settings.caches or ""),
            limits=asdict(limits),
            variables={SEED: seed, "NBGRADER_EXECUTION": "autograde"},
            walls=settings.walls,
        )
        return provisioner


def _setting(seed: str) -> str:
    """Return the Python statement that gives a kernel another seed."""
    return f"__import__('os').environ[{SEED!r}] = {seed!r}"


class Listener(AsyncKernelClient):
    """A kernel client that refuses messages that are too long."""

    @default("context")  # type: ignore[untyped-decorator]
    def _bounded_context(self) -> zmq.asyncio.Context:
        self._created_context = True  # so that the client closes it
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
        return context


@dataclass
class _Record:
    """The outputs and times of the cells that a kernel has answered, and how the kernel was lost, if it was.

    `late` holds the cells that were interrupted, `current` is the cell that was run last; `loss` is about
    that one.
    """

    outputs: dict[int, list[Output]]
    late: set[int]
    seconds: dict[int, float]
    current: int = 0
    loss: tuple[Outcome, str] | None = None

    def shown(self, pieces: Sequence[Piece]) -> dict[int, list[Output]]:
        """Return the outputs; a loss that no verdict reports is shown as an error of its cell."""
        if self.loss is None or pieces[self.current].is_autograded:
            return self.outputs
        outcome, fact = self.loss
        error = {"output_type": "error", "ename": str(outcome), "evalue": fact}
        return {**self.outputs, self.current: [error | {"traceback": [f"{outcome}: {fact}"]}]}


@dataclass(frozen=True)
class _Ran:
    """A notebook that a kernel has run, and a verdict for each of its grade cells."""

    document: Mapping[str, Any]
    repaired: Repaired
    pieces: Sequence[Piece]
    record: _Record
    verdicts: tuple[Verdict, ...]
    walls: str


class _Client(NotebookClient):
    """Runs cells as nbgrader does, and records outputs up to a limit."""

    def __init__(
        self,
        cells: Sequence[Any],
        unseen: Mapping[int, str],
        provisioner: BoxedProvisioner,
        record: _Record,
    ) -> None:
        late = {
            "ename": TIMEOUT_NAME,
            "evalue": "",
            "traceback": [f"{TIMEOUT_NAME}: No reply from kernel before timeout"],
        }
        super().__init__(
            new_notebook(cells=cells),
            km=provisioner.parent,
            log=QUIET,
            allow_errors=True,
            interrupt_on_timeout=True,
            raise_on_iopub_timeout=True,
            error_on_timeout=late,
            startup_timeout=KERNEL_START_SECONDS,
            shutdown_kernel="immediate",
            store_widget_state=False,
            on_cell_executed=self._keep,
            timeout_func=self._cell_timeout,
        )
        self.owns_km = True
        self.widget_state = defaultdict(dict)  # where output widgets leave what they show, stored or not
        self._record, self._unseen, self._output_bytes = record, unseen, 0
        self._seconds = 0.0

    def run(self, number: int, seconds: float) -> None:
        """Run one cell, for at most some seconds; a test may look up in the history what ran before it."""
        self._seconds, self._output_bytes = seconds, 0
        if self.kc and (source := self._unseen.get(number)):
            self.kc.execute(source, silent=True, store_history=False)
        started = time.monotonic()
        self.execute_cell(self.nb.cells[number], number)
        self._record.seconds[number] = time.monotonic() - started

    def _cell_timeout(self, _cell: Any) -> float:
        return self._seconds

    async def _async_check_alive(self) -> None:
        """Raise DeadKernelError if the kernel is dead."""
        if self.kc is None:  # nbclient does not cancel this check for a cell that was interrupted
            raise DeadKernelError("the client was closed")
        await super()._async_check_alive()

    def _keep(self, cell: Any, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        """Record a cell's outputs; as in nbgrader, an error in the reply counts even if it was not shown."""
        content, outputs = execute_reply["content"], list(cell.outputs)
        names = [output.get("ename") for output in outputs if output["output_type"] == "error"]
        if content["status"] != "ok" and content.get("ename") not in names:
            error = {"output_type": "error", "ename": content.get("ename", content["status"])}
            lines = content.get("traceback") or ["an error occurred, and was not shown"]
            outputs.append(error | {"evalue": content.get("evalue", ""), "traceback": lines})
        self._record.outputs[cell_index] = checked_outputs(outputs)
        if content.get("ename") == TIMEOUT_NAME and "header" not in execute_reply:
            self._record.late.add(cell_index)

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Process a message; after too many outputs of a cell, only its status messages are used."""
        if msg["msg_type"] != "status":
            before = self._output_bytes
            self._output_bytes += len(json.dumps(msg["content"], default=str))
            if self._output_bytes > OUTPUT_BYTES:
                if before <= OUTPUT_BYTES:
                    fact = f"outputs of more than {OUTPUT_BYTES:,} bytes were left out"
                    error = {"output_type": "error", "ename": "OutputLimit", "evalue": fact}
                    cell.outputs = [error | {"traceback": [f"OutputLimit: {fact}"]}]
                return None
        return super().process_message(msg, cell, cell_index)


def _cells(document: Mapping[str, Any], pieces: Sequence[Piece]) -> list[Any]:
    """Return the cells to run; of their metadata, only the instructor's tags are kept."""
    originals = [document["cells"][p.original.index]["metadata"] if p.original else {} for p in pieces]
    tags = [metadata.get("tags", []) for metadata in originals]
    return [
        new_code_cell(piece.source, metadata={"tags": names})
        for piece, names in zip(pieces, tags, strict=True)
    ]


def _execute(
    provisioner: BoxedProvisioner, cells: Sequence[Any], unseen: Mapping[int, str], limits: TimeLimits
) -> _Record:
    """Run cells in a fresh kernel, until all are done or the kernel is lost."""
    record = _Record({}, set(), {})
    client = _Client(cells, unseen, provisioner, record)
    try:
        with client.setup_kernel():
            end = time.monotonic() + limits.notebook_seconds
            for record.current in range(len(cells)):
                left = end - time.monotonic()
                if left <= 0:
                    record.loss = Outcome.TIMEOUT, "the time of the whole notebook was over"
                else:
                    record.loss = _lost(client, provisioner, record.current, min(limits.cell_seconds, left))
                if record.loss:
                    break
    except RuntimeError as error:  # Jupyter raises this for a kernel that does not start
        name, reason = provisioner.kernel_spec.display_name, provisioner.last_words
        fix = "run its command by hand to see why"
        raise NoKernel(f"kernel {name}", f"{error}{reason and ': ' + reason}", fix) from error
    return record


def _lost(
    client: _Client, provisioner: BoxedProvisioner, number: int, seconds: float
) -> tuple[Outcome, str] | None:
    """Run a cell; return the outcome and the fact if the kernel was lost by it, else None."""
    place, kills = f"code cell {number + 1}", provisioner.memory_kills()
    try:
        client.run(number, seconds)
    except DeadKernelError:
        is_too_large = provisioner.memory_kills() > kills
        outcome = Outcome.OUT_OF_MEMORY if is_too_large else Outcome.CRASHED
        return outcome, f"{place} {ENDED[outcome]}"
    except CellTimeoutError:
        return Outcome.TIMEOUT, f"{place} did not end, and could not be interrupted"
    except MALFORMED as error:
        return Outcome.TAMPERED, f"{place}: the kernel sent a malformed message ({error!r})"
    return None


def _verdict(piece: Piece, number: int, record: _Record, seed: str) -> Verdict:
    assert piece.original is not None
    name, most = piece.original.grade_id, piece.original.points
    seconds = record.seconds.get(number, 0.0)
    verdict = Verdict(name, Outcome.ERROR, 0.0, most, Mode.KERNEL, seed=seed, seconds=seconds)
    if number in record.outputs:
        return priced(verdict, record.outputs[number], timed_out=number in record.late)
    if record.loss and number >= record.current:
        outcome, fact = record.loss
        return replace(verdict, outcome=outcome, message=fact)
    return replace(verdict, outcome=Outcome.INCONCLUSIVE, points=None, message=NOT_RUN)
