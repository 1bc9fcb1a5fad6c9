"""Proof that the walls hold: every attempt succeeds without them, and is stopped inside a fresh box.

As a program it prints the table: ``python -m examiner.box.selftest``.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from examiner.box import landlock
from examiner.box.attempts import ATTEMPTS, stay_alive, use_a_processor
from examiner.box.siege import Outcomes, outcomes
from examiner.box.view import View
from examiner.box.walls import Walls, available


class WallState(StrEnum):
    """What is known about a promise."""

    PROVED = "proved"  # broken without walls, kept behind them
    MISSING = "missing"  # broken behind the walls too
    IDLE = "idle"  # kept even without walls: the machine itself prevents it, or has nothing of the kind


@dataclass(frozen=True)
class WallReport:
    """One promise, and whether it is kept.

    Parameters
    ----------
    wall
        The group of the promise, such as "files".
    promise
        The promise, as a sentence.
    state
        Whether it is kept.
    note
        What stopped the attempt; if nothing did, what to do.
    """

    wall: str
    promise: str
    state: WallState
    note: str


def selftest(
    walls: Walls | None = None, view: View | None = None, *, thorough: bool = False
) -> tuple[WallReport, ...]:
    """Try to break every promise, without walls and behind them, and return a report on each.

    Call it in a process with one thread; it leaves that process unchanged.

    Parameters
    ----------
    walls
        The walls to try; if None, the strongest available.
    view
        What can be read inside; if None, what this Python needs.
    thorough
        Whether to make also the attempts that take seconds.
    """
    chosen = walls or available()
    slow = [use_a_processor] if thorough else []
    groups = ATTEMPTS | {"amount": [*ATTEMPTS["amount"], *slow]}
    attempts = [attempt for group in groups.values() for attempt in group]
    without_walls, behind_walls = outcomes(attempts, None, view), outcomes(attempts, chosen, view)
    promises = [(wall, attempt) for wall, group in groups.items() for attempt in group]
    reports = [_judge(wall, attempt, without_walls, behind_walls, chosen) for wall, attempt in promises]
    return (*_kinds(chosen), *reports, _judge("the end", stay_alive, without_walls, behind_walls, chosen))


def _judge(
    wall: str, attempt: Callable[..., object], without_walls: Outcomes, behind_walls: Outcomes, walls: Walls
) -> WallReport:
    promise = (attempt.__doc__ or "").partition("\n")[0]
    stopped_without, stopped = without_walls[attempt.__name__], behind_walls[attempt.__name__]
    if not stopped:
        note = walls.advice or "this wall has a hole: do not grade, report it"
        return WallReport(wall, promise, WallState.MISSING, note)
    return WallReport(wall, promise, WallState.IDLE if stopped_without else WallState.PROVED, stopped)


def _kinds(walls: Walls) -> Iterator[WallReport]:
    newest = walls.landlock >= landlock.SCOPES_SINCE
    for kind, is_there, note in (
        ("Namespaces.", walls.namespaces, "user, mount, process, network, IPC"),
        ("Landlock.", newest, f"version {walls.landlock}"),
        ("A filter of system calls.", walls.seccomp, "seccomp"),
    ):
        state = WallState.PROVED if is_there else WallState.MISSING
        yield WallReport("kinds", kind, state, note if is_there else walls.advice)


def table(reports: Iterable[WallReport]) -> str:
    """Return the reports as lines of text."""
    lines, before = [], ""
    for report in reports:
        wall = report.wall if report.wall != before else ""
        lines.append(f"{wall:<12} {report.state:<8} {report.promise:<75} {report.note}")
        before = report.wall
    return "\n".join(lines)


def main() -> None:
    """Print the table; exit with 1 if there are too few walls."""
    walls = available()
    sys.stdout.write(table(selftest(walls, thorough=True)) + "\n")
    sys.exit(0 if walls.are_enough else 1)


if __name__ == "__main__":
    main()
