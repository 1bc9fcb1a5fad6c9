"""Checks whether this machine can grade this course, and says what to do if it cannot; it changes nothing.

It checks the walls of the box, by trying to break each promise with and without them; the student
environment, by grading one right and one wrong answer in it; the version of nbgrader; the gradebook; the
grade sheets; the disk, the memory and the processors.
"""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa

from examiner import DISTRIBUTION
from examiner.box.selftest import WallState
from examiner.box.usage import PROC
from examiner.box.walls import Walls
from examiner.course import environment
from examiner.errors import DONE, ExaminerError, PlatformFault
from examiner.examine.engine import Engine
from examiner.examine.server import SandboxSettings
from examiner.machine.judge_walls import judge_walls
from examiner.machine.trial import RIGHT_OR_WRONG, trial
from examiner.model import Course, Mode, StudentEnvironment
from examiner.store import sheets, tables
from examiner.verdict import Outcome

DEGRADED: Final = 3  # as for a run that graded some submissions and not others: not everything works
SIEGE_SECONDS: Final = 180
SCARCE_DISK_MB: Final = 1000
NO_DISK_MB: Final = 100
PROC_FOLDER: Final = Path(PROC)
CPUS: Final = Path("/sys/devices/system/cpu")
WORKER_MB: Final = 300  # memory of a worker and the processes that it starts, without students' data

# It is run by the Python that candidates run in: some systems allow namespaces for certain programs only.
_SIEGE: Final = """
import json, sys
sys.path.insert(0, sys.argv[1])
from dataclasses import asdict
from examiner.box.selftest import selftest
from examiner.box.walls import Walls, available
wanted = json.loads(sys.argv[2])
walls = Walls(**wanted) if wanted else available()
reports = [asdict(report) for report in selftest(walls, thorough=True)]
json.dump({"walls": asdict(walls), "reports": reports}, sys.stdout)
"""


class Health(StrEnum):
    """What a finding means for grading."""

    GOOD = "good"
    NOTE = "note"  # nothing is wrong, but it is worth knowing
    WEAK = "weak"  # grading works, with less protection or room than it should have
    BAD = "bad"  # grading does not work, or should not be done


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Parameters
    ----------
    about : str
        The part that was checked, such as "gradebook".
    what : str
        What was found.
    state : Health
        What it means for grading.
    note : str
        More about it; if something is wrong, what to do.
    """

    about: str
    what: str
    state: Health = Health.GOOD
    note: str = ""


def diagnose(
    course: Course, walls: Walls | None = None, proc: Path = PROC_FOLDER, cpus: Path = CPUS
) -> Iterator[Finding]:
    """Make all checks, and yield the findings in order.

    Parameters
    ----------
    course : Course
        The course to grade.
    walls : Walls, optional
        The walls to try, instead of all that the machine has.
    proc, cpus : Path
        Where the kernel tells of the memory, of the load and of the processors.
    """
    yield from _walls(course, walls)
    yield from _environments(course, walls)
    yield from _nbgrader()
    yield from _gradebook(course)
    yield from _sheets(course)
    yield from _disk(course.root)
    yield from _processors(proc, cpus)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 if the course can be graded with all that is checked, 3 if with less, 1 if it cannot."""
    states = {finding.state for finding in findings}
    if Health.BAD in states:
        return PlatformFault.exit_code
    return DEGRADED if Health.WEAK in states else DONE


def _walls(course: Course, only: Walls | None) -> Iterator[Finding]:
    for python in _interpreters(course):
        yield from _walls_of(python, only)


def _interpreters(course: Course) -> Iterable[Path]:
    """Return the Pythons that enter walls, of which each is another program."""
    found: dict[Path, Path] = {}
    for student in environment.by_environment(course, course.assignments):
        is_there = _is_python(course, student) and student.python.exists()
        python = student.python if is_there else Path(sys.executable)
        found.setdefault(python.resolve(), python)
    return found.values() or [Path(sys.executable)]


def _walls_of(python: Path, only: Walls | None) -> Iterator[Finding]:
    root = Path(__file__).parents[2]
    command = [str(python), "-I", "-c", _SIEGE, str(root), json.dumps(only and asdict(only))]
    try:
        siege = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, check=True, timeout=SIEGE_SECONDS
        )
        found = json.loads(siege.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        text = getattr(error, "stderr", None) or str(error).encode()
        lines = text.decode("utf-8", "replace").splitlines()
        why = next((line for line in lines if line and not line.startswith((" ", "Traceback"))), "")
        yield Finding(
            "walls",
            "they could not be tried",
            Health.BAD,
            f"{why}; nothing is graded until that is corrected",
        )
        return
    yield from _promises(Walls(**found["walls"]), found["reports"])


def _promises(walls: Walls, reports: Iterable[dict[str, Any]]) -> Iterator[Finding]:
    if not walls.are_enough:
        yield Finding("walls", "too few of them: nothing is graded", Health.BAD, walls.advice)
    for report in reports:
        is_kind, is_kept = report["wall"] == "kinds", report["state"] != WallState.MISSING
        note = report["note"]
        if not is_kept and not is_kind and walls.advice:
            note = "it needs a kind of wall that is missing"
        lacking = Health.WEAK if walls.advice and walls.are_enough else Health.BAD
        state = Health.GOOD if is_kept else lacking
        yield Finding(f"wall: {report['wall']}", f"{report['state']}: {report['promise']}", state, note)


def _environments(course: Course, walls: Walls | None) -> Iterator[Finding]:
    try:
        found, faults = environment.require_some(course, course.assignments)
    except ExaminerError as fault:
        yield Finding("environment", fault.fact, Health.BAD, f"{fault.place}: {fault.fix}")
        return
    for lacking in faults.values():
        state = Health.WEAK if found else Health.BAD
        yield Finding("environment", lacking.fact, state, f"{lacking.place}: {lacking.fix}")
    for student, group in environment.by_environment(course, course.assignments).items():
        if group[0].name in found:
            yield from _environment(course, student, walls)


def _environment(course: Course, student: StudentEnvironment, walls: Walls | None) -> Iterator[Finding]:
    yield Finding("environment", f"{student.folder.name}, and the kernel {student.kernel}")
    if not _is_python(course, student):
        what = "all cells are judged in a boxed kernel, perhaps of another language; it is not tried here"
        yield Finding("environment", what, Health.NOTE)
        return
    try:
        with Engine(SandboxSettings.of(course, student, walls), b"doctor") as engine:
            right = engine.run(trial("return x + 1", RIGHT_OR_WRONG)).sheet.verdicts[0]
            started = time.monotonic()
            wrong = engine.run(trial("return x", RIGHT_OR_WRONG)).sheet.verdicts[0]
            seconds = time.monotonic() - started
            reports = [*judge_walls(engine, course.root)]
    except (ExaminerError, OSError) as fault:
        yield Finding("environment", "nothing can be graded in it", Health.BAD, str(fault))
        return
    if (right.outcome, wrong.outcome) != (Outcome.PASSED, Outcome.FAILED):
        note = f"a right answer {right.outcome} ({right.message}), a wrong one {wrong.outcome}"
        yield Finding("environment", "it judges wrongly", Health.BAD, note)
        return
    what = "a right answer gets its points in a box, a wrong one gets none"
    yield Finding("environment", what, note=f"{1000 * seconds:.0f} ms for one of them")
    for report in reports:
        is_kept = report.state is not WallState.MISSING
        note = "" if is_kept else "this wall has a hole: do not grade, report it"
        found = f"{report.state}: {report.promise}"
        yield Finding("wall: judges", found, Health.GOOD if is_kept else Health.BAD, note)


def _is_python(course: Course, student: StudentEnvironment) -> bool:
    """Whether a student environment is known to be a Python; a kernel may be of any language."""
    return student.program is None or course.mode_in(student) is not Mode.KERNEL


def _nbgrader() -> Iterator[Finding]:
    found = metadata.version("nbgrader")
    pins = [pin for pin in metadata.requires(DISTRIBUTION) or () if pin.startswith("nbgrader==")]
    if pins == [f"nbgrader=={found}"]:
        yield Finding("nbgrader", f"version {found}, which is supported")
        return
    fix = f"install {' '.join(pins) or 'examiner anew'}"
    yield Finding("nbgrader", f"version {found}, which is not supported", Health.BAD, fix)


def _gradebook(course: Course) -> Iterator[Finding]:
    path = course.gradebook
    if not path.exists():
        yield Finding("gradebook", "there is none yet", Health.NOTE, "the first run makes it")
        return
    engine = sa.create_engine(f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true")
    try:
        tables.checked_names(engine, str(path))
        verdict, journal = tables.pragma(engine, "quick_check", "journal_mode")
    except ExaminerError as fault:
        yield Finding("gradebook", fault.fact, Health.BAD, fault.fix)
        return
    except (sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
        fix = "close what uses it and ask again; if it stays so, put back a copy or run `examiner rebuild`"
        yield Finding("gradebook", f"it cannot be read ({error})", Health.BAD, fix)
        return
    finally:
        engine.dispose()
    if verdict != "ok":
        fix = "put back a copy, or move it away and run `examiner rebuild`"
        yield Finding("gradebook", f"it is damaged ({verdict})", Health.BAD, fix)
        return
    yield Finding("gradebook", f"it can be read, and its journal mode is {journal}")
    if journal == "wal":
        note = "somebody has it open, or a run was killed; until the next run, copy its -wal file with it"
        yield Finding("gradebook", "a write-ahead log is in use", Health.NOTE, note)
    if not tables.is_on_local_disk(path):
        note = "SQLite's locks are not reliable there: keep the course on a disk of this machine"
        yield Finding("gradebook", "it lies on a network disk", Health.WEAK, note)


def _sheets(course: Course) -> Iterator[Finding]:
    root = sheets.root(course)
    if not root.exists():
        yield Finding("sheets", "there are none yet", Health.NOTE, "the first run makes the folder")
        return
    filed = list(root.rglob("*.json"))
    spoilt = [path for path in filed if not _is_whole(path)]
    yield Finding("sheets", f"{len(filed) - len(spoilt)} files are intact")
    damaged = [*spoilt, *root.rglob(f"*{sheets.DAMAGED}")]
    for path in damaged:
        fix = "put back a copy under its original name; without a copy, the submission is graded again"
        yield Finding("sheets", f"{path.relative_to(course.root)} is damaged", Health.WEAK, fix)
    if root.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        note = f"it holds hidden tests and the secret: chmod 700 {root}"
        yield Finding("sheets", "others can open the folder", Health.WEAK, note)


def _is_whole(path: Path) -> bool:
    try:
        sheets.checked(path)
    except (OSError, ValueError):
        return False
    return True


def _disk(*folders: Path) -> Iterator[Finding]:
    for folder in dict.fromkeys((*folders, Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free >> 20
        state = Health.BAD if free < NO_DISK_MB else Health.WEAK if free < SCARCE_DISK_MB else Health.GOOD
        fix = "" if state is Health.GOOD else f"make room: {SCARCE_DISK_MB} MB should be free"
        yield Finding("machine", f"{free:,} MB are free in {folder}", state, fix)


def _processors(proc: Path, cpus: Path) -> Iterator[Finding]:
    count = len(os.sched_getaffinity(0))
    yield Finding("machine", f"{count} processors, as many workers by default")
    _, _, rest = (proc / "meminfo").read_text().partition("MemAvailable:")
    available = int(rest.split(maxsplit=1)[0]) >> 10
    needed = WORKER_MB * (count + 1)
    fix = "" if available >= needed else f"about {WORKER_MB} MB a worker are needed: use fewer with --workers"
    yield Finding("machine", f"{available:,} MB of memory", Health.WEAK if fix else Health.GOOD, fix)
    load = float((proc / "loadavg").read_text().split()[0])
    if load > count:
        note = "measured cells may stay inconclusive, and are then graded by hand"
        yield Finding("machine", f"it is busy (load {load:g})", Health.NOTE, note)
    governors = {path.read_text().strip() for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    if governors - {"performance"}:
        note = "times vary more: `cpupower frequency-set -g performance` while speed is measured"
        yield Finding(
            "machine", f"its CPU frequency governor is {', '.join(sorted(governors))}", Health.NOTE, note
        )
