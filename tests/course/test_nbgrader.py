"""nbgrader as its users know it works on the course: its commands and the exchange, as one user."""

import csv
import getpass
import json

import pytest

from examiner.store.grades import read_grades

pytestmark = pytest.mark.course

ME = getpass.getuser()
WHERE = "import sys\nprint(sys.prefix)"


def solve(path):
    """Type the right answer into a fetched notebook, and a cell that says where it runs."""
    document = json.loads(path.read_text())
    [cell] = [cell for cell in document["cells"] if cell["id"] == "double_function"]
    assert "raise NotImplementedError" in "".join(cell["source"])
    cell["source"] = "def double(x):\n    return x * 2\n"
    document["cells"].append(
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "where",
            "metadata": {},
            "outputs": [],
            "source": WHERE,
        }
    )
    path.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def cycle(fresh_course, nbgrader):
    """A course through which one submission went by nbgrader's commands alone."""
    root, outputs = fresh_course.root, {}
    for command in ("generate_assignment", "release_assignment", "fetch_assignment"):
        outputs[command] = nbgrader(root, command, "01_double")
    solve(fresh_course.root / "01_double" / "double.ipynb")
    for command in (
        "submit",
        "collect",
        "autograde",
        "generate_feedback",
        "release_feedback",
        "fetch_feedback",
    ):
        outputs[command] = nbgrader(root, command, "01_double")
    return fresh_course, outputs


@pytest.fixture(scope="module")
def fresh_course(tmp_path_factory, make_small_course):
    return make_small_course(tmp_path_factory.mktemp("nbgrader") / "course")


def test_the_release_is_complete_and_holds_nothing_hidden(cycle):
    """The parts that students may import are generated before nbgrader copies."""
    release = cycle[0].root / "release" / "01_double"
    assert (release / "examiner_checks" / "__init__.py").is_file()
    assert "canary" not in (release / "double.ipynb").read_text()


def test_the_exchange_gives_no_warning(cycle):
    """It lies inside the course and is there."""
    _, outputs = cycle
    assert "Released as" in outputs["release_assignment"]
    assert "Submitted as" in outputs["submit"]
    assert not [
        text for text in outputs.values() if "Unwritable" in text or "WARNING | No nbgrader_config" in text
    ]


def test_autograde_runs_in_the_student_environment(cycle):
    """The notebook asks for python3, which is the instructor's, with the reference in it."""
    document = json.loads((cycle[0].root / "autograded" / ME / "01_double" / "double.ipynb").read_text())
    [where] = [cell for cell in document["cells"] if cell["id"] == "where"]
    assert "".join(where["outputs"][0]["text"]).strip() == str(cycle[0].course.student.folder)


def test_autograde_gives_the_points(cycle):
    """A written answer that nobody gave is no points, and nobody's work."""
    grade = read_grades(cycle[0].course).of(ME, "01_double")
    assert (grade.score, grade.needs_manual_grade) == (7, False)


def test_generate_feedback_tells_nothing_hidden(cycle):
    """Formgrader's button does the same."""
    page = cycle[0].root / "feedback" / ME / "01_double" / "double.html"
    assert "All tests passed, the hidden ones too." in page.read_text()
    assert "canary" not in page.read_text()
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "double.html",
        "submission_secret.txt",
        "timestamp.txt",
    ]


def test_feedback_reaches_the_student(cycle):
    """Through the exchange, back beside the fetched assignment."""
    pages = list((cycle[0].root / "01_double" / "feedback").rglob("*.html"))
    assert [page.name for page in pages] == ["double.html"]


def test_db_and_export_know_the_submission(cycle, nbgrader):
    """nbgrader's own CSV stays available."""
    assert ME in nbgrader(cycle[0].root, "db", "student", "list")
    assert "01_double" in nbgrader(cycle[0].root, "db", "assignment", "list")
    nbgrader(cycle[0].root, "export", "--to", "own.csv")
    with (cycle[0].root / "own.csv").open() as file:
        rows = [
            row for row in csv.DictReader(file) if (row["student_id"], row["assignment"]) == (ME, "01_double")
        ]
    assert [row["score"] for row in rows] == ["7.0"]


def test_examiner_goes_on_from_there(cycle, nbgrader):
    """Whoever started with nbgrader can change over in the middle of a course, and back."""
    run = cycle[0].examiner("grade", "-a", "01_double")
    assert run.returncode == 0, run.stderr
    assert read_grades(cycle[0].course).of(ME, "01_double").score == 7
    assert "01_double is graded as it is" in nbgrader(cycle[0].root, "autograde", "01_double")


def test_a_students_folder_that_is_a_link_stops_nobody_else(cycle, nbgrader):
    """It is told, and everybody else is graded."""
    small, _ = cycle
    (small.root / "submitted" / "zoe").symlink_to(small.root / "submitted" / ME)
    small.hand_in("yan")
    output = nbgrader(small.root, "autograde", "01_double", code=1)
    assert "submitted/zoe/01_double: this is a symbolic link, or lies below one" in output
    assert read_grades(small.course).of("yan", "01_double").score == 7
    assert read_grades(small.course).of("zoe", "01_double") is None
