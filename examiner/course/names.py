"""Checks names that people type or write into settings: of folders, assignments, students, modes."""

import re
from collections.abc import Collection
from difflib import get_close_matches

from examiner.errors import BadCourse, UnknownName
from examiner.model import Mode, normal

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # safe as a folder, a kernel, a path in the exchange
SAFE_NAME_FIX = "use letters, digits, '_', '-' and '.'"

LONGEST_NAME = 240  # bytes; some are left for what is added to it

MODE_NAMES = {"examined": None, "kernel": Mode.KERNEL}


def safe_name(place: str, name: str) -> str:
    """Return the name if it can be the name of a folder, or raise BadCourse."""
    if not SAFE_NAME.fullmatch(name):
        raise BadCourse(place, f"'{name}' cannot be the name of a folder", SAFE_NAME_FIX)
    return name


def folder_name(place: str, name: str) -> str:
    """Return the name if it can be an assignment's or a student's, in any language, or raise BadCourse."""
    is_plain = name.isprintable() and "/" not in name and name.strip() == name
    if not is_plain or name.startswith(".") or not 0 < len(name.encode(errors="replace")) <= LONGEST_NAME:
        fix = "begin and end it with no blank, no '.' in front, without '/' and characters that nobody sees"
        raise BadCourse(place, f"'{name}' cannot be the name of a folder", fix)
    return name


def choose(kind: str, wanted: str, known: Collection[str]) -> str:
    """Return `wanted` if it is known.

    Raises
    ------
    UnknownName
        If it is not; the error lists the closest names that are.
    """
    if wanted in known:
        return wanted
    alike = [name for name in known if normal(name) == normal(wanted)]
    if len(alike) == 1:
        return alike[0]
    close = get_close_matches(wanted, known, n=3) or sorted(known)[:12]
    fix = f"choose from {', '.join(close)}"
    raise UnknownName(f"{kind} '{wanted}'", f"the course has no such {kind}", fix)


def mode_called(place: str, name: str) -> Mode | None:
    """Return the mode in which all grade cells are judged; None leaves it to the evidence for each cell."""
    if name not in MODE_NAMES:
        raise BadCourse(place, f"the mode is {name!r}", f"choose from {', '.join(map(repr, MODE_NAMES))}")
    return MODE_NAMES[name]
