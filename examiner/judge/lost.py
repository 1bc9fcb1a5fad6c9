"""How a candidate is lost: it ends, breaks the protocol, or does not answer in time."""

from examiner.verdict import Outcome


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
        super().__init__(outcome, fact)
        self.outcome, self.fact = outcome, fact
