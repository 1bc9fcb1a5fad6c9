"""Reads the course in a folder: from its course.toml, or else from nbgrader's settings."""

from pathlib import Path

from examiner.course.toml import COURSE_FILE, load_toml_course
from examiner.errors import NoCourse
from examiner.model import Course


def load_course(root: Path) -> Course:
    """Read the course in a folder.

    Raises
    ------
    NoCourse
        If the folder has no course.toml, and is not an nbgrader course either.
    BadCourse
        If course.toml, roster.csv or nbgrader_config.py holds something that cannot be used.
    """
    root = root.resolve()
    if (root / COURSE_FILE).is_file():
        return load_toml_course(root)
    from examiner.course import nbgrader_course  # noqa: PLC0415 - importing traitlets would delay every command

    if nbgrader_course.is_nbgrader_course(root):
        return nbgrader_course.load_nbgrader_course(root)
    fact = (
        f"this is no course: there is no {COURSE_FILE}, nor {nbgrader_course.NBGRADER_CONFIG} beside source/"
    )
    raise NoCourse(root, fact, "go to a course, or name one with --course")
