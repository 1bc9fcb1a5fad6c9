"""An IPython shell that records the outputs of cells in the format of nbformat.

It runs in the student environment, and imports the standard library, IPython, traitlets and nothing of
examiner.
"""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

Output = dict[str, Any]

# What IPython may have to transform: magics, help, commands, automatic calls, copied prompts, leading
# indentation.
_PERHAPS_NO_PYTHON = re.compile(r"[%!?]|\A\s|^\s*(?:[,;/>]|In \[|\.\.\.)", re.MULTILINE)

TEXT_LIMIT = 1_000_000  # characters of stdout and stderr that are kept for one cell


class Recorder:
    """The outputs of every cell so far; new ones are added to the cell ``current``."""

    def __init__(self) -> None:
        self.current = 0
        self.cells: dict[int, list[Output]] = {}
        self.changed: set[int] = set()
        self._displays: dict[str, list[tuple[int, Output]]] = {}
        self._text_left = TEXT_LIMIT
        self._clear_first = False

    def open(self, cell: int) -> None:
        """Start a cell: the outputs that follow belong to it."""
        self.current, self._text_left, self._clear_first = cell, TEXT_LIMIT, False
        self.cells[cell] = []
        self.changed.add(cell)

    def add(self, output: Output) -> None:
        """Append an output; text of the same stream as before is joined to it."""
        outputs = self.cells[self.current]
        if self._clear_first:
            outputs.clear()
            self._clear_first = False
        last = outputs[-1] if outputs else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] += output["text"]
        else:
            outputs.append(output)

    def write(self, name: str, text: str) -> None:
        """Add text to a stream, up to the limit of the cell."""
        if self._text_left <= 0 or not text:
            return
        if len(text) > self._text_left:
            text = text[: self._text_left] + f"\n… cut after {TEXT_LIMIT:,} characters\n"
        self._text_left -= len(text)
        self.add({"output_type": "stream", "name": name, "text": text})

    def display(self, data: Output, metadata: Output, display_id: str | None, *, update: bool) -> None:
        """Add a display, or update every display of that id, also in earlier cells."""
        known = self._displays.setdefault(display_id, []) if display_id else []
        if update:
            for cell, output in known:
                output.update(data=data, metadata=metadata)
                self.changed.add(cell)
            return
        output = {"output_type": "display_data", "data": data, "metadata": metadata}
        self.add(output)
        known.append((self.current, output))

    def clear(self, *, wait: bool) -> None:
        """Remove the current cell's outputs, now or when the next one arrives."""
        self._clear_first = wait
        if not wait:
            self.cells[self.current].clear()

    def take_changed(self) -> dict[int, list[Output]]:
        """Return the outputs of the cells that changed since the last call."""
        taken = {cell: self.cells[cell] for cell in sorted(self.changed)}
        self.changed.clear()
        return taken


class Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of a run; writes to its descriptor are collected after each cell."""

    def __init__(self, recorder: Recorder, name: str, descriptor: int) -> None:
        self.recorder, self.name, self._descriptor, self._read = recorder, name, descriptor, 0

    encoding = "utf-8"

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Record the text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.recorder.write(self.name, text)
        return len(text)

    def fileno(self) -> int:
        """Return the descriptor, which processes started by a cell inherit."""
        return self._descriptor

    def collect(self) -> None:
        """Record what ``os.write``, or a process that the cell started, wrote to the descriptor."""
        raw = os.pread(self._descriptor, TEXT_LIMIT, self._read)
        self._read += len(raw)
        self.recorder.write(self.name, raw.decode("utf-8", "replace"))


class RecordingDisplayHook(DisplayHook):
    """Records the value of a cell's last expression as an ``execute_result``."""

    recorder: Recorder

    def write_output_prompt(self) -> None:
        """Do nothing: no ``Out[1]:`` is printed."""

    def write_format_data(self, format_dict: Output, md_dict: Output | None = None) -> None:
        """Record the value in all its representations."""
        result = {"output_type": "execute_result", "data": format_dict, "metadata": md_dict or {}}
        self.recorder.add(result | {"execution_count": self.prompt_count})

    def finish_displayhook(self) -> None:
        """End the display; no empty line is printed."""
        self._is_active = False


class RecordingPublisher(DisplayPublisher):
    """Records ``display(…)``, figures and ``clear_output``."""

    recorder: Recorder

    def publish(  # type: ignore[override]  # without the parent's deprecated `source`
        self,
        data: Output,
        metadata: Output | None = None,
        *,
        transient: Output | None = None,
        update: bool = False,
        **_: object,
    ) -> None:
        """Record a display, or update one."""
        self.recorder.display(data, metadata or {}, (transient or {}).get("display_id"), update=update)

    def clear_output(self, wait: bool = False) -> None:
        """Remove the cell's outputs."""
        self.recorder.clear(wait=wait)


class RecordingShell(InteractiveShell):
    """An IPython shell whose outputs go to a recorder, and which no cell can leave."""

    display_pub_class = Type(RecordingPublisher)
    displayhook_class = Type(RecordingDisplayHook)
    recorder: Recorder

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        error = {"output_type": "error", "ename": etype.__name__, "evalue": str(evalue), "traceback": stb}
        self.recorder.add(error)

    def transform_cell(self, raw_cell: str) -> str:
        """Return the cell as Python; a cell that can only be Python skips IPython's transformations."""
        if _PERHAPS_NO_PYTHON.search(raw_cell) or self.input_transformers_post:
            return str(super().transform_cell(raw_cell))  # type: ignore[no-untyped-call]
        return raw_cell if raw_cell.endswith("\n") else raw_cell + "\n"

    def system(self, cmd: str) -> None:
        """Run a `!command` and print its output, through a pipe: no box has a terminal."""
        command = self.var_expand(cmd, depth=1)  # type: ignore[no-untyped-call]
        done = subprocess.run(  # noqa: S602 - the student's command, within the student's walls
            command,
            shell=True,  # such as `!ls *.txt`, which a shell expands
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        sys.stdout.write(done.stdout.decode("utf-8", "replace"))
        self.user_ns["_exit_code"] = done.returncode

    def should_run_async(self, raw_cell: str, **known: Any) -> bool:
        """Return whether the cell awaits something; a cell without the word is not compiled to find out."""
        return ("await" in raw_cell or "async" in raw_cell) and bool(
            super().should_run_async(raw_cell, **known)
        )

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:  # noqa: ARG002 - IPython passes it by this name
        """Do nothing: IPython would keep a second copy of what is printed, without a limit."""
        yield

    def record_anew(self) -> None:
        """Start with a new recorder, without outputs."""
        self.recorder = self.display_pub.recorder = self.displayhook.recorder = Recorder()

    def ask_exit(self) -> None:
        """Record that the cell called ``exit()`` or ``quit()``; the cells after it run all the same."""
        self.recorder.add(error_output("SystemExit", "the cell asked to end the notebook; it went on"))


def error_output(ename: str, evalue: str) -> Output:
    """Return an error output in the format of nbformat."""
    return {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": [f"{ename}: {evalue}"]}


def recording_shell() -> RecordingShell:
    """Return a shell without history files, threads or start-up scripts."""
    config = Config()
    config.HistoryManager.enabled = False
    shell: RecordingShell = RecordingShell.instance(config=config)
    shell.record_anew()
    return shell
