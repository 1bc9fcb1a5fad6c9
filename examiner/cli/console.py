"""What the commands print and write: results on stdout, complaints on stderr, JSON into files.

Whatever is printed may quote a student's text, so every character is escaped that a terminal would obey.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment

from examiner.errors import printable
from examiner.store.atomic import write_text


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


def _console(*, stderr: bool) -> Console:
    console = Console(soft_wrap=True, highlight=False, stderr=stderr)
    console.push_render_hook(EscapingHook())
    return console


LONGEST_ESCAPE = len(r"\U0010ffff")
out = _console(stderr=False)
err = _console(stderr=True)


def complain(sentence: str) -> None:
    """Print one sentence about what is wrong; nothing in it is taken for markup."""
    err.print("[red]![/]", end=" ")
    err.print(sentence, markup=False)


def write_json(path: Path, data: Any) -> None:
    """Write plain data into a file, whole or not at all."""
    write_text(path, json.dumps(data, indent=1) + "\n")
