"""The command line: arguments in, an exit code out; what happens in between is in `pipeline`."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from examiner.errors import INTERRUPTED, ExaminerError

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")

CourseOption = Annotated[Path, typer.Option("--course", metavar="DIR", help="The folder of the course.")]

EXAMPLES = """
[bold]Examples[/bold]

  examiner grade                                 everything that is new
  examiner grade --student student03 --points    one student, every question
  examiner export --to grades.csv --questions    a column for every question
"""


@app.callback(epilog=EXAMPLES, invoke_without_command=True)
def root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Release, grade, explain and export a course of Jupyter notebooks."""
    if show_version:
        typer.echo(version("tinytorch-examiner"))
        raise typer.Exit


def main() -> None:
    """Run the command line; every foreseen error is one sentence and an exit code."""
    try:
        app(standalone_mode=True)
    except ExaminerError as error:
        Console(stderr=True, soft_wrap=True).print(f"[bold red]{type(error).__name__}[/] ", end="")
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(str(error))
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
