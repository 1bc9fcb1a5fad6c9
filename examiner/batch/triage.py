"""What is known of each submission before anything runs: whether it is new, graded, stale or refused."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from examiner.batch.worker import AssignmentVersion, SubmittedWork
from examiner.errors import ExaminerError, PlatformFault, StudentFault
from examiner.model import Assignment, Course, GradeKey, Identity, Submission
from examiner.notebook import REFERENCE
from examiner.store import records, sheets
from examiner.store.records import Record
from examiner.store.sheets import FiledGrade, GradeHistory, Standing
from examiner.submission import intake

Faults = dict[Submission, ExaminerError]


@dataclass(frozen=True)
class PendingSubmission:
    """A submission, what a grade of it would follow from, and what is filed and remembered of it."""

    submission: Submission
    identity: Identity
    handed_in: datetime | None
    shelf: GradeHistory
    record: Record
    has_notebooks: bool

    @property
    def fault(self) -> StudentFault | None:
        """The reason why it was refused, as it is now."""
        is_refused = self.record.fault is not None and self.record.refused == self.identity.key
        return StudentFault(*self.record.fault) if is_refused and self.record.fault else None

    @property
    def filing(self) -> FiledGrade | None:
        """The grading that counts, unless another is asked for."""
        return self.shelf.find(self.identity)[1]

    @property
    def is_new(self) -> bool:
        """Whether it has to be graded: it never was as it is, or the executed notebooks are lost."""
        standing, filing = self.shelf.find(self.identity)
        if self.fault:
            return False
        is_here = self.has_notebooks and filing is not None and self.record.filing == filing.digest
        return standing is Standing.NEW or (standing is Standing.SETTLED and not is_here)

    @property
    def is_stale(self) -> bool:
        """Whether it was graded, and the assignment or the environment changed since."""
        return self.shelf.find(self.identity)[0] is Standing.STALE

    def hand_over(self) -> SubmittedWork:
        """Return the submission with its files.

        Raises
        ------
        StudentFault
            If they are not those any more that the case is about, or cannot be read.
        """
        files = intake.read(self.submission.folder)
        if intake.digest_of(intake.work_of(files)) != self.identity.key.submission:
            fix = "run the command again"
            raise StudentFault(self.submission.folder, "it changed after the run had begun", fix)
        return SubmittedWork(self.identity, files, self.handed_in)


def triage(
    course: Course,
    papers: Mapping[str, AssignmentVersion],
    submissions: Sequence[Submission],
    environment: str,
) -> tuple[list[PendingSubmission], Faults]:
    """Look at every submission; what cannot be read, or was filed and is damaged, is a fault."""
    known = {assignment.name: assignment for assignment in course.assignments}
    versions = {name: version(course, paper) for name, paper in papers.items()}
    cases: list[PendingSubmission] = []
    faults: Faults = {}
    for submission in submissions:
        try:
            case = _case(course, known[submission.assignment], submission, versions, environment)
        except StudentFault as fault:
            faults[submission] = fault
            continue
        cases.append(case)
        for damage in case.shelf.damaged:
            faults[submission] = damage
    return cases, faults


def _case(
    course: Course,
    assignment: Assignment,
    submission: Submission,
    versions: Mapping[str, str],
    environment: str,
) -> PendingSubmission:
    intake.check_folder(submission)
    files = intake.read(submission.folder)
    intake.check(course, assignment, submission, files)
    handed_in = intake.handed_in(submission, files)
    key = GradeKey(intake.digest_of(intake.work_of(files)), versions[assignment.name], environment)
    attempt = handed_in.isoformat() if handed_in else ""
    return PendingSubmission(
        submission,
        Identity(course.id, submission.student, assignment.name, attempt, key),
        handed_in,
        sheets.read(course, submission.student, assignment.name),
        records.read(course, submission),
        (course.root / "autograded" / str(submission)).is_dir(),
    )


def version(course: Course, paper: AssignmentVersion) -> str:
    """Return a digest of all of an assignment that grades follow from."""
    # A digest of any other text would make every grade stale that was given before.
    seconds = course.limits.cell_seconds, course.limits.notebook_seconds
    limits = "Limits(cell_seconds={}, notebook_seconds={})".format(*seconds)
    digests = [intake.digest_of(paper.notebooks), intake.digest_of(paper.files), limits]
    digests.append(repr(sorted((name, str(mode)) for name, mode in paper.modes.items())))
    uses_reference = any(REFERENCE.encode() in notebook for notebook in paper.notebooks.values())
    if uses_reference and course.package:
        digests.append(intake.digest(course.package, PlatformFault))
    return hashlib.sha256("\0".join(digests).encode()).hexdigest()
