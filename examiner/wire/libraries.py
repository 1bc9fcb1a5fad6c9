"""The libraries of which values cross, each in a module of its own that imports it only when one comes."""

from typing import Any

from examiner.wire import arrays, expressions, frames, graphs, sparse, tensors
from examiner.wire.apart import LIBRARIES, rebuilt, root_of, taken_apart

__all__ = [
    "LIBRARIES",
    "arrays",
    "become",
    "can_change",
    "expressions",
    "frames",
    "graphs",
    "has_a_shape",
    "has_identity",
    "is_of_a_library",
    "rebuilt",
    "root_of",
    "sparse",
    "taken_apart",
    "tensors",
]


def has_identity(value: Any) -> bool:
    """Whether an object of one of these libraries is the only one of its value, such as a dtype."""
    library = LIBRARIES.get(root_of(type(value)))
    return library is not None and type(value).__name__ in library.constants


def can_change(value: Any) -> bool:
    """Whether an object of one of these libraries can become another one of its class."""
    library = LIBRARIES.get(root_of(type(value)))
    return library is not None and type(value).__name__ in library.changing


def become(ours: Any, theirs: Any) -> bool:
    """Make an object of a library what another of its class is; return whether it can be that."""
    return LIBRARIES[root_of(type(ours))].become(ours, theirs)


def has_a_shape(value: Any) -> bool:
    """Whether an object is a frame, a matrix, a tensor or the like of one of these libraries."""
    return is_of_a_library(value) and hasattr(value, "shape")


def is_of_a_library(value: Any) -> bool:
    """Whether an object is of a class of one of these libraries besides NumPy, so that it may be a copy."""
    return (root := root_of(type(value))) in LIBRARIES and root != "numpy"
