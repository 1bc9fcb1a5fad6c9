"""Becoming a user who owns nothing, without capabilities and without a way to get any."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from examiner.box import syscalls
from examiner.box.syscalls import call, prctl

CAP_SETGID: Final = 6
CAP_SETUID: Final = 7
CAP_SYS_ADMIN: Final = 21
_HEADER: Final = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
_NONE: Final = (ctypes.c_uint32 * 6)()
_READABLE: Final = 0o005  # others may list a folder and enter it

# Root gives each server a user of its own, so that what the kernel counts per user (processes, pipes,
# descriptors in flight) is counted for it alone. Where a container maps few users, it becomes "nobody".
FIRST_SPARE_USER: Final = 0x7000_0000
NOBODY: Final = 65534


def capabilities() -> int:
    """Return this process's effective capabilities as bits."""
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: the lower halves, then the upper
    call("capget", _HEADER, sets)
    return sets[0] | sets[3] << 32


def has(*wanted: int) -> bool:
    """Whether this process has all these capabilities."""
    mine = capabilities()
    return all(mine >> capability & 1 for capability in wanted)


def become_spare_user(folder: Path | None = None) -> bool:
    """Become a user who owns at most `folder`, without capabilities; return whether that was possible."""
    if os.geteuid() != 0 or not has(CAP_SETUID, CAP_SETGID):
        return False
    for user in (FIRST_SPARE_USER + os.getpid(), NOBODY):
        try:
            os.setresgid(user, user, user)
        except OSError:  # the user namespace does not map this number
            continue
        if folder:
            os.chown(folder, user, user)
        os.setgroups([])
        os.setresuid(user, user, user)
        prctl(syscalls.PR_SET_DUMPABLE, 1)  # otherwise root owns /proc/self, and uid_map of new namespaces
        return True
    return False


def spare_user_could_read(paths: Iterable[Path]) -> bool:
    """Whether a user who owns nothing can reach these paths: a parent folder of mode 700 would prevent it."""
    parents = {folder for path in paths for folder in path.resolve().parents}
    return all(folder.stat().st_mode & _READABLE == _READABLE for folder in parents)


def drop_capabilities() -> None:
    """Leave this process and all it will start without capabilities, for good.

    Ambient capabilities go with the permitted ones. With no_new_privs, neither a program's file nor user 0
    gives any back.
    """
    prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    call("capset", _HEADER, _NONE)
