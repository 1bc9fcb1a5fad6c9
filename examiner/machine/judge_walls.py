"""Proves that the walls stand around a judge: its grade cells try to break each promise, and must not.

Each attempt is made outside first, where it has to succeed, or it would prove nothing.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from examiner.box.selftest import WallState
from examiner.examine.engine import Engine
from examiner.machine.trial import trial
from examiner.verdict import Outcome

ATTEMPTED: Final = {
    "A judge cannot read a file of the course.": "open({file!r}, 'rb').close()",
    "A judge cannot list the course's folder.": "import os\nos.listdir({folder!r})",
    "A judge cannot reach the network, not even this machine.": (
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 1).close()"
    ),
    "A judge cannot find, signal or stop whoever grades.": "import os\nos.kill({process}, 0)",
    "A judge cannot read what other processes are.": "open('/proc/{process}/status').close()",
    "A judge cannot change the student environment.": "import numpy\nopen(numpy.__file__, 'a').close()",
}


@dataclass(frozen=True)
class JudgeReport:
    """One promise about judges, and whether it is kept."""

    promise: str
    state: WallState


def judge_walls(engine: Engine, course: Path) -> Iterator[JudgeReport]:
    """Try to break every promise from a grade cell, and yield a report on each."""
    with _listening() as port:
        places = {"folder": str(course), "file": _a_file(course), "port": port, "process": os.getpid()}
        sources = [source.format(**places) for source in ATTEMPTED.values()]
        verdicts = engine.run(trial("return x + 1", *sources)).sheet.verdicts
        for promise, source, verdict in zip(ATTEMPTED, sources, verdicts, strict=True):
            if verdict.outcome is Outcome.PASSED:
                yield JudgeReport(promise, WallState.MISSING)
            else:
                yield JudgeReport(promise, WallState.PROVED if _succeeds(source) else WallState.IDLE)


def _a_file(course: Path) -> str:
    return str(next((path for path in sorted(course.iterdir()) if path.is_file()), course / "course.toml"))


@contextlib.contextmanager
def _listening() -> Iterator[int]:
    """Yield the port of a server on this machine that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _succeeds(source: str) -> bool:
    names: dict[str, Any] = {}
    try:
        exec(source, names)  # noqa: S102 - a text of this module, which only looks
    except (OSError, ImportError):
        return False
    return True
