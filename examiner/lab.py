"""JupyterLab with the course open, where formgrader, assignment list and validate find what they need."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from examiner.model import Course

# The versions are pinned, and a course works without a network.
SETTINGS = ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]


def start(course: Course, options: Sequence[str] = ()) -> NoReturn:
    """Become JupyterLab, with options of its own; examiner ends here."""
    exchange = course.root / "exchange"
    exchange.mkdir(exist_ok=True)
    exchange.chmod(0o777)  # what nbgrader asks of it before it releases anything
    # nbgrader runs alembic by its name, and reads its settings from the working directory.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    os.chdir(course.root)
    arguments = [sys.executable, "-m", "jupyterlab", *SETTINGS, *options]
    os.execve(sys.executable, arguments, os.environ | {"PATH": path})  # noqa: S606  (no shell is wanted)
