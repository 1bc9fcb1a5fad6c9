"""What a student's bytes may not become here: code, by a pickle, a script or a library.

A grade cell may read a student's file or get bytes from a student's function. `pickle.load`, `np.load`,
`runpy.run_path` or `ctypes.CDLL` would then run in the judge whatever the student has put there. Python tells
of all of them by audit events, before anything is run.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any, Final

from examiner.judge.files import CellFiles
from examiner.judge.proxy import Remote

# What an unpickled value may be made of: arrays and plain data. None of these runs what it is given.
_ARRAYS: Final = {
    *(("numpy", name) for name in ("ndarray", "dtype")),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}
_PLAIN: Final = {
    *(("builtins", name) for name in ("bytearray", "complex", "frozenset", "list", "dict", "set", "tuple")),
    *(("collections", name) for name in ("Counter", "OrderedDict", "defaultdict", "deque")),
    *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
    *(("decimal", "Decimal"), ("fractions", "Fraction"), ("_codecs", "encode")),
}
UNPICKLED: Final = frozenset(_ARRAYS | _PLAIN)
_RUNS: Final = {"exec": "a script", "ctypes.dlopen": "a library"}
_INSTEAD: Final = "call the student's function that reads it, and compare what that returns"


class ForeignCode:
    """Refuses, while a cell runs, what would run a student's bytes.

    Parameters
    ----------
    remote : Remote
        The connection to the snapshot.
    files : CellFiles
        The files that the cell shares with the snapshot: a pickle is the instructor's if no file of the
        student's was read, and the cell names one of the instructor's.
    """

    def __init__(self, remote: Remote, files: CellFiles) -> None:
        self._remote, self._files = remote, files

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Refuse it in the block."""
        if not _noticing:
            _noticing.append(True)
            sys.addaudithook(_noticed)  # it cannot be taken back
        _guards.append(self)
        try:
            yield
        finally:
            _guards.remove(self)

    def noticed(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse to unpickle anything but plain data, and to run a student's file."""
        if event == "pickle.find_class":
            if args[:2] not in UNPICKLED and (self._files.fetched or not self._files.names_own):
                name = ".".join(map(str, args[:2]))
                self._remote.refuse(
                    f"a pickle that may be a student's needs {name}, which could be code: {_INSTEAD}"
                )
        elif event in _RUNS and _file(args[0]) in self._files.fetched:
            self._remote.refuse(
                f"{_file(args[0])} is a student's, and {_RUNS[event]} would run here: {_INSTEAD}"
            )


def _file(run: Any) -> str:
    """Return the name of the file of code, or of a library, relative to the working folder."""
    return os.path.relpath(run.co_filename if isinstance(run, CodeType) else str(run))


_guards: list[ForeignCode] = []
_noticing: list[bool] = []
_EVENTS: Final = frozenset({"pickle.find_class", *_RUNS})


def _noticed(event: str, args: tuple[Any, ...]) -> None:
    if event in _EVENTS and _guards:
        _guards[-1].noticed(event, args)
