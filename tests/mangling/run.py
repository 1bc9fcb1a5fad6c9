"""Mangles notebooks by the thousand, and prints what came of each kind.

    python -m tests.mangling.run [--count 10000] [--seed 0] [--first 0] [--table FILE]

The exit code is 1 if points of intact answers were lost, points were not earned, or something broke; each
such submission is printed with its number, and `--first NUMBER --count 1` tries it again.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import monotonic

from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, TimeLimits
from tests.mangling.manglings import ALL
from tests.mangling.trial import Came, Grade, Trial, attempt
from tests.mangling.works import ROOT, Work, works

PYTHON = ROOT / ".venv-student" / "bin" / "python"
REPORTED = 100  # after so many, a line
IDENTITY = Identity("course", "student", "ps1", "1", GradeKey("work", "assignment", "environment"))


@contextmanager
def grading() -> Iterator[Grade]:
    """Yield the function that grades a submission in the engine."""
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:

        @cache
        def grade(work: Work, submitted: bytes) -> dict[str, float | None]:
            job = Job(IDENTITY, work.instructor, submitted, limits=TimeLimits(20, 90))
            return {verdict.grade_id: verdict.points for verdict in engine.run(job).sheet.verdicts}

        yield grade


def trials(count: int, seed: int, first: int = 0) -> Iterator[Trial]:
    """Yield what came of so many mangled submissions."""
    known = works()
    with grading() as grade:
        for number in range(first, first + count):
            yield attempt(seed, number, known, grade)


def table(done: Iterable[Trial]) -> str:
    """Return a table in Markdown: how often each kind was tried, and what came of it."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, float] = defaultdict(float)
    for trial in done:
        for name in (ALL[trial.number % len(ALL)].name, "all"):
            rows[name].update({"tried": 1, trial.came: 1, "graded": trial.is_graded})
            seconds[name] = max(seconds[name], trial.seconds)
    columns = ["tried", *Came, "graded"]
    lines = [
        f"| what was done | {' | '.join(columns)} | slowest, ms |",
        "| --- |" + " ---: |" * (len(columns) + 1),
    ]
    for name in [*(entry.name for entry in ALL if entry.name in rows), "all"]:
        cells = (str(rows[name][column] or "") for column in columns)
        lines.append(f"| {name} | {' | '.join(cells)} | {seconds[name] * 1000:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Mangle, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("count", 10_000), ("seed", 0), ("first", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--table", type=Path, help="a file that the table is written to as well")
    options = parser.parse_args()
    done, started = [], monotonic()
    for trial in trials(options.count, options.seed, options.first):
        done.append(trial)
        if not trial.came.is_right:
            _say(f"{trial.came}: {trial.number} {trial.work} {trial.manglings}\n    {trial.note}")
        if not len(done) % REPORTED:
            _say(f"{len(done)} in {monotonic() - started:.0f} s")
    text = table(done)
    _say(text)
    if options.table:
        options.table.parent.mkdir(exist_ok=True)
        options.table.write_text(text)
    return int(not all(trial.came.is_right for trial in done))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    sys.exit(main())
