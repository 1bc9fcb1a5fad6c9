"""`examiner setup` and `lab`: make the student environment, and open the course."""

from pathlib import Path

from examiner.cli.console import out
from examiner.course import environment
from examiner.course.load import load_course
from examiner.errors import DONE
from examiner.machine import lab as jupyterlab


def setup(root: Path) -> int:
    """Make the student environment and its kernel, unless they are up to date."""
    course = load_course(root)
    if not environment.setup(course, out.print):
        out.print(f"{course.student.folder.name} and the kernel {course.student.kernel} are up to date")
    return DONE


def lab(root: Path, options: list[str]) -> None:
    """Replace this process by JupyterLab."""
    jupyterlab.start(load_course(root), options)
