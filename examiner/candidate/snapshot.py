"""The candidate's end of the wire: a snapshot of the student's process does what the examiner asks.

It runs behind the walls, beside the student's code, and nothing it says is trusted. Plain data goes back by
value, everything else stays here and goes back as a numbered handle.
"""

import builtins
import ctypes
import importlib
import io
import itertools
import operator
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from examiner.candidate.work import FOREVER
from examiner.wire.channel import Channel, FrameKind
from examiner.wire.codec import Handle, Reverse, decode, encode
from examiner.wire.limits import MAX_ERROR_TEXT, MessageLimits, WireError

SERVED: Final = MessageLimits(total=sys.maxsize)  # how much is enough, the examiner says
SINGLE: Final = frozenset({type(None), bool, int, float, complex})

BINARY: Final = {
    **{name: getattr(operator, f"{name}_") for name in ("and", "or")},
    **{
        name: getattr(operator, name)
        for plain in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift")
        for name in (plain, f"i{plain}")
    },
    **{name: getattr(operator, name) for name in ("xor", "iand", "ior", "ixor")},
}
UNARY: Final = {
    **{name: getattr(operator, name) for name in ("neg", "pos", "abs", "invert", "index")},
    **{function.__name__: function for function in (int, float, complex, round)},
}


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE: Final = 64 << 10  # bytes
_LARGEST: Final = 32 << 20  # bytes; glibc takes no higher threshold
_LIBC: Final = ctypes.CDLL(None) if hasattr(ctypes.CDLL(None), "malloc_trim") else None


class _Lent:
    """An object that lives in the examiner; asking it for anything asks over there."""

    __slots__ = ("__number", "__snapshot")

    def __init__(self, snapshot: "Snapshot", number: int) -> None:
        self.__snapshot, self.__number = snapshot, number

    def __getattr__(self, name: str) -> Any:
        return self.__snapshot.ask(self.__number, "getattr", (name,), {})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__snapshot.ask(self.__number, "call", args, kwargs)


class _ByRef:
    """A value that is to stay here although it is plain."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Nowhere(io.TextIOBase):
    """Where a snapshot prints: what a student's code says while it is examined is nobody's business."""

    def write(self, text: str) -> int:
        return len(text)


NOWHERE: Final = _Nowhere()


def give_back() -> None:
    """Have large arrays taken from the system and given back at once.

    The allocator of glibc keeps what was freed for the next who asks; then nobody sees from outside what a
    call needs.
    """
    if _LIBC is not None:
        _LIBC.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        _LIBC.mallopt(_M_TRIM_THRESHOLD, _LARGE)
        _LIBC.malloc_trim(0)


def keep_freed() -> None:
    """Have all arrays but the largest taken from what was freed before.

    Else the same call is a third slower in one process than in the next: it depends on what happens to lie at
    the end of the heap whether that is given back after each call, and every page of it asked for again.
    """
    if _LIBC is not None:
        _LIBC.mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        _LIBC.mallopt(_M_TRIM_THRESHOLD, _LARGEST)


def _exit(manager: Any, name: str | None) -> bool:
    """Leave a `with` block of the examiner's, which ended well or by an exception of this name."""
    error = None if name is None else getattr(builtins, name)()
    return bool(type(manager).__exit__(manager, None if error is None else type(error), error, None))


# What can be asked for; made before a snapshot is, as is everything that can be.
OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "import": importlib.import_module,
    "call": lambda f, args, kwargs: f(*args, **kwargs),
    "method": lambda a, name, args, kwargs: getattr(a, name)(*args, **kwargs),
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "delitem": operator.delitem,
    "unary": lambda name, a, *more: UNARY[name](a, *more),
    "binary": lambda name, a, b: BINARY[name](a, b),
    "isinstance": isinstance,
    "issubclass": issubclass,
    "callable": callable,
    "len": len,
    "iter": lambda a: _ByRef(iter(a)),
    "next": lambda a: list(itertools.islice(a, 1)),
    "enter": lambda a: type(a).__enter__(a),
    "exit": _exit,
    "value": lambda a: a,
    "map": lambda f, calls: [f(*args) for args in calls],
    "carry": lambda _there, back: back,
    "give back": give_back,
    "keep freed": keep_freed,
}


class Snapshot:
    """Serves one grade cell until the examiner hangs up.

    Parameters
    ----------
    channel : Channel
        Connected to the examiner.
    namespace : dict
        Where the student's notebook has run.

    """

    def __init__(self, channel: Channel, namespace: MutableMapping[str, Any]) -> None:
        self.channel, self.namespace = channel, namespace
        channel.limits = SERVED
        self.objects: dict[int, Any] = {}
        self.numbers = itertools.count(1)
        self.lent: dict[int, _Lent] = {}
        self.nonce = 0

    def serve(self) -> None:
        """Answer requests until the examiner closes the channel."""
        sys.stdout = sys.stderr = NOWHERE
        while True:
            try:
                frame = self.channel.receive(time.monotonic() + FOREVER)
            except WireError:
                return
            self._answer(frame.nonce, frame.payload)

    def ask(self, number: int, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have an object of the examiner do something, in the middle of a request."""
        nonce = self.nonce
        question = (number, operation, args, kwargs)
        self._send(FrameKind.CALLBACK, nonce, question)
        while (frame := self.channel.receive(time.monotonic() + FOREVER)).kind == FrameKind.REQUEST:
            self._answer(frame.nonce, frame.payload)  # the examiner's object asks something in its turn
            self.nonce = nonce
        value = decode(frame.payload, self._from_handle, self.channel.incoming, self.channel.limits)
        if frame.kind == FrameKind.FAILED:
            name, text = value
            raise getattr(builtins, name)(text)
        return value

    def _answer(self, nonce: int, payload: bytes) -> None:
        self.nonce = nonce
        try:
            operation, by_ref, args, dropped = decode(
                payload, self._from_handle, self.channel.incoming, self.channel.limits
            )
            for number in dropped:
                self.objects.pop(number, None)
            value = self._operation(operation)(*args)
            kind, reply = FrameKind.VALUE, self._encode(_ByRef(value) if by_ref else value)
        except BaseException as error:  # noqa: BLE001 - whatever student code raises is an answer, SystemExit too
            kind, reply = FrameKind.RAISED, self._encode(_described(error))
        self.channel.send(kind, nonce, reply, time.monotonic() + FOREVER)

    def _operation(self, name: str) -> Callable[..., Any]:
        return self._resolve if name == "resolve" else OPERATIONS[name]

    def _send(self, kind: FrameKind, nonce: int, value: Any) -> None:
        self.channel.send(kind, nonce, self._encode(value), time.monotonic() + FOREVER)

    def _encode(self, value: Any) -> bytes:
        try:
            return encode(value, self._to_handle, self.channel.outgoing, self.channel.limits)
        except WireError:  # plain, but beyond a bound: it stays here
            return encode(self._to_handle(value), self._to_handle, self.channel.outgoing, self.channel.limits)

    def _to_handle(self, value: Any) -> Handle | Reverse:
        if type(value) is _ByRef:
            value = value.value
        if type(value) is _Lent:
            return Reverse(object.__getattribute__(value, "_Lent__number"))
        number = next(self.numbers)
        self.objects[number] = value
        return Handle(number, type(value).__name__)

    def _from_handle(self, handle: Handle | Reverse) -> Any:
        if type(handle) is Handle:
            return self.objects[handle.number]
        if handle.number not in self.lent:
            self.lent[handle.number] = _Lent(self, handle.number)
        return self.lent[handle.number]

    def _resolve(self, *names: str) -> dict[str, Any]:
        """Return those of the names that the student's notebook has defined."""
        found = {name: self.namespace[name] for name in names if name in self.namespace}
        try:
            encode(found, self._to_handle, self.channel.outgoing, self.channel.limits)
        except WireError:  # too much for one message: what is not a single value stays here
            return {name: v if type(v) in SINGLE else _ByRef(v) for name, v in found.items()}
        return found


def _described(error: BaseException) -> tuple[list[str], str]:
    """Return the names of an exception's classes, nearest first, and its text."""
    try:
        text = str(error)[:MAX_ERROR_TEXT]
    except BaseException:  # noqa: BLE001 - a student's __str__
        text = ""
    return [cls.__name__[:100] for cls in type(error).__mro__[:20]], text
