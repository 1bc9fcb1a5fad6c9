"""What the gate is going to try on an assignment, read before anything runs."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from examiner import automatic, parts
from examiner.automatic import AutomaticMutant
from examiner.errors import BadSource
from examiner.lint import canaries, lint
from examiner.model import Assignment, Course
from examiner.mutants import BadMutant, Mutant, apply, read_mutant
from examiner.notebook import Notebook, blank, check_source, read
from examiner.trials import Breach, Kind, Trial, place

MUTANTS = Path("tests", "mutants")
AUTOMATIC_RUNTIME = Path(__file__).parent / "candidate" / "automatic.py"


@dataclass(frozen=True)
class Plan:
    """All that is to be tried on one assignment."""

    course: Course
    assignment: Assignment
    notebook: Notebook
    files: Mapping[str, bytes]
    mutants: tuple[Mutant, ...]
    automatic: tuple[AutomaticMutant, ...]
    breaches: tuple[Breach, ...]

    def place(self, cell: str = "") -> str:
        """Return where a cell of the notebook is to be found."""
        return place(self.notebook.path, self.course.root, cell)

    @property
    def points(self) -> dict[str, float]:
        """The points of each grade cell that is graded by running it."""
        return {cell.grade_id: cell.points for cell in self.notebook.cells if cell.is_autograded}


def make_plan(course: Course, assignment: Assignment) -> Plan:
    """Read an assignment; whatever is wrong with single mutants or cells becomes a breach of the plan.

    Raises
    ------
    BadSource
        If there is not exactly one notebook, it cannot be read, or nbgrader could not release it.
    """
    notebook = read(only_notebook(course.source(assignment)))
    check_source(notebook)
    breaches = list(
        lint(
            notebook,
            lambda cell: place(notebook.path, course.root, cell),
            canaries_of_others(course, assignment),
        )
    )
    mutants = []
    for path in sorted((course.root / MUTANTS / assignment.name).glob("*.toml")):
        try:
            mutant = read_mutant(path, notebook)
            apply(mutant, notebook)
        except BadMutant as error:
            breaches.append(Breach(error.place, error.fact, error.fix))
        else:
            mutants.append(mutant)
    return Plan(
        course=course,
        assignment=assignment,
        notebook=notebook,
        files=beside(course, assignment),
        mutants=tuple(mutants),
        automatic=tuple(_automatic(notebook)),
        breaches=tuple(breaches),
    )


def canaries_of_others(course: Course, assignment: Assignment) -> dict[str, str]:
    """Return the canaries of the course's other notebooks, and where they are."""
    found: dict[str, str] = {}
    for other in course.assignments:
        if other.name != assignment.name:
            with suppress(BadSource):  # that one's own check says so
                notebook = read(only_notebook(course.source(other)))
                found |= {
                    canary: place(notebook.path, course.root, cell) for cell, canary in canaries(notebook)
                }
    return found


def only_notebook(folder: Path) -> Path:
    """Return the notebook of an assignment's folder."""
    found = sorted(folder.glob("*.ipynb"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise BadSource(folder, f"one notebook is expected, there is {names}", "keep one")
    return found[0]


def beside(course: Course, assignment: Assignment) -> dict[str, bytes]:
    """Return what lies beside the notebook of a release, the checks aside, which the environment has."""
    source = course.source(assignment)
    generated = {parts.CHECKS}
    files = {}
    if course.package is not None:
        name = course.package.name
        generated.add(name)
        allowed = parts.allowed_files(course.package, assignment.parts)
        files = {f"{name}/{path}": content for path, content in allowed.items()}
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        is_own = inside.parts[0] not in generated and not any(
            part.startswith((".", "__")) for part in inside.parts
        )
        if path.is_file() and is_own and path.suffix != ".ipynb":
            files[inside.as_posix()] = path.read_bytes()
    files[f"{automatic.RUNTIME}.py"] = AUTOMATIC_RUNTIME.read_bytes()
    return files


def _solutions(notebook: Notebook) -> dict[str, str]:
    return {cell.grade_id: cell.source for cell in notebook.cells if cell.is_solution and cell.is_code}


def _automatic(notebook: Notebook) -> Iterator[AutomaticMutant]:
    for cell, source in _solutions(notebook).items():
        try:
            yield from automatic.mutants(cell, source)
        except SyntaxError:
            continue  # a breach already: lint has said that the cell is not plain Python


def trials(plan: Plan, repeat: int) -> Iterator[Trial]:
    """Yield every version of the notebook that is to be run."""
    name, solutions = plan.assignment.name, _solutions(plan.notebook)
    for number in range(repeat):
        yield Trial(name, Kind.INSTRUCTOR, f"run {number + 1}", seed=f"{name}-{number}")
    blanks = {cell: blank(source) for cell, source in solutions.items()}
    yield Trial(name, Kind.RELEASE, Kind.RELEASE, seed=name, sources=blanks)
    for mutant in plan.mutants:
        sources = apply(mutant, plan.notebook)
        yield Trial(name, Kind.MUTANT, mutant.name, seed=f"{name}-{mutant.name}", sources=sources)
        if mutant.equivalent:
            yield Trial(name, Kind.PROOF, mutant.name, seed=name, sources=sources, last=mutant.proof)
    for each in plan.automatic:
        yield Trial(name, Kind.AUTOMATIC, each.key, seed=name, sources={each.function.cell: each.source})
    if plan.automatic:
        cells = {mutant.function.cell for mutant in plan.automatic}
        watched = {cell: automatic.observed(cell, solutions[cell]) for cell in cells}
        yield Trial(name, Kind.OBSERVED, Kind.OBSERVED, seed=name, sources=watched, last=automatic.OBSERVE)
