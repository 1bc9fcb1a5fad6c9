"""Linux namespaces: a root that shows a read-only list of folders, without network and other processes.

They are entered in two steps. The warm server enters the outer ones once (`enter_outer`), as bind mounts and
a network namespace take time. Each candidate is then forked into its own process namespace and enters the
rest (`Outer`): a user namespace, whose processes are counted separately, and a file system to write in.
"""

import os
import shutil
import signal
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Final

from examiner.box import absent, landlock, privileges
from examiner.box import syscalls as sys_
from examiner.box.view import DEVICES, View

INSIDE_ID: Final = 1000  # the user and group inside
_PRIVATE: Final = "/box"  # where the file system to write in is mounted
_HOME: Final = Path("/box/home")
_TEMPORARY: Final = Path("/box/tmp")
_LINKS_TO_IT: Final = (Path("/tmp"), Path("/dev/shm"))  # noqa: S108 - as a candidate sees them
_NOWHERE: Final = "/nowhere"  # an empty folder, mounted over hidden folders
_NO_PACKAGE: Final = "/no-package"  # a package that refuses its import, mounted over hidden packages
# The new root is mounted on /tmp and becomes the root at once, so that it leaves no folder on the machine and
# covers nothing that is to be shown.
_NEW_ROOT: Final = "/tmp"  # noqa: S108 - no file is made in the machine's /tmp
_OLD_ROOT: Final = "/.outside"
_SERVERS_MB, _SERVERS_FILES = 16, 1024
_SLEEP: Final = ("sleep", str(10**9))  # the program of an init, which has nothing to do

_OWN: Final = (
    sys_.CLONE_NEWUSER | sys_.CLONE_NEWIPC | sys_.CLONE_NEWPID | sys_.CLONE_NEWNET | sys_.CLONE_NEWUTS
)
_CANDIDATES_OWN: Final = sys_.CLONE_NEWUSER | sys_.CLONE_NEWNS | sys_.CLONE_NEWIPC
_READ_ONLY: Final = sys_.MOUNT_ATTR_RDONLY | sys_.MOUNT_ATTR_NOSUID


def enter_outer(view: View) -> int:
    """Give this process a root with what the view shows, and no network; return the machine's /proc, opened.

    The next fork is the first process of a new process namespace; when it ends, all others in it end. If this
    process was root, it is a user who owns nothing afterwards.

    Raises
    ------
    OSError
        If the kernel or its administrator denies one of the namespaces.
    """
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if privileges.has(privileges.CAP_SYS_ADMIN):  # the mounts come first, while every folder can be read
        sys_.unshare(sys_.CLONE_NEWNS)
        _build_root(view)
        privileges.become_spare_user()
        _unshare(proc, _OWN)
    else:
        _unshare(proc, _OWN | sys_.CLONE_NEWNS)
        _build_root(view)
    socket.sethostname("box")
    return proc


class Outer:
    """The namespaces in which a server starts candidates; its descriptors must be closed inside them.

    Parameters
    ----------
    proc
        A descriptor of the machine's /proc.
    network
        Whether each candidate gets a network namespace too. It costs more than all others, mostly in the
        kernel after the candidate's end, and separates only the abstract sockets of candidates that live at
        once.
    """

    processes_before = 0  # the kernel counts the processes of each user namespace separately

    def __init__(self, proc: int, *, network: bool) -> None:
        self.proc = proc
        self._own = _CANDIDATES_OWN | (sys_.CLONE_NEWNET if network else 0)
        self._processes = os.open("self/ns/pid", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
        self._sleep = shutil.which(_SLEEP[0])
        self._rules = [landlock.open_rule("/", landlock.READ), landlock.open_rule("/dev", landlock.USE)]

    def prepare(self) -> Path:
        """Return where the candidate's home will be."""
        return _HOME

    def temporary(self, _home: Path) -> Path:
        """Return where temporary files go."""
        return _TEMPORARY

    def fork(self, *, beside_init: bool) -> tuple[int, int]:
        """Fork into a new process namespace; return the child's number and the first process's.

        The child is the first process itself, unless it is to be beside an init: then the processes that it
        starts live on when it ends, until the init ends.
        """
        sys_.unshare(sys_.CLONE_NEWPID)
        child = -1
        try:
            init = self._start_init() if beside_init else 0
            child = sys_.fork()
        finally:
            if child != 0:
                sys_.setns(self._processes, sys_.CLONE_NEWPID)
        return child, init or child

    def _start_init(self) -> int:
        """Start a program that no signal from its namespace reaches, and whose orphans the kernel reaps.

        It is a small program, not a fork of this process, which would take as long as a candidate. It is born
        ignoring SIGCHLD, so call this while no candidate lives that is to be waited for.
        """
        if self._sleep is None:
            raise FileNotFoundError(f"there is no program `{_SLEEP[0]}`: install coreutils")
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            return os.posix_spawn(self._sleep, _SLEEP, {}, setsigmask=signal.valid_signals())
        finally:
            signal.signal(signal.SIGCHLD, before)

    def enter(self, megabytes: int, files: int) -> None:
        """Give this process its own namespaces and an empty file system to write in."""
        _unshare(self.proc, self._own)
        _mount_private(megabytes, files)

    def rules(self, _home: Path) -> list[landlock.Rule]:
        """Return what Landlock allows: reading everything, as the root holds only what the view shows."""
        return [*self._rules, landlock.open_rule(_PRIVATE, landlock.WRITE)]

    def reap(self, _living: Collection[int]) -> None:
        """Do nothing: the kernel lets go of orphans that have ended."""

    def clear(self, _home: Path, _living: Collection[int]) -> None:
        """Do nothing: the kernel removes a candidate's namespaces and files with its last process."""


def _unshare(proc: int, flags: int) -> None:
    """Enter new namespaces, among them a user namespace in which this process is an ordinary user."""
    user, group = os.geteuid(), os.getegid()
    sys_.unshare(flags)
    maps = {
        "setgroups": "deny",
        "uid_map": f"{INSIDE_ID} {user} 1",
        "gid_map": f"{INSIDE_ID} {group} 1",
    }
    for name, text in maps.items():
        descriptor = os.open(f"self/{name}", os.O_WRONLY, dir_fd=proc)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def _mount_private(megabytes: int, files: int) -> None:
    size = f"size={megabytes}m,nr_inodes={files},mode=755"
    sys_.mount("private", _PRIVATE, "tmpfs", sys_.MS_NOSUID | sys_.MS_NODEV, size)
    for folder in (_HOME, _TEMPORARY):
        os.mkdir(folder)  # noqa: PTH102 - Path.mkdir takes longer than the system call


def _build_root(view: View) -> None:
    links, places, masks = view.links(), view.places(), view.masks()
    sys_.mount("none", "/", flags=sys_.MS_REC | sys_.MS_PRIVATE)
    sys_.mount("root", _NEW_ROOT, "tmpfs", sys_.MS_NOSUID | sys_.MS_NODEV, "size=1m,mode=755")
    os.mkdir(f"{_NEW_ROOT}{_OLD_ROOT}")  # noqa: PTH102 - the name is text
    sys_.pivot_root(_NEW_ROOT, f"{_NEW_ROOT}{_OLD_ROOT}")
    os.chdir("/")
    for place, real in places.items():
        _show(f"{_OLD_ROOT}{real}", place, _READ_ONLY | sys_.MOUNT_ATTR_NODEV)
    for device in DEVICES:
        _show(f"{_OLD_ROOT}{device}", device, _READ_ONLY)
    for name in (_PRIVATE, _NOWHERE, _NO_PACKAGE):
        os.mkdir(name)  # noqa: PTH102 - the names are text
    Path(_NO_PACKAGE, "__init__.py").write_text(absent.REFUSAL)
    _mount_private(_SERVERS_MB, _SERVERS_FILES)
    for folder in (_HOME, _TEMPORARY):
        folder.chmod(0o1777)  # root makes these, and is another user when it writes
    _hide(masks, places)
    links |= {link: _TEMPORARY for link in _LINKS_TO_IT if not link.exists()}  # a shown folder may lie there
    for link, target in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    sys_.unmount(_OLD_ROOT)
    os.rmdir(_OLD_ROOT)  # noqa: PTH106 - the name is text
    sys_.restrict_mount("/", _READ_ONLY | sys_.MOUNT_ATTR_NODEV, beneath=False)


def _show(source: str, place: Path, attributes: int) -> None:
    if Path(source).is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    sys_.mount(source, str(place), flags=sys_.MS_BIND | sys_.MS_REC)
    sys_.restrict_mount(str(place), attributes)


def _hide(masks: list[Path], places: dict[Path, Path]) -> None:
    for place, real in places.items():
        for mask in (mask for mask in masks if mask.is_relative_to(real)):
            hidden = place / mask.relative_to(real)
            sys_.mount(_instead_of(hidden), str(hidden), flags=sys_.MS_BIND)


def _instead_of(hidden: Path) -> str:
    if not hidden.is_dir():
        return "/dev/null"
    return _NO_PACKAGE if (hidden / "__init__.py").exists() else _NOWHERE
