"""Reads roster.csv, the list of students."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examiner.course.names import folder_name
from examiner.errors import BadCourse
from examiner.model import Student, normal
from examiner.store.atomic import write_text

ROSTER_FILE = "roster.csv"
ROSTER_COLUMNS = ("id", "first_name", "last_name", "email", "lms_id")


def read_roster(path: Path) -> tuple[Student, ...]:
    """Return the students in a roster; without one, students become known when they submit."""
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
            raise BadCourse(path, f"'{student_id}' is in it twice", "remove one of the lines")
    return tuple(students)


def _student(place: str, row: Mapping[Any, Any]) -> Student:
    if None in row or None in row.values():
        raise BadCourse(place, "it has more or fewer fields than the header", "quote what holds a comma")
    fields = {key: value.strip() for key, value in row.items()}
    folder_name(place, fields["id"])
    return Student(**fields)


def strike(path: Path, student_id: str) -> bool:
    """Take a student out of the roster, whose other lines stay as they are; return whether there was one."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    reader, kept, first = csv.DictReader(lines), "".join(lines[:1]), 1
    for row in reader:
        if normal((row["id"] or "").strip()) != normal(student_id):
            kept += "".join(lines[first : reader.line_num])
        first = reader.line_num
    if kept == "".join(lines):
        return False
    write_text(path, kept)
    return True
