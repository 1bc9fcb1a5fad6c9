"""Decides in which mode each grade cell is judged: examined, unless a trial shows a reason against it.

A cell is examined if the instructor's solution gets all points that way and in one real Jupyter kernel, and
no other version gets more than in the kernel each time that it is tried; a version that gets fewer than in
the kernel has fooled the kernel. Every other cell runs in the sandboxed kernel, and the author is told why.
The evidence is stored in `evidence/`, in git, and is valid for one version of an assignment.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, Self

from examiner.course.beside import checks_files
from examiner.gate import witness
from examiner.gate.model import TOLERANCE, Account, Result, Results, Trial, TrialKind
from examiner.gate.run import TrialRunner
from examiner.gate.trials import MUTANTS, WRONG_ANSWERS, Plan, beside, plan_notebook
from examiner.model import Assignment, Course, Markers, Mode
from examiner.plain import from_plain, to_plain
from examiner.store.atomic import write_text
from examiner.verdict import AUTHOR_ERROR

FOLDER: Final = "evidence"


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
    planned : mapping from str to int
        How many wrong answers there were to try, by the kind of trial, where not all were tried.
    without_mutants : str
        The digest without the written mutants, if there are any: a copy of the course may lack them.
    failures : mapping from str to str
        Why the instructor's solution loses points in a real kernel, by grade_id; such evidence is stored only
        where that was to be graded anyway.
    """

    assignment: str
    version: str
    modes: Mapping[str, Mode]
    reasons: Mapping[str, str] = field(default_factory=dict)
    tried: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    planned: Mapping[str, int] = field(default_factory=dict)
    without_mutants: str = ""

    def of(self, plan: Plan) -> Self:
        """Return what it says of one notebook of the assignment."""
        modes = {cell: mode for cell, mode in self.modes.items() if cell in plan.points}
        reasons = {cell: reason for cell, reason in self.reasons.items() if cell in plan.points}
        return replace(self, modes=modes, reasons=reasons)


def summary(evidence: Evidence) -> str:
    """Return in a sentence what was tried."""
    wrong = sum(evidence.tried.get(kind, 0) for kind in WRONG_ANSWERS)
    planned = sum(evidence.planned.values()) or wrong
    rest = f"; `examiner check {evidence.assignment}` tries the rest" if wrong < planned else ""
    runs = f"{REPEAT} runs of the solution and the release"
    return (
        f"evidence on {evidence.assignment}: {runs}, {wrong} of {planned} mechanical answers were tried{rest}"
    )


def version(course: Course, assignment: Assignment, *, mutants: bool = True) -> str:
    """Return a digest of an assignment: its notebooks, the files beside them, the checks and its mutants."""
    files = {path.name: path.read_bytes() for path in course.notebooks(assignment)}
    files |= beside(course, assignment)
    files |= {f"checks/{name}": content for name, content in checks_files().items()}
    if mutants:
        written = (course.root / MUTANTS / assignment.name).glob("*.toml")
        files |= {f"mutants/{path.name}": path.read_bytes() for path in written}
    if course.markers != Markers():
        files["nbgrader's markers"] = repr(course.markers).encode()
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
    if found.version == version(course, assignment):
        return found
    if (course.root / MUTANTS / assignment.name).is_dir():
        return None
    return found if found.without_mutants == version(course, assignment, mutants=False) else None


def write(course: Course, evidence: Evidence) -> None:
    """Store evidence."""
    data = to_plain(evidence)
    del data["assignment"]  # the file's name says it
    for name in ("failures", "planned", "without_mutants"):
        if not data[name]:
            del data[name]
    write_text(path_of(course, evidence.assignment), json.dumps(data, indent=1) + "\n")


def gather(runner: TrialRunner, assignments: Sequence[Assignment], *, anyway: bool = False) -> list[Evidence]:
    """Run the trials of assignments, and store and return the evidence, without the demands of the gate.

    Of each notebook, wrong answers are tried for `QUICK_SECONDS`; `examiner check` tries all.

    Parameters
    ----------
    anyway : bool
        Whether to go on where the instructor's solution loses points in a kernel.

    Raises
    ------
    WrongSolution
        If it does, and there is no going on.
    BadSource
        If a notebook cannot be read, or nbgrader could not release it.
    """
    course = runner.course
    plans = {
        assignment.name: [plan_notebook(course, assignment, path) for path in course.notebooks(assignment)]
        for assignment in assignments
    }
    by_name = {plan.name: plan for group in plans.values() for plan in group}
    look_at = (lambda _: None) if anyway else partial(witness.require, by_name)
    results = runner.run_all(list(by_name.values()), REPEAT, look_at=look_at, quick=QUICK_SECONDS)
    confirm(runner, list(by_name.values()), results)
    gathered = [weigh(course, assignment, plans[assignment.name], results) for assignment in assignments]
    for evidence in gathered:
        write(course, evidence)
    return gathered


def confirm(
    runner: TrialRunner, plans: Sequence[Plan], results: Mapping[str, dict[tuple[TrialKind, str], Result]]
) -> None:
    """Run each version again that got more examined than in the kernel; the new results come to the others.

    Both sides draw numbers of their own, and a wrong answer may be right for some of them: one such pair may
    be chance. Only what each of the repetitions shows as well is a reason against a cell.
    """
    again = {
        plan.name: [
            replace(trial, seed=f"{trial.seed} again {number}", again=number)
            for trial in _with_excess(plan, results[plan.name])
            for number in range(1, AGAIN + 1)
        ]
        for plan in plans
    }
    concerned = [plan for plan in plans if again[plan.name]]

    def trials(group: Sequence[Plan]) -> Iterator[Trial]:
        for plan in group:
            yield from again[plan.name]

    if concerned:
        for result in runner.run(concerned, trials, sum(map(len, again.values()))):
            results[result.trial.plan][result.trial.key] = result


def _with_excess(plan: Plan, results: Results) -> list[Trial]:
    """Return the trials of wrong answers in which a cell gave more points examined than in the kernel."""
    return [
        result.trial
        for result in results.values()
        if result.trial.kind in COMPARED
        and result.trial.kind is not TrialKind.INSTRUCTOR
        and any(_has_both(result, cell) and _is_excess(plan, cell, result) for cell in plan.points)
    ]


def weigh(
    course: Course, assignment: Assignment, plans: Sequence[Plan], results: Mapping[str, Results]
) -> Evidence:
    """Return the evidence that follows from the trials of an assignment's notebooks.

    Cells of the same name in two notebooks are judged in the same mode.
    """
    cells: list[str] = []
    reasons: dict[str, str] = {}
    failures: dict[str, str] = {}
    tried: Counter[str] = Counter()
    for plan in plans:
        known = [result for result in results[plan.name].values() if result.trial.kind in COMPARED]
        tried.update(
            str(result.trial.kind)
            for result in known
            if result.trial.kind is not TrialKind.INSTRUCTOR and not result.trial.again
        )
        cells += plan.points
        lost = witness.failures(plan, results[plan.name])
        for cell in plan.points:
            if reason := next(_differences(plan, cell, lost.get(cell, ""), known), None):
                reasons.setdefault(cell, reason)
        failures = lost | failures
    modes = {cell: Mode.KERNEL if cell in reasons else Mode.EXAMINED for cell in cells}
    counts = {str(kind): tried[kind] for kind in COMPARED if tried[kind]}
    planned = Counter[str]()
    for plan in plans:
        planned.update({str(kind): number for kind, number in plan.wrong_answers.items()})
    is_all = all(number == tried[kind] for kind, number in planned.items())
    now, bare = version(course, assignment), version(course, assignment, mutants=False)
    return Evidence(
        assignment.name,
        now,
        modes,
        reasons,
        counts,
        failures,
        planned={} if is_all else dict(planned),
        without_mutants="" if bare == now else bare,
    )


MAX_LINE: Final = 100  # characters of a line that are shown
_LINE: Final = re.compile(r"line (\d+): ")
QUICK_SECONDS: Final = 60.0
REPEAT: Final = 3  # runs of the solution; `examiner check` has more
AGAIN: Final = 4  # repetitions of what may be chance: one in a thousand stays, at the worst odds
COMPARED: Final = (TrialKind.INSTRUCTOR, TrialKind.RELEASE, TrialKind.MUTANT, TrialKind.AUTOMATIC)


def _differences(plan: Plan, cell: str, failure: str, results: Sequence[Result]) -> Iterator[str]:
    """Yield the reasons why a cell cannot be examined, as clauses for the author.

    Parameters
    ----------
    failure : str
        Why the solution loses points in a real kernel, if it does.
    """
    compared = [result for result in results if _has_both(result, cell)]
    solutions = [result for result in compared if result.trial.kind is TrialKind.INSTRUCTOR]
    examined = (result.examined[cell] for result in solutions)
    lost = next((account for account in examined if _loses(plan, cell, account)), None)
    if lost and not failure:
        points = plan.points[cell] - lost.points
        yield (f"examined, the instructor's solution loses {points:g} points ({_told(plan, cell, lost)})")
    if failure and not lost:
        yield f"in a Jupyter kernel, the instructor's solution fails it ({failure})"
    if all(_is_like_kernel(plan, cell, result.examined[cell], result.kernel[cell]) for result in solutions):
        others = [result for result in compared if result.trial.kind is not TrialKind.INSTRUCTOR]
        yield from _excesses(plan, cell, others)


def _has_both(result: Result, cell: str) -> bool:
    return cell in result.examined and cell in result.kernel


def _loses(plan: Plan, cell: str, account: Account) -> bool:
    return plan.points[cell] - account.points > TOLERANCE


def _is_like_kernel(plan: Plan, cell: str, examined: Account, twin: Account) -> bool:
    """Whether a snapshot that ran the solution's cell by itself gave the points that a kernel gives.

    What an earlier cell changed may not be there. What a snapshot says about other versions of such a cell
    means nothing.
    """
    return not _loses(plan, cell, twin) or _is_due_to_kernel(plan, cell, examined, twin)


def _excesses(plan: Plan, cell: str, results: Sequence[Result]) -> Iterator[str]:
    """Yield each version that gets more examined than in the kernel, as often as it was tried."""
    by_version: dict[tuple[TrialKind, str], list[Result]] = {}
    for result in results:
        by_version.setdefault((result.trial.kind, result.trial.name), []).append(result)
    for (_, name), tried in by_version.items():
        if all(_is_excess(plan, cell, result) for result in tried):
            examined, kernel = tried[0].examined[cell], tried[0].kernel[cell]
            yield (
                f"{name} gets {examined.points:g} points examined and {kernel.points:g} in the "
                f"kernel ({_told(plan, cell, kernel)})"
            )


def _is_excess(plan: Plan, cell: str, result: Result) -> bool:
    examined, kernel = result.examined[cell], result.kernel[cell]
    is_more = examined.points > kernel.points + TOLERANCE
    return is_more and not _is_due_to_kernel(plan, cell, examined, kernel)


def _told(plan: Plan, cell: str, account: Account) -> str:
    """Return where a cell ended, with that line of it, and why; of what cannot be examined, what to write."""
    why = (account.message or str(account.outcome)).removeprefix(f"{AUTHOR_ERROR}: ").removesuffix(": ")
    at = _LINE.match(why)
    number = int(at[1]) if at else account.line
    lines = plan.notebook.find(cell).source.split("\n") if number else []
    if not number or number > len(lines):
        return why
    return f"line {number}, `{lines[number - 1].strip()[:MAX_LINE]}`: {why.removeprefix(at[0] if at else '')}"


def _is_due_to_kernel(plan: Plan, cell: str, examined: Account, kernel: Account) -> bool:
    """Whether points were lost only because of how a kernel is graded."""
    is_measured = bool(examined.measured)
    return witness.is_warning(kernel) or witness.is_beyond_kernels(plan, cell, kernel, is_measured)
