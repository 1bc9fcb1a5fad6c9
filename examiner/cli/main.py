"""The commands and their options.

What a command does is in another module of this room, which is imported only when the command runs, so that
`--help` is quick.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from examiner import version
from examiner.errors import ExaminerError, fault_of_the_machine

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")

CourseOption = Annotated[Path, typer.Option("--course", metavar="DIR", help="The folder of the course.")]
AssignmentOption = Annotated[
    list[str] | None,
    typer.Option("--assignment", "-a", metavar="NAME", help="Only this assignment; repeatable."),
]
StudentOption = Annotated[
    list[str] | None, typer.Option("--student", "-s", metavar="ID", help="Only this student; repeatable.")
]
HERE = Path()
CORES = os.cpu_count() or 1

GRADE_EPILOG = """
[bold]Examples[/bold]

  examiner grade                                  grade what is new

  examiner grade -a 01_tensor -a 02_variable      two assignments

  examiner grade -s student03 --points            one student, with the points of every question

  examiner grade --regrade -a 04_conv2d           stale grades too, after the assignment changed

  examiner grade --course ~/courses/tensors       a course in another folder

[bold]Exit codes[/bold]  0 everything is graded; 3 some submission cannot be graded, all others are;
2 the command line or the course is wrong; 1 a fault of the platform; 130 interrupted
"""

CHECK_EPILOG = """
[bold]Examples[/bold]

  examiner check                                  every assignment, as before a release

  examiner check 04_conv2d --verbose              one assignment, with the points that each mutant lost

  examiner check --known --json gate.json         for continuous integration: quicker, with a report as JSON

  examiner check --known --part 1/4               quicker still: a quarter of the mutants, always the same one

  examiner check --only-solution --repeat 300     whether some random seed costs the solution points

[bold]Exit codes[/bold]  0 every demand is met; 2 some are not, or the course is wrong;
1 a fault of the platform; 130 interrupted
"""

DOCTOR_EPILOG = """
[bold]Examples[/bold]

  examiner doctor                                 before the first run, and after the machine changed

  examiner doctor --verbose                       every wall, also those that stand

  examiner doctor --json health.json              for a monitoring system

[bold]Exit codes[/bold]  0 the course can be graded, behind all walls; 3 it can, but something is missing;
1 it cannot; 2 the course is wrong
"""

EXPORT_EPILOG = """
[bold]Examples[/bold]

  examiner export                                 write grades.csv

  examiner export --to points.csv --questions     a column for every question
"""


BACKUP_EPILOG = """
[bold]Examples[/bold]

  examiner backup ~/course.tar.gz                          everything that cannot be made again, in one file

  examiner restore ~/course.tar.gz --course ~/course       on another machine, or after a loss

[bold]Exit codes[/bold]  0 done; 2 the file or the folder cannot be used; 1 a fault of the platform
"""

FORGET_EPILOG = """
[bold]Examples[/bold]

  examiner forget student03                       list what the course holds of a person

  examiner forget student03 --yes                 remove it for good

[bold]Exit codes[/bold]  0 removed; 2 nothing was removed, since --yes is missing or nobody is called so;
1 a fault of the platform
"""


@app.callback(invoke_without_command=True)
def examiner(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Release, grade, explain and export a course of Jupyter notebooks."""
    if show_version:
        typer.echo(version())
        raise typer.Exit


@app.command(epilog=GRADE_EPILOG)
def grade(  # noqa: PLR0913, PLR0917 - a command has the options it has
    assignment: AssignmentOption = None,
    student: StudentOption = None,
    points: Annotated[bool, typer.Option("--points", help="Show the points of every question.")] = False,
    regrade: Annotated[
        bool, typer.Option("--regrade", help="Grade anew where assignment or environment changed.")
    ] = False,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Run students' code although walls are missing.")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Grade although the solution loses points in a Jupyter kernel.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results into a file, too.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many processes work side by side.")] = CORES,
    course: CourseOption = HERE,
) -> None:
    """Release every assignment, grade what is new, make the feedback and the CSV, and show the class."""
    from examiner.cli import grading  # noqa: PLC0415
    from examiner.pipeline import GradeRequest  # noqa: PLC0415

    request = GradeRequest(tuple(assignment or ()), tuple(student or ()), regrade, workers, unsafe, anyway)
    raise typer.Exit(grading.grade(course, request, json_file, points=points))


@app.command(epilog=CHECK_EPILOG)
def check(  # noqa: PLR0913, PLR0917 - a command has the options it has
    assignment: Annotated[list[str] | None, typer.Argument(help="Only these; without a name, all.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of the solution, each with its own seed.")] = 10,
    only_solution: Annotated[
        bool, typer.Option("--only-solution", help="Run only the solution, as students are graded.")
    ] = False,
    known: Annotated[
        bool, typer.Option("--known", help="Judge each cell only where the evidence says: quicker.")
    ] = False,
    part: Annotated[
        str, typer.Option(metavar="N/M", help="Try one of M parts of the mutants, such as 1/4.")
    ] = "",
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the points that each mutant lost.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the findings into a file, too.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many processes work side by side.")] = CORES,
    course: CourseOption = HERE,
) -> None:
    """Check assignments: the solution gets 100 %, the release 0, each mutant loses what it should."""
    from examiner.cli import gate  # noqa: PLC0415
    from examiner.gate.check import CheckRequest  # noqa: PLC0415
    from examiner.gate.short import Part  # noqa: PLC0415

    if part and not known:
        raise typer.BadParameter("it goes with --known: evidence needs all mutants", param_hint="--part")
    try:
        wanted = Part.parse(part) if part else None
    except ValueError as error:
        raise typer.BadParameter("write such as 1/4: the first of four parts", param_hint="--part") from error
    request = CheckRequest(tuple(assignment or ()), repeat, workers, only_solution, known, wanted)
    raise typer.Exit(gate.check(course, request, json_file, verbose=verbose))


@app.command()
def release(assignment: AssignmentOption = None, course: CourseOption = HERE) -> None:
    """Make the releases, which are what students get; `grade` does it too."""
    from examiner.cli import grading  # noqa: PLC0415
    from examiner.pipeline import GradeRequest  # noqa: PLC0415

    raise typer.Exit(grading.release(course, GradeRequest(tuple(assignment or ()), workers=CORES)))


@app.command()
def rebuild(course: CourseOption = HERE) -> None:
    """Make the gradebook anew from the grade sheets, the source notebooks and the manual grades."""
    from examiner.cli import grading  # noqa: PLC0415

    raise typer.Exit(grading.rebuild(course))


@app.command(epilog=EXPORT_EPILOG)
def export(
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file; by default grades.csv in the course.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="The format: csv.")] = "csv",
    questions: Annotated[bool, typer.Option("--questions", help="Add a column for every question.")] = False,
    course: CourseOption = HERE,
) -> None:
    """Write the grades into a file."""
    from examiner.cli import exports  # noqa: PLC0415

    raise typer.Exit(exports.export(course, to, form, questions=questions))


@app.command(epilog=BACKUP_EPILOG)
def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write, such as course.tar.gz.")],
    course: CourseOption = HERE,
) -> None:
    """Copy everything of the course that cannot be made again into one file."""
    from examiner.cli import keeping  # noqa: PLC0415

    raise typer.Exit(keeping.backup(course, file))


@app.command(epilog=BACKUP_EPILOG)
def restore(
    file: Annotated[Path, typer.Argument(help="An archive that `examiner backup` wrote.")],
    course: CourseOption = HERE,
) -> None:
    """Put a course back from a backup; it replaces no file that is different."""
    from examiner.cli import keeping  # noqa: PLC0415

    raise typer.Exit(keeping.restore(course, file))


@app.command(epilog=FORGET_EPILOG)
def forget(
    student: Annotated[str, typer.Argument(help="The id of the student.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove it, and do not only list it.")] = False,
    course: CourseOption = HERE,
) -> None:
    """Remove everything about a student: work, grades, history, pages, logs."""
    from examiner.cli import keeping  # noqa: PLC0415

    raise typer.Exit(keeping.forget(course, student, is_sure=yes))


@app.command()
def setup(course: CourseOption = HERE) -> None:
    """Make the environment that submissions run in, and register its kernel."""
    from examiner.cli import machine  # noqa: PLC0415

    raise typer.Exit(machine.setup(course))


@app.command(epilog=DOCTOR_EPILOG)
def doctor(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show every wall, also those that stand.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the findings into a file, too.")
    ] = None,
    course: CourseOption = HERE,
) -> None:
    """Say whether this machine can grade this course, and what to do if it cannot."""
    from examiner.cli import health  # noqa: PLC0415

    raise typer.Exit(health.doctor(course, json_file, verbose=verbose))


@app.command("lab", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def open_lab(context: typer.Context, course: CourseOption = HERE) -> None:
    """Open the course in JupyterLab, which gets all other options."""
    from examiner.cli import machine  # noqa: PLC0415

    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    machine.lab(course, [*as_root, *context.args])


def main() -> None:
    """Run the command line; an error of ours or of the operating system is one sentence and an exit code."""
    from examiner.cli.console import complain, prepare_streams  # noqa: PLC0415 - an import of `app` stays quick

    prepare_streams()
    try:
        app()
    except (ExaminerError, OSError) as error:
        fault = error if isinstance(error, ExaminerError) else fault_of_the_machine(error, Path.cwd())
        complain(str(fault))
        raise SystemExit(fault.exit_code) from None


if __name__ == "__main__":
    main()
