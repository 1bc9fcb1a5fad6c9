"""Reads a course from course.toml and roster.csv, or raises one error that says what is wrong there."""

from datetime import datetime
from pathlib import Path
from typing import Final

from examiner.course.names import folder_name, mode_called
from examiner.course.roster import ROSTER_FILE, read_roster
from examiner.course.table import Table, read_table
from examiner.errors import BadCourse
from examiner.model import Assignment, Course, StudentEnvironment, TimeLimits

COURSE_FILE: Final = "course.toml"


def load_toml_course(root: Path) -> Course:
    """Read the course in a folder that has a course.toml.

    Raises
    ------
    BadCourse
        If course.toml or roster.csv holds something that cannot be used.
    """
    return _course(root, read_table(root / COURSE_FILE, BadCourse))


def _course(root: Path, table: Table) -> Course:
    assignments = table.table("assignments")
    course = Course(
        root=root,
        id=table.name("id"),
        title=table.take("title", str, ""),
        student=_student_environment(root, table.table("student")),
        limits=_limits(table.table("limits")),
        assignments=tuple(_assignment(name, assignments.table(name)) for name in assignments.headers()),
        roster=read_roster(root / ROSTER_FILE),
        package=_package(root, table.table("reference")),
        mode=mode_called(table.place, table.take("mode", str, "examined")),
        exchange=root / "exchange",
        trust_timestamps=table.take("trust_timestamps", bool, True),
    )
    table.refuse_the_rest()
    if not course.assignments:
        raise BadCourse(table.place, "it names no assignment", "add a table such as [assignments.01_first]")
    return course


def _student_environment(root: Path, table: Table) -> StudentEnvironment:
    kernel = table.name("kernel")
    environment = StudentEnvironment(
        folder=root / table.take("python", str),
        requirements=root / table.take("requirements", str),
        kernel=kernel,
        display_name=table.take("display_name", str, kernel),
    )
    table.refuse_the_rest()
    return environment


def _limits(table: Table) -> TimeLimits:
    limits = TimeLimits(
        cell_seconds=table.seconds("cell_seconds", TimeLimits.cell_seconds),
        notebook_seconds=table.seconds("notebook_seconds", TimeLimits.notebook_seconds),
    )
    table.refuse_the_rest()
    return limits


def _package(root: Path, table: Table) -> Path | None:
    package = table.take("package", str, "")
    table.refuse_the_rest()
    if package and not (root / package / "__init__.py").is_file():
        raise BadCourse(table.place, f"'{package}' is no Python package", "name the folder of the reference")
    return root / package if package else None


def _assignment(name: str, table: Table) -> Assignment:
    folder_name(table.place, name)
    due = table.take("due", datetime, None)
    if due is not None and due.tzinfo is None:
        raise BadCourse(table.place, f"the due date {due} has no time zone", "add one, such as Z or +01:00")
    parts = table.take("parts", list, [])
    if not all(isinstance(part, str) for part in parts):
        raise BadCourse(table.place, f"'parts' is {parts!r}", "give a list of names in quotes")
    table.refuse_the_rest()
    return Assignment(name=name, due=due, parts=tuple(parts))
