"""Print how `examiner` is laid out, by its imports: rooms, arrows between them, floors and circles.

    python -m benchmarks.rooms                      the working tree
    python -m benchmarks.rooms 9b188be HEAD         commits, one below the other
    python -m benchmarks.rooms --arrows             also each room, and how many imports lead to which others

A room is a folder of `examiner/`, or a module directly in it. An arrow is an import of one module by another;
it is crossing if it leads to another room. The floor of a room is the number of rooms on the longest path of
imports that begins at it, itself included; rooms that import each other in a circle count as one.
"""

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import grimp

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = "examiner"


@dataclass(frozen=True)
class House:
    """The rooms of one tree, and the imports between them.

    Parameters
    ----------
    modules, arrows : int
        How many modules there are, and how many imports of one by another.
    pairs : mapping from (str, str) to int
        Pairs of rooms of which the first imports the second, and the number of imports behind each pair.
    """

    modules: int
    arrows: int
    rooms: frozenset[str]
    pairs: Mapping[tuple[str, str], int]

    def circles(self) -> list[frozenset[str]]:
        """Return the groups of rooms that import each other."""
        below = {room: self._reached(room) for room in self.rooms}
        groups = {frozenset(b for b in self.rooms if b in below[a] and a in below[b]) for a in self.rooms}
        return sorted((group for group in groups if len(group) > 1), key=sorted)

    def floors(self) -> dict[str, int]:
        """Return the floor of each room, from 1."""
        circle = {room: min(group) for group in self.circles() for room in group}
        names = {room: circle.get(room, room) for room in self.rooms}
        edges: dict[str, set[str]] = {name: set() for name in names.values()}
        for above, below in self.pairs:
            if names[above] != names[below]:
                edges[names[above]].add(names[below])
        floor: dict[str, int] = {}
        for name in TopologicalSorter(edges).static_order():
            floor[name] = 1 + max((floor[below] for below in edges[name]), default=0)
        return {room: floor[name] for room, name in names.items()}

    def _reached(self, room: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = [room]
        while waiting:
            now = waiting.pop()
            new = {below for above, below in self.pairs if above == now} - found
            found |= new
            waiting += new
        return frozenset(found)


def read_house(folder: Path) -> House:
    """Read the package in a folder, in a Python process that finds it before any other."""
    code = f"from benchmarks.rooms import print_imports; print_imports({PACKAGE!r})"
    path = os.pathsep.join([str(folder), str(ROOT)])
    run = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    imports = [tuple(line.split()) for line in run.stdout.splitlines()]
    modules = {importer for importer, *_ in imports}
    arrows = [(importer, imported) for importer, *rest in imports for imported in rest]
    crossing = Counter((_room(a), _room(b)) for a, b in arrows if _room(a) != _room(b))
    return House(len(modules), len(arrows), frozenset(map(_room, modules)), crossing)


def print_imports(package: str) -> None:
    """Print a line for each module of a package: its name, and those of the modules that it imports."""
    graph = grimp.build_graph(package, cache_dir=None)
    for module in sorted(graph.modules - {package}):
        print(module, *sorted(graph.find_modules_directly_imported_by(module) - {package}))


def _room(module: str) -> str:
    return module.split(".")[1]


def _at(revision: str, folder: Path) -> House:
    """Return the house of a commit."""
    packed = subprocess.run(  # noqa: S603 - git, with a revision that somebody typed
        ["git", "archive", revision, PACKAGE],  # noqa: S607 - git is found on the path
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return read_house(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of each house."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rooms", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("revision", nargs="*", help="commits; without any, the tree as it lies here")
    parser.add_argument("--arrows", action="store_true", help="print the pairs of rooms, too")
    given = parser.parse_args(arguments)
    houses = {}
    for revision in given.revision:
        with tempfile.TemporaryDirectory() as folder:
            houses[revision] = _at(revision, Path(folder))
    if not houses:
        houses["here"] = read_house(ROOT)
    print(
        f"{'':<12}{'modules':>9}{'rooms':>7}{'pairs':>7}{'arrows':>8}{'crossing':>10}{'floors':>8}{'circles':>9}"
    )
    for name, house in houses.items():
        counts = (house.modules, len(house.rooms), len(house.pairs), house.arrows, sum(house.pairs.values()))
        floors, circles = max(house.floors().values()), len(house.circles())
        print("{:<12}{:>9}{:>7}{:>7}{:>8}{:>10}{:>8}{:>9}".format(name, *counts, floors, circles))
        for circle in house.circles():
            print(f"  circle: {', '.join(sorted(circle))}")
        if given.arrows:
            _print_arrows(house)


def _print_arrows(house: House) -> None:
    floors = house.floors()
    for room in sorted(house.rooms, key=lambda name: (-floors[name], name)):
        below = ", ".join(f"{b} {n}" for (a, b), n in sorted(house.pairs.items()) if a == room)
        print(f"  {floors[room]:>3}  {room:<14}{below}")


if __name__ == "__main__":
    main()
