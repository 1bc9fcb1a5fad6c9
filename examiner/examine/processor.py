"""Keeps the processes of one submission on the processor on which its grading begins.

Supervisor, judge and candidate wait for each other in turn. On one processor each finds in the caches what
the one before has left there, and none has to be woken on another; other submissions use the others.
"""

import contextlib
import ctypes
import os
from collections.abc import Collection, Iterator
from typing import Final

_LIBC: Final = ctypes.CDLL(None)


@contextlib.contextmanager
def on_one_processor(servers: Collection[int]) -> Iterator[None]:
    """Keep this process, and servers with what they start in the block, on the present processor.

    Parameters
    ----------
    servers : collection of int
        The ids of their processes. One that has ended, or that this user may not move, is passed over.
    """
    allowed = os.sched_getaffinity(0)
    here = _LIBC.sched_getcpu()
    _keep((0, *servers), {here} & allowed or allowed)
    try:
        yield
    finally:
        _keep((0, *servers), allowed)


def _keep(processes: Collection[int], processors: Collection[int]) -> None:
    for process in processes:
        with contextlib.suppress(OSError):  # it ended, or is another user's: then it stays where it may run
            os.sched_setaffinity(process, processors)
