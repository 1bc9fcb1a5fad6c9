"""How a candidate is lost: it ends, breaks the protocol, or does not answer in time."""

from typing import Final

from examiner.verdict import Outcome

MOST_OF_A_FACT: Final = 1000  # characters: it may quote what the candidate sent


class CandidateLost(BaseException):
    """The snapshot died, broke the protocol or ran out of time; no `except Exception` of a cell catches this.

    Parameters
    ----------
    outcome : Outcome
        The outcome of the cell that needed the candidate.
    fact : str
        What happened.
    """

    def __init__(self, outcome: Outcome, fact: str) -> None:
        bounded = fact if len(fact) <= MOST_OF_A_FACT else f"{fact[: MOST_OF_A_FACT - 1]}…"
        super().__init__(outcome, bounded)
        self.outcome, self.fact = outcome, bounded
