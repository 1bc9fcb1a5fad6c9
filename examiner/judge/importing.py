"""Imports in a grade cell: of the judge's own modules here, of all others in the snapshot.

A few modules are ours in part: `inspect` and `unittest.mock` know students' objects, and what is given
classes of exceptions takes a student's.
"""

import builtins
import unittest.mock
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from examiner.judge.answers import EXPECTING, Answers
from examiner.judge.compile import GradeCell
from examiner.judge.libraries import guard_libraries
from examiner.judge.proxy import Remote
from examiner.notebook import CHECKS

MOCK: Final = "unittest.mock"
_OURS_IN_PART: Final = frozenset({"contextlib", "pytest", "unittest"})


class Importing:
    """What `import` means in one cell.

    Parameters
    ----------
    cell : GradeCell
        The cell.
    remote : callable
        Returns the connection to the snapshot.
    answers : Answers
        What knows a student's classes of exceptions.
    own : mapping from str to object
        What the cell has in place of some modules.
    """

    def __init__(
        self, cell: GradeCell, remote: Callable[[], Remote], answers: Answers, own: Mapping[str, Any]
    ) -> None:
        self._cell, self._remote, self._answers, self._own = cell, remote, answers, own

    def import_(
        self, name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        """Import one of our modules here, and any other module in the candidate."""
        cell, remote = self._cell, self._remote()
        root = name.partition(".")[0]
        if type(fromlist) is list and root in cell.ours:  # NumPy's own C code, called from a cell, imports so
            return builtins.__import__(name, globals_, locals_, fromlist, level)
        if name not in cell.imports and name not in cell.texts:
            remote.refuse("a module is imported by a name that stands in the cell")
        if name in self._own and (fromlist or name != MOCK):  # else its package, which has our `mock`, too
            return self._own[name]
        if root == CHECKS:
            remote.refuse(f"import from {CHECKS} itself, not from {name}")
        if root not in cell.ours:
            module = remote.ask("import", name)
            return module if fromlist else remote.ask("import", root)
        found = builtins.__import__(name, globals_, locals_, fromlist, level)
        guard_libraries()
        return self._in_part(found, fromlist) if fromlist and root in _OURS_IN_PART else found

    def _in_part(self, module: ModuleType, names: Sequence[str]) -> Any:
        """Return what is imported from a module, with our functions in place of some."""
        given = {name: getattr(module, name) for name in names}
        expecting = {name: self._expecting(given[name]) for name in EXPECTING & given.keys()}
        own = {"mock": self._own[MOCK]} if given.get("mock") is unittest.mock else {}
        return SimpleNamespace(**{**given, **expecting, **own})

    def _expecting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that takes a student's class of exceptions, too."""
        return lambda *args, **kwargs: function(*map(self._answers.expected, args), **kwargs)
