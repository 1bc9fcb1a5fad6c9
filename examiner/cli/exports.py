"""`examiner export`: writes the grades into a file."""

from pathlib import Path

from examiner.cli.console import out
from examiner.course.load import load_course
from examiner.course.names import choose
from examiner.errors import DONE, NoGradebook
from examiner.export.csv import to_csv
from examiner.store.atomic import write_text
from examiner.store.grades import read_grades


def export(root: Path, to: Path | None, form: str, *, questions: bool) -> int:
    """Write the grades into a file, and print its path."""
    choose("format", form, ["csv"])
    course = load_course(root)
    if not course.gradebook.exists():
        raise NoGradebook(course.gradebook, "there is no gradebook yet", "run `examiner grade`")
    path = to or course.root / "grades.csv"
    write_text(path, to_csv(course, read_grades(course), questions=questions))
    out.print(f"wrote {path}", markup=False)
    return DONE
