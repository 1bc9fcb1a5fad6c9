"""What a candidate is handed and what it reports, in the words of both ends."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NoReturn

from examiner.wire.codec import decode, encode
from examiner.wire.limits import MessageLimits

EVENT: Final = (
    16  # the kind of a frame on the control line, and of the reply of a cell that was run in a snapshot
)

FOREVER: Final = 10**6  # seconds: it is the trusted end that sets limits, from outside
FORBID: Final = b"forbid"  # what a server is told, and says, of a process that shall start no others

# What may be handed over, and what may be reported; the other end breaks off behind these.
WORK_LIMITS: Final = MessageLimits(frame=256 << 20, items=100_000)
REPORT_LIMITS: Final = MessageLimits(frame=16 << 20, total=128 << 20)


# All variables that a server finds, and each candidate with it.
ENVIRONMENT: Final = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "NBGRADER_EXECUTION": "autograde",
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


class Role(StrEnum):
    """What becomes of a code cell."""

    PLAIN = "plain"  # the candidate runs it
    EXAMINED = "examined"  # a snapshot answers the examiner
    KERNEL = "kernel"  # a snapshot runs it, once it is told the text


@dataclass(frozen=True)
class Work:
    """The code cells of one notebook, and all that they find.

    Parameters
    ----------
    cells : tuple of (Role, str)
        In order; those that are not plain come without their text.
    files : mapping from str to bytes
        What lies beside the notebook, by its path relative to it.
    environment : mapping from str to str
        Variables in addition to the few that every candidate has.
    seconds : float
        For each cell; one that takes longer is interrupted.
    seed : int
        What the global generators of `random` and `numpy.random` start from.
    tracebacks : str
        How much of an error is written out, in IPython's words.
    measures : bool
        Whether a snapshot's memory is measured; what is the student's process's own is known by its fork.
    """

    cells: tuple[tuple[Role, str], ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 10.0
    seed: int = 0
    tracebacks: str = "Context"
    measures: bool = False

    @property
    def outlasts_its_cells(self) -> bool:
        """Whether snapshots wait until no cell runs any more."""
        return any(role is Role.KERNEL for role, _ in self.cells)

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` makes the same work of."""
        cells = [(str(role), source) for role, source in self.cells]
        values = (
            cells,
            dict(self.files),
            dict(self.environment),
            self.seconds,
            self.seed,
            self.tracebacks,
            self.measures,
        )
        return encode(values, _refuse, limits=WORK_LIMITS)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Work":
        """Return the work that `to_bytes` wrote."""
        cells, *rest = decode(data, limits=WORK_LIMITS)
        return cls(tuple((Role(role), source) for role, source in cells), *rest)


def _refuse(value: Any) -> NoReturn:
    raise TypeError(f"work holds plain data, not a {type(value).__name__}")
