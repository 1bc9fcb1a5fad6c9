"""Runs one grade cell against a snapshot of a student's process, and judges it.

Points need positive evidence: the cell ran to its end, its candidate was not lost, and nothing that it asked
for was refused. A cell that failed has two texts: a message for the instructor, and a hint for the student.
"""

import contextlib
import io
import math
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np

import examiner_checks
from examiner.judge.chance import Chance
from examiner.judge.clock import CellClock
from examiner.judge.comparing import guarded_comparisons
from examiner.judge.compile import GradeCell
from examiner.judge.files import CellFiles
from examiner.judge.foreign import ForeignCode
from examiner.judge.lent import AuthorError
from examiner.judge.lost import CandidateLost
from examiner.judge.namespace import KeepingBench, Namespace, Undecided
from examiner.judge.proxy import Remote
from examiner.judge.raised import class_name
from examiner.verdict import AUTHOR_ERROR, Outcome, Verdict
from examiner.wire.channel import Channel
from examiner_checks import CheckFailed
from examiner_checks.bench import Arguments, Function, Side
from examiner_checks.measured import Measured

MAX_OUTPUT: Final = 64 << 10
MAX_MESSAGE: Final = 4000
MEASURING_SECONDS: Final = 30.0  # extra time of a cell that measures; the limit for one answer is unchanged
SEED: Final = "EXAMINER_SEED"
# The name of the class of what `pytest.raises` and `pytest.fail` raise, which is no Exception.
PYTEST_FAILED: Final = "Failed"


class CellBench(KeepingBench, Protocol):
    """Measures the functions of one cell."""

    def begin(self) -> None:
        """Note how much memory the snapshot has, before any of the student's code is called in it."""


@dataclass(frozen=True)
class Conditions:
    """The limits and tools that grade cells are run with.

    Parameters
    ----------
    seconds : float
        For each cell, and for each answer. A cell that measures gets 30 s more, its answers do not.
    reference : module, optional
        The module that hidden tests use as `reference`.
    open_bench : callable, optional
        Returns the bench on which a cell measures functions, which draws anew after each call; without it,
        measuring is refused.
    open_clock : callable, optional
        Returns the clock of a cell that reads clocks by itself; without it, the cell reads the real ones.
    sources : tuple of str, optional
        The code cells before the grade cell, as they were handed in, for a cell that asks for their texts.
    """

    seconds: float
    reference: ModuleType | None = None
    open_bench: Callable[[GradeCell, Remote, Chance], CellBench] | None = None
    open_clock: Callable[[Remote], CellClock] | None = None
    sources: tuple[str, ...] | None = None


def judge_cell(
    cell: GradeCell,
    channel: Channel,
    seed: str,
    conditions: Conditions,
    namespace: Namespace | None = None,
) -> Verdict:
    """Run one grade cell against one snapshot.

    Parameters
    ----------
    cell : GradeCell
        From `prepare`.
    channel : Channel
        Connected to the snapshot; nobody else uses it meanwhile.
    seed : str
        The seed of `rng`.
    namespace : Namespace, optional
        Of this cell, if its locked cells have been run before.
    """
    started = time.monotonic()
    seconds = conditions.seconds + (MEASURING_SECONDS if cell.is_timed else 0)
    remote = Remote(channel, started + seconds, conditions.seconds)
    chance = Chance(seed)
    bench = conditions.open_bench(cell, remote, chance) if conditions.open_bench else NoBench()
    output = _Output()
    if cell.refusal:
        verdict = _verdict(cell, seed, Outcome.ERROR, **_refused(cell.refusal))
    else:
        try:
            with _stopped_after(seconds, remote), isolated(seed, output):
                if cell.measures:
                    bench.begin()
                namespace = namespace or Namespace(cell, conditions.reference)
                namespace.connect(remote, bench, conditions.sources)
                clock = conditions.open_clock(remote) if cell.reads_clocks and conditions.open_clock else None
                files = CellFiles(cell, remote)
                running = clock.running() if clock else contextlib.nullcontext()
                with running, files.watched(), ForeignCode(remote, files).refused():
                    namespace.clock, namespace.files = clock, files
                    namespace.modules |= clock.modules if clock else {}
                    verdict = _judged(cell, remote, namespace, chance)
        except CandidateLost as lost:  # the alarm went off just as the cell ended
            verdict = lost_verdict(cell, seed, lost)
    return replace(
        verdict,
        awards=tuple(examiner_checks.awards()),
        measured=tuple(bench.kept),
        output=output.getvalue(),
        seconds=time.monotonic() - started,
        calls=remote.calls,
        claimed=tuple(remote.claims),
    )


def _judged(cell: GradeCell, remote: Remote, namespace: Namespace, chance: Chance) -> Verdict:
    examiner_checks.start_cell()
    seed = chance.seed
    try:
        value = _run(cell, namespace, chance)
    except CandidateLost as lost:
        return lost_verdict(cell, seed, lost)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a cell raises is evidence, also what pytest does
        if remote.lost:
            return lost_verdict(cell, seed, remote.lost)
        return _raised(cell, seed, error)
    if remote.lost:  # the cell's own `except:` or `finally:` swallowed the exception
        return lost_verdict(cell, seed, remote.lost)
    return _ended(cell, seed, value, remote.refused, undecided=namespace.undecided)


def _run(cell: GradeCell, namespace: Namespace, chance: Chance) -> Any:
    names = namespace.names
    if namespace.is_to_run_locked:
        chance.start()
        namespace.run_locked()
    chance.start()  # from a seed of a locked cell, anybody could tell what is drawn in this one
    if namespace.clock:
        namespace.clock.install(names)
    names.update(namespace.candidates(cell.wanted))
    if cell.again:
        namespace.run_again()
        examiner_checks.start_cell()
        chance.start()
    for code in (cell.setting, cell.body):
        if code is not None:
            exec(code, names)  # noqa: S102 - running the author's text is what this process is for
    return None if cell.last is None else eval(cell.last, names)  # noqa: S307 - as above


def _ended(
    cell: GradeCell, seed: str, value: Any, refused: AuthorError | None, *, undecided: str = ""
) -> Verdict:
    """Judge a cell that ran to its end: its points are its last value, else its awards, else all points.

    They are provisional if a measurement stayed undecided, unless they are all points anyway; there are none
    then without a value or an award.
    """
    awards = examiner_checks.awards()
    points: float = 0.0 if undecided else cell.points
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        points = float(value)
    elif awards:
        points = math.fsum(given for given, _ in awards)
    if not (math.isfinite(points) and 0 <= points <= cell.points):
        return _verdict(
            cell, seed, Outcome.ERROR, message=f"the cell ends in {points:g} of {cell.points:g} points"
        )
    if points < cell.points and undecided:
        return _verdict(cell, seed, Outcome.INCONCLUSIVE, provisional=points, message=undecided)
    if points < cell.points:
        outcome = Outcome.PARTIAL if points else Outcome.FAILED
        return _verdict(cell, seed, outcome, points=points)
    if refused:
        return _verdict(cell, seed, Outcome.ERROR, **_refused(refused))
    return _verdict(cell, seed, Outcome.PASSED, points=points)


def _refused(why: object) -> dict[str, str]:
    """Return message and class of the error of a cell that does what a proxy cannot do."""
    return {"message": f"{AUTHOR_ERROR}: {why}", "raised": AUTHOR_ERROR}


def _raised(cell: GradeCell, seed: str, error: BaseException) -> Verdict:
    line = _line(cell, error)
    if isinstance(error, Undecided):
        outcome = Outcome.INCONCLUSIVE
    elif isinstance(error, MemoryError):
        outcome = Outcome.OUT_OF_MEMORY
    else:
        is_failure = isinstance(error, AssertionError) or type(error).__name__ == PYTEST_FAILED
        outcome = Outcome.FAILED if is_failure else Outcome.ERROR
    hint = error.hint if isinstance(error, CheckFailed) else str(error) if str(error) in cell.hints else ""
    return _verdict(
        cell,
        seed,
        outcome,
        message=f"{type(error).__name__}: {error}"[:MAX_MESSAGE],
        raised=class_name(error),
        hint=hint[:MAX_MESSAGE] if outcome is Outcome.FAILED else "",
        line=line,
        is_hidden=line is None or _is_hidden(cell, line),
        provisional=_awarded(cell) if outcome is Outcome.INCONCLUSIVE else 0.0,
    )


def _awarded(cell: GradeCell) -> float:
    """Return what a cell that a measurement left undecided has awarded so far, if that is possible."""
    points = math.fsum(given for given, _ in examiner_checks.awards())
    return points if points < cell.points else 0.0


def lost_verdict(cell: GradeCell, seed: str, lost: CandidateLost) -> Verdict:
    """Return the verdict on a cell whose candidate was lost."""
    line = _line(cell, lost)
    known = {"line": line, "is_hidden": line is not None and _is_hidden(cell, line)}
    return _verdict(cell, seed, lost.outcome, message=lost.fact, **known)


def _line(cell: GradeCell, error: BaseException) -> int | None:
    """Return the line of the cell in which the error was raised."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == cell.file]
    return lines[-1] if lines else None


def _is_hidden(cell: GradeCell, line: int) -> bool:
    return any(line in region for region in cell.hidden)


def _verdict(cell: GradeCell, seed: str, outcome: Outcome, **known: Any) -> Verdict:
    points = None if outcome.is_open else known.pop("points", 0.0)
    return Verdict(cell.grade_id, outcome, points, cell.points, cell.mode, seed=seed, **known)


@dataclass
class NoBench:
    """The bench of a candidate without a box: it refuses to measure."""

    kept: list[Measured] = field(default_factory=list)

    def begin(self) -> None:
        """Do nothing."""

    def sides(self, *_: Function) -> AbstractContextManager[tuple[Side, ...]]:
        """Refuse to measure.

        Raises
        ------
        AuthorError
            Always.
        """
        raise AuthorError("nothing can be measured here: the candidate has no box")

    def carrying(self, calls: Sequence[Arguments], answers: Sequence[Any]) -> float:  # noqa: ARG002 - as in `Bench`
        """Return 0."""
        return 0.0

    def keep(self, measured: Measured) -> None:
        """Keep a result that was computed without measuring."""
        self.kept.append(measured)


class _Output(io.StringIO):
    """Collects what a cell prints, up to `MAX_OUTPUT` characters."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, MAX_OUTPUT - self.tell())])
        return len(text)


@contextlib.contextmanager
def isolated(seed: str, output: io.StringIO) -> Iterator[None]:
    """Capture what a cell prints, silence its warnings, and say its seed to the checks."""
    former = os.environ.get(SEED)
    os.environ[SEED] = seed  # `rng` of the checks is seeded from this
    try:
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            warnings.catch_warnings(),
            guarded_comparisons(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        os.environ.pop(SEED)
        if former is not None:
            os.environ[SEED] = former


@contextlib.contextmanager
def _stopped_after(seconds: float, remote: Remote) -> Iterator[None]:
    """Give up the candidate when the time is over, even while the cell computes without asking it anything.

    The channel has a deadline of its own; an alarm works only in the main thread of a process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        remote.lose(Outcome.TIMEOUT, f"not done after {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    try:
        # The alarm repeats each second, since the first exception may be raised where Python ignores it.
        signal.setitimer(signal.ITIMER_REAL, seconds + 0.1, 1.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        # The alarm may go off in the inner `finally`, just before it is stopped there: stop it again.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
