"""`examiner grade`, `release` and `rebuild`: each starts a run, and prints what came of it."""

from collections.abc import Iterable
from pathlib import Path

from examiner import pipeline
from examiner.cli import run_json
from examiner.cli.console import complain, err, interrupts, out, write_json
from examiner.course.load import load_course
from examiner.errors import DONE, INTERRUPTED, ExaminerError, PlatformFault
from examiner.gate.evidence import summary
from examiner.model import Student
from examiner.report.progress import progress as progress_on
from examiner.report.table import class_table, legend, question_key, question_table
from examiner.store import records
from examiner.store.rebuild import rebuild as rebuild_gradebook
from examiner.store.temporary import temporary_files

REMOVED = (
    "the gradebook has no such student any more, so this grade is not in it; put the student into roster.csv "
    "to have it back, or take the folder out of submitted/."
)


def grade(root: Path, request: pipeline.GradeRequest, json_file: Path | None, *, points: bool) -> int:
    """Grade what is new, show the class, and return the exit code."""
    try:
        course = load_course(root)
        with interrupts(), temporary_files(course), progress_on(out) as progress:
            run = pipeline.grade(course, request, progress)
    except KeyboardInterrupt:
        err.print("Interrupted. All finished grades are kept; run the same command again to go on.")
        return INTERRUPTED
    if json_file is not None:
        write_json(json_file, run_json.data(run))
    _show(run, points=points)
    return _exit_code(run)


def release(root: Path, request: pipeline.GradeRequest) -> int:
    """Make the releases that are not up to date."""
    course = load_course(root)
    with temporary_files(course), progress_on(out) as progress:
        releases = pipeline.release(course, request, progress)
    for sentence in releases.oddities:
        out.print(sentence, style="yellow", markup=False)
    for fault in releases.broken.values():
        complain(str(fault))
    if releases.broken:
        return _code_of(releases.broken.values())
    out.print("the releases are up to date")
    return DONE


def rebuild(root: Path) -> int:
    """Rebuild the gradebook, and print which sheets and manual grades could not be entered."""
    course = load_course(root)
    with records.alone(course):
        rebuilt = rebuild_gradebook(course)
    for damage in rebuilt.damaged:
        complain(str(damage))
    for cell in rebuilt.waiting:
        out.print(f"{cell}: there is no such cell any more; what was entered there is kept", markup=False)
    out.print(f"{course.gradebook.name} is rebuilt from the sheets of {rebuilt.submissions} submissions")
    return PlatformFault.exit_code if rebuilt.damaged else DONE


def _show(run: pipeline.Run, *, points: bool) -> None:
    """Print the class, then faults, self-reported cells and repairs, then where to look next."""
    stopped = [submission for submission in run.submissions if submission.assignment in run.stopped]
    signs = dict.fromkeys(run.stale, "~") | dict.fromkeys((*stopped, *run.faults, *run.removed), "!")
    students = _students(run)
    by_name = {(submission.student, submission.assignment): sign for submission, sign in signs.items()}
    table = class_table(run.course, run.grades, students, by_name)
    out.print(table)
    out.print(legend(table), style="dim")
    if points:
        for name in run.request.assignments or [assignment.name for assignment in run.course.assignments]:
            out.print(question_table(run.grades, name, students))
            out.print(question_key(run.grades, name), style="dim", markup=False)
    _show_remarks(run)
    count = len(run.graded)
    graded = f"{count} graded, {len(run.submissions) - count} as they were"
    out.print(f"{graded}. Next: feedback/ for students, grades.csv, `examiner lab` for manual grading.")


def _show_remarks(run: pipeline.Run) -> None:
    """Print what the table cannot say."""
    for fault in run.faults.values():
        complain(str(fault))
    for stop in run.stopped.values():
        complain(str(stop))
    for sentence in run.oddities:
        out.print(sentence, style="yellow", markup=False)
    for found in run.gathered:
        out.print(f"{summary(found)}.", style="dim", markup=False)
        for cell, reason in found.reasons.items():
            place = f"{found.assignment}, cell {cell}"
            warning = f"{place}: it is judged in the student's process, self-reported, since {reason}"
            out.print(warning, style="yellow", markup=False)
    for submission in run.removed:
        out.print(f"{submission}: {REMOVED}", style="yellow", markup=False)
    for varying in run.varying:
        out.print(str(varying), style="yellow", markup=False)
    for submission, repairs in run_json.repairs(run).items():
        out.print(f"{submission} was mended: {'; '.join(repairs)}", style="dim", markup=False)


def _students(run: pipeline.Run) -> list[Student]:
    """Return all students of the roster, the gradebook and the submissions, or only those asked for."""
    known = {student.id: student for student in (*run.course.roster, *run.grades.students)}
    everybody = known.keys() | {submission.student for submission in run.submissions}
    return [known.get(name, Student(name)) for name in run.request.students or sorted(everybody)]


def _exit_code(run: pipeline.Run) -> int:
    return _code_of([*run.faults.values(), *run.stopped.values()])


def _code_of(faults: Iterable[ExaminerError]) -> int:
    """Return the exit code for several faults: ours come before the author's, and those before students'."""
    return min((fault.exit_code for fault in faults), default=DONE)
