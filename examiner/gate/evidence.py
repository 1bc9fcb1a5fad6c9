"""Where each grade cell is judged, by what was tried: examined if that gives the same as the kernel does.

A cell is examined where the instructor's solution gets all points that way and no other version gets more
than in the kernel; a version that gets fewer has fooled the kernel. Every other cell runs in the kernel,
boxed, and the author is told why. What was found is kept in `evidence/`, in git, and is good for one version
of an assignment.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from examiner.course.beside import checks_files
from examiner.gate.model import TOLERANCE, Account, Result, TrialKind
from examiner.gate.run import Results, TrialProgress, rehearse
from examiner.gate.trials import MUTANTS, Plan, beside, plan_notebook
from examiner.model import Assignment, Course, Mode, from_plain, to_plain
from examiner.notebook import REFERENCE

FOLDER: Final = "evidence"
UNMEASURED: Final = ("Inconclusive: ", "CellTimeout: ")
NO_REFERENCE: Final = f"NameError: name '{REFERENCE}' is not defined"


@dataclass(frozen=True)
class Evidence:
    """What was found out about one version of an assignment.

    Parameters
    ----------
    version : str
        A digest of all that decides about it.
    modes : mapping from str to Mode
        By grade_id, for every grade cell.
    reasons : mapping from str to str
        Why a cell is not examined, by grade_id.
    tried : mapping from str to int
        How many versions of the notebook, by kind.
    """

    assignment: str
    version: str
    modes: Mapping[str, Mode]
    reasons: Mapping[str, str] = field(default_factory=dict)
    tried: Mapping[str, int] = field(default_factory=dict)


def version(course: Course, assignment: Assignment) -> str:
    """Return a digest of an assignment: its notebooks, what lies beside them, the checks, its mutants."""
    files = {path.name: path.read_bytes() for path in course.source(assignment).glob("*.ipynb")}
    files |= beside(course, assignment)
    files |= {f"checks/{name}": content for name, content in checks_files().items()}
    mutants = (course.root / MUTANTS / assignment.name).glob("*.toml")
    files |= {f"mutants/{path.name}": path.read_bytes() for path in mutants}
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{len(name)}:{name}{len(content)}:".encode() + content)
    return digest.hexdigest()


def path_of(course: Course, assignment: str) -> Path:
    """Return where the evidence about an assignment is kept."""
    return course.root / FOLDER / f"{assignment}.json"


def read(course: Course, assignment: Assignment) -> Evidence | None:
    """Return what was found out about an assignment as it is now, or None."""
    try:
        data = json.loads(path_of(course, assignment.name).read_bytes())
        found = from_plain({"assignment": assignment.name, **data}, Evidence)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.version == version(course, assignment) else None


def write(course: Course, evidence: Evidence) -> None:
    """Keep evidence; a file that says as much already stays as it is."""
    path = path_of(course, evidence.assignment)
    data = to_plain(evidence)
    del data["assignment"]  # which is the name of the file
    text = json.dumps(data, indent=1) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def gather(
    course: Course, assignments: Sequence[Assignment], workers: int, progress: TrialProgress
) -> list[Evidence]:
    """Try the assignments as they are, and keep what that tells: the gate without its demands.

    Raises
    ------
    BadSource
        If a notebook cannot be read, or nbgrader could not release it.
    """
    plans = {
        each.name: [plan_notebook(course, each, path) for path in sorted(course.source(each).glob("*.ipynb"))]
        for each in assignments
    }
    results = rehearse(course, [plan for each in plans.values() for plan in each], REPEAT, workers, progress)
    found = [weigh(course, each, plans[each.name], results) for each in assignments]
    for each in found:
        write(course, each)
    return found


def weigh(
    course: Course, assignment: Assignment, plans: Sequence[Plan], results: Mapping[str, Results]
) -> Evidence:
    """Return what the trials of an assignment's notebooks say about its grade cells.

    A name that two notebooks have stands for two cells, which are judged in one way.
    """
    cells: list[str] = []
    reasons: dict[str, str] = {}
    tried: Counter[str] = Counter()
    for plan in plans:
        known = [result for result in results[plan.name].values() if result.trial.kind in COMPARED]
        tried.update(
            str(result.trial.kind) for result in known if result.trial.kind is not TrialKind.INSTRUCTOR
        )
        cells += plan.points
        for cell, points in plan.points.items():
            if reason := next(_differences(cell, points, known), None):
                reasons.setdefault(cell, reason)
    modes = {cell: Mode.KERNEL if cell in reasons else Mode.EXAMINED for cell in cells}
    counts = {str(kind): tried[kind] for kind in COMPARED if tried[kind]}
    return Evidence(assignment.name, version(course, assignment), modes, reasons, counts)


REPEAT: Final = 3  # runs of the solution where there is no gate to ask for more
COMPARED: Final = (TrialKind.INSTRUCTOR, TrialKind.RELEASE, TrialKind.MUTANT, TrialKind.AUTOMATIC)


def _differences(cell: str, points: float, results: Sequence[Result]) -> Iterator[str]:
    """Yield why a cell cannot be examined, in words."""
    for result in results:
        one, other = result.examined.get(cell), result.kernel.get(cell)
        if one is None or other is None:
            continue
        who = "the instructor's solution" if result.trial.kind is TrialKind.INSTRUCTOR else result.trial.name
        if result.trial.kind is TrialKind.INSTRUCTOR:
            if one.points < points - TOLERANCE and other.points >= points - TOLERANCE:
                yield f"examined, {who} loses {points - one.points:g} points ({one.said or one.outcome})"
        elif one.points > other.points + TOLERANCE and not _is_kernels_own(one, other):
            yield (
                f"{who} gets {one.points:g} points examined and {other.points:g} in the kernel "
                f"({other.said or other.outcome})"
            )


def _is_kernels_own(examined: Account, kernel: Account) -> bool:
    """Whether what cost points in the kernel says nothing about a cell: it takes warnings for failures."""
    return kernel.said.startswith("stderr: ") or cannot_be(examined, kernel)


def cannot_be(examined: Account | None, kernel: Account) -> bool:
    """Whether a kernel cannot do what a cell asks: it has no reference, and is no place to measure in.

    Others run beside a kernel: what is clear in a box may stay open there, or take too long.
    """
    is_measured = examined is not None and bool(examined.measured)
    return kernel.said == NO_REFERENCE or (is_measured and kernel.said.startswith(UNMEASURED))
