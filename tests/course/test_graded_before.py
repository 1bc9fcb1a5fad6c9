"""A course that an earlier version graded stays graded: grades are a record, and no upgrade may touch them.

Two courses in `graded_before/` were graded by examiner as it was at the commit in `made.json`. Some digests
in them follow from the machine and from the checks of that day: these are worked out for here and today, by
the formulas as they were then. The formulas stand below a second time, since one that changes makes every
grade of every course stale. Nothing here imports examiner, whose modules may move.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.course

REPOSITORY = Path(__file__).parents[2]
FIXTURE = Path(__file__).parent / "graded_before"
MADE = json.loads((FIXTURE / "made.json").read_text())
CHECKS = "examiner_checks"
WRITTEN_BY_EXCHANGE = ("timestamp.txt", "submission_secret.txt")


@dataclass(frozen=True)
class Past:
    """What is known of one of the courses.

    Parameters
    ----------
    limits : str
        How that version wrote down the limits of its cells.
    code : int
        The exit code of `examiner grade`.
    count : int
        How many submissions there are.
    """

    name: str
    limits: str
    code: int
    count: int

    @property
    def folder(self):
        """Where it lies in the repository."""
        return FIXTURE / self.name

    @property
    def assignments(self):
        """The names of its assignments."""
        return sorted(path.name for path in (self.folder / "source").iterdir())


SMALL = Past("small", "Limits(cell_seconds=5, notebook_seconds=120)", 3, 8)
PLAIN = Past("plain", "Limits(cell_seconds=20, notebook_seconds=900)", 0, 2)

LOST = ("ben", "carl")  # whose sheets a disk lost


# ---- the formulas as they were ----


def digest(content):
    """Return the digest of a text or of bytes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def joined(*texts):
    """Return the digest of several texts."""
    return digest("\0".join(texts))


def digest_of(files):
    """Return the digest of files, by their names."""
    total = hashlib.sha256()
    for name, content in sorted(files.items()):
        total.update(len(name.encode()).to_bytes(8, "big") + name.encode() + hashlib.sha256(content).digest())
    return total.hexdigest()


def assignment_digest(past, name, checks):
    """Return what the key of a grade says of the assignment."""
    files = below(past.folder / "source" / name) | beside(past, checks)
    notebooks = {Path(path).stem: content for path, content in files.items() if path.endswith(".ipynb")}
    others = {path: content for path, content in files.items() if not path.endswith(".ipynb")}
    modes = json.loads((past.folder / "evidence" / f"{name}.json").read_text())["modes"]
    in_kernel = sorted((cell, mode) for cell, mode in modes.items() if mode == "kernel")
    parts = [digest_of(notebooks), digest_of(others), past.limits, repr(in_kernel)]
    if past is SMALL and any(b"reference" in content for content in notebooks.values()):
        parts.append(digest_of(below(past.folder / "pack")))
    return joined(*parts)


def evidence_digest(past, name, checks):
    """Return the version of an assignment that evidence is good for."""
    files = below(past.folder / "source" / name)
    files |= {f"checks/{path}": content for path, content in checks.items()}
    files |= {f"mutants/{path}": text for path, text in below(past.folder / "tests/mutants" / name).items()}
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        total.update(f"{len(path)}:{path}{len(content)}:".encode() + content)
    return total.hexdigest()


def release_digest(past, name, checks):
    """Return what is remembered of a release that is up to date."""
    folders = [past.folder / "source" / name, past.folder / "release" / name]
    return joined(*(digest_of(below(folder) | beside(past, checks)) for folder in folders))


def checks_digest(checks):
    """Return what the key of a grade says of the checks in the student environment."""
    return digest(b"".join(f"\0{name}\0".encode() + content for name, content in sorted(checks.items())))


def environment_of_requirements(checks):
    """Return what the key of a grade says of an environment that is made from requirements."""
    requirements = (REPOSITORY / "requirements" / "student.txt").read_bytes()
    return joined(digest(sys.version.encode() + requirements), checks_digest(checks))


def environment_of_kernel(specification):
    """Return what the key of a grade says of an environment that is a kernel of the instructor's."""
    environment = Path(sys.executable).parents[1]
    names = [path.name for path in sorted(environment.glob("lib*/python3*/site-packages/*.dist-info"))]
    return joined(digest(specification + sys.executable.encode() + "".join(names).encode()), "")


# ---- what is in the courses, and how it is brought here ----


def below(folder):
    """Return the contents of the files below a folder by their paths in it, the checks aside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"__pycache__", CHECKS} & set(path.relative_to(folder).parts)
    }


def beside(past, checks):
    """Return the checks as they lie beside the notebooks of a course with a course.toml."""
    return {f"{CHECKS}/{name}": content for name, content in checks.items()} if past is SMALL else {}


def checks_in(folder):
    """Return the sources of the checks."""
    kinds = ("*.py", "pyproject.toml", "README.md", "py.typed")
    return {path.name: path.read_bytes() for kind in kinds for path in sorted(folder.glob(kind))}


def sheets(root, place="*/*"):
    """Return the paths of the files of the store, in order."""
    return sorted((root / "sheets").glob(f"{place}/[0-9]*-*.json"))


def last_sheets(root):
    """Return the paths of the sheets that count, by the folders they lie in."""
    return {path.parent: path for path in sheets(root)}


def keys(past):
    """Return the keys of all grades, by the paths of their sheets."""
    parts = {path: json.loads(path.read_text())["parts"] for path in sheets(past.folder)}
    return {path: found[0]["sheet"]["identity"]["key"] for path, found in parts.items()}


def written(past):
    """Return the digests of assignments, evidence and releases that stand in a course."""
    found = {("assignment", path.parents[1].name): key["assignment"] for path, key in keys(past).items()}
    for name in past.assignments:
        evidence = json.loads((past.folder / "evidence" / f"{name}.json").read_text())
        found["evidence", name] = evidence["version"]
        found["release", name] = (past.folder / ".examiner" / "releases" / name).read_text()
    return found


def worked_out(past, checks):
    """Return the same by the formulas."""
    formulas = {"assignment": assignment_digest, "evidence": evidence_digest, "release": release_digest}
    return {
        (kind, name): formula(past, name, checks)
        for kind, formula in formulas.items()
        for name in past.assignments
    }


def changed(content, changes):
    """Return bytes with digests exchanged."""
    for old, new in changes.items():
        content = content.replace(old.encode(), new.encode())
    return content


class Opened:
    """A copy of a course as it would be if that version had graded it here, with the checks of today.

    Parameters
    ----------
    past : Past
        Which one.
    root : Path
        Where the copy is to be.
    """

    def __init__(self, past, root):
        self.past, self.root = past, root
        self.kernels = root.with_name(f"{root.name}-jupyter")
        specification = self._make_kernel()
        shutil.copytree(past.folder, root)
        checks = checks_in(REPOSITORY / CHECKS)
        now = worked_out(past, checks)
        changes = {old: now[what] for what, old in written(past).items()}
        [environment] = {key["environment"] for key in keys(past).values()}
        changes[environment] = (
            environment_of_requirements(checks) if past is SMALL else environment_of_kernel(specification)
        )
        self._exchange(changes)
        if past is SMALL:
            self._make_it_ours(checks)

    def _make_kernel(self):
        """Let Jupyter know the kernel that the notebooks name, and return its specification."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        text = json.dumps({"argv": command, "display_name": "Python 3", "language": "python"})
        path = self.kernels / "kernels" / "python3" / "kernel.json"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        return text.encode()

    def _exchange(self, changes):
        """Exchange digests wherever they stand: in sheets, then in what tells of sheets by their digests."""
        for path in sheets(self.root):
            number, _, old = path.stem.partition("-")
            content = changed(path.read_bytes(), changes)
            path.unlink()
            path.with_name(f"{number}-{digest(content)}.json").write_bytes(content)
            changes[old] = digest(content)
        for folder in ("evidence", ".examiner"):
            for path in filter(Path.is_file, (self.root / folder).rglob("*")):
                path.write_bytes(changed(path.read_bytes(), changes))
        text = self.root / "gradebook.sql"
        with closing(sqlite3.connect(self.root / "gradebook.db")) as database:
            database.executescript(changed(text.read_bytes(), changes).decode())
        text.unlink()

    def _make_it_ours(self, checks):
        """Say where the project is, and put its checks beside the notebooks."""
        settings = self.root / "course.toml"
        settings.write_text(settings.read_text().replace("REPOSITORY", str(REPOSITORY)))
        for folder in [*self.root.glob("source/*"), *self.root.glob("release/*")]:
            shutil.rmtree(folder / CHECKS, ignore_errors=True)
            (folder / CHECKS).mkdir()
            for name, content in checks.items():
                (folder / CHECKS / name).write_bytes(content)

    def examiner(self, *arguments):
        """Run the command line in the course, as somebody who has not activated the environment."""
        ours = {"PATH": os.defpath, "COLUMNS": "200", "JUPYTER_PATH": str(self.kernels)}
        return subprocess.run(
            [Path(sys.executable).parent / "examiner", *arguments],
            cwd=self.root,
            env=os.environ | ours,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def rows(self):
        """Return all rows of the gradebook by table, those of examiner's own aside."""
        with closing(sqlite3.connect(self.root / "gradebook.db")) as database:
            tables = [
                name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            return {
                name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
                for name in tables
                if name != "examiner_entered"
            }

    def entered(self):
        """Return the digests of the sheets that the gradebook was written from."""
        with closing(sqlite3.connect(self.root / "gradebook.db")) as database:
            return sorted(sheet for (sheet,) in database.execute("SELECT sheet FROM examiner_entered"))

    def store(self):
        """Return everything in the store: sheets, what persons entered, the secret."""
        return below(self.root / "sheets")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A function that opens a course anew."""
    return lambda past: Opened(past, tmp_path_factory.mktemp("before") / past.name)


@pytest.fixture(scope="module", params=[SMALL, PLAIN], ids=lambda past: past.name)
def past(request):
    """Each of the courses."""
    return request.param


@pytest.fixture(scope="module")
def graded(past, opened):
    """A course in which `examiner grade` was run: as it was before, as it is now, and what was said."""
    course = opened(past)
    before = course.rows(), course.store(), below(course.root / "autograded"), below(course.root / "release")
    (course.root / "grades.csv").unlink()
    return before, course, course.examiner("grade")


@pytest.fixture(scope="module")
def rebuilt(past, opened):
    """A course in which `examiner rebuild` was run: the rows there were, as it is now, and what was said."""
    course = opened(past)
    return course.rows(), course, course.examiner("rebuild")


@pytest.fixture(scope="module")
def anew(opened):
    """A course in which sheets of ben and carl were lost, and dora had gone back to her first attempt."""
    course = opened(SMALL)
    for student in LOST:
        shutil.rmtree(course.root / "sheets" / "01_double" / student)
        (course.root / ".examiner" / "records" / student / "01_double.json").unlink()
    shutil.copytree(FIXTURE / "earlier", course.root / "submitted", dirs_exist_ok=True)
    run = course.examiner(
        "grade", "-a", "01_double", *(f"--student={student}" for student in (*LOST, "dora"))
    )
    assert "3 graded, 0 as they were" in run.stdout, run.stdout + run.stderr
    return course


# ---- what these tests stand on ----


def test_the_formulas_here_are_those_of_the_version_that_graded(past):
    """Who changes one here together with examiner's own is told here that old grades say something else."""
    checks = checks_in(SMALL.folder / "release" / "01_double" / CHECKS)
    assert written(past) == worked_out(past, checks)
    for path, key in keys(past).items():
        assert path.stem.partition("-")[2] == digest(path.read_bytes())
        assert len({len(value) for value in key.values()}) == 1
    stamp = MADE["student environment"]
    environments = {key["environment"] for key in keys(SMALL).values()}
    assert environments == {joined(stamp["base"], checks_digest(checks))}
    assert stamp["checks"] == checks_digest(checks)


def test_work_is_known_by_the_same_digest(past):
    """What a student handed in is told from other work by it; no machine and no version is in it."""
    for folder, path in last_sheets(past.folder).items():
        handed_in = below(past.folder / "submitted" / folder.name / folder.parent.name)
        work = {name: content for name, content in handed_in.items() if name not in WRITTEN_BY_EXCHANGE}
        assert keys(past)[path]["submission"] == digest_of(work)


# ---- what a user relies on ----


def test_nothing_is_graded_anew_and_nothing_is_stale(graded):
    """An instructor who upgrades in the middle of a term runs the command, and no student's grade moves."""
    _, course, run = graded
    assert run.returncode == course.past.code, run.stdout + run.stderr
    assert f"0 graded, {course.past.count} as they were" in run.stdout
    signs = ("~", "submissions", "evidence", "releases", "late 1/")
    assert not [sign for sign in signs if sign in run.stdout]


def test_what_was_refused_stays_refused_with_the_same_words(graded):
    """The student was told why, and nothing has changed about it."""
    _, course, run = graded
    told = "emil/01_double/double.ipynb: this is no readable notebook (Expecting property name"
    assert (told in run.stderr) == (course.past is SMALL)


def test_the_store_holds_the_same_files(graded):
    """Sheets, manual grades and the secret are the record: nothing is added to it, and nothing rewritten."""
    (_, store, *_), course, _ = graded
    assert course.store() == store


def test_executed_notebooks_and_releases_are_left_alone(graded):
    """What students were given, and what formgrader shows, is in somebody's hands already."""
    (*_, autograded, release), course, _ = graded
    assert below(course.root / "autograded") == autograded
    assert below(course.root / "release") == release


def test_no_row_of_the_gradebook_changes(graded):
    """Ids included: formgrader's addresses hold them, and other programs may."""
    (rows, *_), course, _ = graded
    assert course.rows() == rows


def test_the_csv_is_the_same_to_the_letter(graded):
    """It is what is sent to the registry, and whoever compares two of them must find real changes only."""
    _, course, _ = graded
    assert (course.root / "grades.csv").read_text() == (course.past.folder / "grades.csv").read_text()


def test_what_was_executed_then_can_be_explained_now(graded):
    """Feedback is made from notebooks that the earlier version executed, with its verdicts in them."""
    _, course, _ = graded
    notebooks = (course.past.folder / "autograded").rglob("*.ipynb")
    wanted = {path.relative_to(course.past.folder / "autograded").with_suffix(".html") for path in notebooks}
    feedback = course.root / "feedback"
    assert {path.relative_to(feedback) for path in feedback.rglob("*.html")} == wanted
    page = "carl/01_double/double" if course.past is SMALL else "bitdiddle/ps1/words"
    points = "8.25 / 10.0" if course.past is SMALL else "2.5 / 5.0"
    assert f"Score: {points}" in (feedback / f"{page}.html").read_text()


def without_gaps(rows):
    """Return rows in which a name that nobody gave is empty: rebuilding makes it so where it was missing."""
    return rows | {"student": [tuple(value or "" for value in row) for row in rows["student"]]}


def test_a_rebuilt_gradebook_is_the_same(rebuilt):
    """It is what one does when something looks wrong, so it must not make grades look different."""
    rows, course, run = rebuilt
    assert run.returncode == 0, run.stdout + run.stderr
    assert without_gaps(course.rows()) == without_gaps(rows)


def test_sheets_are_read_as_what_was_written(rebuilt):
    """Their digests are worked out from what was read: were it another text, all would be graded anew."""
    _, course, _ = rebuilt
    last = last_sheets(course.root).values()
    assert course.entered() == sorted(path.stem.partition("-")[2] for path in last)


def test_a_lost_gradebook_comes_back_with_the_manual_grades(opened):
    """All but what nbgrader alone decides, late penalties, and whom a person wanted to look at again."""
    course = opened(SMALL)
    before = course.rows()
    (course.root / "gradebook.db").unlink()
    run = course.examiner("rebuild")
    assert run.returncode == 0, run.stdout + run.stderr
    after = course.rows()
    same = before.keys() - {"submitted_notebook", "grade"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert [row[:-1] for row in after["grade"]] == [row[:-1] for row in before["grade"]]
    assert [row[:3] for row in after["submitted_notebook"]] == [
        row[:3] for row in before["submitted_notebook"]
    ]


def said_of(path):
    """Return what each cell was tested on and gave, of which nothing depends on the machine."""
    return [
        {
            name: verdict[name]
            for name in ("grade_id", "outcome", "points", "max_points", "mode", "seed", "output")
        }
        for part in json.loads(path.read_text())["parts"]
        for verdict in part["sheet"]["verdicts"]
    ]


def test_work_that_is_graded_anew_is_tested_on_the_same_inputs(anew):
    """A student who asks for a second look gets the same test, and not another roll of the dice."""
    for student in LOST:
        place = f"01_double/{student}"
        [before], [after] = sheets(SMALL.folder, place), sheets(anew.root, place)
        assert said_of(after) == said_of(before)


def test_an_attempt_that_comes_back_is_filed_as_it_was(anew):
    """To the byte: the earlier version's sheet counts again, and no later one says it in its own way."""
    first, _, third = sheets(anew.root, "01_double/dora")
    assert third.read_bytes() == first.read_bytes()
