"""The global generators of `random`, NumPy and PyTorch, as a grade cell finds them.

All are Mersenne Twisters: 624 numbers of 32 bits tell all that come after them. A student's function gets
such numbers as inputs, so wherever a later call is measured on "inputs that it has not seen", they are
seeded anew. `rng` of the checks needs none of this: its PCG64 shows too little of its state.
"""

import hashlib
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from examiner.judge.proxy import Remote


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


class SharedChance:
    """The generators that a cell has seeded by itself: a student's function draws from the same.

    Until then their state is not sent: from it, anybody could tell what the cell will draw.

    Parameters
    ----------
    remote : Remote
        The connection to the snapshot.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._sent: dict[str, Any] = {}
        remote.before.append(self._before)

    def seeded(self, owner: Any) -> None:
        """Note that the cell has seeded the generator of a module, if that is one."""
        for name, module in (("random", random), ("numpy", np.random), ("torch", _torch())):
            if owner is module and module is not None:
                self._sent[name] = None

    def _before(self, _: Any) -> None:
        for name, sent in self._sent.items():
            state: Any = _STATES[name]()
            if state != sent:
                self._sent[name] = state
                self._remote.aside(type(None), "draw from", name, state)


def states() -> list[Any]:
    """Return the states of all generators, which tell whether something was drawn."""
    return [state() for state in _STATES.values()]


def _torch() -> Any:
    return sys.modules.get("torch")


def _numpys() -> tuple[Any, ...]:
    kind, numbers, *rest = np.random.get_state()  # noqa: NPY002 - cells use it
    return (kind, tuple(np.asarray(numbers).tolist()), *rest)


def _torchs() -> bytes:
    return bytes(_torch().get_rng_state().numpy()) if _torch() else b""


_STATES: Final[dict[str, Callable[[], Any]]] = {"random": random.getstate, "numpy": _numpys, "torch": _torchs}


def _seed(text: str) -> None:
    digest = hashlib.sha256(text.encode()).digest()
    random.seed(text)
    # All 256 bits: one word alone could be found by trying.
    np.random.seed(np.frombuffer(digest, "<u4"))  # noqa: NPY002 - cells use it
    if _torch():  # it takes a word
        _torch().manual_seed(int.from_bytes(digest[:8], "little"))
