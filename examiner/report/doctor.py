"""Renders what `examiner doctor` found: as a table for people, as plain data for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from examiner.machine.doctor import Finding, Health, exit_code
from examiner.plain import to_plain

STYLES = {Health.GOOD: "green", Health.NOTE: "cyan", Health.WEAK: "bold yellow", Health.BAD: "bold red"}
CONCLUSIONS = {
    0: "This machine can grade this course, behind all walls.",
    1: "This machine cannot grade this course as it is.",
    3: "This machine can grade this course, but something is missing.",
}
WALL = "wall: "


def table(findings: Sequence[Finding], *, verbose: bool) -> Table:
    """Return a row for each finding; unless `verbose`, the good findings of a wall share one."""
    found = Table(title="examiner doctor", box=box.SIMPLE)
    for column in ("about", "state", "what", "note"):
        found.add_column(column, overflow="fold")
    for finding in findings if verbose else _condensed(findings):
        state = Text(finding.state, style=STYLES[finding.state])
        found.add_row(finding.about, state, Text(finding.what), Text(finding.note))
    return found


def conclusion(findings: Sequence[Finding]) -> str:
    """Return the conclusion as a sentence."""
    return CONCLUSIONS[exit_code(findings)]


def data(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return everything as plain data."""
    return {"exit_code": exit_code(findings), "findings": [to_plain(finding) for finding in findings]}


def _condensed(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with the good ones of each wall merged into one, at the position of the first."""
    good: dict[str, list[Finding]] = {}
    condensed: list[Finding] = []
    for finding in findings:
        if not finding.about.startswith(WALL) or finding.state is not Health.GOOD:
            condensed.append(finding)
            continue
        if finding.about not in good:
            condensed.append(finding)
        good.setdefault(finding.about, []).append(finding)
    return [
        _merged(good[finding.about]) if finding in good.get(finding.about, ()) else finding
        for finding in condensed
    ]


def _merged(findings: Sequence[Finding]) -> Finding:
    """Return one finding for all good ones of a wall, which counts them by what each begins with."""
    ways = [finding.what.partition(":")[0] for finding in findings]
    counts = ", ".join(f"{ways.count(way)} {way}" for way in dict.fromkeys(ways))
    return Finding(findings[0].about, counts, Health.GOOD, findings[0].note if len(findings) == 1 else "")
