"""Decides in which mode each grade cell is judged: examined, unless a trial shows a reason against it.

A cell is examined if the instructor's solution gets all points that way and no other version gets more than
in the kernel; a version that gets fewer than in the kernel has fooled the kernel. Every other cell runs in
the sandboxed kernel, and the author is told why. The evidence is stored in `evidence/`, in git, and is valid
for one version of an assignment.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from examiner.course.beside import checks_files
from examiner.gate.model import TOLERANCE, Account, Result, Results, TrialKind
from examiner.gate.run import TrialRunner
from examiner.gate.trials import MUTANTS, Plan, beside, plan_notebook
from examiner.model import Assignment, Course, Mode
from examiner.plain import from_plain, to_plain
from examiner.store.atomic import write_text

FOLDER: Final = "evidence"
UNMEASURED: Final = frozenset({"Inconclusive", "CellTimeout"})  # raised where a measurement has no result


@dataclass(frozen=True)
class Evidence:
    """In which mode each grade cell of one version of an assignment is judged, and why.

    Parameters
    ----------
    version : str
        A digest of the files that the trials depend on.
    modes : mapping from str to Mode
        The mode of every grade cell, by grade_id.
    reasons : mapping from str to str
        Why a cell is not examined, by grade_id.
    tried : mapping from str to int
        How many versions of the notebook were run, by the kind of trial.
    """

    assignment: str
    version: str
    modes: Mapping[str, Mode]
    reasons: Mapping[str, str] = field(default_factory=dict)
    tried: Mapping[str, int] = field(default_factory=dict)


def version(course: Course, assignment: Assignment) -> str:
    """Return a digest of an assignment: its notebooks, the files beside them, the checks and its mutants."""
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
    """Return the path of the file with the evidence about an assignment."""
    return course.root / FOLDER / f"{assignment}.json"


def read(course: Course, assignment: Assignment) -> Evidence | None:
    """Return the stored evidence about an assignment as it is now, or None if there is none."""
    try:
        data = json.loads(path_of(course, assignment.name).read_bytes())
        found = from_plain({"assignment": assignment.name, **data}, Evidence)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.version == version(course, assignment) else None


def write(course: Course, evidence: Evidence) -> None:
    """Store evidence."""
    data = to_plain(evidence)
    del data["assignment"]  # the file's name says it
    write_text(path_of(course, evidence.assignment), json.dumps(data, indent=1) + "\n")


def gather(runner: TrialRunner, assignments: Sequence[Assignment]) -> list[Evidence]:
    """Run the trials of assignments, and store and return the evidence, without the demands of the gate.

    Raises
    ------
    BadSource
        If a notebook cannot be read, or nbgrader could not release it.
    """
    course = runner.course
    plans = {
        assignment.name: [
            plan_notebook(course, assignment, path)
            for path in sorted(course.source(assignment).glob("*.ipynb"))
        ]
        for assignment in assignments
    }
    results = runner.run_all([plan for group in plans.values() for plan in group], REPEAT)
    gathered = [weigh(course, assignment, plans[assignment.name], results) for assignment in assignments]
    for evidence in gathered:
        write(course, evidence)
    return gathered


def weigh(
    course: Course, assignment: Assignment, plans: Sequence[Plan], results: Mapping[str, Results]
) -> Evidence:
    """Return the evidence that follows from the trials of an assignment's notebooks.

    Cells of the same name in two notebooks are judged in the same mode.
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
            if reason := next(_differences(plan, cell, points, known), None):
                reasons.setdefault(cell, reason)
    modes = {cell: Mode.KERNEL if cell in reasons else Mode.EXAMINED for cell in cells}
    counts = {str(kind): tried[kind] for kind in COMPARED if tried[kind]}
    return Evidence(assignment.name, version(course, assignment), modes, reasons, counts)


REPEAT: Final = 3  # runs of the solution; `examiner check` has more
COMPARED: Final = (TrialKind.INSTRUCTOR, TrialKind.RELEASE, TrialKind.MUTANT, TrialKind.AUTOMATIC)


def _differences(plan: Plan, cell: str, points: float, results: Sequence[Result]) -> Iterator[str]:
    """Yield the reasons why a cell cannot be examined, as clauses for the author."""
    for result in results:
        examined, kernel = result.examined.get(cell), result.kernel.get(cell)
        if examined is None or kernel is None:
            continue
        if result.trial.kind is TrialKind.INSTRUCTOR:
            if examined.points < points - TOLERANCE and kernel.points >= points - TOLERANCE:
                yield (
                    f"examined, the instructor's solution loses {points - examined.points:g} points "
                    f"({examined.message or examined.outcome})"
                )
        elif examined.points > kernel.points + TOLERANCE and not _is_due_to_kernel(
            plan, cell, examined, kernel
        ):
            yield (
                f"{result.trial.name} gets {examined.points:g} points examined and {kernel.points:g} in the "
                f"kernel ({kernel.message or kernel.outcome})"
            )


def _is_due_to_kernel(plan: Plan, cell: str, examined: Account, kernel: Account) -> bool:
    """Whether points were lost only because of how a kernel is graded: a warning on stderr is a failure."""
    is_warning = kernel.wrote_stderr and not kernel.raised
    return is_warning or cannot_pass_in_kernel(plan, cell, examined, kernel)


def cannot_pass_in_kernel(plan: Plan, cell: str, examined: Account | None, kernel: Account) -> bool:
    """Whether a cell failed in the kernel for a reason that no kernel can avoid.

    A kernel has no `reference`. Also, other processes run at the same time, so a measurement that is clear
    where cells are examined may be inconclusive in a kernel, or take too long.
    """
    is_measured = examined is not None and bool(examined.measured)
    lacks_reference = cell in plan.using_reference and kernel.raised == NameError.__name__
    return lacks_reference or (is_measured and kernel.raised in UNMEASURED)
