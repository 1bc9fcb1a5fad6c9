"""Starts JupyterLab in a course: formgrader, assignment list and validate use the course's settings."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from examiner.model import Course

# No check for updates: versions are pinned, and a course works without a network.
# The extension keeps students' files and pages from acting, also where the course's settings do not.
LAB_OPTIONS = [
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--ServerApp.jpserver_extensions=examiner.nbgrader.formgrader=True",
]


def start(course: Course, options: Sequence[str] = ()) -> NoReturn:
    """Replace this process by JupyterLab, which gets the options."""
    os.chdir(course.root)  # where nbgrader's extensions look for nbgrader_config.py
    arguments = [sys.executable, "-m", "jupyterlab", *LAB_OPTIONS, *options]
    os.execv(sys.executable, arguments)  # noqa: S606 - no shell is wanted
