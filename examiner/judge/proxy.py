"""What a grade cell sees of a student's objects: proxies that ask a snapshot of the student's process.

The examiner's own Python runs the cell. A proxy forwards calls, attributes, items, operators, iteration and
`with`. Operations that would let the student's code judge itself (`==`, `<`, truth, hash) raise an
AuthorError, whose text says what to write instead.

So do all but attributes, calls and further operators of a *mixed* result. In `abs(f(x) - want) < 1e-9` the
student's `-` sees `want`, and could give 0.0. Whatever an operator between a student's object and a value of
ours gives therefore stays with the candidate, plain or not, and only what its attributes and methods give is
a value here.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import FunctionType
from typing import Any, Final, Never, NoReturn, Protocol, TypeVar

import numpy as np

from examiner.judge.lent import (
    AuthorError,
    CandidateError,
    done,
    is_finding,
    known_name,
    listed,
    raise_recursion,
)
from examiner.judge.libraries import rebuilt_here
from examiner.judge.lost import CandidateLost
from examiner.judge.raised import class_name, recreated
from examiner.judge.rewriting import VERDICTS
from examiner.verdict import Outcome
from examiner.wire.channel import Channel, ChannelClosed, FrameKind, nonce
from examiner.wire.codec import DTYPES, Handle, Reverse, decode, encode
from examiner.wire.libraries import has_a_shape
from examiner.wire.limits import WireError
from examiner_checks import CheckFailed

MAX_LENGTH: Final = 10_000_000
MAX_LENT: Final = 100_000
MAX_NESTING: Final = 16
_Reading = TypeVar("_Reading")


class RequestTimer(Protocol):
    """Measures what requests to a snapshot take."""

    def request(self, args: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        """Do a request with these arguments."""

    def callback(self, work: Callable[[], Any]) -> Any:
        """Do what the candidate asks of the cell while it serves a request."""


class Remote:
    """The trusted end of the connection to one snapshot, while one cell runs.

    Parameters
    ----------
    channel : Channel
        Connected to the snapshot.
    deadline : float
        When the cell's time is over, in seconds of the monotonic clock.
    patience : float
        Timeout of a single answer, in seconds.

    Attributes
    ----------
    lost : CandidateLost or None
        Set once and for good: a cell that swallowed the exception has not passed.
    refused : AuthorError or None
        The first one, whether or not the cell swallowed it.
    calls : int
        How many requests were sent to the snapshot.
    claims : dict from str to None
        What the cell asked that the candidate alone can answer, in the order in which it did.
    timer : RequestTimer or None
        What tells a cell's clock how long requests take.
    before, after : list of callable
        What is done before each request, with its arguments, and after it.
    """

    def __init__(self, channel: Channel, deadline: float, patience: float = math.inf) -> None:
        self.channel, self.deadline, self._patience = channel, deadline, patience
        self.lost: CandidateLost | None = None
        self.refused: AuthorError | None = None
        self.calls = 0
        self.claims: dict[str, None] = {}
        self.timer: RequestTimer | None = None
        self.before: list[Callable[[tuple[Any, ...]], None]] = []
        self.after: list[Callable[[], None]] = []
        self._lent: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._dropped: list[int] = []
        self._nesting = 0
        self._answers_questions = True

    def ask(self, operation: str, *args: Any, by_ref: bool = False) -> Any:
        """Have the snapshot do an operation, and serve its callbacks meanwhile.

        Returns
        -------
        object
            Plain data as it is, a `Proxy` of anything else; with `by_ref`, a `Proxy` of everything.

        Raises
        ------
        Exception
            What the student's code raised, in a class of the fixed list, or as `CandidateError`.
        CandidateLost
            If there is no answer, none in time, or an invalid one.
        """
        for prepare in self.before:
            prepare(args)
        try:
            if self.timer is None:
                return self._ask(operation, args, by_ref=by_ref)
            return self.timer.request(args, lambda: self._ask(operation, args, by_ref=by_ref))
        finally:
            for finish in self.after:
                finish()

    def claim(self, claim: str, cls: Any, operation: str, *args: Any) -> Any:
        """Return the answer to a question that the candidate alone can answer, of this class; and note it."""
        self.claims[claim] = None
        return self.told(cls, operation, *args)

    def told(self, cls: Any, operation: str, *args: Any) -> Any:
        """Return an answer of this class."""
        return self._of_class(cls, self.ask(operation, *args))

    def aside(self, cls: Any, operation: str, *args: Any) -> Any:
        """Return an answer of this class to what is asked before or after each request."""
        return self._of_class(cls, self._ask(operation, args, by_ref=False))

    def _of_class(self, cls: Any, answer: Any) -> Any:
        if not isinstance(answer, cls):
            self.lose(Outcome.TAMPERED, "the candidate sent an invalid answer about one of its objects")
        return answer

    def _ask(self, operation: str, args: tuple[Any, ...], *, by_ref: bool) -> Any:
        if self.lost:
            raise CandidateLost(self.lost.outcome, self.lost.fact)
        number, self.calls = nonce(), self.calls + 1
        dropped, self._dropped = self._dropped, []
        until = self._until()
        self._send(FrameKind.REQUEST, number, (operation, by_ref, args, dropped), until)
        failure: Exception | None = None  # what our own code raised in a callback
        while True:
            kind, value = self._receive(number, until)
            if kind == FrameKind.CALLBACK:
                if not self._answers_questions:
                    self.lose(
                        Outcome.TAMPERED, "the candidate called back into the test while it was measured"
                    )
                raised = self._serve(number, value, until)
                if raised and not (failure and is_finding(failure)):  # the first finding stands
                    failure = raised
            elif kind == FrameKind.VALUE:
                if failure and is_finding(failure):
                    raise failure  # a student's `except` does not swallow what a test has found
                return value
            elif kind == FrameKind.RAISED:
                raise self._raised(value, failure)
            else:
                self.lose(Outcome.TAMPERED, "the candidate sent an answer of an unknown kind")

    def ask_mixed(self, operation: str, *args: Any) -> Any:
        """Have the snapshot do an operation of which the result stays with it, plain or not."""
        got = self.ask(operation, *args, by_ref=True)
        if type(got) is Proxy:
            _set_mixed(got, True)
            return got
        if id(got) not in self._numbers:  # it may be an object of ours that was lent
            self.lose(Outcome.TAMPERED, "the candidate sent a value that was to stay with it")
        return got

    @contextlib.contextmanager
    def without_questions(self) -> Iterator[None]:
        """Refuse callbacks in the block: their work would not count while the snapshot is measured."""
        self._answers_questions = False
        try:
            yield
        finally:
            self._answers_questions = True

    def read(self, reading: Callable[[], _Reading]) -> _Reading:
        """Return what instruments read of the process; if that is lost, the connection is."""
        try:
            return reading()
        except CandidateLost as lost:
            self.lose(lost.outcome, lost.fact)

    def lose(self, outcome: Outcome, fact: str) -> NoReturn:
        """Raise CandidateLost, for this request and every later one."""
        self.lost = self.lost or CandidateLost(outcome, fact)
        raise CandidateLost(outcome, fact)

    def refuse(self, text: str) -> NoReturn:
        """Raise AuthorError, and remember it in case the cell swallows it."""
        error = AuthorError(text)
        self.refused = self.refused or error
        raise error

    def drop(self, number: int) -> None:
        """Release an object of the candidate's; the next request tells the candidate."""
        self._dropped.append(number)

    def _until(self) -> float:
        return min(self.deadline, time.monotonic() + self._patience)

    def _send(self, kind: FrameKind, number: int, value: Any, until: float) -> None:
        try:
            payload = encode(value, self._to_handle, self.channel.outgoing, self.channel.limits)
        except WireError as error:
            self.refuse(f"this cannot be given to a student's code: {error}; pass less at a time")
        try:
            self.channel.send(kind, number, payload, until)
        except TimeoutError as error:
            self.lose(Outcome.TIMEOUT, str(error))
        except ChannelClosed as error:
            self.lose(Outcome.CRASHED, str(error))

    def _receive(self, number: int, until: float) -> tuple[int, Any]:
        try:
            frame = self.channel.receive(until)
        except TimeoutError as error:
            self.lose(Outcome.TIMEOUT, str(error))
        except ChannelClosed as error:
            self.lose(Outcome.CRASHED, str(error))
        except WireError as error:
            self.lose(Outcome.TAMPERED, str(error))
        if frame.nonce != number:
            self.lose(Outcome.TAMPERED, "the candidate sent an answer to another request")
        try:
            block, limits = self.channel.incoming, self.channel.limits
            return frame.kind, decode(frame.payload, self._from_handle, block, limits, to_value=rebuilt_here)
        except WireError as error:
            self.lose(Outcome.TAMPERED, str(error))

    def _serve(self, number: int, question: Any, until: float) -> Exception | None:
        """Serve a callback of the candidate to one of our objects; return what that raised."""
        match question:
            case (int(index), str(operation), tuple(args), dict(kwargs)) if 0 <= index < len(self._lent):
                pass
            case _:
                self.lose(Outcome.TAMPERED, "the candidate sent an invalid callback")
        self._nesting += 1
        try:
            too_deep = self._nesting > MAX_NESTING
            lent = raise_recursion if too_deep else self._lent[index]
            work = partial(done, lent, operation, args, kwargs)
            self._send(FrameKind.RESULT, number, self.timer.callback(work) if self.timer else work(), until)
        except Exception as error:  # noqa: BLE001 - it is raised in the student's code, which called ours
            # Of a failed call only the class is sent: the text may quote a hidden test.
            text = str(error) if operation == "getattr" else "raised by the test"
            self._send(FrameKind.FAILED, number, (known_name(type(error)), text), until)
            return error
        finally:
            self._nesting -= 1
        return None

    def _raised(self, described: Any, failure: Exception | None) -> Exception:
        """Return the exception that the candidate described: our own, if a callback raised it."""
        match described:
            case ([*names], str(text), tuple(args), None | Proxy() as raised) if _are_names(names):
                pass
            case _:
                self.lose(Outcome.TAMPERED, "the candidate sent an invalid exception")
        if failure and (is_finding(failure) or names[0] == known_name(type(failure))):
            return failure
        return recreated(names, text, args, raised)

    def _to_handle(self, value: Any) -> Handle | Reverse:
        if type(value) is ArrayHandle:
            value = _proxy(value)
        if type(value) is Proxy:
            if _remote(value) is not self:
                self.refuse(
                    "a student's object can be used only in the cell that got it: make a new one there"
                )
            return Handle(_handle(value).number, "")
        if listed(value) is None and (not callable(value) or isinstance(value, type)):
            self.refuse(
                f"a {type(value).__name__} cannot be given to a student's code: pass arrays, numbers, text, "
                "functions, NumpyOnly, Spy, or an object whose class lists what may be read of it, as "
                "`lent_attributes = ('name', …)`"
            )
        if id(value) not in self._numbers:
            if len(self._lent) >= MAX_LENT:
                self.lose(Outcome.TAMPERED, "the candidate asked for more of our objects than any cell has")
            self._numbers[id(value)] = len(self._lent)
            self._lent.append(value)  # while it is kept, no other object gets its id
        return Reverse(self._numbers[id(value)])

    def _from_handle(self, handle: Handle | Reverse) -> Any:
        if type(handle) is Handle:
            return Proxy(self, handle)
        if handle.number >= len(self._lent):
            raise WireError("a handle that was never given out")
        return self._lent[handle.number]


def _refuse(what: str, instead: str) -> Callable[..., Any]:
    def refused(self: "Proxy", *_: Any) -> Never:
        name = _handle(self).type_name
        _remote(self).refuse(f"{what} of a student's {name} would be the student's own verdict: {instead}")

    return refused


def _refuse_mixed(proxy: "Proxy", what: str) -> None:
    """Refuse an operation of a mixed result whose outcome could be a plain value."""
    if _is_mixed(proxy):
        _remote(proxy).refuse(
            f"{what} of what an operator between a student's object and a value of the test gave would be "
            "the student's own verdict: take the value first, as `float(f(x))`, `f(x).item()` or "
            "`f(x).numpy()`, and calculate with that"
        )


class Proxy:
    """A student's object, seen from the examiner."""

    __slots__ = ("__handle", "__mixed", "__remote")

    def __init__(self, remote: Remote, handle: Handle) -> None:
        object.__setattr__(self, "_Proxy__remote", remote)
        object.__setattr__(self, "_Proxy__handle", handle)
        object.__setattr__(self, "_Proxy__mixed", False)

    def __del__(self) -> None:
        _remote(self).drop(_handle(self).number)

    def __repr__(self) -> str:
        return f"<the student's {_handle(self).type_name}>"

    def __getattr__(self, name: str) -> Any:
        # NumPy, copy and import look for protocols by such names. `__array_interface__` would be an address
        # in another process, and with a `__name__`, `from … import` would search the examiner's own modules.
        if name == "dtype" and (known := class_of(self)) in _DTYPE_CLASSES:
            return np.dtype(known)  # so that NumPy takes the proxy of a scalar type where it takes a dtype
        if _is_special(name) and name != "__array__":
            raise AttributeError(f"{name} is not asked of a student's {_handle(self).type_name}")
        _refuse_mixed(self, f"`.{name}`, read by a library,")  # a cell's own text reads it by `attribute`
        return _remote(self).ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_patched(self):
            _remote(self).ask("patch", self, name, value, kind_of(value))
        else:
            _remote(self).ask("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        _remote(self).ask("remove" if _is_patched(self) else "delattr", self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the student's function, or make an instance of the student's class."""
        return _remote(self).ask("call", self, args, kwargs)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Do `array + x`, which NumPy asks for by its ufunc; refuse all others."""
        if ufunc not in _OPERATORS_OF_UFUNCS or method != "__call__" or options:
            _remote(self).refuse(
                f"np.{ufunc.__name__} of a student's {_handle(self).type_name} would be the student's "
                "own verdict: take the array first, as `f(x).numpy()` or `np.asarray(f(x))`"
            )
        return _asking(inputs)("binary", _OPERATORS_OF_UFUNCS[ufunc], *inputs)

    def __getitem__(self, key: Any) -> Any:
        return _asking([self])("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _remote(self).ask("setitem", self, key, value)

    def __delitem__(self, key: Any) -> None:
        _remote(self).ask("delitem", self, key)

    def __iter__(self) -> Iterator[Any]:
        _refuse_mixed(self, "the items")
        iterator = _remote(self).ask("iter", self)
        if type(iterator) is not Proxy:
            _remote(self).lose(Outcome.TAMPERED, "the candidate sent an invalid iterator")
        return _items(iterator)

    def __next__(self) -> Any:
        _refuse_mixed(self, "the next item")
        if batch := _next(self):
            return batch[0]
        raise StopIteration

    def __len__(self) -> int:
        _refuse_mixed(self, "the length")
        length = _remote(self).ask("len", self)
        if type(length) is not int or length < 0:
            _remote(self).lose(Outcome.TAMPERED, "the candidate sent an invalid length")
        if length > MAX_LENGTH:
            raise CandidateError(f"a length of {length}: more than {MAX_LENGTH} cannot be examined")
        return length

    def __enter__(self) -> Any:
        return _asking([self])("enter", self)

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not isinstance(error, Exception):
            return
        swallows = _remote(self).ask("exit", self, None if error is None else known_name(type(error)))
        if error is not None and swallows is True and not is_finding(error):
            # The rest of the block did not run: without this error, its checks would count as passed.
            raise CheckFailed(f"a student's `with` swallowed a {class_name(error)}") from error

    def __reduce_ex__(self, _protocol: object) -> Never:
        _remote(self).refuse(
            f"a student's {_handle(self).type_name} cannot be copied from here: make a new one"
        )

    def __mro_entries__(self, _bases: object) -> Never:
        _remote(self).refuse("a grade cell cannot subclass a student's class: call what the class itself has")

    def __eq__(self, other: object) -> bool:
        """Compare classes, and identities; refuse what a student's `__eq__` would decide."""
        return self._is_equal(other, "==")

    def __ne__(self, other: object) -> bool:
        """Compare classes, and identities; refuse what a student's `__eq__` would decide."""
        return not self._is_equal(other, "!=")

    def _is_equal(self, other: object, operator: str) -> bool:
        if class_of(self) and isinstance(class_of(other), type):
            return class_of(self) is class_of(other)
        if other is None and not _is_mixed(self):
            return False  # no object is None, whatever its `__eq__` says
        if type(other) is Proxy and not (_is_mixed(self) or _is_mixed(other)):
            if _remote(self).claim("identity", bool, "is", self, other):
                return True
            if all(_remote(self).told(bool, "has default equality", x) for x in (self, other)):
                return False
        elif isinstance(other, type) and is_class(self):
            is_it: bool = _remote(self).claim("class", bool, "is class named", self, *named(other))
            return is_it
        return self._refuse_to_compare(operator)

    def __hash__(self) -> int:
        """Return the hash of a known class; refuse that of any other object."""
        known = class_of(self)
        return hash(known) if known else self._refuse_to_hash()

    def _refuse_to_compare(self, operator: str) -> NoReturn:
        instead = "compare values, check_array(x.numpy(), …) or check_equal(x.shape, …), `x is None`"
        raise _refuse(operator, instead)(self)

    __lt__ = __le__ = __gt__ = __ge__ = _refuse("the order", "compare values, x.numpy()")
    __bool__ = _refuse("the truth", "compare values, check_equal(x.requires_grad, True), `x is not None`")
    _refuse_to_hash = _refuse("the hash", "keep students' objects in lists, not in sets or as keys")
    _refuse_verdict = _refuse("a comparison", "compare values, which the test takes first")
    __contains__ = _refuse("`in`", "compare values, check_equal([p.shape for p in module.parameters()], …)")


def _asking(operands: Iterable[Any]) -> Callable[..., Any]:
    """Return how an operator is asked for: its result is mixed if one of the operands is, or is ours.

    A student's subclass of a library's class could give zeros for the difference to any value of the library.
    """
    [theirs, *_] = [operand for operand in operands if type(operand) is Proxy]
    if any(map(has_a_shape, operands)):
        raise CheckFailed(f"got {theirs!r}, whose own operator would be the student's own verdict")
    remote = _remote(theirs)
    is_pure = all(type(operand) is Proxy and not _is_mixed(operand) for operand in operands)
    return remote.ask if is_pure else remote.ask_mixed


def _binary(name: str, *, is_reflected: bool = False) -> Callable[..., Any]:
    def forward(self: Proxy, *others: Any) -> Any:
        operands = (*others, self) if is_reflected else (self, *others)
        return _asking(operands)("binary", name, *operands)

    return forward


def _unary(name: str) -> Callable[..., Any]:
    return lambda self: _asking([self])("unary", name, self)


def _conversion(name: str) -> Callable[..., Any]:
    def convert(self: Proxy, *digits: Any) -> Any:
        _refuse_mixed(self, f"{name}(…)")
        return _remote(self).ask("unary", name, self, *digits)

    return convert


_BINARY: Final = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul"),
    *("lshift", "rshift", "and", "or", "xor"),
)
_UNARY: Final = ("neg", "pos", "abs", "invert")
_CONVERSIONS: Final = ("int", "float", "complex", "index", "round", "trunc", "floor", "ceil")
for _name in _BINARY:
    setattr(Proxy, f"__{_name}__", _binary(_name))
    setattr(Proxy, f"__r{_name}__", _binary(_name, is_reflected=True))
    if _name != "divmod":
        setattr(Proxy, f"__i{_name}__", _binary(f"i{_name}"))
for _name in _UNARY:
    setattr(Proxy, f"__{_name}__", _unary(_name))
for _name in _CONVERSIONS:
    setattr(Proxy, f"__{_name}__", _conversion(_name))
del _name
_OPERATORS_OF_UFUNCS: Final = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.true_divide: "truediv",
    np.floor_divide: "floordiv",
    np.remainder: "mod",
    np.divmod: "divmod",
    np.power: "pow",
    np.matmul: "matmul",
    np.left_shift: "lshift",
    np.right_shift: "rshift",
    np.bitwise_and: "and",
    np.bitwise_or: "or",
    np.bitwise_xor: "xor",
}

# These read the slots directly, since any attribute of a proxy is the student's.
_remote: Callable[[Proxy], Remote] = Proxy.__dict__["_Proxy__remote"].__get__
_handle: Callable[[Proxy], Handle] = Proxy.__dict__["_Proxy__handle"].__get__
_is_mixed: Callable[[Proxy], bool] = Proxy.__dict__["_Proxy__mixed"].__get__
_set_mixed: Callable[[Proxy, bool], None] = Proxy.__dict__["_Proxy__mixed"].__set__
_CLASSES: Final = frozenset({"type", "ABCMeta", "EnumType"})
_DTYPE_CLASSES: Final = frozenset(dtype.type for dtype in DTYPES)


def class_of(x: Any) -> Any:
    """Return the class that a proxy stands for, None for any other proxy, and what is no proxy unchanged."""
    if type(x) is not Proxy:
        return x
    return None if _is_mixed(x) else _handle(x).cls


def attribute(x: Any, name: str) -> Any:
    """Return the attribute of any object that a cell's own text asks for, of a mixed result, too."""
    if type(x) is not Proxy or not (_is_mixed(x) or _is_special(name)):
        return getattr(x, name)
    if name in VERDICTS:
        Proxy.__dict__["_refuse_verdict"](x)
    if _is_special(name) and name != "__array__":
        _remote(x).claims[name] = None
    return _remote(x).ask("getattr", x, name)


def text_of(x: Any, kind: str, *more: Any) -> str:
    """Return a student's object as `str`, `repr` or `format` gives it."""
    _refuse_mixed(x, f"{kind}(…)")
    found = _remote(x).ask("format", x, *more) if kind == "format" else _remote(x).ask("text", kind, x)
    if type(found) is not str:
        _remote(x).lose(Outcome.TAMPERED, "the candidate sent an invalid text")
    return found


def is_class(x: Proxy) -> bool:
    """Whether the candidate says that an object is a class."""
    return _handle(x).type_name in _CLASSES


def is_mixed(x: Any) -> bool:
    """Whether an object is what an operator between a student's object and a value of the test gave."""
    return type(x) is Proxy and _is_mixed(x)


def named(cls: type) -> tuple[str, str]:
    """Return the module and the name by which the candidate finds a class."""
    return cls.__module__, cls.__qualname__


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _are_names(names: list[Any]) -> bool:
    return bool(names) and all(type(name) is str for name in names)


def _next(iterator: Proxy) -> list[Any]:
    """Return the next item of a student's iterator in a list, or an empty one."""
    batch = _remote(iterator).ask("next", iterator)
    if type(batch) is not list or len(batch) > 1:
        _remote(iterator).lose(Outcome.TAMPERED, "the candidate sent an invalid iterator")
    return batch


def _items(iterator: Proxy) -> Iterator[Any]:
    while batch := _next(iterator):
        yield batch[0]


def _is_patched(proxy: Proxy) -> bool:
    """Whether setting an attribute is a patch, which a class may make a method of."""
    return _handle(proxy).type_name in {"module", "type", "ABCMeta", "EnumType", "function", "method"}


def kind_of(value: Any) -> str:
    """Return what a patch is made of: a function, which a class makes a method of, or any value."""
    return "function" if isinstance(value, FunctionType) else "value"


class ArrayHandle:
    """A handle to an array of the candidate's: it is passed on, assigned to by items, and read by `value`."""

    __slots__ = ("__proxy",)
    __array_ufunc__ = None

    def __init__(self, proxy: Proxy) -> None:
        self.__proxy = proxy

    def __setitem__(self, key: Any, value: Any) -> None:
        _remote(self.__proxy).ask("setitem", self, key, value)

    def __getattr__(self, name: str) -> Never:
        _remote(self.__proxy).refuse(f"`.{name}` of a handle: take value(handle), and ask that")


def _refuse_handle(self: ArrayHandle, *_: object) -> Never:
    _remote(_proxy(self)).refuse(
        "a handle is passed on, written to (`handle[i] = v`) and read by value(handle)"
    )


for _name in (
    "getitem",
    "iter",
    "len",
    "bool",
    "hash",
    "eq",
    "add",
    "sub",
    "mul",
    "truediv",
    "iadd",
    "isub",
    "imul",
):
    setattr(ArrayHandle, f"__{_name}__", _refuse_handle)
del _name
_proxy: Callable[[ArrayHandle], Proxy] = ArrayHandle.__dict__["_ArrayHandle__proxy"].__get__


def read(handle: ArrayHandle) -> "np.ndarray[Any, Any]":
    """Return a copy of what the candidate's array holds now.

    Raises
    ------
    CheckFailed
        If it is not exactly a `numpy.ndarray` of plain numbers.
    """
    got = _remote(_proxy(handle)).ask("value", handle)
    if type(got) is not np.ndarray:
        raise CheckFailed(f"got a {_name_of(got)}, expected a numpy.ndarray")
    return got


def by_ref(remote: Remote, operation: str, *args: Any) -> ArrayHandle:
    """Return a handle to the array that an operation returns; CheckFailed if it returns something else."""
    got = remote.ask(operation, *args, by_ref=True)
    if type(got) is not Proxy or _handle(got).type_name != "ndarray":
        raise CheckFailed(f"got a {_name_of(got)}, expected a numpy.ndarray")
    return ArrayHandle(got)


def _name_of(got: Any) -> str:
    return _handle(got).type_name if type(got) is Proxy else type(got).__name__
