"""Starts kernels behind the walls, for any client of Jupyter: nbclient, nbgrader, JupyterLab.

A kernel's specification names `examiner-boxed` as its provisioner. The kernel may read

    the system's libraries and programs, and the folder of the specification;
    for Python, what it needs of its base, and its environment, except the packages in `absent`;
    for another program in `PREFIX/bin`, all of PREFIX; for one that lies elsewhere, that file alone;
    files that the command names by absolute paths, and the paths in `shown`; but not those in `hidden`.

The files of the folder that it is started in are copied into a private one, except notebooks, which may hold
nbgrader's hidden tests. Nothing is copied back; the kernel only sends messages on its sockets.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Dict, Instance, List, Unicode

from examiner.box import absent, reaper, usage, view
from examiner.box.limits import ResourceLimits
from examiner.box.link import DATAGRAM_BYTES, KILLED, last_line
from examiner.box.view import View
from examiner.box.walls import Walls
from examiner.errors import PlatformFault
from examiner.examine.server import TooFewWalls
from examiner.kernel.helper import CONNECTION_FILE, RUNTIME_FOLDER, SIGNALLED, SOCKETS, Order
from examiner.submission import intake

KERNEL_LIMITS: Final = ResourceLimits(cpu_seconds=900, memory_mb=4000, processes=128, open_files=512)
INSTRUCTORS: Final = ("examiner", "nbgrader")  # packages that are absent for kernels by default
HELPER_START_SECONDS: Final = 60.0  # that a helper may take until the kernel's command runs
KILLED_STATUS: Final = SIGNALLED + signal.SIGKILL
HELPER_END_SECONDS: Final = 10.0  # that a helper may take to end

_HELPER: Final = (
    "import sys; sys.path.insert(0, sys.argv[2]); from examiner.kernel.helper import main; main()"
)

# IPython runs `!command` in a terminal, and there is none in a box; this replaces it by pipes. The command
# runs in a shell, as `!ls *.txt` needs one; it is the student's, behind the student's walls.
_PIPES: Final = (
    "__import__('ipykernel.zmqshell').zmqshell.system = lambda command: (lambda process: "
    "([print(line, end='') for line in process.stdout], process.wait())[1])"
    "(__import__('subprocess').Popen(command, shell=True, stdout=-1, stderr=-2, text=True, errors='replace'))"
)

_LIST_FILES: Final = """
import json, sys, types
order = json.load(sys.stdin)
for name, text in order["modules"].items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
seen = sys.modules["view"].of_this_python(sys.modules["absent"].places_of(order["absent"]))
print(json.dumps([[str(path) for path in paths] for paths in (seen.shown, seen.hidden)]))
"""


class NoKernel(PlatformFault):
    """A kernel did not start behind the walls."""


def view_of(command: Sequence[str], language: str, names: tuple[str, ...]) -> View:
    """Return what a kernel may read, given its command.

    Parameters
    ----------
    command
        Its program, as an absolute path, and its arguments.
    language
        The language of the kernel's specification.
    names
        Names of Python packages that must be absent.
    """
    program = Path(command[0])
    named = [Path(word) for word in command[1:] if word.startswith("/")]
    files = tuple(path for path in named if path.is_file())
    if language.lower() == "python":
        python = _view_of_python(program, names)
        return View((*python.shown, *files), python.hidden)
    places = list(_belongings(program))
    packages = [
        folder
        for place in places
        for kind in ("site-packages", "dist-packages")
        for folder in place.glob(f"lib*/python3*/{kind}")
        if not program.is_relative_to(place)
    ]
    return View((*map(Path, view.SYSTEM), *places, *files), tuple(packages))


@lru_cache
def _view_of_python(python: Path, names: tuple[str, ...]) -> View:
    modules = {module.__name__.rpartition(".")[2]: _text(module.__file__) for module in (view, absent)}
    asked = subprocess.run(  # noqa: S603 - the interpreter that the kernel's specification names
        [python, "-I", "-c", _LIST_FILES],
        input=json.dumps({"modules": modules, "absent": names}),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    if asked.returncode:
        fact = f"it cannot list the files that it needs ({asked.stderr.strip().rpartition(chr(10))[2]})"
        raise NoKernel(python, fact, "reinstall it, or name another one in the kernel's specification")
    shown, hidden = (tuple(map(Path, paths)) for paths in json.loads(asked.stdout))
    return View(shown, hidden)


def _absolute(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths, or raise NoKernel for a relative one: the helper runs in another folder."""
    found = tuple(paths)
    for path in found:
        if not Path(path).is_absolute():
            raise NoKernel(path, "a relative path means nothing in a box", "write the whole path")
    return found


def _text(file: str | None) -> str:
    return Path(file or "").read_text("utf-8")


def _belongings(program: Path) -> Iterator[Path]:
    """Yield a program's prefix, or the file alone, for its path and for its path with links resolved."""
    guarded = {folder for place in (Path.home(), Path.cwd()) for folder in (place, *place.parents)}
    for path in (program, program.resolve()):
        prefix = path.parent.parent
        is_installed = path.parent.name == "bin" and prefix not in {*guarded, Path("/usr")}
        yield prefix if is_installed else path


class BoxedProvisioner(KernelProvisionerBase):
    """Starts one kernel behind the walls, and ends it with all processes that it has started."""

    shown = List(Unicode(), help="Folders and files that the kernel can read in addition.").tag(config=True)
    hidden = List(Unicode(), help="Folders and files in those that the kernel cannot read.").tag(config=True)
    absent = List(
        Unicode(), list(INSTRUCTORS), help="Packages that the kernel can neither import nor read."
    ).tag(config=True)
    limits = Dict(help="How much the kernel may use: the fields of examiner.box.limits.ResourceLimits.").tag(
        config=True
    )
    variables = Dict(help="Environment variables in addition to those of the specification.").tag(config=True)
    fonts = Unicode(help="A folder with matplotlib's font caches.").tag(config=True)
    files = Dict(
        help="Files of the working folder, by path, in addition to those of the folder it is started in."
    )
    walls = Instance(Walls, allow_none=True, help="The walls to use, instead of all that the machine has.")

    standing: Walls | None = None  # the walls around the kernel that was started last
    last_words = ""  # the last line of that kernel's stderr, if it ended with an error
    _helper: "subprocess.Popen[bytes] | None" = None
    _pidfds: tuple[int, ...] = ()  # pidfds of the box and of the kernel
    _link: socket.socket | None = None
    _folder: Path | None = None
    _errors = -1
    _kills = 0

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel that has not been waited for."""
        return self._helper is not None

    async def poll(self) -> int | None:
        """Return the kernel's exit code; None while it lives."""
        return self._helper.poll() if self._helper else 0

    async def wait(self) -> int | None:
        """Wait until the kernel and all that it has started have ended; return its exit code."""
        while self._helper and self._helper.poll() is None:  # noqa: ASYNC110 - no event tells that it ended
            await asyncio.sleep(0.02)
        return self._release()

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel alone; SIGKILL ends all processes that it has started, too."""
        if not self._pidfds:
            return
        box, kernel = self._pidfds
        if signum == signal.SIGKILL:
            reaper.end(box, 0)
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(kernel, signum)

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and all that it has started."""
        del restart
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel to end."""
        del restart
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """End the kernel and remove its folder; for a restart, the folder that leads to its sockets stays."""
        if self._helper:
            await self.kill()
            await self.wait()
        if not restart:
            self._drop_folder()

    def _drop_folder(self) -> None:
        folder, self._folder = self._folder, None
        if folder:
            shutil.rmtree(folder)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Name the kernel's sockets; return the arguments for `launch_kernel`."""
        manager = self.parent
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="kernel-"))
            manager.transport, manager.ip = "ipc", str(self._folder / "box" / SOCKETS)
            # Otherwise it lies in the user's home, and stays there if this process is killed.
            manager.connection_file = manager.connection_file or str(self._folder / CONNECTION_FILE)
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        command = manager.format_kernel_cmd(extra_arguments=kwargs.pop("extra_arguments", []))
        return await super().pre_launch(cmd=command, **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel.

        Raises
        ------
        NoKernel, TooFewWalls
            If it cannot be started, or not behind enough walls.
        """
        try:
            await self._launch(self._order(cmd, kwargs.get("cwd"), kwargs["env"]))
        except BaseException:
            self._drop_folder()  # Jupyter does not clean up after a kernel that did not start
            raise
        return self.connection_info

    async def _launch(self, order: Order) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = os.memfd_create("errors")
        with tempfile.TemporaryFile() as file, theirs:
            file.write(order.to_bytes())
            file.seek(0)
            self._helper = subprocess.Popen(  # noqa: ASYNC220, S603 - it does not wait; our own program
                [sys.executable, "-I", "-c", _HELPER, str(theirs.fileno()), str(Path(__file__).parents[2])],
                stdin=file,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env={"LANG": "C.UTF-8"},
                pass_fds=[theirs.fileno()],
                cwd="/",
                start_new_session=True,  # so that Ctrl-C in the terminal does not reach the kernel
            )
        self._link.settimeout(HELPER_START_SECONDS)
        try:
            reply, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, self._link, DATAGRAM_BYTES, 2)
        except TimeoutError:
            reply, descriptors = b"", []
        self._link.settimeout(None)  # or a look for messages would wait as long
        self._take_reply(reply, descriptors)

    def memory_kills(self) -> int:
        """Return how many of the kernel's processes were killed so far because all used too much memory."""
        with contextlib.suppress(BlockingIOError):
            while self._link and self._link.recv(DATAGRAM_BYTES, socket.MSG_DONTWAIT) == KILLED:
                self._kills += 1
        return self._kills

    def _order(self, command: list[str], folder: str | None, environment: dict[str, str]) -> Order:
        program = shutil.which(command[0])
        if program is None:
            raise NoKernel(command[0], "there is no such program", "correct the kernel's specification")
        command = [str(Path(program).absolute()), *command[1:]]
        if any("ipykernel" in word for word in command):
            command.append(f"--IPKernelApp.exec_lines={[_PIPES]!r}")
        seen = view_of(command, self.kernel_spec.language, tuple(self.absent))
        files = intake.read(Path(folder), PlatformFault) if folder else {}
        key, resources = self.connection_info["key"], filter(None, [self.kernel_spec.resource_dir])
        return Order(
            command=tuple(command),
            placeholder=os.path.realpath(self.parent.connection_file),
            connection=self.connection_info | {"key": key.decode() if isinstance(key, bytes) else key},
            environment=self._environment(Path(program), environment),
            shown=(*map(str, seen.shown), *_absolute(self.shown), *_absolute(resources)),
            hidden=(*map(str, seen.hidden), *_absolute(self.hidden)),
            limits=ResourceLimits(**{**vars(KERNEL_LIMITS), **self.limits}),
            files={n: text for n, text in files.items() if not n.endswith(".ipynb")} | self.files,
            fonts=self._fonts(),
            walls=self.walls,
        )

    def _environment(self, program: Path, environment: dict[str, str]) -> dict[str, str]:
        """Return the kernel's environment variables; of Jupyter's, only those of the specification pass."""
        own: dict[str, str] = {"PATH": f"{program.parent}:{os.defpath}", "LANG": "C.UTF-8"}
        passed_on = {name: environment[name] for name in self.kernel_spec.env if name in environment}
        if "NBGRADER_EXECUTION" in environment:
            passed_on["NBGRADER_EXECUTION"] = environment["NBGRADER_EXECUTION"]
        return {**own, **passed_on, **self.variables}

    def _fonts(self) -> dict[str, bytes]:
        folder = Path(self.fonts) if self.fonts else Path.home() / ".cache" / "matplotlib"
        return {path.name: path.read_bytes() for path in folder.glob("fontlist-*.json")}

    def _take_reply(self, reply: bytes, descriptors: Sequence[int]) -> None:
        """Take over the kernel that a helper reports, or raise an error with the helper's reason."""
        verb, _, rest = reply.partition(b" ")
        if verb != b"started":
            reason = rest.decode("utf-8", "replace") or self._last_words()
            self._release()
            if verb == b"refused":
                raise TooFewWalls("the box", "too few walls stand on this machine", reason)
            raise NoKernel("the boxed kernel", f"it did not start ({reason})", "run `examiner doctor`")
        self._pidfds = tuple(descriptors)
        place = json.loads(rest)
        self.standing = Walls(**place["walls"])
        root = f"/proc/{usage.number(descriptors[0])}/root" if self.standing.namespaces else ""
        link = Path(str(self._folder), "box")
        link.unlink(missing_ok=True)
        link.symlink_to(f"{root}{place['home']}/{RUNTIME_FOLDER}")

    def _last_words(self) -> str:
        return last_line(self._errors)

    def _release(self) -> int:
        """End the helper, and with it the kernel if it still runs; return the kernel's exit code."""
        helper, self._helper = self._helper, None
        if self._link:
            self._link.close()  # the helper then ends, and with it all processes of its box
        status = 0
        if helper:
            try:
                status = helper.wait(HELPER_END_SECONDS)
            except subprocess.TimeoutExpired:
                helper.kill()
                status = helper.wait()
        if status not in {0, KILLED_STATUS}:
            self.last_words = self._last_words()
            self.log.error("the boxed kernel ended with %s: %s", status, self.last_words)
        for descriptor in self._pidfds:
            os.close(descriptor)
        if self._errors >= 0:
            os.close(self._errors)
        self._link, self._pidfds, self._errors = None, (), -1
        return status
