"""Which system calls are refused, why, and with which error; ordinary programs go on without them."""

import os
import socket
from dataclasses import dataclass
from errno import EINVAL, ENOSYS, EPERM
from typing import Final

from examiner.box import syscalls

# The newest system call that was reviewed (mseal); newer ones fail with ENOSYS.
LAST_KNOWN: Final = 462

_IGNORED: Final = 0  # the call does nothing and returns success

_Groups = tuple[tuple[int, str], ...]

_REFUSED: Final[_Groups] = (
    # mounts and roots
    (
        EPERM,
        "mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr",
    ),
    # new namespaces
    (EPERM, "unshare setns"),
    # the memory, files and state of other processes
    (EPERM, "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd"),
    # calls with many known defects of the kernel, which no notebook needs
    (EPERM, "bpf perf_event_open userfaultfd keyctl add_key request_key fanotify_init lookup_dcookie"),
    (EPERM, "open_by_handle_at personality modify_ldt uselib nfsservctl iopl ioperm vhangup syslog acct"),
    (EPERM, "quotactl quotactl_fd"),
    # the machine
    (EPERM, "init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff"),
    (EPERM, "settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname"),
    # scheduling and placement of memory, which are set and measured from outside
    (EPERM, "sched_setaffinity sched_setparam sched_setattr setpriority ioprio_set"),
    (EPERM, "mbind set_mempolicy migrate_pages move_pages set_mempolicy_home_node"),
    # memory that the limits of a process do not count
    (ENOSYS, "memfd_create memfd_secret shmget shmat shmctl semget semop semctl semtimedop"),
    (ENOSYS, "msgget msgsnd msgrcv msgctl mq_open mq_unlink"),
    # ways around a filter of system calls; callers expect that they may be missing
    (ENOSYS, "io_uring_setup io_uring_enter io_uring_register io_setup io_submit clone3"),
)

# What namespaces protect, and Landlock does not.
_REFUSED_WITHOUT_NAMESPACES: Final[_Groups] = (
    # attributes of files; chmod reports success, so that copying a file goes on without its mode
    (_IGNORED, "chmod fchmod fchmodat fchmodat2"),
    (EPERM, "utime utimes futimesat utimensat chown fchown lchown fchownat"),
    (EPERM, "setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr"),
    # sockets with a path
    (EPERM, "connect"),
    # emptying files, which Landlock refuses only from version 3
    (EPERM, "truncate"),
    # flags in memory, which a filter cannot read
    (ENOSYS, "openat2"),
)
_SIGNALS: Final[_Groups] = ((EPERM, "kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal"),)


@dataclass(frozen=True)
class When:
    """A call is refused if an argument, masked, equals a value; with `unless`, if it does not."""

    call: str
    argument: int
    value: int
    answer: int
    mask: int = 0xFFFF_FFFF
    unless: bool = False


_NEW_NAMESPACES: Final = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_CONDITIONS: Final[tuple[When, ...]] = (
    When("clone", 0, 0, EPERM, mask=_NEW_NAMESPACES, unless=True),
    # The error of a kernel that is built without the family: libzmq aborts on any other.
    When("socket", 0, socket.AF_UNIX, EINVAL, unless=True),
    When("prctl", 0, syscalls.PR_SET_PDEATHSIG, EPERM),  # a candidate ends with its server
    When("prctl", 0, syscalls.PR_SET_DUMPABLE, EPERM),  # its memory is measured from outside
    # Every thread of libzmq sets the policy that it has anyway, and aborts if that is refused.
    When("sched_setscheduler", 1, os.SCHED_OTHER, EPERM, unless=True),
    When("prlimit64", 0, 0, EPERM, unless=True),  # a process may change its own limits only
    When("ioctl", 1, _TIOCSTI, EPERM),  # typing into the operator's terminal
    When("ioctl", 1, _TIOCLINUX, EPERM),
)
_O_TRUNC, _O_ACCMODE = 0o1000, 0o3
_SOCKET_TYPE: Final = 0xF
_CONDITIONS_WITHOUT_NAMESPACES: Final[tuple[When, ...]] = (
    # A datagram can be sent to a path without a connection.
    When("socket", 1, socket.SOCK_STREAM, EINVAL, mask=_SOCKET_TYPE, unless=True),
    When("socketpair", 1, socket.SOCK_DGRAM, EINVAL, mask=_SOCKET_TYPE),
    # Opening a file for reading can also truncate it; the first versions of Landlock check the reading alone.
    When("open", 1, _O_TRUNC, EPERM, mask=_O_TRUNC | _O_ACCMODE),
    When("openat", 2, _O_TRUNC, EPERM, mask=_O_TRUNC | _O_ACCMODE),
)


@dataclass(frozen=True)
class Policy:
    """Calls that are refused, each with its error; and calls that are refused for certain arguments."""

    refused: dict[str, int]
    conditions: tuple[When, ...] = ()


def policy(*, namespaces: bool, signals_stay_inside: bool) -> Policy:
    """Return what is refused, given the other walls.

    Parameters
    ----------
    namespaces
        Whether candidates run in namespaces.
    signals_stay_inside
        Whether Landlock keeps signals inside the box. If neither does, a student's code can send none at all.
    """
    groups, conditions = _REFUSED, _CONDITIONS
    if not namespaces:
        groups += _REFUSED_WITHOUT_NAMESPACES
        conditions += _CONDITIONS_WITHOUT_NAMESPACES
    if not (namespaces or signals_stay_inside):
        groups += _SIGNALS
    return Policy({name: answer for answer, names in groups for name in names.split()}, conditions)
