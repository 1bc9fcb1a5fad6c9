"""Grades submissions in parallel, and stores each result as soon as it is there.

A result is stored as its executed notebooks, then as its sheets, then as rows in the gradebook, those of many
submissions in a transaction. Whatever ends the run, the next one continues from what is stored.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Final, Protocol

from examiner.batch import pool, worker
from examiner.batch.contained import Faults, contained
from examiner.batch.triage import PendingSubmission
from examiner.batch.worker import AssignmentVersion, GradedSubmission, GradingContext
from examiner.errors import ExaminerError, PlatformFault, StudentFault, WorkerLost
from examiner.model import Course, Files, Submission
from examiner.store import ledger, records, sheets, tables
from examiner.store.atomic import put_files
from examiner.store.sheets import FiledGrade
from examiner.store.varying import has_unsettled
from examiner.submission.notebooks import is_notebook

STEP_SECONDS: Final = 600  # for a step that runs no student's code
ENTERED_TOGETHER: Final = 50  # grades that are entered in one batch
STORING_THREADS: Final = 4  # each waits for the disk with one result


class Progress(Protocol):
    """Is told how far a run is, such as a progress bar."""

    def phase(self, name: str, total: int) -> None:
        """Note that a phase with this many items begins."""

    def start(self, name: str) -> None:
        """Note that an item starts."""

    def step(self, done: int, total: int, name: str) -> None:
        """Note how many steps of an item are done, and which one was the last."""

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Note that an item ended, and with which fault, if any."""


def grade_submissions(  # noqa: PLR0913, PLR0917 - what is graded, how, and who is told
    course: Course,
    contexts: Sequence[GradingContext],
    all_pending: Sequence[PendingSubmission],
    todo: Sequence[PendingSubmission],
    workers: int,
    progress: Progress,
) -> tuple[Mapping[Submission, FiledGrade], Faults]:
    """Grade the submissions in `todo`, and enter their grades and all earlier ones into the gradebook.

    Parameters
    ----------
    contexts : sequence of GradingContext
        One for each environment; those of an assignment are graded by workers that have its environment.

    Returns
    -------
    mapping from Submission to FiledGrade
        The submissions that were graded now, each with the grade that counts from now on.
    dict from Submission to ExaminerError
        What could not be graded, and why.
    """
    by_name = {str(pending.submission): pending for pending in todo}
    with (
        ledger.opened(tables.url_of(course.gradebook)) as book,
        ThreadPoolExecutor(STORING_THREADS) as threads,
    ):
        store = _ResultStore(course, progress, book, threads)
        try:
            store.keep(
                pending for pending in all_pending if str(pending.submission) not in by_name and pending.filed
            )
            if todo:
                progress.phase("submissions", len(todo))
            for context in contexts:
                mine = [pending for pending in todo if pending.submission.assignment in context.versions]
                tasks = _tasks(course, context, mine, progress, store.faults)
                for task, result in _graded(context, tasks, workers, progress):
                    version = context.versions[task.item.identity.assignment]
                    store.take(by_name[str(task.item)], version, task.item.files, result)
        finally:  # an interrupt does not lose what was graded before it
            store.enter()
    return store.graded, store.faults


def _graded(
    context: GradingContext, tasks: Iterable[pool.Task], workers: int, progress: Progress
) -> Iterator[tuple[pool.Task, GradedSubmission | ExaminerError]]:
    """Yield each task with its result; those with unclear measurements come last, graded again alone."""
    opening = partial(worker.grading_worker, context)

    def starting(task: pool.Task) -> None:
        progress.start(str(task.item))

    doubtful = []
    for task, result in pool.run(opening, tasks, workers, ["examiner.batch.worker"], starting):
        if _is_doubtful(result):
            doubtful.append(replace(task, alone=True))
        else:
            yield task, result
    yield from pool.run(opening, doubtful, 1, ["examiner.batch.worker"], starting)


def _tasks(
    course: Course,
    context: GradingContext,
    todo: Sequence[PendingSubmission],
    progress: Progress,
    faults: Faults,
) -> Iterator[pool.Task]:
    """Yield a task for each submission; one that cannot be read any more is a fault and stops no other.

    The fault is not recorded as a refusal, since the submission's new content was not looked at.
    """
    logs = course.state / "logs" / "grade"
    for pending in todo:
        name, task = str(pending.submission), None
        with contained(course, pending.submission, faults):
            task = pool.Task(pending.hand_over(), logs / f"{name}.log", _patience(course, context, pending))
        if task:
            yield task
        else:
            progress.start(name)
            progress.end(name, faults[pending.submission])


def _is_doubtful(result: GradedSubmission | ExaminerError) -> bool:
    """Whether a measurement gave no clear answer, so that the submission is graded again, alone."""
    return isinstance(result, GradedSubmission) and has_unsettled(result.grade)


def _patience(course: Course, context: GradingContext, pending: PendingSubmission) -> float:
    """Return the seconds after which a worker must have failed: the limits of all its steps are less."""
    limits, version = course.limits, context.versions[pending.submission.assignment]
    cells = sum(notebook.count(b'"grade_id"') for notebook in version.notebooks.values())
    # The cells run in a candidate, and where some are self-reported in a kernel, too.
    notebook_seconds = 2 * (limits.notebook_seconds + cells * limits.cell_seconds)
    return worker.NOTEBOOK_TRIES * (STEP_SECONDS + notebook_seconds)


def _counting(course: Course, pending: PendingSubmission) -> FiledGrade:
    """Return the grade that counts; that of an earlier attempt that was handed in again is filed again."""
    assert pending.filed is not None
    return pending.filed if pending.history.last == pending.filed else sheets.accept(course, pending.filed)


@dataclass
class _ResultStore:
    """Stores results, several at a time, since each waits for the disk more than once."""

    course: Course
    progress: Progress
    book: ledger.Ledger
    threads: ThreadPoolExecutor
    graded: dict[Submission, FiledGrade] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)
    _storing: list[Future[None]] = field(default_factory=list)
    _waiting: list[tuple[Submission, FiledGrade]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def keep(self, all_pending: Iterable[PendingSubmission]) -> None:
        """Enter the grades that count of submissions that were graded before."""
        for pending in all_pending:
            with contained(self.course, pending.submission, self.faults):
                self._waiting.append((pending.submission, _counting(self.course, pending)))
        self.enter()

    def take(
        self,
        pending: PendingSubmission,
        version: AssignmentVersion,
        files: Files,
        result: GradedSubmission | ExaminerError,
    ) -> None:
        """Store a result in a thread, with the files that were graded."""
        try:
            self._storing.append(self.threads.submit(self._store, pending, version, files, result))
        except RuntimeError as error:
            raise PlatformFault("this machine", str(error), pool.FEWER_WORKERS) from error
        if len(self._storing) >= ENTERED_TOGETHER:
            self.enter()

    def enter(self) -> None:
        """Wait until all results are stored, and enter their grades into the gradebook."""
        storing, self._storing = self._storing, []
        for future in storing:
            future.result()
        waiting, self._waiting = self._waiting, []
        try:
            self.book.enter(grade for _, grade in waiting)
        except (ExaminerError, KeyboardInterrupt):  # of the gradebook as a whole
            raise
        except BaseException:  # noqa: BLE001 - of one grade: those of the others are entered without it
            for submission, grade in waiting:
                with contained(self.course, submission, self.faults):
                    self.book.enter([grade])

    def _store(
        self,
        pending: PendingSubmission,
        version: AssignmentVersion,
        files: Files,
        result: GradedSubmission | ExaminerError,
    ) -> None:
        submission, grade, faults = pending.submission, None, Faults()
        if isinstance(result, ExaminerError):
            faults[submission] = result
        with contained(self.course, submission, faults):
            grade = _store(self.course, pending, version, files, result)
        with self._lock:
            self.faults |= faults
            if grade is not None:
                self.graded[submission] = grade
                self._waiting.append((submission, grade))
            self.progress.end(str(submission), faults.get(submission))


def _store(
    course: Course,
    pending: PendingSubmission,
    version: AssignmentVersion,
    files: Files,
    result: GradedSubmission | ExaminerError,
) -> FiledGrade | None:
    """Store the result for a submission; return the grade that counts from now on, if one was filed."""
    submission, record = pending.submission, pending.record
    if isinstance(result, StudentFault | WorkerLost):
        is_lost = isinstance(result, WorkerLost)
        refused = replace(record, refused=pending.identity.key, fault=result.parts, lost_worker=is_lost)
        records.write(course, submission, refused)
    if isinstance(result, StudentFault):
        return None
    if isinstance(result, GradedSubmission):
        place = course.root / "autograded" / str(submission)
        beside = {name: content for name, content in files.items() if not is_notebook(name)}
        put_files(course, place, beside | dict(result.notebooks))  # formgrader may be reading that folder
        grade = sheets.accept(course, result.grade)
        records.write(
            course,
            submission,
            replace(record, filing=grade.digest, refused=None, fault=None, lost_worker=False),
        )
        return grade
    if pending.is_stale:
        return None
    fault = result if isinstance(result, PlatformFault) else PlatformFault(*result.parts)
    return sheets.accept(course, worker.infrastructure(version, pending.identity, pending.handed_in, fault))
