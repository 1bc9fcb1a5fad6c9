"""What a candidate is given and what it reports, as both ends know it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from examiner.wire.codec import decode, encode
from examiner.wire.limits import MessageLimits

# The kind of a frame on the control channel, and of the reply of a cell that ran in a snapshot.
EVENT: Final = 16

FOREVER: Final = 10**6  # seconds; the trusted end sets the limits, from outside

# Limits for the work and for the reports; an end that receives more ends the conversation.
WORK_LIMITS: Final = MessageLimits(frame=256 << 20, items=100_000)
REPORT_LIMITS: Final = MessageLimits(frame=16 << 20, total=128 << 20)


MATPLOTLIB: Final = "matplotlib"  # a server that learns this has drawn once as well
# The environment variables of a server and of its candidates.
ENVIRONMENT: Final = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "NBGRADER_EXECUTION": "autograde",
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


class Role(StrEnum):
    """Where a code cell runs."""

    PLAIN = "plain"  # the candidate runs it
    EXAMINED = "examined"  # the examiner runs it, and asks a snapshot for the student's names
    KERNEL = "kernel"  # a snapshot runs it, when it gets the text


@dataclass(frozen=True)
class Work:
    """The code cells of one notebook, and the files and settings that they run with.

    Parameters
    ----------
    cells : tuple of (Role, str)
        Role and source of each cell, in order. Of a grade cell that is its released text if the candidate
        runs it as well, after its snapshot has been left, else empty.
    defining : mapping from int to tuple of str
        By number, the cells that only define functions and constants, each with the names that it binds.
    files : mapping from str to bytes
        The files beside the notebook, by relative path.
    environment : mapping from str to str
        Variables in addition to `ENVIRONMENT`.
    seconds : float
        The time limit of each cell, which is interrupted after it.
    seed : int
        The seed of the global generators of `random` and `numpy.random`.
    tracebacks : str
        IPython's traceback mode, such as "Context".
    measures : bool
        Whether memory is measured in snapshots. Then each is examined in a fork of its own, which shares all
        that it has with a process that waits meanwhile, so that what it takes is known.
    """

    cells: tuple[tuple[Role, str], ...]
    defining: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 10.0
    seed: int = 0
    tracebacks: str = "Context"
    measures: bool = False

    def to_bytes(self) -> bytes:
        """Return the encoded work, which `from_bytes` decodes."""
        cells = [(str(role), source) for role, source in self.cells]
        values = (
            cells,
            dict(self.defining),
            dict(self.files),
            dict(self.environment),
            self.seconds,
            self.seed,
            self.tracebacks,
            self.measures,
        )
        return encode(values, limits=WORK_LIMITS)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Work":
        """Return the work that `to_bytes` encoded."""
        cells, *rest = decode(data, limits=WORK_LIMITS)
        return cls(tuple((Role(role), source) for role, source in cells), *rest)
