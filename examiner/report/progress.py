"""How far a run is: a bar in a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
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

from examiner.errors import ExaminerError


@contextmanager
def progress(console: Console) -> Iterator["Bar | Lines"]:
    """Give something that shows how far a run is."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        *(TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn()),
        *(Rate(), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("[dim]{task.fields[now]}")),
    )
    with Progress(*columns, console=console) as bar:
        yield Bar(bar)


class Rate(ProgressColumn):
    """How many are done in a minute."""

    def render(self, task: Task) -> Text:
        """Return the rate, once there is one."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{60 * speed:.0f}/min", style="progress.data.speed")


class Bar:
    """A bar for each phase, with what is being done just now."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._now: list[str] = []

    def phase(self, name: str, total: int) -> None:
        """Start a bar."""
        self._now = []
        self._task = self._bar.add_task(name, total=total, now="")

    def start(self, name: str) -> None:
        """Name what is being done."""
        self._now.append(name)
        self._bar.update(self._task, now=", ".join(self._now))

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Advance the bar."""
        self._now.remove(name)
        self._bar.update(self._task, now=", ".join(self._now), advance=1)
        if fault is not None:
            self._bar.console.print(f"[red]![/] {name}", highlight=False)


class Lines:
    """A line for each thing that ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def phase(self, name: str, total: int) -> None:
        """Take note of what the lines are about."""
        self._name, self._total, self._done = name, total, 0

    def start(self, name: str) -> None:
        """Say nothing: one line for each is enough."""

    def end(self, name: str, fault: ExaminerError | None) -> None:
        """Print a line."""
        self._done += 1
        how = "" if fault is None else "  !"
        self._console.print(f"{self._name} {self._done}/{self._total} {name}{how}", highlight=False)
