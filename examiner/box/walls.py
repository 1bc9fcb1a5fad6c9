"""Which walls this machine has, and whether they are enough.

namespaces + seccomp + Landlock      where the machine lets us make namespaces
Landlock + seccomp + a reaper        elsewhere, as inside most containers
fewer                                then nothing is started
"""

import os
from dataclasses import dataclass

from examiner.box import landlock, namespaces, seccomp
from examiner.box.view import View

_ALLOWING_NAMESPACES = (
    "sysctl user.max_user_namespaces=15000, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0, "
    "in a container --security-opt seccomp=unconfined"
)


class MissingWalls(Exception):  # noqa: N818 - the name says what is wrong
    """Too few walls stand on this machine to run student code; the text says what to do about it."""


@dataclass(frozen=True)
class Walls:
    """The walls that a machine has.

    Parameters
    ----------
    namespaces
        Whether user, mount, process, network and IPC namespaces can be made.
    landlock
        Landlock's version, 0 for none.
    seccomp
        Whether system calls can be filtered.
    denial
        The kernel's error if namespaces were denied.
    """

    namespaces: bool
    landlock: int
    seccomp: bool
    denial: str = ""

    def __str__(self) -> str:
        landlocked = f"Landlock {self.landlock}" if self.landlock else ""
        standing = ("namespaces" if self.namespaces else "", landlocked, "seccomp" if self.seccomp else "")
        return ", ".join(filter(None, standing)) or "none"

    @property
    def are_enough(self) -> bool:
        """Whether student code may run behind them."""
        return self.seccomp and (self.namespaces or self.landlock > 0)

    @property
    def advice(self) -> str:
        """What to do about missing walls; empty if none is missing."""
        steps = []
        if not self.seccomp:
            steps.append("use Linux on x86-64 or aarch64 with CONFIG_SECCOMP_FILTER")
        if not self.namespaces:
            denial = self.denial or "not tried"
            steps.append(f"allow user namespaces ({denial}): {_ALLOWING_NAMESPACES}")
        if self.landlock < landlock.SCOPES_SINCE:
            have = f"version {self.landlock}" if self.landlock else "none"
            steps.append(
                f"get Landlock {landlock.SCOPES_SINCE} (here: {have}): Linux 6.12, booted with lsm=landlock,…"
            )
        return "; ".join(steps)


def available() -> Walls:
    """Return the walls that this machine has; namespaces are tried in a child process."""
    denial = _denial_of_namespaces()
    return Walls(not denial, landlock.version(), seccomp.is_supported(), denial)


def _denial_of_namespaces() -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outer = namespaces.Outer(namespaces.enter_outer(View(())), network=False)
            outer.enter(megabytes=1, files=16)
        except OSError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        denial = answer.read()
    os.waitpid(child, 0)
    return denial
