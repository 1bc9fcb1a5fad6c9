"""Runs nbgrader's own steps in worker processes: releases, late penalties, pages of feedback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from examiner.model import Assignment, Course, Submission


@dataclass(frozen=True)
class Step:
    """One of nbgrader's steps, for one assignment or submission."""

    do: Literal["release", "penalize", "explain"]
    course: Course
    what: Assignment | Submission

    def __str__(self) -> str:
        return self.what.name if isinstance(self.what, Assignment) else str(self.what)


@contextmanager
def step_worker() -> Iterator[Callable[[Step], None]]:
    """Yield the function that runs a step."""
    from examiner.nbgrader import convert  # noqa: PLC0415 - importing nbgrader takes seconds

    def do(step: Step) -> None:
        match step.do, step.what:
            case "release", Assignment() as assignment:
                convert.release(step.course, assignment)
            case "penalize", Submission() as submission:
                convert.penalize(step.course, submission)
            case "explain", Submission() as submission:
                convert.explain(step.course, submission)

    yield do
