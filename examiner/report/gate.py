"""The gate's findings: a table for people, the same as plain data for programs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from examiner.gate.model import Report, Tried, shown
from examiner.plain import to_plain

TENTHS = 10


@contextmanager
def progress(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Give something that shows how many trials are done: a bar in a terminal, ten lines elsewhere."""
    if not console.is_terminal:
        yield lambda done, total: _line(console, done, total)
        return
    with Progress(
        TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    ) as bar:
        task = bar.add_task("trials", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _line(console: Console, done: int, total: int) -> None:
    if done * TENTHS // total > (done - 1) * TENTHS // total >= 0:
        console.print(f"trials {done}/{total}")


def table(reports: Sequence[Report]) -> Table:
    """Return one line for each assignment: right solutions, points for no work, wrong solutions caught."""
    found = Table(title="examiner check", box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    found.add_column("assignment", min_width=11)
    found.add_column("grade\ncells", justify="right")
    found.add_column("self-\nreported", justify="right")
    for column in ("solution", "release", "mutants", "auto-\nmatic", "void", "breaches"):
        found.add_column(column, justify="right")
    for report in reports:
        found.add_row(
            report.assignment,
            f"{report.grade_cells}",
            f"{report.self_reported:g}",
            _marked(f"{report.perfect_runs}/{report.runs}", report.perfect_runs == report.runs > 0),
            _marked(f"{report.release_points:g}/{report.points:g}", report.release_points == 0),
            _caught(report.mutants),
            _caught(report.automatic),
            f"{sum(each.is_void for each in report.automatic)}",
            _marked(f"{len(report.breaches)}", not report.breaches),
        )
    return found


def _marked(text: str, is_good: bool) -> Text:
    return Text(text, style="green" if is_good else "bold red")


def _caught(tried: Sequence[Tried]) -> Text:
    asked = [each for each in tried if not each.is_void]
    caught = sum(each.breach is None for each in asked)
    return _marked(f"{caught}/{len(asked)}", caught == len(asked))


def mutants_table(report: Report) -> Table:
    """Return one line for each mutant of an assignment, automatic ones included."""
    found = Table(title=f"{report.assignment}: what each mutant lost")
    for column in ("mutant", "mistake", "lost"):
        found.add_column(column, overflow="fold")
    for each in report.mutants:
        found.add_row(each.name, each.what, _outcome(each))
    found.add_section()
    for each in report.automatic:
        found.add_row(each.name, f"cell {each.what}", _outcome(each))
    return found


def _outcome(each: Tried) -> Text:
    if each.excuse:
        return Text(f"{shown(each.lost)}: {each.excuse}", style="dim")
    return _marked(shown(each.lost), each.breach is None)


def breaches(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each breach."""
    for report in reports:
        yield from map(str, report.breaches)


def solutions(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each assignment whose solution was tried alone."""
    for report in reports:
        perfect = f"{report.perfect_runs} of {report.runs} runs"
        yield f"{report.assignment}: all {report.points:g} points in {perfect}"


def warnings(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each grade cell that is not examined."""
    for report in reports:
        for place, reason in report.reasons.items():
            yield f"{place}: it runs in the kernel, self-reported, since {reason}."


def voids(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each reason why automatic mutants are none, with their names."""
    for report in reports:
        by_reason: dict[str, list[str]] = {}
        for each in report.automatic:
            if each.is_void:
                by_reason.setdefault(each.excuse, []).append(each.name)
        for reason, names in by_reason.items():
            yield f"{report.assignment}: void, since {reason}: {', '.join(names)}."


def data(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return everything as plain data."""
    return [to_plain(report) for report in reports]
