"""How many submissions a minute: the engine on two workers, beside stock nbgrader, beside the floor.

The submissions are trivial notebooks with six grade cells, all different. The three take turns, so that a
machine that is busy is busy for all of them:

    stock    nbgrader's own `autograde`, one after another, its import left out
    engine   a sheet and an executed notebook written for each, all walls up
    floor    a fork of an equally preloaded process for each, which executes the cells and does nothing else

Run it as `python -m benchmarks.throughput`.
"""

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Self

from benchmarks.paired import RESULTS
from examiner import engine as engine_module
from examiner import examine, passage
from examiner.candidate.link import Candidate, Server, Surroundings
from examiner.engine import Engine, Job
from examiner.model import Key, Limits
from examiner.verdict import Identity

STUDENT = Path(__file__).parents[1] / ".venv-student" / "bin" / "python"
GOAL, NEEDED, FLOOR_GOAL = 50, 30, 8
GRADE_CELLS = 6

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
import numpy.random, numpy.testing, matplotlib.pyplot
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

WORKER = """
import sys
from benchmarks.throughput import work
work(sys.argv[1])
"""


def cell(name: str, source: str, **marks: Any) -> dict[str, Any]:
    """Return a raw cell of nbgrader's."""
    entries = {"grade": False, "solution": False, "locked": False, "schema_version": 3, "task": False}
    nbgrader = entries | marks | {"grade_id": name}
    shared = {"cell_type": "code", "execution_count": None, "outputs": []}
    return shared | {"id": name, "metadata": {"nbgrader": nbgrader}, "source": source}


def notebook(number: int, *, is_instructors: bool = False) -> dict[str, Any]:
    """Return the notebook of one student, different from all others."""
    cells = [cell("imports", "import numpy as np", locked=True)]
    for n in range(GRADE_CELLS):
        body = f"    return x + {n}  # {number}"
        if is_instructors:
            body = f"    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        test = f"assert f{n}(1) == {n + 1}\nassert f{n}(-1) == {n - 1}"
        hidden = f"assert np.allclose(f{n}(np.ones(3)), {n + 1})\nassert f{n}(0) == {n}"
        if is_instructors:
            test += f"\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
        cells.append(cell(f"f{n}", f"def f{n}(x):\n{body}", solution=True))
        cells.append(cell(f"test_f{n}", test, grade=True, locked=True, points=2))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


INSTRUCTOR = notebook(-1, is_instructors=True)


def job(number: int) -> Job:
    """Return the job of one student."""
    identity = Identity("trivial", f"s{number}", "ps1", "1", Key(f"submission {number}", "a", "e"))
    submitted = json.dumps(notebook(number)).encode()
    return Job(identity, json.dumps(INSTRUCTOR).encode(), submitted, {}, Limits(30, 300))


def grade(engine: Engine, number: int, folder: Path) -> None:
    """Grade one submission, and write down what came of it."""
    graded = engine.run(job(number))
    assert graded.sheet.points == 2 * GRADE_CELLS, graded.sheet
    with clock.running("sheet and notebook written"):
        (folder / f"s{number}.json").write_text(json.dumps(graded.sheet.to_data()))
        (folder / f"s{number}.ipynb").write_bytes(graded.notebook)


def work(folder: str) -> None:
    """Be a worker: grade the submissions whose numbers come in, a list a line."""
    with Engine(Surroundings(STUDENT), b"secret") as engine:
        grade(engine, -1, Path(folder))
        print("ready", flush=True)
        for line in sys.stdin:
            for number in json.loads(line):
                grade(engine, number, Path(folder))
            print("done", flush=True)


class Team:
    """Processes that work side by side on lists that they are sent, and answer when they are done."""

    def __init__(self, count: int, *command: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._processes = [
            subprocess.Popen(command, text=True, **pipes)  # noqa: S603 - our own
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
        """Return the seconds until all items are done, dealt out evenly."""
        started = time.perf_counter()
        for first, process in enumerate(self._processes):
            assert process.stdin is not None
            process.stdin.write(json.dumps(items[first :: len(self._processes)]) + "\n")
            process.stdin.flush()
        self._answers()
        return time.perf_counter() - started

    def _answers(self) -> None:
        for process in self._processes:
            assert process.stdout is not None
            assert process.stdout.readline(), "a process of the benchmark has failed"


def stock_course(root: Path, students: int) -> None:
    """Make a course in which these students have handed in."""
    source = root / "source" / "ps1" / "p.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text(json.dumps(INSTRUCTOR))
    for number in range(students):
        path = root / "submitted" / f"s{number}" / "ps1" / "p.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook(number)))


@dataclass(frozen=True)
class Round:
    """Milliseconds of wall time for one submission."""

    stock: float
    engine: float
    floor: float


def rounds(count: int, stock_each: int, each: int, workers: int) -> Iterator[Round]:
    """Yield what each round has measured, the three sides in turns."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stock_course(root, count * stock_each)
        (root / "graded").mkdir()
        engines = stack.enter_context(Team(workers, sys.executable, "-c", WORKER, str(root / "graded")))
        floors = stack.enter_context(Team(workers, str(STUDENT), "-c", FLOOR))
        stock = stack.enter_context(Team(1, sys.executable, "-c", STOCK, str(root)))
        for turn in range(count):
            mine = range(turn * each, (turn + 1) * each)
            cells = [[one["source"] for one in notebook(n)["cells"]] for n in mine]
            theirs = [f"s{n}" for n in range(turn * stock_each, (turn + 1) * stock_each)]
            yield Round(
                1e3 * stock.seconds(theirs) / stock_each,
                1e3 * engines.seconds(list(mine)) / each,
                1e3 * floors.seconds(cells) / each,
            )


class Clock:
    """Adds up the wall time spent in named places, what is nested in another place left out of that."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._nested = [0.0]

    @contextmanager
    def running(self, place: str) -> Iterator[None]:
        """Count the time in this block."""
        started = time.perf_counter()
        self._nested.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[place] = self.seconds.get(place, 0.0) + spent - self._nested.pop()
            self._nested[-1] += spent

    def watch(self, owner: Any, name: str, place: str) -> None:
        """Count the time in a function, from now on."""
        function: Callable[..., Any] = getattr(owner, name)

        @wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self.running(place):
                return function(*args, **kwargs)

        setattr(owner, name, watched)


clock = Clock()


def places(jobs: int, folder: Path) -> dict[str, float]:
    """Return the milliseconds of a submission in each place, on one worker, and its CPU time everywhere."""
    before = _cpu()
    with Engine(Surroundings(STUDENT), b"secret") as engine:
        grade(engine, -1, folder)
    start_up = _cpu() - before
    clock.seconds.clear()
    for owner, name, place in (
        (engine_module, "_submitted", "submission read"),
        (engine_module, "repair", "notebook mended"),
        (Server, "start", "candidate started and walled in"),
        (passage.Passage, "_follow", "waiting for the student's cells and the snapshot"),
        (examine, "examine_cell", "grade cells, here"),
        (passage.Channel, "receive", "grade cells, waiting for the snapshot"),
        (engine_module, "executed", "executed notebook"),
        (Candidate, "__exit__", "candidate ended"),
    ):
        clock.watch(owner, name, place)
    with Engine(Surroundings(STUDENT), b"secret") as engine:
        grade(engine, -1, folder)
        clock.seconds.clear()
        started, ours = time.perf_counter(), time.process_time()
        for number in range(jobs):
            grade(engine, number, folder)
        wall, ours = time.perf_counter() - started, time.process_time() - ours
    spent = dict(sorted(clock.seconds.items(), key=lambda item: -item[1]))
    spent["all else"] = wall - sum(spent.values())
    spent["= wall"] = wall
    spent["CPU, the worker's"] = ours
    spent["CPU, the candidate's and its server's"] = _cpu() - before - 2 * start_up
    return {place: 1e3 * seconds / jobs for place, seconds in spent.items()}


def _cpu() -> float:
    """Return the seconds of CPU time that all ended descendants have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def spread(values: list[float]) -> str:
    """Return the median and the range of some values."""
    return f"{statistics.median(values):8.1f}  [{min(values):.1f} … {max(values):.1f}]"


def main() -> None:
    """Print the tables, and write the figures as JSON."""
    parser = argparse.ArgumentParser(prog="throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--stock", type=int, default=2, help="submissions that nbgrader grades in each round")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(f"{options.submissions} submissions, {options.workers} workers on {os.cpu_count()} cores; ms each")
    found = []
    for each in rounds(options.rounds, options.stock, options.submissions // options.rounds, options.workers):
        found.append(each)
        ratios = (
            f"{each.stock / each.engine:5.1f} times stock, {each.engine / each.floor:4.1f} times the floor"
        )
        print(
            f"  stock {each.stock:7.1f}  engine {each.engine:6.1f}  floor {each.floor:5.1f}  {ratios}",
            flush=True,
        )
    faster = [each.stock / each.engine for each in found]
    dearer = [each.engine / each.floor for each in found]
    print(f"times stock nbgrader's rate  {spread(faster)}   goal {GOAL}, needed {NEEDED}")
    print(f"times the floor's cost       {spread(dearer)}   goal {FLOOR_GOAL}")
    with tempfile.TemporaryDirectory() as folder:
        spent = places(50, Path(folder))
    print("where the time of a submission goes, ms on one worker")
    for place, milliseconds in spent.items():
        print(f"  {place:<50} {milliseconds:7.2f}")
    RESULTS.mkdir(exist_ok=True)
    result = {
        "rounds": [asdict(each) for each in found],
        "times_stock": faster,
        "times_floor": dearer,
        "ms": spent,
    }
    (RESULTS / "throughput.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
