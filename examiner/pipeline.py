"""What happens to a submission, from top to bottom: release, intake, grading, gradebook, feedback, export.

Only what is new is done. The key of a grade says what it depends on: the submission, the assignment, the
environment. A changed submission is graded again; a grade whose assignment or environment changed is stale:
that is reported, and the grade stays until somebody asks for a regrade.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from examiner.batch import pool
from examiner.batch.contained import Faults, contained
from examiner.batch.grade import STEP_SECONDS, Progress, grade_submissions
from examiner.batch.triage import triage
from examiner.batch.worker import AssignmentVersion, GradingContext
from examiner.course import environment
from examiner.course.beside import generate
from examiner.course.names import choose
from examiner.errors import AuthorFault, BadSource, ExaminerError, NoSubmissions, WorkerLost
from examiner.examine.server import SandboxSettings
from examiner.export.csv import to_csv
from examiner.gate import evidence
from examiner.gate.evidence import Evidence
from examiner.gate.oddities import oddities
from examiner.gate.run import TrialRunner
from examiner.model import Assignment, Course, Grades, Mode, Question, Submission
from examiner.nbgrader import steps
from examiner.nbgrader.steps import Step, step_worker
from examiner.notebook import USUAL, check_source, load_source, parse, read
from examiner.report import feedback
from examiner.store import rebuild, records, sheets
from examiner.store.atomic import write_text
from examiner.store.grades import read_grades
from examiner.store.sheets import FiledGrade
from examiner.store.varying import VaryingCell, has_unsettled, varying_cells
from examiner.submission import intake


@dataclass(frozen=True)
class GradeRequest:
    """What is to be graded, and how; without names, everything.

    Parameters
    ----------
    regrade : bool
        Whether stale submissions are graded again.
    unsafe : bool
        Whether students' code may run behind fewer walls than are required.
    anyway : bool
        Whether an assignment is graded although the instructor's solution loses points in a Jupyter kernel.
    """

    assignments: tuple[str, ...] = ()
    students: tuple[str, ...] = ()
    regrade: bool = False
    workers: int = 1
    unsafe: bool = False
    anyway: bool = False


@dataclass(frozen=True)
class Run:
    """The result of a run.

    Parameters
    ----------
    graded : mapping from Submission to FiledGrade
        The submissions that this run graded, each with the grade that now counts.
    gathered : tuple of Evidence
        The evidence on where to judge grade cells that this run had to gather first.
    varying : tuple of VaryingCell
        The cells that the student's own code has left unsettled again, in this run and those before it.
    stopped : mapping from str to ExaminerError
        By name, the assignments that were not graded: they cannot be, their own solution loses points, or
        their environment is missing.
    oddities : tuple of str
        What is odd in the notebooks that were released anew, in sentences.
    removed : tuple of Submission
        Graded work of students who were removed from the gradebook, and are not in the roster.
    """

    course: Course
    request: GradeRequest
    grades: Grades
    submissions: tuple[Submission, ...]
    faults: Faults
    stale: tuple[Submission, ...]
    graded: Mapping[Submission, FiledGrade]
    gathered: tuple[Evidence, ...]
    varying: tuple[VaryingCell, ...] = ()
    stopped: Mapping[str, ExaminerError] = field(default_factory=dict)
    oddities: tuple[str, ...] = ()
    removed: tuple[Submission, ...] = ()


@dataclass(frozen=True)
class Releases:
    """What came of bringing releases up to date.

    Parameters
    ----------
    broken : mapping from str to ExaminerError
        The assignments that have no release, by name, and why.
    oddities : tuple of str
        What is odd in the notebooks that were released anew, in sentences.
    """

    broken: Mapping[str, ExaminerError]
    oddities: tuple[str, ...] = ()


def grade(course: Course, request: GradeRequest, progress: Progress) -> Run:
    """Grade what is new, make feedback and the CSV, and return the result; errors are as of `autograde`."""
    with records.alone(course):
        run = _autograde(course, request, progress)
        faults = run.faults | _explain(course, run.submissions, run.grades, request, progress)

        def guard(student: str, assignment: str) -> AbstractContextManager[None]:
            folder = course.root / "submitted" / student / assignment
            return contained(course, Submission(student, assignment, folder), faults)

        write_text(course.root / "grades.csv", to_csv(course, run.grades, guard=guard))
    return replace(run, faults=faults)


def autograde(course: Course, request: GradeRequest, progress: Progress) -> Run:
    """Grade what is new, and return the result.

    Raises
    ------
    AuthorFault
        If the course or the request is wrong.
    PlatformFault
        If the environment of all assignments or the gradebook cannot be used. A fault with one submission,
        or of one assignment, is only reported: it never stops the others.
    """
    with records.alone(course):
        return _autograde(course, request, progress)


def _autograde(course: Course, request: GradeRequest, progress: Progress) -> Run:
    assignments = _assignments(course, request)
    fingerprints, faulty = environment.require_some(course, assignments)
    submissions = _submissions(course, request, assignments)
    submitted = {submission.assignment for submission in submissions}
    releases = _release(course, assignments, request, progress)
    unusable = {**faulty, **releases.broken}
    _require_submissions(course, submissions, assignments, unusable)
    sound = [assignment for assignment in assignments if assignment.name not in unusable]
    wanted = [assignment for assignment in sound if assignment.name in submitted]
    gathered, unevidenced = _gather(course, wanted, request, progress)
    stopped = unusable | unevidenced
    contexts = _contexts(course, sound, request)
    versions = {name: version for context in contexts for name, version in context.versions.items()}
    doubled = intake.other_spellings(submissions)
    gradable = [s for s in submissions if s.assignment in versions and s not in doubled]
    digests = {name: _hash(*astuple(fingerprint)) for name, fingerprint in fingerprints.items()}
    all_pending, faults = triage(course, versions, gradable, digests)
    faults |= doubled
    going_on = [pending for pending in all_pending if pending.submission.assignment not in stopped]
    todo = [
        pending
        for pending in going_on
        if pending.is_new or (request.regrade and (pending.is_stale or isinstance(pending.fault, WorkerLost)))
    ]
    faults |= {p.submission: p.fault for p in all_pending if p.fault and p not in todo}
    graded, failed = grade_submissions(course, contexts, all_pending, todo, request.workers, progress)
    rebuild.keep_edits(course)
    stale = tuple(pending.submission for pending in all_pending if pending.is_stale and not request.regrade)
    grades, unpenalized = _penalize(course, gradable, request, progress)
    faults |= failed | unpenalized
    varying = tuple(_varying(course, graded, faults))
    known = {student.id for student in grades.students}
    done = {pending.submission for pending in all_pending if pending.filed} | graded.keys()
    removed = tuple(submission for submission in sorted(done) if submission.student not in known)
    return Run(
        course,
        request,
        grades,
        tuple(submissions),
        faults,
        stale,
        graded,
        gathered,
        varying,
        stopped,
        releases.oddities,
        removed,
    )


def _varying(
    course: Course, graded: Mapping[Submission, FiledGrade], faults: Faults
) -> Iterator[VaryingCell]:
    for submission, grade in sorted(graded.items()):
        with contained(course, submission, faults):
            if has_unsettled(grade):
                yield from varying_cells(sheets.read(course, submission.student, submission.assignment))


def release(course: Course, request: GradeRequest, progress: Progress) -> Releases:
    """Bring the releases of assignments up to date, before anybody has handed in."""
    assignments = _assignments(course, request)
    with records.alone(course):
        return _release(course, assignments, request, progress)


def _assignments(course: Course, request: GradeRequest) -> list[Assignment]:
    known = {assignment.name: assignment for assignment in course.assignments}
    return [known[choose("assignment", name, known)] for name in request.assignments or known]


def _submissions(
    course: Course, request: GradeRequest, assignments: Sequence[Assignment]
) -> list[Submission]:
    found = intake.submissions(course)
    known = {student.id for student in course.roster} | {submission.student for submission in found}
    students = {choose("student", name, known) for name in request.students} or known
    names = {assignment.name for assignment in assignments}
    return [
        submission
        for submission in found
        if submission.student in students and submission.assignment in names
    ]


def _require_submissions(
    course: Course,
    submissions: Sequence[Submission],
    assignments: Sequence[Assignment],
    unusable: Mapping[str, ExaminerError],
) -> None:
    if not submissions:
        for fault in unusable.values():
            raise fault
        fix = f"put notebooks into submitted/<student>/{assignments[0].name}/ (the release is made)"
        raise NoSubmissions(course.root / "submitted", "there is no submission to grade", fix)


def _release(
    course: Course, assignments: Sequence[Assignment], request: GradeRequest, progress: Progress
) -> Releases:
    """Bring the releases up to date, and the gradebook's students, due dates and cells."""
    broken: dict[str, ExaminerError] = dict(_broken(course, assignments))
    sound = [assignment for assignment in assignments if assignment.name not in broken]
    unreleased = [assignment for assignment in sound if _is_unreleased(course, assignment)]
    for step, fault in _run_steps(course, "release", unreleased, request, progress, "releases"):
        if fault is not None:
            broken[str(step)] = fault
        else:
            records.write_release(course, str(step), _release_digest(course, str(step)))
    if unreleased or not _is_outlined(course, read_grades(course), [assignment.name for assignment in sound]):
        rebuild.rebuild(course)
    found = [sentence for assignment in unreleased for sentence in _oddities(course, assignment)]
    return Releases(broken, tuple(found))


def _broken(course: Course, assignments: Sequence[Assignment]) -> Iterator[tuple[str, AuthorFault]]:
    """Yield the assignments whose source cannot be released, each with the error that says why."""
    for assignment in assignments:
        try:
            _check_source(course, assignment)
        except BadSource as fault:
            yield assignment.name, fault


def _oddities(course: Course, assignment: Assignment) -> Iterator[str]:
    for path in course.notebooks(assignment):
        yield from oddities(parse(load_source(path, course.markers), path))


def _check_source(course: Course, assignment: Assignment) -> None:
    """Generate the modules that students may import, and refuse a source that cannot be released."""
    folder = course.source(assignment)
    notebooks = course.notebooks(assignment)
    if not notebooks:
        fix = "put the instructor's notebook there, or take the assignment out of course.toml"
        raise BadSource(folder, "there is no notebook", fix)
    for path in notebooks:
        check_source(parse(load_source(path, course.markers), path))
    student = environment.environment_of(course, assignment)
    if student.requirements is not None:  # else the instructor installs what students may import
        generate(course, assignment)


def _is_unreleased(course: Course, assignment: Assignment) -> bool:
    """Return whether source or release changed since the release was made."""
    return records.read_release(course, assignment.name) != _release_digest(course, assignment.name)


def _release_digest(course: Course, assignment: str) -> str:
    folders = [course.root / "source" / assignment, course.root / "release" / assignment]
    return _hash(*(intake.digest(folder, BadSource) for folder in folders if folder.is_dir()))


def _is_outlined(course: Course, grades: Grades, names: Sequence[str]) -> bool:
    """Return whether the gradebook has the course's students and due dates, and these assignments' cells."""
    due = {assignment.name: assignment.due for assignment in course.assignments}
    is_known = set(course.roster) <= set(grades.students) and due.items() <= dict(grades.due).items()
    known = [assignment for assignment in course.assignments if assignment.name in names]
    return is_known and all(_questions(course, one) <= set(grades.questions[one.name]) for one in known)


def _questions(course: Course, assignment: Assignment) -> set[Question]:
    return {
        Question(path.stem, cell.grade_id, cell.points)
        for path in course.notebooks(assignment)
        for cell in read(path).grade_cells
    }


def _gather(
    course: Course, assignments: Sequence[Assignment], request: GradeRequest, progress: Progress
) -> tuple[tuple[Evidence, ...], dict[str, ExaminerError]]:
    """Gather the missing evidence on where the grade cells of these assignments are judged.

    Returns
    -------
    tuple of Evidence
        What was gathered.
    dict from str to ExaminerError
        The assignments of which there is none, since they cannot be run, or their own solution loses points.
    """
    unknown = [
        assignment
        for assignment in assignments
        if _is_by_evidence(course, assignment) and _is_missing(evidence.read(course, assignment), request)
    ]
    gathered: list[Evidence] = []
    stopped: dict[str, ExaminerError] = {}
    runner = TrialRunner(course, request.workers, progress.step)
    if unknown:
        progress.phase("evidence", len(unknown))
    for assignment in unknown:
        progress.start(assignment.name)
        try:
            gathered += evidence.gather(runner, [assignment], anyway=request.anyway)
        except AuthorFault as fault:
            stopped[assignment.name] = fault
        progress.end(assignment.name, stopped.get(assignment.name))
    return tuple(gathered), stopped


def _is_missing(found: Evidence | None, request: GradeRequest) -> bool:
    return found is None or (bool(found.failures) and not request.anyway)


def _is_by_evidence(course: Course, assignment: Assignment) -> bool:
    """Whether evidence decides where each grade cell of an assignment is judged."""
    return course.mode_in(environment.environment_of(course, assignment)) is None


def _contexts(
    course: Course, assignments: Sequence[Assignment], request: GradeRequest
) -> list[GradingContext]:
    """Return what workers need to know, for each environment of these assignments."""
    return [
        GradingContext(
            SandboxSettings.of(course, student, unsafe=request.unsafe),
            sheets.secret(course),
            course.limits,
            {assignment.name: _version(course, assignment) for assignment in group},
            course.package,
            student.kernel,
            is_whole=course.mode_in(student) is Mode.KERNEL,
        )
        for student, group in environment.by_environment(course, assignments).items()
    ]


def _version(course: Course, assignment: Assignment) -> AssignmentVersion:
    files = intake.read(course.source(assignment), BadSource)
    is_notebook = {name: name.endswith(".ipynb") for name in files}
    notebooks = {Path(name).stem: files[name] for name in files if is_notebook[name] and "/" not in name}
    if course.markers != USUAL:
        sources = ((path, load_source(path, course.markers)) for path in course.notebooks(assignment))
        notebooks |= {path.stem: json.dumps(document).encode() for path, document in sources}
    found = evidence.read(course, assignment) if _is_by_evidence(course, assignment) else None
    modes = {cell: mode for cell, mode in found.modes.items() if mode is Mode.KERNEL} if found else {}
    return AssignmentVersion(notebooks, {name: files[name] for name in files if not is_notebook[name]}, modes)


def _penalize(
    course: Course, submissions: Iterable[Submission], request: GradeRequest, progress: Progress
) -> tuple[Grades, Faults]:
    """Have nbgrader assign the penalties of late submissions that were graded since it last did.

    Returns
    -------
    Grades
        The gradebook afterwards. The larger the class, the longer it takes to read, so it is read again only
        if somebody was late.
    dict from Submission to ExaminerError
        What could not be penalized, and why.
    """
    grades = read_grades(course)
    known: dict[Submission, records.Record] = {}
    late: list[Submission] = []
    faults: Faults = {}
    for submission in submissions:
        with contained(course, submission, faults):
            record = known[submission] = records.read(course, submission)
            grade = grades.of(submission.student, submission.assignment)
            if grade and grade.late_seconds and record.filing != record.penalized:
                late.append(submission)
    for step, fault in _run_steps(course, "penalize", late, request, progress, "late"):
        with contained(course, step.what, faults):
            if fault is not None:
                raise fault
            record = known[step.what]
            records.write(course, step.what, replace(record, penalized=record.filing))
    return read_grades(course) if late else grades, faults


def _explain(
    course: Course,
    submissions: Iterable[Submission],
    grades: Grades,
    request: GradeRequest,
    progress: Progress,
) -> Faults:
    """Make the feedback whose notebook, grades (manual ones included) or page template changed."""
    renderer = _renderer()
    faults: Faults = {}
    todo: dict[Submission, tuple[records.Record, str]] = {}
    for submission in submissions:
        with contained(course, submission, faults):
            record = records.read(course, submission)
            known = grades.of(submission.student, submission.assignment)
            made_from = _hash(record.filing, repr(known), renderer)
            is_here = (course.root / "feedback" / str(submission)).is_dir()
            if record.filing and known is not None and not (record.feedback == made_from and is_here):
                todo[submission] = record, made_from
    for step, fault in _run_steps(course, "explain", list(todo), request, progress, "feedback"):
        with contained(course, step.what, faults):
            if fault is not None:
                raise fault
            record, made_from = todo[step.what]
            records.write(course, step.what, replace(record, feedback=made_from))
    return faults


def _renderer() -> str:
    """Return the texts that pages are made by: where one changes, a page is made anew."""
    here = Path(steps.__file__).parent
    programs = [Path(feedback.__file__), Path(feedback.__file__).with_name("page.py"), here / "feedback.py"]
    return "\0".join(path.read_text() for path in [*programs, *sorted(here.glob("templates/**/*.j2"))])


def _run_steps(  # noqa: PLR0913, PLR0917 - what is done, to what, and who is told
    course: Course,
    do: Literal["release", "penalize", "explain"],
    items: Sequence[Any],
    request: GradeRequest,
    progress: Progress,
    phase: str,
) -> Iterator[tuple[Any, ExaminerError | None]]:
    """Run one of nbgrader's steps for each item, and yield its step with the error that ended it, or None."""
    if not items:
        return
    progress.phase(phase, len(items))
    logs = course.state / "logs" / do
    tasks = [
        pool.Task(step, logs / f"{step}.log", STEP_SECONDS)
        for step in (Step(do, course, item) for item in items)
    ]
    preload = ["examiner.nbgrader.convert", "examiner.plugin"]
    for task, fault in pool.run(
        step_worker, tasks, request.workers, preload, lambda task: progress.start(str(task.item))
    ):
        yield task.item, fault
        progress.end(str(task.item), fault)  # the caller has recorded the step by now


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
