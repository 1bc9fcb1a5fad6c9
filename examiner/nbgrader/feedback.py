"""Makes nbgrader's feedback pages show what a student may see, and contain nothing else.

The same pages come from `examiner grade`, `nbgrader generate_feedback` and formgrader's button.
"""

import shutil
from pathlib import Path
from typing import Any, Final

import nbformat
import nbgrader
from nbconvert.preprocessors import Preprocessor
from nbgrader.api import MissingEntry
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import GetGrades
from traitlets import Bool
from traitlets.config import Config

from examiner.report.feedback import explain, provisional_in
from examiner.submission.intake import EXCHANGE_FILES

# Where templates of pages are looked for: first ours, which let a page run and load nothing.
TEMPLATES: Final = (
    Path(__file__).with_name("templates"),
    Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates",
)


def settle(config: Config) -> None:
    """Set in nbgrader's settings what makes the pages.

    nbgrader would also copy every file beside an executed notebook into the feedback; only those that its
    exchange needs are copied.
    """
    GenerateFeedback.init_assignment = _copy_for_exchange
    config.GenerateFeedback.preprocessors = [
        "examiner.nbgrader.feedback.GetKnownGrades",
        "examiner.nbgrader.feedback.ExplainFeedback",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    # The pages show what students wrote, to graders and in formgrader as well, so it is sanitized.
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.filters = {
        "clean_html": "examiner.report.page.clean_html",
        "markdown2html": "examiner.report.page.markdown2html",
        "strip_files_prefix": "examiner.report.page.unchanged",
    }
    theirs = config.HTMLExporter.get("extra_template_basedirs", [])
    ours = [str(folder) for folder in TEMPLATES]
    config.HTMLExporter.extra_template_basedirs = [
        ours[0],
        *(name for name in theirs if name not in ours),
        ours[1],
    ]


def _copy_for_exchange(self: GenerateFeedback, assignment_id: str, student_id: str) -> None:
    """Copy the submitted files that `nbgrader release_feedback` reads."""
    submitted = self.coursedir.format_path(self.coursedir.submitted_directory, student_id, assignment_id)
    folder = Path(self._format_dest(assignment_id, student_id))
    folder.mkdir(parents=True, exist_ok=True)
    for source in (Path(submitted, name) for name in EXCHANGE_FILES):
        if source.is_file() and not source.is_symlink():
            shutil.copyfile(source, folder / source.name)


class GetKnownGrades(GetGrades):  # type: ignore[misc]
    """Gets the scores of cells that the gradebook has; it may lack some cells of a stale notebook."""

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Put score and comment into the metadata of a cell; one that no longer exists is shown as plain."""
        try:
            super().preprocess_cell(cell, resources, cell_index)
            if provisional_in(cell):
                cell.metadata.nbgrader["needs_manual_grade"] = self._waits(cell.metadata.nbgrader["grade_id"])
        except MissingEntry:
            cell.metadata.nbgrader.update(grade=False, solution=False, task=False)
        return cell, resources

    def _waits(self, grade_id: str) -> bool:
        """Return whether the cell still waits for a person."""
        grade = self.gradebook.find_grade(grade_id, self.notebook_id, self.assignment_id, self.student_id)
        return bool(grade.needs_manual_grade)


class ExplainFeedback(Preprocessor):  # type: ignore[misc]  # nbconvert has no type annotations
    """Removes the hidden tests from an autograded notebook, and says each verdict in words."""

    enabled = Bool(True).tag(config=True)  # nbconvert disables preprocessors by default

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return what a student may see of the notebook."""
        found = resources.get("nbgrader", {})
        names = [found.get(name, "") for name in ("student", "assignment", "notebook")]
        return nbformat.from_dict(explain(nb, "/".join(["autograded", *names]))), resources
