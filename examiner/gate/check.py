"""The gate: right solutions get everything, wrong ones lose what they should, and nothing is given away.

Every version of a notebook (the instructor's, the release, each mutant) is a trial, judged examined and in
the kernel. What both say decides where each grade cell is judged; then the results are held against each
plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from examiner.course.names import choose
from examiner.errors import ExaminerError
from examiner.gate import evidence, flake_rate, stubs
from examiner.gate.evidence import Evidence, cannot_pass_in_kernel
from examiner.gate.model import LAST, TOLERANCE, Breach, Report, Result, TrialKind, Tried, same, shown
from examiner.gate.mutants import Mutant
from examiner.gate.run import Results, TrialProgress, TrialRunner
from examiner.gate.trials import Plan, make_plan, solution_trial
from examiner.model import Assignment, Course, Mode

MOST_SELF_REPORTED = 0.1  # of an assignment's points


@dataclass(frozen=True)
class CheckRequest:
    """What is to be held against the gate, and how.

    Parameters
    ----------
    assignments : tuple of str
        Their names; no names mean all of the course.
    repeat : int
        How many runs of the instructor's solution, each with a seed of its own.
    workers : int
        How many trials run side by side.
    only_solution : bool
        Whether nothing but the solution is tried, as students are graded.
    known : bool
        Whether each cell is judged where its evidence says, instead of both ways. An assignment without
        evidence is judged both ways all the same.
    """

    assignments: tuple[str, ...] = ()
    repeat: int = 10
    workers: int = 1
    only_solution: bool = False
    known: bool = False


def check(course: Course, request: CheckRequest, progress: TrialProgress) -> list[Report]:
    """Hold assignments against the gate, keep the evidence, and return a report on each, in order.

    Raises
    ------
    UnknownName
        If the course has no assignment of a name.
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
    course, plans = runner.course, dict[str, Plan]()
    reports: dict[str, Report] = {}
    for assignment in assignments:
        try:
            plans[assignment.name] = make_plan(course, assignment)
        except ExaminerError as error:
            breach = Breach(error.place, error.fact, error.fix)
            reports[assignment.name] = Report(assignment.name, breaches=(breach,))
    read = {name: evidence.read(course, plan.assignment) for name, plan in plans.items() if request.known}
    known = {name: found for name, found in read.items() if found}
    modes = {plans[name].name: found.modes for name, found in known.items()}
    results = runner.run_all(list(plans.values()), request.repeat, modes)
    for name, plan in plans.items():
        found = known.get(name) or evidence.weigh(course, plan.assignment, [plan], results)
        evidence.write(course, found)
        reports[name] = judge(plan, found, results[plan.name])
    return [reports[assignment.name] for assignment in assignments]


def _try_solutions(runner: TrialRunner, assignments: Sequence[Assignment], repeat: int) -> list[Report]:
    """Try the instructor's solutions alone, in the mode that each cell gets."""
    plans = [make_plan(runner.course, assignment) for assignment in assignments]
    known = {plan.name: _known(plan) for plan in plans}
    trials = (
        solution_trial(plan, number, is_bare=True, modes=known[plan.name].modes)
        for plan in plans
        for number in range(repeat)
    )
    results: dict[str, list[Result]] = {plan.name: [] for plan in plans}
    for result in runner.run(plans, trials, repeat * len(plans)):
        results[result.trial.plan].append(result)
    return [
        Report(
            assignment=plan.assignment.name,
            points=sum(plan.points.values()),
            grade_cells=len(plan.points),
            perfect_runs=sum(not any(_failures(plan, known[plan.name], run)) for run in results[plan.name]),
            runs=repeat,
            breaches=tuple(_instructor(plan, known[plan.name], results[plan.name])),
        )
        for plan in plans
    ]


def _known(plan: Plan) -> Evidence:
    """Return the evidence about an assignment, or that nothing speaks against examining it."""
    found = evidence.read(plan.course, plan.assignment)
    return found or Evidence(plan.assignment.name, "", dict.fromkeys(plan.points, Mode.EXAMINED))


def judge(plan: Plan, found: Evidence, results: Results) -> Report:
    """Hold the results of an assignment's trials against its plan, in the mode that each cell gets."""
    instructor = [result for (kind, _), result in results.items() if kind is TrialKind.INSTRUCTOR]
    lost = {key: result.lost(plan.points, found.modes) for key, result in results.items()}
    release = lost[TrialKind.RELEASE, TrialKind.RELEASE]
    mutants = tuple(_mutant(plan, mutant, lost[TrialKind.MUTANT, mutant.name]) for mutant in plan.mutants)
    automatic_mutants = tuple(_automatic(plan, results, lost))
    self_reported = sum(plan.points[cell] for cell, mode in found.modes.items() if mode.is_self_reported)
    breaches = (
        *plan.breaches,
        *_instructor(plan, found, instructor),
        *_flaky(plan, found, instructor),
        *_release(plan, release),
        *(tried.breach for tried in (*mutants, *automatic_mutants) if tried.breach),
        *_equivalents(plan, results),
        *_unseen(plan, results),
        *_vacuous(plan, automatic_mutants),
        *_self_reported(plan, self_reported),
    )
    return Report(
        assignment=plan.assignment.name,
        points=sum(plan.points.values()),
        grade_cells=len(plan.points),
        perfect_runs=sum(not any(_failures(plan, found, result)) for result in instructor),
        runs=len(instructor),
        release_points=sum(plan.points.values()) - sum(release.values()),
        mutants=mutants,
        automatic=automatic_mutants,
        self_reported=self_reported,
        reasons={plan.place(cell): reason for cell, reason in found.reasons.items()},
        breaches=breaches,
    )


def _instructor(plan: Plan, found: Evidence, results: Sequence[Result]) -> Iterator[Breach]:
    """Yield one breach for every cell in which the instructor's solution is not perfect."""
    failures = [dict(_failures(plan, found, result)) for result in results]
    for cell in dict.fromkeys(cell for failed in failures for cell in failed):
        bad = [failed[cell] for failed in failures if cell in failed]
        message, seed = bad[0]
        fact = f"the instructor's solution fails it in {len(bad)} of {len(results)} runs ({message})"
        yield Breach(plan.place(cell), fact, f"run it with EXAMINER_SEED={seed} and mend it")


def _flaky(plan: Plan, found: Evidence, results: Sequence[Result]) -> Iterator[Breach]:
    """Yield a breach for every check whose best threshold is too close to what the solution reaches."""
    for cell in plan.points:
        accounts = [result.account(cell, found.modes[cell]) for result in results]
        for runs in zip(*(account.measured for account in accounts if account), strict=False):
            if runs[0].kind not in flake_rate.MEASURED:
                continue
            rate = flake_rate.flake_rate(runs)
            if rate > flake_rate.TOLERATED:
                shown = ", ".join(f"{run.middle:.3g}" for run in runs)
                fact = (
                    f"{runs[0].what} reaches {shown} {runs[0].unit}: too close to the threshold of "
                    f"{runs[0].rungs[0][0]:g}, which one run in {1 / rate:.0f} would miss"
                )
                yield Breach(plan.place(cell), fact, f"move it to {flake_rate.safe_threshold(runs):.3g}")


def _failures(plan: Plan, found: Evidence, result: Result) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each cell that fails in a run of the solution, with what it said and its seed.

    Students see a grade cell in a kernel, so it has to be right there, too, but for `reference`.
    """
    yield from ((cell, (trouble, "practice")) for cell, trouble in result.troubles.items())
    for cell, points in plan.points.items():
        for mode in dict.fromkeys((found.modes[cell], Mode.KERNEL)):
            account = result.account(cell, mode)
            is_own = (
                mode is Mode.KERNEL
                and account
                and cannot_pass_in_kernel(plan, cell, result.examined.get(cell), account)
            )
            if account and points - account.points > TOLERANCE and not is_own:
                message = account.message or f"loses {points - account.points:g} points"
                yield cell, (message, account.seed)
                break


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
        yield Breach(plan.place(), fact, "rewrite the cells that run in the kernel, as the warnings say")


def _mutant(plan: Plan, mutant: Mutant, lost: Mapping[str, float]) -> Tried:
    """Return what a mutant lost, which must be exactly what it names."""
    points, breach = plan.points, None
    named = {cell: points[cell] if each is None else each for cell, each in mutant.loses.items()}
    if not same(lost, named):
        fact = f"it loses {shown(lost)} instead of {shown(named)}"
        fix = "sharpen or narrow the grade cells, or correct 'loses'"
        if mutant.equivalent:
            fix = "it is not equivalent: name what it loses instead of proving it"
        breach = Breach(_path(plan, mutant), fact, fix)
    return Tried(mutant.name, mutant.mistake, lost, breach, mutant.equivalent)


def _path(plan: Plan, mutant: Mutant) -> str:
    return str(mutant.path.relative_to(plan.course.root))


def _equivalents(plan: Plan, results: Results) -> Iterator[Breach]:
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
    """Yield every automatic mutant, with what it lost or why it could not lose anything."""
    differed: dict[str, frozenset[str]] = {}
    for _, seen in results[TrialKind.OBSERVED, TrialKind.OBSERVED].seen:
        for name, values in (seen.differed if seen else {}).items():
            differed[name] = differed.get(name, frozenset()) | values
    for mutant in plan.automatic:
        lost = losses[TrialKind.AUTOMATIC, mutant.key]
        excuse = "" if lost else stubs.excuse(mutant, differed) or ""
        breach = None
        if not lost and not excuse:
            where = plan.place(mutant.function.cell)
            breach = Breach(where, f"nothing is lost when {mutant.name}", "test what it returns")
        yield Tried(mutant.name, mutant.function.cell, lost, breach, excuse)


def _unseen(plan: Plan, results: Results) -> Iterator[Breach]:
    """Yield a breach if the run that watches what functions return could not tell it."""
    observed = results[TrialKind.OBSERVED, TrialKind.OBSERVED]
    told = {cell for cell, seen in observed.seen if seen}
    for cell in dict.fromkeys(cell for cell, _ in observed.seen if cell not in told):
        account = observed.account(cell, Mode.KERNEL)
        message = account.message if account else observed.troubles.get(LAST, "")
        fact = f"the solution does not run with its functions watched ({message})"
        yield Breach(plan.place(cell), fact, "look for what depends on the functions' own objects")
        return


def _vacuous(plan: Plan, tried: Sequence[Tried]) -> Iterator[Breach]:
    """Yield the grade cells that no automatic mutant fails."""
    failed = {cell for each in tried for cell in each.lost}
    for cell in plan.points:
        if cell not in failed:
            fact = "no function of a solution matters to it: it passes whatever they return"
            yield Breach(plan.place(cell), fact, "let it call what students write, and check the answer")
