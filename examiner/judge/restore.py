"""Puts back what a grade cell has changed of its process, so that the cells after it find everything whole.

A module notes what is set or deleted in it from outside; what a library's own functions keep in its globals
is left alone. The process of a judge ends with its submission, so nothing reaches another one.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

import numpy as np

_NOTHING: Final = object()
_changes: list[tuple[ModuleType, str, Any]] = []


class NotingModule(ModuleType):
    """A module that notes what it had before a name of it is set or deleted.

    Python makes new modules of the class that `sys` has; while one is imported, it is a plain one.
    """

    def __init__(self, name: str, doc: str | None = None) -> None:
        super().__init__(name, doc)
        ModuleType.__setattr__(self, "__class__", ModuleType)

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(value, ModuleType):  # importing a submodule sets its name in the package
            _changes.append((self, name, vars(self).get(name, _NOTHING)))
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        _changes.append((self, name, vars(self).get(name, _NOTHING)))
        super().__delattr__(name)


def note_changes() -> None:
    """Have all modules that are imported so far note their changes; some are of a class of their own."""
    for module in [module for module in sys.modules.values() if type(module) is ModuleType]:
        module.__class__ = NotingModule


def put_back() -> None:
    """Undo all changes of modules, the last one first."""
    while _changes:
        module, name, before = _changes.pop()
        if before is _NOTHING:
            vars(module).pop(name, None)
        else:
            vars(module)[name] = before


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Put back afterwards what the block changes of modules, environment, working folder and settings.

    The global generators are not among it: they are seeded anew for each cell.
    """
    former, folder, path = dict(os.environ), os.getcwd(), list(sys.path)  # noqa: PTH109 - text
    try:
        with np.errstate(), np.printoptions():
            yield
    finally:
        put_back()
        if os.environ != former:
            os.environ.clear()
            os.environ.update(former)
        os.chdir(folder)  # of this judge alone: no process of ours relies on a working folder
        sys.path[:] = path
