"""Plugs examiner into nbgrader: takes its settings from course.toml, and replaces what autogrades.

nbgrader's own commands and formgrader's buttons then do the same as `examiner grade`.
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
from examiner.model import normal
from examiner.nbgrader import feedback, formgrader
from examiner.pipeline import GradeRequest, autograde
from examiner.submission.intake import submissions


def configure(config: Config, root: Path) -> None:
    """Copy course.toml into nbgrader's settings, and install examiner.

    Parameters
    ----------
    config : Config
        The result of `get_config()` in nbgrader_config.py.
    root : Path
        The folder of the course.
    """
    course = load_course(root)
    course.exchange.mkdir(exist_ok=True)
    # nbgrader runs `alembic` by name, and it is installed in the folder of this interpreter.
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])

    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.course_id = course.id
    config.Exchange.root = str(course.exchange)
    config.Exchange.cache = str(course.state / "exchange-cache")
    config.GenerateAssignment.pre_convert_hook = partial(generate_parts, course.root)
    config.Execute.kernel_name = course.student.kernel
    config.Execute.timeout = course.limits.cell_seconds
    install(config)


def install(config: Config) -> None:
    """Make nbgrader autograde by examiner, make examiner's pages, and have files of students only saved.

    nbgrader has no setting that selects what autogrades, and its preprocessors run too late: by then it has
    already followed a student's symbolic links and copied what they point to.
    """
    feedback.settle(config)
    formgrader.guard()
    Autograde.convert_notebooks = _autograde


def _autograde(self: Autograde) -> None:
    """Grade what is new among the submissions that nbgrader selected.

    `force`, which formgrader always sets, does not regrade anything.

    Raises
    ------
    NbGraderException
        If a submission could not be graded; all others are.
    """
    course = load_course(Path(self.coursedir.root))
    pattern = self._format_source("(?P<assignment>.*)", "(?P<student>.*)", escape=True)
    matches = {folder: match for folder in self.assignments if (match := re.match(pattern, folder))}
    known = {(submission.assignment, submission.student) for submission in submissions(course)}
    ours = {(normal(assignment), normal(student)): (assignment, student) for assignment, student in known}
    named = {(match["assignment"], match["student"]): folder for folder, match in matches.items()}
    wanted = {ours.get((normal(one), normal(two)), (one, two)): path for (one, two), path in named.items()}
    fix = "replace it by a folder"
    faults: list[ExaminerError] = [
        StudentFault(folder, "this is a symbolic link, or lies below one", fix)
        for name, folder in sorted(wanted.items())
        if name not in known
    ]
    for assignment in sorted({name for name, _ in wanted.keys() & known}):
        students = tuple(sorted(student for name, student in wanted.keys() & known if name == assignment))
        request = GradeRequest((assignment,), students, workers=os.cpu_count() or 1)
        try:
            run = autograde(course, request, LoggedProgress(self.log))
            faults += [*run.stopped.values(), *run.faults.values()]
            as_it_was = set(run.submissions) - run.graded.keys() - run.faults.keys()
            for submission in as_it_was if not run.stopped else ():
                self.log.info("%s is graded as it is", submission)
        except ExaminerError as error:
            faults.append(error)
    for fault in faults:
        self.log.error("%s %s", type(fault).__name__, fault)
    if faults:
        raise NbGraderException(str(faults[0]))


class LoggedProgress:
    """Writes the progress of a run into nbgrader's log."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def phase(self, name: str, total: int) -> None:
        """Log the phase that begins."""
        self._log.info("%s: %d", name, total)

    def start(self, name: str) -> None:
        """Log nothing: one line per item, when it ends, is enough."""

    def step(self, done: int, total: int, name: str) -> None:
        """Log each step, as nbgrader logs each cell that it looks at."""
        if name:
            self._log.info("%d/%d %s", done, total, name)

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Log how one of them ended."""
        self._log.info("%s: %s", name, fault or "done")


def generate_parts(root: Path, *, assignment: str, student: str, notebooks: Sequence[str]) -> None:
    """Put the allowed parts beside an instructor's notebook, before nbgrader copies what lies there.

    nbgrader swallows an Exception of a hook and would make a release without them, so this raises SystemExit.
    """
    del student, notebooks
    try:
        course = load_course(root)
        known = {listed.name: listed for listed in course.assignments}
        generate(course, known[choose("assignment", assignment, known)])
    except ExaminerError as error:
        raise SystemExit(str(error)) from error
