"""`examiner setup` and `lab`: make the student environment, and open the course."""

from pathlib import Path

from examiner.cli.console import complain, out
from examiner.course import environment
from examiner.course.load import load_course
from examiner.errors import DONE
from examiner.machine import lab as jupyterlab


def setup(root: Path) -> int:
    """Make the student environment and its kernel, unless they are up to date."""
    course = load_course(root)
    was_made = environment.setup(course, out.print)
    found, faults = environment.require_some(course, course.assignments)
    for student, group in environment.by_environment(course, course.assignments).items():
        if group[0].name in found and not was_made:
            out.print(f"{student.folder.name} and the kernel {student.kernel} are up to date")
    for fault in faults.values():
        complain(str(fault))
    return min((fault.exit_code for fault in faults.values()), default=DONE)  # ours comes before the author's


def lab(root: Path, options: list[str]) -> None:
    """Replace this process by JupyterLab."""
    jupyterlab.start(load_course(root), options)
