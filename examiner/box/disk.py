"""Where a candidate keeps its files on a machine without namespaces: in a folder on the machine's disk."""

import os
import secrets
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from examiner.box import landlock, privileges, reaper, syscalls
from examiner.box.view import DEVICES, View

# The kernel counts all processes of a user together; those that the user starts meanwhile outside the box
# must not use up a candidate's share.
_SLACK: Final = 256
_KEEPER_AND_SERVER: Final = 2


class Disk:
    """The folder of a server in which candidates get their homes; its descriptors must be closed inside them.

    If root makes it, this process becomes a spare user who owns nothing, unless that user could not read the
    view.
    """

    def __init__(self, view: View) -> None:
        shown, partial = view.around_the_hidden()
        self.folder = Path(tempfile.mkdtemp(prefix="box-"))
        is_reached = privileges.spare_user_could_read([*shown, self.folder])
        is_spare = is_reached and privileges.become_spare_user(self.folder)
        self.processes_before = _KEEPER_AND_SERVER if is_spare else _processes_of(os.getuid()) + _SLACK
        self.proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._rules = [landlock.open_rule(path, landlock.READ) for path in shown]
        self._rules += [landlock.open_rule(path, landlock.LIST) for path in partial]
        self._rules += [landlock.open_rule(device, landlock.USE) for device in DEVICES if device.exists()]

    def prepare(self) -> Path:
        """Return a new home folder for a candidate."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def temporary(self, home: Path) -> Path:
        """Return where temporary files go."""
        return home

    def fork(self, *, beside_init: bool) -> tuple[int, int]:  # noqa: ARG002 - as in `Outer`
        """Fork a candidate, and return its number twice; what it starts lives on, and the reaper finds it."""
        child = syscalls.fork()
        return child, child

    def enter(self, megabytes: int, files: int) -> None:
        """Do nothing: the size of a folder on a disk cannot be bounded."""

    def rules(self, home: Path) -> list[landlock.Rule]:
        """Return what Landlock lets a candidate with this home do."""
        return [*self._rules, landlock.open_rule(home, landlock.WRITE)]

    def reap(self, living: Collection[int]) -> None:
        """Let go of the orphans of candidates that have ended."""
        reaper.reap(living)

    def clear(self, home: Path, living: Collection[int]) -> None:
        """Remove a candidate's home, and kill all children of the server but the `living`."""
        reaper.sweep(living)
        remove(home)

    def close(self) -> None:
        """Kill and remove what is left of any candidate, after the server is dead."""
        reaper.sweep()
        remove(self.folder)


def remove(folder: Path) -> None:
    """Remove a folder that nobody uses, whatever is in it: links, folders without permissions, deep trees.

    Subfolders are emptied into the outermost folder, so that no path is too long and no recursion too deep.
    """
    folder.chmod(0o700)
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _empty_into(Path(entry.path), folder)
            else:
                os.unlink(entry.path)  # noqa: PTH108 - an entry is not a Path
    folder.rmdir()


def _empty_into(subfolder: Path, folder: Path) -> None:
    subfolder.chmod(0o700)
    for entry in os.scandir(subfolder):
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)  # noqa: PTH101 - a folder without permissions cannot be moved
        os.rename(entry.path, folder / secrets.token_hex())  # noqa: PTH104 - an entry is not a Path
    subfolder.rmdir()


def _processes_of(user: int) -> int:
    """Return how many processes and threads of a user the kernel counts."""
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdecimal() and entry.stat().st_uid == user:
                count += len(os.listdir(f"{entry.path}/task"))  # noqa: PTH208 - only the number is wanted
        except OSError:  # it ended while we looked
            continue
    return count
