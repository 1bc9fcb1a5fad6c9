"""Measure the time of a submission: with examiner on two workers, with stock nbgrader, and in a bare fork.

The submissions are trivial notebooks with six grade cells, all different. The sides take turns, so that other
work on the machine slows down all of them:

    stock    nbgrader's own `autograde`, one submission after another, without the time of its import
    whole    all that `examiner grade` does except feedback: it starts workers and warm servers for each turn,
             and writes sheets, gradebook and autograded notebooks; without the time of its import
    engine   engines with all walls write a sheet and an executed notebook for each; there is no gradebook
    floor    an equally preloaded process forks for each; the fork executes the cells and does nothing else

Run it as `python -m benchmarks.throughput`.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from benchmarks.paired import RESULTS
from benchmarks.places import grade, places
from benchmarks.trivial import STUDENT, hand_in, notebook, stock_course
from examiner.box import usage
from examiner.errors import ExaminerError
from examiner.examine.engine import Engine
from examiner.examine.server import SandboxSettings

GOAL, NEEDED, FLOOR_GOAL, MEMORY_GOAL = 50, 30, 8, 700

STOCK = """
import json, logging, os, sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
os.environ["PATH"] = os.path.dirname(sys.executable) + ":" + os.environ["PATH"]
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
root = Path(sys.argv[1])
config = Config()
config.CourseDirectory.root = str(root)
config.CourseDirectory.course_id = "trivial"
api = NbGraderAPI(config=config)
made = api.generate_assignment("ps1")
assert made["success"], made
print("ready", flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    for student in json.loads(line):
        answer = api.autograde("ps1", student)
        assert answer["success"], answer
    print(time.perf_counter() - started, flush=True)
"""

FLOOR = """
import contextlib, gc, io, json, os, sys, time
os.environ.update(OPENBLAS_NUM_THREADS="1", MPLBACKEND="module://matplotlib_inline.backend_inline")
import numpy.random, numpy.testing
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
shell.run_cell("pass")
gc.collect()
gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    submissions = json.loads(line)
    started = time.perf_counter()
    for cells in submissions:
        process = os.fork()
        if process == 0:
            for cell in cells:
                assert shell.run_cell(cell, store_history=True).success
            os._exit(0)
        assert os.waitpid(process, 0)[1] == 0
    print(time.perf_counter() - started, flush=True)
"""

ROOT = Path(__file__).parents[1]

WHOLE = """
import json, sys, time
from pathlib import Path
from benchmarks.throughput import Quiet
from examiner.course.load import load_course
from examiner.pipeline import GradeRequest, autograde
course, workers = load_course(Path(sys.argv[1])), int(sys.argv[2])
run = autograde(course, GradeRequest(students=("first",), workers=workers), Quiet())
assert not run.faults, run.faults
print("ready", flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    run = autograde(course, GradeRequest(students=tuple(json.loads(line)), workers=workers), Quiet())
    seconds = time.perf_counter() - started
    assert {filing.parts[0].sheet.points for filing in run.graded.values()} == {12}, run.faults
    print(seconds, flush=True)
"""

COURSE = """
id = "trivial"
[student]
python = "ROOT/.venv-student"
requirements = "ROOT/requirements/student.txt"
kernel = "tinytorch-student"
display_name = "TinyTorch (student environment)"
[assignments.ps1]
"""

WORKER = """
import sys
from benchmarks.throughput import work
work(sys.argv[1])
"""


def work(folder: str) -> None:
    """Grade, as a worker, the submissions whose numbers come in on standard input, a list on each line."""
    with Engine(SandboxSettings(STUDENT), b"secret") as engine:
        grade(engine, -1, Path(folder))
        print("ready", flush=True)
        for line in sys.stdin:
            for number in json.loads(line):
                grade(engine, number, Path(folder))
            print("done", flush=True)


class Team:
    """Processes that work in parallel, each on a list that it is sent, and answer when they are done."""

    def __init__(self, count: int, *command: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._processes = [
            subprocess.Popen(command, text=True, **pipes)  # noqa: S603 - our own programs
            for _ in range(count)
        ]
        self._answers()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            with contextlib.suppress(BrokenPipeError):
                process.communicate("")

    def seconds(self, items: list[Any]) -> float:
        """Deal the items out evenly, and return the seconds until all are done."""
        started = time.perf_counter()
        for first, process in enumerate(self._processes):
            assert process.stdin is not None
            process.stdin.write(json.dumps(items[first :: len(self._processes)]) + "\n")
            process.stdin.flush()
        self._answers()
        return time.perf_counter() - started

    def memory(self) -> int:
        """Return the resident bytes of the processes and their descendants; shared pages are counted once."""
        return sum(usage.memory(process.pid) for process in self._processes)

    def _answers(self) -> None:
        for process in self._processes:
            assert process.stdout is not None
            assert process.stdout.readline(), "a process of the benchmark has failed"


Side = Callable[[range], float]  # returns the seconds that the submissions of these numbers take


def stock_side(stack: ExitStack, root: Path, _workers: int, count: int) -> Side:
    """Return a function that times nbgrader, on a course with this number of submissions."""
    stock_course(root / "stock", count)
    team = stack.enter_context(Team(1, sys.executable, "-c", STOCK, str(root / "stock")))
    return lambda numbers: team.seconds([f"s{n}" for n in numbers])


class Quiet:
    """Is told the progress of a run, and shows nothing."""

    def phase(self, _name: str, _total: int) -> None:
        """Show nothing."""

    def start(self, _name: str) -> None:
        """Show nothing."""

    def end(self, _name: str, _fault: ExaminerError | None) -> None:
        """Show nothing."""


def whole_side(stack: ExitStack, root: Path, workers: int, count: int) -> Side:
    """Return a function that times whole runs, on a course with this number of submissions."""
    folder = root / "whole"
    stock_course(folder, count)
    hand_in(folder, "first", -2)
    (folder / "course.toml").write_text(COURSE.replace("ROOT", str(ROOT)))
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    team = stack.enter_context(Team(1, sys.executable, "-c", WHOLE, str(folder), str(workers)))
    return lambda numbers: team.seconds([f"s{n}" for n in numbers])


def engine_side(stack: ExitStack, root: Path, workers: int, _count: int) -> Side:
    """Return a function that times engines, one for each worker; their memory is printed at the end."""
    (root / "graded").mkdir()
    team = stack.enter_context(Team(workers, sys.executable, "-c", WORKER, str(root / "graded")))
    stack.callback(_print_memory, team)
    return lambda numbers: team.seconds(list(numbers))


def _print_memory(team: Team) -> None:
    print(f"PSS of its processes, MB        {team.memory() / (1 << 20):8.1f}   goal {MEMORY_GOAL}")


def floor_side(stack: ExitStack, _root: Path, workers: int, _count: int) -> Side:
    """Return a function that times bare forks."""
    team = stack.enter_context(Team(workers, str(STUDENT), "-c", FLOOR))
    return lambda numbers: team.seconds([[cell["source"] for cell in notebook(n)["cells"]] for n in numbers])


SIDES = {"stock": stock_side, "whole": whole_side, "engine": engine_side, "floor": floor_side}


def rounds(count: int, stock_size: int, size: int, workers: int) -> Iterator[dict[str, float]]:
    """Yield the milliseconds of a submission on each side, round by round."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sizes = {name: stock_size if name == "stock" else size for name in SIDES}
        sides = {name: begin(stack, root, workers, count * sizes[name]) for name, begin in SIDES.items()}
        for turn in range(count):
            found = {}
            for name, seconds in sides.items():
                mine = sizes[name]
                found[name] = 1e3 * seconds(range(turn * mine, (turn + 1) * mine)) / mine
            yield found


def flatness(many: int, few: int, workers: int) -> dict[str, float]:
    """Return the milliseconds of a submission in a class of few, then of many, then of few again.

    Every class has a course of its own, whose gradebook starts empty.
    """
    found = {}
    for name, count in (("few", few), ("many", many), ("few again", few)):
        with ExitStack() as stack:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            found[name] = 1e3 * whole_side(stack, root, workers, count)(range(count)) / count
    return found


def spread(values: list[float]) -> str:
    """Return the median and the range of some values."""
    return f"{statistics.median(values):8.1f}  [{min(values):.1f} … {max(values):.1f}]"


def main() -> None:
    """Print the tables, and write the figures as JSON."""
    parser = argparse.ArgumentParser(prog="throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=200, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stock", type=int, default=2, help="submissions that nbgrader grades in each round")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--many", type=int, default=2000, help="a class that is to cost as much for each")
    options = parser.parse_args()
    print(f"{options.submissions} submissions, {options.workers} workers on {os.cpu_count()} cores; ms each")
    found = []
    for costs in rounds(options.rounds, options.stock, options.submissions, options.workers):
        found.append(costs)
        print("  " + "  ".join(f"{name} {costs[name]:7.1f}" for name in SIDES), flush=True)
    faster = [costs["stock"] / costs["whole"] for costs in found]
    dearer = [costs["whole"] / costs["floor"] for costs in found]
    alone = [costs["stock"] / costs["engine"] for costs in found]
    print(f"examiner's rate, times stock    {spread(faster)}   goal {GOAL}, needed {NEEDED}")
    print(f"its cost, times the floor's     {spread(dearer)}   goal {FLOOR_GOAL}")
    print(f"the engine's rate, times stock  {spread(alone)}")
    flat = flatness(options.many, options.submissions, options.workers)
    growth = flat["many"] / statistics.mean((flat["few"], flat["few again"]))
    print(f"cost of one of {options.many}, times one of {options.submissions}'s  {growth:.2f}   goal 1.10")
    print("  " + "  ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in flat.items()))
    with tempfile.TemporaryDirectory() as folder:
        spent = places(50, Path(folder))
    print("where the time of a submission goes, ms on one worker")
    for place, milliseconds in spent.items():
        print(f"  {place:<50} {milliseconds:7.2f}")
    RESULTS.mkdir(exist_ok=True)
    result = {
        "rounds": found,
        "times_stock": faster,
        "times_floor": dearer,
        "engine": alone,
        "flat": flat,
        "ms": spent,
    }
    (RESULTS / "throughput.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
