"""The system calls that Python 3.11 has no name for; an OSError names the call that failed."""

import ctypes
import os
import sys
import warnings
from typing import Any, Final

from examiner.box.numbers import number

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWCGROUP: Final = 0x02000000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2

MOUNT_ATTR_RDONLY: Final = 1
MOUNT_ATTR_NOSUID: Final = 2
MOUNT_ATTR_NODEV: Final = 4
_AT_RECURSIVE: Final = 0x8000
_AT_FDCWD: Final = -100

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_SECCOMP: Final = 22
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc_with_gil = ctypes.PyDLL(None, use_errno=True)  # calls keep the global interpreter lock


def _checked(name: str, result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def fork() -> int:
    """Fork; where there is one thread only, without the millisecond that `os.fork` takes.

    `os.fork` makes all locks anew and seeds `random` again in the child, which copies page after page.
    """
    if len(sys._current_frames()) > 1:  # noqa: SLF001 - counts all threads, not only those of `threading`
        # From Python 3.12 on, os.fork warns that a fork of a process with threads may deadlock.
        with warnings.catch_warnings(action="ignore"):
            return os.fork()
    return _checked("fork", _libc_with_gil.fork())


def unshare(flags: int) -> None:
    """Leave the namespaces named by flags for new ones."""
    _checked("unshare", _libc.unshare(flags))


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace that the descriptor is open on."""
    _checked("setns", _libc.setns(descriptor, kind))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount something on a folder or file."""
    names = (os.fsencode(source), os.fsencode(target), kind.encode())
    _checked(f"mount {target}", _libc.mount(*names, ctypes.c_ulong(flags), options.encode()))


def unmount(target: str) -> None:
    """Detach a mount; processes that still use it keep it."""
    _checked(f"umount {target}", _libc.umount2(os.fsencode(target), MNT_DETACH))


def restrict_mount(target: str, attributes: int, *, beneath: bool = True) -> None:
    """Set attributes (read-only, …) on a mount, and on everything mounted beneath it."""
    values = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if beneath else 0
    call("mount_setattr", _AT_FDCWD, os.fsencode(target), flags, values, ctypes.sizeof(values))


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root and put the old one at `old`."""
    call("pivot_root", os.fsencode(new), os.fsencode(old))


def prctl(option: int, value: int = 0, address: Any = 0) -> int:
    """Set or read an attribute of this process."""
    zero = ctypes.c_ulong(0)
    result = _libc.prctl(option, ctypes.c_ulong(value), address or zero, zero, zero)
    return _checked(f"prctl {option}", result)


def call(name: str, *arguments: Any) -> int:
    """Make a system call by name; an int is passed as a C long: ctypes would set only half of a register."""
    registers = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(name, _libc.syscall(ctypes.c_long(number(name)), *registers))
