"""Where examiner is plugged into nbgrader: its settings from course.toml, and what its feedback may show.

The same settings serve `examiner grade`, nbgrader's own commands and formgrader's buttons.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbgrader.converters import GenerateFeedback
from traitlets import Bool
from traitlets.config import Config

from examiner.course import choose, load_course
from examiner.errors import ExaminerError
from examiner.parts import generate
from examiner.report.feedback import explain

EXCHANGE_FILES = ("timestamp.txt", "submission_secret.txt")


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
        "nbgrader.preprocessors.GetGrades",
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
    """Let nbgrader's feedback hold pages, what the exchange needs to hand them back, and nothing else.

    nbgrader copies every file that lies beside an executed notebook, and a student's code could write there,
    during hidden tests, what it saw of them.
    """
    GenerateFeedback.init_assignment = _copy_for_exchange


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


class ExplainFeedback(Preprocessor):  # type: ignore[misc]  # nbconvert says nothing about its types
    """Takes the hidden tests out of an autograded notebook and says each verdict in words."""

    enabled = Bool(True).tag(config=True)  # nbconvert's own default is to do nothing

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return what a student may see of the notebook."""
        found = resources.get("nbgrader", {})
        names = [found.get(name, "") for name in ("student", "assignment", "notebook")]
        return nbformat.from_dict(explain(nb, "/".join(["autograded", *names]))), resources
