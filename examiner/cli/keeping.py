"""`examiner backup`, `restore` and `forget`: copy a course, and remove a person from it."""

from pathlib import Path

from examiner.cli.console import out
from examiner.course.load import load_course
from examiner.course.names import choose
from examiner.course.roster import ROSTER_FILE, strike
from examiner.errors import DONE, AuthorFault
from examiner.export.csv import to_csv
from examiner.model import Course
from examiner.report.progress import progress as progress_on
from examiner.store import forget as forgetting
from examiner.store import records
from examiner.store.atomic import write_text
from examiner.store.backup import backup as write_backup
from examiner.store.backup import restore as read_backup
from examiner.store.grades import read_grades

ELSEWHERE = (
    "What is not in this folder stays: backups, git's history, the LMS, and files that you exported yourself."
)


def backup(root: Path, target: Path) -> int:
    """Write the course into an archive."""
    course = load_course(root)
    with records.alone(course), progress_on(out) as progress:
        progress.phase("files", 1)
        contents = write_backup(course, target, progress.step)
    for name in contents.skipped:
        out.print(f"{name}: this is no file, so it is not in the backup", style="yellow", markup=False)
    size = target.stat().st_size / 1e6
    out.print(f"wrote {target}: {len(contents.files)} files and folders, {size:.1f} MB", markup=False)
    out.print("It holds hidden tests, grades and the secret: keep it as safe as the course.")
    return DONE


def restore(root: Path, archive: Path) -> int:
    """Put a course back from an archive."""
    with progress_on(out) as progress:
        progress.phase("files", 1)
        contents = read_backup(archive, root, progress.step)
    out.print(
        f"{root.resolve()}: {contents.course} is here again, {len(contents.files)} files and folders",
        markup=False,
    )
    out.print("Next: `examiner setup`, then `examiner grade`, which makes the pages and grades nothing anew.")
    return DONE


def forget(root: Path, student: str, *, is_sure: bool) -> int:
    """Show what the course holds about a student, and remove it if that is wanted."""
    course = load_course(root)
    with records.alone(course):
        student = choose("student", student, forgetting.everybody(course))
        found = forgetting.traces(course, student)
        _show(course, student, found)
        if not is_sure:
            raise AuthorFault(student, "nothing was removed yet", "add --yes to remove all of this for good")
        forgetting.forget(course, student, found)
        strike(course.root / ROSTER_FILE, student)
        if course.gradebook.is_file():
            write_text(course.root / "grades.csv", to_csv(load_course(root), read_grades(course)))
    out.print(f"{student} is removed. {ELSEWHERE}", markup=False)
    return DONE


def _show(course: Course, student: str, found: forgetting.Traces) -> None:
    for path in found.paths:
        count = sum(1 for below in path.rglob("*") if below.is_file()) if path.is_dir() else 1
        out.print(f"{path.relative_to(course.root)}  {count} file{'s' * (count != 1)}", markup=False)
    for path in found.entries:
        out.print(f"{path.relative_to(course.root)}  the manual entries of {student}", markup=False)
    if found.rows:
        out.print(f"{course.gradebook.name}  {found.rows} rows")
    if found.is_in_roster:
        out.print(f"{ROSTER_FILE}  the line of {student}", markup=False)
