"""What the doctor found: a table for people, the same as plain data for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from examiner.machine.doctor import Finding, Health, exit_code
from examiner.plain import to_plain

STYLES = {Health.GOOD: "green", Health.NOTE: "cyan", Health.WEAK: "bold yellow", Health.BAD: "bold red"}
CONCLUSIONS = {
    0: "This machine grades this course behind all walls.",
    1: "This machine cannot grade this course as it is.",
    3: "This machine grades this course, with less than what could be.",
}
WALL = "wall: "


def table(findings: Sequence[Finding], *, verbose: bool) -> Table:
    """Return a line for each finding; unless `verbose`, one for all good ones of a wall."""
    found = Table(title="examiner doctor", box=box.SIMPLE)
    for column in ("about", "state", "what", "note"):
        found.add_column(column, overflow="fold")
    for each in findings if verbose else _condensed(findings):
        found.add_row(
            each.about, Text(each.state, style=STYLES[each.state]), Text(each.what), Text(each.note)
        )
    return found


def conclusion(findings: Sequence[Finding]) -> str:
    """Return in a sentence what follows."""
    return CONCLUSIONS[exit_code(findings)]


def data(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return everything as plain data."""
    return {"exit_code": exit_code(findings), "findings": [to_plain(finding) for finding in findings]}


def _condensed(findings: Iterable[Finding]) -> list[Finding]:
    """Let the promises of a wall that are kept be one line, at the place of the first."""
    kept: dict[str, list[Finding]] = {}
    condensed: list[Finding] = []
    for each in findings:
        if not each.about.startswith(WALL) or each.state is not Health.GOOD:
            condensed.append(each)
            continue
        if each.about not in kept:
            condensed.append(each)
        kept.setdefault(each.about, []).append(each)
    return [_together(kept[each.about]) if each in kept.get(each.about, ()) else each for each in condensed]


def _together(promises: Sequence[Finding]) -> Finding:
    ways = [each.what.partition(":")[0] for each in promises]
    counts = ", ".join(f"{ways.count(way)} {way}" for way in dict.fromkeys(ways))
    return Finding(promises[0].about, counts, Health.GOOD, promises[0].note if len(promises) == 1 else "")
