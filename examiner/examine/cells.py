"""Judges the grade cells of one notebook: each gets a seed, a snapshot and a verdict."""

import hmac
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from examiner.errors import PlatformFault
from examiner.judge.cell import lost_verdict
from examiner.judge.compile import GradeCell
from examiner.judge.lost import CandidateLost
from examiner.model import Identity, Mode
from examiner.verdict import GradeSheet, Outcome, Verdict
from examiner.wire.channel import Channel

JudgeCell = Callable[[GradeCell, Channel, str], Verdict]
"""Runs a grade cell against the snapshot behind a channel, with a seed."""


class SnapshotSource(Protocol):
    """A process that runs a student's notebook and leaves a snapshot of itself at each grade cell."""

    def snapshot(self, grade_id: str) -> AbstractContextManager[Channel]:
        """Open the channel to the snapshot at a grade cell; leaving the context ends the snapshot.

        Raises
        ------
        CandidateLost
            On entering, if the candidate did not get that far.
        PlatformFault
            On entering, if that is our fault.
        """

    def check_server(self) -> None:
        """Raise BrokenServer if the server has ended: a missing answer is then not the student's fault."""


def examine(
    cells: Sequence[GradeCell],
    candidate: SnapshotSource,
    identity: Identity,
    secret: bytes,
    judge: JudgeCell,
) -> GradeSheet:
    """Return the grade sheet of one notebook: a verdict for every cell that is not run in a kernel.

    Parameters
    ----------
    secret : bytes
        The course's secret, from which seeds are derived; it is not in the course's repository.
    judge : callable
        Gives the verdict on one cell.
    """
    verdicts = []
    for cell in cells:
        if cell.mode is Mode.KERNEL:
            continue
        seed = cell_seed(secret, identity, cell.grade_id)
        try:
            with candidate.snapshot(cell.grade_id) as channel:
                verdict = judge(cell, channel, seed)
        except CandidateLost as lost:
            verdict = lost_verdict(cell, seed, lost)
        except (PlatformFault, OSError) as fault:
            unjudged = Outcome.INFRASTRUCTURE
            verdict = Verdict(cell.grade_id, unjudged, None, cell.points, cell.mode, str(fault), seed=seed)
        if verdict.outcome is Outcome.CRASHED:
            candidate.check_server()
        verdicts.append(verdict)
    return GradeSheet(identity, tuple(verdicts))


def cell_seed(secret: bytes, identity: Identity, grade_id: str) -> str:
    """Return the seed of a cell's inputs: the same for the same work, and unknown without the secret."""
    parts = (identity.course, identity.assignment, identity.student, identity.key.submission, grade_id)
    message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hmac.digest(secret, message, "sha256").hex()
