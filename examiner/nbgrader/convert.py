"""Runs nbgrader's own steps; each replaces its former result as a whole or leaves it.

Importing nbgrader takes seconds, so only processes that run its steps import this.
"""

import logging
from functools import partial
from pathlib import Path
from typing import Any, Final

import nbformat
from nbgrader.converters import GenerateAssignment, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import OperationalError
from traitlets.config import Config, PyFileConfigLoader
from traitlets.log import get_logger

from examiner.errors import (
    BadCourse,
    BadSource,
    ExaminerError,
    PlatformFault,
    fault_of_the_machine,
    is_of_the_machine,
)
from examiner.model import Assignment, Course, Submission
from examiner.nbgrader import feedback
from examiner.store import tables
from examiner.store.atomic import put, staging
from examiner.submission.intake import digest

CONFIG_FILE: Final = "nbgrader_config.py"

# nbgrader opens the gradebook again for each step of each notebook, when another process may be writing.
BUSY_SECONDS: Final = 60


def release(course: Course, assignment: Assignment) -> None:
    """Make the release of an assignment; it writes nothing into the course's gradebook.

    nbgrader refuses to change the cells of an assignment that somebody has handed in, so it is given an empty
    gradebook.

    Raises
    ------
    BadSource
        If nbgrader refuses the source notebook.
    PlatformFault
        If nbgrader was refused something by the operating system or the database.
    """
    with staging(course) as aside:
        try:
            folders = {"release_directory": str(aside.relative_to(course.root))}
            coursedir = _coursedir(course, aside / "gradebook.db", assignment.name, **folders)
            tables.create(tables.url_of(aside / "gradebook.db"))
            _start(GenerateAssignment, coursedir)
        except Exception as cause:
            raise _refusal(course, assignment, cause) from cause
        made, final = aside / assignment.name, course.release(assignment)
        if not final.is_dir() or digest(made) != digest(final):
            put(made, final)


def _refusal(course: Course, assignment: Assignment, cause: Exception) -> ExaminerError:
    """Return the error for what kept nbgrader from making a release: the machine's, or the author's."""
    if isinstance(cause, ExaminerError):
        return cause
    if isinstance(cause, OSError) and is_of_the_machine(cause):
        return fault_of_the_machine(cause, course.staging)
    if isinstance(cause, OperationalError):
        fact = f"nbgrader's database cannot be used ({cause.orig})"
        return PlatformFault(course.staging, fact, "see to that, and run the command again")
    fact, fix = f"nbgrader refuses it ({cause})", "correct the notebook; the log is in .examiner/logs"
    return BadSource(f"source/{assignment.name}", fact, fix)


def penalize(course: Course, submission: Submission) -> None:
    """Have nbgrader's late-submission plugin assign a penalty, as nbgrader's settings say."""
    config = _settings(course, course.gradebook)
    for notebook in course.notebooks(Assignment(submission.assignment)):
        names = {
            "notebook": notebook.stem,
            "assignment": submission.assignment,
            "student": submission.student,
        }
        resources = {"nbgrader": names | {"db_url": config.CourseDirectory.db_url}}
        AssignLatePenalties(config=config).preprocess(nbformat.v4.new_notebook(), resources)


def explain(course: Course, submission: Submission) -> None:
    """Make the feedback of a graded submission."""
    student, assignment = submission.student, submission.assignment
    with staging(course) as aside:
        folders = {"feedback_directory": str(aside.relative_to(course.root))}
        _start(GenerateFeedback, _coursedir(course, course.gradebook, assignment, student, **folders))
        put(aside / str(submission), course.root / "feedback" / str(submission))


def _start(kind: type, coursedir: CourseDirectory) -> None:
    """Run one of nbgrader's converters, and raise the exception that it would only write into its log."""
    converter = kind(coursedir=coursedir, config=coursedir.config)
    converter.force = True
    converter.init_notebooks = partial(_name_notebooks, converter)
    convert = converter.convert_single_notebook
    causes: list[Exception] = []

    def recording(notebook_filename: str) -> None:
        try:
            convert(notebook_filename)
        except Exception as error:
            causes.append(error)
            raise

    converter.convert_single_notebook = recording
    try:
        converter.start()
    except NbGraderException as error:
        raise (causes or [error])[0] from None


def _name_notebooks(converter: Any) -> None:
    """Name the notebooks of one assignment; nbgrader would take its name and the student's for patterns."""
    coursedir = converter.coursedir
    folder = converter._format_source(coursedir.assignment_id, coursedir.student_id)  # noqa: SLF001 - its own way
    files = (path for path in Path(folder).glob("*.ipynb") if path.is_file())  # a folder may have such a name
    found = sorted(path.name for path in files if not path.name.startswith("."))
    converter.notebooks = []
    # nbgrader matches the path with a pattern of its own, so that it stays as written: it may hold a `/./`.
    converter.assignments = {folder: [f"{folder}/{name}" for name in found]}


def _settings(course: Course, gradebook: Path) -> Config:
    """Return the instructor's settings of nbgrader."""
    path = course.root / CONFIG_FILE
    if not path.is_file():
        fix = f"write: from examiner.plugin import configure; configure(get_config(), '{course.root}')"
        raise BadCourse(path, "nbgrader's settings are missing", fix)
    config = PyFileConfigLoader(str(path)).load_config()  # in a `path=` it would replace `$HOME`
    feedback.settle(config)
    config.CourseDirectory.db_url = f"{tables.url_of(gradebook)}?timeout={BUSY_SECONDS}"
    get_logger().setLevel(logging.INFO)
    return config


def _coursedir(
    course: Course, gradebook: Path, assignment: str, student: str = "*", **directories: str
) -> CourseDirectory:
    """Return nbgrader's CourseDirectory for one assignment, with some folders elsewhere."""
    config = _settings(course, gradebook)
    return CourseDirectory(config=config, assignment_id=assignment, student_id=student, **directories)
