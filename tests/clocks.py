"""Benches whose clocks are made up, so that what follows from a measurement repeats and takes no time."""

from contextlib import nullcontext

from examiner_checks.bench import LocalBench, Timed


class Clocked:
    """A side whose seconds are made up; the answers are real."""

    def __init__(self, function, seconds):
        self.function, self.seconds, self.samples = function, seconds, 0

    def run(self, calls):
        """Call, and say that it took what the list says."""
        answers = [self.function(*arguments) for arguments in calls]
        seconds = self.seconds(self.samples, *calls[0]) * len(calls)
        self.samples += 1
        return Timed(seconds, seconds, answers)


class FakeBench(LocalBench):
    """Sides with made-up clocks, so that every decision repeats."""

    def __init__(self, *seconds):
        super().__init__()
        self.seconds = seconds

    def begin(self):
        """Note nothing: no memory is measured."""

    def sides(self, *functions):
        """Give each function the next clock."""
        return nullcontext(tuple(map(Clocked, functions, self.seconds)))
