"""The single writer: nbgrader's own steps, each of which leaves either its whole result or the former one.

Importing nbgrader costs seconds, so only processes that have something to write import this.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import OperationalError
from traitlets.config import Config, PyFileConfigLoader
from traitlets.log import get_logger

from examiner.errors import (
    BadCourse,
    BadSource,
    ExaminerError,
    MissingEnvironment,
    PlatformFault,
    StudentFault,
)
from examiner.intake import digest
from examiner.model import Assignment, Course, Submission

CONFIG_FILE = "nbgrader_config.py"

# nbgrader opens the database anew for each step of each notebook; another process may be writing just then.
BUSY_SECONDS = 60


def prepare(course: Course) -> None:
    """Make the gradebook know every student of the roster, and every assignment with its due date."""
    _settings(course)  # they put alembic on the path, which nbgrader needs to make a gradebook
    if not course.gradebook.exists():
        _create(course)
    # nbgrader's steps open the gradebook without naming a course and make one then; two at a time would fail.
    Gradebook(_url(course.gradebook)).close()
    with Gradebook(_url(course.gradebook), course.id) as gradebook:
        for student in course.roster:
            gradebook.update_or_create_student(
                student.id,
                first_name=student.first_name,
                last_name=student.last_name,
                email=student.email,
                lms_user_id=student.lms_id,
            )
        for assignment in course.assignments:
            gradebook.update_or_create_assignment(
                assignment.name, course_id=course.id, duedate=assignment.due
            )


def release(course: Course, assignment: Assignment) -> None:
    """Make the release of an assignment, and let the gradebook know its cells.

    Raises
    ------
    BadSource
        If nbgrader refuses the source notebook.
    """
    with _staging(course) as staging:
        try:
            _start(GenerateAssignment, _coursedir(course, assignment.name, release_directory=staging))
        except Exception as cause:
            raise _refused(assignment, str(cause)) from cause
        made, final = course.root / staging / assignment.name, course.release(assignment)
        if not final.is_dir() or digest(made) != digest(final):
            _put(made, final)


def grade(course: Course, submission: Submission) -> None:
    """Run a submission and enter its points into the gradebook.

    Raises
    ------
    StudentFault
        If the submission cannot be run to its end; the former result stays.
    PlatformFault
        If something of ours fails.
    """
    student, assignment = submission.student, submission.assignment
    with _staging(course) as staging:
        try:
            _start(Autograde, _coursedir(course, assignment, student, autograded_directory=staging))
        except Exception as cause:
            raise _fault(submission, cause) from cause
        _put(course.root / staging / str(submission), course.root / "autograded" / str(submission))


def explain(course: Course, submission: Submission) -> None:
    """Make the feedback of a graded submission."""
    student, assignment = submission.student, submission.assignment
    with _staging(course) as staging:
        _start(GenerateFeedback, _coursedir(course, assignment, student, feedback_directory=staging))
        _put(course.root / staging / str(submission), course.root / "feedback" / str(submission))


def _start(kind: type, coursedir: CourseDirectory) -> None:
    """Run one of nbgrader's converters, and raise the exception that it only writes into its log."""
    converter = kind(coursedir=coursedir, config=coursedir.config)
    converter.force = True
    convert = converter.convert_single_notebook
    causes: list[Exception] = []

    def telling(notebook_filename: str) -> None:
        try:
            convert(notebook_filename)
        except Exception as error:
            causes.append(error)
            raise

    converter.convert_single_notebook = telling
    try:
        converter.start()
    except NbGraderException as error:
        raise (causes or [error])[0] from None


def _settings(course: Course) -> Config:
    """Return the instructor's settings of nbgrader."""
    path = course.root / CONFIG_FILE
    if not path.is_file():
        fix = f"write: from examiner.plugin import configure; configure(get_config(), '{course.root}')"
        raise BadCourse(path, "nbgrader's settings are missing", fix)
    config = PyFileConfigLoader(path.name, path=str(course.root)).load_config()
    config.CourseDirectory.db_url = _url(course.gradebook)
    get_logger().setLevel(logging.INFO)
    return config


def _coursedir(course: Course, assignment: str, student: str = "*", **directories: str) -> CourseDirectory:
    """Return nbgrader's idea of the course, narrowed to one assignment, with some folders elsewhere."""
    config = _settings(course)
    return CourseDirectory(config=config, assignment_id=assignment, student_id=student, **directories)


def _url(path: Path) -> str:
    return f"sqlite:///{path}?timeout={BUSY_SECONDS}"


def _create(course: Course) -> None:
    """Make an empty gradebook, which appears at its place whole."""
    with _staging(course) as staging:
        made = course.root / staging / course.gradebook.name
        Gradebook(_url(made), course.id).close()
        made.replace(course.gradebook)


@contextmanager
def _staging(course: Course) -> Iterator[str]:
    """Give a folder, relative to the course, in which a result is made before it takes its place."""
    course.staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=course.staging) as folder:
        yield str(Path(folder).relative_to(course.root))


def _put(made: Path, final: Path) -> None:
    """Let a new result take the place of the former one."""
    former = made.with_name(made.name + ".former")
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        final.rename(former)
    made.rename(final)
    shutil.rmtree(former, ignore_errors=True)


def _refused(assignment: Assignment, cause: str) -> BadSource:
    place = f"source/{assignment.name}"
    if "submissions associated" in cause:
        forget = f"`nbgrader db assignment remove {assignment.name} --force`"
        fact = "it has other cells than the version that is graded already"
        return BadSource(place, fact, f"keep the cells, or give up all its grades with {forget}")
    fact = f"nbgrader refuses it ({cause})"
    return BadSource(place, fact, "correct the notebook; the log is in .examiner/logs")


def _fault(submission: Submission, cause: Exception) -> ExaminerError:
    """Say whose fault it is that a submission did not run to its end."""
    kind, fact, fix = _diagnosis(cause)
    return kind(str(submission), fact, f"{fix}; its log is in .examiner/logs")


def _diagnosis(cause: Exception) -> tuple[type[ExaminerError], str, str]:
    found: tuple[type[ExaminerError], str, str]
    again = "run the command again"
    match cause:
        case NoSuchKernel():
            found = MissingEnvironment, f"there is no kernel '{cause.name}'", "run `examiner setup`"
        case DeadKernelError():
            found = StudentFault, "its code ended the kernel", "restart the kernel and run all cells"
        case CellTimeoutError():
            found = StudentFault, "its output never ended", "look for an endless loop that prints"
        case RuntimeError() if str(cause).startswith("Kernel"):
            found = PlatformFault, f"its kernel did not start ({cause})", again
        case OperationalError():
            found = PlatformFault, f"the gradebook cannot be written ({cause.orig})", again
        case KeyError() | TypeError() | ValueError() | AttributeError() | RuntimeError():
            fact = f"its notebook is damaged ({type(cause).__name__}: {cause})"
            found = StudentFault, fact, "start again from the released notebook"
        case _:
            found = PlatformFault, f"{type(cause).__name__}: {cause}", again
    return found
