"""Grades all attacks and all honest students as one class, and prints a line for each kind of attack.

python -m tests.attacks.table
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from .scene import Outcome, Scene
from .suite import HONEST, KINDS, POINTS, REFUSED, Submission, attacks, honest

TITLES: Final = (
    "kind of attack",
    "what it does",
    "attacks",
    "refused",
    "points earned",
    "points got",
    "as due",
)


def main() -> int:
    """Print the table; return how the run should end."""
    everybody = [*attacks(), *honest()]
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        scene = Scene(Path(folder)).hand_in(everybody)
        began = time.monotonic()
        outcome = scene.grade(seconds=1800)
        seconds, leaks = time.monotonic() - began, scene.leaks()
    show(TITLES)
    show(["---"] * len(TITLES))
    for row in rows(everybody, outcome):
        show(row)
    sys.stdout.write(
        f"\n{len(everybody)} submissions in one run of {seconds:.0f} s; changed around them: "
        f"{len(outcome.changed)}, processes left: {len(outcome.left)}, hidden tests seen: {len(leaks)}\n"
    )
    is_due = all(outcome.score(submission) == submission.earned for submission in everybody)
    return 0 if is_due and not (outcome.changed or outcome.left or leaks) else 1


def show(row: Sequence[str]) -> None:
    """Print a row in Markdown."""
    sys.stdout.write(f"| {' | '.join(row)} |\n")


def rows(everybody: Sequence[Submission], outcome: Outcome) -> Iterator[Sequence[str]]:
    """Yield a row for each kind, and one for the honest."""
    for kind, does in (KINDS | {HONEST: "does its work, in an unusual way"}).items():
        of_kind = [submission for submission in everybody if submission.kind == kind]
        yield _row(kind.replace("_", " "), does, of_kind, outcome)
    yield _row("all", "", everybody, outcome)


def _row(name: str, does: str, those: Sequence[Submission], outcome: Outcome) -> Sequence[str]:
    graded = [submission for submission in those if submission.earned != REFUSED]
    most = POINTS * len(graded)
    got = [score for submission in graded if isinstance(score := outcome.score(submission), float)]
    earned = sum(float(submission.earned) for submission in graded)
    due = sum(outcome.score(submission) == submission.earned for submission in those)
    numbers = [len(those), len(those) - len(graded), f"{earned:g} of {most}", f"{sum(got):g}", due]
    return [name, does, *map(str, numbers)]


if __name__ == "__main__":
    sys.exit(main())
