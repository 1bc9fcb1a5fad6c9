"""What the rewritten expressions of a grade cell give: comparisons, identities, types, texts.

Data is compared here, by value. Of a student's objects the snapshot is asked what only it can know, and that
is marked as a claim; a comparison that a student's class defines is never asked.
"""

import builtins
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from examiner.judge.claims import Claims
from examiner.judge.proxy import ArrayHandle, Proxy, Remote, class_of, is_class, is_mixed, named, text_of
from examiner.judge.raised import StudentsError, caught, expected
from examiner.wire.codec import BY_VALUE
from examiner.wire.libraries import has_identity, is_of_a_library
from examiner.wire.standard import NamedItems

_COPIED: Final = BY_VALUE | {Proxy, ArrayHandle}
_SEQUENCES: Final = frozenset({list, tuple, deque})
_CONTAINERS: Final = _SEQUENCES | {dict, OrderedDict, defaultdict}
_REPR: Final = ord("r")
# Functions and methods of libraries that are given classes of exceptions.
EXPECTING: Final = frozenset({"assertRaises", "assertRaisesRegex", "raises", "suppress"})
_NO_COPIES: Final = "write through one ref(…), read through the other by value(…)"
Path = tuple[Any, ...]


def _is_copied(value: Any) -> bool:
    """Whether a value may be a copy, which has no identity here."""
    return type(value) in _COPIED or (is_of_a_library(value) and not has_identity(value))


class Answers:
    """Answers for one cell.

    Parameters
    ----------
    remote : callable
        Returns the connection to the snapshot.
    claims : Claims
        What asks it for what it alone knows.
    given : mapping from str to object
        The names that the snapshot has given the cell, with what they stood for.
    """

    def __init__(self, remote: Callable[[], Remote], claims: Claims, given: Mapping[str, Any]) -> None:
        self._remote, self._claims, self._given = remote, claims, given

    def equal(self, a: Any, b: Any, is_negated: bool) -> Any:
        """Return `a == b`, or `a != b`; arrays in containers are compared by value."""
        if type(a) not in _CONTAINERS or type(b) not in _CONTAINERS:
            return a != b if is_negated else a == b
        try:
            found = a == b
        except ValueError:  # an array has no truth; in one process, it could be the same one
            found = _equal_by_value(a, b)
        return not found if is_negated else found

    def contained(self, x: Any, container: Any, is_negated: bool) -> bool:
        """Return `x in container`, or `x not in container`."""
        if type(container) not in _SEQUENCES:
            return (x not in container) if is_negated else (x in container)
        try:
            found = x in container
        except ValueError:
            found = any(_equal_by_value(x, item) for item in container)
        return found is not is_negated

    def same(self, a: Any, b: Any, path_a: Path | None, path_b: Path | None) -> bool:
        """Return `a is b`: of copies, if it is known where the student's process has them."""
        if isinstance(class_of(a), type) and isinstance(class_of(b), type):
            return class_of(a) is class_of(b)
        if (found := self._compared_classes(a, b)) is not None:
            return found
        if type(a) is type(b) is Proxy:
            return self._claims.same(a, b)
        if not (_is_copied(a) and _is_copied(b)):
            return a is b
        there = self._there(a, path_a), self._there(b, path_b)
        if None in there:
            self._remote().refuse(f"`is` between copies means nothing: {_NO_COPIES}")
        return self._remote().claim("identity", bool, "same", *there)  # type: ignore[no-any-return]

    def _compared_classes(self, a: Any, b: Any) -> bool | None:
        """Compare a student's class with one of ours; return None if it is anything else."""
        for one, other in ((a, b), (b, a)):
            if type(one) is Proxy and isinstance(other, type):
                return one == other
        return None

    def address(self, x: Any, path: Path | None) -> int:
        """Return `id(x)` of a student's object; it is no number that an object of ours could have."""
        there = self._there(x, path)
        if there is None:
            self._remote().refuse(f"id(x) of a copy means nothing: {_NO_COPIES}")
        return -self._remote().claim("identity", int, "address", there)  # type: ignore[no-any-return]

    def share_memory(self, a: Any, b: Any, path_a: Path | None, path_b: Path | None) -> bool:
        """Return `np.shares_memory(a, b)` of two arrays of the student's."""
        there = self._there(a, path_a), self._there(b, path_b)
        if None in there:
            self._remote().refuse(f"whether copies share memory means nothing: {_NO_COPIES}")
        return self._remote().claim("memory", bool, "share memory", *there)  # type: ignore[no-any-return]

    def _there(self, x: Any, path: Path | None) -> Path | None:
        """Return how the student's process reaches an object of which there may be a copy here."""
        if type(x) is Proxy:
            return (x,)
        if path is None:
            return None
        name, start, *steps = path
        if type(start) is Proxy:
            return (start, *steps)
        return (name, *steps) if name in self._given and self._given[name] is start else None

    def type(self, x: Any) -> Any:
        """Return `type(x)`, and `x.__class__`."""
        if type(x) in {ArrayHandle, NamedItems} or is_mixed(x):
            self._remote().refuse("type(x) of a student's object: write isinstance(x, Class)")
        return self._claims.class_of(x) if type(x) is Proxy else type(x)

    def is_instance(self, x: Any, cls: Any) -> bool:
        """Return `isinstance(x, cls)`; of a student's object, the snapshot knows it."""
        if isinstance(cls, types.UnionType):
            cls = cls.__args__
        if not isinstance(cls, type):  # such as `typing.Callable`, which stands for a class
            cls = getattr(cls, "__origin__", cls) if type(cls) is not Proxy else cls
        if type(cls) is tuple:
            return any(self.is_instance(x, single) for single in cls)
        if type(x) is NamedItems and isinstance(cls, type) and x.is_of(cls):
            return True
        if isinstance(x, StudentsError) and type(cls) is Proxy:
            return isinstance(x, self.expected(cls))
        if type(x) is Proxy or (type(x) is NamedItems and type(cls) is Proxy):
            return self._is_theirs(x, cls)
        known = class_of(cls)
        return known is not None and isinstance(x, known)

    def _is_theirs(self, x: Any, cls: Any) -> bool:
        if type(cls) is Proxy:
            return self._remote().ask("isinstance", x, cls) is True
        if cls is object or type(x) is not Proxy or not isinstance(cls, type) or cls in _COPIED:
            return cls is object  # a subclass of plain data is no plain data: its operators are the student's
        return cls.__module__ != "__grade_cell__" and self._claims.is_named(x, cls)

    def is_subclass(self, sub: Any, cls: Any) -> bool:
        """Return `issubclass(sub, cls)`."""
        if type(cls) is tuple:
            return any(self.is_subclass(sub, single) for single in cls)
        ours, theirs = class_of(sub), class_of(cls)
        if ours is None and isinstance(theirs, type):
            return theirs is object or self._remote().claim(
                "class", bool, "is subclass named", sub, *named(theirs)
            )
        if ours is None and theirs is None:
            return self._remote().ask("issubclass", sub, cls) is True
        return theirs is not None and issubclass(ours, theirs)

    def caught(self, wanted: Any) -> Any:
        """Return what `except wanted` catches of what was raised."""
        return caught(wanted, lambda cls: type(cls) is Proxy, self._is_raised_as)

    def raised(self, x: Any) -> Any:
        """Return what `raise x` raises; one of a student's is raised there, which makes it one of ours."""
        if type(x) is not Proxy:
            return x
        self._remote().ask("raise", self._remote().ask("call", x, (), {}) if is_class(x) else x)
        return x

    def expected(self, cls: Any) -> Any:
        """Return what a library takes for a student's class of exceptions, and anything else unchanged."""
        if type(cls) is tuple:
            return tuple(self.expected(single) for single in cls)
        return expected(cls, self._is_raised_as) if type(cls) is Proxy and is_class(cls) else cls

    def _is_raised_as(self, error: Any, cls: Any) -> bool:
        return self._remote().ask("is raised as", error, cls) is True

    def text(self, x: Any, *conversion: int) -> Any:
        """Return `str(x)`; or what stands in an f-string, with its conversion."""
        if type(x) is not Proxy or is_mixed(x):
            return x if conversion else str(x)
        text = text_of(x, "repr" if conversion == (_REPR,) else "str")
        return _Shown(text) if conversion else text

    def represented(self, x: Any) -> str:
        """Return `repr(x)`."""
        return text_of(x, "repr") if type(x) is Proxy and not is_mixed(x) else repr(x)

    def formatted(self, x: Any, specification: str = "") -> str:
        """Return `format(x, specification)`."""
        return text_of(x, "format", specification) if type(x) is Proxy else format(x, specification)

    def print(self, *values: Any, **options: Any) -> None:
        """Print as `print` does."""
        builtins.print(*map(self.text, values), **options)  # noqa: T201 - the cell does it


class _Shown(str):
    """A text that an f-string shows as it is, whatever the conversion."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _equal_by_value(a: Any, b: Any) -> bool:
    """Whether two values are equal; arrays, if they have the same shape and the same elements.

    Raises
    ------
    ValueError
        If an array is compared with what is none, as in a notebook.
    """
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool(np.all(a == b))
    if type(a) in _SEQUENCES and type(a) is type(b):
        return len(a) == len(b) and all(map(_equal_by_value, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal_by_value(a[key], b[key]) for key in a)
    return bool(a == b)
