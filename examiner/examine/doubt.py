"""Leaves to a person what may have failed only since a student's answer was not found in the notebook."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from examiner.submission.matching import expected_names
from examiner.submission.repair import Piece, Repaired
from examiner.verdict import Outcome, Verdict

UNSURE: Final = "the cell {} was missing, and its answer may stand in another cell: a person has to look"
_WORDS: Final = re.compile(r"\w+")


def in_doubt(verdicts: Sequence[Verdict], repaired: Repaired) -> tuple[Verdict, ...]:
    """Return the verdicts; of cells that need a lost answer, those without full points are open."""
    if not repaired.doubtful:
        return tuple(verdicts)
    needing = dict(_needing(repaired.pieces, repaired.doubtful))
    return tuple(_opened(v, needing[v.grade_id]) if v.grade_id in needing else v for v in verdicts)


def _needing(pieces: Iterable[Piece], doubtful: frozenset[str]) -> Iterable[tuple[str, str]]:
    """Yield the grade cells that need an answer which was not found, each with the name of its cell.

    They read what it defines; of an answer that defines nothing, they are those up to the next answer.
    """
    lost: dict[str, frozenset[str]] = {}
    last = ""
    for original in (piece.original for piece in pieces if piece.original):
        if original.is_solution:
            last = original.grade_id
            if last in doubtful:
                lost[last] = expected_names(original)
        elif original.is_autograded:
            words = set(_WORDS.findall(original.source))
            for name, names in lost.items():
                if names & words or (not names and name == last):
                    yield original.grade_id, name


def _opened(verdict: Verdict, lost: str) -> Verdict:
    """Return a verdict that waits for a person, if it did not give all points."""
    if verdict.outcome is Outcome.PASSED or verdict.outcome.is_open:
        return verdict
    reason = f" ({verdict.message})" if verdict.message else ""
    return replace(
        verdict,
        outcome=Outcome.INCONCLUSIVE,
        points=None,
        provisional=verdict.points or 0.0,
        message=UNSURE.format(lost) + reason,
    )
