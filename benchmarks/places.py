"""Measure where the time of a submission goes: wall time in places of a worker, CPU time in all processes."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from benchmarks.trivial import GRADE_CELLS, STUDENT, job
from examiner.examine import engine as engine_module
from examiner.examine import follow
from examiner.examine.engine import Engine
from examiner.examine.judges import JudgeRun
from examiner.examine.server import Candidate, SandboxSettings, Server
from examiner.store.sheets import FiledGrade, NotebookSheet


class Clock:
    """Adds up the wall time spent in named places; the time of a nested place counts only for that one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._nested = [0.0]

    @contextmanager
    def running(self, place: str) -> Iterator[None]:
        """Count the time of this block for a place."""
        started = time.perf_counter()
        self._nested.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[place] = self.seconds.get(place, 0.0) + spent - self._nested.pop()
            self._nested[-1] += spent

    def watch(self, owner: Any, name: str, place: str) -> None:
        """Count the time of every later call of a function for a place."""
        function: Callable[..., Any] = getattr(owner, name)

        @wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self.running(place):
                return function(*args, **kwargs)

        setattr(owner, name, watched)


clock = Clock()


def grade(engine: Engine, number: int, folder: Path) -> None:
    """Grade one submission, and write its sheet and its notebook."""
    graded = engine.run(job(number))
    assert graded.sheet.points == 2 * GRADE_CELLS, graded.sheet
    with clock.running("sheet and notebook written"):
        (folder / f"s{number}.json").write_text(FiledGrade((NotebookSheet("p", graded.sheet),)).text)
        (folder / f"s{number}.ipynb").write_bytes(graded.notebook)


def places(jobs: int, folder: Path) -> dict[str, float]:
    """Return the milliseconds of a submission in each place of a worker, and its CPU time overall."""
    before = _cpu()
    with Engine(SandboxSettings(STUDENT), b"secret") as engine:
        grade(engine, -1, folder)
    start_up = _cpu() - before
    clock.seconds.clear()
    for owner, name, place in (
        (engine_module, "document_of", "submission read"),
        (engine_module, "repair", "notebook mended"),
        (Server, "start", "candidate started and walled in"),
        (follow.RunFollower, "_follow", "waiting for the student's cells and the snapshot"),
        (JudgeRun, "__init__", "judge started and walled in"),
        (JudgeRun, "judge", "grade cells"),
        (JudgeRun, "__exit__", "judge ended"),
        (engine_module, "executed", "executed notebook"),
        (Candidate, "__exit__", "candidate ended"),
    ):
        clock.watch(owner, name, place)
    with Engine(SandboxSettings(STUDENT), b"secret") as engine:
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
    spent["CPU, of candidates, judges and servers"] = _cpu() - before - 2 * start_up
    return {place: 1e3 * seconds / jobs for place, seconds in spent.items()}


def _cpu() -> float:
    """Return the seconds of CPU time that all ended descendants have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
