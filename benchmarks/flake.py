"""Measure how often a verdict on speed is wrong, in thousands of decisions beside busy processes.

A student's function is compared with the instructor's, in boxes as in grading; it passes if it has at least
0.8 times the instructor's speed. Under the first hypothesis both functions are the same, and the student's
must pass. Under the second it does 5 parts of work where the instructor's does 3, so that it is 0.6 times as
fast, and must fail. A decision is a grade cell with one `speed` check of an operation that takes about a
millisecond, in a snapshot of its own.

Run it as `python -m benchmarks.flake`. It writes its counts after every submission, goes on from them when it
is run again, and ends when each setting has its decisions.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.paired import RESULTS
from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, TimeLimits
from examiner.verdict import Outcome, Verdict

SETTINGS = (0, 1, 2, 4)
HYPOTHESES = {"equal": 3, "slow": 5}
RIGHT = {"equal": Outcome.PASSED, "slow": Outcome.FAILED}
DECISIONS = 800  # for each setting and hypothesis
CELLS = 20  # decisions in one submission
CONFIDENCE = 0.95
GOAL = 1 / 1000
MEDIAN_GOAL = 2.0  # seconds
PYTHON = Path(__file__).parents[1] / ".venv-student" / "bin" / "python"

STUDENTS = """
import numpy as np

def operation(x):
    for _ in range({parts}):
        y = np.tanh(x @ x)
    return y
"""
DECISION = """
from examiner_checks import rng, speed

draw = rng("{name}")

def instructors(x):
    for _ in range(3):
        y = np.tanh(x @ x)
    return y

speed(operation, instructors, lambda: (draw.normal(size=(104, 104)),), at_most=1 / 0.8)
"""


@dataclass
class Tally:
    """Counts of the decisions in one setting under one hypothesis.

    Attributes
    ----------
    milliseconds : dict of str to int
        Number of decisions for each duration, rounded to 10 ms.
    pairs : dict of str to int
        Number of decisions for each number of pairs.
    farthest : float
        The largest factor between the ratio of a single pair and the median of its decision.
    """

    right: int = 0
    wrong: int = 0
    inconclusive: int = 0
    milliseconds: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, int] = field(default_factory=dict)
    farthest: float = 1.0

    @property
    def decisions(self) -> int:
        """The number of decisions."""
        return self.right + self.wrong + self.inconclusive

    def add(self, hypothesis: str, verdict: Verdict) -> None:
        """Count one verdict."""
        if verdict.outcome is RIGHT[hypothesis]:
            self.right += 1
        elif verdict.outcome is Outcome.INCONCLUSIVE:
            self.inconclusive += 1
        elif verdict.outcome in {Outcome.PASSED, Outcome.FAILED}:
            self.wrong += 1
        else:
            raise RuntimeError(f"this is no decision: {verdict.outcome}, {verdict.message}")
        [measured] = verdict.measured
        _count(self.milliseconds, str(round(100 * verdict.seconds) * 10))
        _count(self.pairs, str(len(measured.figures)))
        factors = (max(ratio, measured.middle) / min(ratio, measured.middle) for ratio in measured.figures)
        self.farthest = max(self.farthest, *factors)


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def upper_bound(wrong: int, decisions: int) -> float:
    """Return the upper bound of the error rate at CONFIDENCE, by Clopper and Pearson (1934)."""
    low, high = wrong / decisions, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        chance = sum(
            math.comb(decisions, k) * rate**k * (1 - rate) ** (decisions - k) for k in range(wrong + 1)
        )
        low, high = (rate, high) if chance > 1 - CONFIDENCE else (low, rate)
    return high


def median_of(counts: dict[str, int]) -> float:
    """Return the median of values, given how often each occurred."""
    total, seen = sum(counts.values()), 0
    for value in sorted(map(int, counts)):
        seen += counts[str(value)]
        if 2 * seen >= total:
            return float(value)
    return math.nan


def notebook(parts: int) -> bytes:
    """Return a notebook with the student's function and a grade cell for each decision."""
    cells = [_cell("operation", STUDENTS.format(parts=parts), solution=True)]
    cells += [_cell(f"speed_{n}", DECISION.format(name=f"speed_{n}"), grade=True) for n in range(CELLS)]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def _cell(name: str, source: str, *, solution: bool = False, grade: bool = False) -> dict[str, object]:
    marks = {"grade_id": name, "schema_version": 3, "solution": solution, "grade": grade, "locked": grade}
    marks |= {"points": 1} if grade else {}
    cell = {"cell_type": "code", "id": name, "source": source.strip(), "outputs": [], "execution_count": None}
    return cell | {"metadata": {"nbgrader": marks}}


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep the machine busy with a number of processes, which end when this process does."""
    program = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    sum(range(1_000_000))"
    command = [sys.executable, "-c", program, str(os.getpid())]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen(command, **quiet) for _ in range(processes)]  # noqa: S603 - our own program
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def decide(engine: Engine, hypothesis: str, tally: Tally) -> None:
    """Grade one submission, and count its decisions."""
    text = notebook(HYPOTHESES[hypothesis])
    identity = Identity("flake", hypothesis, "speed", "", GradeKey(os.urandom(8).hex(), "", ""))
    graded = engine.run(Job(identity, text, text, {}, TimeLimits()))
    for verdict in graded.sheet.verdicts:
        tally.add(hypothesis, verdict)


def study(file: Path, settings: Sequence[int], decisions: int, seconds: float) -> dict[str, Tally]:
    """Take decisions until each setting has enough, or the time is over; save them on the way."""
    known = json.loads(file.read_text()) if file.exists() else {"tallies": {}}
    tallies = {key: Tally(**counts) for key, counts in known["tallies"].items()}
    end = time.monotonic() + seconds
    with Engine(SandboxSettings(PYTHON), os.urandom(16)) as engine:
        for setting in settings:
            with busy(setting):
                for hypothesis in HYPOTHESES:
                    tally = tallies.setdefault(f"{hypothesis}, {setting} busy", Tally())
                    while tally.decisions < decisions and time.monotonic() < end:
                        decide(engine, hypothesis, tally)
                        keep(file, tallies)
                        progress = f"{hypothesis}, {setting} busy: {tally.decisions}/{decisions}"
                        print(progress, file=sys.stderr, end="\r", flush=True)
    return tallies


def keep(file: Path, tallies: dict[str, Tally]) -> None:
    """Write the counts to the file, whole or not at all."""
    new = file.with_suffix(".new")
    kept = {"threshold": 0.8, "speeds": {"equal": 1.0, "slow": 0.6}}
    new.write_text(
        json.dumps(kept | {"tallies": {k: asdict(v) for k, v in tallies.items()}}, indent=1) + "\n"
    )
    new.replace(file)


def table(tallies: dict[str, Tally]) -> Iterator[str]:
    """Yield the lines of a table: one for each setting, and a summary of each hypothesis."""
    titles = ("decisions", "wrong", "inconclusive", "median s", "pairs", "farthest")
    yield f"{'':24}" + "".join(f"{title:>13}" for title in titles)
    for name, tally in tallies.items():
        yield _row(name, tally)
    for hypothesis in HYPOTHESES:
        whole = Tally()
        for name, tally in tallies.items():
            if name.startswith(hypothesis):
                whole = _sum(whole, tally)
        bound = upper_bound(whole.wrong, max(1, whole.decisions))
        yield _row(f"{hypothesis}, all", whole)
        seconds = median_of(whole.milliseconds) / 1000
        yield (
            f"  wrong in at most {1000 * bound:.2f} of 1,000 ({CONFIDENCE:.0%} sure): {_word(bound < GOAL)}; "
            f"a decision takes {seconds:.2f} s, goal {MEDIAN_GOAL:g}: {_word(seconds < MEDIAN_GOAL)}"
        )


def _row(name: str, tally: Tally) -> str:
    counts = f"{tally.decisions:13}{tally.wrong:13}{tally.inconclusive:13}"
    seconds, pairs = median_of(tally.milliseconds) / 1000, median_of(tally.pairs)
    return f"{name:24}{counts}{seconds:13.2f}{pairs:13.0f}{tally.farthest:13.1f}"


def _word(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(
        one.right + other.right,
        one.wrong + other.wrong,
        one.inconclusive + other.inconclusive,
        dict(Counter(one.milliseconds) + Counter(other.milliseconds)),
        dict(Counter(one.pairs) + Counter(other.pairs)),
        max(one.farthest, other.farthest),
    )


def main() -> None:
    """Take the decisions that are missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--decisions", type=int, default=DECISIONS, help="for each setting and hypothesis")
    parser.add_argument(
        "--busy", type=int, nargs="+", default=SETTINGS, help="how many busy processes beside it"
    )
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="stop after so long; run again to go on"
    )
    parser.add_argument("--file", type=Path, default=RESULTS / "flake.json")
    chosen = parser.parse_args()
    print(*table(study(chosen.file, chosen.busy, chosen.decisions, chosen.seconds)), sep="\n")


if __name__ == "__main__":
    main()
