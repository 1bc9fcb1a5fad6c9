"""How the tests are shared out among processes: whole files, those that take longest first.

What waits for a class of submissions, or for a cell that hangs, leaves a core to others, so there are two
processes more than there are cores. The gate, which leaves none, has run before. A folder whose files share
an expensive fixture stays together, and the fixture is made once.
"""

import os
from typing import Final

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER: Final = ("tests/attacks/", "tests/browser/")
FIRST: Final = (
    "tests/attacks/",
    "tests/siege/",
    "tests/examiner/gate/test_check.py",
    "tests/course/test_sample_class.py",
    "tests/course/test_grade.py",
    "tests/browser/",
    "tests/course/test_stock.py",
    "tests/course/test_nbgrader.py",
    "tests/course/test_kinds.py",
    "tests/examiner/examine/test_bench.py",
    "tests/course/",
    "tests/examiner/candidate/test_cells.py",
)


class _ByFixture(LoadFileScheduling):
    """Gives a process whole files, and whole folders of those that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        together = next(filter(nodeid.startswith, TOGETHER), None)
        return together or super()._split_scope(nodeid)


def pytest_configure():
    """Have each process compute by one thread: there are as many processes as there are cores, and more."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share tests out by what they have in common."""
    return _ByFixture(config, log)


@pytest.hookimpl(optionalhook=True, tryfirst=True)  # before the answer of pytest-xdist itself
def pytest_xdist_auto_num_workers() -> int:
    """Keep all cores busy while something waits."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, or they would run when nothing is left to run beside them."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    ranks = [rank for rank, start in enumerate(FIRST) if item.nodeid.startswith(start)]
    return ranks[0] if ranks else len(FIRST)
