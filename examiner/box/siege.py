"""Sets up targets, a neighbour and an attacker behind some walls or none, and makes the attempts."""

import ctypes
import fcntl
import json
import os
import secrets
import select
import shutil
import signal
import socket
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from examiner.box import reaper, syscalls
from examiner.box.attempts import WHERE_MEASURED, Attempt, Target, stay_alive
from examiner.box.box import Boxed, enter_outer
from examiner.box.limits import ResourceLimits
from examiner.box.view import View, of_this_python
from examiner.box.walls import Walls

SIEGE_LIMITS: Final = ResourceLimits(
    cpu_seconds=1, memory_mb=64, processes=12, file_mb=1, folder_mb=4, folder_files=64
)
SECONDS: Final = 60.0  # that all attempts together may take
_PR_SET_PTRACER: Final = 0x59616D61

Outcomes = dict[str, str]
"""What stopped each attempt, by the attempt's name; empty if nothing did."""


def outcomes(attempts: Collection[Attempt], walls: Walls | None, view: View | None = None) -> Outcomes:
    """Make attempts, and `stay_alive`, behind exactly these walls or none; return what stopped each.

    Call it in a process with one thread; it leaves that process unchanged.

    Parameters
    ----------
    attempts
        The attempts, which are made one after another, each in a process of its own.
    walls
        The walls around the attacker; None for none.
    view
        What can be read behind the walls; if None, what this Python needs.

    Raises
    ------
    TimeoutError
        If they take longer than `SECONDS`.
    RuntimeError
        If no attempt could be made; stderr says why.
    """
    with _scene() as target:
        reader, writer = os.pipe()
        keeper = os.fork()
        if keeper == 0:
            try:
                os.close(reader)
                host = _box(view or of_this_python(), walls, target) if walls else _NoWalls()
                os.write(writer, json.dumps(_besiege(host, target, attempts)).encode())
            except BaseException:  # noqa: BLE001 - the child must never return into the caller's code
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(writer)
        try:
            answer = _read_all(reader)
        except TimeoutError:
            os.kill(keeper, signal.SIGTERM)
            raise
        finally:
            os.waitpid(keeper, 0)
    if not answer:
        raise RuntimeError("the walls could not be tried")
    return dict(json.loads(answer))


class _Host(Protocol):
    """What starts and ends processes: a box, or a stand-in without walls."""

    def start(self, body: Callable[[], object], limits: ResourceLimits, keep: Collection[int]) -> Boxed: ...

    def end(self, boxed: Boxed) -> int: ...

    def keep_memory_visible(self) -> None: ...


def _box(view: View, walls: Walls, target: Target) -> _Host:
    return enter_outer(replace(view, shown=(*view.shown, target.shown)), walls)


class _NoWalls:
    """Starts processes without any walls."""

    def start(self, body: Callable[[], object], _limits: ResourceLimits, _keep: Collection[int]) -> Boxed:
        home = Path(tempfile.mkdtemp())
        number = os.fork()
        if number == 0:
            try:
                syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
                os.chdir(home)
                os.environ["TMPDIR"] = str(home)
                body()
            finally:
                os._exit(0)
        return Boxed(number, os.pidfd_open(number), home)

    def keep_memory_visible(self) -> None:
        """Do nothing."""

    def end(self, boxed: Boxed) -> int:
        reaper.end(boxed.pidfd)
        os.close(boxed.pidfd)
        shutil.rmtree(boxed.home)
        return os.waitpid(boxed.number, 0)[1]


def _besiege(host: _Host, target: Target, attempts: Collection[Attempt]) -> Outcomes:
    ready, set_ready = os.pipe()
    neighbour = host.start(partial(_live_next_door, target, set_ready), SIEGE_LIMITS, {set_ready})
    os.close(set_ready)
    os.read(ready, 1)

    reader, writer = os.pipe()
    lifeline, daemon_end = socket.socketpair()
    target = replace(target, neighbour_home=neighbour.home)
    attack = partial(_attack, host, target, attempts, writer, daemon_end.fileno())
    attacker = host.start(attack, SIEGE_LIMITS, {writer, daemon_end.fileno()})
    os.close(writer)
    daemon_end.close()
    result: Outcomes = json.loads(_read_all(reader))
    reaper.is_over(attacker.pidfd, SECONDS)
    host.end(attacker)
    with lifeline:
        result[stay_alive.__name__] = "it was killed" if _hangs_up(lifeline) else ""
    host.end(neighbour)
    return result


def _live_next_door(target: Target, ready: int) -> None:
    Path("left").write_text("left")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{target.neighbour_abstract}")
        listener.listen()
        os.write(ready, b"1")
        signal.pause()


def _attack(host: _Host, target: Target, attempts: Collection[Attempt], writer: int, lifeline: int) -> None:
    result = {attempt.__name__: _try(host, attempt, target) for attempt in attempts}
    os.write(writer, json.dumps(result).encode())
    os.close(writer)
    stay_alive(lifeline)


def _try(host: _Host, attempt: Attempt, target: Target) -> str:
    """Make an attempt in a process of its own; return what stopped it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if attempt in WHERE_MEASURED:
                host.keep_memory_visible()
            attempt(target)
        except BaseException as error:  # noqa: BLE001 - whatever stopped it is the answer
            os.write(writer, f"{type(error).__name__}: {error}".encode()[:200])
        finally:
            os._exit(0)
    os.close(writer)
    answer = _read_all(reader).decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return f"killed by {signal.Signals(os.WTERMSIG(status)).name}" if os.WIFSIGNALED(status) else answer


def _hangs_up(end: socket.socket) -> bool:
    """Whether the other end is closed: a dying process closes it before its parent learns of its death."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(0)) and end.recv(1) == b""


def _read_all(reader: int) -> bytes:
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    text = b""
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while poll.poll(SECONDS * 1000):
            part = pipe.read(1 << 16)
            if not part:
                return text
            text += part
    raise TimeoutError(f"the attempts on the walls did not end within {SECONDS:.0f} seconds")


@contextmanager
def _scene() -> Iterator[Target]:
    """Set up all targets, and remove them afterwards."""
    token = secrets.token_hex(8)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="siege-")))
        folder.chmod(0o755)
        outside, shown = _open_folder(folder / "outside"), _open_folder(folder / "shown")
        secret = outside / "secret"
        secret.write_text(token)
        secret.chmod(0o666)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        _listen(stack, f"\0{token}", socket.SOCK_STREAM)
        _listen(stack, str(outside / "socket"), socket.SOCK_STREAM)
        _listen(stack, str(outside / "socket.datagrams"), socket.SOCK_DGRAM)
        os.environ[token] = token
        stack.callback(os.environ.pop, token)
        yield Target(
            secret=secret,
            shown=shown,
            listener=outside / "socket",
            abstract=token,
            port=tcp.getsockname()[1],
            memory=ctypes.create_string_buffer(token.encode()),
            victim=stack.enter_context(_victim()),
            descriptor=_open_high(stack, outside),
            variable=token,
            neighbour_home=Path(),
            neighbour_abstract=f"neighbour-{token}",
            limits=SIEGE_LIMITS,
        )


def _open_folder(path: Path) -> Path:
    path.mkdir()
    path.chmod(0o777)
    return path


def _open_high(stack: ExitStack, path: Path) -> int:
    """Return a descriptor with a number so high that no attempt gets it for a file of its own."""
    low = os.open(path, os.O_RDONLY)
    high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 100)
    os.close(low)
    stack.callback(os.close, high)
    return high


def _listen(stack: ExitStack, address: str, kind: int) -> None:
    listener = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
    listener.bind(address)
    if not address.startswith("\0"):
        Path(address).chmod(0o777)
    if kind == socket.SOCK_STREAM:
        listener.listen()


@contextmanager
def _victim() -> Iterator[int]:
    number = os.fork()
    if number == 0:
        try:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            with suppress(OSError):  # Yama allows tracing by parents alone; allow it to every process
                syscalls.prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1).value)
            while True:
                signal.pause()
        finally:
            os._exit(0)
    try:
        yield number
    finally:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
