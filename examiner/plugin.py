"""Where examiner is plugged into nbgrader: its settings, and what autogrades.

nbgrader's own commands and formgrader's buttons do the same as `examiner grade` then.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from traitlets.config import Config

from examiner.course.beside import generate
from examiner.course.load import load_course
from examiner.course.names import choose
from examiner.errors import ExaminerError, StudentFault
from examiner.nbgrader import feedback
from examiner.pipeline import GradeRequest, autograde
from examiner.submission.intake import submissions


def configure(config: Config, root: Path) -> None:
    """Put what course.toml says into nbgrader's settings, and install examiner.

    Parameters
    ----------
    config : Config
        What `get_config()` gives in nbgrader_config.py.
    root : Path
        The folder of the course.
    """
    course = load_course(root)
    exchange = course.root / "exchange"
    exchange.mkdir(exist_ok=True)
    # nbgrader runs alembic by its name; it lies beside this interpreter, whether or not that is on the path.
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])

    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.course_id = course.id
    config.Exchange.root = str(exchange)
    config.Exchange.cache = str(course.state / "exchange-cache")
    config.GenerateAssignment.pre_convert_hook = partial(generate_parts, course.root)
    config.Execute.kernel_name = course.student.kernel
    config.Execute.timeout = course.limits.cell_seconds
    install(config)


def install(config: Config) -> None:
    """Let nbgrader autograde by examiner, and make its pages of feedback.

    nbgrader has no setting that selects what autogrades, and its preprocessors come too late: by then it has
    copied through a student's links.
    """
    feedback.settle(config)
    Autograde.convert_notebooks = _autograde


def _autograde(self: Autograde) -> None:
    """Grade what is new of what nbgrader was asked for; `force`, which formgrader always says, means no more.

    Raises
    ------
    NbGraderException
        If something could not be graded; all else is.
    """
    course = load_course(Path(self.coursedir.root))
    pattern = self._format_source("(?P<assignment>.*)", "(?P<student>.*)", escape=True)
    matches = {folder: match for folder in self.assignments if (match := re.match(pattern, folder))}
    wanted = {(match["assignment"], match["student"]): folder for folder, match in matches.items()}
    known = {(each.assignment, each.student) for each in submissions(course)}
    fix = "replace it by a folder"
    faults: list[ExaminerError] = [
        StudentFault(folder, "this is a link, or lies in one", fix)
        for name, folder in sorted(wanted.items())
        if name not in known
    ]
    for assignment in sorted({name for name, _ in wanted.keys() & known}):
        students = tuple(sorted(each for name, each in wanted.keys() & known if name == assignment))
        wish = GradeRequest((assignment,), students, workers=os.cpu_count() or 1)
        try:
            run = autograde(course, wish, LoggedProgress(self.log))
            faults += run.faults.values()
            for submission in set(run.submissions) - run.graded.keys() - run.faults.keys():
                self.log.info("%s is graded as it is", submission)
        except ExaminerError as error:
            faults.append(error)
    for fault in faults:
        self.log.error("%s %s", type(fault).__name__, fault)
    if faults:
        raise NbGraderException(str(faults[0]))


class LoggedProgress:
    """Writes into nbgrader's log how far a run is."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def phase(self, name: str, total: int) -> None:
        """Say what is done now."""
        self._log.info("%s: %d", name, total)

    def start(self, name: str) -> None:
        """Say nothing: one line for each is enough."""

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Say how one of them ended."""
        self._log.info("%s: %s", name, fault or "done")


def generate_parts(root: Path, *, assignment: str, student: str, notebooks: Sequence[str]) -> None:
    """Put the allowed parts beside an instructor's notebook, before nbgrader copies what lies there.

    nbgrader swallows an Exception of a hook and would make a release without them; it does not swallow this.
    """
    del student, notebooks
    try:
        course = load_course(root)
        known = {each.name: each for each in course.assignments}
        generate(course, known[choose("assignment", assignment, known)])
    except ExaminerError as error:
        raise SystemExit(str(error)) from error
