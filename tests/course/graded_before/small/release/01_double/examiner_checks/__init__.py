"""What grade cells are written with: checks on values, interfaces, gradients and speed.

Everything here works with NumPy alone and behaves the same wherever a cell runs: in a student's own
notebook, in the box that holds a submission, or in the examiner beside it, where a student's values are
copies. So no check relies on the identity of an object, and none compares, measures or tests an object
before its exact type is known.
"""

from examiner_checks.failures import CheckFailed, Inconclusive, raises
from examiner_checks.gradients import check_gradient, numeric_gradient
from examiner_checks.handles import NumpyOnly, Spy, array, ref, value
from examiner_checks.memory import held, memory
from examiner_checks.performance import break_even, growth, quality, speed
from examiner_checks.scoring import attempt, award, awards, rng, start_cell
from examiner_checks.values import check_array, check_equal

__all__ = [
    "CheckFailed",
    "Inconclusive",
    "NumpyOnly",
    "Spy",
    "array",
    "attempt",
    "award",
    "awards",
    "break_even",
    "check_array",
    "check_equal",
    "check_gradient",
    "growth",
    "held",
    "memory",
    "numeric_gradient",
    "quality",
    "raises",
    "ref",
    "rng",
    "speed",
    "start_cell",
    "value",
]
