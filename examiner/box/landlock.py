"""Landlock: rules for what a process and its descendants may do with files; they can never be lifted.

It needs no privileges and no namespaces. From version 4 it refuses TCP as well, from version 6 abstract
sockets and signals that lead outside. It protects neither attributes of files nor sockets with a path.
"""

import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from examiner.box.syscalls import call

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = (1 << bit for bit in range(4))
_MAKE_CHARACTER_DEVICE, _MAKE_BLOCK_DEVICE = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_FIRST_RIGHTS: Final = (1 << 13) - 1
_RIGHTS_SINCE: Final = {2: 1 << 13, 3: _TRUNCATE, 5: _IOCTL_DEVICE}

READ: Final = _EXECUTE | _READ_FILE | _READ_FOLDER
WRITE: Final = ~(_MAKE_CHARACTER_DEVICE | _MAKE_BLOCK_DEVICE | _IOCTL_DEVICE)
LIST: Final = _READ_FOLDER
USE: Final = _READ_FILE | _WRITE_FILE  # for a device
_FOR_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE

TCP_SINCE: Final = 4
_TCP: Final = 0b11  # bind, connect
SCOPES_SINCE: Final = 6
_SCOPES: Final = 0b11  # abstract sockets, signals
_SIGNALS: Final = 0b10


def version() -> int:
    """Return the version of Landlock in this kernel; 0 where there is none."""
    try:
        return call("landlock_create_ruleset", None, 0, 1)
    except OSError:
        return 0


@dataclass(frozen=True)
class Rule:
    """The rights on a file, or on a folder and all beneath it; `descriptor` is open on it with O_PATH."""

    descriptor: int
    rights: int


def open_rule(path: Path | str, rights: int) -> Rule:
    """Return a rule for the file or folder that is at a path now; links are followed."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    return Rule(descriptor, rights if is_folder else rights & _FOR_FILES)


def restrict(rules: Iterable[Rule], known: int) -> None:
    """Allow this process and its descendants what the rules allow, and nothing else, for good.

    no_new_privs must be set before. The same rules can be used for many processes.

    Parameters
    ----------
    rules
        What is allowed.
    known
        The version of Landlock whose rights are handled, at most the kernel's.
    """
    rights = _FIRST_RIGHTS | sum(bit for since, bit in _RIGHTS_SINCE.items() if since <= known)
    attributes = struct.pack("<Q", rights)
    if known >= TCP_SINCE:
        attributes += struct.pack("<Q", _TCP)
    if known >= SCOPES_SINCE:
        attributes += struct.pack("<Q", _SCOPES)
    _restrict(attributes, rules, rights)


def keep_signals_inside() -> None:
    """Let this process and what it will start send signals only to each other, for good; since version 6."""
    _restrict(struct.pack("<QQQ", 0, 0, _SIGNALS))


def _restrict(attributes: bytes, rules: Iterable[Rule] = (), rights: int = 0) -> None:
    ruleset = call("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        for rule in rules:
            call(
                "landlock_add_rule", ruleset, 1, struct.pack("<Qi", rule.rights & rights, rule.descriptor), 0
            )
        call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
