"""Runs trials in parallel, with every grade cell judged in both modes: examined, and in the kernel.

The notebook that is run contains each grade cell twice, once for each mode. Both get a snapshot of the same
process, so both verdicts are about the same state. Only the witness is run in a kernel of its own.
"""

import copy
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from examiner.batch import pool
from examiner.batch.worker import DOUBTED, load_package
from examiner.course.environment import environment_of
from examiner.errors import ExaminerError, PlatformFault
from examiner.examine.engine import Engine, GradedNotebook, Job
from examiner.examine.server import SandboxSettings
from examiner.gate.hollow import marked
from examiner.gate.model import LAST, Account, Result, Results, Seen, Trial, TrialKind
from examiner.gate.short import shortened
from examiner.gate.stubs import TELL
from examiner.gate.trials import WRONG_ANSWERS, Known, Plan, count, first_trials, further_trials
from examiner.model import Course, GradeKey, Identity, Mode, StudentEnvironment, TimeLimits
from examiner.notebook import Cell, mark
from examiner.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from examiner.kernel.engine import KernelEngine

TWIN: Final = "~kernel"  # ends the second cell's grade_id; nbgrader allows no `~` in one
SECRET: Final = b"the same numbers tomorrow, so that what fails can be seen again"
WHO: Final = "examiner check"
TRIAL_TRIES: Final = 2
OF_THE_SOLUTION: Final = {TrialKind.WITNESS, TrialKind.INSTRUCTOR, TrialKind.OBSERVED, TrialKind.REACH}
SLACK_SECONDS: Final = 300
BOTH_MODES: Final = (Mode.EXAMINED, Mode.KERNEL)
# How IPython names the line of a cell in a traceback; the first one is that of the cell that was run.
ANSI_COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")
FAILED_LINE: Final = re.compile(r"Cell In\[\d+\], line (\d+)")

Document = dict[str, Any]
TrialProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class TrialRunner:
    """Runs trials in parallel worker processes.

    Parameters
    ----------
    workers : int
        How many trials run at a time.
    progress : callable
        Called with the number of trials that are done, the number of all, and the trial that ended last.
    """

    course: Course
    workers: int
    progress: TrialProgress

    def run(
        self, plans: Sequence[Plan], trials: Callable[[Sequence[Plan]], Iterable[Trial]], total: int
    ) -> Iterator[Result]:
        """Yield the results of trials of these plans as they end, those of one environment after another.

        Parameters
        ----------
        trials : callable
            Returns the trials of some of these plans.
        total : int
            How many trials that are of all plans.

        Raises
        ------
        ExaminerError
            If a trial could not be run, through no fault of the notebook.
        BadSource
            If the notebooks of an assignment name several kernels.
        """
        self.progress(0, total, "")
        by_environment: dict[StudentEnvironment, list[Plan]] = {}
        for plan in plans:
            by_environment.setdefault(environment_of(self.course, plan.assignment), []).append(plan)
        results = (
            result
            for student, group in by_environment.items()
            for result in self._run(student, group, trials(group))
        )
        for done, result in enumerate(results, start=1):
            self.progress(done, total, str(result.trial))
            yield result

    def _run(
        self, student: StudentEnvironment, plans: Sequence[Plan], trials: Iterable[Trial]
    ) -> Iterator[Result]:
        course = self.course
        settings = SandboxSettings.of(course, student)
        context = TrialContext(settings, {plan.name: plan for plan in plans}, student.kernel, course.package)
        log = course.state / "logs" / "check.log"
        tasks = (pool.Task(trial, log, _time_limit(course.limits)) for trial in trials)
        for _, result in pool.run(partial(trial_worker, context), tasks, self.workers, preload=(__name__,)):
            if isinstance(result, ExaminerError):
                raise result
            yield result

    def run_all(
        self,
        plans: Sequence[Plan],
        repeat: int,
        modes: Mapping[str, Mapping[str, Mode]] | None = None,
        look_at: Callable[[Result], None] = lambda _: None,
        quick: float | None = None,
    ) -> dict[str, dict[tuple[TrialKind, str], Result]]:
        """Return the results of all trials of these plans, by the plan's name.

        Parameters
        ----------
        repeat : int
            How many runs of the instructor's solution.
        modes : mapping from str to mapping, optional
            By the plan's name, the mode of each of its grade cells; its trials are shortened. The cells of
            all other plans are judged in both modes.
        look_at : callable, optional
            Called with each result as it comes; what it raises ends the run.
        quick : float, optional
            Try only what decides where cells are judged, and no more wrong answers of a notebook once these
            seconds have passed.
        """
        results: dict[str, dict[tuple[TrialKind, str], Result]] = {plan.name: {} for plan in plans}
        total = sum(count(plan, repeat, is_quick=quick is not None) for plan in plans)

        def trials(group: Sequence[Plan]) -> Iterator[Trial]:
            return _trials(group, repeat, modes or {}, results, quick)

        for result in self.run(plans, trials, total):
            look_at(result)
            results[result.trial.plan][result.trial.key] = result
        return results


def _trials(
    plans: Sequence[Plan],
    repeat: int,
    modes: Mapping[str, Mapping[str, Mode]],
    found: Mapping[str, Results],
    quick: float | None,
) -> Iterator[Trial]:
    """Yield all trials, in a plan with known modes shortened; first those that spare others something."""
    sparing = (TrialKind.WITNESS, TrialKind.REACH)
    first = [trial for plan in plans for trial in first_trials(plan, repeat)]
    first.sort(key=lambda trial: sparing.index(trial.kind) if trial.kind in sparing else len(sparing))
    further = [further_trials(plan, repeat, partial(_known, plan, found[plan.name])) for plan in plans]
    if quick is not None:
        first = [trial for trial in first if trial.kind is not TrialKind.OBSERVED]
        further = [_within(quick, trials) for trials in further]
    by_name = {plan.name: plan for plan in plans}
    for trial in chain(first, *further):
        known = modes.get(trial.plan)
        yield shortened(by_name[trial.plan], trial, known, found[trial.plan]) if known else trial


def _within(seconds: float, trials: Iterator[Trial]) -> Iterator[Trial]:
    """Yield the wrong answers whose comparison decides where cells are judged, until the time is up."""
    until = time.monotonic() + seconds  # from when the first is asked for
    for trial in trials:
        if time.monotonic() > until:
            return
        if trial.kind in WRONG_ANSWERS:
            yield trial


def _known(plan: Plan, results: Results) -> Known:
    """Return what the trial of kind `REACH` has shown, if it has ended."""
    result = results.get((TrialKind.REACH, TrialKind.REACH))
    if result is None:
        return Known()
    called: dict[str, frozenset[str]] = {}
    unknown = set()
    for cell, seen in result.seen:
        if seen is None:
            unknown.add(cell)
        else:
            called[cell] = called.get(cell, frozenset()) | seen.called
    return Known(
        called={cell: names for cell, names in called.items() if cell not in unknown},
        is_bare=not any(result.lost(plan.points, dict.fromkeys(plan.points, mode)) for mode in BOTH_MODES),
    )


def _time_limit(limits: TimeLimits) -> float:
    """Return the seconds after which a trial is given up, whatever its cells do."""
    return 2.0 * limits.notebook_seconds + SLACK_SECONDS


@dataclass(frozen=True)
class TrialContext:
    """What a worker process needs before its first trial.

    Parameters
    ----------
    plans : mapping from str to Plan
        By their names.
    kernel : str
        The Jupyter kernel of the student environment, in which the witness runs.
    package : Path, optional
        The folder of the reference.
    """

    settings: SandboxSettings
    plans: Mapping[str, Plan]
    kernel: str
    package: Path | None = None


@contextmanager
def trial_worker(context: TrialContext) -> Iterator[Callable[[Trial], Result]]:
    """Yield the function that runs a trial; a worker process enters this context once."""
    reference = load_package(context.package) if context.package else None
    with Engine(context.settings, SECRET, reference, locked_may_fail=True) as engine:
        yield partial(_try, engine, context)


def _try(engine: Engine, context: TrialContext, trial: Trial) -> Result:
    """Run a trial; if its screening cells lose points, no other grade cell of it is run."""
    plan = context.plans[trial.plan]
    if trial.kind is TrialKind.WITNESS:
        return _run(_kernel_engine(context), plan, trial)
    if trial.enough and trial.modes is not None:
        result = _run(engine, plan, replace(trial, cells=trial.enough))
        if result.lost(plan.points, trial.modes):
            return result
    return _run(engine, plan, trial)


def _kernel_engine(context: TrialContext) -> "KernelEngine":
    from examiner.kernel.engine import KernelEngine  # noqa: PLC0415 - importing Jupyter's client takes half a second

    return KernelEngine(context.kernel, context.settings, SECRET)


def _run(engine: "Engine | KernelEngine", plan: Plan, trial: Trial) -> Result:
    """Run a trial, and once more if the platform failed in it or may have: the solution ends no process.

    Raises
    ------
    PlatformFault
        If the platform fails again.
    """
    job, doubted = _job(plan, trial), DOUBTED if trial.kind in OF_THE_SOLUTION else {Outcome.INFRASTRUCTURE}
    for _ in range(TRIAL_TRIES - 1):
        with suppress(PlatformFault):
            graded = engine.run(job)
            if all(verdict.outcome not in doubted for verdict in graded.sheet.verdicts):
                return _result(trial, graded)
    graded = engine.run(job)
    unjudged = [one for one in graded.sheet.verdicts if one.outcome is Outcome.INFRASTRUCTURE]
    if unjudged:
        raise PlatformFault(str(trial), unjudged[0].message, "run the command again")
    return _result(trial, graded)


def _job(plan: Plan, trial: Trial) -> Job:
    """Return the job that grades a trial as if a student had handed it in."""
    instructor = _instructor_version(plan, trial)
    identity = Identity(plan.course.id, WHO, trial.plan, "", GradeKey(trial.seed, "", ""))
    names = map(_name, instructor["cells"])
    modes = dict.fromkeys((name for name in names if name.endswith(TWIN)), Mode.KERNEL)
    modes |= trial.modes or {}
    submitted = json.dumps(_submitted_version(instructor, trial)).encode()
    limits = (
        plan.course.limits
        if trial.seconds is None
        else replace(plan.course.limits, cell_seconds=trial.seconds)
    )
    return Job(
        identity,
        json.dumps(instructor).encode(),
        submitted,
        plan.files,
        limits,
        modes,
        tracebacks="Minimal",
        instructors=plan.files,
    )


def _instructor_version(plan: Plan, trial: Trial) -> Document:
    """Return the instructor's notebook with the cells that the trial runs, grade cells once for each mode."""
    cells = []
    for raw, cell in zip(plan.document["cells"], plan.notebook.cells, strict=True):
        if not cell.is_code or (trial.is_bare and cell.index in plan.demonstrations):
            continue
        if not cell.is_autograded:
            cells.append(raw)
        elif trial.cells is None or cell.grade_id in trial.cells:
            grade_cell = raw | {"source": _source(cell, trial)}
            cells.append(grade_cell)
            if trial.modes is None:
                cells.append(_twin(grade_cell, cell.grade_id + TWIN))
    return dict(plan.document) | {"cells": cells}


def _source(cell: Cell, trial: Trial) -> str:
    """Return the text of a grade cell in a trial, which may tell where it measures and what was called."""
    source = marked(cell.source) if trial.kind in {TrialKind.OBSERVED, TrialKind.HOLLOW} else cell.source
    return source + TELL if trial.kind in {TrialKind.OBSERVED, TrialKind.REACH} else source


def _twin(raw: Document, name: str) -> Document:
    """Return a copy of a grade cell under another name."""
    twin = copy.deepcopy(raw)
    twin["id"] = twin["metadata"]["nbgrader"]["grade_id"] = name
    return twin


def _submitted_version(instructor: Document, trial: Trial) -> Document:
    """Return the notebook as if handed in, with the trial's solutions and its last cell."""
    cells = [
        cell | {"source": trial.sources[_name(cell)]} if _name(cell) in trial.sources else cell
        for cell in instructor["cells"]
    ]
    if trial.last:
        cells.append({"cell_type": "code", "id": LAST, "metadata": {}, "source": trial.last})
    return instructor | {"cells": cells}


def _name(raw: Mapping[str, Any]) -> str:
    return str(mark(raw, "grade_id") or raw.get("id", ""))


def _result(trial: Trial, graded: GradedNotebook) -> Result:
    """Return the account of each grade cell, and the first error of each other cell."""
    executed = json.loads(graded.notebook)["cells"]
    code = {_name(cell): cell["outputs"] for cell in executed if cell["cell_type"] == "code"}
    by_mode: dict[Mode, dict[str, Account]] = {Mode.EXAMINED: {}, Mode.KERNEL: {}}
    seen = []
    for verdict in graded.sheet.verdicts:
        cell = verdict.grade_id.removesuffix(TWIN)
        outputs = code.pop(verdict.grade_id)
        by_mode[verdict.mode][cell] = _account(verdict, outputs)
        if trial.kind in {TrialKind.OBSERVED, TrialKind.REACH}:
            seen.append((cell, _seen(_printed(outputs))))
    troubles = {name: trouble for name, outputs in code.items() if (trouble := _trouble(outputs))}
    printed = _printed(code.get(LAST, ()))
    if trial.kind is TrialKind.OBSERVED:
        seen.append((LAST, _seen(printed)))
    return Result(trial, by_mode[Mode.EXAMINED], by_mode[Mode.KERNEL], troubles, tuple(seen))


def _account(verdict: Verdict, outputs: list[dict[str, Any]]) -> Account:
    return Account(
        points=verdict.points or 0.0,
        outcome=verdict.outcome,
        raised=verdict.raised,
        wrote_stderr=any(output.get("name") == "stderr" for output in outputs),
        message=(verdict.message or _trouble(outputs)).partition("\n")[0],
        seed=verdict.seed,
        measured=verdict.measured,
        claimed=verdict.claimed,
        line=verdict.line or _line(outputs),
    )


def _line(outputs: list[dict[str, Any]]) -> int | None:
    """Return the line of a cell at which its first error was raised, as its traceback says."""
    errors = [output for output in outputs if output["output_type"] == "error"]
    text = ANSI_COLOUR.sub("", "\n".join(errors[0]["traceback"])) if errors else ""
    found = FAILED_LINE.search(text)
    return int(found[1]) if found else None


def _trouble(outputs: list[dict[str, Any]]) -> str:
    """Return the first line of the first error, or of what was written to stderr."""
    for output in outputs:
        if output["output_type"] == "error":
            return f"{output['ename']}: {output['evalue']}".partition("\n")[0]
        if output.get("name") == "stderr":
            return f"stderr: {output['text']}".partition("\n")[0]
    return ""


def _printed(outputs: list[dict[str, Any]]) -> str:
    return "".join(output["text"] for output in outputs if output.get("name") == "stdout")


def _seen(printed: str) -> Seen | None:
    """Return the last record of calls and answers that a cell printed, or None if it printed none."""
    records = [line for line in printed.splitlines() if line.startswith('{"called": ')]
    if not records:
        return None
    record = json.loads(records[-1])
    differed = {name: frozenset(stubs) for name, stubs in record["differed"].items()}
    return Seen(frozenset(record["called"]), differed)
