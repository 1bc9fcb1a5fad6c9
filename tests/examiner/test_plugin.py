"""nbgrader takes its settings from course.toml, and its feedback shows nothing hidden."""

import inspect
import os
import sys
from dataclasses import asdict
from pathlib import Path

import nbformat
import pytest
from nbgrader import __version__
from nbgrader.api import get_alembic_version
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import BaseConverter
from traitlets.config import Config

from examiner.nbgrader.feedback import ExplainFeedback
from examiner.plugin import configure, generate_parts
from examiner.store.tables import REVISION
from examiner.verdict import Outcome, Verdict


@pytest.fixture
def config(small, monkeypatch):
    """Return the settings of a small course."""
    monkeypatch.setenv("PATH", os.defpath)
    found = Config()
    configure(found, small.root)
    return found


def test_course_toml_says_what_nbgrader_does(config, small):
    """The same settings serve examiner, nbgrader's commands and formgrader's buttons."""
    assert config.CourseDirectory.root == str(small.root)
    assert config.CourseDirectory.course_id == "small"
    assert config.Execute.kernel_name == "tinytorch-student"
    assert config.Execute.timeout == 3


def test_the_exchange_lies_in_the_course(config, small):
    """JupyterLab warns if it is missing, and a machine-wide one needs root."""
    assert config.Exchange.root == str(small.root / "exchange")
    assert (small.root / "exchange").is_dir()
    assert small.root in Path(config.Exchange.cache).parents


def test_alembic_is_found_without_activating_the_environment(config):
    """nbgrader runs it by its name when it makes a gradebook."""
    assert config
    assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_the_gradebooks_revision_is_that_of_the_pinned_nbgrader(config):
    """Its tables are read without nbgrader; another version may have others."""
    assert config
    assert (__version__, REVISION) == ("0.9.6", get_alembic_version())


def test_the_seam_in_nbgrader_is_where_it_was(config):
    """What is replaced there copies files into the feedback; if it moves, they would be copied again."""
    assert config
    original = inspect.signature(BaseConverter.init_assignment)
    assert list(inspect.signature(GenerateFeedback.init_assignment).parameters) == list(original.parameters)
    assert GenerateFeedback.init_assignment is not BaseConverter.init_assignment
    assert "self.init_assignment(" in inspect.getsource(BaseConverter.convert_notebooks)


def test_the_preprocessor_of_feedback_is_on_by_itself():
    """nbconvert's preprocessors do nothing unless they are enabled, and say nothing about it."""
    source = "x = 1\n### BEGIN HIDDEN TESTS\ncanary = 1\n### END HIDDEN TESTS"
    marks = {"grade": True, "solution": False, "score": 2.0, "points": 2.0}
    verdict = asdict(Verdict("t", Outcome.PASSED, 2.0, 2.0))
    cell = nbformat.v4.new_code_cell(source, metadata={"nbgrader": marks, "examiner": verdict})
    notebook, _ = ExplainFeedback()(nbformat.v4.new_notebook(cells=[cell]), {})
    assert notebook.cells[0].source == "x = 1\n# (hidden tests ran here)"
    assert "All tests passed" in notebook.cells[0].outputs[0].text


def test_a_release_without_its_parts_is_not_made(small):
    """nbgrader goes on after an Exception of a hook; this ends it."""
    with pytest.raises(SystemExit, match="no such assignment"):
        generate_parts(small.root, assignment="03_none", student=".", notebooks=[])
