"""Checks names that people type or write into settings: of folders, assignments, students, modes."""

import re
from collections.abc import Collection
from difflib import get_close_matches

from examiner.errors import BadCourse, UnknownName
from examiner.model import Mode

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # safe as a folder, a kernel, a path in the exchange
SAFE_NAME_FIX = "use letters, digits, '_', '-' and '.'"

MODE_NAMES = {"examined": None, "kernel": Mode.KERNEL}


def safe_name(place: str, name: str) -> str:
    """Return the name if it can be the name of a folder, or raise BadCourse."""
    if not SAFE_NAME.fullmatch(name):
        raise BadCourse(place, f"'{name}' cannot be the name of a folder", SAFE_NAME_FIX)
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
    close = get_close_matches(wanted, known, n=3) or sorted(known)[:12]
    fix = f"choose from {', '.join(close)}"
    raise UnknownName(f"{kind} '{wanted}'", f"the course has no such {kind}", fix)


def mode_called(place: str, name: str) -> Mode | None:
    """Return the mode in which all grade cells are judged; None leaves it to the evidence for each cell."""
    if name not in MODE_NAMES:
        raise BadCourse(place, f"the mode is {name!r}", f"choose from {', '.join(map(repr, MODE_NAMES))}")
    return MODE_NAMES[name]
