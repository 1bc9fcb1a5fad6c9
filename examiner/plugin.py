"""Where examiner is plugged into nbgrader: its settings, what autogrades, and what feedback may show.

nbgrader's own commands and formgrader's buttons do the same as `examiner grade` then.
"""

import logging
import os
import re
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbgrader.api import MissingEntry
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import GetGrades
from traitlets import Bool
from traitlets.config import Config

from examiner.course import choose, load_course
from examiner.errors import ExaminerError
from examiner.intake import EXCHANGE_FILES
from examiner.parts import generate
from examiner.pipeline import Wish, autograde
from examiner.report.feedback import explain


def configure(config: Config, root: Path) -> None:
    """Put what course.toml says into nbgrader's settings, and install the preprocessor of feedback.

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
    config.GenerateFeedback.preprocessors = [
        "examiner.plugin.GetKnownGrades",
        "examiner.plugin.ExplainFeedback",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    # What students wrote is shown to them, to their classmates' graders and in formgrader's page.
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.filters = {
        "clean_html": "examiner.report.page.clean_html",
        "markdown2html": "examiner.report.page.markdown2html",
    }
    install()


def install() -> None:
    """Let nbgrader autograde by examiner, and its feedback hold pages and what the exchange needs.

    nbgrader has no setting that selects what autogrades, and its preprocessors come too late: by then it has
    copied through a student's links. It also copies every file that lies beside an executed notebook into the
    feedback.
    """
    Autograde.convert_notebooks = _autograde
    GenerateFeedback.init_assignment = _copy_for_exchange


def _autograde(self: Autograde) -> None:
    """Grade what is new of what nbgrader was asked for; `force`, which formgrader always says, means no more.

    Raises
    ------
    NbGraderException
        If something could not be graded; all else is.
    """
    pattern = self._format_source("(?P<assignment>.*)", "(?P<student>.*)", escape=True)
    found = [match.groupdict() for folder in self.assignments if (match := re.match(pattern, folder))]
    faults: list[ExaminerError] = []
    for assignment in sorted({each["assignment"] for each in found}):
        students = tuple(sorted(each["student"] for each in found if each["assignment"] == assignment))
        wish = Wish((assignment,), students, workers=os.cpu_count() or 1)
        try:
            run = autograde(load_course(Path(self.coursedir.root)), wish, Told(self.log))
            faults += run.faults.values()
            for submission in set(run.submissions) - run.graded.keys() - run.faults.keys():
                self.log.info("%s is graded as it is", submission)
        except ExaminerError as error:
            faults.append(error)
    for fault in faults:
        self.log.error("%s %s", type(fault).__name__, fault)
    if faults:
        raise NbGraderException(str(faults[0]))


class Told:
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


def _copy_for_exchange(self: GenerateFeedback, assignment_id: str, student_id: str) -> None:
    """Copy what `nbgrader release_feedback` reads, as it was handed in."""
    submitted = self.coursedir.format_path(self.coursedir.submitted_directory, student_id, assignment_id)
    folder = Path(self._format_dest(assignment_id, student_id))
    folder.mkdir(parents=True, exist_ok=True)
    for source in (Path(submitted, name) for name in EXCHANGE_FILES):
        if source.is_file() and not source.is_symlink():
            shutil.copyfile(source, folder / source.name)


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


class GetKnownGrades(GetGrades):  # type: ignore[misc]
    """Gets the scores of those cells that the gradebook has: of a stale notebook, some may be no more."""

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Put score and comment into the metadata of a cell; one that is no more is shown as plain."""
        try:
            super().preprocess_cell(cell, resources, cell_index)
        except MissingEntry:
            cell.metadata.nbgrader.update(grade=False, solution=False, task=False)
        return cell, resources


class ExplainFeedback(Preprocessor):  # type: ignore[misc]  # nbconvert says nothing about its types
    """Takes the hidden tests out of an autograded notebook and says each verdict in words."""

    enabled = Bool(True).tag(config=True)  # nbconvert's own default is to do nothing

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return what a student may see of the notebook."""
        found = resources.get("nbgrader", {})
        names = [found.get(name, "") for name in ("student", "assignment", "notebook")]
        return nbformat.from_dict(explain(nb, "/".join(["autograded", *names]))), resources
