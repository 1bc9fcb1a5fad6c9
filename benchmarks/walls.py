"""Measure what the walls around a candidate cost beyond the bare fork that every candidate needs.

    .venv-student/bin/python benchmarks/walls.py [rounds]

A warm server, which has loaded NumPy, IPython and matplotlib, runs every case in turn, many times over. The
table has medians: of the CPU time of server and candidate together, user and system, of the wall time, and of
their differences to the bare fork of the same round. What the kernel clears up after a candidate has ended is
in neither time.
"""

import gc
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from examiner.box.box import Box, enter_outer
from examiner.box.limits import ResourceLimits
from examiner.box.namespaces import Outer
from examiner.box.view import of_this_python
from examiner.box.walls import Walls, available

ROUNDS = 200
BOUNDS = ResourceLimits()
Case = Callable[[], object]


def bare_fork() -> None:
    """Fork a child that ends at once, and wait for it."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def boxed(box: Box) -> Case:
    """Return a case that starts a candidate with nothing to do, and ends it."""
    return lambda: box.end(box.start(lambda: None, BOUNDS))


def cases(box: Box) -> dict[str, Case]:
    """Return the cases: a bare fork, the walls of this box, and fewer or more walls."""
    known, ground = box.walls, box._ground  # noqa: SLF001 - a benchmark may look inside
    found: dict[str, Case] = {"bare fork": bare_fork, "all walls": boxed(box)}
    found["  without the filter of calls"] = boxed(
        Box(Walls(known.namespaces, known.landlock, seccomp=False), ground)
    )
    found["  without Landlock"] = boxed(Box(Walls(known.namespaces, 0, known.seccomp), ground))
    if isinstance(ground, Outer):
        found["  and a network of its own"] = boxed(Box(known, Outer(ground.proc, network=True)))
    return found


def measured(case: Case) -> tuple[float, float]:
    """Return the milliseconds of CPU time and of wall time that a case took."""
    before, start = _processor(), time.perf_counter()
    case()
    return (_processor() - before) * 1e3, (time.perf_counter() - start) * 1e3


def _processor() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def preload() -> None:
    """Load what the server of examiner loads before it forks."""
    import IPython.core.interactiveshell  # noqa: PLC0415 - the server loads it behind its walls
    import matplotlib as mpl  # noqa: PLC0415 - the same
    import numpy.random  # noqa: PLC0415 - the same
    import numpy.testing  # noqa: F401, PLC0415 - the same, only to load it

    mpl.use("Agg")
    import matplotlib.pyplot  # noqa: F401, ICN001, PLC0415 - after the backend is set, only to load it

    IPython.core.interactiveshell.InteractiveShell.instance()
    gc.collect()
    gc.freeze()


def report(name: str, box: Box, rounds: int) -> None:
    """Measure every case in turn, and print the table."""
    compared = cases(box)
    samples: dict[str, list[tuple[float, float]]] = {case: [] for case in compared}
    for _ in range(rounds):
        for case, run in compared.items():
            samples[case].append(measured(run))
    print(f"{name:<32}{'processor ms':>14}{'more':>8}{'wall ms':>12}{'more':>8}")
    for case, rows in samples.items():
        pairs = list(zip(rows, samples["bare fork"], strict=True))
        row = []
        for clock in (0, 1):
            row += [statistics.median(mine[clock] for mine, _ in pairs)]
            row += [statistics.median(mine[clock] - bare[clock] for mine, bare in pairs)]
        print(f"{case:<32}{row[0]:>14.2f}{row[1]:>8.2f}{row[2]:>12.2f}{row[3]:>8.2f}", flush=True)


def main() -> None:
    """Measure each kind of walls in a server of its own."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    rounds = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    here = available()
    kinds = {"namespaces": here, "Landlock and a reaper": Walls(False, here.landlock, here.seccomp)}
    for name, walls in kinds.items():
        server = os.fork()
        if server == 0:
            box = enter_outer(of_this_python(), walls)
            preload()
            report(name, box, rounds)
            os._exit(0)
        os.waitpid(server, 0)


if __name__ == "__main__":
    main()
