"""Shows how far a run is: as a bar in a terminal, as plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from examiner.errors import ExaminerError, printable

TENTHS: Final = 10
SILENT_SECONDS: Final = 5.0


def is_a_tenth(done: int, total: int) -> bool:
    """Return whether another tenth of the steps is done with the last one."""
    return done * TENTHS // total > (done - 1) * TENTHS // total >= 0


@contextmanager
def progress(console: Console) -> Iterator["Bar | Lines"]:
    """Yield what the run reports its progress to: a bar in a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        *(TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn()),
        *(
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}", style="dim", markup=False),
        ),
    )
    with Progress(*columns, console=console) as bar:
        yield Bar(bar)


class Rate(ProgressColumn):
    """A column with the number of items done per minute."""

    def render(self, task: Task) -> Text:
        """Return the rate, or an empty text until it is known."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{60 * speed:.0f}/min", style="progress.data.speed")


class Bar:
    """Shows a bar for each phase, with the items that are being worked on."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._now: list[str] = []

    def phase(self, name: str, total: int) -> None:
        """Start the bar of a phase."""
        self._now = []
        self._task = self._bar.add_task(name, total=total, now="")

    def start(self, name: str) -> None:
        """Show an item beside the bar."""
        self._now.append(printable(name))
        self._bar.update(self._task, now=", ".join(self._now))

    def step(self, done: int, total: int, name: str) -> None:
        """Show the step of an item that ended last."""
        self._bar.update(self._task, now=f"{done}/{total} {printable(name)}")

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Advance the bar by an item, and print a line if it failed."""
        self._now.remove(printable(name))
        self._bar.update(self._task, now=", ".join(self._now), advance=1)
        if fault is not None:
            self._bar.console.print(f"[red]![/] {escape(printable(name))}", highlight=False)


class Lines:
    """Prints a line for each item that ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def phase(self, name: str, total: int) -> None:
        """Start to count the items of a phase."""
        self._name, self._total, self._done = name, total, 0
        self._said = time.monotonic()

    def start(self, name: str) -> None:
        """Print nothing: an item gets its line when it ends."""

    def step(self, done: int, total: int, name: str) -> None:
        """Print a line for every tenth of an item's steps, and where one comes late."""
        now = time.monotonic()
        if done and (is_a_tenth(done, total) or now - self._said > SILENT_SECONDS):
            self._said = now
            self._console.print(
                f"{self._name} {done}/{total} {printable(name)}", highlight=False, markup=False
            )

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Print the item's line, with a `!` if it failed."""
        self._done += 1
        mark = "" if fault is None else "  !"
        self._console.print(
            f"{self._name} {self._done}/{self._total} {printable(name)}{mark}", highlight=False, markup=False
        )
