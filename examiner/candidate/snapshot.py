"""The candidate's end of the wire: a snapshot of the student's process carries out the examiner's requests.

It runs behind the walls, beside the student's code, and its answers are not trusted. Plain data is returned
by value; any other object stays here and is returned as a numbered handle.
"""

import builtins
import contextlib
import ctypes
import importlib
import inspect
import io
import itertools
import math
import operator
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final, NamedTuple

from examiner.candidate.asked import QUESTIONS, SetAttributes, reached, same, share_memory
from examiner.candidate.work import FOREVER
from examiner.wire.channel import Channel, FrameKind
from examiner.wire.codec import TYPE_CODES, Handle, Reverse, decode, encode
from examiner.wire.libraries import rebuilt
from examiner.wire.limits import MAX_ERROR_TEXT, MessageLimits, WireError
from examiner.wire.standard import is_namedtuple, signature_of

SERVED: Final = MessageLimits(total=sys.maxsize)  # the examiner limits the whole conversation
SINGLE: Final = frozenset({type(None), bool, int, float, complex})

BINARY: Final = {
    **{name: getattr(operator, f"{name}_") for name in ("and", "or")},
    **{
        name: getattr(operator, name)
        for plain in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift")
        for name in (plain, f"i{plain}")
    },
    **{name: getattr(operator, name) for name in ("xor", "iand", "ior", "ixor")},
    "divmod": divmod,
}
UNARY: Final = {
    **{name: getattr(operator, name) for name in ("neg", "pos", "abs", "invert", "index")},
    **{function.__name__: function for function in (int, float, complex, round)},
    **{function.__name__: function for function in (math.trunc, math.floor, math.ceil)},
}


MAX_ERROR: Final = 64 << 10  # bytes of an exception with its arguments

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE: Final = 64 << 10  # bytes
_LARGEST: Final = 32 << 20  # bytes; glibc takes no higher threshold
_LIBC: Final = ctypes.CDLL(None) if hasattr(ctypes.CDLL(None), "malloc_trim") else None


class _Lent:
    """A stand-in for an object of the examiner; attributes and calls are forwarded to it."""

    __slots__ = ("__number", "__snapshot")

    def __init__(self, snapshot: "Snapshot", number: int) -> None:
        self.__snapshot, self.__number = snapshot, number

    def __getattr__(self, name: str) -> Any:
        return self.__snapshot.ask(self.__number, "getattr", (name,), {})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__snapshot.ask(self.__number, "call", args, kwargs)


class _ByRef:
    """A value that is returned as a handle although it is plain."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Nowhere(io.TextIOBase):
    """A stream that discards what a student's code prints while it is examined."""

    def write(self, text: str) -> int:
        return len(text)


NOWHERE: Final = _Nowhere()


def give_back() -> None:
    """Make malloc return large freed blocks to the system at once.

    Otherwise glibc keeps them for reuse, and the memory that a call needs cannot be seen from outside.
    """
    if _LIBC is not None:
        _LIBC.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        _LIBC.mallopt(_M_TRIM_THRESHOLD, _LARGE)
        _LIBC.malloc_trim(0)


def keep_freed() -> None:
    """Make malloc keep freed blocks for reuse, except the largest.

    Otherwise the same call may be a third slower in one process than in another: depending on what lies at
    the end of the heap, it is returned to the system after each call, and each of its pages is faulted in
    again.
    """
    if _LIBC is not None:
        _LIBC.mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        _LIBC.mallopt(_M_TRIM_THRESHOLD, _LARGEST)


def _exit(manager: Any, name: str | None) -> bool:
    """Call `__exit__` for a `with` block of the examiner; `name` is the exception's class, or None."""
    error = None if name is None else getattr(builtins, name)()
    return bool(type(manager).__exit__(manager, None if error is None else type(error), error, None))


def _signature(function: Any) -> list[tuple[Any, ...]]:
    """Return each parameter of a function: its name, its kind, and its default and annotation in lists."""
    return [
        (p.name, int(p.kind), *([] if kept is p.empty else [kept] for kept in (p.default, p.annotation)))
        for p in inspect.signature(function).parameters.values()
    ]


# The operations of requests. Like everything that can be, they are made before the fork of a snapshot.
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
    "is": operator.is_,
    "dir": dir,
    "signature": _signature,
    "source": inspect.getsource,
    "len": len,
    "iter": lambda a: _ByRef(iter(a)),
    "next": lambda a: list(itertools.islice(a, 1)),
    "enter": lambda a: type(a).__enter__(a),
    "exit": _exit,
    "value": lambda a: a,
    **QUESTIONS,
    "map": lambda f, calls: [f(*args) for args in calls],
    "carry": lambda _there, back: back,
    "give back": give_back,
    "keep freed": keep_freed,
}


class Snapshot:
    """Answers the requests of one grade cell until the examiner closes the channel.

    Parameters
    ----------
    channel : Channel
        The connection to the examiner.
    namespace : dict
        The namespace in which the student's notebook has run.
    """

    def __init__(self, channel: Channel, namespace: MutableMapping[str, Any]) -> None:
        self.channel, self.namespace = channel, namespace
        channel.limits = SERVED
        self.objects: dict[int, Any] = {}
        self.numbers = itertools.count(1)
        self.lent: dict[int, _Lent] = {}
        self.nonce = 0
        self.patches = SetAttributes()

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
        """Return what an object of the examiner answers, while a request of the examiner is being served."""
        nonce = self.nonce
        question = (number, operation, args, kwargs)
        self._send(FrameKind.CALLBACK, nonce, question)
        while (frame := self.channel.receive(time.monotonic() + FOREVER)).kind == FrameKind.REQUEST:
            self._answer(frame.nonce, frame.payload)  # the examiner sends a request before it answers
            self.nonce = nonce
        value = self._decode(frame.payload)
        if frame.kind == FrameKind.FAILED:
            name, text = value
            raise getattr(builtins, name)(text)
        return value

    def _answer(self, nonce: int, payload: bytes) -> None:
        self.nonce = nonce
        try:
            operation, by_ref, args, dropped = self._decode(payload)
            for number in dropped:
                self.objects.pop(number, None)
            value = self._operation(operation)(*args)
            kind, reply = FrameKind.VALUE, self._encode(_ByRef(value) if by_ref else value)
        except BaseException as error:  # noqa: BLE001 - what student code raises is an answer, even SystemExit
            kind, reply = FrameKind.RAISED, self._raised(error)
        self.channel.send(kind, nonce, reply, time.monotonic() + FOREVER)

    def _operation(self, name: str) -> Callable[..., Any]:
        own: dict[str, Callable[..., Any]] = {
            "resolve": self._resolve,
            "eval": self._eval,
            "exec": self._exec,
            "bind": self.namespace.update,
            "define": self._define,
            "unbind": self._unbind,
            "names": lambda: [name for name in self.namespace if type(name) is str],
            "same": lambda a, b: same(a, b, self.namespace),
            "share memory": lambda a, b: share_memory(a, b, self.namespace),
            "address": lambda path: id(reached(path, self.namespace)),
            "patch": self.patches.patch,
            "remove": self.patches.remove,
            "restore": self.patches.restore,
        }
        return own[name] if name in own else OPERATIONS[name]

    def _send(self, kind: FrameKind, nonce: int, value: Any) -> None:
        self.channel.send(kind, nonce, self._encode(value), time.monotonic() + FOREVER)

    def _decode(self, payload: bytes) -> Any:
        channel = self.channel
        return decode(
            payload,
            self._from_handle,
            channel.incoming,
            channel.limits,
            to_record=self._to_record,
            to_value=rebuilt,
            takes_classes=True,
        )

    def _encode(self, value: Any) -> bytes:
        try:
            return self._encoded(value)
        except WireError:  # the value is plain but exceeds a limit, so it is returned as a handle
            return self._encoded(self._to_handle(value))

    def _encoded(self, value: Any) -> bytes:
        channel = self.channel
        return encode(value, self._to_handle, channel.outgoing, channel.limits, keeps_classes=True)

    def _to_handle(self, value: Any) -> Handle | Reverse:
        if type(value) is _ByRef:
            value = value.value
        if type(value) is _Lent:
            return Reverse(object.__getattribute__(value, "_Lent__number"))
        number = next(self.numbers)
        self.objects[number] = value
        cls = value if type(value) is type and value in TYPE_CODES else None
        return Handle(number, type(value).__name__, cls)

    def _from_handle(self, handle: Handle | Reverse) -> Any:
        if type(handle) is Handle:
            return self.objects[handle.number]
        if handle.number not in self.lent:
            self.lent[handle.number] = _Lent(self, handle.number)
        return self.lent[handle.number]

    def _to_record(self, name: str, fields: tuple[str, ...], items: list[Any]) -> Any:
        """Return a namedtuple of the notebook's class of that name, or of a new one."""
        found = self.namespace.get(name)
        is_known = isinstance(found, type) and is_namedtuple(found) and signature_of(found) == (name, fields)
        cls: Any = found if is_known else NamedTuple(name, [(field, Any) for field in fields])
        return tuple.__new__(cls, items)

    def _resolve(self, *names: str) -> dict[str, Any]:
        """Return the values of those names that the student's notebook has defined."""
        found = {name: self.namespace[name] for name in names if name in self.namespace}
        try:
            self._encoded(found)
        except WireError:  # too much for one message: only single values are returned by value
            return {name: v if type(v) in SINGLE else _ByRef(v) for name, v in found.items()}
        return found

    def _unbind(self, *names: str) -> None:
        """Delete names, where the student's notebook has them."""
        for name in names:
            self.namespace.pop(name, None)

    def _raised(self, error: BaseException) -> bytes:
        """Return an exception encoded: names and text, its arguments if they are short, and itself."""
        names, text = _described(error)
        with contextlib.suppress(BaseException):
            found = self._encoded((names, text, _arguments(error), _ByRef(error.with_traceback(None))))
            if len(found) <= MAX_ERROR:
                return found
        return self._encoded((names, text, (), None))

    def _eval(self, source: str) -> Any:
        """Evaluate a text among the student's names, behind the student's walls."""
        return eval(source, dict(self.namespace))  # noqa: S307 - as above

    def _exec(self, source: str) -> None:
        """Run a text among the student's names, behind the student's walls."""
        exec(source, dict(self.namespace))  # noqa: S102 - as above

    def _define(self, source: str) -> None:
        """Run a visible statement of a grade cell, which imports or defines something."""
        exec(source, self.namespace)  # type: ignore[arg-type]  # noqa: S102 - as above


def _arguments(error: BaseException) -> tuple[Any, ...]:
    """Return the arguments that give an exception again: `args` leaves out the file of an `OSError`."""
    if isinstance(error, OSError) and error.filename is not None:
        return error.errno, error.strerror, error.filename
    return tuple(error.args)


def _described(error: BaseException) -> tuple[list[str], str]:
    """Return the names of an exception's classes, nearest first, and its text."""
    try:
        text = str(error)[:MAX_ERROR_TEXT]
    except BaseException:  # noqa: BLE001 - a student's __str__
        text = ""
    return [cls.__name__[:100] for cls in type(error).__mro__[:20]], text
