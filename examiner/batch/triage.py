"""Finds out before anything runs whether each submission is new, graded, stale or refused."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from examiner.batch.contained import Faults, contained
from examiner.batch.worker import AssignmentVersion, SubmittedWork
from examiner.errors import PlatformFault, StudentFault, WorkerLost
from examiner.model import Course, Files, GradeKey, Identity, Submission
from examiner.notebook import REFERENCE
from examiner.store import records, sheets
from examiner.store.records import Record
from examiner.store.sheets import FiledGrade, GradeHistory, Standing
from examiner.submission import arrival, intake
from examiner.submission.notebooks import require_some

SEEN: Final = "seen "  # before the time in the name of an attempt, if it is not the timestamp's


@dataclass(frozen=True)
class PendingSubmission:
    """A submission, what a grade of it depends on, its earlier grades, and its record."""

    submission: Submission
    identity: Identity
    handed_in: datetime | None
    history: GradeHistory
    record: Record
    has_notebooks: bool

    @property
    def fault(self) -> StudentFault | WorkerLost | None:
        """Why the submission was refused, if it is still the same."""
        if self.record.fault is None or self.record.refused != self.identity.key:
            return None
        return (WorkerLost if self.record.lost_worker else StudentFault)(*self.record.fault)

    @property
    def filed(self) -> FiledGrade | None:
        """The grade that counts unless a regrade is requested."""
        return self.history.find(self.identity)[1]

    @property
    def is_new(self) -> bool:
        """Whether it has to be graded: this version never was, or its executed notebooks are missing."""
        standing, grade = self.history.find(self.identity)
        if self.fault:
            return False
        is_here = self.has_notebooks and grade is not None and self.record.filing == grade.digest
        return standing is Standing.NEW or (standing is Standing.SETTLED and not is_here)

    @property
    def is_stale(self) -> bool:
        """Whether it was graded, and the assignment or the environment changed since then."""
        return self.history.find(self.identity)[0] is Standing.STALE

    def hand_over(self) -> SubmittedWork:
        """Return the submission with its files.

        Raises
        ------
        StudentFault
            If the files have changed since they were looked at, or cannot be read.
        """
        files = intake.read(self.submission.folder)
        if intake.digest_of(intake.work_of(files)) != self.identity.key.submission:
            fix = "run the command again"
            raise StudentFault(self.submission.folder, "it changed after the run had begun", fix)
        return SubmittedWork(self.identity, files, self.handed_in)


def triage(
    course: Course,
    versions: Mapping[str, AssignmentVersion],
    submissions: Sequence[Submission],
    environments: Mapping[str, str],
) -> tuple[list[PendingSubmission], Faults]:
    """Look at every submission; unreadable submissions and damaged grades are faults.

    Parameters
    ----------
    versions : mapping from str to AssignmentVersion
        What the submissions of each assignment are graded against, by its name.
    environments : mapping from str to str
        The digest of the environment of each assignment, by its name.
    """
    known = {assignment.name: assignment for assignment in course.assignments}
    digests = {name: version(course, versions[name]) for name in versions}
    all_pending: list[PendingSubmission] = []
    faults: Faults = {}
    for submission in submissions:
        with contained(course, submission, faults):
            assignment = known[submission.assignment]
            environment = environments[assignment.name]
            notebooks = versions[assignment.name].notebooks
            pending = _pending(course, notebooks, submission, digests[assignment.name], environment)
            all_pending.append(pending)
            for damage in pending.history.damaged:
                faults[submission] = damage
    return all_pending, faults


def _pending(
    course: Course,
    notebooks: Files,
    submission: Submission,
    digest: str,
    environment: str,
) -> PendingSubmission:
    intake.check_folder(submission)
    files = intake.read(submission.folder)
    require_some(submission, notebooks, files)
    history = sheets.read(course, submission.student, submission.assignment)
    key = GradeKey(intake.digest_of(intake.work_of(files)), digest, environment)
    attempt, handed_in = _arrival(course, submission, files, key, history)
    return PendingSubmission(
        submission,
        Identity(course.id, submission.student, submission.assignment, attempt, key),
        handed_in,
        history,
        records.read(course, submission),
        (course.root / "autograded" / str(submission)).is_dir(),
    )


def _arrival(
    course: Course, submission: Submission, files: Files, key: GradeKey, history: GradeHistory
) -> tuple[str, datetime | None]:
    """Return the name of an attempt, and when it was handed in.

    What was seen of the same files before counts on: to copy a course changes the times of all files.
    """
    if course.trust_timestamps:
        moment = arrival.handed_in(submission, files)
        return (moment.isoformat() if moment else ""), moment
    for grade in history.grades:
        if grade.identity.attempt.startswith(SEEN) and grade.identity.key.submission == key.submission:
            return grade.identity.attempt, grade.handed_in
    moment = arrival.seen(course, submission, files)
    return f"{SEEN}{moment.isoformat()}", moment


def version(course: Course, assignment_version: AssignmentVersion) -> str:
    """Return a digest of everything in an assignment that grades depend on."""
    # This text must not change: another digest would make all earlier grades stale.
    seconds = course.limits.cell_seconds, course.limits.notebook_seconds
    limits = "Limits(cell_seconds={}, notebook_seconds={})".format(*seconds)
    digests = [
        intake.digest_of(assignment_version.notebooks),
        intake.digest_of(assignment_version.files),
        limits,
    ]
    digests.append(repr(sorted((name, str(mode)) for name, mode in assignment_version.modes.items())))
    uses_reference = any(REFERENCE.encode() in notebook for notebook in assignment_version.notebooks.values())
    if uses_reference and course.package:
        digests.append(intake.digest(course.package, PlatformFault))
    return hashlib.sha256("\0".join(digests).encode()).hexdigest()
