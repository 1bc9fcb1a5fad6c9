"""The gradebook written from sheets is nbgrader's own, exact after any crash, and can be made anew."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from nbgrader.api import Base, Gradebook

from examiner.errors import ForeignGradebook, PlatformFault
from examiner.model import GradeKey, Identity
from examiner.store import ledger, records, sheets, tables
from examiner.store.grades import read_grades
from examiner.store.rebuild import keep_edits, rebuild
from examiner.store.sheets import FiledGrade, NotebookSheet
from examiner.verdict import GradeSheet, Outcome, Verdict

WHEN = datetime(2026, 9, 22, 22, tzinfo=UTC)  # a day late
POINTS = {"interface_double": 4.0, "numeric_double": 3.0}


def verdict(cell, points, max_points):
    """Return the verdict that goes with these points."""
    if points is None:
        outcome = Outcome.INCONCLUSIVE
    else:
        outcome = {0.0: Outcome.FAILED, max_points: Outcome.PASSED}.get(points, Outcome.PARTIAL)
    return Verdict(cell, outcome, points, max_points)


def filing(student="anna", attempt="1", blank=False, **points):
    """Return a filing of 01_double with these points, full marks for cells that are not named."""
    key = GradeKey(f"{student} {attempt}", "tests", "place")
    verdicts = tuple(verdict(cell, points.get(cell, most), most) for cell, most in POINTS.items())
    sheet = GradeSheet(Identity("small", student, "01_double", attempt, key), verdicts)
    return FiledGrade((NotebookSheet("double", sheet, ("written_why",) if blank else ()),), WHEN)


def url(course):
    return tables.url_of(course.gradebook)


def enter(course, *filings):
    """Accept filings, and enter them."""
    for grade in filings:
        sheets.accept(course, grade)
    with ledger.opened(url(course)) as book:
        return book.enter(filings)


def sql(course, script):
    """Run what formgrader would."""
    with closing(sqlite3.connect(course.gradebook)) as database:
        database.executescript(script)


def dump(course):
    """Return all rows of the gradebook."""
    with closing(sqlite3.connect(course.gradebook)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        return sorted(database.iterdump())


def rows(course):
    """Return the rows, without the texts of cells."""
    return [row for row in dump(course) if row.startswith("INSERT") and '"source_cell"' not in row]


def marks(course, student="anna", assignment="01_double"):
    """Return what the gradebook says of a student: score and whether a person has to look, by cell."""
    grade = read_grades(course).of(student, assignment)
    return {str(q): (mark.score, mark.needs_manual_grade) for q, mark in grade.marks.items()}


@pytest.fixture
def course(small):
    """A course with an empty gradebook."""
    rebuild(small.course)
    return small.course


def test_the_tables_are_nbgraders(course):
    """Column by column, as its own models describe them; one table more is ours."""
    engine = sa.create_engine(url(course))
    found = sa.MetaData()
    found.reflect(engine)
    theirs = dict(Base.metadata.tables)
    assert found.tables.keys() - theirs.keys() == {"alembic_version", "examiner_entered"}
    for name, table in theirs.items():
        columns = {c.name: (str(c.type.compile(engine.dialect)), c.nullable) for c in table.columns}
        assert {c.name: (str(c.type), c.nullable) for c in found.tables[name].columns} == columns
        uniques = [
            {
                frozenset(constraint.columns.keys())
                for constraint in t.constraints
                if isinstance(constraint, sa.UniqueConstraint)
            }
            for t in (table, tables.metadata.tables[name])
        ]
        assert uniques[0] == uniques[1]
        keys = [
            {(k.parent.name, k.target_fullname) for k in t.foreign_keys} for t in (table, found.tables[name])
        ]
        assert keys[0] == keys[1]
    engine.dispose()


def test_scores_stand_as_the_sheets_have_them(course):
    """The written answer, and what could not be judged, wait for a person."""
    assert enter(course, filing(numeric_double=1.5), filing("ben", interface_double=None)) == 2
    assert marks(course) == {
        "interface_double": (4, False),
        "numeric_double": (1.5, False),
        "written_why": (None, True),
    }
    assert marks(course, "ben")["interface_double"] == (None, True)
    assert read_grades(course).of("anna", "01_double").late_seconds == 86400


def provisional(points, attempt="1"):
    """Return a filing in which a measurement stayed unsettled after these points were sure."""
    grade = filing(attempt=attempt)
    [part] = grade.parts
    unsettled = Verdict("numeric_double", Outcome.INCONCLUSIVE, None, 3.0, provisional=points)
    verdicts = (part.sheet.verdicts[0], unsettled)
    return replace(grade, parts=(replace(part, sheet=replace(part.sheet, verdicts=verdicts)),))


def test_what_is_surely_earned_counts_until_a_person_decides(course):
    """The total is not less meanwhile, and the cell waits in formgrader; an unsettled zero is no score."""
    enter(course, provisional(2.0))
    grade = read_grades(course).of("anna", "01_double")
    assert marks(course)["numeric_double"] == (2.0, True)
    assert (grade.raw_score, grade.is_provisional, grade.needs_manual_grade) == (6.0, True, True)
    before = rows(course)
    rebuild(course)
    assert rows(course) == before
    enter(course, provisional(0.0, attempt="2"))
    assert marks(course)["numeric_double"] == (None, True)
    assert not read_grades(course).of("anna", "01_double").is_provisional


@pytest.mark.parametrize("given", [0.0, 2.0, 3.0])
def test_what_a_person_decides_takes_the_place_of_what_was_provisional(course, given):
    """Also if it is the same number, or none; a rebuild knows it, and a new attempt waits again."""
    enter(course, provisional(2.0))
    with Gradebook(url(course)) as book:
        grade = book.find_grade("numeric_double", "double", "01_double", "anna")
        assert (grade.score, grade.needs_manual_grade) == (2.0, True)
        grade.manual_score, grade.needs_manual_grade = given, False  # as formgrader does
        book.db.commit()
    for _ in range(2):
        assert marks(course)["numeric_double"] == (given, False)
        assert not read_grades(course).of("anna", "01_double").is_provisional
        keep_edits(course)
        rebuild(course)


def test_an_answer_that_is_still_as_released_is_worth_nothing(course):
    """As nbgrader does: no person needs to look at it."""
    enter(course, filing(blank=True))
    assert marks(course)["written_why"] == (0, False)
    assert any("No response." in text for text in read_grades(course).of("anna", "01_double").comments)


def test_who_is_not_in_the_roster_is_entered_too(course):
    """Somebody who joined late has handed in."""
    enter(course, filing("zoe"))
    assert marks(course, "zoe")["interface_double"] == (4, False)


EDIT = """
UPDATE grade SET manual_score = 2, extra_credit = 0.5, needs_manual_grade = 0;
UPDATE comment SET manual_comment = 'Well argued.';
UPDATE submitted_notebook SET flagged = 1, late_submission_penalty = 1.5;
UPDATE submitted_assignment SET extension = '1970-01-02 00:00:00.000000';
"""


def test_entering_the_same_sheet_again_changes_nothing(course):
    """A person's work after it stays as it is, the mark that it is done included."""
    enter(course, filing())
    sql(course, EDIT)
    before = dump(course)
    assert enter(course, filing()) == 0
    assert dump(course) == before


def test_a_new_grading_keeps_what_a_person_entered_and_asks_for_another_look(course):
    """As nbgrader does; the automatic score lies beside the manual one."""
    enter(course, filing())
    sql(course, EDIT)
    assert enter(course, filing(attempt="2", numeric_double=0.0)) == 1
    grade = read_grades(course).of("anna", "01_double")
    assert marks(course) == dict.fromkeys((*POINTS, "written_why"), (2.5, True))
    assert (grade.penalty, grade.late_seconds) == (1.5, 0)
    assert any("Well argued." in text for text in grade.comments)


def test_the_last_of_several_gradings_counts(course):
    """A batch may hold an attempt and the next."""
    assert enter(course, filing(), filing(attempt="2", numeric_double=0.0)) == 1
    assert marks(course)["numeric_double"] == (0, False)


def test_an_assignment_that_was_not_released_is_said(course):
    """Nobody guesses at its cells."""
    [part] = filing().parts
    identity = replace(filing().identity, assignment="03_new")
    unknown = FiledGrade((replace(part, sheet=replace(part.sheet, identity=identity)),))
    with pytest.raises(PlatformFault, match="03_new: the gradebook does not know this assignment"):
        enter(course, unknown)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "UPDATE alembic_version SET version_num = 'b6d005d67074'",
            "another version of nbgrader (revision b6",
        ),
        ("DROP TABLE alembic_version", "this is no gradebook of nbgrader's"),
    ],
)
def test_a_gradebook_of_another_version_is_not_touched(course, script, words):
    """Its tables are not those that we know."""
    sql(course, script)
    before = dump(course)
    for change in (lambda: enter(course, filing()), lambda: rebuild(course)):
        with pytest.raises(ForeignGradebook) as caught:
            change()
        assert words in str(caught.value)
    assert dump(course) == before


def test_a_file_that_is_no_database_is_not_replaced(course):
    """Manual grades may be in it, for somebody who can repair it."""
    course.gradebook.write_bytes(b"no database" * 1000)
    for change in (lambda: enter(course, filing()), lambda: rebuild(course)):
        with pytest.raises(ForeignGradebook, match=r"this is no gradebook \(file is not a database\)"):
            change()
    assert course.gradebook.read_bytes().startswith(b"no database")


def test_the_file_stands_alone_afterwards(course):
    """A copy of the file is a backup; meanwhile there was a log, since this disk is local."""
    with ledger.opened(url(course)) as book:
        assert book.enter([filing()]) == 1
        [mode] = tables.pragma(book.engine, "journal_mode")
        log = course.gradebook.with_name("gradebook.db-wal")
        assert (mode == "wal") == log.exists() == tables.is_on_local_disk(course.gradebook)
    assert [path.name for path in course.root.glob("gradebook.db*")] == ["gradebook.db"]


def test_somebody_who_reads_meanwhile_is_not_disturbed(course):
    """Formgrader may be open; it sees the sheets when it asks again."""
    with closing(sqlite3.connect(course.gradebook, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM grade").fetchone() == (0,)
        with ledger.opened(url(course)) as book:
            del book
        reader.execute("COMMIT")
        enter(course, filing())
        assert reader.execute("SELECT count(*) FROM grade").fetchone() == (3,)


@pytest.mark.parametrize(
    ("kind", "is_local"),
    [("ext4", True), ("nfs4", False), ("9p", False), ("fuse.sshfs", False)],
)
def test_a_log_is_for_local_disks(tmp_path, kind, is_local):
    """Its readers share memory, which a network does not offer, whatever SQLite says."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"22 1 8:1 / / rw - {'nfs' if is_local else 'ext4'} /dev/root rw\n"
        f"23 22 0:5 / {tmp_path} rw,relatime shared:1 - {kind} somewhere rw\n"
    )
    assert tables.is_on_local_disk(tmp_path / "gradebook.db", mounts) is is_local
    assert not tables.is_on_local_disk(tmp_path / "gradebook.db", tmp_path / "missing")


WRITER = """
import os, signal, sys
from pathlib import Path
from examiner.course.load import load_course
from examiner.store import ledger, sheets, tables
from examiner.store.rebuild import rebuild

course = load_course(Path(sys.argv[1]))
ledger.SUBMISSIONS_PER_TRANSACTION = 3
if sys.argv[2] == "rebuild":
    while True:
        print("begin", flush=True)
        rebuild(course)
with ledger.opened(tables.url_of(course.gradebook)) as book:
    print("begin", flush=True)
    if int(sys.argv[3]):
        connection = book.engine.raw_connection()
        die = lambda: os.kill(os.getpid(), signal.SIGKILL)
        connection.driver_connection.set_progress_handler(die, int(sys.argv[3]))
        connection.close()
    for line in sys.stdin:
        filing = sheets.accept(course, sheets.FiledGrade.from_json(line))
        book.enter(shelf.last for shelf in sheets.read_all(course))
        print(filing.identity.student, flush=True)
"""


def killed_after(course, task, text, lines, steps=0):
    """Kill the writer after so many lines or steps of SQLite; return whether it came to its end before."""
    command = [sys.executable, "-c", WRITER, str(course.root), task, str(steps)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        process.stdin.write(text)
        process.stdin.close()
        for _ in range(lines):
            if not process.stdout.readline():
                break
        else:
            process.send_signal(signal.SIGKILL)
    assert process.returncode in {0, -signal.SIGKILL}
    return process.returncode == 0


def lines(*filings):
    """Return filings as text, a line each."""
    return "".join(grade.text for grade in filings)


def test_a_writer_that_is_killed_and_started_again_writes_the_same_gradebook(course, tmp_path):
    """At whatever points, and however often."""
    shutil.copytree(course.root, tmp_path / "quiet")
    quiet = replace(course, root=tmp_path / "quiet")
    filings = [filing(f"s{n}", numeric_double=float(n % 4), blank=n % 5 == 0) for n in range(20)]
    assert killed_after(quiet, "enter", lines(*filings), 1000)
    chance = random.Random(4)
    for _ in range(5):
        assert not killed_after(course, "enter", lines(*filings), 1000, steps=chance.randrange(20, 20000))
        assert not killed_after(course, "enter", lines(*filings), chance.randrange(1, 15))
    assert killed_after(course, "enter", lines(*filings), 1000)
    assert dump(course) == dump(quiet)
    assert list(read_all(course)) == list(read_all(quiet))


def read_all(course):
    return [shelf.last for shelf in sheets.read_all(course)]


def test_a_killed_rebuild_leaves_the_former_gradebook_or_the_new_one(course):
    """They are equal here, so each is known by its rows."""
    enter(course, *(filing(f"s{n}", numeric_double=float(n % 4)) for n in range(5)))
    sql(course, EDIT)
    rebuild(course)
    before = dump(course)
    for lines_said in (1, 2, 1, 3):
        killed_after(course, "rebuild", "", lines_said)
        assert dump(course) == before
    with records.alone(course):  # which clears away what the killed ones left
        rebuild(course)
    assert dump(course) == before
    assert list(course.staging.iterdir()) == []


def test_a_gradebook_made_anew_is_the_same(course):
    """What persons entered is in it; where sheets say otherwise than somebody's SQL, the sheets win."""
    enter(course, filing(), filing("ben", numeric_double=1.0))
    sql(course, EDIT)
    before = dump(course)
    sql(course, "UPDATE grade SET auto_score = 100")
    assert rebuild(course).submissions == 2
    assert dump(course) == before


def test_a_lost_gradebook_is_made_anew_with_what_persons_had_entered(course):
    """As far as it was filed: sheets and edits are the truth, the gradebook is their rendering."""
    enter(course, filing(), filing("ben", numeric_double=1.0))
    sql(course, "UPDATE grade SET manual_score = 2; UPDATE comment SET manual_comment = 'Well argued.'")
    keep_edits(course)
    course.gradebook.unlink()
    assert rebuild(course).waiting == ()
    assert {score for score, _ in marks(course).values()} == {2}
    assert any("Well argued." in text for text in read_grades(course).of("ben", "01_double").comments)


def test_edits_are_filed_when_there_are_new_ones(course):
    """And what a person took back is not put back."""
    enter(course, filing())
    sql(course, "UPDATE grade SET manual_score = 2")
    keep_edits(course)
    keep_edits(course)
    assert len(sheets.files(sheets.root(course) / sheets.MANUAL_ENTRIES)) == 1
    sql(course, "UPDATE grade SET manual_score = NULL")
    rebuild(course)
    assert marks(course)["interface_double"][0] == 4
    course.gradebook.unlink()
    rebuild(course)
    assert marks(course)["interface_double"][0] == 4


def change_cells(small, change):
    """Change the cells of 01_double after it was handed in."""
    path = small.source("01_double")
    document = json.loads(path.read_text())
    document["cells"] = change(document["cells"])
    path.write_text(json.dumps(document))


def without(*names):
    return lambda cells: [cell for cell in cells if cell["id"] not in names]


def with_another(cells):
    [cell] = [cell for cell in cells if cell["id"] == "interface_double"]
    added = json.loads(json.dumps(cell))
    added["id"] = added["metadata"]["nbgrader"]["grade_id"] = "numeric_more"
    return [*cells, added]


def test_a_cell_that_was_added_after_hand_in_waits_for_a_person(small, course):
    """Nobody judged it, and that is no zero; all that was known before is known still."""
    enter(course, filing())
    sql(course, EDIT)
    change_cells(small, with_another)
    rebuild(course)
    assert marks(course) == {
        "interface_double": (2.5, False),
        "numeric_double": (2.5, False),
        "written_why": (2.5, False),
        "numeric_more": (None, True),
    }
    assert read_grades(course).max_score("01_double") == 14
    enter(course, filing("ben"))
    assert marks(course, "ben")["numeric_more"] == (None, True)


def test_what_a_person_entered_at_a_removed_cell_waits_until_it_is_back(small, course):
    """The cells may have been removed by mistake, and with them hours of reading."""
    enter(course, filing())
    sql(course, EDIT)
    before, source = dump(course), small.source("01_double").read_text()
    change_cells(small, without("written_why", "numeric_double"))
    waiting = rebuild(course).waiting
    assert [str(spot) for spot in waiting] == [
        "anna/01_double, cell numeric_double",
        "anna/01_double, cell written_why",
    ]
    assert marks(course) == {"interface_double": (2.5, False)}
    small.source("01_double").write_text(source)
    assert rebuild(course).waiting == ()
    assert marks(course)["written_why"][0] == 2.5
    kept = ("comment", "base_cell", "submitted_notebook", "student", "source_cell")
    for table in kept:
        assert [r for r in dump(course) if f'"{table}"' in r] == [r for r in before if f'"{table}"' in r]


def test_a_damaged_sheet_costs_the_rebuild_nothing_else(course):
    """What the gradebook had of that work stays."""
    enter(course, filing(numeric_double=1.0), filing("ben"))
    [path] = sheets.files(sheets.folder(course, "anna", "01_double"))
    path.write_text("{")
    before = dump(course)
    rebuilt = rebuild(course)
    assert (rebuilt.submissions, len(rebuilt.damaged)) == (1, 1)
    assert dump(course) == before


def test_a_rebuild_does_not_take_the_place_of_a_gradebook_in_use(course):
    """What formgrader is writing just now would be lost; so the command says who is in the way."""
    with closing(sqlite3.connect(course.gradebook, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(PlatformFault, match=r"it cannot be written \(database is locked\)"):
            rebuild(course, patience=0.1)
    rebuild(course)


def remove(course, student):
    """Remove a student as `nbgrader db student remove --force` does."""
    with Gradebook(url(course)) as book:
        book.remove_student(student)


def test_a_student_who_was_removed_is_not_entered_again(course):
    """Neither by the next run, nor by a rebuild; the sheets stay, and others are entered."""
    enter(course, filing("nora"), filing("anna"))
    remove(course, "nora")
    enter(course, filing("nora"), filing("nora", attempt="2"), filing("anna", attempt="2"))
    rebuild(course)
    assert "nora" not in {student.id for student in read_grades(course).students}
    assert marks(course, "anna")
    assert sheets.read(course, "nora", "01_double").last is not None


def test_a_student_who_is_added_again_has_every_grade_again(course):
    """As it was: rows that were lost are no reason to think that they are there."""
    enter(course, filing("nora", numeric_double=1.0))
    before = marks(course, "nora")
    remove(course, "nora")
    with Gradebook(url(course)) as book:
        book.add_student("nora")
    assert enter(course, filing("nora", numeric_double=1.0)) == 1
    assert marks(course, "nora") == before


@pytest.mark.parametrize(
    ("pragma", "words"),
    [("max_page_count=1", "free some space there and run"), ("query_only=1", "let this account write it,")],
)
def test_a_gradebook_that_cannot_be_written_says_what_to_do(course, pragma, words):
    """A full disk is no lock, and who may not write cannot wait for it."""
    with ledger.opened(url(course)) as book:
        limit = f"PRAGMA {pragma}"
        sa.event.listen(book.engine, "connect", lambda connection, _: connection.execute(limit), insert=True)
        book.engine.dispose()  # so that the next connection has the limit
        with pytest.raises(PlatformFault, match=words):
            book.enter([filing(f"student{n:02}") for n in range(90)])


@pytest.fixture
def copied(graded, tmp_path, make_bare_course):
    """A course that `examiner grade` has graded, and one that was given equal sheets."""
    other = make_bare_course(tmp_path / "other").course
    rebuild(other)
    found = read_grades(graded.course)
    filings = []
    for (student, assignment), grade in found.grades.items():
        if grade.is_graded:
            [notebook] = {question.notebook for question in grade.marks}
            verdicts = tuple(
                verdict(str(q), mark.score, q.max_score)
                for q, mark in grade.marks.items()
                if not str(q).startswith("written")
            )
            key = GradeKey("work", "tests", "place")
            sheet = GradeSheet(Identity("small", student, assignment, "1", key), verdicts)
            blank = tuple(str(q) for q, m in grade.marks.items() if "written" in str(q) and m.score == 0)
            filings.append(FiledGrade((NotebookSheet(notebook, sheet, blank),), grade.timestamp))
    with ledger.opened(url(other)) as book:
        assert book.enter(filings) == len(filings)
    return graded.course, other, {(f.identity.student, f.identity.assignment) for f in filings}


def plain_entries(entries, ids=("id", "average_score", "num_submissions")):
    """Return what an API says, without ids, in an order of its own."""
    plain = [{key: value for key, value in entry.items() if key not in ids} for entry in entries]
    return sorted(plain, key=repr)


@pytest.mark.course
def test_nbgrader_reads_the_same_from_both(copied):
    """Scores, maxima, what waits for a person, and the queries of formgrader's pages."""
    first, second, known = copied
    with Gradebook(url(first), "small") as old, Gradebook(url(second), "small") as new:
        assert {(s.student.id, s.assignment.name) for a in new.assignments for s in a.submissions} == known
        for name in ("01_double", "02_triple"):
            pair = [book.submission_dicts(name) for book in (old, new)]
            among = [[entry for entry in found if (entry["student"], name) in known] for found in pair]
            assert plain_entries(among[0]) == plain_entries(among[1]) != []
            notebook = old.find_assignment(name).notebooks[0].name
            pair = [book.notebook_submission_dicts(notebook, name) for book in (old, new)]
            among = [[entry for entry in found if (entry["student"], name) in known] for found in pair]
            assert plain_entries(among[0]) == plain_entries(among[1]) != []
            cells = [
                plain_entries(
                    cell.to_dict()
                    for kind in ("grade", "solution", "source", "task")
                    for cell in getattr(n, f"{kind}_cells")
                )
                for n in (book.find_notebook(notebook, name) for book in (old, new))
            ]
            assert cells[0] == cells[1] != []
            order = [[c.name for c in book.find_notebook(notebook, name).source_cells] for book in (old, new)]
            assert order[0] == order[1]
            assert new.find_assignment(name).duedate == old.find_assignment(name).duedate
            assert (
                new.find_notebook(notebook, name).kernelspec == old.find_notebook(notebook, name).kernelspec
            )
        students = {student.id for student in new.students}
        among = [
            [student for student in book.student_dicts() if student["id"] in students] for book in (old, new)
        ]
        assert plain_entries(among[0]) == plain_entries(among[1]) != []
        for student, name in known:
            works = [book.find_submission(name, student) for book in (old, new)]
            assert works[0].total_seconds_late == works[1].total_seconds_late
            for kind in ("grades", "comments"):
                rows = [
                    plain_entries(row.to_dict() for n in work.notebooks for row in getattr(n, kind))
                    for work in works
                ]
                assert rows[0] == rows[1] != []


@pytest.mark.course
def test_nbgraders_own_gradebook_is_kept_when_it_is_made_anew(graded):
    """It has no sheets yet: every row is what nbgrader wrote; only texts of cells get other ids."""
    before = rows(graded.course)
    rebuild(graded.course)
    assert rows(graded.course) == before
