"""The libraries of which values cross, each in a module of its own that imports it only when one comes."""

from typing import Any

from examiner.wire import arrays, expressions, frames, graphs, sparse
from examiner.wire.apart import LIBRARIES, rebuilt, root_of, taken_apart

__all__ = [
    "LIBRARIES",
    "arrays",
    "expressions",
    "frames",
    "graphs",
    "is_of_a_library",
    "rebuilt",
    "root_of",
    "sparse",
    "taken_apart",
]


def is_of_a_library(value: Any) -> bool:
    """Whether an object is of a class of one of these libraries besides NumPy, so that it may be a copy."""
    return (root := root_of(type(value))) in LIBRARIES and root != "numpy"
