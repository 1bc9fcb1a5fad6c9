"""Mangles notebooks by the thousand, and prints what came of each kind.

    python -m tests.mangling.run [--count 10000] [--seed 0] [--first 0] [--keep FILE] [--table FILE]

The exit code is 1 if points of intact answers were lost, points were not earned, or something broke; each
such submission is printed with its number, and `--first NUMBER --count 1` tries it again. What was tried is
kept in a file, if one is named, and is not tried again.
"""

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple
from functools import cache, partial
from pathlib import Path

from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, TimeLimits
from tests.mangling.manglings import ALL
from tests.mangling.trial import Came, Grade, Trial, attempt
from tests.mangling.works import ROOT, Work, works

PYTHON = ROOT / ".venv-student" / "bin" / "python"
TOGETHER = 250  # that one process tries before it starts anew
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


def trials(count: int, seed: int) -> list[Trial]:
    """Return what came of so many mangled submissions."""
    return _tried(seed, range(count))


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
    for name, default in (("count", 10_000), ("seed", 0), ("first", 0), ("jobs", os.cpu_count())):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--keep", type=Path, help="a file that what was tried is kept in")
    parser.add_argument("--table", type=Path, help="a file that the table is written to as well")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.count)
    done = {trial.number: trial for trial in _kept(options.keep) if trial.number in numbers}
    left = [number for number in numbers if number not in done]
    parts = [left[n : n + TOGETHER] for n in range(0, len(left), TOGETHER)]
    with ProcessPoolExecutor(options.jobs) as pool:
        for tried in pool.map(partial(_tried, options.seed), parts):
            done |= {trial.number: trial for trial in tried}
            _keep(options.keep, tried)
            _say("".join(map(_told, tried)) + f"{len(done)} of {options.count}")
    text = table(done.values())
    _say(text)
    if options.table:
        options.table.write_text(text)
    return int(not all(trial.came.is_right for trial in done.values()))


def _tried(seed: int, numbers: Sequence[int]) -> list[Trial]:
    known = works()
    with grading() as grade:
        return [attempt(seed, number, known, grade) for number in numbers]


def _told(trial: Trial) -> str:
    """Return what is said of a submission of which something wrong came."""
    if trial.came.is_right:
        return ""
    return f"{trial.came}: {trial.number} {trial.work} {trial.manglings}\n    {trial.note}\n"


def _keep(file: Path | None, tried: Iterable[Trial]) -> None:
    if file:
        file.parent.mkdir(exist_ok=True)
        with file.open("a") as opened:
            opened.writelines(json.dumps(astuple(trial)) + "\n" for trial in tried)


def _kept(file: Path | None) -> Iterator[Trial]:
    """Yield what was tried by an earlier run, which was of the same seed."""
    for line in file.read_text().splitlines() if file and file.exists() else ():
        number, work, manglings, came, *rest = json.loads(line)
        yield Trial(number, work, tuple(manglings), Came(came), *rest)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    sys.exit(main())
