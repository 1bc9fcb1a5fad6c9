"""Packages that an environment has and students cannot import: where they lie, and how they are refused.

Hiding the files is not enough. A package covered with an empty folder can still be imported, as an empty
namespace package; and Landlock hides what a file holds, not that it exists. So the import is refused as well.
"""

import importlib.util
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from pathlib import Path
from types import ModuleType
from typing import Final

# The `__init__.py` mounted over a hidden package: any Python in the box that imports the package gets this.
REFUSAL: Final = "raise ModuleNotFoundError(f'No module named {__name__!r}', name=__name__)\n"


def places_of(names: Collection[str]) -> tuple[Path, ...]:
    """Return the folders and files of top-level packages and modules, wherever Python finds them."""
    return tuple(place for name in names for place in (*_on_the_path(name), *_by_finders(name)))


def _on_the_path(name: str) -> Iterator[Path]:
    """Yield the files of a name in the folders of `sys.path`, compiled ones too: they can be decompiled."""
    for folder in map(Path, sys.path):
        wanted = [folder / name, *(folder / f"{name}{suffix}" for suffix in all_suffixes())]
        yield from (path for path in wanted if path.exists())
        yield from (folder / "__pycache__").glob(f"{name}.*.pyc")


def _by_finders(name: str) -> Iterator[Path]:
    """Yield where the import system finds a name, such as by the finder of an editable installation."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module of this name, such as `__main__`, was made without a spec
        return
    yield from _places(spec)


def _places(spec: ModuleSpec | None) -> Iterator[Path]:
    if spec is None:
        return
    yield from map(Path, spec.submodule_search_locations or ())
    if spec.has_location and spec.origin and not spec.submodule_search_locations:
        yield Path(spec.origin)


class Absent(MetaPathFinder):
    """An import hook that refuses packages by name, unless they lie elsewhere, as beside a notebook.

    Parameters
    ----------
    names
        Names of top-level packages.
    places
        The folders and files of these packages that must not be imported.
    """

    def __init__(self, names: Collection[str], places: Collection[Path]) -> None:
        self._names, self._places = frozenset(names), frozenset(places)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for an absent package, and leave all others to the next finder."""
        if name in self._names:
            spec = PathFinder.find_spec(name, path)
            if spec is None or self._places.intersection(_places(spec)):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def forget(names: Collection[str], places: Collection[Path]) -> None:
    """Make packages impossible to import in this process and its forks, even if they were imported before."""
    for module in [module for module in sys.modules if module.partition(".")[0] in names]:
        del sys.modules[module]
    sys.meta_path.insert(0, Absent(names, places))
