"""One exception of each class that Python has, as anything may raise any of them."""

import builtins
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from typing import Final

_MADE_OTHERWISE: Final[Mapping[type[BaseException], Callable[[], BaseException]]] = {
    UnicodeDecodeError: lambda: UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "no UTF-8"),
    UnicodeEncodeError: lambda: UnicodeEncodeError("utf-8", "\udce9", 0, 1, "a surrogate"),
    UnicodeTranslateError: lambda: UnicodeTranslateError("x", 0, 1, "no reason"),
    BaseExceptionGroup: lambda: BaseExceptionGroup("several", [SystemExit()]),
    ExceptionGroup: lambda: ExceptionGroup("several", [ValueError()]),
}
_OF_LIBRARIES: Final = {
    "JSONDecodeError": lambda: json.JSONDecodeError("no JSON", "", 0),
    "BadZipFile": lambda: zipfile.BadZipFile("no zip"),
    "sqlite3.InterfaceError": lambda: sqlite3.InterfaceError("no value"),
}


def each_exception() -> dict[str, BaseException]:
    """Return an exception of every built-in class, and of some others, by name; but for an interrupt."""
    classes = {
        value.__name__: value
        for value in vars(builtins).values()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    made = {name: _MADE_OTHERWISE.get(cls, cls)() for name, cls in classes.items()}
    del made["KeyboardInterrupt"]
    return made | {name: make() for name, make in _OF_LIBRARIES.items()}
