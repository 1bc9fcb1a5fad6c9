"""JupyterLab with the course open: formgrader, assignment list and validate, with the course's settings."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from examiner.model import Course

# The versions are pinned, and a course works without a network.
LAB_OPTIONS = ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]


def start(course: Course, options: Sequence[str] = ()) -> NoReturn:
    """Become JupyterLab, with options of its own; examiner ends here."""
    os.chdir(course.root)  # where nbgrader's extensions look for nbgrader_config.py
    arguments = [sys.executable, "-m", "jupyterlab", *LAB_OPTIONS, *options]
    os.execv(sys.executable, arguments)  # noqa: S606  (no shell is wanted)
