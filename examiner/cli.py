"""The command line: arguments in, an exit code out; what happens in between is in `pipeline`."""

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from examiner import environment, lab, pipeline
from examiner.candidate.runner import Servers
from examiner.check import check as hold_against_gate
from examiner.course import choose, load_course
from examiner.errors import (
    DONE,
    INTERRUPTED,
    AuthorFault,
    ExaminerError,
    NoGradebook,
    PlatformFault,
    StudentFault,
)
from examiner.export.csv import write_csv
from examiner.grades import read_grades
from examiner.model import Assignment, Course, Grades, Student
from examiner.report import gate
from examiner.report.progress import progress
from examiner.report.table import class_table, legend, question_key, question_table

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")
out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)

CourseOption = Annotated[Path, typer.Option("--course", metavar="DIR", help="The folder of the course.")]
AssignmentOption = Annotated[
    list[str] | None, typer.Option("--assignment", "-a", metavar="NAME", help="Only this one; repeatable.")
]
StudentOption = Annotated[
    list[str] | None, typer.Option("--student", "-s", metavar="ID", help="Only this one; repeatable.")
]
HERE = Path()
CORES = os.cpu_count() or 1

GRADE_EPILOG = """
[bold]Examples[/bold]

  examiner grade                                  what is new

  examiner grade -a 01_tensor -a 02_variable      two assignments

  examiner grade -s student03 --force --points    one student once more, with every question

  examiner grade --course ~/courses/tensors       a course elsewhere

[bold]Exit codes[/bold]  0 everything is graded; 3 some submission cannot be, all others are;
2 the command line or the course is wrong; 1 a fault of the platform; 130 interrupted
"""

CHECK_EPILOG = """
[bold]Examples[/bold]

  examiner check                                  every assignment, as before a release

  examiner check 04_conv2d --verbose              one of them, with what each mutant lost

  examiner check --repeat 3 --json gate.json      as in continuous integration

[bold]Exit codes[/bold]  0 no breach; 2 some; 1 a fault of the platform; 130 interrupted
"""

EXPORT_EPILOG = """
[bold]Examples[/bold]

  examiner export                                 grades.csv

  examiner export --to points.csv --questions     a column for every question
"""


@app.callback(invoke_without_command=True)
def examiner(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Release, grade, explain and export a course of Jupyter notebooks."""
    if show_version:
        out.print(version("tinytorch-examiner"))
        raise typer.Exit


@app.command(epilog=GRADE_EPILOG)
def grade(  # noqa: PLR0913, PLR0917  (a command has the options it has)
    assignment: AssignmentOption = None,
    student: StudentOption = None,
    points: Annotated[bool, typer.Option("--points", help="Show every question's points.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Grade again what is graded already.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="How many run side by side.")] = CORES,
    course: CourseOption = HERE,
) -> None:
    """Release every assignment, grade what is new, make the feedback and the CSV, and show the class."""
    wish = pipeline.Wish(tuple(assignment or ()), tuple(student or ()), force, workers)
    try:
        with progress(out) as watch:
            run = pipeline.grade(load_course(course), wish, watch)
    except KeyboardInterrupt:
        err.print("Interrupted. What is graded is kept; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    _show(run, points=points)
    raise typer.Exit(_exit_code(run))


@app.command(epilog=CHECK_EPILOG)
def check(  # noqa: PLR0913, PLR0917  (a command has the options it has)
    assignment: Annotated[list[str] | None, typer.Argument(help="Only these; all without any.")] = None,
    repeat: Annotated[
        int, typer.Option(min=1, help="Runs of the instructor's solution, each with its seed.")
    ] = 10,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what each mutant lost.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything into a file, too.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many run side by side.")] = CORES,
    course: CourseOption = HERE,
) -> None:
    """Hold assignments against their gate: solution 100 %, release 0, each mutant loses what it should."""
    found = load_course(course)
    environment.require(found)
    chosen = _chosen(found, assignment)
    try:
        home = found.state / "home"
        with Servers(found.student.python, home, workers) as servers, gate.progress(err) as watch:
            reports = hold_against_gate(found, chosen, repeat, servers, watch)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if json_file is not None:
        json_file.write_text(json.dumps(gate.data(reports), indent=1))
    for report in reports if verbose else ():
        out.print(gate.mutants_table(report))
    out.print(gate.table(reports))
    for sentence in gate.voids(reports):
        out.print(sentence, style="dim", markup=False)
    breaches = list(gate.breaches(reports))
    for sentence in breaches:
        err.print("[red]![/]", end=" ")
        err.print(sentence, markup=False)
    raise typer.Exit(AuthorFault.exit_code if breaches else DONE)


def _chosen(course: Course, names: list[str] | None) -> list[Assignment]:
    known = {assignment.name: assignment for assignment in course.assignments}
    return [known[choose("assignment", name, known)] for name in names or known]


@app.command()
def release(assignment: AssignmentOption = None, course: CourseOption = HERE) -> None:
    """Make the versions that students get, as `grade` does too."""
    with progress(out) as watch:
        pipeline.release(load_course(course), pipeline.Wish(tuple(assignment or ()), workers=CORES), watch)
    out.print("the releases are what the sources make")


@app.command(epilog=EXPORT_EPILOG)
def export(
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to; grades.csv in the course.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="The format: csv.")] = "csv",
    questions: Annotated[bool, typer.Option("--questions", help="Add a column for every question.")] = False,
    course: CourseOption = HERE,
) -> None:
    """Write what the gradebook says into a file."""
    choose("format", form, ["csv"])
    found = load_course(course)
    path = to or found.root / "grades.csv"
    write_csv(path, found, _grades(found), questions=questions)
    out.print(f"wrote {path}")


@app.command()
def setup(course: CourseOption = HERE) -> None:
    """Make the environment that submissions run in, and register its kernel."""
    found = load_course(course)
    if not environment.setup(found, out.print):
        out.print(f"{found.student.folder.name} and the kernel {found.student.kernel} are up to date")


@app.command("lab", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def open_lab(context: typer.Context, course: CourseOption = HERE) -> None:
    """Open the course in JupyterLab; other options go to JupyterLab."""
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    lab.start(load_course(course), [*as_root, *context.args])


def _show(run: pipeline.Run, *, points: bool) -> None:
    """Print the class, then everything that needs a word, then where to look next."""
    signs = {(each.student, each.assignment): "~" for each in run.stale}
    signs |= {(each.student, each.assignment): "!" for each in run.faults}
    students = _students(run)
    table = class_table(run.course, run.grades, students, signs)
    out.print(table)
    out.print(legend(table), style="dim")
    if points:
        for assignment in run.wish.assignments or [each.name for each in run.course.assignments]:
            out.print(question_table(run.grades, assignment, students))
            out.print(question_key(run.grades, assignment), style="dim")
    for fault in run.faults.values():
        err.print(f"[red]![/] {type(fault).__name__}", end=" ")
        err.print(str(fault), markup=False)
    graded = f"{run.graded} graded, {len(run.submissions) - run.graded} as they were"
    out.print(f"{graded}. Next: feedback/ for students, grades.csv, `examiner lab` for manual grading.")


def _students(run: pipeline.Run) -> list[Student]:
    """Return everybody who is in the roster, in the gradebook or handed in, or only those asked for."""
    known = {each.id: each for each in (*run.course.roster, *run.grades.students)}
    everybody = known.keys() | {each.student for each in run.submissions}
    return [known.get(name, Student(name)) for name in run.wish.students or sorted(everybody)]


def _exit_code(run: pipeline.Run) -> int:
    faults = run.faults.values()
    if any(isinstance(fault, PlatformFault) for fault in faults):
        return PlatformFault.exit_code
    return StudentFault.exit_code if faults else DONE


def _grades(course: Course) -> Grades:
    """Return what the gradebook says, which has to be there."""
    if not course.gradebook.exists():
        raise NoGradebook(course.gradebook, "there is no gradebook yet", "run `examiner grade`")
    return read_grades(course)


def main() -> None:
    """Run the command line; every foreseen error is one sentence and an exit code."""
    try:
        app()
    except ExaminerError as error:
        err.print(f"[bold red]{type(error).__name__}[/]", end=" ")
        err.print(str(error), markup=False)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
