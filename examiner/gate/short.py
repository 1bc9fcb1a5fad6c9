"""Shortens trials where the evidence is known: what the gate demands is asked of fewer cells.

Without that, a mutant is run on every cell that it can reach, and a stub on all of them that do not measure.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from examiner.gate.model import Results, Trial, TrialKind
from examiner.gate.mutants import Mutant
from examiner.gate.stubs import FIRST_STUB
from examiner.gate.trials import Plan
from examiner.model import Mode

ONE_IN: Final = 4  # of the cells that a mutant reaches and need not lose, so many are run


@dataclass(frozen=True)
class Part:
    """One of several equal parts of the mistakes; all parts together are all of them.

    Parameters
    ----------
    number, of : int
        Such as 1 of 4; from 1 on.
    """

    number: int
    of: int

    def has(self, name: str) -> bool:
        """Whether a mistake of this name is in this part, which is always the same one."""
        return int.from_bytes(hashlib.sha256(name.encode()).digest()) % self.of == self.number - 1

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Return the part that a text such as `1/4` names; ValueError if it names none."""
        number, of = map(int, text.split("/"))
        if not 1 <= number <= of:
            raise ValueError(text)
        return cls(number, of)


def in_part(plan: Plan, part: Part) -> Plan:
    """Return the plan with the mistakes of one part; all stubs of a function are in the same one."""
    return replace(
        plan,
        mutants=tuple(mutant for mutant in plan.mutants if part.has(mutant.name)),
        automatic=tuple(stub for stub in plan.automatic if part.has(stub.function.key)),
        agreeable=tuple(stub for stub in plan.agreeable if part.has(stub.function.key)),
        hollow=tuple(stub for stub in plan.hollow if part.has(stub.key)),
        is_whole=False,
    )


def shortened(plan: Plan, trial: Trial, modes: Mapping[str, Mode], results: Results) -> Trial:
    """Return the trial in the known modes of its plan, on the cells that are enough.

    Parameters
    ----------
    modes : mapping from str to Mode
        The mode of each grade cell. The witness, and trials that record calls and answers, stay as they are.
    results : mapping
        The results of the plan's trials that have ended.
    """
    match trial.kind:
        case TrialKind.WITNESS | TrialKind.OBSERVED | TrialKind.REACH:
            return trial
        case TrialKind.MUTANT:
            [mutant] = [mutant for mutant in plan.mutants if mutant.name == trial.name]
            return replace(trial, modes=modes, cells=_drawn(plan, mutant, trial))
        case TrialKind.AUTOMATIC if trial.enough:
            return replace(trial, modes=modes, enough=_enough(plan, trial, modes, results))
    return replace(trial, modes=modes)


def _drawn(plan: Plan, mutant: Mutant, trial: Trial) -> frozenset[str] | None:
    """Return the cells that a mutant has to lose, and one in four of the others, always the same ones."""
    if mutant.equivalent:
        return trial.cells
    reached = plan.points.keys() if trial.cells is None else trial.cells
    return frozenset(cell for cell in reached if cell in mutant.loses or _is_drawn(mutant.name, cell))


def _is_drawn(mutant: str, cell: str) -> bool:
    return hashlib.sha256(f"{mutant} {cell}".encode()).digest()[0] % ONE_IN == 0


def _enough(plan: Plan, trial: Trial, modes: Mapping[str, Mode], results: Results) -> frozenset[str]:
    """Return a screening cell that caught the same function's first stub, with all that have caught none."""
    [stub] = [stub for stub in plan.automatic if stub.key == trial.name]
    caught = {
        name: result.lost(plan.points, modes).keys()
        for (kind, name), result in results.items()
        if kind is TrialKind.AUTOMATIC and name.endswith(FIRST_STUB)
    }
    catching = sorted(trial.enough & caught.get(f"{stub.function.key} returns {FIRST_STUB}", frozenset()))
    if not catching:
        return trial.enough
    return trial.enough.difference(*caught.values()) | {catching[0]}
