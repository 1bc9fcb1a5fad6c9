"""The gate's findings: a table for people, the same as plain data for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from examiner.trials import Report, Tried, shown


def table(reports: Sequence[Report]) -> Table:
    """Return one line for each assignment."""
    found = Table(title="examiner check")
    found.add_column("assignment")
    for column in (
        "grade cells",
        "points",
        "solution",
        "release",
        "mutants",
        "automatic",
        "breaches",
        "cpu s",
    ):
        found.add_column(column, justify="right")
    for report in reports:
        found.add_row(
            report.assignment,
            f"{report.grade_cells}",
            f"{report.points:g}",
            _marked(f"{report.perfect_runs}/{report.runs} perfect", report.perfect_runs == report.runs > 0),
            _marked(f"{report.release_points:g}", report.release_points == 0),
            _killed(report.mutants),
            _killed(report.automatic),
            _marked(f"{len(report.breaches)}", not report.breaches),
            f"{report.seconds:.0f}",
        )
    return found


def _marked(text: str, is_good: bool) -> Text:
    return Text(text, style="green" if is_good else "bold red")


def _killed(tried: Sequence[Tried]) -> Text:
    """Return how many were killed, of those that are mutants at all; the others are counted beside."""
    excused = sum(bool(each.excuse) for each in tried)
    breaches = sum(each.breach is not None for each in tried)
    asked = len(tried) - excused
    return _marked(f"{asked - breaches}/{asked}" + f" +{excused} void" * bool(excused), not breaches)


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
        return Text(f"void: {each.excuse}", style="dim")
    return _marked(shown(each.lost), each.breach is None)


def voids(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a sentence for each reason why automatic mutants are none, with their names."""
    for report in reports:
        by_reason: dict[str, list[str]] = {}
        for each in report.automatic:
            if each.excuse:
                by_reason.setdefault(each.excuse, []).append(each.name)
        for reason, names in by_reason.items():
            yield f"{report.assignment}: void, since {reason}: {', '.join(names)}."


def data(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return everything as plain data."""
    return [asdict(report) for report in reports]
