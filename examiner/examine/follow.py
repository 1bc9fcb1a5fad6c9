"""Follows a candidate through a notebook from outside: what it reports, and how it is lost.

Nothing that it reports is trusted, and the size of every report is limited.
"""

import contextlib
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn

from examiner.candidate.work import EVENT
from examiner.examine.cells import cell_seed
from examiner.examine.executed import Output, checked_outputs
from examiner.examine.pricing import priced
from examiner.examine.server import Candidate, CellConnection
from examiner.judge.compile import GradeCell
from examiner.judge.lost import CandidateLost
from examiner.model import Identity, TimeLimits
from examiner.submission.matching import name_of
from examiner.submission.repair import Piece
from examiner.verdict import ENDED, Outcome, Verdict
from examiner.wire.channel import Channel, ChannelClosed, Frame, FrameKind, nonce
from examiner.wire.codec import encode
from examiner.wire.limits import WireError

GRACE_SECONDS: Final = 3.0  # in which an interrupted cell may still end by itself
LOOK_SECONDS: Final = 0.2  # between two looks whether a candidate has ended that reports nothing
MOST_PROCESSES: Final = 1 << 22  # the highest number that Linux gives a process
_EVENTS: Final = json.JSONDecoder(parse_constant=lambda _: None)


class RunFollower:
    """Knows how far a candidate has got, and opens the channel to its snapshot at each grade cell.

    A snapshot can pass on what it is asked to every process of its box. So it is asked nothing before all of
    the student's cells have run, their outputs have been taken, and every process but the snapshots has been
    ended; what the box reports later is not even received.

    Parameters
    ----------
    cells : sequence of Piece
        The code cells that the candidate runs.
    limits : TimeLimits
        Seconds for each cell, and for all cells together.
    released : collection of int
        The numbers of the grade cells that the candidate runs as well, after it has reported their snapshots.
    """

    def __init__(
        self,
        candidate: Candidate,
        cells: Sequence[Piece],
        limits: TimeLimits,
        released: Collection[int] = (),
    ) -> None:
        self._candidate, self._cells, self._limits = candidate, cells, limits
        self._released = released
        self._end = time.monotonic() + limits.notebook_seconds
        self._numbers = {
            p.original.grade_id: n for n, p in enumerate(cells) if p.original and p.is_autograded
        }
        self._connections: dict[str, CellConnection] = dict(
            zip(self._numbers, candidate.connections, strict=True)
        )
        self._troubles: dict[int, str] = {}
        self._snapshots: dict[int, int] = {}  # by number of the cell, the process that waits there
        self._movable: set[int] = set()  # numbers of the cells for which no other process has been named yet
        self._kills: dict[int, int] = {}  # by number of the cell, the kills before its snapshot was there
        self._is_over = False
        self._lost: CandidateLost | None = None
        self._passed = 0
        self._settled_kills = candidate.memory_kills()
        self.outputs: dict[int, list[Output]] = {}

    @contextlib.contextmanager
    def snapshot(self, grade_id: str) -> Iterator[Channel]:
        """Open the channel to the snapshot at a grade cell; leaving the context ends the snapshot."""
        number, channel = self._numbers[grade_id], self._connections[grade_id].channel
        self.follow_to_the_end()
        self._check_snapshot(number, channel)
        before = self._candidate.memory_kills()  # those are of the student's cells, or of other snapshots
        try:
            yield channel
        finally:
            channel.close()
            del self._snapshots[number]
            if self._candidate.memory_kills() > before:
                raise CandidateLost(Outcome.OUT_OF_MEMORY, ENDED[Outcome.OUT_OF_MEMORY])

    def _check_snapshot(self, number: int, channel: Channel) -> None:
        """Raise CandidateLost unless the snapshot of a cell lives, and nothing else that could disturb it."""
        if self._lost and number >= self._passed:
            raise self._lost
        if number in self._troubles:
            raise CandidateLost(
                Outcome.CRASHED, f"no process could be started here: {self._troubles[number]}"
            )
        if not self._candidate.end_others({*self._snapshots.values()}):
            raise CandidateLost(Outcome.TAMPERED, "it starts processes faster than they can be ended")
        if channel.is_closed():
            is_too_large = self._candidate.memory_kills() > self._kills[number]
            outcome = Outcome.OUT_OF_MEMORY if is_too_large else Outcome.CRASHED
            raise CandidateLost(outcome, f"the process that waited here {ENDED[outcome]}")

    def processes(self) -> list[int]:
        """Return the ids of all the candidate's processes, in our namespace."""
        return self._candidate.processes()

    def forbid_more(self, process: int) -> None:
        """Keep one of them from starting any more processes."""
        self._candidate.forbid_more(process)

    def check_server(self) -> None:
        """Raise BrokenServer if the server has ended: a missing answer is then not the student's fault."""
        self._candidate.check_server()

    def follow_to_the_end(self) -> None:
        """Wait until all cells are done or the candidate is lost; from then on, it is not listened to."""
        if self._is_over:
            return
        self._is_over = True
        self._follow()
        self._candidate.control.close()
        if self._lost:
            for number in range(self._passed, len(self._cells)):
                self.outputs.setdefault(number, [])
            if not self._cells[self._passed].is_autograded:
                fact = self._lost.fact
                error = {"output_type": "error", "ename": str(self._lost.outcome), "evalue": fact}
                self.outputs[self._passed].append(error | {"traceback": [f"{self._lost.outcome}: {fact}"]})

    def _follow(self) -> None:
        """Read reports until all cells are done or the candidate is lost."""
        while self._passed < len(self._cells) and not self._lost:
            place = self._place()
            runs = 2 if self._passed - 1 in self._released else 1
            patience = runs * (self._limits.cell_seconds + GRACE_SECONDS)
            try:
                frame = self._receive(min(time.monotonic() + patience, self._end))
                self._take(_event(frame.kind, frame.payload))
            except TimeoutError:
                self._lose(Outcome.TIMEOUT, f"{place} did not end")
            except ChannelClosed:
                is_too_large = self._candidate.memory_kills() > self._settled_kills
                outcome = Outcome.OUT_OF_MEMORY if is_too_large else Outcome.CRASHED
                self._lose(outcome, f"{place} {ENDED[outcome]}")
            except (WireError, ValueError, RecursionError) as error:
                self._lose(Outcome.TAMPERED, f"{place}: {error}")

    def _place(self) -> str:
        """Return the name of the cell that runs, for a sentence."""
        original = self._cells[self._passed].original
        name = f" ({name_of(original)})" if original else ""
        return f"the student's cell {self._passed + 1}{name}"

    def _receive(self, deadline: float) -> Frame:
        """Return the next report; a candidate that has ended sends none, even if others hold its channel."""
        while True:
            has_ended = self._candidate.has_ended()
            try:
                return self._candidate.control.receive(min(time.monotonic() + LOOK_SECONDS, deadline))
            except TimeoutError:
                if has_ended:
                    raise ChannelClosed("its process has ended") from None
                if time.monotonic() > deadline:
                    raise

    def _lose(self, outcome: Outcome, fact: str) -> None:
        self.check_server()
        self._lost = CandidateLost(outcome, fact)

    def _take(self, event: dict[str, Any]) -> None:
        if "moved" in event:
            self._take_moved(event)
            return
        if event.get("cell") != self._passed:
            raise ValueError("its reports are out of order")
        if self._cells[self._passed].is_autograded:
            self._take_process(self._passed, event)
            self._movable.add(self._passed)
        for number, claims in _claims(event):
            if 0 <= number <= self._passed and not self._cells[number].is_autograded:
                self.outputs[number] = checked_outputs(claims)
        self._passed += 1

    def _take_process(self, number: int, event: dict[str, Any]) -> None:
        """Take from a report which process waits for a cell, or why there is none."""
        if "trouble" in event:
            self._troubles[number] = str(event["trouble"])
            self._snapshots.pop(number, None)
            return
        process = event.get("process")
        if type(process) is not int or not 0 < process <= MOST_PROCESSES:
            raise ValueError("it named no process for a cell")
        self._snapshots[number] = process
        self._kills[number] = self._candidate.memory_kills()

    def show(self, grade_id: str, outputs: list[Output]) -> None:
        """Take these for the outputs of a grade cell that ran elsewhere."""
        self.outputs[self._numbers[grade_id]] = outputs

    def _take_moved(self, event: dict[str, Any]) -> None:
        """Take a report that another process now waits for some cells; each is moved at most once."""
        moved = event["moved"]
        if not isinstance(moved, list) or not moved or not all(type(number) is int for number in moved):
            raise ValueError("it named no cells that wait elsewhere")
        if not self._movable.issuperset(moved) or len(moved) != len({*moved}):
            raise ValueError("it named cells that cannot wait elsewhere")
        self._movable -= {*moved}
        for number in moved:
            self._take_process(number, event)

    def run_in_snapshot(self, cell: GradeCell, identity: Identity, secret: bytes) -> Verdict:
        """Have a snapshot run a grade cell by itself, and give points for the outputs that it reports.

        The cell's text is sent only after all student's cells have run, so that none of them can pass it on.
        """
        seed, started = cell_seed(secret, identity, cell.grade_id), time.monotonic()
        number = self._numbers[cell.grade_id]
        verdict = Verdict(cell.grade_id, Outcome.ERROR, 0.0, cell.points, cell.mode, seed=seed)
        try:
            with self.snapshot(cell.grade_id) as channel:
                event = _ask_to_run(channel, cell.source, seed, self._limits.cell_seconds + GRACE_SECONDS)
            outputs = checked_outputs(dict(_claims(event)).get(number))
            self.outputs[number] = outputs
            verdict = priced(verdict, outputs, timed_out=event.get("timed_out") is True)
        except CandidateLost as lost:
            verdict = replace(verdict, outcome=lost.outcome, message=lost.fact)
        except TimeoutError:
            verdict = replace(verdict, outcome=Outcome.TIMEOUT, message="it did not end")
        except (WireError, ValueError, RecursionError) as error:
            self.check_server()
            verdict = replace(verdict, outcome=Outcome.CRASHED, message=f"no reply: {error}")
        return replace(verdict, seconds=time.monotonic() - started)


def _event(kind: int, payload: bytes) -> dict[str, Any]:
    """Return the content of a report, or raise ValueError."""
    event = _EVENTS.decode(payload.decode()) if kind == EVENT else None
    if not isinstance(event, dict):
        raise ValueError("it sent an invalid report")  # noqa: TRY004 - its content, not a caller's mistake
    return event


def _claims(event: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    outputs = event.get("outputs", {})
    if not isinstance(outputs, dict) or not all(key.isdecimal() and len(key) < 6 for key in outputs):  # noqa: PLR2004 - no notebook has more cells
        raise ValueError("it sent invalid outputs")
    return ((int(number), claims) for number, claims in outputs.items())


def _ask_to_run(channel: Channel, source: str, seed: str, seconds: float) -> dict[str, Any]:
    number, deadline = nonce(), time.monotonic() + seconds
    request = encode((source, {"EXAMINER_SEED": seed}), _refuse_handle)
    channel.send(FrameKind.REQUEST, number, request, deadline)
    frame = channel.receive(deadline)
    if frame.nonce != number:
        raise WireError("it sent an answer to another request")
    return _event(frame.kind, frame.payload)


def _refuse_handle(value: Any) -> NoReturn:
    raise TypeError(f"a request holds plain data, not a {type(value).__name__}")
