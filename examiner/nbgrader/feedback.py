"""nbgrader's pages of feedback, made to show what a student may see and to hold nothing else.

The same pages come from `examiner grade`, `nbgrader generate_feedback` and formgrader's button.
"""

import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbgrader.api import MissingEntry
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import GetGrades
from traitlets import Bool
from traitlets.config import Config

from examiner.report.feedback import explain
from examiner.submission.intake import EXCHANGE_FILES


def settle(config: Config) -> None:
    """Put into nbgrader's settings what makes the pages.

    nbgrader also copies every file that lies beside an executed notebook into the feedback; that ends here.
    """
    GenerateFeedback.init_assignment = _copy_for_exchange
    config.GenerateFeedback.preprocessors = [
        "examiner.nbgrader.feedback.GetKnownGrades",
        "examiner.nbgrader.feedback.ExplainFeedback",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    # What students wrote is shown to them, to their classmates' graders and in formgrader's page.
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.filters = {
        "clean_html": "examiner.report.page.clean_html",
        "markdown2html": "examiner.report.page.markdown2html",
    }


def _copy_for_exchange(self: GenerateFeedback, assignment_id: str, student_id: str) -> None:
    """Copy what `nbgrader release_feedback` reads, as it was handed in."""
    submitted = self.coursedir.format_path(self.coursedir.submitted_directory, student_id, assignment_id)
    folder = Path(self._format_dest(assignment_id, student_id))
    folder.mkdir(parents=True, exist_ok=True)
    for source in (Path(submitted, name) for name in EXCHANGE_FILES):
        if source.is_file() and not source.is_symlink():
            shutil.copyfile(source, folder / source.name)


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
