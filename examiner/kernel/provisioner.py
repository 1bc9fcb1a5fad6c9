"""Starts kernels behind the walls, for whoever asks Jupyter for one: nbclient, nbgrader, JupyterLab.

A kernel's specification names `examiner-boxed` as its provisioner. What the kernel may read is a rule:

    the system's libraries and programs, and the folder of the specification;
    of a Python, what it needs of its base, and its environment, but for packages that are to be absent;
    of another program that lies in `PREFIX/bin`, all of PREFIX; of one that lies elsewhere, the file alone;
    files that the command names by absolute paths; what `shown` adds, without what `hidden` takes away.

What lies in the folder that it is started in is copied into a private one, but for notebooks: nbgrader keeps
hidden tests there. Nothing comes back but what the kernel says on its sockets.
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
from examiner.kernel.helper import RUNTIME_FOLDER, SIGNALLED, SOCKETS, Order
from examiner.submission import intake

ENTRY_POINT: Final = "examiner-boxed"
KERNEL_LIMITS: Final = ResourceLimits(cpu_seconds=900, memory_mb=4000, processes=128, open_files=512)
INSTRUCTORS: Final = ("examiner", "nbgrader")  # packages that no kernel needs, even if it lives beside them
HELPER_START_SECONDS: Final = 60.0  # that a helper may take until the kernel's command runs
KILLED_STATUS: Final = SIGNALLED + signal.SIGKILL
HELPER_END_SECONDS: Final = 10.0  # seconds that a helper may take to end

_HELPER: Final = (
    "import sys; sys.path.insert(0, sys.argv[2]); from examiner.kernel.helper import main; main()"
)

# There are no terminals in a box, and IPython runs `!command` in one; let it do so through
# pipes. The command is the student's, behind the student's walls, and is written for a shell.
_PIPES: Final = (
    "__import__('ipykernel.zmqshell').zmqshell.system = lambda command: (lambda process: "
    "([print(line, end='') for line in process.stdout], process.wait())[1])"
    "(__import__('subprocess').Popen(command, shell=True, stdout=-1, stderr=-2, text=True, errors='replace'))"
)

_ASK: Final = """
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
    """Return what the kernel of a command may read.

    Parameters
    ----------
    command
        Its program, as an absolute path, and arguments.
    names
        Of Python packages that are to be absent.
    """
    program = Path(command[0])
    named = [Path(each) for each in command[1:] if each.startswith("/")]
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
        [python, "-I", "-c", _ASK],
        input=json.dumps({"modules": modules, "absent": names}),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    if asked.returncode:
        fact = f"it does not say what it needs ({asked.stderr.strip().rpartition(chr(10))[2]})"
        raise NoKernel(python, fact, "reinstall it, or name another one in the kernel's specification")
    shown, hidden = (tuple(map(Path, paths)) for paths in json.loads(asked.stdout))
    return View(shown, hidden)


def _absolute(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths that can be shown: a relative one would mean another folder to the helper."""
    found = tuple(paths)
    for path in found:
        if not Path(path).is_absolute():
            raise NoKernel(path, "a box has no folder that this is relative to", "write the whole path")
    return found


def _text(file: str | None) -> str:
    return Path(file or "").read_text("utf-8")


def _belongings(program: Path) -> Iterator[Path]:
    """Yield what comes with a program, where it seems to lie and where it lies: its prefix, or it alone."""
    guarded = {folder for place in (Path.home(), Path.cwd()) for folder in (place, *place.parents)}
    for path in (program, program.resolve()):
        prefix = path.parent.parent
        is_installed = path.parent.name == "bin" and prefix not in {*guarded, Path("/usr")}
        yield prefix if is_installed else path


class BoxedProvisioner(KernelProvisionerBase):
    """Starts one kernel behind the walls, and ends all that it has started."""

    shown = List(Unicode(), help="Folders and files that it can read in addition.").tag(config=True)
    hidden = List(Unicode(), help="Folders and files in those that it cannot read.").tag(config=True)
    absent = List(
        Unicode(), list(INSTRUCTORS), help="Packages of its Python that it can neither import nor read."
    ).tag(config=True)
    limits = Dict(help="What it may use, in the words of examiner.box.limits.ResourceLimits.").tag(
        config=True
    )
    variables = Dict(help="Variables in addition to those of its specification.").tag(config=True)
    fonts = Unicode(help="A folder with matplotlib's lists of fonts.").tag(config=True)
    files = Dict(
        help="What its working folder holds, by path, besides what the folder it is started in holds."
    )
    walls = Instance(Walls, allow_none=True, help="Exactly these, instead of all there are.")

    standing: Walls | None = None  # around the kernel that was started last
    last_words = ""  # of it, if it ended by itself and not well
    _helper: "subprocess.Popen[bytes] | None" = None
    _pidfds: tuple[int, ...] = ()  # pidfds of the box and of the kernel
    _link: socket.socket | None = None
    _folder: Path | None = None
    _errors = -1
    _kills = 0

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel that nobody has waited for."""
        return self._helper is not None

    async def poll(self) -> int | None:
        """Return the kernel's exit code; None while it lives."""
        return self._helper.poll() if self._helper else 0

    async def wait(self) -> int | None:
        """Wait until the kernel has ended, and all that it has started."""
        while self._helper and self._helper.poll() is None:  # noqa: ASYNC110 - that it ended is no event
            await asyncio.sleep(0.02)
        return self._release()

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel, and to nothing that it has started; SIGKILL ends all of it."""
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
        """Leave nothing; for a restart, the place where its sockets are found stays."""
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
        """Return what `launch_kernel` is to be called with; the kernel's sockets get their names."""
        manager = self.parent
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="kernel-"))
            manager.transport, manager.ip = "ipc", str(self._folder / "box" / SOCKETS)
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
            self._drop_folder()  # nobody cleans up what did not start
            raise
        return self.connection_info

    async def _launch(self, order: Order) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = os.memfd_create("errors")
        with tempfile.TemporaryFile() as handed, theirs:
            handed.write(order.to_bytes())
            handed.seek(0)
            self._helper = subprocess.Popen(  # noqa: ASYNC220, S603 - it is started at once; our own program
                [sys.executable, "-I", "-c", _HELPER, str(theirs.fileno()), str(Path(__file__).parents[2])],
                stdin=handed,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env={"LANG": "C.UTF-8"},
                pass_fds=[theirs.fileno()],
                cwd="/",
                start_new_session=True,  # an interrupt of the terminal is not for the kernel
            )
        self._link.settimeout(HELPER_START_SECONDS)
        try:
            said, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, self._link, DATAGRAM_BYTES, 2)
        except TimeoutError:
            said, descriptors = b"", []
        self._take_in(said, descriptors)

    def memory_kills(self) -> int:
        """Return how many of the kernel's processes were killed so far for the memory of all of them."""
        with contextlib.suppress(BlockingIOError):
            while self._link and self._link.recv(DATAGRAM_BYTES, socket.MSG_DONTWAIT) == KILLED:
                self._kills += 1
        return self._kills

    def _order(self, command: list[str], folder: str | None, environment: dict[str, str]) -> Order:
        program = shutil.which(command[0])
        if program is None:
            raise NoKernel(command[0], "there is no such program", "correct the kernel's specification")
        command = [str(Path(program).absolute()), *command[1:]]
        if any("ipykernel" in each for each in command):
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
            bounds=ResourceLimits(**{**vars(KERNEL_LIMITS), **self.limits}),
            files={n: text for n, text in files.items() if not n.endswith(".ipynb")} | self.files,
            fonts=self._fonts(),
            walls=self.walls,
        )

    def _environment(self, program: Path, environment: dict[str, str]) -> dict[str, str]:
        """Return the few variables that a kernel finds; nothing else of ours."""
        few: dict[str, str] = {"PATH": f"{program.parent}:{os.defpath}", "LANG": "C.UTF-8"}
        passed_on = {name: environment[name] for name in self.kernel_spec.env if name in environment}
        if "NBGRADER_EXECUTION" in environment:
            passed_on["NBGRADER_EXECUTION"] = environment["NBGRADER_EXECUTION"]
        return {**few, **passed_on, **self.variables}

    def _fonts(self) -> dict[str, bytes]:
        folder = Path(self.fonts) if self.fonts else Path.home() / ".cache" / "matplotlib"
        return {path.name: path.read_bytes() for path in folder.glob("fontlist-*.json")}

    def _take_in(self, said: bytes, descriptors: Sequence[int]) -> None:
        """Take what a helper has said: where the kernel is, or why there is none."""
        verb, _, rest = said.partition(b" ")
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
        """Let go of a kernel that has ended, or is to end now; return its exit code."""
        helper, self._helper = self._helper, None
        if self._link:
            self._link.close()  # with it the helper ends, and all that is in its box
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
