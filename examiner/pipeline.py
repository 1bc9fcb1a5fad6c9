"""The way of a submission, from top to bottom: release, intake, grading, gradebook, feedback, export.

Only what is new is done. What a grade follows from is its key: the submission, the assignment, the
environment. A changed submission is graded again; a grade whose assignment or environment changed is stale,
which is said, and stays until somebody asks for another.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from examiner.batch import pool
from examiner.batch.grade import STEP_SECONDS, Progress, grade_submissions
from examiner.batch.triage import Faults, triage
from examiner.batch.worker import AssignmentVersion, GradingContext
from examiner.box.walls import available
from examiner.course import environment
from examiner.course.beside import generate
from examiner.course.names import choose
from examiner.errors import BadSource, ExaminerError, NoSubmissions
from examiner.examine.server import SandboxSettings
from examiner.export.csv import write_csv
from examiner.gate import evidence
from examiner.gate.evidence import Evidence
from examiner.gate.run import TrialRunner
from examiner.model import Assignment, Course, Grades, Mode, Question, Submission
from examiner.nbgrader.steps import Step, step_worker
from examiner.notebook import check_source, read
from examiner.report import feedback
from examiner.store import rebuild, records, sheets
from examiner.store.grades import read_grades
from examiner.store.sheets import FiledGrade
from examiner.submission import intake


@dataclass(frozen=True)
class GradeRequest:
    """What is to be graded, and how; no names mean all of them.

    Parameters
    ----------
    regrade : bool
        Whether stale grades are made anew.
    unsafe : bool
        Whether code of students may run behind fewer walls than it should.
    """

    assignments: tuple[str, ...] = ()
    students: tuple[str, ...] = ()
    regrade: bool = False
    workers: int = 1
    unsafe: bool = False


@dataclass(frozen=True)
class Run:
    """What came of it.

    Parameters
    ----------
    graded : mapping from Submission to FiledGrade
        The gradings that count from now on of what was graded now.
    gathered : tuple of Evidence
        What had to be found out first about where grade cells are judged.
    """

    course: Course
    wish: GradeRequest
    grades: Grades
    submissions: tuple[Submission, ...]
    faults: Faults
    stale: tuple[Submission, ...]
    graded: Mapping[Submission, FiledGrade]
    gathered: tuple[Evidence, ...]


def grade(course: Course, wish: GradeRequest, watch: Progress) -> Run:
    """Grade what is new, make feedback and the CSV, and return what came of it; see `autograde`."""
    with records.alone(course):
        run = _autograde(course, wish, watch)
        faults = run.faults | _explain(course, run.submissions, run.grades, wish, watch)
        write_csv(course.root / "grades.csv", course, run.grades)
    return replace(run, faults=faults)


def autograde(course: Course, wish: GradeRequest, watch: Progress) -> Run:
    """Grade what is new, and return what came of it.

    Raises
    ------
    AuthorFault
        If the course, a source notebook or the wish is wrong.
    PlatformFault
        If the environment or the gradebook is not what it should be. A fault with one submission is only
        reported: it never stops the others.
    """
    with records.alone(course):
        return _autograde(course, wish, watch)


def _autograde(course: Course, wish: GradeRequest, watch: Progress) -> Run:
    made_in = _hash(*astuple(environment.require(course)))
    assignments = _assignments(course, wish)
    submissions = _submissions(course, wish, assignments)
    handed = {each.assignment for each in submissions}
    _release(course, assignments, wish, watch)
    _refuse_nothing(course, submissions, assignments)
    gathered = _gather(course, [each for each in assignments if each.name in handed], wish, watch)
    desk = _desk(course, assignments, wish)
    cases, faults = triage(course, desk.papers, submissions, made_in)
    faults |= {case.submission: case.fault for case in cases if case.fault}
    todo = [case for case in cases if case.is_new or (wish.regrade and case.is_stale)]
    graded, failed = grade_submissions(course, desk, cases, todo, wish.workers, watch)
    rebuild.keep_edits(course)
    stale = () if wish.regrade else tuple(case.submission for case in cases if case.is_stale)
    grades, unpenalized = _penalize(course, submissions, wish, watch)
    faults |= failed | unpenalized
    return Run(course, wish, grades, tuple(submissions), faults, stale, graded, gathered)


def release(course: Course, wish: GradeRequest, watch: Progress) -> None:
    """Bring the releases of assignments up to date, before anybody has handed in."""
    assignments = _assignments(course, wish)
    with records.alone(course):
        _release(course, assignments, wish, watch)


def _assignments(course: Course, wish: GradeRequest) -> list[Assignment]:
    known = {assignment.name: assignment for assignment in course.assignments}
    return [known[choose("assignment", name, known)] for name in wish.assignments or known]


def _submissions(course: Course, wish: GradeRequest, assignments: Sequence[Assignment]) -> list[Submission]:
    found = intake.submissions(course)
    known = {student.id for student in course.roster} | {submission.student for submission in found}
    students = {choose("student", name, known) for name in wish.students} or known
    names = {assignment.name for assignment in assignments}
    return [each for each in found if each.student in students and each.assignment in names]


def _refuse_nothing(
    course: Course, submissions: Sequence[Submission], assignments: Sequence[Assignment]
) -> None:
    if not submissions:
        fix = f"put notebooks into submitted/<student>/{assignments[0].name}/ (the release is made)"
        raise NoSubmissions(course.root / "submitted", "there is no submission to grade", fix)


def _release(course: Course, assignments: Sequence[Assignment], wish: GradeRequest, watch: Progress) -> None:
    """Bring the releases up to date, and the gradebook's students, due dates and cells."""
    for assignment in assignments:
        _check_source(course, assignment)
    unreleased = [each for each in assignments if _is_unreleased(course, each)]
    for step, fault in _each(course, "release", unreleased, wish, watch, "releases"):
        if fault is not None:
            raise fault
        records.write_release(course, str(step), _release_digest(course, str(step)))
    if unreleased or not _is_outlined(course, read_grades(course)):
        rebuild.rebuild(course)


def _check_source(course: Course, assignment: Assignment) -> None:
    """Generate what students may import, and refuse what could not be released."""
    folder = course.source(assignment)
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        fix = "put the instructor's notebook there, or take the assignment out of course.toml"
        raise BadSource(folder, "there is no notebook", fix)
    for path in notebooks:
        check_source(read(path))
    if course.student.requirements is not None:  # else the environment is the instructor's matter
        generate(course, assignment)


def _is_unreleased(course: Course, assignment: Assignment) -> bool:
    """Return whether the release is not what the source makes."""
    return records.read_release(course, assignment.name) != _release_digest(course, assignment.name)


def _release_digest(course: Course, assignment: str) -> str:
    folders = [course.root / "source" / assignment, course.root / "release" / assignment]
    return _hash(*(intake.digest(folder, BadSource) for folder in folders if folder.is_dir()))


def _is_outlined(course: Course, grades: Grades) -> bool:
    """Return whether the gradebook has the students, due dates and grade cells of the course."""
    due = {assignment.name: assignment.due for assignment in course.assignments}
    is_known = set(course.roster) <= set(grades.students) and due.items() <= dict(grades.due).items()
    return is_known and all(_questions(course, name) <= set(grades.questions[name]) for name in due)


def _questions(course: Course, assignment: str) -> set[Question]:
    return {
        Question(path.stem, cell.grade_id, cell.points)
        for path in (course.root / "source" / assignment).glob("*.ipynb")
        for cell in read(path).grade_cells
    }


def _gather(
    course: Course, assignments: Sequence[Assignment], wish: GradeRequest, watch: Progress
) -> tuple[Evidence, ...]:
    """Find out where the grade cells of assignments are judged, of which that is not known yet."""
    unknown = [each for each in assignments if course.mode is None and evidence.read(course, each) is None]
    gathered: list[Evidence] = []
    runner = TrialRunner(course, wish.workers, lambda *_: None)
    if unknown:
        watch.phase("evidence", len(unknown))
    for assignment in unknown:
        watch.start(assignment.name)
        gathered += evidence.gather(runner, [assignment])
        watch.end(assignment.name, None)
    return tuple(gathered)


def _desk(course: Course, assignments: Sequence[Assignment], wish: GradeRequest) -> GradingContext:
    walls = available() if wish.unsafe else None
    python, caches = course.student.python, environment.caches(course)
    surroundings = SandboxSettings(python, walls, caches, course.hidden)
    papers = {assignment.name: _paper(course, assignment) for assignment in assignments}
    kernel = course.student.kernel if course.mode is Mode.KERNEL else ""
    return GradingContext(surroundings, sheets.secret(course), course.limits, papers, course.package, kernel)


def _paper(course: Course, assignment: Assignment) -> AssignmentVersion:
    files = intake.read(course.source(assignment), BadSource)
    is_notebook = {name: name.endswith(".ipynb") for name in files}
    notebooks = {Path(name).stem: files[name] for name in files if is_notebook[name] and "/" not in name}
    found = evidence.read(course, assignment) if course.mode is None else None
    modes = {cell: mode for cell, mode in found.modes.items() if mode is Mode.KERNEL} if found else {}
    return AssignmentVersion(notebooks, {name: files[name] for name in files if not is_notebook[name]}, modes)


def _penalize(
    course: Course, submissions: Iterable[Submission], wish: GradeRequest, watch: Progress
) -> tuple[Grades, Faults]:
    """Have nbgrader assign the penalties of late submissions that were graded since it last did.

    Returns
    -------
    Grades
        What the gradebook says then. To read it takes as long as the class is large.
    dict from Submission to ExaminerError
        What could not be penalized, and why.
    """
    grades = read_grades(course)
    known = {each: records.read(course, each) for each in submissions}
    late = [
        submission
        for submission, record in known.items()
        if (grade := grades.of(submission.student, submission.assignment)) and grade.late_seconds
        if record.filing != record.penalized
    ]
    faults: Faults = {}
    for step, fault in _each(course, "penalize", late, wish, watch, "late"):
        if fault is not None:
            faults[step.what] = fault
        else:
            record = known[step.what]
            records.write(course, step.what, replace(record, penalized=record.filing))
    return read_grades(course) if late else grades, faults


def _explain(
    course: Course, submissions: Iterable[Submission], grades: Grades, wish: GradeRequest, watch: Progress
) -> Faults:
    """Make the feedback that is not what notebook and gradebook say now, manual grades included."""
    renderer = Path(feedback.__file__).read_text()
    found = {}
    for submission in submissions:
        record, known = (
            records.read(course, submission),
            grades.of(submission.student, submission.assignment),
        )
        if record.filing and known is not None:
            found[str(submission)] = submission, record, _hash(record.filing, repr(known), renderer)
    todo = [
        submission
        for name, (submission, record, made_from) in found.items()
        if record.feedback != made_from or not (course.root / "feedback" / name).is_dir()
    ]
    faults: Faults = {}
    for step, fault in _each(course, "explain", todo, wish, watch, "feedback"):
        submission, record, made_from = found[str(step)]
        if fault is not None:
            faults[submission] = fault
        else:
            records.write(course, submission, replace(record, feedback=made_from))
    return faults


def _each(  # noqa: PLR0913, PLR0917  (what is done, to what, and who watches)
    course: Course,
    do: Literal["release", "penalize", "explain"],
    what: Sequence[Any],
    wish: GradeRequest,
    watch: Progress,
    phase: str,
) -> Iterator[tuple[Any, ExaminerError | None]]:
    """Do one of nbgrader's steps for each thing, and yield it with the error that ended it, if one did."""
    if not what:
        return
    watch.phase(phase, len(what))
    logs = course.state / "logs" / do
    jobs = [
        pool.Task(step, logs / f"{step}.log", STEP_SECONDS) for step in (Step(do, course, e) for e in what)
    ]
    preload = ["examiner.nbgrader.convert", "examiner.plugin"]
    for job, fault in pool.run(
        step_worker, jobs, wish.workers, preload, lambda job: watch.start(str(job.item))
    ):
        yield job.item, fault
        watch.end(str(job.item), fault)  # only now has whoever asked for it made a note of it


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
