"""What a student's bytes may not become here: code, by a pickle, a script or a library.

A grade cell may read a student's file or get bytes from a student's function. `pickle.load`, `np.load`,
`runpy.run_path` or `ctypes.CDLL` would then run in the judge whatever the student has put there. Python tells
of all of them by audit events, before anything is run.
"""

import os
import sys
from contextlib import AbstractContextManager
from types import CodeType
from typing import Any, Final

from examiner.judge.files import CellFiles
from examiner.judge.libraries import LOADED
from examiner.judge.noticing import noticed
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
_RUNS: Final = {"exec": "a script", "ctypes.dlopen": "a library", LOADED: "what it holds"}
_UNPICKLES: Final = "pickle.find_class"
_EVENTS: Final = frozenset({_UNPICKLES, *_RUNS})
_INSTEAD: Final = "call the student's function that reads it, and compare what that returns"


class ForeignCode:
    """Refuses, while a cell runs, what would run a student's bytes.

    Parameters
    ----------
    remote : Remote
        The connection to the snapshot.
    files : CellFiles
        The files that the cell shares with the snapshot. What a pickle of the instructor's is made of stands
        in one of theirs that the cell names.
    """

    def __init__(self, remote: Remote, files: CellFiles) -> None:
        self._remote, self._files = remote, files

    def refused(self) -> AbstractContextManager[None]:
        """Refuse it in the block."""
        return noticed(_EVENTS, self._noticed)

    def _noticed(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse to unpickle anything but plain data, and to run a student's file."""
        if event == _UNPICKLES:
            module, name = map(str, args[:2])
            if (module, name) not in UNPICKLED and not self._is_instructors(module, name):
                self._remote.refuse(
                    f"a pickle that may be a student's needs {module}.{name}, which could be code: {_INSTEAD}"
                )
        elif event in _RUNS and _file(args[0]) in self._files.fetched:
            self._remote.refuse(
                f"{_file(args[0])} is a student's, and {_RUNS[event]} would run here: {_INSTEAD}"
            )

    def _is_instructors(self, module: str, name: str) -> bool:
        """Whether a pickle of the instructor's needs it; what the standard library has may act."""
        is_of_python = module.partition(".")[0] in sys.stdlib_module_names
        return not is_of_python and self._files.own_hold(module, name)


def _file(run: Any) -> str:
    """Return the name of the file of code, or of a library, relative to the working folder."""
    return os.path.relpath(run.co_filename if isinstance(run, CodeType) else str(run))
