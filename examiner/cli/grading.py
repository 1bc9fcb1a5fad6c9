"""`examiner grade`, `release` and `rebuild`: a run, and what is to be said about it."""

from pathlib import Path

from examiner import pipeline
from examiner.cli import run_json
from examiner.cli.console import complain, err, out, write_json
from examiner.course.load import load_course
from examiner.errors import DONE, INTERRUPTED, PlatformFault, StudentFault
from examiner.model import Student
from examiner.report.progress import progress
from examiner.report.table import class_table, legend, question_key, question_table
from examiner.store import records
from examiner.store.rebuild import rebuild as make_anew


def grade(root: Path, wish: pipeline.GradeRequest, json_file: Path | None, *, points: bool) -> int:
    """Grade, and show the class."""
    try:
        with progress(out) as watch:
            run = pipeline.grade(load_course(root), wish, watch)
    except KeyboardInterrupt:
        err.print("Interrupted. What is graded is kept; the same command goes on from there.")
        return INTERRUPTED
    if json_file is not None:
        write_json(json_file, run_json.data(run))
    _show(run, points=points)
    return _exit_code(run)


def release(root: Path, wish: pipeline.GradeRequest) -> int:
    """Make the releases."""
    with progress(out) as watch:
        pipeline.release(load_course(root), wish, watch)
    out.print("the releases are what the sources make")
    return DONE


def rebuild(root: Path) -> int:
    """Make the gradebook anew, and say what could not be used."""
    course = load_course(root)
    with records.alone(course):
        rebuilt = make_anew(course)
    for damage in rebuilt.damaged:
        complain(str(damage))
    for spot in rebuilt.waiting:
        out.print(f"{spot}: there is no such cell any more; what was entered there is kept", markup=False)
    out.print(f"{course.gradebook.name} is made anew from the sheets of {rebuilt.submissions} submissions")
    return PlatformFault.exit_code if rebuilt.damaged else DONE


def _show(run: pipeline.Run, *, points: bool) -> None:
    """Print the class, then everything that needs a word, then where to look next."""
    signs = {(each.student, each.assignment): "~" for each in run.stale}
    signs |= {(each.student, each.assignment): "!" for each in run.faults}
    students = _students(run)
    table = class_table(run.course, run.grades, students, signs)
    out.print(table)
    out.print(legend(table), style="dim")
    if points:
        for assignment in run.wish.assignments or [each.name for each in run.course.assignments]:
            out.print(question_table(run.grades, assignment, students))
            out.print(question_key(run.grades, assignment), style="dim")
    for fault in run.faults.values():
        complain(str(fault))
    for found in run.gathered:
        for cell, reason in found.reasons.items():
            said = (
                f"{found.assignment}, cell {cell}: judged in the student's process, self-reported: {reason}"
            )
            out.print(said, style="yellow", markup=False)
    for submission, repairs in run_json.repairs(run).items():
        out.print(f"{submission} was mended: {'; '.join(repairs)}", style="dim", markup=False)
    count = len(run.graded)
    graded = f"{count} graded, {len(run.submissions) - count} as they were"
    out.print(f"{graded}. Next: feedback/ for students, grades.csv, `examiner lab` for manual grading.")


def _students(run: pipeline.Run) -> list[Student]:
    """Return everybody who is in the roster, in the gradebook or handed in, or only those asked for."""
    known = {each.id: each for each in (*run.course.roster, *run.grades.students)}
    everybody = known.keys() | {each.student for each in run.submissions}
    return [known.get(name, Student(name)) for name in run.wish.students or sorted(everybody)]


def _exit_code(run: pipeline.Run) -> int:
    faults = run.faults.values()
    if any(isinstance(fault, PlatformFault) for fault in faults):
        return PlatformFault.exit_code
    return StudentFault.exit_code if faults else DONE
