"""One grade cell, run by the examiner against a snapshot of a student's process; one job, one grade sheet.

Points need positive evidence: the examiner reached the end of the cell, and nothing it met on the way was
lost or refused. What is said of a cell that did not end well is kept apart by reader: the message is the
instructor's, the hint is the student's.
"""

import builtins
import contextlib
import hashlib
import hmac
import io
import math
import random
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike

import examiner_checks
from examiner.errors import PlatformFault
from examiner.examine.bench import SECONDS, Baselines, BoxedBench, Custody, NoBench
from examiner.judge.compile import BY_REF, CHECKS, ID, IS, MEASURES, METHOD, OURS, REFERENCE, TYPE, GradeCell
from examiner.judge.lent import AuthorError
from examiner.judge.proxy import ArrayHandle, CandidateLost, Proxy, Remote, by_ref, read
from examiner.model import Identity, Mode
from examiner.verdict import GradeSheet, Outcome, Verdict
from examiner.wire.codec import Channel
from examiner_checks import CheckFailed, Inconclusive
from examiner_checks.bench import Bench

MAX_OUTPUT: Final = 64 << 10
MAX_MESSAGE: Final = 4000
COPIED: Final = frozenset(
    {Proxy, ArrayHandle, np.ndarray, bytes, complex, dict, float, int, list, range, slice, str, tuple}
)


class Candidate(Custody, Protocol):
    """What runs a student's notebook and leaves a snapshot of itself at each grade cell."""

    def snapshot(self, grade_id: str) -> AbstractContextManager[Channel]:
        """Return the line to the snapshot at a grade cell; leaving it ends that snapshot.

        Raises
        ------
        CandidateLost
            On entering, if the candidate did not get that far.
        PlatformFault
            On entering, if that is our fault.

        """

    def fate(self, grade_id: str) -> Outcome | None:
        """Return why the snapshot ended, as seen from outside: OUT_OF_MEMORY, or None if nothing was seen."""


@dataclass(frozen=True)
class Conditions:
    """What a job's cells are examined with.

    Parameters
    ----------
    secret : bytes
        The course's; it is not in its repository.
    seconds : float
        For each cell.
    reference : module, optional
        What `reference` means in hidden tests.
    baselines : Baselines, optional
        Boxes for what students' functions are measured beside. Without them nothing is measured.

    """

    secret: bytes
    seconds: float
    reference: ModuleType | None = None
    baselines: Baselines | None = None


def examine(
    cells: Sequence[GradeCell], candidate: Candidate, identity: Identity, conditions: Conditions
) -> GradeSheet:
    """Return the grade sheet of one job: a verdict for every cell that is not run in a kernel."""
    verdicts = []
    for cell in cells:
        if cell.mode is Mode.KERNEL:
            continue
        seed = cell_seed(conditions.secret, identity, cell.grade_id)
        try:
            with candidate.snapshot(cell.grade_id) as channel:
                verdict = examine_cell(cell, channel, seed, conditions, candidate)
        except CandidateLost as lost:
            verdict = _lost(cell, seed, lost)
        except (PlatformFault, OSError) as fault:
            verdict = _verdict(cell, seed, Outcome.INFRASTRUCTURE, message=str(fault))
        if verdict.outcome is Outcome.CRASHED:
            verdict = replace(verdict, outcome=candidate.fate(cell.grade_id) or verdict.outcome)
        verdicts.append(verdict)
    return GradeSheet(identity, tuple(verdicts))


def cell_seed(secret: bytes, identity: Identity, grade_id: str) -> str:
    """Return what a cell's inputs are drawn from: nobody without the secret can know it, and it repeats."""
    parts = (identity.course, identity.assignment, identity.student, identity.key.submission, grade_id)
    message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hmac.digest(secret, message, "sha256").hex()


def examine_cell(
    cell: GradeCell,
    channel: Channel,
    seed: str,
    conditions: Conditions,
    box: Custody | None = None,
) -> Verdict:
    """Run one grade cell against one snapshot.

    Parameters
    ----------
    cell : GradeCell
        From `prepare`.
    channel : Channel
        Connected to the snapshot; nobody else reads or writes it meanwhile.
    seed : str
        From `cell_seed`.
    conditions : Conditions
        When it takes longer than these say, its verdict is `timeout`; of a cell that measures, when one
        answer does, or all of it takes half a minute more.
    box : Custody, optional
        The hands on the snapshot's box. Without it nothing can be measured.

    """
    started = time.monotonic()
    seconds, reference = conditions.seconds + (SECONDS if cell.measures else 0), conditions.reference
    remote = Remote(channel, started + seconds, conditions.seconds)
    bench: BoxedBench | NoBench = NoBench()
    if box and conditions.baselines:
        bench = BoxedBench(cell, remote, box, conditions.baselines, reference)
    output = _Output()
    if cell.refusal:
        verdict = _verdict(cell, seed, Outcome.ERROR, message=f"AuthorError: {cell.refusal}")
    else:
        try:
            with _stopped_after(seconds, remote), _own_surroundings(seed, output):
                if cell.measures:
                    bench.begin()
                verdict = _judged(cell, remote, Namespace(remote, seed, reference, bench))
        except CandidateLost as lost:  # the time was over just as the cell ended
            verdict = _lost(cell, seed, lost)
    return replace(
        verdict,
        awards=tuple(examiner_checks.awards()),
        measured=tuple(bench.kept),
        output=output.getvalue(),
        seconds=time.monotonic() - started,
        calls=remote.calls,
    )


def _judged(cell: GradeCell, remote: Remote, namespace: "Namespace") -> Verdict:
    seed = namespace.seed
    examiner_checks.start_cell()
    try:
        if cell.mode is Mode.PROBE:
            value = remote.ask("probe", cell.source)
        else:
            value = _run(cell, namespace.names | namespace.candidates(cell.wanted))
    except CandidateLost as lost:
        return _lost(cell, seed, lost)
    except PlatformFault:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a cell raises is evidence
        if remote.lost:
            return _lost(cell, seed, remote.lost)
        return _raised(cell, seed, error)
    if remote.lost:  # and the cell's own `except:` or `finally:` has hidden it
        return _lost(cell, seed, remote.lost)
    return _ended(cell, seed, value, remote.refused)


def _run(cell: GradeCell, names: dict[str, Any]) -> Any:
    for code in (cell.prelude, cell.body):
        if code is not None:
            exec(code, names)  # noqa: S102 - the author's text, which is what this process is for
    return None if cell.last is None else eval(cell.last, names)  # noqa: S307 - as above


def _ended(cell: GradeCell, seed: str, value: Any, refused: AuthorError | None) -> Verdict:
    """Judge a cell that came to its end: by the number it ends in, or by what it awarded, or in full."""
    awards = examiner_checks.awards()
    points: float = cell.points
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        points = float(value)
    elif awards:
        points = math.fsum(given for given, _ in awards)
    if not (math.isfinite(points) and 0 <= points <= cell.points):
        return _verdict(
            cell, seed, Outcome.ERROR, message=f"the cell ends in {points:g} of {cell.points:g} points"
        )
    if points < cell.points:
        outcome = Outcome.PARTIAL if points else Outcome.FAILED
        return _verdict(cell, seed, outcome, points=points)
    if refused:
        return _verdict(cell, seed, Outcome.ERROR, message=f"AuthorError: {refused}")
    return _verdict(cell, seed, Outcome.PASSED, points=points)


def _raised(cell: GradeCell, seed: str, error: BaseException) -> Verdict:
    line = _line(cell, error)
    if isinstance(error, Inconclusive):
        outcome = Outcome.INCONCLUSIVE
    elif isinstance(error, MemoryError):
        outcome = Outcome.OUT_OF_MEMORY
    else:
        outcome = Outcome.FAILED if isinstance(error, AssertionError) else Outcome.ERROR
    hint = error.hint if isinstance(error, CheckFailed) else str(error) if str(error) in cell.hints else ""
    return _verdict(
        cell,
        seed,
        outcome,
        message=f"{type(error).__name__}: {error}"[:MAX_MESSAGE],
        hint=hint if outcome is Outcome.FAILED else "",
        line=line,
        is_hidden=line is None or _is_hidden(cell, line),
    )


def _lost(cell: GradeCell, seed: str, lost: CandidateLost) -> Verdict:
    line = _line(cell, lost)
    known = {"line": line, "is_hidden": line is not None and _is_hidden(cell, line)}
    return _verdict(cell, seed, lost.outcome, message=lost.fact, **known)


def _line(cell: GradeCell, error: BaseException) -> int | None:
    """Return the line of the cell in which it was raised."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == cell.file]
    return lines[-1] if lines else None


def _is_hidden(cell: GradeCell, line: int) -> bool:
    return any(line in region for region in cell.hidden)


def _verdict(cell: GradeCell, seed: str, outcome: Outcome, **known: Any) -> Verdict:
    points = None if outcome.is_open else known.pop("points", 0.0)
    return Verdict(cell.grade_id, outcome, points, cell.points, cell.mode, seed=seed, **known)


class Namespace:
    """The names that a grade cell sees: its own, ours, and for all others the candidate's."""

    def __init__(self, remote: Remote, seed: str, reference: ModuleType | None, bench: Bench) -> None:
        self.remote, self.seed = remote, seed
        self.checks = SimpleNamespace(
            **{name: getattr(examiner_checks, name) for name in examiner_checks.__all__}
        )
        self.checks.array, self.checks.ref, self.checks.value = self.array, self.ref, self.value
        self.checks.rng = self.rng
        for name in (*MEASURES, "quality"):
            setattr(self.checks, name, partial(getattr(examiner_checks, name), bench=bench))
        own = {"__import__": self.import_, "isinstance": self.isinstance_, "issubclass": self.issubclass_}
        self.names: dict[str, Any] = {
            "__builtins__": {**vars(builtins), **own, "callable": self.callable_},
            "__name__": "__grade_cell__",
            BY_REF: self.by_ref,
            METHOD: self.method,
            IS: self.is_,
            TYPE: self.type_,
            ID: self.id_,
            **({} if reference is None else {REFERENCE: reference}),
        }

    def candidates(self, wanted: tuple[str, ...]) -> dict[str, Any]:
        """Return those of the names that the student's notebook has defined."""
        if not wanted:
            return {}
        found = self.remote.ask("resolve", *wanted)
        if type(found) is not dict or not found.keys() <= set(wanted):
            self.remote.lose(Outcome.TAMPERED, "names that nobody asked for")
        return found

    def import_(
        self, name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        """Import a module of ours here, and ask the candidate for every other."""
        if name == CHECKS:
            return self.checks
        root = name.partition(".")[0]
        if root == CHECKS:
            self.remote.refuse(f"import from {CHECKS} itself, not from {name}")
        if root in OURS:
            return builtins.__import__(name, globals_, locals_, fromlist, level)
        module = self.remote.ask("import", name)
        return module if fromlist else self.remote.ask("import", root)

    def isinstance_(self, x: Any, cls: Any) -> bool:
        """Tell instances of a student's class by the candidate's word, all others by our own."""
        if type(cls) is tuple:
            return any(self.isinstance_(x, each) for each in cls)
        if type(cls) is Proxy:
            return type(x) is Proxy and self.remote.ask("isinstance", x, cls) is True
        return type(x) is not Proxy and isinstance(x, cls)

    def issubclass_(self, sub: Any, cls: Any) -> bool:
        """Tell subclasses of a student's class by the candidate's word, all others by our own."""
        if type(cls) is tuple:
            return any(self.issubclass_(sub, each) for each in cls)
        if type(sub) is Proxy or type(cls) is Proxy:
            return self.remote.ask("issubclass", sub, cls) is True
        return issubclass(sub, cls)

    def callable_(self, x: Any) -> bool:
        """Tell whether a student's object can be called by the candidate's word."""
        return self.remote.ask("callable", x) is True if type(x) is Proxy else callable(x)

    def array(self, v: ArrayLike) -> ArrayHandle:
        """Return a handle to a new array on the student's side."""
        return by_ref(self.remote, "value", np.array(v))

    def ref(self, x: Any) -> ArrayHandle:
        """Return a handle as it is; `ref(EXPRESSION)` is rewritten and never comes here."""
        if type(x) is not ArrayHandle:
            self.remote.refuse(
                "write ref(…) around the attribute, item or call itself, and import it by its name"
            )
        return x

    def value(self, handle: Any) -> Any:
        """Return a copy of what the handle holds now."""
        if type(handle) is not ArrayHandle:
            self.remote.refuse("value() takes what ref(…) or array(…) gave")
        return read(handle)

    def rng(self, label: str) -> np.random.Generator:
        """Return a random generator that depends on the label and on the cell's seed."""
        return _generator(self.seed, label)

    def by_ref(self, operation: str, owner: Any, *args: Any) -> ArrayHandle:
        """Do the last step of `ref(EXPRESSION)` so that its result stays with the candidate."""
        if operation == "value":
            return self.ref(owner)
        if type(owner) not in {Proxy, ArrayHandle}:
            self.remote.refuse(
                "ref(…) is about a student's object: write the student's attribute, item or call in it"
            )
        return by_ref(self.remote, operation, owner, *args)

    def method(self, owner: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method, of a student's object in one request."""
        if type(owner) is Proxy:
            return self.remote.ask("method", owner, name, args, kwargs)
        return getattr(owner, name)(*args, **kwargs)

    def is_(self, a: Any, b: Any) -> bool:
        """Compare identities, unless both sides are copies, whose identity says nothing."""
        if {type(a), type(b)} <= COPIED:
            self.remote.refuse(
                "`is` between copies means nothing: write through one ref(…), read through the other"
            )
        return a is b

    def type_(self, x: Any) -> type:
        """Return the exact type of plain data, which travels only in exact types."""
        if type(x) in {Proxy, ArrayHandle}:
            self.remote.refuse("type(x) of a student's object: write isinstance(x, Class)")
        return type(x)

    def id_(self, _x: Any) -> int:
        """Refuse: an id is an address in one process."""
        self.remote.refuse("id(x) of a copy means nothing: write through one ref(…), read through the other")


class _Output(io.StringIO):
    """What a cell prints, up to a bound."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, MAX_OUTPUT - self.tell())])
        return len(text)


def _generator(seed: str, label: str) -> np.random.Generator:
    """Return what `rng` returns where EXAMINER_SEED is the seed, so that an author can draw the same."""
    digest = hashlib.sha256(f"{seed}\0{label}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, "<u4").astype(np.uint32))


@contextlib.contextmanager
def _own_surroundings(seed: str, output: io.StringIO) -> Iterator[None]:
    """Let a cell print into `output`, warn nobody, and draw the same numbers whatever it draws from."""
    random.seed(seed)
    np.random.seed(int(seed[:8] or "0", 16))  # noqa: NPY002 - a cell may draw from it
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _stopped_after(seconds: float, remote: Remote) -> Iterator[None]:
    """Lose the candidate when the time is over, also while the cell asks nothing and computes by itself.

    The wire has its own deadline; only the main thread of a process can be interrupted like this.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        remote.lose(Outcome.TIMEOUT, f"not done after {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(
            signal.ITIMER_REAL, seconds + 0.1, 1.0
        )  # again, if it was raised where nobody hears it
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:  # the alarm may have gone off just in the line above; the next would be a second away
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
