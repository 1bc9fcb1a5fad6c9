"""Grade sheets on disk: whole or not there, accepted once, and damage costs that one sheet."""

import json
import shutil
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from examiner.errors import PlatformFault
from examiner.model import GradeKey, Identity
from examiner.store import sheets
from examiner.store.sheets import FiledGrade, NotebookSheet, Standing
from examiner.verdict import GradeSheet, Outcome, Verdict

IDENTITY = Identity("small", "anna", "01_double", "1", GradeKey("work", "tests", "place"))
WHEN = datetime(2026, 9, 1, 12, tzinfo=UTC)


def filing(points=4.0, **changes):
    """Return a filing of one grade cell, None for points that are missing through a fault of ours."""
    outcome = Outcome.PASSED if points == 4 else Outcome.INFRASTRUCTURE if points is None else Outcome.PARTIAL
    verdict = Verdict("interface_double", outcome, points, 4.0, message="said \udcff")
    sheet = GradeSheet(replace(IDENTITY, **changes), (verdict,))
    return FiledGrade((NotebookSheet("double", sheet, ("written_why",)),), WHEN)


def read(course):
    return sheets.read(course, "anna", "01_double")


def names(course):
    return sorted(
        path.name[:4] + path.suffix for path in sheets.folder(course, "anna", "01_double").iterdir()
    )


def test_a_filing_comes_back_as_it_was(small):
    """Everything that the gradebook is made from is in it."""
    assert sheets.accept(small.course, filing()) == filing()
    assert read(small.course).last == filing()
    assert [history.last for history in sheets.read_all(small.course)] == [filing()]


def test_a_result_is_accepted_once(small):
    """The second grading of the same work, tests and environment is not asked for its opinion."""
    sheets.accept(small.course, filing(4.0))
    assert sheets.accept(small.course, filing(1.0)) == filing(4.0)
    assert names(small.course) == ["0001.json"]


def test_what_failed_through_our_fault_is_graded_again(small):
    """An infrastructure verdict is no result."""
    sheets.accept(small.course, filing(None))
    assert read(small.course).find(IDENTITY) == (Standing.NEW, filing(None))
    assert sheets.accept(small.course, filing(1.0)) == filing(1.0)
    assert read(small.course).find(IDENTITY) == (Standing.SETTLED, filing(1.0))
    assert names(small.course) == ["0001.json", "0002.json"]


@pytest.mark.parametrize("part", ["assignment", "environment"])
def test_a_changed_assignment_or_environment_makes_a_grade_stale(small, part):
    """It stays, until another is asked for."""
    sheets.accept(small.course, filing())
    changed = replace(IDENTITY, key=replace(IDENTITY.key, **{part: "changed"}))
    assert read(small.course).find(changed) == (Standing.STALE, filing())
    again = filing(1.0, key=changed.key)
    assert sheets.accept(small.course, again) == again
    assert read(small.course).find(changed) == (Standing.SETTLED, again)


@pytest.mark.parametrize("change", [{"attempt": "2"}, {"key": GradeKey("other work", "tests", "place")}])
def test_other_work_is_new(small, change):
    """Whatever was graded before says nothing about it."""
    sheets.accept(small.course, filing())
    assert read(small.course).find(replace(IDENTITY, **change)) == (Standing.NEW, None)


def test_a_student_who_goes_back_to_earlier_work_gets_its_grade_back(small):
    """It is filed again, since the last filing is the one that counts."""
    first, second = filing(4.0), filing(1.0, attempt="2")
    for grade in (first, second, first):
        sheets.accept(small.course, grade)
        assert read(small.course).last == grade
    assert len(names(small.course)) == 3


@pytest.mark.parametrize("damage", [b"", b"{", None])
def test_a_damaged_sheet_is_named_and_set_aside(small, damage):
    """Nothing else stops, and no earlier attempt counts in its place; it is graded again."""
    course = small.course
    sheets.accept(course, filing(4.0))
    sheets.accept(course, filing(1.0, attempt="2"))
    path = sheets.files(sheets.folder(course, "anna", "01_double"))[1]
    path.write_bytes(path.read_bytes().replace(b"1.0", b"4.0") if damage is None else damage)
    history = read(course)
    [fault] = history.damaged
    assert str(fault).startswith(
        f"{path}.damaged: this file of the store is damaged (its content does not match"
    )
    assert history.grades == (filing(4.0),)
    assert history.last is None
    assert read(course).last is None, "not only at the time it was found"
    assert read(course).damaged == ()
    sheets.accept(course, filing(1.0, attempt="2"))
    assert read(course).last == filing(1.0, attempt="2")
    assert names(course) == ["0001.json", "0002.damaged", "0003.json"]


def test_a_sheet_in_somebody_elses_folder_is_set_aside(small):
    """A copied folder would be a copied grade."""
    sheets.accept(small.course, filing())
    shutil.copytree(
        sheets.folder(small.course, "anna", "01_double"), sheets.folder(small.course, "ben", "01_double")
    )
    [fault] = sheets.read(small.course, "ben", "01_double").damaged
    assert "it is somebody else's" in str(fault)


def test_a_filing_of_another_version_is_refused():
    """Guessing at what it means would be guessing at grades."""
    data = json.loads(filing().text) | {"format": 2}
    with pytest.raises(ValueError, match="format 2, not 1"):
        FiledGrade.from_json(json.dumps(data))
    for text in ("[]", "{}", "1", '{"format": 1, "handed_in": null, "parts": []}'):
        with pytest.raises(ValueError):  # noqa: PT011 - any: whoever reads a file says which
            FiledGrade.from_json(text)


def test_parts_are_of_one_submission():
    """And of a notebook each."""
    [part] = filing().parts
    [other] = filing(attempt="2").parts
    for parts in ((part, part), (part, replace(other, notebook="b"))):
        with pytest.raises(ValueError, match=r"the sheets are not of one|two sheets are of one"):
            FiledGrade(parts)


def test_the_secret_is_made_once_and_is_nobodys_business(small):
    """Who knows it knows the hidden inputs."""
    found = sheets.secret(small.course)
    path = sheets.root(small.course) / "secret"
    assert len(found) == 32
    assert sheets.secret(small.course) == found
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".gitignore", "secret"]


def test_a_damaged_secret_is_not_made_anew(small):
    """Another one would test the same work on other inputs."""
    sheets.secret(small.course)
    (sheets.root(small.course) / "secret").write_text("short")
    with pytest.raises(PlatformFault, match="the course's secret is damaged; put back a copy"):
        sheets.secret(small.course)


def test_git_takes_nothing_of_the_store(small):
    """Grades and the secret, in whatever repository the course lies."""
    sheets.secret(small.course)
    sheets.accept(small.course, filing())
    subprocess.run(["git", "init", "-q", small.root], check=True, timeout=60)
    command = ["git", "status", "--short", "--untracked-files=all", "sheets"]
    done = subprocess.run(command, cwd=small.root, check=True, capture_output=True, timeout=60)
    assert done.stdout == b""


def test_no_secret_is_in_a_sheet(small):
    """Sheets are copied, sent and kept."""
    secret = sheets.secret(small.course).hex()
    sheets.accept(small.course, filing())
    [path] = sheets.files(sheets.folder(small.course, "anna", "01_double"))
    assert secret not in path.read_text()


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from examiner.course.load import load_course
from examiner.store import sheets
from examiner.store.sheets import FiledGrade

course, filing = load_course(Path(sys.argv[1])), FiledGrade.from_json(sys.stdin.read())
[part] = filing.parts
for attempt in range(int(sys.argv[2])):
    sheet = replace(part.sheet, identity=replace(filing.identity, attempt=str(attempt)))
    sheets.accept(course, FiledGrade((replace(part, sheet=sheet),), filing.handed_in))
    print(attempt, flush=True)
"""


def test_a_killed_writer_leaves_whole_files(small):
    """Whatever was said to be accepted is there; what was being written is no sheet yet."""
    command = [sys.executable, "-c", WRITER, str(small.root), "1000"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        process.stdin.write(filing().text)
        process.stdin.close()
        printed = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGKILL)
    history = read(small.course)
    assert history.damaged == ()
    attempts = [int(grade.identity.attempt) for grade in history.grades]
    assert attempts == list(range(len(attempts)))
    assert attempts[: len(printed)] == [int(line) for line in printed]
