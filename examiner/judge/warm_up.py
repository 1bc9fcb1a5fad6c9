"""Runs grade cells in a server of judges before there are any, so that each judge finds their ways trodden.

Python makes code faster the first times that it runs, by writing into it. Without this, every judge would do
that anew, and copy the pages that it writes to.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from examiner.candidate.snapshot import Snapshot
from examiner.judge.assignments import compiled, computed
from examiner.judge.cell import Conditions, judge_cell
from examiner.judge.restore import restored
from examiner.judge.work import VERDICT_LIMITS, JudgedAssignment, reported
from examiner.wire.channel import Channel
from examiner.wire.codec import encode
from examiner.wire.shared_memory import SharedBlock

ROUNDS: Final = 12  # Python looks at what to make faster after eight calls
LONGEST: Final = 10.0
STUDENT: Final = """
import numpy as np
class Tensor:
    def __init__(self, data):
        self.data = np.array(data)
        self.shape = self.data.shape
    def numpy(self):
        return self.data
    def __add__(self, other):
        return Tensor(self.data + other.data)
    def backward(self):
        raise ValueError("no gradient")
def double(x):
    return 2 * x
def apply(f, x):
    return f(x)
"""
IMPORTS: Final = "import numpy as np\nLIMIT = 3\ndef near(a, b):\n    return np.allclose(a, b)"
CELL: Final = """
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from examiner_checks import array, award, check_array, check_equal, raises, ref, rng, value
random = rng("warm")
x = random.normal(size=(3, 4))
assert double(2) == 4 and near(double(x), 2 * x)
assert_allclose(double(np.ones(3000)), 2 * np.ones(3000))
assert_array_equal(apply(lambda y: y + 1, x), x + 1)
t = Tensor([[1.0, 2.0]]) + Tensor([[1.0, 2.0]])
check_equal(t.shape, (1, 2))
check_array(t.numpy(), np.array([[2.0, 4.0]]), rtol=1e-9)
assert isinstance(t, Tensor) and LIMIT == 3
shared = ref(t.data)
shared[0, 0] = 7.0
assert value(ref(t.data))[0, 0] == 7.0
for one in [1, 2, 3]:
    assert double(one) == 2 * one
with raises(ValueError):
    t.backward()
print("done")
award(1)
"""


def warm_up() -> None:
    """Run a grade cell of many kinds of requests some times, against a student's code that is ours."""
    assignment = computed(compiled(JudgedAssignment(_notebook()), None), None)
    for grade_id in ROUNDS * [*assignment.cells]:
        cell, namespace = assignment.cells[grade_id]
        with _snapshot() as channel, restored():
            verdict = judge_cell(cell, channel, "warm", Conditions(LONGEST), namespace)
        encode(reported(verdict), limits=VERDICT_LIMITS)


@contextmanager
def _snapshot() -> Iterator[Channel]:
    """Yield the connection to a process with our own code in place of a student's."""
    ours, theirs = socket.socketpair()
    blocks = SharedBlock.create(), SharedBlock.create()
    process = os.fork()
    if process == 0:
        try:
            ours.close()
            namespace: dict[str, Any] = {"__name__": "__main__"}
            exec(STUDENT, namespace)  # noqa: S102 - a text of this module
            Snapshot(Channel(theirs, *blocks), namespace).serve()
        finally:
            os._exit(0)
    theirs.close()
    outgoing, incoming = blocks
    channel = Channel(ours, incoming, outgoing)
    try:
        yield channel
    finally:
        channel.close_all()
        os.waitpid(process, 0)


def _notebook() -> bytes:
    """Return a notebook of a locked cell and one grade cell."""
    marks = {"schema_version": 3, "solution": False, "locked": True}
    cells = [
        {"metadata": {"nbgrader": marks | {"grade_id": "imports", "grade": False}}, "source": IMPORTS},
        {"metadata": {"nbgrader": marks | {"grade_id": "cell", "grade": True, "points": 2}}, "source": CELL},
    ]
    common: dict[str, Any] = {"cell_type": "code", "outputs": [], "execution_count": None}
    document = {"cells": [cell | common for cell in cells], "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(document).encode()
