"""Points within a cell, and the random numbers that hidden tests draw."""

import hashlib
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from examiner_checks.failures import CheckFailed, Inconclusive

# The awards of the running cell, as (points, reason), and which cell that is: IPython's execution count, or
# None if no cell was started.
_awards: list[tuple[float, str]] = []
_cell: int | None = None


def award(points: float, reason: str = "") -> float:
    """Add points to the running cell and return its total so far.

    nbgrader takes the value of a cell's last expression as its score, so a cell that gives partial credit
    ends in `award(…)`; `award(0)` if there is nothing left to add. Its total starts at 0 with every run of
    a cell: in Jupyter the execution count tells when that is, outside `start_cell()` does.

    Parameters
    ----------
    points : float
        Zero or more.
    reason : str, optional
        What the points are for.

    Raises
    ------
    ValueError
        If `points` is negative or not finite.
    RuntimeError
        If no cell is running: outside Jupyter, before the first `start_cell()`.
    """
    if not (math.isfinite(points) and points >= 0):
        raise ValueError(f"award() takes zero or more points, not {points!r}")
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and shell.execution_count != _cell:
        start_cell(shell.execution_count)
    if _cell is None:
        raise RuntimeError("no cell is running; outside Jupyter, call examiner_checks.start_cell() first")
    _awards.append((float(points), reason))
    return math.fsum(given for given, _ in _awards)


def awards() -> list[tuple[float, str]]:
    """Return what the running cell was awarded so far, as (points, reason)."""
    return list(_awards)


def start_cell(number: int = 0) -> None:
    """Start a new total at 0. Jupyter users never need this: `award` sees there when a new cell runs."""
    global _cell  # noqa: PLW0603  (one process runs one cell at a time)
    _cell = number
    _awards.clear()


@contextmanager
def attempt(points: float, reason: str) -> Iterator[None]:
    """Award the points if the block ends without an exception; if not, say so, and let the cell go on.

    What is printed is the reason and a failed check's hint: never a value, which in a hidden test is a
    secret.

    Parameters
    ----------
    points : float
        Zero or more.
    reason : str
        What is attempted, in words that a student may read.
    """
    try:
        yield
    except Inconclusive:  # nobody knows whether it is worth these points
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  (what a student's code raises costs this block)
        hint = f" ({error.hint})" if isinstance(error, CheckFailed) and error.hint else ""
        print(f"not yet: {reason}{hint}")  # noqa: T201  (for the student to read)
    else:
        award(points, reason)


def rng(label: str) -> np.random.Generator:
    """Return a random generator that depends on the label and on the environment variable EXAMINER_SEED.

    The same label gives the same numbers as long as the seed is the same; a student who sets none practises
    on the seed "practice". Grading sets one that nobody knew before.
    """
    seed = os.environ.get("EXAMINER_SEED", "practice")
    digest = hashlib.sha256(f"{seed}\0{label}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4").astype(np.uint32))
