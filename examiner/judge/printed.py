"""What a student's code prints while a grade cell has set another `sys.stdout`, and what it warns of.

It is written there after each request, as if the student's function had run here. Otherwise nothing of it is
kept: what is printed in a hidden test is shown to nobody.
"""

import io
import sys
import warnings
from typing import Any

from examiner.judge.lent import RECREATED
from examiner.judge.proxy import Remote

LONGEST_INPUT = 1 << 20


class PrintedText:
    """Brings what a snapshot prints to the streams that the cell has set, and gives it the cell's `stdin`.

    Parameters
    ----------
    remote : Remote
        The connection to the snapshot.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote, self._is_recording, self._is_catching = remote, False, False
        self._own, self._stdin = (sys.stdout, sys.stderr), sys.stdin

    def install(self) -> None:
        """Do so with each request from now on."""
        self._remote.before.append(self._before)
        self._remote.after.append(self._after)

    def _before(self, _: Any) -> None:
        if sys.stdin is not self._stdin:
            self._stdin = sys.stdin
            rest = sys.stdin.read(LONGEST_INPUT) if isinstance(sys.stdin, io.StringIO) else ""
            self._remote.aside(object, "patch", "sys", "stdin", rest, "text")
        if self._is_redirected and not self._is_recording:
            self._remote.aside(object, "record")
            self._is_recording = True

    def _after(self) -> None:
        if not self._is_recording or self._remote.lost:
            return
        out, err = self._remote.aside(tuple, "printed")
        if type(out) is str and out and sys.stdout is not self._own[0]:
            sys.stdout.write(out)
        if type(err) is str and err and sys.stderr is not self._own[1]:
            sys.stderr.write(err)

    def install_warnings(self) -> None:
        """Warn after each request as the student's code did, for a cell that catches warnings."""
        self._remote.before.append(self._catch)
        self._remote.after.append(self._warn)

    def _catch(self, _: Any) -> None:
        if not self._is_catching:
            self._remote.aside(type(None), "catch warnings")
            self._is_catching = True

    def _warn(self) -> None:
        if self._remote.lost:
            return
        for names, text in self._remote.aside(list, "warned"):
            known = (RECREATED.get(name) for name in names)
            category = next((cls for cls in known if cls and issubclass(cls, Warning)), UserWarning)
            warnings.warn(str(text), category, stacklevel=4)

    @property
    def _is_redirected(self) -> bool:
        return sys.stdout is not self._own[0] or sys.stderr is not self._own[1]
