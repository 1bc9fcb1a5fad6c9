"""The clocks that a grade cell sees: its own time, and the candidate's as it is measured from outside.

A plain timing test reads `time.perf_counter()`, calls a student's function, and reads it again. Here the
clock has then moved on by the CPU time of the judge and of the student's process; what requests and answers
cost on the way is taken out. Nothing that the student's code does to its own clocks reaches this one, and no
other work on the machine does.
"""

import builtins
import contextlib
import inspect
import statistics
import time
import timeit
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

from examiner.judge.bench import CANDIDATE, Instruments
from examiner.judge.compile import CLOCKS, FINE_CLOCKS
from examiner.judge.lent import AuthorError
from examiner.judge.proxy import ArrayHandle, Proxy, Remote

CARRIER: Final = CANDIDATE + 1  # the side of the process that carries values for comparison
QUICKEST: Final = 1e-6  # seconds that any call takes
ENOUGH: Final = 5  # samples of what it costs to carry values of about this size


class CellClock:
    """Tells the time to one grade cell.

    Parameters
    ----------
    remote : Remote
        The connection to the snapshot; its requests are timed while the clock is running.
    instruments : Instruments
        What reads clocks from outside, and opens a process that is ours, which tells what it takes to carry
        values: a student's process could take longer over that, to have it taken out.
    """

    def __init__(self, remote: Remote, instruments: Instruments) -> None:
        self._remote, self._instruments = remote, instruments
        self._began, self._since, self._is_own = time.time(), _own(), True
        self._judge = self._candidate = self._slept = 0.0
        self._carrier: Remote | None = None
        self._costs: dict[int, list[float]] = {}
        self.modules = {"time": self._time(), "timeit": self._timeit()}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Time the requests to the snapshot in the block; it runs alone in its box meanwhile."""
        remote, instruments = self._remote, self._instruments
        try:
            remote.read(instruments.begin)
            remote.read(lambda: instruments.enter(CANDIDATE))
            self._carrier = Remote(remote.read(lambda: instruments.open_baseline(CARRIER)), remote.deadline)
            remote.read(lambda: instruments.enter(CARRIER))
            for side in (self._carrier, remote):
                side.ask("keep freed")  # or each large argument would be given pages of memory anew
            self._sample(CANDIDATE)
            remote.timer = self
            yield
        finally:
            remote.timer = None
            instruments.leave()

    def now(self) -> float:
        """Return the seconds since the cell began."""
        running = _own() - self._since if self._is_own else 0.0
        return self._judge + running + self._candidate + self._slept

    def install(self, names: dict[str, Any]) -> None:
        """Replace the real clocks among the names that a cell sees."""
        real = {id(time): self.modules["time"], id(timeit): self.modules["timeit"]}
        for name in (*CLOCKS, *FINE_CLOCKS, "sleep"):
            real[id(getattr(time, name))] = getattr(self.modules["time"], name)
        names.update({name: real[id(value)] for name, value in names.items() if id(value) in real})

    def request(self, args: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        """Do a request, and add what the candidate took for it, without what carrying takes."""
        answer = None
        with self._counting(own=False):
            try:
                answer = ask()
                return answer
            finally:
                if self._remote.lost is None:
                    spent = self._sample(CANDIDATE)
                    self._candidate += max(QUICKEST, spent - self._cost_of_carrying(args, answer))

    def callback(self, work: Callable[[], Any]) -> Any:
        """Do what the candidate asks of the cell meanwhile: it is the cell's own work."""
        with self._counting(own=True):
            return work()

    @contextlib.contextmanager
    def _counting(self, *, own: bool) -> Iterator[None]:
        """Count the judge's time in the block as the cell's own, or not."""
        before = self._is_own
        self._switch(own=own)
        try:
            yield
        finally:
            self._switch(own=before)

    def _switch(self, *, own: bool) -> None:
        now = _own()
        self._judge += now - self._since if self._is_own else 0.0
        self._since, self._is_own = now, own

    def _cost_of_carrying(self, args: tuple[Any, ...], answer: Any) -> float:
        """Return the seconds that a process takes to receive these values and send that one."""
        values = _plain([*args, answer])
        costs = self._costs.setdefault(sum(map(_size, values)).bit_length(), [])
        if len(costs) < ENOUGH and self._carrier:
            with contextlib.suppress(AuthorError):  # they hold what only the student's process can receive
                self._sample(CARRIER)
                self._carrier.ask("carry", values[:-1], values[-1])
                costs.append(self._sample(CARRIER))
        return statistics.median(costs) if costs else 0.0

    def _sample(self, side: int) -> float:
        return self._remote.read(lambda: self._instruments.sample(side)).cpu

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # the cell's own text asked for it
        self._slept += seconds

    def _time(self) -> ModuleType:
        module = ModuleType("time")
        vars(module).update(vars(time))
        for name in CLOCKS:
            offset = self._began if name == "time" else 0.0
            setattr(module, name, lambda offset=offset: offset + self.now())
            setattr(module, f"{name}_ns", lambda offset=offset: round((offset + self.now()) * 1e9))
        module.sleep = self._sleep  # type: ignore[attr-defined]
        return module

    def _timeit(self) -> ModuleType:
        """Return a copy of `timeit` that reads these clocks."""
        module, clocks = ModuleType("timeit"), self._time()

        def import_(name: str, *args: Any) -> Any:
            return clocks if name == "time" else builtins.__import__(name, *args)

        vars(module)["__builtins__"] = {**vars(builtins), "__import__": import_}
        exec(_TIMEIT, vars(module))  # noqa: S102 - the standard library's own text
        return module


def _own() -> float:
    """Return the CPU seconds of this thread: while the CPU time of a process is limited, its clock ticks."""
    return time.thread_time()


def _plain(values: Any) -> Any:
    """Return values without the objects of a student's in them, which only their own process can receive."""
    if type(values) in {Proxy, ArrayHandle} or callable(values):
        return None
    if type(values) in {list, tuple}:
        return [_plain(value) for value in values]
    if type(values) is dict:
        return {key: _plain(value) for key, value in values.items()}
    return values


def _size(value: Any) -> int:
    """Return about how many bytes it takes to send a value."""
    if type(value) in {list, tuple}:
        return sum(map(_size, value))
    if type(value) is dict:
        return sum(map(_size, value.values()))
    return int(getattr(value, "nbytes", 0)) or (len(value) if isinstance(value, str | bytes) else 8)


_TIMEIT: Final = compile(inspect.getsource(timeit), "timeit", "exec")
