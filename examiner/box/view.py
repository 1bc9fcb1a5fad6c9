"""What can be read inside the box: folders and files to show, and those in them to hide."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEVICES: Final = tuple(Path("/dev") / name for name in ("null", "zero", "full", "random", "urandom"))

# What Python and its packages need of the system: libraries, programs, fonts, time zones.
SYSTEM: Final = (
    *("/lib", "/lib64", "/bin", "/usr/lib", "/usr/lib64", "/usr/bin"),
    *("/usr/share/fonts", "/usr/share/zoneinfo", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime"),
)


@dataclass(frozen=True)
class View:
    """Absolute paths that can be read and executed inside; they are the same inside and outside.

    Parameters
    ----------
    shown
        Folders and files; those that do not exist are skipped. A link shows its target as well.
    hidden
        Folders and files in them that cannot be read.
    """

    shown: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()

    def links(self) -> dict[Path, Path]:
        """Return the links to make, each with its target; a link in a shown folder is there already."""
        places = self.places()
        return {
            path: path.resolve()
            for path in self.shown
            if path.is_symlink() and path.exists() and not _lies_in(path, places)
        }

    def places(self) -> dict[Path, Path]:
        """Return what to mount, by where; a path in another mounted folder needs no mount."""
        existing = [path for path in self.shown if path.exists()]
        wanted = {path.resolve(): path.resolve() for path in existing}
        wanted |= {path: path.resolve() for path in existing if not path.is_symlink()}
        kept: dict[Path, Path] = {}
        for place in sorted(wanted):  # a folder comes before what lies in it
            if not _lies_in(place, kept):
                kept[place] = wanted[place]
        return kept

    def masks(self) -> list[Path]:
        """Return the hidden paths that lie in shown ones, and so have to be covered."""
        shown = self.places().values()
        real = {path.resolve() for path in self.hidden if path.exists()}
        return [path for path in sorted(real) if _lies_in(path, shown)]

    def around_the_hidden(self) -> tuple[list[Path], list[Path]]:
        """Return the paths that are shown whole, and the folders that are shown only in part."""
        real, masks = sorted(set(self.places().values())), self.masks()
        whole = [part for path in real for part in _without(path, masks)]
        partial = {
            folder
            for mask in masks
            for folder in mask.parents
            if _lies_in(folder, real) and folder not in masks
        }
        return whole, sorted(partial)


def _lies_in(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _without(path: Path, masks: list[Path]) -> Iterator[Path]:
    if path in masks:
        return
    if not any(mask.is_relative_to(path) for mask in masks):
        yield path
        return
    for entry in sorted(path.iterdir()):
        if not entry.is_symlink():  # a Landlock rule for a link would hold for its target
            yield from _without(entry, masks)


def of_this_python(absent: Iterable[Path] = ()) -> View:
    """Return what the running Python needs: itself, its environment, the system's libraries.

    Folders of packages beside a standard library that are not on `sys.path` are hidden, as they may be the
    instructor's; so are the paths in `absent`.
    """
    base, version = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    patterns = ("bin/python3*", f"lib*/{version}", "lib*/libpython*")
    interpreter = [path for pattern in patterns for path in base.glob(pattern)]
    packages = [
        folder
        for root in (base, Path("/usr"))
        for kind in ("site-packages", "dist-packages")
        for folder in root.glob(f"lib*/python3*/{kind}")
    ]
    system = [Path(path) for path in SYSTEM]
    hidden = [folder for folder in packages if str(folder) not in sys.path]
    return View((*system, *interpreter, Path(sys.prefix)), (*hidden, *absent))
