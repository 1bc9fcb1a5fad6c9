"""Which system calls are refused, why, and with which error; ordinary programs go on without them."""

import os
import socket
from dataclasses import dataclass
from errno import EINVAL, ENODEV, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM
from mmap import MAP_ANONYMOUS, MAP_SHARED
from typing import Final

from examiner.box import syscalls

# The newest system call that was reviewed (mseal); newer ones fail with ENOSYS.
LAST_KNOWN: Final = 462

# The lowest number of the descriptors that a process may map as shared where its memory is measured. Ours are
# moved there; then it can get no others, as its limit on descriptors is this.
SHARED_FROM: Final = 128

_ALL_BITS: Final = 0xFFFF_FFFF
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
    """A call is refused if an argument, masked, equals a value; with `unless`, if it does not.

    Parameters
    ----------
    below : tuple of int, optional
        An argument and a power of two: refused only if, besides, that argument is less.
    """

    call: str
    argument: int
    value: int
    answer: int
    mask: int = _ALL_BITS
    unless: bool = False
    below: tuple[int, int] | None = None


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
    When("socketpair", 1, socket.SOCK_RAW, EINVAL, mask=_SOCKET_TYPE),  # the kernel makes it SOCK_DGRAM
    # Opening a file for reading can also truncate it; the first versions of Landlock check the reading alone.
    When("open", 1, _O_TRUNC, EPERM, mask=_O_TRUNC | _O_ACCMODE),
    When("openat", 2, _O_TRUNC, EPERM, mask=_O_TRUNC | _O_ACCMODE),
)

# What can hold memory that no resident size shows, and give it back before anybody looks.
_HOLDING: Final[_Groups] = (
    # datagrams of other sockets, connections that nobody accepts, descriptors that are on their way
    (EINVAL, "socket"),
    (EPERM, "listen sendmsg sendmmsg"),
    # pages of pipes that are in no process
    (EINVAL, "splice tee vmsplice"),
    # names and attributes of files, and events that have such a name
    (EPERM, "symlink symlinkat"),
    (EOPNOTSUPP, "setxattr lsetxattr fsetxattr"),
    (ENOSYS, "inotify_init inotify_init1"),
)
_MAP_HUGETLB: Final = 0x4_0000
_F_SETPIPE_SZ, _F_OFD_SETLK, _F_OFD_SETLKW = 1031, 37, 38
_SO_SNDBUF, _SO_SNDBUFFORCE = 7, 32
_MADV_REMOVE, _MADV_MERGEABLE, _MADV_PAGEOUT = 9, 12, 21
_PR_SET_VMA, _PR_SET_MEMORY_MERGE = 0x5356_4D41, 67
_CLOSE_RANGE_UNSHARE: Final = 2
_CLONE_FILES, _CLONE_THREAD = 0x400, 0x1_0000
_SHARED_MEMORY: Final = MAP_SHARED | MAP_ANONYMOUS
_HOLDING_CONDITIONS: Final[tuple[When, ...]] = (
    # Shared mappings keep their content when a process drops their pages. The error is that of a file system
    # that has none.
    When("mmap", 3, _SHARED_MEMORY, ENODEV, mask=_SHARED_MEMORY),
    When("mmap", 3, MAP_SHARED, ENODEV, mask=MAP_SHARED, below=(4, SHARED_FROM)),
    When("mmap", 3, _MAP_HUGETLB, ENOMEM, mask=_MAP_HUGETLB),  # as on a machine that has set none aside
    # A mapping that is allowed keeps what was written to it; memory that is swapped out is not resident.
    When("fallocate", 1, 0, EOPNOTSUPP, unless=True),
    *(When("madvise", 2, advice, EINVAL) for advice in (_MADV_REMOVE, _MADV_MERGEABLE, _MADV_PAGEOUT)),
    # What is on its way through a pipe or a pair of sockets is bounded.
    When("fcntl", 1, _F_SETPIPE_SZ, EPERM),
    *(When("setsockopt", 2, option, EPERM) for option in (_SO_SNDBUF, _SO_SNDBUFFORCE)),
    When("socketpair", 1, socket.SOCK_STREAM, EINVAL, mask=_SOCKET_TYPE, unless=True),
    # A thread with descriptors of its own, which nobody finds.
    When("clone", 0, _CLONE_THREAD, EPERM, mask=_CLONE_THREAD | _CLONE_FILES),
    When("close_range", 2, _CLOSE_RANGE_UNSHARE, EINVAL, mask=_CLOSE_RANGE_UNSHARE),
    # Names of mappings, equal pages that count once, and ranges of files as numbers.
    *(When("prctl", 0, option, EINVAL) for option in (_PR_SET_VMA, _PR_SET_MEMORY_MERGE)),
    *(When("fcntl", 1, command, EINVAL) for command in (_F_OFD_SETLK, _F_OFD_SETLKW)),
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


def where_memory_is_measured() -> Policy:
    """Return what is refused besides, so that what a process holds is in its resident size."""
    return Policy({name: answer for answer, names in _HOLDING for name in names.split()}, _HOLDING_CONDITIONS)
