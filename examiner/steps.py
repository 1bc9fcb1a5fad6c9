"""What is left to nbgrader itself, for worker processes: releases and pages of feedback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from examiner.model import Assignment, Course, Submission


@dataclass(frozen=True)
class Step:
    """A release to be made, or the feedback of a submission."""

    course: Course
    what: Assignment | Submission

    def __str__(self) -> str:
        return self.what.name if isinstance(self.what, Assignment) else str(self.what)


@contextmanager
def steps() -> Iterator[Callable[[Step], None]]:
    """Give what does a step."""
    from examiner import gradebook  # noqa: PLC0415  (nbgrader costs seconds; only these processes need it)

    def do(step: Step) -> None:
        if isinstance(step.what, Assignment):
            gradebook.release(step.course, step.what)
        else:
            gradebook.explain(step.course, step.what)

    yield do
