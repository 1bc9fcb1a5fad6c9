"""What came of a run, for people who read on and for programs."""

from typing import Any

from examiner.errors import ExaminerError
from examiner.model import Submission
from examiner.pipeline import Run
from examiner.store.sheets import FiledGrade

RUN_FORMAT = 1


def repairs(run: Run) -> dict[Submission, tuple[str, ...]]:
    """Return what was mended in the submissions that were graded now, where something was."""
    found = {
        submission: tuple(each for part in filing.parts for each in part.sheet.repairs)
        for submission, filing in run.graded.items()
    }
    return {submission: each for submission, each in sorted(found.items()) if each}


def data(run: Run) -> dict[str, Any]:
    """Return the run as plain data: one entry for each submission that was asked for."""
    return {
        "format": RUN_FORMAT,
        "course": run.course.id,
        "graded": len(run.graded),
        "submissions": [_submission(run, each) for each in run.submissions],
    }


def _submission(run: Run, submission: Submission) -> dict[str, Any]:
    grade = run.grades.of(submission.student, submission.assignment)
    is_graded = grade is not None and grade.is_graded
    return {
        "student": submission.student,
        "assignment": submission.assignment,
        "state": _state(run, submission),
        "score": grade.score if grade and is_graded else None,
        "max_score": run.grades.max_score(submission.assignment),
        "needs_manual_grade": bool(grade and grade.needs_manual_grade),
        "fault": _fault(run.faults.get(submission)),
        "cells": _cells(run.graded.get(submission)),
    }


def _state(run: Run, submission: Submission) -> str:
    if submission in run.faults:
        return "fault"
    if submission in run.graded:
        return "graded"
    return "stale" if submission in run.stale else "as it was"


def _fault(fault: ExaminerError | None) -> dict[str, str] | None:
    if fault is None:
        return None
    return {"kind": type(fault).__name__, "place": fault.place, "fact": fault.fact, "fix": fault.fix}


def _cells(filing: FiledGrade | None) -> list[dict[str, Any]]:
    """Return the verdicts of a submission that was graded now."""
    names = ("grade_id", "outcome", "points", "max_points", "mode", "message")
    return [
        {"notebook": part.notebook} | {name: getattr(verdict, name) for name in names}
        for part in (filing.parts if filing else ())
        for verdict in part.sheet.verdicts
    ]
