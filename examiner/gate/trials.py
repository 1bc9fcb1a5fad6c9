"""The plan of what the gate runs on an assignment, and the trials that follow from it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from examiner.course.beside import allowed_files
from examiner.errors import BadSource
from examiner.gate import hollow, reach, stubs
from examiner.gate.hollow import HollowStub
from examiner.gate.lint import canaries, lint
from examiner.gate.model import Breach, Trial, TrialKind, place
from examiner.gate.mutants import BadMutant, Mutant, apply, changed_cells, read_mutant
from examiner.gate.stubs import AutomaticMutant
from examiner.judge.compile import prepare, uses_reference
from examiner.model import Assignment, Course, Mode
from examiner.notebook import CHECKS, Cell, Notebook, check_source, load_source, parse, read, released

MUTANTS = Path("tests", "mutants")
FIRST: Final = (TrialKind.WITNESS, TrialKind.REACH, TrialKind.OBSERVED, TrialKind.RELEASE)
WRONG_ANSWERS: Final = (TrialKind.MUTANT, TrialKind.AUTOMATIC)
WHOLE_RUNS: Final = 3  # runs of the solution with its demonstrations, which hardly depend on the seed
MUTANT_SECONDS: Final = 4  # ten times what the slowest grade cell takes
_Made = TypeVar("_Made")
AUTOMATIC_RUNTIME = Path(__file__).parents[1] / "candidate" / "watching.py"


@dataclass(frozen=True)
class Plan:
    """One notebook of an assignment, its mutants, and the breaches that were found without running it.

    `is_whole` says that no mutant was left out: only then a cell that none of them fails tests nothing.
    """

    course: Course
    assignment: Assignment
    notebook: Notebook
    document: Mapping[str, Any]
    files: Mapping[str, bytes]
    mutants: tuple[Mutant, ...]
    automatic: tuple[AutomaticMutant, ...]
    hollow: tuple[HollowStub, ...]
    agreeable: tuple[AutomaticMutant, ...]
    breaches: tuple[Breach, ...]
    is_whole: bool = True

    def place(self, cell: str = "") -> str:
        """Return the place of a cell of the notebook, or of the notebook itself, for people."""
        return place(self.notebook.path, self.course.root, cell)

    @property
    def name(self) -> str:
        """The name by which its trials and results are found: the assignment and the notebook."""
        return f"{self.assignment.name}/{self.notebook.path.stem}"

    @property
    def title(self) -> str:
        """Its name for people: the assignment's, with the notebook's where there are several."""
        is_only = len(self.course.notebooks(self.assignment)) == 1
        return self.assignment.name if is_only else self.name

    @property
    def points(self) -> dict[str, float]:
        """The points of each grade cell that is graded by running it."""
        return {cell.grade_id: cell.points for cell in self.notebook.cells if cell.is_autograded}

    @property
    def wrong_answers(self) -> dict[TrialKind, int]:
        """How many wrong answers there are to try, by the kind of trial."""
        numbers = len(self.mutants), len(self.automatic)
        return {kind: number for kind, number in zip(WRONG_ANSWERS, numbers, strict=True) if number}

    @cached_property
    def demonstrations(self) -> frozenset[int]:
        """The indices of the cells that only show something."""
        return frozenset(reach.demonstrations(self.notebook.cells))

    @cached_property
    def measured(self) -> frozenset[str]:
        """The grade cells that measure something, and so take longer than others."""
        return frozenset(cell.grade_id for cell in prepare(self.notebook.cells) if cell.measures)

    @cached_property
    def with_figures(self) -> frozenset[str]:
        """The grade cells that hold a figure against a threshold, measured or computed."""
        return frozenset(cell.grade_id for cell in self.notebook.cells if _has_figures(cell))

    @cached_property
    def using_reference(self) -> frozenset[str]:
        """The grade cells that use the reference, which no kernel has."""
        cells = [cell for cell in self.notebook.cells if cell.is_autograded]
        return frozenset(cell.grade_id for cell in cells if uses_reference(cell.source))

    @property
    def patience(self) -> int:
        """The time limit of a mutant's cell in seconds; it is short, since many mutants never end."""
        return min(self.course.limits.cell_seconds, MUTANT_SECONDS)

    def reached(
        self, sources: Mapping[str, str], called: Mapping[str, frozenset[str]]
    ) -> frozenset[str] | None:
        """Return the grade cells that new sources can reach, or None for all of them.

        A cell whose calls are not known is taken to be reached.
        """
        found = reach.reached(solutions_of(self.notebook), sources, called)
        return None if found is None else found | (self.points.keys() - called.keys())


def make_plans(course: Course, assignment: Assignment) -> list[Plan]:
    """Read all notebooks of an assignment, in order.

    Raises
    ------
    BadSource
        If there is none, one cannot be read, or nbgrader could not release one.
    """
    paths = course.notebooks(assignment)
    if not paths:
        raise BadSource(course.source(assignment), "there is no notebook in it", "add one")
    return [plan_notebook(course, assignment, path) for path in paths]


def plan_notebook(course: Course, assignment: Assignment, path: Path) -> Plan:
    """Read one notebook; what is wrong with single mutants or cells becomes a breach in the plan.

    Raises
    ------
    BadSource
        If it cannot be read, or nbgrader could not release it.
    """
    document = load_source(path, course.markers)
    notebook = parse(document, path)
    check_source(notebook)
    breaches = list(
        lint(
            notebook,
            lambda cell: place(notebook.path, course.root, cell),
            canaries_of_others(course, path),
        )
    )
    mutants = []
    for file in _mutant_files(course, assignment, notebook):
        try:
            mutant = read_mutant(file, notebook)
            apply(mutant, notebook)
        except BadMutant as error:
            breaches.append(Breach(error.place, error.fact, error.fix))
        else:
            mutants.append(mutant)
    return Plan(
        course=course,
        assignment=assignment,
        notebook=notebook,
        document=document,
        files=beside(course, assignment) | {f"{stubs.RUNTIME_MODULE}.py": AUTOMATIC_RUNTIME.read_bytes()},
        mutants=tuple(mutants),
        automatic=tuple(_of_solutions(notebook, stubs.mutants)),
        hollow=tuple(_of_solutions(notebook, hollow.stubs) if any(map(_has_figures, notebook.cells)) else ()),
        agreeable=tuple(_of_solutions(notebook, stubs.agreeable)),
        breaches=tuple(breaches),
    )


def _mutant_files(course: Course, assignment: Assignment, notebook: Notebook) -> Iterator[Path]:
    """Yield the files of the mutants that change a notebook; what changes none comes with the first one."""
    first, *_ = paths = course.notebooks(assignment)
    others = set[str]()
    for path in paths:
        if path != notebook.path:
            with suppress(BadSource):  # the plan of that notebook reports it
                others |= solutions_of(read(path)).keys()
    own = solutions_of(notebook).keys()
    for file in sorted((course.root / MUTANTS / assignment.name).glob("*.toml")):
        cells = changed_cells(file)
        if cells & own or (notebook.path == first and not cells & others):
            yield file


def canaries_of_others(course: Course, path: Path) -> dict[str, str]:
    """Return the canaries of the course's other notebooks, and the place of each."""
    found: dict[str, str] = {}
    for other in (notebook for assignment in course.assignments for notebook in course.notebooks(assignment)):
        if other != path:
            with suppress(BadSource):  # the check of that assignment reports it
                notebook = read(other)
                found |= {canary: place(other, course.root, cell) for cell, canary in canaries(notebook)}
    return found


def beside(course: Course, assignment: Assignment) -> dict[str, bytes]:
    """Return the files beside the notebook of a release, but the checks, which the environment has."""
    source = course.source(assignment)
    generated = {CHECKS}
    files = {}
    if course.package is not None:
        name = course.package.name
        generated.add(name)
        allowed = allowed_files(course.package, assignment.parts)
        files = {f"{name}/{path}": content for path, content in allowed.items()}
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        is_own = inside.parts[0] not in generated and not any(
            part.startswith((".", "__")) for part in inside.parts
        )
        if path.is_file() and is_own and path.suffix != ".ipynb":
            files[inside.as_posix()] = path.read_bytes()
    return files


def solutions_of(notebook: Notebook) -> dict[str, str]:
    """Return the sources of the solution cells that are run, by grade_id."""
    return {cell.grade_id: cell.source for cell in notebook.cells if cell.is_solution and cell.is_code}


def _has_figures(cell: Cell) -> bool:
    return cell.is_autograded and hollow.measures(cell.source)


def _of_solutions(notebook: Notebook, made_of: Callable[[str, str], Iterator[_Made]]) -> Iterator[_Made]:
    """Yield what is made of each solution cell."""
    for cell, source in solutions_of(notebook).items():
        try:
            yield from made_of(cell, source)
        except SyntaxError:
            continue  # lint reports that the cell is not plain Python


def count(plan: Plan, repeat: int, *, is_quick: bool = False) -> int:
    """Return how many trials a plan has; a quick one leaves out what decides nothing about modes."""
    if is_quick:
        return len(FIRST) - 1 + repeat + sum(plan.wrong_answers.values())
    proofs = sum(bool(mutant.equivalent) for mutant in plan.mutants)
    tried = (plan.mutants, plan.automatic, plan.hollow, plan.agreeable)
    return len(FIRST) + repeat + proofs + sum(map(len, tried))


def first_trials(plan: Plan, repeat: int) -> Iterator[Trial]:
    """Yield the witness and the trials that record, then the release and the first runs of the solution."""
    name, solutions = plan.name, solutions_of(plan.notebook)
    kernel = dict.fromkeys(plan.points, Mode.KERNEL)
    yield Trial(name, TrialKind.WITNESS, TrialKind.WITNESS, seed=name, modes=kernel)
    watched = {cell: _watched(cell, source) for cell, source in solutions.items()}
    yield Trial(name, TrialKind.REACH, TrialKind.REACH, seed=name, sources=watched, is_bare=True)
    yield Trial(name, TrialKind.OBSERVED, TrialKind.OBSERVED, seed=name, sources=watched, last=stubs.TELL)
    blanks = {cell: released(plan.notebook.find(cell)) for cell in solutions}
    yield Trial(name, TrialKind.RELEASE, TrialKind.RELEASE, seed=name, sources=blanks)
    for number in range(min(repeat, WHOLE_RUNS)):
        yield solution_trial(plan, number, is_bare=False)


def solution_trial(
    plan: Plan, number: int, *, is_bare: bool, modes: Mapping[str, Mode] | None = None
) -> Trial:
    """Return a run of the instructor's solution, with a seed of its own."""
    name, seed = f"run {number + 1}", f"{plan.name}-{number}"
    return Trial(plan.name, TrialKind.INSTRUCTOR, name, seed, is_bare=is_bare, modes=modes)


def _watched(cell: str, source: str) -> str:
    try:
        return reach.watched(cell, hollow.observed(cell, stubs.observed(cell, source)))
    except SyntaxError:
        return source  # lint reports that the cell is not plain Python


@dataclass(frozen=True)
class Known:
    """What the first trials have shown, and later ones use.

    Parameters
    ----------
    called : mapping from str to frozenset of str
        For each grade cell whose calls were recorded, the functions that had been called when it ended.
    is_bare : bool
        Whether the solution gets all points without demonstrations, so that they can be left out.
    """

    called: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_bare: bool = False


def further_trials(plan: Plan, repeat: int, known: Callable[[], Known]) -> Iterator[Trial]:
    """Yield the other runs of the solution, and every mutant.

    Parameters
    ----------
    known : callable
        Returns what the trials that have ended have shown; it is called for each trial anew.
    """
    for number in range(WHOLE_RUNS, repeat):
        yield solution_trial(plan, number, is_bare=known().is_bare)
    name, solutions, seconds = plan.name, solutions_of(plan.notebook), plan.patience
    for mutant in plan.mutants:
        sources, seed, latest = apply(mutant, plan.notebook), f"{name}-{mutant.name}", known()
        cells = plan.reached(sources, latest.called)
        yield Trial(
            name,
            TrialKind.MUTANT,
            mutant.name,
            seed,
            sources,
            cells=cells,
            is_bare=latest.is_bare,
            seconds=seconds,
        )
        if mutant.equivalent:
            yield Trial(name, TrialKind.PROOF, mutant.name, name, sources, mutant.proof, frozenset())
    for automatic in sorted(plan.automatic, key=lambda stub: stub.returns != stubs.FIRST_STUB):
        cell, latest = automatic.function.cell, known()
        cells = plan.reached({cell: stubs.returning_none(automatic, solutions[cell])}, latest.called)
        # A cell that measures compares answers first, so it refuses other stubs as it refuses None. All cells
        # run for None; for the others the cells that do not measure are enough, if one of them takes points.
        quick = (frozenset(plan.points) if cells is None else cells) - plan.measured
        enough = frozenset() if automatic.returns == stubs.FIRST_STUB else quick
        sources = {cell: automatic.source}
        yield Trial(
            name,
            TrialKind.AUTOMATIC,
            automatic.key,
            name,
            sources,
            cells=cells,
            enough=enough,
            is_bare=latest.is_bare,
            seconds=seconds,
        )
    yield from _hollow_trials(plan, known)
    yield from _agreeable_trials(plan, known)


def _hollow_trials(plan: Plan, known: Callable[[], Known]) -> Iterator[Trial]:
    """Yield a trial of each hollow stub, on the cells with figures that it can reach."""
    for stub in plan.hollow:
        latest = known()
        reached = plan.reached({stub.cell: stub.silenced}, latest.called)
        yield Trial(
            plan.name,
            TrialKind.HOLLOW,
            stub.key,
            plan.name,
            {stub.cell: stub.source},
            cells=plan.with_figures if reached is None else plan.with_figures & reached,
            is_bare=latest.is_bare,
            seconds=plan.patience,
        )


def _agreeable_trials(plan: Plan, known: Callable[[], Known]) -> Iterator[Trial]:
    """Yield the trials of agreeable objects, examined only: in a kernel they agree with every `==`."""
    solutions, modes = solutions_of(plan.notebook), dict.fromkeys(plan.points, Mode.EXAMINED)
    for mutant in plan.agreeable:
        cell, latest = mutant.function.cell, known()
        yield Trial(
            plan.name,
            TrialKind.AGREEABLE,
            mutant.key,
            plan.name,
            {cell: mutant.source},
            cells=plan.reached({cell: stubs.returning_none(mutant, solutions[cell])}, latest.called),
            is_bare=latest.is_bare,
            seconds=plan.patience,
            modes=modes,
        )
