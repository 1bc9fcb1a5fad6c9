"""The gate: the solution gets all points, each mutant loses what it should, and the release gets nothing.

Every version of a notebook (the instructor's, the release, each mutant) is run as a trial, in which each
grade cell is judged in both modes: examined, and in the kernel. Comparing the two decides in which mode the
cell will be judged. The results in that mode must then meet the demands of the gate; and the solution must
get all points in one real Jupyter kernel, too.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from examiner.course import environment
from examiner.course.names import choose
from examiner.errors import BadSource, ExaminerError
from examiner.gate import evidence, flake_rate, stubs, witness
from examiner.gate.evidence import Evidence
from examiner.gate.model import (
    LAST,
    TOLERANCE,
    Breach,
    Report,
    Result,
    Results,
    Trial,
    TrialKind,
    Tried,
    same,
    shown,
)
from examiner.gate.mutants import Mutant
from examiner.gate.run import TrialProgress, TrialRunner
from examiner.gate.short import Part, in_part
from examiner.gate.stubs import PublicFunction
from examiner.gate.trials import Plan, make_plans, solution_trial
from examiner.model import Assignment, Course, Mode

RUNS_ALONE: Final = 6

MOST_SELF_REPORTED = 0.1  # the largest share of an assignment's points


@dataclass(frozen=True)
class CheckRequest:
    """Which assignments are checked, and how.

    Parameters
    ----------
    assignments : tuple of str
        Their names; an empty tuple means all of the course.
    repeat : int
        How often the instructor's solution is run, each time with another seed.
    workers : int
        How many trials run in parallel.
    only_solution : bool
        Whether only the instructor's solution is run, each cell in the mode in which students are graded.
    known : bool
        Whether each cell is judged only in the mode that its evidence names, instead of in both. An
        assignment without evidence is judged in both modes anyway.
    part : Part, optional
        Which of the mistakes are tried; None means all.
    """

    assignments: tuple[str, ...] = ()
    repeat: int = 10
    workers: int = 1
    only_solution: bool = False
    known: bool = False
    part: Part | None = None


def check(course: Course, request: CheckRequest, progress: TrialProgress) -> list[Report]:
    """Check assignments and return a report on each notebook, in order; the evidence is stored.

    Where only the solution is run, there is no new evidence, and nothing is stored.

    Raises
    ------
    UnknownName
        If the course has no assignment of that name.
    MissingEnvironment
        If the environment of all these assignments is missing.
    """
    known = {assignment.name: assignment for assignment in course.assignments}
    assignments = [known[choose("assignment", name, known)] for name in request.assignments or known]
    runner = TrialRunner(course, request.workers, progress)
    if request.only_solution:
        return _try_solutions(runner, assignments, request.repeat)
    return _try_everything(runner, assignments, request)


def _try_everything(
    runner: TrialRunner, assignments: Sequence[Assignment], request: CheckRequest
) -> list[Report]:
    course = runner.course
    plans, broken = _plans(course, assignments)
    if request.part:
        plans = {name: [in_part(plan, request.part) for plan in group] for name, group in plans.items()}
    stored = {name: evidence.read(course, plans[name][0].assignment) for name in plans if request.known}
    known = {name: found for name, found in stored.items() if found}
    everything = [plan for group in plans.values() for plan in group]
    modes = {plan.name: found.of(plan).modes for name, found in known.items() for plan in plans[name]}
    results = runner.run_all(everything, request.repeat, modes)
    evidence.confirm(runner, [plan for plan in everything if plan.name not in modes], results)
    reports = {name: [report] for name, report in broken.items()}
    for name, group in plans.items():
        found = known.get(name) or evidence.weigh(course, group[0].assignment, group, results)
        evidence.write(course, found)
        reports[name] = [_report(runner, plan, found.of(plan), results[plan.name]) for plan in group]
    return [report for assignment in assignments for report in reports[assignment.name]]


def _report(runner: TrialRunner, plan: Plan, found: Evidence, results: Results) -> Report:
    return judge(plan, found, results, _measured_alone(runner, plan, found, results))


def _plans(
    course: Course, assignments: Sequence[Assignment]
) -> tuple[dict[str, list[Plan]], dict[str, Report]]:
    """Return the plans of assignments, and a report with one breach on each that cannot be tried, by name."""
    _, faults = environment.require_some(course, assignments)
    plans: dict[str, list[Plan]] = {}
    reports: dict[str, Report] = {}
    for assignment in assignments:
        try:
            if assignment.name in faults:
                raise faults[assignment.name]
            _require_python(course, assignment)
            plans[assignment.name] = make_plans(course, assignment)
        except ExaminerError as error:
            breach = Breach(error.place, error.fact, error.fix)
            reports[assignment.name] = Report(assignment.name, breaches=(breach,))
    return plans, reports


def _require_python(course: Course, assignment: Assignment) -> None:
    student = environment.environment_of(course, assignment)
    if not student.is_ipykernel:
        fact = f"its kernel {student.kernel} is not ipykernel, and the check can try no other one"
        raise BadSource(course.source(assignment), fact, "check it by hand, and name the other assignments")


def _measured_alone(
    runner: TrialRunner, plan: Plan, found: Evidence, results: Results
) -> list[Result] | None:
    """Run the solution again with nothing beside it, if a threshold seems too close to what it reaches.

    So is a submission graded again whose measurements were not clear. Returns None if none seems too close.
    """
    if next(_flaky(plan, found, _of_instructor(results)), None) is None:
        return None
    first = len(_of_instructor(results))
    numbers = range(first, first + RUNS_ALONE)
    trials = [solution_trial(plan, number, is_bare=False, modes=found.modes) for number in numbers]
    return list(replace(runner, workers=1).run([plan], lambda _: trials, len(trials)))


def _of_instructor(results: Results) -> list[Result]:
    return [result for (kind, _), result in results.items() if kind is TrialKind.INSTRUCTOR]


def _try_solutions(runner: TrialRunner, assignments: Sequence[Assignment], repeat: int) -> list[Report]:
    """Run only the instructor's solutions, each cell in the mode in which students are graded."""
    by_name, broken = _plans(runner.course, assignments)
    plans = [plan for group in by_name.values() for plan in group]
    known = {plan.name: _stored_evidence(plan) for plan in plans}

    def trials(group: Sequence[Plan]) -> Iterator[Trial]:
        for plan in group:
            modes = known[plan.name].modes
            yield from (solution_trial(plan, n, is_bare=True, modes=modes) for n in range(repeat))

    results: dict[str, list[Result]] = {plan.name: [] for plan in plans}
    for result in runner.run(plans, trials, repeat * len(plans)):
        results[result.trial.plan].append(result)
    reports = {name: [report] for name, report in broken.items()}
    for plan in plans:
        report = Report(
            assignment=plan.title,
            points=sum(plan.points.values()),
            grade_cells=len(plan.points),
            perfect_runs=sum(not any(_failures(plan, known[plan.name], run)) for run in results[plan.name]),
            runs=repeat,
            breaches=tuple(_instructor(plan, known[plan.name], results[plan.name])),
        )
        reports.setdefault(plan.assignment.name, []).append(report)
    return [report for assignment in assignments for report in reports[assignment.name]]


def _stored_evidence(plan: Plan) -> Evidence:
    """Return the stored evidence about a notebook; where there is none, all its cells are examined."""
    found = evidence.read(plan.course, plan.assignment)
    return (
        found.of(plan)
        if found
        else Evidence(plan.assignment.name, "", dict.fromkeys(plan.points, Mode.EXAMINED))
    )


def judge(plan: Plan, found: Evidence, results: Results, alone: Sequence[Result] | None = None) -> Report:
    """Return the report on a notebook: what its trials gave, in the mode that the evidence on it names.

    Parameters
    ----------
    alone : sequence of Result, optional
        Runs of the solution with nothing beside them, by which thresholds are held to be far enough.
    """
    instructor = _of_instructor(results)
    lost = {key: result.lost(plan.points, found.modes) for key, result in results.items()}
    release = lost[TrialKind.RELEASE, TrialKind.RELEASE]
    mutants = tuple(_mutant(plan, mutant, lost[TrialKind.MUTANT, mutant.name]) for mutant in plan.mutants)
    automatic_mutants = tuple(_automatic(plan, results, lost))
    hollow_stubs = tuple(_hollow(plan, results, lost))
    self_reported = sum(plan.points[cell] for cell, mode in found.modes.items() if mode.is_self_reported)
    claims = _claims(plan, found, instructor)
    unlike = _unlike_kernel(plan, results)
    breaches = (
        *plan.breaches,
        *_instructor(plan, found, instructor, unlike),
        *_in_kernel(plan, found, results, unlike),
        *_flaky(plan, found, instructor if alone is None else alone),
        *_release(plan, release),
        *(tried.breach for tried in (*mutants, *automatic_mutants, *hollow_stubs) if tried.breach),
        *_equivalents(plan, results),
        *_unseen(plan, results),
        *(_vacuous(plan, automatic_mutants) if plan.is_whole else ()),
        *_agreeable(plan, found, results, lost),
        *_self_reported(plan, self_reported),
    )
    return Report(
        assignment=plan.title,
        points=sum(plan.points.values()),
        grade_cells=len(plan.points),
        perfect_runs=sum(not any(_failures(plan, found, result, unlike)) for result in instructor),
        runs=len(instructor),
        release_points=sum(plan.points.values()) - sum(release.values()),
        mutants=mutants,
        automatic=automatic_mutants + hollow_stubs,
        self_reported=self_reported,
        claimed=sum(plan.points[cell] for cell in claims),
        claims={plan.place(cell): ", ".join(kinds) for cell, kinds in claims.items()},
        reasons={plan.place(cell): reason for cell, reason in found.reasons.items()},
        breaches=breaches,
    )


def _claims(plan: Plan, found: Evidence, results: Sequence[Result]) -> dict[str, tuple[str, ...]]:
    """Return what each examined cell asks that the student's process alone can answer."""
    examined = [cell for cell in plan.points if found.modes[cell] is Mode.EXAMINED]
    accounts = {cell: [r.account(cell, Mode.EXAMINED) for r in results] for cell in examined}
    claims = {
        cell: tuple(dict.fromkeys(kind for account in runs if account for kind in account.claimed))
        for cell, runs in accounts.items()
    }
    return {cell: kinds for cell, kinds in claims.items() if kinds}


def _instructor(
    plan: Plan, found: Evidence, results: Sequence[Result], unlike: frozenset[str] = frozenset()
) -> Iterator[Breach]:
    """Yield one breach for every cell that fails in a run of the instructor's solution."""
    runs = [dict(_failures(plan, found, result, unlike)) for result in results]
    for cell in dict.fromkeys(cell for failures in runs for cell in failures):
        failed = [failures[cell] for failures in runs if cell in failures]
        message, seed = failed[0]
        fact = f"the instructor's solution fails it in {len(failed)} of {len(results)} runs ({message})"
        yield Breach(plan.place(cell), fact, f"run it with EXAMINER_SEED={seed} and mend it")


def _flaky(plan: Plan, found: Evidence, results: Sequence[Result]) -> Iterator[Breach]:
    """Yield a breach for every check whose best threshold is too close to the solution's own figure."""
    for cell in plan.points:
        accounts = [result.account(cell, found.modes[cell]) for result in results]
        for runs in zip(*(account.measured for account in accounts if account), strict=False):
            if runs[0].kind not in flake_rate.MEASURED:
                continue
            rate = flake_rate.flake_rate(runs)
            if rate > flake_rate.TOLERATED:
                figures = ", ".join(f"{run.middle:.3g}" for run in runs)
                fact = (
                    f"{runs[0].what} reaches {figures} {runs[0].unit}: too close to the threshold of "
                    f"{runs[0].rungs[0][0]:g}, which one run in {1 / rate:.0f} would miss"
                )
                fix = f"move the threshold to {flake_rate.safe_threshold(runs):.3g}"
                yield Breach(plan.place(cell), fact, fix)


def _failures(
    plan: Plan, found: Evidence, result: Result, unlike: frozenset[str] = frozenset()
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each cell that fails in a run of the solution, with its message and its seed.

    Students run the grade cells that they see in a Jupyter kernel, so a cell has to pass there with each
    seed, too, unless it fails for a reason that no kernel can avoid.

    Parameters
    ----------
    unlike : frozenset of str
        The cells of which a snapshot says nothing about a kernel.
    """
    yield from ((cell, (trouble, "practice")) for cell, trouble in result.troubles.items())
    for cell, points in plan.points.items():
        for mode in dict.fromkeys((found.modes[cell], Mode.KERNEL)):
            account = result.account(cell, mode)
            is_excused = mode is Mode.KERNEL and (cell in unlike or _is_unavoidable(plan, cell, result))
            if account and points - account.points > TOLERANCE and not is_excused:
                message = account.message or f"loses {points - account.points:g} points"
                yield cell, (message, account.seed)
                break


def _is_unavoidable(plan: Plan, cell: str, result: Result) -> bool:
    examined, kernel = result.examined.get(cell), result.kernel.get(cell)
    is_measured = examined is not None and bool(examined.measured)
    return kernel is not None and witness.is_beyond_kernels(plan, cell, kernel, is_measured)


def _unlike_kernel(plan: Plan, results: Results) -> frozenset[str]:
    """Return the cells that get all points in the real kernel, and lose some in every snapshot."""
    runs = [result.kernel for (kind, _), result in results.items() if kind is TrialKind.INSTRUCTOR]
    real = results[TrialKind.WITNESS, TrialKind.WITNESS]
    lost = real.lost(plan.points, dict.fromkeys(plan.points, Mode.KERNEL))
    return frozenset(
        cell
        for cell, points in plan.points.items()
        if cell not in lost and all(cell in run and points - run[cell].points > TOLERANCE for run in runs)
    )


def _in_kernel(plan: Plan, found: Evidence, results: Results, unlike: frozenset[str]) -> Iterator[Breach]:
    """Yield a breach for each cell that the solution fails in a real kernel, and nowhere else."""
    runs = [result for (kind, _), result in results.items() if kind is TrialKind.INSTRUCTOR]
    known = {cell for result in runs for cell, _ in _failures(plan, found, result, unlike)}
    for cell, why in witness.failures(plan, results).items():
        if cell not in known:
            fact = f"in a Jupyter kernel, the instructor's solution fails it ({why})"
            yield Breach(plan.place(cell), fact, "mend the test or the solution: it would not be graded")


def _release(plan: Plan, lost: Mapping[str, float]) -> Iterator[Breach]:
    for cell, points in plan.points.items():
        given = points - lost.get(cell, 0.0)
        if given > TOLERANCE:
            fix = "test something that only a solution can do"
            yield Breach(plan.place(cell), f"the release gets {given:g} points for no work at all", fix)


def _self_reported(plan: Plan, points: float) -> Iterator[Breach]:
    total = sum(cell.points for cell in plan.notebook.grade_cells)
    if points > MOST_SELF_REPORTED * total:
        fact = (
            f"{points:g} of its {total:g} points are self-reported, at most {MOST_SELF_REPORTED:.0%} may be"
        )
        yield Breach(plan.place(), fact, "rewrite the cells that the warnings name, so they can be examined")


def _mutant(plan: Plan, mutant: Mutant, lost: Mapping[str, float]) -> Tried:
    """Return what a mutant lost, with a breach unless that is exactly what its file names."""
    points, breach = plan.points, None
    named = {cell: points[cell] if loss is None else loss for cell, loss in mutant.loses.items()}
    if not same(lost, named):
        fact = f"it loses {shown(lost)} instead of {shown(named)}"
        fix = "sharpen or narrow the grade cells, or correct 'loses'"
        if mutant.equivalent:
            fix = "it is not equivalent: replace 'equivalent' and 'proof' by what it loses"
        breach = Breach(_path(plan, mutant), fact, fix)
    return Tried(mutant.name, mutant.mistake, lost, breach, mutant.equivalent)


def _path(plan: Plan, mutant: Mutant) -> str:
    return str(mutant.path.relative_to(plan.course.root))


def _equivalents(plan: Plan, results: Results) -> Iterator[Breach]:
    """Yield a breach for each equivalent mutant whose proof fails, and for each one after the first."""
    equivalent = [mutant for mutant in plan.mutants if mutant.equivalent]
    for mutant in equivalent:
        where = _path(plan, mutant)
        trouble = results[TrialKind.PROOF, mutant.name].troubles.get(LAST)
        if trouble:
            yield Breach(
                where, f"its proof fails ({trouble})", "mend the proof, or name what the mutant loses"
            )
        if mutant is not equivalent[0]:
            fact = f"it is the assignment's second equivalent mutant after {equivalent[0].name}"
            yield Breach(where, fact, "write a test for one of them")


def _automatic(
    plan: Plan, results: Results, losses: Mapping[tuple[TrialKind, str], Mapping[str, float]]
) -> Iterator[Tried]:
    """Yield the result of every automatic mutant; one that lost nothing has an excuse or a breach."""
    differed: dict[str, frozenset[str]] = {}
    for _, seen in results[TrialKind.OBSERVED, TrialKind.OBSERVED].seen:
        for function, values in (seen.differed if seen else {}).items():
            differed[function] = differed.get(function, frozenset()) | values
    for mutant in plan.automatic:
        lost = losses[TrialKind.AUTOMATIC, mutant.key]
        excuse = "" if lost else stubs.excuse(mutant, differed) or ""
        breach = None
        if not lost and not excuse:
            where = plan.place(mutant.function.cell)
            breach = Breach(where, f"nothing is lost when {mutant.name}", "test what it returns")
        yield Tried(mutant.name, mutant.function.cell, lost, breach, excuse)


def _hollow(
    plan: Plan, results: Results, losses: Mapping[tuple[TrialKind, str], Mapping[str, float]]
) -> Iterator[Tried]:
    """Yield the result of every hollow stub; it has to lose points in each cell that measures it."""
    differed: dict[str, list[Mapping[str, frozenset[str]]]] = {}
    for cell, seen in results[TrialKind.OBSERVED, TrialKind.OBSERVED].seen:
        differed.setdefault(cell, []).extend([seen.differed] if seen else [])
    for stub in plan.hollow:
        lost = losses[TrialKind.HOLLOW, stub.key]
        measuring = [
            cell for cell in sorted(plan.with_figures) if any(map(stub.matters, differed.get(cell, ())))
        ]
        paying = [cell for cell in measuring if cell not in lost]
        breach = None
        if paying:
            fact = f"nothing is lost when {stub.what}"
            fix = "compare the values of what is measured, and read back what is kept"
            breach = Breach(", ".join(map(plan.place, paying)), fact, fix)
        yield Tried(stub.what, stub.cell, lost, breach, "" if measuring else "nothing else is measured")


def _agreeable(
    plan: Plan,
    found: Evidence,
    results: Results,
    losses: Mapping[tuple[TrialKind, str], Mapping[str, float]],
) -> Iterator[Breach]:
    """Yield a breach for each examined cell that is passed by an object that agrees, or gives back."""
    for mutant in plan.agreeable:
        result = results[TrialKind.AGREEABLE, mutant.key]
        for cell in losses[TrialKind.AUTOMATIC, f"{mutant.function.key} returns None"]:
            if found.modes[cell] is not Mode.EXAMINED or not _names(plan, cell, mutant.function):
                continue
            account = result.account(cell, Mode.EXAMINED)
            if account and plan.points[cell] - account.points <= TOLERANCE:
                fix = "take values first, as float(f(x)) or f(x).numpy(), and compare them, or their type"
                yield Breach(plan.place(cell), f"it passes when {mutant.name}", fix)


def _names(plan: Plan, cell: str, function: PublicFunction) -> bool:
    """Whether a cell names a function or uses an operator of it: what it gets comes from these alone."""
    name = function.name.rpartition(".")[2]
    used = ast.walk(ast.parse(plan.notebook.find(cell).source))
    return name.startswith("__") or any(
        name in {getattr(node, "id", ""), getattr(node, "attr", "")} for node in used
    )


def _unseen(plan: Plan, results: Results) -> Iterator[Breach]:
    """Yield a breach if the run that records what functions return ended before it printed its record."""
    observed = results[TrialKind.OBSERVED, TrialKind.OBSERVED]
    recorded = {cell for cell, seen in observed.seen if seen}
    for cell in dict.fromkeys(cell for cell, _ in observed.seen if cell not in recorded):
        account = observed.account(cell, Mode.KERNEL)
        message = account.message if account else observed.troubles.get(LAST, "")
        fact = f"the solution fails once its functions are decorated to record what they return ({message})"
        yield Breach(plan.place(cell), fact, "look for code that needs its functions undecorated")
        return


def _vacuous(plan: Plan, tried: Sequence[Tried]) -> Iterator[Breach]:
    """Yield a breach for every grade cell in which no automatic mutant lost points."""
    failed = {cell for mutant in tried for cell in mutant.lost}
    for cell in plan.points:
        if cell not in failed:
            fact = "it passes whatever the functions of a solution return"
            yield Breach(plan.place(cell), fact, "call a function that students write, and check its answer")
