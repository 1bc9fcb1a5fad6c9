"""Measure what a request to a student's process costs, beside a bare round trip over a socket pair.

Each figure is the wall time of one call, as the median over calls that are interleaved with bare round trips:
where the speed of the machine drifts, it drifts for both.
"""

import argparse
import json
import os
import random
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial

from benchmarks.paired import RESULTS, clocked, median_interval

# isort: split
import numpy as np

from examiner.candidate.snapshot import Snapshot
from examiner.judge.proxy import Remote
from examiner.wire.channel import Channel
from examiner.wire.limits import MessageLimits
from examiner.wire.shared_memory import SharedBlock

SMALL_GOAL = 100e-6
LARGE_GOAL = 500e-6
WARM = 50  # calls that are not counted
STUDENT = """
def same(x):
    return x
import numpy as np
class Tensor:
    size, data = 3, np.ones(3)
    def numpy(self):
        return self.data
    def __add__(self, other):
        return self
"""


@dataclass(frozen=True)
class Figure:
    """Seconds of one call: the median and its 95 % interval, a bare round trip's median, and the goal."""

    name: str
    median: float
    low: float
    high: float
    bare: float
    goal: float

    def __str__(self) -> str:
        verdict = "met" if self.high <= self.goal else "missed" if self.low > self.goal else "within spread"
        figures = f"{1e6 * self.median:>8.1f} [{1e6 * self.low:.1f}, {1e6 * self.high:.1f}]"
        return f"{self.name:<40} {figures:<28} {1e6 * self.bare:>8.1f} {1e6 * self.goal:>8.0f}  {verdict}"


@contextmanager
def served(serve: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """Yield a socket whose other end is served by a forked process."""
    ours, theirs = socket.socketpair()
    process = os.fork()
    if process == 0:
        ours.close()
        try:
            serve(theirs)
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        yield ours
    os.waitpid(process, 0)


def echo(sock: socket.socket) -> None:
    """Send back every byte."""
    while piece := sock.recv(1):
        sock.send(piece)


@contextmanager
def snapshot() -> Iterator[Remote]:
    """Yield the trusted end of a snapshot of the student's code above, without walls."""
    blocks = SharedBlock.create(), SharedBlock.create()

    def serve(sock: socket.socket) -> None:
        namespace: dict[str, object] = {}
        exec(STUDENT, namespace)  # noqa: S102 - the code above
        Snapshot(Channel(sock, *blocks), namespace).serve()

    with served(serve) as sock:
        incoming, outgoing = reversed(blocks)
        yield Remote(Channel(sock, incoming, outgoing, MessageLimits(total=1 << 40)), time.monotonic() + 3600)
    for block in blocks:
        block.close()


def measured(
    name: str, goal: float, call: Callable[[], object], bare: Callable[[], object], n: int
) -> Figure:
    """Time single calls and bare round trips in turn, in random order."""
    order, ours, theirs = random.Random(0), [], []  # noqa: S311 - a fair coin, not a secret
    for _ in range(n + WARM):
        for side, samples in order.sample([(call, ours), (bare, theirs)], 2):
            samples.append(clocked(side, 1)[1])
    ours, theirs = ours[WARM:], theirs[WARM:]
    low, high = median_interval(ours)
    return Figure(name, statistics.median(ours), low, high, statistics.median(theirs), goal)


def main() -> None:
    """Print the table, and write the figures as JSON."""
    parser = argparse.ArgumentParser(prog="rpc", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1001, help="calls of each kind (at least 6)")
    n = parser.parse_args().calls
    with served(echo) as sock, snapshot() as remote:
        found = remote.ask("resolve", "same", "Tensor")
        same, x = found["same"], found["Tensor"]()

        def bare() -> None:
            sock.send(b"?")
            sock.recv(1)

        print(f"one call, wall µs: median of {n} calls [95 % interval]")
        print(f"{'what':<40} {'median':>8} {'':<19} {'bare':>8} {'goal':>8}")
        figures = []
        for name, goal, call in (
            ("attribute, a number", SMALL_GOAL, lambda: x.size),
            ("method, an array out", SMALL_GOAL, lambda: remote.ask("method", x, "numpy", (), {})),
            ("call, a number in and out", SMALL_GOAL, partial(same, 1.5)),
            ("operator, an object out", SMALL_GOAL, lambda: x + 1),
            ("call, a 4 by 4 array in and out", SMALL_GOAL, partial(same, np.ones((4, 4)))),
            ("call, 1 MB in and out", LARGE_GOAL, partial(same, np.ones(1 << 17))),
        ):
            figures.append(measured(name, goal, call, bare, n))
            print(figures[-1], flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "rpc.json").write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")


if __name__ == "__main__":
    main()
