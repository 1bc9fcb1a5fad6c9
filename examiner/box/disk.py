"""What a candidate stands on where it can have no machine of its own: a folder on this one's disk."""

import os
import secrets
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from examiner.box import landlock, privileges, reaper, syscalls
from examiner.box.view import DEVICES, View

# Where a user's processes are counted together, those that he starts meanwhile must not use up a share.
_SLACK: Final = 256
_KEEPER_AND_SERVER: Final = 2


class Disk:
    """What a server keeps to let candidates stand on; its descriptors must be closed inside them.

    Root is somebody who owns nothing once it is made, unless he could not read the view then.
    """

    def __init__(self, view: View) -> None:
        shown, broken = view.around_the_hidden()
        self.folder = Path(tempfile.mkdtemp(prefix="box-"))
        is_reached = privileges.spare_user_could_read([*shown, self.folder])
        is_spare = is_reached and privileges.become_spare_user(self.folder)
        self.processes_before = _KEEPER_AND_SERVER if is_spare else _processes_of(os.getuid()) + _SLACK
        self.proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._rules = [landlock.open_rule(path, landlock.READ) for path in shown]
        self._rules += [landlock.open_rule(path, landlock.LIST) for path in broken]
        self._rules += [landlock.open_rule(device, landlock.USE) for device in DEVICES if device.exists()]

    def prepare(self) -> Path:
        """Return a new home."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def temporary(self, home: Path) -> Path:
        """Return where temporary files go."""
        return home

    def fork(self) -> int:
        """Fork; the reaper will find what comes of it."""
        return syscalls.fork()

    def enter(self, megabytes: int, files: int) -> None:
        """Enter nothing; what a folder on a disk holds cannot be bounded."""

    def rules(self, home: Path) -> list[landlock.Rule]:
        """Return what Landlock lets the owner of a home do."""
        return [*self._rules, landlock.open_rule(home, landlock.WRITE)]

    def clear(self, home: Path, living: Collection[int]) -> None:
        """Leave nothing of a candidate, nor any process but those that live on."""
        reaper.sweep(living)
        remove(home)

    def close(self) -> None:
        """Leave nothing of any candidate, once the server is dead."""
        reaper.sweep()
        remove(self.folder)


def remove(folder: Path) -> None:
    """Remove a folder that nobody uses, whatever was left in it: links, closed folders, nests of any depth.

    Nests are emptied into the outermost folder, so that none is too deep for a path or a stack.
    """
    folder.chmod(0o700)
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _empty_into(Path(entry.path), folder)
            else:
                os.unlink(entry.path)  # noqa: PTH108 - an entry is no Path
    folder.rmdir()


def _empty_into(nest: Path, folder: Path) -> None:
    nest.chmod(0o700)
    for entry in os.scandir(nest):
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)  # noqa: PTH101 - a closed folder cannot be moved
        os.rename(entry.path, folder / secrets.token_hex())  # noqa: PTH104
    nest.rmdir()


def _processes_of(user: int) -> int:
    """Return how many processes and threads of a user the kernel counts."""
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdecimal() and entry.stat().st_uid == user:
                count += len(os.listdir(f"{entry.path}/task"))  # noqa: PTH208
        except OSError:  # it ended while we looked
            continue
    return count
