"""Packages that an environment has and that are not there for a student: where they lie, and their refusal.

Covering a package with an empty folder would leave one that can be imported, and find nothing in it; and
Landlock hides what a file holds, not that it is there. So the import itself is refused as well.
"""

import importlib.util
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from pathlib import Path
from types import ModuleType
from typing import Final

# What stands in the place of a package in a root of one's own: every Python there that imports it is told so.
REFUSAL: Final = "raise ModuleNotFoundError(f'No module named {__name__!r}', name=__name__)\n"


def places_of(names: Collection[str]) -> tuple[Path, ...]:
    """Return the folders and files of top-level packages and modules, wherever Python finds them."""
    return tuple(place for name in names for place in (*_beside_others(name), *_where_it_is_found(name)))


def _beside_others(name: str) -> Iterator[Path]:
    """Yield what lies where Python looks; the compiled text of a module is as good as its text."""
    for folder in map(Path, sys.path):
        wanted = [folder / name, *(folder / f"{name}{suffix}" for suffix in all_suffixes())]
        yield from (path for path in wanted if path.exists())
        yield from (folder / "__pycache__").glob(f"{name}.*.pyc")


def _where_it_is_found(name: str) -> Iterator[Path]:
    """Yield where a finder leads that an editable installation has set up."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # something calls itself so that was never looked for
        return
    yield from _places(spec)


def _places(spec: ModuleSpec | None) -> Iterator[Path]:
    if spec is None:
        return
    yield from map(Path, spec.submodule_search_locations or ())
    if spec.has_location and spec.origin and not spec.submodule_search_locations:
        yield Path(spec.origin)


class Absent(MetaPathFinder):
    """Finds no packages of some names in some places; beside a notebook they may be found, and are its own.

    Parameters
    ----------
    names
        Of top-level packages.
    places
        Their folders and files that are not to be found.
    """

    def __init__(self, names: Collection[str], places: Collection[Path]) -> None:
        self._names, self._places = frozenset(names), frozenset(places)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for what is to be absent, and leave all else to the next finder."""
        if name in self._names:
            spec = PathFinder.find_spec(name, path)
            if spec is None or self._places.intersection(_places(spec)):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def forget(names: Collection[str], places: Collection[Path]) -> None:
    """Let nobody import these from here on, also what this process has imported; in place, for its forks."""
    for name in [each for each in sys.modules if each.partition(".")[0] in names]:
        del sys.modules[name]
    sys.meta_path.insert(0, Absent(names, places))
