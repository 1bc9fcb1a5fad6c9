"""The environment that submissions run in: makes it, registers it as a kernel, and raises if it is missing.

It holds an interpreter, the requirements that course.toml names, and the checks package. It holds nothing of
the instructor's, so that students cannot import the reference.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from examiner.course.beside import checks_files, write
from examiner.course.kernelspec import find_kernel
from examiner.errors import BadCourse, BadSource, ExaminerError, MissingEnvironment, PlatformFault
from examiner.model import Assignment, Course, StudentEnvironment
from examiner.notebook import CHECKS
from examiner.plain import from_plain, to_plain
from examiner.store.atomic import write_text

STAMP = "examiner-fingerprint.json"
OWN_MARK = "made-by-examiner.txt"  # in a folder that may be emptied, complete or not
OWN_MARK_TEXT = "examiner made this folder, and `examiner setup` may delete what is in it.\n"

KERNEL_ENVIRONMENT = {
    "PYTHONPATH": "",  # with the instructor's, students could import the reference
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",  # one submission runs on each core
    "OMP_NUM_THREADS": "1",
}

# Not `-m ipykernel_launcher`: a file of that name in a submission would be run instead.
LAUNCH = "import sys; del sys.path[0]; from ipykernel import kernelapp; kernelapp.launch_new_instance()"

# The first import of matplotlib in an environment builds its font cache and reports that on stderr, which
# nbgrader takes for a failure of the grade cell.
FONT_WARM_UP = (
    "from importlib.util import find_spec as f; f('matplotlib') and __import__('matplotlib.font_manager')"
)


@dataclass(frozen=True)
class Fingerprint:
    """Digests of what a student environment is made from.

    `base` stands for Python and the requirements, which are slow to install, `checks` for the checks package.
    """

    base: str
    checks: str


def environment_of(course: Course, assignment: Assignment) -> StudentEnvironment:
    """Return the environment in which the submissions of an assignment are graded.

    Raises
    ------
    BadSource
        If its notebooks name several kernels.
    """
    named: dict[StudentEnvironment, list[str]] = {}
    for notebook, student in assignment.environments.items():
        named.setdefault(student, []).append(notebook)
    if len(named) > 1:
        kernels = (f"{student.kernel} in {' and '.join(names)}" for student, names in named.items())
        fact = f"its notebooks name several kernels: {', '.join(kernels)}"
        fix = "give them one, or move some into another assignment, or set c.Execute.kernel_name"
        raise BadSource(course.source(assignment), fact, fix)
    return next(iter(named), course.student)


def by_environment(
    course: Course, assignments: Iterable[Assignment]
) -> dict[StudentEnvironment, list[Assignment]]:
    """Return assignments by their environments; those whose notebooks name several kernels have none."""
    found: dict[StudentEnvironment, list[Assignment]] = {}
    for assignment in assignments:
        with suppress(BadSource):
            found.setdefault(environment_of(course, assignment), []).append(assignment)
    return found


def require_some(
    course: Course, assignments: Collection[Assignment]
) -> tuple[dict[str, Fingerprint], dict[str, ExaminerError]]:
    """Return the fingerprints of the environments of assignments, and why others have none, by their names.

    Raises
    ------
    MissingEnvironment
        If all of them have the same environment, and it is missing or out of date.
    """
    found: dict[str, Fingerprint] = {}
    faults: dict[str, ExaminerError] = {}
    for student, group in by_environment(course, assignments).items():
        try:
            found |= dict.fromkeys((assignment.name for assignment in group), require(student))
        except MissingEnvironment as fault:
            if len(group) == len(assignments):
                raise
            for assignment in group:
                place = f"{course.source(assignment)}, {fault.place}"
                faults[assignment.name] = MissingEnvironment(place, fault.fact, fault.fix)
    for assignment in assignments:
        try:
            environment_of(course, assignment)
        except BadSource as fault:
            faults[assignment.name] = fault
    return found, faults


def setup(course: Course, say: Callable[[str], None]) -> bool:
    """Bring the student environment and its kernel up to date; return whether anything had to be done.

    Kernels that the instructor made are left as they are, and so is every folder that holds other things.

    Raises
    ------
    BadCourse
        If the requirements file is missing, or the folder or the kernel is not one that examiner made.
    PlatformFault
        If the environment cannot be made; the log has the reason.
    """
    student = course.student
    if student.requirements is None:
        return False
    wanted, found = fingerprint(student), stamped(student)
    _require_own_kernel(student)
    if found != wanted:
        _claim(student.folder)
        stamp = student.folder / STAMP
        stamp.unlink(missing_ok=True)  # so that an interrupted installation is not taken for a complete one
        _install(course, say, everything=found is None or found.base != wanted.base)
        write_text(stamp, json.dumps(to_plain(wanted)))
    registered = read_kernel(student) == kernel_spec(student)
    if not registered:
        say(f"registering the kernel {student.kernel}")
        write_text(kernel_file(student), json.dumps(kernel_spec(student), indent=1))
    return found != wanted or not registered


def require(student: StudentEnvironment) -> Fingerprint:
    """Return the fingerprint of a student environment, or raise if it is missing or out of date.

    Raises
    ------
    MissingEnvironment
        If the environment is missing or out of date, or the kernel is missing or belongs to another course.
    """
    if student.requirements is None:
        return _fingerprint_of_kernel(student)
    place, fix = student.folder, "run `examiner setup`"
    wanted, found = fingerprint(student), stamped(student)
    if found is None:
        raise MissingEnvironment(place, "there is no student environment", fix)
    if found != wanted:
        raise MissingEnvironment(place, "the student environment is not what course.toml says", fix)
    kernel = read_kernel(student)
    if kernel is None:
        raise MissingEnvironment(f"kernel {student.kernel}", "Jupyter does not know this kernel", fix)
    if kernel != kernel_spec(student):
        fact = f"it is registered for {kernel['argv'][0]}"
        raise MissingEnvironment(f"kernel {student.kernel}", fact, fix)
    return found


def _fingerprint_of_kernel(student: StudentEnvironment) -> Fingerprint:
    """Return the fingerprint of an environment not made here: its kernel's specification and its packages."""
    kernel = find_kernel(student.kernel)
    place, fix = f"kernel {student.kernel}", "install it, and see `jupyter kernelspec list`"
    if kernel is None:
        raise MissingEnvironment(place, "Jupyter does not know this kernel, which the notebooks name", fix)
    if not kernel.program.is_file():
        raise MissingEnvironment(place, f"its program {kernel.program} is not there", fix)
    base = hashlib.sha256(kernel.specification + str(kernel.program).encode())
    for path in sorted(student.folder.glob("lib*/python3*/site-packages/*.dist-info")):
        base.update(path.name.encode())
    return Fingerprint(base.hexdigest(), "")


def fingerprint(student: StudentEnvironment) -> Fingerprint:
    """Return the fingerprint that an environment made here should have."""
    base = hashlib.sha256(sys.version.encode() + _requirements(student).read_bytes())
    checks = hashlib.sha256()
    for name, content in sorted(checks_files().items()):
        checks.update(f"\0{name}\0".encode() + content)
    return Fingerprint(base.hexdigest(), checks.hexdigest())


def stamped(student: StudentEnvironment) -> Fingerprint | None:
    """Return the fingerprint that the environment was made with, or None if it is missing or incomplete."""
    if not student.python.exists():
        return None
    try:
        return from_plain(json.loads((student.folder / STAMP).read_text()), Fingerprint)
    except (OSError, ValueError):
        return None


def kernel_spec(student: StudentEnvironment) -> dict[str, object]:
    """Return the kernel's specification, as Jupyter expects it in kernel.json."""
    python = str(student.python)
    return {
        "argv": [python, "-c", LAUNCH, "-f", "{connection_file}"],
        "display_name": student.display_name,
        "language": "python",
        "env": KERNEL_ENVIRONMENT,
    }


def kernel_file(student: StudentEnvironment) -> Path:
    """Return the path of the kernel's specification in the running environment."""
    return Path(sys.prefix) / "share" / "jupyter" / "kernels" / student.kernel / "kernel.json"


def read_kernel(student: StudentEnvironment) -> dict[str, list[str]] | None:
    """Return the registered specification, or None if there is none that can be read."""
    try:
        spec: dict[str, list[str]] = json.loads(kernel_file(student).read_text())
    except (OSError, ValueError):
        return None
    return spec


def _requirements(student: StudentEnvironment) -> Path:
    requirements = student.requirements
    if requirements is None or not requirements.is_file():
        raise BadCourse("course.toml", f"there is no {requirements}", "correct 'requirements' in [student]")
    return requirements


def _claim(folder: Path) -> None:
    """Mark a folder as one that examiner may empty; refuse one that holds what examiner did not make."""
    is_own = (folder / OWN_MARK).is_file() or (folder / STAMP).is_file()
    if not is_own and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        fact = "examiner did not make this, so it is not replaced by the student environment"
        fix = "name another folder as 'python' in [student] of course.toml, or move this one away"
        raise BadCourse(folder, fact, fix)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / OWN_MARK, OWN_MARK_TEXT)


def _empty(folder: Path) -> None:
    """Delete what is in a folder of examiner's, but for its mark."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != OWN_MARK:
            path.unlink()


def _require_own_kernel(student: StudentEnvironment) -> None:
    """Refuse to replace a kernel that others registered: theirs start a module, of another environment."""
    command = (read_kernel(student) or {}).get("argv", [])
    is_own = command[:1] == [str(student.python)] or command[1:2] == ["-c"]
    if kernel_file(student).exists() and not is_own:
        fact = "examiner did not register this kernel, so it is not replaced"
        fix = "name another 'kernel' in [student] of course.toml"
        raise BadCourse(f"kernel {student.kernel}, {kernel_file(student)}", fact, fix)


def _install(course: Course, say: Callable[[str], None], *, everything: bool) -> None:
    student, requirements = course.student, _requirements(course.student)
    log = course.state / "logs" / "setup.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    pip = [str(student.python), "-m", "pip", "install", "--disable-pip-version-check"]
    if everything:
        say(f"making the student environment {student.folder.name}")
        _empty(student.folder)
        _run([sys.executable, "-m", "venv", str(student.folder)], log)
        say(f"installing {requirements.name}")
        _run([*pip, "--require-hashes", "-r", str(requirements)], log)
        _run([str(student.python), "-c", FONT_WARM_UP], log, MPLCONFIGDIR=str(student.caches))
    say(f"installing {CHECKS}")
    with tempfile.TemporaryDirectory() as scratch:  # a build leaves folders in its source tree
        write(Path(scratch) / CHECKS, checks_files())
        options = ["--no-deps", "--no-build-isolation", "--force-reinstall"]
        _run([*pip, *options, str(Path(scratch) / CHECKS)], log)


def _run(command: list[str], log: Path, **variables: str) -> None:
    with log.open("a") as out:
        run = subprocess.run(  # noqa: S603 - our own command
            command, stdout=out, stderr=out, check=False, env=os.environ | variables
        )
        if run.returncode:
            fact = f"`{' '.join(command[:4])} …` failed"
            raise PlatformFault("student environment", fact, f"read {log}, then run `examiner setup` again")
