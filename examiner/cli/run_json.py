"""The result of a run as plain data for programs, and its repairs."""

from typing import Any

from examiner.errors import ExaminerError
from examiner.model import Submission
from examiner.pipeline import Run
from examiner.store.sheets import FiledGrade

RUN_FORMAT = 1


def repairs(run: Run) -> dict[Submission, tuple[str, ...]]:
    """Return the repairs of each submission that was graded in this run and needed some."""
    found = {
        submission: tuple(repair for part in grade.parts for repair in part.sheet.repairs)
        for submission, grade in run.graded.items()
    }
    return {submission: made for submission, made in sorted(found.items()) if made}


def data(run: Run) -> dict[str, Any]:
    """Return the run as plain data: one entry for each submission that was asked for."""
    return {
        "format": RUN_FORMAT,
        "course": run.course.id,
        "graded": len(run.graded),
        "submissions": [_submission(run, submission) for submission in run.submissions],
        "varying": [str(cell) for cell in run.varying],
        "stopped": {name: _fault(fault) for name, fault in run.stopped.items()},
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
        "is_provisional": bool(grade and grade.is_provisional),
        "fault": _fault(run.faults.get(submission)),
        "cells": _cells(run.graded.get(submission)),
    }


def _state(run: Run, submission: Submission) -> str:
    if submission in run.faults:
        return "fault"
    if submission in run.removed:
        return "removed"
    if submission in run.graded:
        return "graded"
    if submission.assignment in run.stopped:
        return "stopped"
    return "stale" if submission in run.stale else "as it was"


def _fault(fault: ExaminerError | None) -> dict[str, str] | None:
    if fault is None:
        return None
    return {"kind": type(fault).__name__, "place": fault.place, "fact": fault.fact, "fix": fault.fix}


def _cells(grade: FiledGrade | None) -> list[dict[str, Any]]:
    """Return the verdicts on a submission, or none if it was not graded in this run."""
    names = ("grade_id", "outcome", "points", "provisional", "max_points", "mode", "message")
    return [
        {"notebook": part.notebook} | {name: getattr(verdict, name) for name in names}
        for part in (grade.parts if grade else ())
        for verdict in part.sheet.verdicts
    ]
