"""What a judge is given and what it reports, as both ends know it.

The supervisor has the judge run one grade cell after another. While a cell runs, the judge may ask for what
`Instruments` has; then it reports one verdict. All messages are plain data within these limits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Final

from examiner.model import Mode
from examiner.verdict import Verdict
from examiner.wire.codec import decode, encode
from examiner.wire.limits import MessageLimits

ASSIGNMENT_LIMITS: Final = MessageLimits(frame=256 << 20, items=1_000_000)
VERDICT_LIMITS: Final = MessageLimits(frame=16 << 20, items=1_000_000, total=256 << 20)
# What the judge may ask for, and nothing else.
INSTRUMENTS: Final = frozenset({"begin", "open_baseline", "enter", "leave", "sample", "reset_peak", "memory"})
OPENS: Final = "open_baseline"  # its answer comes with the descriptors of a connection


class JudgeFrame(IntEnum):
    """The kind of a frame between a judge and the supervisor."""

    JUDGE = 32  # to the judge: run a cell; its connection's descriptors come beside
    ANSWER = 33  # to the judge: what it asked for
    LOST = 34  # to the judge: the measured process is lost
    REFUSED = 35  # to the judge: the author asked for what cannot be
    ASK = 36  # from the judge
    VERDICT = 37  # from the judge
    REHEARSE = 38  # to the judge: run what locked cells compute, for the first time
    AT = 39  # from the judge: where it is, and what failed there; None at the end


@dataclass(frozen=True)
class JudgedAssignment:
    """What judges need to know of an assignment.

    Parameters
    ----------
    notebook : bytes
        The instructor's notebook.
    modes : mapping from str to Mode
        By grade_id, for cells that are not examined.
    files : mapping from str to bytes
        The instructor's files beside the notebook, which a grade cell may read, by relative path.
    beside : tuple of str
        The names of modules that lie beside the notebook: those are the candidate's.
    """

    notebook: bytes
    modes: Mapping[str, Mode] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Return it encoded, for `from_bytes`."""
        modes = {name: str(mode) for name, mode in self.modes.items()}
        return encode((self.notebook, modes, dict(self.files), self.beside), limits=ASSIGNMENT_LIMITS)

    @classmethod
    def from_bytes(cls, data: bytes) -> "JudgedAssignment":
        """Return what `to_bytes` encoded."""
        notebook, modes, files, beside = decode(data, limits=ASSIGNMENT_LIMITS)
        return cls(notebook, {name: Mode(mode) for name, mode in modes.items()}, files, beside)


def reported(verdict: Verdict) -> dict[str, Any]:
    """Return what a judge reports of its verdict: all but what the supervisor knows by itself."""
    data = {item.name: getattr(verdict, item.name) for item in fields(verdict) if item.name not in _KNOWN}
    return data | {
        "outcome": str(verdict.outcome),
        "points": None if verdict.points is None else float(verdict.points),
        "awards": [[float(points), str(reason)] for points, reason in verdict.awards],
        "measured": [measured.to_data() for measured in verdict.measured],
    }


_KNOWN: Final = frozenset({"grade_id", "max_points", "mode", "seed"})
