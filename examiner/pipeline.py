"""The way of a submission, from top to bottom: release, intake, grading, feedback, export.

Only what is new is done. What a grade follows from is its key: the submission, the assignment, the
environment. A changed submission is graded again; a grade whose assignment or environment changed is stale,
which is said, and stays until somebody asks for another.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from examiner import environment, intake, pool, records
from examiner.course import choose
from examiner.errors import BadSource, ExaminerError, NoSubmissions, StudentFault
from examiner.export.csv import write_csv
from examiner.grades import read_grades
from examiner.model import Assignment, Course, Grades, Key, Submission
from examiner.notebook import check_source, read
from examiner.parts import generate
from examiner.records import Record
from examiner.report import feedback

STEP_SECONDS = 600  # for what runs no student's code

Faults = dict[Submission, ExaminerError]


class Watch(Protocol):
    """Somebody who wants to know how far the run is."""

    def phase(self, name: str, total: int) -> None:
        """Take note that so many things of a kind will be done now."""

    def start(self, name: str) -> None:
        """Take note that one of them starts."""

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Take note that one of them ended."""


@dataclass(frozen=True)
class Wish:
    """What is to be graded, and how; no names mean all of them."""

    assignments: tuple[str, ...] = ()
    students: tuple[str, ...] = ()
    force: bool = False
    workers: int = 1


@dataclass(frozen=True)
class Run:
    """What came of it."""

    course: Course
    wish: Wish
    grades: Grades
    submissions: tuple[Submission, ...]
    faults: Faults
    stale: tuple[Submission, ...]
    graded: int


@dataclass(frozen=True)
class Case:
    """A submission, what its grade would follow from, and what is known of it."""

    submission: Submission
    key: Key
    record: Record | None
    is_graded: bool

    @property
    def is_new(self) -> bool:
        """Whether the submission, as it is, has not been graded or refused yet."""
        if self.record is None or self.record.key.submission != self.key.submission:
            return True
        return self.record.key != self.key if self.record.fault else not self.is_graded

    @property
    def is_stale(self) -> bool:
        """Whether it was graded, and the assignment or the environment changed since."""
        return self.record is not None and not self.is_new and self.record.key != self.key


@dataclass(frozen=True)
class Step:
    """One of nbgrader's steps, to be done in a process of its own."""

    do: Literal["prepare", "release", "grade", "explain"]
    course: Course
    what: Assignment | Submission | None = None

    def __str__(self) -> str:
        match self.what:
            case None:
                return self.course.id
            case Assignment(name=name):
                return name
            case submission:
                return str(submission)

    def job(self) -> pool.Job:
        """Return the step with its log and its time limit."""
        log = self.course.state / "logs" / self.do / f"{self}.log"
        seconds = self.course.limits.notebook_seconds if self.do == "grade" else STEP_SECONDS
        return pool.Job(self, log, seconds)


def grade(course: Course, wish: Wish, watch: Watch) -> Run:
    """Grade what is new, and return what came of it.

    Raises
    ------
    AuthorFault
        If the course, a source notebook or the wish is wrong.
    PlatformFault
        If the environment or the gradebook is not what it should be. A fault with one submission is only
        reported: it never stops the others.
    """
    made_in = _hash(*astuple(environment.require(course)))
    assignments = _assignments(course, wish)
    submissions = _submissions(course, wish, assignments)
    with records.alone(course):
        _release(course, assignments, wish, watch)
        _refuse_nothing(course, submissions, assignments)
        cases, faults = _intake(course, assignments, submissions, made_in)
        todo = [case for case in cases if case.is_new or wish.force]
        faults |= {c.submission: StudentFault(*c.record.fault) for c in cases if c.record and c.record.fault}
        faults |= _grade(course, todo, wish, watch)
        grades = read_grades(course)
        faults |= _explain(course, submissions, grades, wish, watch)
        write_csv(course.root / "grades.csv", course, grades)
    stale = tuple(case.submission for case in cases if case.is_stale and case not in todo)
    return Run(course, wish, grades, tuple(submissions), faults, stale, len(todo))


def release(course: Course, wish: Wish, watch: Watch) -> None:
    """Bring the releases of assignments up to date, before anybody has handed in."""
    assignments = _assignments(course, wish)
    with records.alone(course):
        _release(course, assignments, wish, watch)


def _release(course: Course, assignments: Sequence[Assignment], wish: Wish, watch: Watch) -> None:
    """Bring the gradebook's students and due dates, and the releases, up to date."""
    for assignment in assignments:
        _check_source(course, assignment)
    grades = read_grades(course)
    prepared = [] if _is_prepared(course, grades) else [Step("prepare", course)]
    for _, fault in _each(prepared, wish, watch, "gradebook"):
        _raise(fault)
    releases = [Step("release", course, each) for each in assignments if _is_unreleased(course, each, grades)]
    for step, fault in _each(releases, wish, watch, "releases"):
        _raise(fault)
        records.write_release(course, str(step), _release_digest(course, str(step)))


def work(step: Step) -> None:
    """Do a step, in the process made for it."""
    from examiner import gradebook  # noqa: PLC0415  (nbgrader costs seconds; only these processes need it)

    match step.do, step.what:
        case "prepare", None:
            gradebook.prepare(step.course)
        case "release", Assignment() as assignment:
            gradebook.release(step.course, assignment)
        case "grade", Submission() as submission:
            gradebook.grade(step.course, submission)
        case "explain", Submission() as submission:
            gradebook.explain(step.course, submission)


def _each(
    steps: Sequence[Step], wish: Wish, watch: Watch, phase: str
) -> Iterator[tuple[Step, ExaminerError | None]]:
    """Do steps side by side, and yield each with the error that ended it, if one did."""
    if not steps:
        return
    watch.phase(phase, len(steps))
    jobs = [step.job() for step in steps]
    preload = ["examiner.gradebook", "examiner.plugin"]
    for job, fault in pool.run(work, jobs, wish.workers, preload, lambda job: watch.start(str(job.item))):
        yield job.item, fault
        watch.end(str(job.item), fault)  # only now has whoever asked for it made a note of it


def _raise(fault: ExaminerError | None) -> None:
    if fault is not None:
        raise fault


def _assignments(course: Course, wish: Wish) -> list[Assignment]:
    known = {assignment.name: assignment for assignment in course.assignments}
    return [known[choose("assignment", name, known)] for name in wish.assignments or known]


def _submissions(course: Course, wish: Wish, assignments: Sequence[Assignment]) -> list[Submission]:
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


def _check_source(course: Course, assignment: Assignment) -> None:
    """Generate what students may import, and refuse what could not be released."""
    folder = course.source(assignment)
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        fix = "put the instructor's notebook there, or take the assignment out of course.toml"
        raise BadSource(folder, "there is no notebook", fix)
    for path in notebooks:
        check_source(read(path))
    generate(course, assignment)


def _is_prepared(course: Course, grades: Grades) -> bool:
    """Return whether the gradebook has the students and due dates of the course."""
    due = {assignment.name: assignment.due for assignment in course.assignments}
    return set(course.roster) <= set(grades.students) and due.items() <= dict(grades.due).items()


def _is_unreleased(course: Course, assignment: Assignment, grades: Grades) -> bool:
    """Return whether the release is not what the source makes, or the gradebook does not know its cells."""
    found = records.read_release(course, assignment.name)
    return not grades.questions.get(assignment.name) or found != _release_digest(course, assignment.name)


def _release_digest(course: Course, assignment: str) -> str:
    folders = [course.root / "source" / assignment, course.root / "release" / assignment]
    return _hash(*(intake.digest(folder, BadSource) for folder in folders if folder.is_dir()))


def _intake(
    course: Course, assignments: Sequence[Assignment], submissions: Sequence[Submission], made_in: str
) -> tuple[list[Case], Faults]:
    """Look at every submission, and sort out those that cannot be graded."""
    grades = read_grades(course)
    known = {assignment.name: assignment for assignment in assignments}
    sources = {
        name: _hash(intake.digest(course.source(each), BadSource), repr(course.limits))
        for name, each in known.items()
    }
    cases: list[Case] = []
    faults: Faults = {}
    for submission in submissions:
        try:
            key = Key(intake.digest(submission.folder), sources[submission.assignment], made_in)
            intake.check(course, known[submission.assignment], submission)
        except StudentFault as fault:
            faults[submission] = fault
            continue
        record = records.read(course, submission)
        cases.append(Case(submission, key, record, _is_graded(course, submission, grades)))
    return cases, faults


def _is_graded(course: Course, submission: Submission, grades: Grades) -> bool:
    known = grades.of(submission.student, submission.assignment) is not None
    return known and (course.root / "autograded" / str(submission)).is_dir()


def _grade(course: Course, todo: Sequence[Case], wish: Wish, watch: Watch) -> Faults:
    """Grade, and remember how each ended as soon as it did; a fault of ours is not remembered but retried."""
    cases = {str(case.submission): case for case in todo}
    steps = [Step("grade", course, case.submission) for case in todo]
    faults: Faults = {}
    for step, fault in _each(steps, wish, watch, "submissions"):
        case = cases[str(step)]
        if fault is not None:
            faults[case.submission] = fault
        if fault is None or isinstance(fault, StudentFault):
            feedback_from = case.record.feedback if case.record else ""
            record = Record(case.key, fault.parts if fault else None, feedback_from)
            records.write(course, case.submission, record)
    return faults


def _explain(
    course: Course, submissions: Iterable[Submission], grades: Grades, wish: Wish, watch: Watch
) -> Faults:
    """Make the feedback that is not what notebook and gradebook say now, manual grades included."""
    graded = [each for each in submissions if _is_graded(course, each, grades)]
    made_from = {str(each): _feedback_digest(course, each, grades) for each in graded}
    known = {str(each): (each, record) for each in graded if (record := records.read(course, each))}
    steps = [
        Step("explain", course, submission)
        for name, (submission, record) in known.items()
        if record.feedback != made_from[name] or not (course.root / "feedback" / name).is_dir()
    ]
    faults: Faults = {}
    for step, fault in _each(steps, wish, watch, "feedback"):
        submission, record = known[str(step)]
        if fault is not None:
            faults[submission] = fault
        else:
            records.write(course, submission, replace(record, feedback=made_from[str(step)]))
    return faults


def _feedback_digest(course: Course, submission: Submission, grades: Grades) -> str:
    grade = grades.of(submission.student, submission.assignment)
    renderer = Path(feedback.__file__).read_text()
    return _hash(intake.digest(course.root / "autograded" / str(submission)), repr(grade), renderer)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
