"""Reads course.toml and roster.csv: what a course is, or one clear error about what it says.

A course of nbgrader's without course.toml is read from nbgrader's own settings, see `stock`.
"""

import csv
import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from examiner.errors import BadCourse, NoCourse, UnknownName
from examiner.model import Assignment, Course, Limits, Student, StudentEnvironment
from examiner.verdict import Mode

COURSE_FILE = "course.toml"
ROSTER_FILE = "roster.csv"
ROSTER_COLUMNS = ("id", "first_name", "last_name", "email", "lms_id")

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # a folder, a kernel, a path in an exchange
SAFE_NAME_FIX = "use letters, digits, '_', '-' and '.'"

MODES = {"examined": None, "kernel": Mode.KERNEL}

KINDS = {
    str: "text in quotes",
    int: "a whole number",
    dict: "a table",
    list: "a list",
    datetime: "a date and time",
}


class Table:
    """One table of course.toml, read key by key; what nobody reads is a spelling mistake."""

    def __init__(self, path: Path, header: str, values: dict[str, Any]) -> None:
        self.path = path
        self.place = f"{path}, [{header}]" if header else str(path)
        self._header = header
        self._values = values
        self._taken: set[str] = set()

    def headers(self) -> list[str]:
        """Return the names of the tables in this one, in the order of the file."""
        return list(self._values)

    def take(self, key: str, kind: type, *default: Any) -> Any:
        """Return the value of a key, which must be of the kind; without a default it must be there."""
        self._taken.add(key)
        if key not in self._values:
            if default:
                return default[0]
            raise BadCourse(self.place, f"'{key}' is missing", f"add {key} = …")
        value = self._values[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadCourse(self.place, f"'{key}' is {value!r}", f"give {KINDS[kind]}")
        return value

    def seconds(self, key: str, default: int) -> int:
        """Return a number of seconds above zero."""
        value: int = self.take(key, int, default)
        if value <= 0:
            raise BadCourse(self.place, f"'{key}' is {value}", "give a number of seconds above 0")
        return value

    def name(self, key: str) -> str:
        """Return a value that can be the name of a folder."""
        value: str = self.take(key, str)
        return safe_name(f"{self.place}, '{key}'", value)

    def table(self, key: str) -> Self:
        """Return a table inside this one, empty if it is not there."""
        header = f"{self._header}.{key}" if self._header else key
        return type(self)(self.path, header, self.take(key, dict, {}))

    def refuse_the_rest(self) -> None:
        """Raise BadCourse if the table holds a key that nobody asked for."""
        for key in self._values.keys() - self._taken:
            close = get_close_matches(key, self._taken, n=1) or sorted(self._taken)
            raise BadCourse(self.place, f"'{key}' is unknown", f"use {' or '.join(close)}, or remove it")


def load_course(root: Path) -> Course:
    """Read the course in a folder.

    Raises
    ------
    NoCourse
        If the folder has no course.toml, and is no course of nbgrader's either.
    BadCourse
        If course.toml, roster.csv or nbgrader_config.py says something that cannot be used.
    """
    root = root.resolve()
    path = root / COURSE_FILE
    if not path.is_file():
        from examiner.course import nbgrader_course  # noqa: PLC0415 - what only such a course needs would delay every command

        if nbgrader_course.is_stock(root):
            return nbgrader_course.load_stock(root)
        fact = f"this is no course: there is no {COURSE_FILE}, nor {nbgrader_course.SETTINGS} beside source/"
        raise NoCourse(root, fact, "go to a course, or name one with --course")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadCourse(path, f"it is not TOML ({error})", "correct it there") from error
    return _course(root, Table(path, "", values))


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


def _limits(table: Table) -> Limits:
    limits = Limits(
        cell_seconds=table.seconds("cell_seconds", Limits.cell_seconds),
        notebook_seconds=table.seconds("notebook_seconds", Limits.notebook_seconds),
    )
    table.refuse_the_rest()
    return limits


def _package(root: Path, table: Table) -> Path | None:
    package = table.take("package", str, "")
    table.refuse_the_rest()
    if package and not (root / package / "__init__.py").is_file():
        raise BadCourse(table.place, f"'{package}' is no Python package", "name the folder of the reference")
    return root / package if package else None


def mode_called(place: str, name: str) -> Mode | None:
    """Return where all grade cells are judged; None leaves it to the evidence."""
    if name not in MODES:
        raise BadCourse(place, f"the mode is {name!r}", f"choose from {', '.join(map(repr, MODES))}")
    return MODES[name]


def _assignment(name: str, table: Table) -> Assignment:
    safe_name(table.place, name)
    due = table.take("due", datetime, None)
    if due is not None and due.tzinfo is None:
        raise BadCourse(table.place, f"the due date {due} has no time zone", "add one, such as Z or +01:00")
    parts = table.take("parts", list, [])
    if not all(isinstance(part, str) for part in parts):
        raise BadCourse(table.place, f"'parts' is {parts!r}", "give a list of names in quotes")
    table.refuse_the_rest()
    return Assignment(name=name, due=due, parts=tuple(parts))


def read_roster(path: Path) -> tuple[Student, ...]:
    """Read the roster; a course without one gets to know its students when they submit."""
    if not path.exists():
        return ()
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        if "id" not in columns or not set(columns) <= set(ROSTER_COLUMNS):
            fix = f"use {', '.join(ROSTER_COLUMNS)}, of which only id is needed"
            raise BadCourse(path, f"its columns are {', '.join(columns) or 'missing'}", fix)
        students = [_student(f"{path}, line {reader.line_num}", row) for row in reader]
    ids = [student.id for student in students]
    for index, student_id in enumerate(ids):
        if student_id in ids[:index]:
            raise BadCourse(path, f"'{student_id}' stands in it twice", "remove one of the lines")
    return tuple(students)


def _student(place: str, row: Mapping[Any, Any]) -> Student:
    if None in row or None in row.values():
        raise BadCourse(place, "it has more or fewer fields than the header", "quote what holds a comma")
    fields = {key: value.strip() for key, value in row.items()}
    safe_name(place, fields["id"])
    return Student(**fields)


def safe_name(place: str, name: str) -> str:
    """Return a name that can be a folder's, or raise BadCourse."""
    if not SAFE_NAME.fullmatch(name):
        raise BadCourse(place, f"'{name}' cannot be the name of a folder", SAFE_NAME_FIX)
    return name


def choose(kind: str, wanted: str, known: Collection[str]) -> str:
    """Return `wanted` if it is known.

    Raises
    ------
    UnknownName
        If it is not, with the closest names that are.
    """
    if wanted in known:
        return wanted
    close = get_close_matches(wanted, known, n=3) or sorted(known)[:12]
    fix = f"choose from {', '.join(close)}"
    raise UnknownName(f"{kind} '{wanted}'", f"the course has no such {kind}", fix)
