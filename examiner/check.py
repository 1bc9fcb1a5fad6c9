"""The gate: right solutions get everything, wrong ones lose what they should, and nothing is given away.

Every version of a notebook (the instructor's, the release, each mutant) is a trial. All trials of all
assignments run side by side in the student environment; then the results are held against each plan.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from examiner import automatic
from examiner.candidate.runner import CellRun, Run, Servers
from examiner.errors import ExaminerError
from examiner.model import Assignment, Course, Limits
from examiner.mutants import Mutant
from examiner.plan import Plan, make_plan, trials
from examiner.points import points_of
from examiner.trials import TOLERANCE, Breach, Kind, Report, Result, Trial, Tried, same, shown

AUTOMATIC_SECONDS = 60  # for a whole notebook: automatic mutants like to loop, and need not do so for long
LAST = "last"  # the cell that a trial adds, among the troubles

Progress = Callable[[int, int], None]
Results = Mapping[tuple[Kind, str], Result]


def check(
    course: Course, assignments: Sequence[Assignment], repeat: int, servers: Servers, progress: Progress
) -> list[Report]:
    """Try everything on these assignments; `progress` hears how many trials are done, and of how many."""
    plans: dict[str, Plan] = {}
    reports: dict[str, Report] = {}
    for assignment in assignments:
        try:
            plans[assignment.name] = make_plan(course, assignment)
        except ExaminerError as error:
            breach = Breach(error.place, error.fact, error.fix)
            reports[assignment.name] = Report(assignment.name, breaches=(breach,))
    todo = [trial for plan in plans.values() for trial in trials(plan, repeat)]
    results: dict[str, dict[tuple[Kind, str], Result]] = {name: {} for name in plans}
    runs = ((trial, _run(plans[trial.assignment], trial)) for trial in todo)
    for done, (trial, cells) in enumerate(servers.run_all(runs)):
        progress(done, len(todo))
        results[trial.assignment][trial.kind, trial.name] = _result(plans[trial.assignment], trial, cells)
    progress(len(todo), len(todo))
    reports |= {name: judge(plan, results[name]) for name, plan in plans.items()}
    return [reports[assignment.name] for assignment in assignments]


def _run(plan: Plan, trial: Trial) -> Run:
    sources = [trial.sources.get(cell.grade_id, cell.source) for cell in plan.notebook.cells if cell.is_code]
    limits = plan.course.limits
    if trial.kind is Kind.AUTOMATIC:
        limits = Limits(limits.cell_seconds, min(limits.notebook_seconds, AUTOMATIC_SECONDS))
    return Run(
        cells=tuple([*sources, trial.last] if trial.last else sources),
        files=plan.files,
        environment={"EXAMINER_SEED": trial.seed},
        limits=limits,
        tracebacks="Minimal",
    )


def _result(plan: Plan, trial: Trial, cells: Sequence[CellRun]) -> Result:
    """Reduce what was seen to points and the first trouble of each cell."""
    lost, troubles = {}, {}
    code_cells = [cell for cell in plan.notebook.cells if cell.is_code]
    for cell, run in zip(code_cells, cells, strict=False):
        name = cell.grade_id or cell.id
        if trouble := _trouble(run):
            troubles[name] = trouble
        if cell.is_autograded:
            try:
                missing = cell.points - points_of(run.outputs, cell.points)
            except (ValueError, KeyError) as error:  # nbgrader would refuse to grade the submission
                troubles[name] = f"nbgrader cannot grade it: {error}"
                missing = cell.points
            if missing > TOLERANCE:
                lost[name] = missing
    printed = ""
    if trial.last:
        printed = "".join(each["text"] for each in cells[-1].outputs if each.get("name") == "stdout")
        if trouble := _trouble(cells[-1]):
            troubles[LAST] = trouble
    return Result(trial, lost, troubles, printed, sum(run.seconds for run in cells))


def _trouble(run: CellRun) -> str:
    for each in run.outputs:
        if each["output_type"] == "error":
            return f"{each['ename']}: {each['evalue']}".partition("\n")[0]
        if each.get("name") == "stderr":
            return f"stderr: {each['text']}".partition("\n")[0]
    return ""


def judge(plan: Plan, results: Results) -> Report:
    """Hold the results of an assignment's trials against its plan."""
    instructor = [result for (kind, _), result in results.items() if kind is Kind.INSTRUCTOR]
    release = results[Kind.RELEASE, Kind.RELEASE]
    mutants = tuple(_mutant(plan, mutant, results[Kind.MUTANT, mutant.name]) for mutant in plan.mutants)
    automatic_mutants = tuple(_automatic(plan, results))
    breaches = (
        *plan.breaches,
        *_instructor(plan, instructor),
        *_release(plan, release),
        *(tried.breach for tried in (*mutants, *automatic_mutants) if tried.breach),
        *_equivalents(plan, results),
        *_unseen(plan, results),
        *_vacuous(plan, automatic_mutants),
    )
    return Report(
        assignment=plan.assignment.name,
        points=sum(plan.points.values()),
        grade_cells=len(plan.points),
        perfect_runs=sum(not result.lost for result in instructor),
        runs=len(instructor),
        release_points=sum(plan.points.values()) - sum(release.lost.values()),
        mutants=mutants,
        automatic=automatic_mutants,
        breaches=breaches,
        seconds=sum(result.seconds for result in results.values()),
    )


def _instructor(plan: Plan, results: Sequence[Result]) -> Iterator[Breach]:
    """Yield one breach for every cell in which the instructor's solution is not perfect."""
    cells = dict.fromkeys(cell for result in results for cell in (*result.lost, *result.troubles))
    for cell in cells:
        bad = [result for result in results if cell in result.lost or cell in result.troubles]
        first = bad[0]
        said = first.troubles.get(cell, f"loses {first.lost.get(cell, 0):g} points")
        fact = f"the instructor's solution fails it in {len(bad)} of {len(results)} runs ({said})"
        yield Breach(plan.place(cell), fact, f"run it with EXAMINER_SEED={first.trial.seed} and mend it")


def _release(plan: Plan, result: Result) -> Iterator[Breach]:
    for cell, points in plan.points.items():
        given = points - result.lost.get(cell, 0.0)
        if given > TOLERANCE:
            fix = "test something that only a solution can do"
            yield Breach(plan.place(cell), f"the release gets {given:g} points for no work at all", fix)


def _mutant(plan: Plan, mutant: Mutant, result: Result) -> Tried:
    """Return what a mutant lost, which must be exactly what it names."""
    points, breach = plan.points, None
    named = {cell: points[cell] if lost is None else lost for cell, lost in mutant.loses.items()}
    if not same(result.lost, named):
        fact = f"it loses {shown(result.lost)} instead of {shown(named)}"
        fix = "sharpen or narrow the grade cells, or correct 'loses'"
        if mutant.equivalent:
            fix = "it is not equivalent: name what it loses instead of proving it"
        breach = Breach(_path(plan, mutant), fact, fix)
    return Tried(mutant.name, mutant.mistake, result.lost, breach, mutant.equivalent)


def _path(plan: Plan, mutant: Mutant) -> str:
    return str(mutant.path.relative_to(plan.course.root))


def _equivalents(plan: Plan, results: Results) -> Iterator[Breach]:
    equivalent = [mutant for mutant in plan.mutants if mutant.equivalent]
    for mutant in equivalent:
        where = _path(plan, mutant)
        trouble = results[Kind.PROOF, mutant.name].troubles.get(LAST)
        if trouble:
            yield Breach(
                where, f"its proof fails ({trouble})", "mend the proof, or name what the mutant loses"
            )
        if mutant is not equivalent[0]:
            fact = f"it is the assignment's second equivalent mutant after {equivalent[0].name}"
            yield Breach(where, fact, "write a test for one of them")


def _automatic(plan: Plan, results: Results) -> Iterator[Tried]:
    """Yield every automatic mutant, with what it lost or why it could not lose anything."""
    if not plan.automatic:
        return
    seen = automatic.read_observations(results[Kind.OBSERVED, Kind.OBSERVED].printed or "{}")
    for mutant in plan.automatic:
        lost = results[Kind.AUTOMATIC, mutant.key].lost
        excuse = "" if lost else automatic.excuse(mutant, seen) or ""
        breach = None
        if not lost and not excuse:
            where = plan.place(mutant.function.cell)
            breach = Breach(where, f"nothing is lost when {mutant.name}", "test what it returns")
        yield Tried(mutant.name, mutant.function.cell, lost, breach, excuse)


def _unseen(plan: Plan, results: Results) -> Iterator[Breach]:
    """Yield a breach if the run that watches what functions return did not reach its end."""
    observed = results.get((Kind.OBSERVED, Kind.OBSERVED))
    if observed is not None and (trouble := observed.troubles.get(LAST)):
        fact = f"the solution does not run with its functions watched ({trouble})"
        yield Breach(plan.place(), fact, "look for what depends on the functions' own objects")


def _vacuous(plan: Plan, tried: Sequence[Tried]) -> Iterator[Breach]:
    """Yield the grade cells that no automatic mutant fails."""
    failed = {cell for each in tried for cell in each.lost}
    for cell in plan.points:
        if cell not in failed:
            fact = "no function of a solution matters to it: it passes whatever they return"
            yield Breach(plan.place(cell), fact, "let it call what students write, and check the answer")
