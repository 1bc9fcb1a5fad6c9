"""Patches: what a grade cell puts in the place of an attribute of a module, a class or a function.

A patch is made in the snapshot, where the student's code finds it, and never in a module of the judge's own:
what compares there would be patched, too. The cell's own text reads the patch where it reads the attribute.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any, Final
from unittest import mock

from examiner.judge.compile import GradeCell
from examiner.judge.proxy import Remote, kind_of

_NOTHING: Final = object()
# What a cell sets in its own process: its streams, which student's prints follow.
_OWN: Final = frozenset({("sys", "stdout"), ("sys", "stderr"), ("sys", "stdin")})


class Patches:
    """The attributes of modules that a cell has patched.

    Parameters
    ----------
    remote : callable
        Returns the connection to the snapshot.
    names : dict
        The names of the cell.
    cell : GradeCell
        The cell: what is patched stands in its text.
    """

    def __init__(self, remote: Callable[[], Remote], names: dict[str, Any], cell: GradeCell) -> None:
        self._remote, self._names, self._cell = remote, names, cell
        self._patched: dict[tuple[str, str], Any] = {}
        self.mock = _Mock(self)

    def of(self, owner: Any) -> "Patched":
        """Return what is written to in place of an object's attributes."""
        return Patched(owner, self)

    def clear(self) -> None:
        """Forget the patches of another snapshot."""
        self._patched.clear()

    def read(self, owner: Any, name: str) -> Any:
        """Return what a module's attribute is patched with, or `_NOTHING`; it may have been deleted."""
        if not self._patched or not isinstance(owner, ModuleType):
            return _NOTHING
        found = self._patched.get((owner.__name__, name), _NOTHING)
        if found is _DELETED:
            raise AttributeError(f"module {owner.__name__!r} has no attribute {name!r}")
        return found

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute: of a module in the snapshot only."""
        if not _is_patchable(owner, name):
            setattr(owner, name, value)
            return
        if value is getattr(owner, name, _NOTHING):
            self._patched.pop((owner.__name__, name), None)
            self._remote().ask("restore", owner.__name__, name)
        else:
            self._patched[owner.__name__, name] = value
            self._remote().ask("patch", owner.__name__, name, value, kind_of(value))

    def delete(self, owner: Any, name: str) -> None:
        """Delete an attribute: of a module in the snapshot only."""
        if not _is_patchable(owner, name):
            delattr(owner, name)
            return
        self._patched[owner.__name__, name] = _DELETED
        self._remote().ask("remove", owner.__name__, name)

    def set_name(self, name: str, value: Any) -> None:
        """Bind a name of the notebook, here and in the snapshot."""
        self._names[name] = value
        self._remote().ask("bind", {name: value})

    def get(self, owner: Any, name: str) -> Any:
        """Return an attribute as the cell sees it."""
        found = self.read(owner, name)
        return getattr(owner, name) if found is _NOTHING else found

    def module(self, path: str, target: str) -> Any:
        """Return a module, or a class in one: the judge's own, or that of the snapshot."""
        if target not in self._cell.texts:
            self._remote().refuse("what `patch` is given is a text that stands in the cell")
        if path.partition(".")[0] in self._cell.ours:
            return _imported(path)
        return self._remote().ask("import", path)

    def name(self, name: str) -> Any:
        """Return what a name of the notebook stands for."""
        if name in self._names:
            return self._names[name]
        found = self._remote().ask("resolve", name)
        if type(found) is not dict or name not in found:
            raise AttributeError(f"the notebook has no name {name!r}")
        return found[name]


_DELETED: Final = object()


def is_found(x: Any) -> bool:
    """Whether `Patches.read` has found a patch."""
    return x is not _NOTHING


def _is_patchable(owner: Any, name: str) -> bool:
    if not isinstance(owner, ModuleType) or (owner.__name__, name) in _OWN:
        return False
    return owner.__name__.partition(".")[0] not in {"examiner", "examiner_checks"}


class Patched:
    """Sets the attributes of an object by items; so the cell's assignments are written."""

    def __init__(self, owner: Any, patches: Patches) -> None:
        self._owner, self._patches = owner, patches

    def __getitem__(self, name: str) -> Any:
        return self._patches.get(self._owner, name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._patches.set(self._owner, name, value)

    def __delitem__(self, name: str) -> None:
        self._patches.delete(self._owner, name)


class _Patch(AbstractContextManager[Any]):
    """What `unittest.mock.patch` returns: for a `with` block, around a function, or by `start` and `stop`."""

    def __init__(self, get: Callable[[], Any], set_: Callable[[Any], None], new: Any, options: Any) -> None:
        self._get, self._set, self._new, self._options = get, set_, new, options
        self._before: list[Any] = []

    def __enter__(self) -> Any:
        self._before.append(self._get())
        is_made = self._new is mock.DEFAULT
        new = mock.MagicMock(**self._options) if is_made else self._new
        self._set(new)
        return new

    def __exit__(self, *_: object) -> None:
        self._set(self._before.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def patched(*args: Any, **kwargs: Any) -> Any:
            with self as new:
                return function(*args, *([new] if self._new is mock.DEFAULT else []), **kwargs)

        return patched

    def start(self) -> Any:
        """Patch from now on."""
        return self.__enter__()

    def stop(self) -> None:
        """Put back what was there."""
        self.__exit__()


class _Patching:
    """`unittest.mock.patch`, for modules, for a student's objects and for names of the notebook."""

    def __init__(self, patches: Patches) -> None:
        self._patches = patches
        self.dict, self.multiple = mock.patch.dict, mock.patch.multiple

    def __call__(self, target: str, new: Any = mock.DEFAULT, **options: Any) -> _Patch:
        path, _, name = target.rpartition(".")
        if path in {"__main__", "__name__", "__grade_cell__"}:
            return _Patch(
                lambda: self._patches.name(name),
                lambda value: self._patches.set_name(name, value),
                new,
                options,
            )
        first, *rest = path.split(".")
        if first == "__main__":
            owner = self._patches.name(rest.pop(0))
        else:
            owner, rest = self._patches.module(path, target), []
        for part in rest:
            owner = self._patches.get(owner, part)
        return self.object(owner, name, new, **options)

    def object(self, owner: Any, name: str, new: Any = mock.DEFAULT, **options: Any) -> _Patch:
        """Patch an attribute of an object."""
        patches = self._patches
        return _Patch(
            lambda: patches.get(owner, name), lambda value: patches.set(owner, name, value), new, options
        )


def _imported(path: str) -> Any:
    """Return a module, or a class in one, by its whole name."""
    module, *rest = path.split(".")
    found = importlib.import_module(module)
    for part in rest:
        module = f"{module}.{part}"
        found = getattr(found, part) if hasattr(found, part) else importlib.import_module(module)
    return found


class _Mock(SimpleNamespace):
    """The module `unittest.mock` with our `patch`."""

    def __init__(self, patches: Patches) -> None:
        super().__init__(**{name: getattr(mock, name) for name in mock.__all__})
        self.patch = _Patching(patches)
