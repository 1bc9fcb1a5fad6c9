"""What a snapshot can tell or do about objects of its process, besides using them.

The examiner's requests name the operation; which object, attribute or file is meant stands in the text of a
grade cell. What is answered is the student's process's word, and the examiner marks it as such.
"""

import builtins
import contextlib
import importlib
import inspect
import io
import random
import sys
import types
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

MOST_PRINTED: Final = 1 << 20  # characters that are kept of what is printed
MOST_WARNINGS: Final = 1000
LONGEST_FILE: Final = 16 << 20  # bytes of a file
_NOTHING: Final = object()
# Functions of `inspect` that answer yes or no.
INSPECTED: Final = frozenset(
    {"isabstract", "isasyncgenfunction", "isbuiltin", "isclass", "iscoroutine", "iscoroutinefunction"}
    | {"isdatadescriptor", "isfunction", "isgenerator", "isgeneratorfunction", "ismethod", "ismodule"}
    | {"isroutine"}
)


class Printed(io.StringIO):
    """Keeps what a student's code prints, up to `MOST_PRINTED` characters."""

    def write(self, text: str) -> int:
        """Take a text, or as much of it as there is room for."""
        super().write(text[: max(0, MOST_PRINTED - self.tell())])
        return len(text)

    def taken(self) -> str:
        """Return what was printed since the last time."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


def reached(path: tuple[Any, ...], namespace: Mapping[str, Any]) -> Any:
    """Return the object that a path leads to: a name or an object, then attributes and items."""
    start, *steps = path
    found = namespace[start] if type(start) is str else start
    for kind, key in steps:
        found = getattr(found, key) if kind == "getattr" else found[key]
    return found


def record() -> None:
    """Keep from now on what is printed."""
    sys.stdout, sys.stderr = Printed(), Printed()


def printed() -> tuple[str, str]:
    """Return what was printed since the last time, to stdout and to stderr."""
    streams = sys.stdout, sys.stderr
    out, err = (stream.taken() if type(stream) is Printed else "" for stream in streams)
    return out, err


def catch_warnings() -> None:
    """Keep from now on what is warned of."""
    warnings.simplefilter("always")
    warnings.showwarning = _keep_warning  # type: ignore[assignment]  # it has all arguments, by place


def _keep_warning(message: Any, category: Any, *_: Any) -> None:
    if len(_warned) < MOST_WARNINGS:
        _warned.append(([cls.__name__ for cls in category.__mro__], str(message)[:MOST_PRINTED]))


def warned() -> list[tuple[list[str], str]]:
    """Return what was warned of since the last time."""
    found = [*_warned]
    _warned.clear()
    return found


_warned: list[tuple[list[str], str]] = []


def is_named(x: Any, module: str, name: str, *, is_class: bool = False) -> bool:
    """Whether an object is an instance of a class that is imported here, or a class a subclass of it."""
    found: Any = _class_named(module, name)
    if not isinstance(found, type):
        return False
    return issubclass(x, found) if is_class else isinstance(x, found)


def _class_named(module: str, name: str) -> Any:
    if module == "builtins" and not hasattr(builtins, name):
        return next((cls for cls in vars(types).values() if getattr(cls, "__name__", "") == name), None)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


class SetAttributes:
    """What a grade cell has put in place of attributes of modules and classes, with what was there before."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, str], Any] = {}

    def patch(self, owner: Any, name: str, value: Any, kind: str) -> None:
        """Set an attribute of a module, which may be given by its name, of a class, or of a function.

        A function is wrapped in one, so that a class makes a method of it.
        """
        owner = importlib.import_module(owner) if type(owner) is str else owner
        self._before.setdefault((id(owner), name), vars(owner).get(name, _NOTHING))
        if kind == "function":
            lent = value

            def value(*args: Any, **kwargs: Any) -> Any:
                return lent(*args, **kwargs)

        if kind == "text":
            value = io.StringIO(value)
        setattr(owner, name, value)

    def remove(self, owner: Any, name: str) -> None:
        """Delete an attribute."""
        owner = importlib.import_module(owner) if type(owner) is str else owner
        self._before.setdefault((id(owner), name), vars(owner).get(name, _NOTHING))
        delattr(owner, name)

    def restore(self, owner: Any, name: str) -> None:
        """Put back what was there before the first patch."""
        owner = importlib.import_module(owner) if type(owner) is str else owner
        before = self._before.pop((id(owner), name), _NOTHING)
        if before is not _NOTHING:
            setattr(owner, name, before)
        else:
            with contextlib.suppress(AttributeError):
                delattr(owner, name)


def members(x: Any) -> list[tuple[str, Any]]:
    """Return `inspect.getmembers(x)`."""
    return inspect.getmembers(x)


def asked_of_inspect(question: str, x: Any) -> bool:
    """Return the answer of a function of `inspect`."""
    if question not in INSPECTED:
        raise AttributeError(question)
    return bool(getattr(inspect, question)(x))


def read_file(name: str) -> bytes | None:
    """Return what a file holds, or None if there is none; of a long one so much that it shows."""
    try:
        with Path(name).open("rb") as file:
            return file.read(LONGEST_FILE + 1)
    except OSError:
        return None


def write_file(name: str, content: bytes | None) -> None:
    """Write a file, or delete it."""
    path = Path(name)
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def files(folder: str) -> list[str]:
    """Return the names of the files in a folder."""
    with contextlib.suppress(OSError):
        return sorted(path.name for path in Path(folder).iterdir())
    return []


def called(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[Any, ...]) -> tuple[Any, Any]:
    """Call a function; return its result, and what some of its arguments are afterwards, by their places."""
    result = f(*args, **kwargs)
    return result, [args[place] if type(place) is int else kwargs[place] for place in places]


def _equality(cls: type) -> Any:
    """Return what compares the objects of a class."""
    return next(vars(base)["__eq__"] for base in cls.__mro__ if "__eq__" in vars(base))


def draw_from(name: str, state: Any) -> None:
    """Have a global generator go on from a state."""
    if name == "random":
        random.setstate(state)
    elif name == "torch":
        torch: Any = importlib.import_module(name)
        torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
    else:
        kind, numbers, *rest = state
        np.random.set_state((kind, np.array(numbers, dtype=np.uint32), *rest))  # noqa: NPY002 - cells use it


def throw(error: BaseException) -> NoReturn:
    """Raise an exception."""
    raise error


QUESTIONS: Final[dict[str, Callable[..., Any]]] = {
    "draw from": draw_from,
    "raise": throw,
    "catch warnings": catch_warnings,
    "warned": warned,
    "record": record,
    "printed": printed,
    "type": type,
    "vars": lambda x: dict(vars(x)),
    "text": lambda kind, x: repr(x) if kind == "repr" else str(x),
    "format": format,
    "has default equality": lambda x: vars(object)["__eq__"] is _equality(type(x)),
    "is named": is_named,
    "is subclass named": lambda x, module, name: is_named(x, module, name, is_class=True),
    "is class named": lambda cls, module, name: _class_named(module, name) is cls,
    "is raised as": lambda error, cls: cls in type(error).__mro__,
    "inspect": asked_of_inspect,
    "members": members,
    "read file": read_file,
    "write file": write_file,
    "files": files,
    "called": called,
}


def same(a: Any, b: Any, namespace: Mapping[str, Any]) -> bool:
    """Whether two paths lead to one object."""
    return reached(a, namespace) is reached(b, namespace)


def share_memory(a: Any, b: Any, namespace: Mapping[str, Any]) -> bool:
    """Whether two paths lead to arrays that share memory."""
    return bool(np.shares_memory(reached(a, namespace), reached(b, namespace)))
