"""Reads a course without a course.toml from what nbgrader knows of it: its settings, folders and gradebook.

The kernel that an assignment's notebooks name is its student environment. The instructor makes it, and often
it is the one that the instructor works in; so nbgrader and examiner are hidden from students in it.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from typing import Any, Final

from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

from examiner.course.kernelspec import find_kernel
from examiner.course.names import folder_name, mode_called
from examiner.course.nbgrader_settings import refused, value
from examiner.course.roster import ROSTER_FILE, read_roster
from examiner.errors import BadCourse, BadSource
from examiner.model import Assignment, Course, Markers, Mode, Student, StudentEnvironment, TimeLimits
from examiner.notebook import load

NBGRADER_CONFIG: Final = "nbgrader_config.py"
UNNAMED: Final = "default_course"  # what nbgrader calls a course without a name
NEVER_TAKEN: Final = {
    "__pycache__",
    ".ipynb_checkpoints",
}  # neither nbgrader nor examiner takes what lies there
HIDDEN: Final = ("examiner", "nbgrader")
DEFAULT_KERNEL: Final = "python3"  # which Jupyter starts for a notebook that names none
CELL_SECONDS: Final = 30  # nbgrader's own default
LONGEST_SECONDS: Final = 3600  # where the settings set no limit: one endless loop must not stop all others

_being_read: set[Path] = set()


OWN_SETTINGS: Final = {"mode", "trust_timestamps"}  # the settings of c.Examiner


def is_nbgrader_course(root: Path) -> bool:
    """Whether a folder looks like an nbgrader course."""
    return (root / NBGRADER_CONFIG).is_file() and (root / "source").is_dir()


def load_nbgrader_course(root: Path) -> Course:
    """Read the course in a folder.

    Raises
    ------
    BadCourse
        If its settings have a value that is not supported.
    """
    settings = _settings(root)
    names = _assignments(root)
    student, own = _environments(root, names, settings)
    roster, dues = _gradebook(root / "gradebook.db")
    return Course(
        root=root,
        id=_text(settings, "CourseDirectory", "course_id") or UNNAMED,
        title="",
        student=student,
        limits=TimeLimits(cell_seconds=_cell_seconds(root, settings)),
        assignments=tuple(Assignment(name, dues.get(name), environments=own.get(name, {})) for name in names),
        roster=read_roster(root / ROSTER_FILE) or roster,
        mode=_mode(root, settings),
        hidden=HIDDEN,
        markers=_markers(settings),
        exchange=Path(value(settings, "Exchange", "root", Course.exchange)[1]),
        trust_timestamps=_trusts_timestamps(root, settings),
    )


def _markers(settings: Mapping[str, Any]) -> Markers:
    """Return how nbgrader's settings mark regions, and what a release has instead of solutions."""
    usual, solutions = Markers(), _section(settings, "ClearSolutions")
    stubs = solutions.get("code_stub", {})
    stubs = stubs if isinstance(stubs, Mapping) else {"python": stubs}  # as nbgrader takes a text

    def pair(section: str, what: str, words: tuple[str, str]) -> tuple[str, str]:
        first, last = (_text(settings, section, f"{end}_{what}_delimeter") for end in ("begin", "end"))
        return first or words[0], last or words[1]

    return Markers(
        solution=pair("ClearSolutions", "solution", usual.solution),
        hidden=pair("ClearHiddenTests", "test", usual.hidden),
        scheme=pair("ClearMarkScheme", "mark_scheme", usual.scheme),
        code_stubs=tuple(sorted((str(language), str(stub)) for language, stub in stubs.items())),
        text_stub=str(solutions.get("text_stub", usual.text_stub)),
    )


def _environments(
    root: Path, names: Iterable[str], settings: Mapping[str, Any]
) -> tuple[StudentEnvironment, Mapping[str, Mapping[str, StudentEnvironment]]]:
    """Return the environment of the course, and those of the kernels that each assignment's notebooks name.

    Where the settings name a kernel, or all notebooks name the same one, it is the kernel of the course, and
    no assignment has its own. Otherwise that of the course is Jupyter's own, for those that name none.
    """
    wanted = str(value(settings, "Execute", "kernel_name", "")[1])
    named = {} if wanted else {name: dict(_kernels(root / "source" / name)) for name in names}
    # Jupyter finds a kernel whatever the case of its name, so two spellings are one kernel.
    spelled = {kernel.lower(): kernel for kernels in named.values() for kernel in kernels.values()}
    if len(spelled) <= 1:
        return _environment(root, _usual(wanted) or next(iter(spelled.values()), DEFAULT_KERNEL)), {}
    known = {lower: _environment(root, kernel) for lower, kernel in spelled.items()}
    own = {
        name: {notebook: known[kernel.lower()] for notebook, kernel in kernels.items()}
        for name, kernels in named.items()
    }
    return _environment(root, DEFAULT_KERNEL), own


def _environment(root: Path, name: str) -> StudentEnvironment:
    kernel = find_kernel(name)
    if kernel is None:  # `environment.require` raises when the kernel is needed
        return StudentEnvironment(root, None, name, name)
    folder = kernel.program.parent.parent if kernel.program.parent.name == "bin" else kernel.program.parent
    return StudentEnvironment(
        folder, None, name, kernel.display_name, kernel.program, is_ipykernel=kernel.is_ipykernel
    )


def _settings(root: Path) -> Mapping[str, Any]:
    """Return what nbgrader_config.py sets; it is a program of the instructor's, and is run."""
    path = root / NBGRADER_CONFIG
    if root in _being_read:
        fix = "write `from examiner.plugin import install; install(get_config())`, or make a course.toml"
        raise BadCourse(path, "it asks for the settings of course.toml, which is not there", fix)
    _being_read.add(root)
    try:
        settings: Mapping[str, Any] = PyFileConfigLoader(NBGRADER_CONFIG, str(root)).load_config()
    except ConfigFileNotFound:
        return {}
    except BadCourse:
        raise
    except Exception as error:  # the instructor's program may raise anything
        raise BadCourse(path, f"it cannot be run ({error!r})", "correct it there") from error
    finally:
        _being_read.discard(root)
    _refuse_unsupported(root, settings)
    return settings


def _refuse_unsupported(root: Path, settings: Mapping[str, Any]) -> None:
    for fact, fix in chain(_elsewhere(root, settings), refused(settings, root), _kept_back(root, settings)):
        raise BadCourse(root / NBGRADER_CONFIG, fact, fix)


def _elsewhere(root: Path, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what says that the course or its gradebook is at another place."""
    place = _text(settings, "CourseDirectory", "root")
    if place and (root / place).resolve() != root.resolve():
        yield f"c.CourseDirectory.root is {place!r}", f"remove it: the course is where this file is, {root}"
    url, start = _text(settings, "CourseDirectory", "db_url"), "sqlite:///"
    if url and not (url.startswith(start) and root / url.removeprefix(start) == root / "gradebook.db"):
        fix = f"remove it: examiner keeps the grades in {root / 'gradebook.db'}"
        yield f"c.CourseDirectory.db_url is {url!r}", fix


def _kept_back(root: Path, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the files that nbgrader would keep from students: here their code runs beside them."""
    patterns = {name: _section(settings, "CourseDirectory").get(name) for name in ("ignore", "include")}
    for path in sorted((root / "source").rglob("*")) if any(patterns.values()) else ():
        parts = path.relative_to(root / "source").parts[1:]
        if not parts or path.suffix == ".ipynb" or set(parts) & NEVER_TAKEN:
            continue
        is_ignored = any(fnmatch(path.name, pattern) for pattern in patterns["ignore"] or ())
        is_included = any(fnmatch(path.name, pattern) for pattern in patterns["include"] or "*")
        if is_ignored or not (is_included or path.is_dir()):
            name = "ignore" if is_ignored else "include"
            fact = f"c.CourseDirectory.{name} keeps {path.relative_to(root)} from students"
            yield (
                fact,
                "move it out of source/, since what lies beside a notebook can be read by students' code",
            )


def _cell_seconds(root: Path, settings: Mapping[str, Any]) -> int:
    """Return the time limit of a cell; None and what is not positive are no limit, as for nbgrader."""
    where, seconds = value(settings, "Execute", "timeout", CELL_SECONDS)
    if seconds is not None and type(seconds) is not int:
        raise BadCourse(
            root / NBGRADER_CONFIG, f"c.{where}.timeout is {seconds!r}", "write a whole number of seconds"
        )
    return min(seconds, LONGEST_SECONDS) if seconds and seconds > 0 else LONGEST_SECONDS


def _ours(root: Path, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return examiner's own settings, all of which are known."""
    ours = _section(settings, "Examiner")
    for name in sorted(set(ours) - OWN_SETTINGS):
        fix = f"use {' or '.join(f'c.Examiner.{known}' for known in sorted(OWN_SETTINGS))}, or remove it"
        raise BadCourse(root / NBGRADER_CONFIG, f"c.Examiner.{name} is unknown", fix)
    return ours


def _mode(root: Path, settings: Mapping[str, Any]) -> Mode | None:
    found = str(_ours(root, settings).get("mode", "examined"))
    return mode_called(f"{root / NBGRADER_CONFIG}, c.Examiner.mode", found)


def _trusts_timestamps(root: Path, settings: Mapping[str, Any]) -> bool:
    found = _ours(root, settings).get("trust_timestamps", True)
    if not isinstance(found, bool):
        place = f"{root / NBGRADER_CONFIG}, c.Examiner.trust_timestamps"
        raise BadCourse(place, f"it is {found!r}", "write True or False")
    return found


def _section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section: Mapping[str, Any] = settings.get(name, {})
    return section


def _text(settings: Mapping[str, Any], section: str, key: str) -> str:
    return str(_section(settings, section).get(key, ""))


def _assignments(root: Path) -> list[str]:
    """Return the names of the folders in source/ that hold notebooks."""
    folders = sorted((root / "source").iterdir())
    found = [folder for folder in folders if folder.is_dir() and any(folder.glob("*.ipynb"))]
    names = [folder_name(str(folder), folder.name) for folder in found]
    if not names:
        fix = "put each assignment's notebooks into a folder there"
        raise BadCourse(root / "source", "there is no assignment", fix)
    return names


def _kernels(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the file name of each notebook that names a kernel, and its name.

    A file that is no notebook names none: it stops its assignment when its source is read, and no other.
    """
    for path in sorted(folder.glob("[!.]*.ipynb")):
        found: Any = {}
        with suppress(BadSource):
            found = load(path, BadSource)
        for entry in ("metadata", "kernelspec", "name"):
            found = found.get(entry) if isinstance(found, Mapping) else None
        if found:
            yield path.name, _usual(str(found))


def _usual(kernel: str) -> str:
    """Return the name of a kernel; older notebooks call Jupyter's own one by its language."""
    return DEFAULT_KERNEL if kernel == "python" else kernel


def _gradebook(path: Path) -> tuple[tuple[Student, ...], dict[str, datetime | None]]:
    """Return the students and due dates in nbgrader's gradebook, if there is one."""
    if not path.is_file():
        return (), {}
    students = "select id, first_name, last_name, email, lms_user_id from student order by id"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            roster = tuple(
                Student(*(entry or "" for entry in row)) for row in connection.execute(students).fetchall()
            )
            dues = dict(connection.execute("select name, duedate from assignment").fetchall())
    except sqlite3.Error:  # the code that writes the gradebook reports what is wrong with it
        return (), {}
    moments = {
        name: datetime.fromisoformat(due).replace(tzinfo=UTC) if due else None for name, due in dues.items()
    }
    return roster, moments
