"""The global generators of `random` and NumPy, as a grade cell finds them.

Both are Mersenne Twisters: 624 numbers of 32 bits tell all that come after them. A student's function gets
such numbers as inputs, so wherever a later call is measured on "inputs that it has not seen", they are
seeded anew. `rng` of the checks needs none of this: its PCG64 shows too little of its state.
"""

import hashlib
import random
from dataclasses import dataclass

import numpy as np


@dataclass
class Chance:
    """Seeds the generators for one cell; the same seed gives the same numbers.

    Parameters
    ----------
    seed : str
        The seed of the cell.
    """

    seed: str
    turn: int = 0

    def start(self) -> None:
        """Seed them for the beginning of the cell."""
        _seed(self.seed)

    def draw_anew(self) -> None:
        """Seed them so that nothing that was drawn before tells what comes."""
        self.turn += 1
        _seed(f"{self.seed} {self.turn}")


def _seed(text: str) -> None:
    random.seed(text)
    # All 256 bits: one word alone could be found by trying.
    np.random.seed(np.frombuffer(hashlib.sha256(text.encode()).digest(), "<u4"))  # noqa: NPY002 - cells use it
