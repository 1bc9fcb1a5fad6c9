"""The phase of a run in which work is graded: candidates side by side, each result kept as soon as it ends.

What is kept of a result is its executed notebooks, then its sheets, then its rows in the gradebook, many in a
transaction: whatever ends the run, the next one goes on from what is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Final, Protocol

from examiner.batch import pool, worker
from examiner.batch.triage import Faults, PendingSubmission
from examiner.batch.worker import GradedSubmission, GradingContext
from examiner.errors import ExaminerError, PlatformFault, StudentFault
from examiner.model import Course, Files, Submission
from examiner.store import ledger, records, sheets, tables
from examiner.store.atomic import put_files
from examiner.store.sheets import FiledGrade

STEP_SECONDS: Final = 600  # for what runs no student's code
ENTERED_TOGETHER: Final = 50  # gradings that are entered together
KEEPERS: Final = 4  # results that wait for the disk side by side


class Progress(Protocol):
    """Somebody who wants to know how far the run is."""

    def phase(self, name: str, total: int) -> None:
        """Take note that so many things of a kind will be done now."""

    def start(self, name: str) -> None:
        """Take note that one of them starts."""

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Take note that one of them ended."""


def grade_submissions(  # noqa: PLR0913, PLR0917  (what is graded, how, and who watches)
    course: Course,
    desk: GradingContext,
    cases: Sequence[PendingSubmission],
    todo: Sequence[PendingSubmission],
    workers: int,
    watch: Progress,
) -> tuple[Mapping[Submission, FiledGrade], Faults]:
    """Grade what is to do, and let the gradebook have that and what was graded before.

    Returns
    -------
    mapping from Submission to FiledGrade
        The gradings that count from now on of what was graded now.
    dict from Submission to ExaminerError
        What could not be graded, and why.
    """
    by_name = {str(case.submission): case for case in todo}
    with ledger.opened(tables.url_of(course.gradebook)) as book, ThreadPoolExecutor(KEEPERS) as threads:
        keeper = _Keeper(course, desk, watch, book, threads)
        opening, starting = partial(worker.grading_worker, desk), lambda job: watch.start(str(job.item))
        jobs = _jobs(course, desk, todo, watch, keeper.faults)
        try:
            rest = (case for case in cases if str(case.submission) not in by_name and case.filing)
            book.enter(_counting(course, case) for case in rest)
            if todo:
                watch.phase("submissions", len(todo))
            doubtful = []
            for job, result in pool.run(opening, jobs, workers, ["examiner.batch.worker"], starting):
                if _is_doubtful(result):
                    doubtful.append(replace(job, alone=True))
                else:
                    keeper.take(by_name[str(job.item)], job.item.files, result)
            for job, result in pool.run(opening, doubtful, 1, ["examiner.batch.worker"], starting):
                keeper.take(by_name[str(job.item)], job.item.files, result)
        finally:  # also what was graded before an interrupt
            keeper.enter()
    return keeper.graded, keeper.faults


def _jobs(
    course: Course, desk: GradingContext, todo: Sequence[PendingSubmission], watch: Progress, faults: Faults
) -> Iterator[pool.Task]:
    """Yield a job for each submission; one that cannot be read any more stops none of the others.

    That is a fault of this run, and not remembered: nobody has looked at what is there now.
    """
    logs = course.state / "logs" / "grade"
    for case in todo:
        name = str(case.submission)
        try:
            yield pool.Task(case.hand_over(), logs / f"{name}.log", _patience(course, desk, case))
        except StudentFault as fault:
            faults[case.submission] = fault
            watch.start(name)
            watch.end(name, fault)


def _is_doubtful(result: GradedSubmission | ExaminerError) -> bool:
    """Whether something was measured without a clear answer, so that it is to be measured again, alone."""
    if not isinstance(result, GradedSubmission):
        return False
    verdicts = (verdict for part in result.filing.parts for verdict in part.sheet.verdicts)
    return any(not measured.is_settled for verdict in verdicts for measured in verdict.measured)


def _patience(course: Course, desk: GradingContext, case: PendingSubmission) -> float:
    """Return the seconds after which a worker must have failed: each of its steps is bounded by less."""
    limits, paper = course.limits, desk.papers[case.submission.assignment]
    cells = sum(notebook.count(b'"grade_id"') for notebook in paper.notebooks.values())
    return worker.NOTEBOOK_TRIES * (STEP_SECONDS + limits.notebook_seconds + 2 * cells * limits.cell_seconds)


def _counting(course: Course, case: PendingSubmission) -> FiledGrade:
    """Return the grading that counts, filed again if it is one from before: an attempt that came back."""
    assert case.filing is not None
    return case.filing if case.shelf.last == case.filing else sheets.accept(course, case.filing)


@dataclass
class _Keeper:
    """Keeps what comes, several results at a time: each waits for the disk more than once."""

    course: Course
    desk: GradingContext
    watch: Progress
    book: ledger.Ledger
    threads: ThreadPoolExecutor
    graded: dict[Submission, FiledGrade] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)
    _keeping: list[Future[None]] = field(default_factory=list)
    _waiting: list[FiledGrade] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def take(self, case: PendingSubmission, files: Files, result: GradedSubmission | ExaminerError) -> None:
        """Have a result kept, with the files that it came from."""
        self._keeping.append(self.threads.submit(self._keep, case, files, result))
        if len(self._keeping) >= ENTERED_TOGETHER:
            self.enter()

    def enter(self) -> None:
        """Return when everything is kept, and in the gradebook."""
        keeping, self._keeping = self._keeping, []
        for each in keeping:
            each.result()
        waiting, self._waiting = self._waiting, []
        self.book.enter(waiting)

    def _keep(self, case: PendingSubmission, files: Files, result: GradedSubmission | ExaminerError) -> None:
        filing = _keep(self.course, self.desk, case, files, result)
        fault = result if isinstance(result, ExaminerError) else None
        with self._lock:
            if fault is not None:
                self.faults[case.submission] = fault
            if filing is not None:
                self.graded[case.submission] = filing
                self._waiting.append(filing)
            self.watch.end(str(case.submission), fault)


def _keep(
    course: Course,
    desk: GradingContext,
    case: PendingSubmission,
    files: Files,
    result: GradedSubmission | ExaminerError,
) -> FiledGrade | None:
    """Keep what came of a submission; return the grading that counts from now on, if it is a new one."""
    submission, record = case.submission, case.record
    if isinstance(result, StudentFault):
        refused = replace(record, refused=case.identity.key, fault=result.parts)
        records.write(course, submission, refused)
        return None
    if isinstance(result, GradedSubmission):
        place = course.root / "autograded" / str(submission)
        beside = {name: content for name, content in files.items() if not name.endswith(".ipynb")}
        put_files(course, place, beside | dict(result.notebooks))  # formgrader may show what lies there
        filing = sheets.accept(course, result.filing)
        records.write(course, submission, replace(record, filing=filing.digest, refused=None, fault=None))
        return filing
    if case.is_stale:
        return None
    fault = result if isinstance(result, PlatformFault) else PlatformFault(*result.parts)
    paper = desk.papers[submission.assignment]
    return sheets.accept(course, worker.infrastructure(paper, case.identity, case.handed_in, fault))
