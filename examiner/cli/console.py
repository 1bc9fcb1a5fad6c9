"""What the commands print and write: results on stdout, complaints on stderr, JSON into files.

Whatever is printed may quote a student's text, so every character is escaped that a terminal would obey.
"""

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment

from examiner.errors import printable
from examiner.store.atomic import write_text

INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_FREE: Final = 3  # the number of the first descriptor that is none of stdin, stdout and stderr
LONGEST_ESCAPE: Final = len(r"\U0010ffff")


class EscapingHook(RenderHook):
    """Makes a console escape what is not printable, in everything that it prints."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return the same things, each of which renders itself in printable characters."""
        return [_Escaped(renderable) for renderable in renderables]


class _Escaped:
    def __init__(self, renderable: ConsoleRenderable) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._renderable, options):
            yield segment if segment.control else segment._replace(text=_escaped(segment.text))


def _escaped(text: str) -> str:
    return "\n".join(printable(line, len(line) * LONGEST_ESCAPE) for line in text.split("\n"))


class Screen(Console):
    """A console whose text may fail to arrive: then it goes nowhere from then on, and the run goes on."""

    def _check_buffer(self) -> None:
        try:
            super()._check_buffer()
        except OSError:  # a reader that is gone, a full disk, a terminal that was hung up
            self.quiet = True
            with suppress(OSError, ValueError):  # or Python fails at its end with what it could not write
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())

    def on_broken_pipe(self) -> None:
        """Raise the error again, where rich would end the process."""
        raise BrokenPipeError


def _console(*, stderr: bool) -> Console:
    console = Screen(soft_wrap=True, highlight=False, stderr=stderr)
    console.push_render_hook(EscapingHook())
    return console


out = _console(stderr=False)
err = _console(stderr=True)


@contextmanager
def interrupts() -> Iterator[None]:
    """Have SIGTERM and SIGHUP do inside the block what Ctrl-C does, and each further one nothing.

    What was started is ended then, within seconds; what ignores a signal, as below `nohup`, still does.
    """
    signs = [sign for sign in INTERRUPTS if signal.getsignal(sign) is not signal.SIG_IGN]

    def interrupt(*_: object) -> None:
        for sign in signs:
            signal.signal(sign, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {sign: signal.signal(sign, interrupt) for sign in signs}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


def prepare_streams() -> None:
    """Have stdout and stderr print any text, and no file of the course take the number of a closed one."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < FIRST_FREE:
        os.set_inheritable(descriptor, True)  # what is started here would be as badly off without it
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it is None where it was closed
            stream.reconfigure(errors="backslashreplace")


def complain(sentence: str) -> None:
    """Print one sentence about what is wrong; nothing in it is taken for markup."""
    err.print("[red]![/]", end=" ")
    err.print(sentence, markup=False)


def write_json(path: Path, data: Any) -> None:
    """Write plain data into a file, whole or not at all."""
    write_text(path, json.dumps(data, indent=1) + "\n")
