"""Whether the instructor's solution gets all points in a real Jupyter kernel, as students use it.

One kernel runs the whole notebook from top to bottom, hidden tests included, as stock nbgrader would. Where
that loses points, a test is wrong, or the solution is, and every right answer would lose them too.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from examiner.errors import WrongSolution
from examiner.gate.model import TOLERANCE, Account, Result, Results, TrialKind
from examiner.gate.trials import Plan
from examiner.verdict import Outcome

# Raised where a measurement has no result.
UNMEASURED: Final = frozenset({"Inconclusive", "CellTimeout"})


def failures(plan: Plan, results: Results) -> dict[str, str]:
    """Return the cells in which the solution loses points in the kernel, and why; none if it did not run."""
    witness = results.get((TrialKind.WITNESS, TrialKind.WITNESS))
    return dict(_failures(plan, witness)) if witness else {}


def _failures(plan: Plan, witness: Result) -> Iterator[tuple[str, str]]:
    for cell, points in plan.points.items():
        account = witness.kernel[cell]
        is_left_out = account.outcome.is_open  # an empty cell, which waits for a person
        if points - account.points > TOLERANCE and not is_left_out and not _is_excused(plan, cell, account):
            yield cell, _why(account) or f"{points - account.points:g} of {points:g} points are lost"


def _why(account: Account) -> str:
    """Return the line, the outcome where it says more than the message, and the message."""
    line = f"line {account.line}" if account.line else ""
    is_told = account.outcome in {Outcome.FAILED, Outcome.ERROR, Outcome.PARTIAL}
    parts = line, "" if is_told else str(account.outcome), account.message
    return ", ".join(part for part in parts if part)


def _is_excused(plan: Plan, cell: str, account: Account) -> bool:
    """Whether points were lost because of how a kernel is graded, or since it is no place to measure."""
    return is_warning(account) or is_beyond_kernels(plan, cell, account, cell in plan.measured)


def is_warning(account: Account) -> bool:
    """Whether a cell lost its points by a warning on stderr, which nbgrader takes for a failure."""
    return account.wrote_stderr and not account.raised


def is_beyond_kernels(plan: Plan, cell: str, account: Account, is_measured: bool) -> bool:
    """Whether a cell failed in the kernel for a reason that no kernel can avoid.

    A kernel has no `reference`. Also, other processes run at the same time, so a measurement that is clear
    where cells are examined may be inconclusive in a kernel, or take too long.
    """
    lacks_reference = cell in plan.using_reference and account.raised == NameError.__name__
    return lacks_reference or (is_measured and account.raised in UNMEASURED)


def require(plans: Mapping[str, Plan], result: Result) -> None:
    """Raise WrongSolution if a result is a witness that lost points, and name each cell that did."""
    if result.trial.kind is not TrialKind.WITNESS:
        return
    plan = plans[result.trial.plan]
    lost = dict(_failures(plan, result))
    if lost:
        raise wrong_solution(plan, lost)


def wrong_solution(plan: Plan, lost: Mapping[str, str]) -> WrongSolution:
    """Return the error about a solution that loses points in these cells."""
    (cell, why), *others = lost.items()
    fact = f"in a Jupyter kernel, the instructor's solution fails it ({why})"
    also = "".join(f"; so it does in cell {name} ({reason})" for name, reason in others)
    fix = "mend the test or the solution, or grade it --anyway: until then the assignment is not graded"
    return WrongSolution(plan.place(cell), fact + also, fix)
