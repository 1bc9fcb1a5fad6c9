"""Grades one submission at a time in a boxed Jupyter kernel, whatever its language, with nbgrader's scores.

The kernel runs everything, grade cells too, whose text it is told when their turn comes. So it has a say in
the verdicts, and they are labelled self-reported. But there are points only for cells that it has answered.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
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

from examiner.box.limits import ResourceLimits
from examiner.errors import MissingEnvironment
from examiner.examine.cells import cell_seed
from examiner.examine.engine import GradedNotebook, Job, document_of
from examiner.examine.executed import Output, checked_outputs, executed
from examiner.examine.pricing import priced
from examiner.examine.server import SandboxSettings
from examiner.kernel.provisioner import INSTRUCTORS, KERNEL_LIMITS, BoxedProvisioner, NoKernel
from examiner.model import Mode, TimeLimits
from examiner.notebook import parse
from examiner.submission.repair import Piece, repair, unanswered
from examiner.verdict import ENDED, GradeSheet, Outcome, Verdict

KERNEL_START_SECONDS: Final = 60  # that a kernel may take until it answers
MOST_SAID: Final = 4_000_000  # bytes that are kept of what one cell says
MOST_AT_ONCE: Final = 64 << 20  # bytes of a message; what sends a longer one is no longer heard
PASSED_BY: Final = "the kernel was not asked to run it: it is empty, or tagged skip-execution"
TIMEOUT_NAME: Final = "CellTimeoutError"
# What a client of Jupyter's stumbles with over messages that make no sense.
SENSELESS: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


QUIET: Final = logging.getLogger(
    "examiner.kernel"
)  # what students do to their kernels stands on their sheets
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


class KernelEngine:
    """Grades jobs one after another, each in a fresh kernel behind the walls.

    Parameters
    ----------
    kernel : str
        Its name, as Jupyter knows it.
    surroundings : SandboxSettings
        The walls around it, and what is hidden from it.
    secret : bytes
        What seeds are made from.
    bounds : ResourceLimits, optional
        What each of its processes may use, but for its time, which is the job's matter.
    """

    def __init__(
        self, kernel: str, surroundings: SandboxSettings, secret: bytes, bounds: ResourceLimits | None = None
    ) -> None:
        self._kernel, self._surroundings, self._secret = kernel, surroundings, secret
        self._bounds = bounds or KERNEL_LIMITS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing: no kernel outlives its job."""

    def run(self, job: Job) -> GradedNotebook:
        """Grade a job.

        Raises
        ------
        MissingEnvironment
            If Jupyter does not know the kernel.
        NoKernel, TooFewWalls
            If it does not start.
        BadSource, UnreadableNotebook
            If one of the notebooks is none.
        """
        document = json.loads(job.instructor)
        repaired = repair(parse(document, Path("the instructor's notebook")), document_of(job))
        pieces = [piece for piece in repaired.pieces if piece.is_code]
        seed = cell_seed(self._secret, job.identity, "")  # a kernel's environment is set once
        provisioner = self._provisioner(job, seed)
        record = _execute(provisioner, _cells(document, pieces), job.limits)
        verdicts = [_verdict(piece, n, record, seed) for n, piece in enumerate(pieces) if piece.is_autograded]
        ours = metadata.version("tinytorch-examiner")
        versions = {"examiner": ours, "kernel": self._kernel, "walls": str(provisioner.standing)}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        sheet = GradeSheet(job.identity, tuple(verdicts), repaired.repairs, versions, now)
        notebook = executed(document, repaired.pieces, record.shown(pieces), sheet)
        return GradedNotebook(sheet, notebook, unanswered(repaired.pieces))

    def _provisioner(self, job: Job, seed: str) -> BoxedProvisioner:
        """Return what will start the kernel; its parent is the manager that will ask for that."""
        surroundings = self._surroundings
        bounds = replace(self._bounds, cpu_seconds=job.limits.notebook_seconds)
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
            absent=sorted({*INSTRUCTORS, *surroundings.hidden}),
            files=dict(job.files),
            fonts=str(surroundings.caches or ""),
            limits=asdict(bounds),
            variables={"EXAMINER_SEED": seed, "NBGRADER_EXECUTION": "autograde"},
            walls=surroundings.walls,
        )
        return provisioner


class Listener(AsyncKernelClient):
    """Hears a kernel out, but for messages that are too long."""

    @default("context")  # type: ignore[untyped-decorator]
    def _bounded_context(self) -> zmq.asyncio.Context:
        self._created_context = True  # so that it is closed with the rest
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.MAXMSGSIZE, MOST_AT_ONCE)
        return context


@dataclass
class _Record:
    """What a kernel has said of each cell that it has answered, and where it was lost, if it was."""

    outputs: dict[int, list[Output]]
    late: set[int]
    seconds: dict[int, float]
    passed: int = 0
    loss: tuple[Outcome, str] | None = None

    def shown(self, pieces: Sequence[Piece]) -> dict[int, list[Output]]:
        """Return the outputs, with the loss at the cell where it is to be seen, if no verdict says it."""
        if self.loss is None or pieces[self.passed].is_autograded:
            return self.outputs
        outcome, fact = self.loss
        error = {"output_type": "error", "ename": str(outcome), "evalue": fact}
        return {**self.outputs, self.passed: [error | {"traceback": [f"{outcome}: {fact}"]}]}


class _Client(NotebookClient):
    """Runs cells as nbgrader does, and keeps what was answered within bounds."""

    def __init__(self, cells: Sequence[Any], provisioner: BoxedProvisioner, record: _Record) -> None:
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
            timeout_func=self._time_of_a_cell,
        )
        self.owns_km = True
        self._record, self._said = record, 0
        self._seconds = 0.0

    def run(self, number: int, seconds: float) -> None:
        """Have one cell run, for at most some seconds."""
        self._seconds, self._said = seconds, 0
        started = time.monotonic()
        self.execute_cell(self.nb.cells[number], number)
        self._record.seconds[number] = time.monotonic() - started

    def _time_of_a_cell(self, _cell: Any) -> float:
        return self._seconds

    async def _async_check_alive(self) -> None:
        """Look whether the kernel lives."""
        if self.kc is None:  # so asks a cell that was broken off, whose questions nbclient does not stop
            raise DeadKernelError("nobody listens any more")
        await super()._async_check_alive()

    def _keep(self, cell: Any, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        """Keep what a cell said, as nbgrader does: an error that was not shown is one all the same."""
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
        """Take in a message; of a cell that says too much, nothing but when it is done."""
        if msg["msg_type"] != "status":
            before, self._said = self._said, self._said + len(json.dumps(msg["content"], default=str))
            if self._said > MOST_SAID:
                if before <= MOST_SAID:
                    fact = f"outputs of more than {MOST_SAID:,} bytes were left out"
                    error = {"output_type": "error", "ename": "OutputLimit", "evalue": fact}
                    cell.outputs = [error | {"traceback": [f"OutputLimit: {fact}"]}]
                return None
        return super().process_message(msg, cell, cell_index)


def _cells(document: Mapping[str, Any], pieces: Sequence[Piece]) -> list[Any]:
    """Return the cells that are run, with the instructor's tags and nothing else of their metadata."""
    marks = [document["cells"][p.original.index]["metadata"] if p.original else {} for p in pieces]
    tags = [each.get("tags", []) for each in marks]
    return [
        new_code_cell(piece.source, metadata={"tags": own}) for piece, own in zip(pieces, tags, strict=True)
    ]


def _execute(provisioner: BoxedProvisioner, cells: Sequence[Any], limits: TimeLimits) -> _Record:
    """Run cells in a fresh kernel, until all are done or it is lost."""
    record = _Record({}, set(), {})
    client = _Client(cells, provisioner, record)
    try:
        with client.setup_kernel():
            end = time.monotonic() + limits.notebook_seconds
            for record.passed in range(len(cells)):
                left = end - time.monotonic()
                if left <= 0:
                    record.loss = Outcome.TIMEOUT, "the time of the whole notebook was over"
                else:
                    record.loss = _lost(client, provisioner, record.passed, min(limits.cell_seconds, left))
                if record.loss:
                    break
    except RuntimeError as error:  # so says Jupyter of a kernel that does not come up
        place, said = provisioner.kernel_spec.display_name, provisioner.last_words
        fix = "run its command by hand, and see"
        raise NoKernel(f"kernel {place}", f"{error}{said and ': ' + said}", fix) from error
    return record


def _lost(
    client: _Client, provisioner: BoxedProvisioner, number: int, seconds: float
) -> tuple[Outcome, str] | None:
    """Run a cell; return how the kernel was lost by that, if it was."""
    place, kills = f"code cell {number + 1}", provisioner.memory_kills()
    try:
        client.run(number, seconds)
    except DeadKernelError:
        is_too_large = provisioner.memory_kills() > kills
        outcome = Outcome.OUT_OF_MEMORY if is_too_large else Outcome.CRASHED
        return outcome, f"{place} {ENDED[outcome]}"
    except CellTimeoutError:
        return Outcome.TIMEOUT, f"{place} did not end, and could not be interrupted"
    except SENSELESS as error:
        return Outcome.TAMPERED, f"{place}: the kernel said what makes no sense ({error!r})"
    return None


def _verdict(piece: Piece, number: int, record: _Record, seed: str) -> Verdict:
    assert piece.original is not None
    name, most = piece.original.grade_id, piece.original.points
    seconds = record.seconds.get(number, 0.0)
    verdict = Verdict(name, Outcome.ERROR, 0.0, most, Mode.KERNEL, seed=seed, seconds=seconds)
    if number in record.outputs:
        return priced(verdict, record.outputs[number], timed_out=number in record.late)
    if record.loss and number >= record.passed:
        outcome, fact = record.loss
        return replace(verdict, outcome=outcome, message=fact)
    return replace(verdict, outcome=Outcome.INCONCLUSIVE, points=None, message=PASSED_BY)
