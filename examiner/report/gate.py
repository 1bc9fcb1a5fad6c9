"""Renders the gate's findings: as tables and sentences for people, as plain data for programs."""

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
from examiner.report.progress import is_a_tenth


@contextmanager
def progress(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function that shows how many trials are done: a bar in a terminal, ten lines elsewhere."""
    if not console.is_terminal:
        yield lambda done, total, name: _line(console, done, total, name)
        return
    with Progress(
        *(TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
        TextColumn("{task.fields[now]}", style="dim", markup=False),
        console=console,
    ) as bar:
        task = bar.add_task("trials", total=None, now="")
        yield lambda done, total, name: bar.update(task, completed=done, total=total, now=name)


def _line(console: Console, done: int, total: int, name: str) -> None:
    """Print a line whenever another tenth of the trials is done."""
    if is_a_tenth(done, total):
        console.print(f"trials {done}/{total} {name}", markup=False)


def table(reports: Sequence[Report]) -> Table:
    """Return a row for each assignment: runs of the solution, points of the release, mutants caught."""
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
            f"{sum(mutant.is_void for mutant in report.automatic)}",
            _marked(f"{len(report.breaches)}", not report.breaches),
        )
    return found


def _marked(text: str, is_good: bool) -> Text:
    return Text(text, style="green" if is_good else "bold red")


def _caught(tried: Sequence[Tried]) -> Text:
    counted = [mutant for mutant in tried if not mutant.is_void]
    caught = sum(mutant.breach is None for mutant in counted)
    return _marked(f"{caught}/{len(counted)}", caught == len(counted))


def mutants_table(report: Report) -> Table:
    """Return a row for each mutant of an assignment, automatic ones included."""
    found = Table(title=f"{report.assignment}: what each mutant lost")
    for column in ("mutant", "mistake", "lost"):
        found.add_column(column, overflow="fold")
    for mutant in report.mutants:
        found.add_row(mutant.name, mutant.what, _outcome(mutant))
    found.add_section()
    for mutant in report.automatic:
        found.add_row(mutant.name, f"cell {mutant.what}", _outcome(mutant))
    return found


def _outcome(mutant: Tried) -> Text:
    if mutant.excuse:
        return Text(f"{shown(mutant.lost)}: {mutant.excuse}", style="dim")
    return _marked(shown(mutant.lost), mutant.breach is None)


def breaches(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each breach."""
    for report in reports:
        yield from map(str, report.breaches)


def solutions(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each assignment of which only the solution was run, if it was run."""
    for report in filter(lambda report: report.runs, reports):
        perfect = f"{report.perfect_runs} of {report.runs} runs"
        yield f"{report.assignment}: all {report.points:g} points in {perfect}"


def warnings(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each grade cell that is not examined or rests on claims, and their points."""
    for report in reports:
        for place, reason in report.reasons.items():
            yield f"{place}: it runs in the kernel, self-reported, since {reason}."
        for place, kinds in report.claims.items():
            yield f"{place}: it asks a student's objects about themselves ({kinds}), which is their claim."
        if report.claimed:
            yield f"{report.assignment}: {report.claimed:g} of {report.points:g} points rest on claims."


def voids(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each reason why automatic mutants do not count, with their names."""
    for report in reports:
        by_reason: dict[str, list[str]] = {}
        for mutant in report.automatic:
            if mutant.is_void:
                by_reason.setdefault(mutant.excuse, []).append(mutant.name)
        for reason, names in by_reason.items():
            yield f"{report.assignment}: void, since {reason}: {', '.join(names)}."


def data(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return everything as plain data."""
    return [to_plain(report) for report in reports]
