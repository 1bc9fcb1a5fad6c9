"""The attacks themselves: all classes are there, each says what it does, and every piece of code is code."""

import inspect
import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from examiner.verdict import Outcome

from . import builders
from .scene import BIN, CANARY, REPOSITORY, Scene, active
from .suite import (
    HERE,
    HONEST,
    KINDS,
    MARK,
    POINTS,
    REFUSED,
    SOURCE,
    attacks,
    hand_in,
    honest,
    read_submission,
)

EVERYBODY = [*attacks(), *honest()]
BROKEN_ON_PURPOSE = {("honest.own_cells", "polynomial")}


def by_name(submissions):
    """Show each by its name."""
    return pytest.mark.parametrize("submission", submissions, ids=lambda submission: submission.student)


def test_every_kind_of_attack_is_there_and_there_are_many():
    """At least 80 from hostile and unlucky students, 15 from who knows the inside, 312 with the honest."""
    kinds = Counter(attack.kind for attack in attacks())
    assert kinds.keys() == KINDS.keys()
    assert min(kinds.values()) >= 3
    assert kinds["white_box"] >= 15
    assert kinds.total() - kinds["white_box"] >= 80
    assert len(honest()) >= 25
    assert len(EVERYBODY) >= 312


def test_no_two_do_the_same():
    """A name is a student's id in the class of all."""
    assert len({submission.student for submission in EVERYBODY}) == len(EVERYBODY)
    assert len({submission.does for submission in EVERYBODY}) == len(EVERYBODY)


@by_name(EVERYBODY)
def test_a_description_says_what_can_be_checked(submission):
    """A line about it, points and cells that there are, code that compiles, no canary."""
    names = {cell["id"] for cell in json.loads(SOURCE.read_text())["cells"]}
    assert submission.does.strip()
    assert "\n" not in submission.does
    assert submission.earned == REFUSED or 0 <= submission.earned <= POINTS
    assert {*submission.cells, *submission.extra} <= names
    assert submission.says in {*Outcome} or submission.says in "".join(s for _, s in submission.sources())
    for place, source in submission.sources():
        assert CANARY not in source, f"{place}: its own text would look like a leak"
        if not source.startswith("%%markdown-cell") and (submission.student, place) not in BROKEN_ON_PURPOSE:
            compile(
                TransformerManager().transform_cell(source), place, "exec", dont_inherit=True, flags=0x2000
            )


def test_honest_students_lose_nothing():
    """Otherwise they would not be here."""
    assert {submission.earned for submission in honest()} == {POINTS}


def test_every_builder_and_every_tool_is_used():
    """What nobody uses is not tested either."""
    made = {
        name
        for name, function in inspect.getmembers(builders, inspect.isfunction)
        if [*inspect.signature(function).parameters] in (["path", "_course"], ["path", "course"])
    }
    assert made == {submission.builder for submission in EVERYBODY} - {""}
    assert {path.stem for path in (HERE / "tools").glob("*.py")} == {
        tool for submission in EVERYBODY for tool in submission.tools
    }


@by_name([submission for submission in EVERYBODY if not submission.builder])
def test_a_submission_is_the_release_with_its_own_cells(submission, tmp_path):
    """No hidden test is in it, and every cell of the release is."""
    folder = hand_in(submission, tmp_path)
    document = json.loads((folder / "windows.ipynb").read_text())
    assert "HIDDEN TESTS" not in json.dumps(document)
    ids = [cell["id"] for cell in document["cells"]]
    assert len({*ids}) == len(ids)
    assert {cell["id"] for cell in json.loads(SOURCE.read_text())["cells"]} <= {*ids}


@by_name([submission for submission in EVERYBODY if submission.builder])
def test_an_odd_submission_can_be_made(submission, tmp_path):
    """Builders change files, and nothing but their own folder."""
    classmate = hand_in(read_submission(HERE / "honest" / "by_the_book.toml", HONEST), tmp_path)
    before = (classmate / "windows.ipynb").read_bytes()
    folder = hand_in(submission, tmp_path)
    assert os.path.lexists(folder)
    assert (classmate / "windows.ipynb").read_bytes() == before


def test_an_unknown_key_is_refused(tmp_path):
    """A misspelt key would be an attack that does not take place."""
    path = tmp_path / "typo.toml"
    path.write_text('does = "nothing"\nearnt = 0\n')
    with pytest.raises(TypeError, match="earnt"):
        read_submission(path, "wire")


def test_the_course_is_worth_its_points_and_each_hidden_test_has_its_canary():
    """Four cells, each found by its own name if it leaks."""
    cells = [
        cell
        for cell in json.loads(SOURCE.read_text())["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade")
    ]
    assert sum(cell["metadata"]["nbgrader"]["points"] for cell in cells) == POINTS
    for cell in cells:
        assert f'canary = "{CANARY}01-windows-{cell["id"]}"\n' in cell["source"]


@pytest.fixture
def scene(tmp_path):
    """A course under attack in which nobody has handed in."""
    return Scene(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "course/source/01_windows/new.py",
        "course/roster.csv",
        "home/.ssh/id_ed25519",
        "temporary/x",
        "beside/x",
    ],
)
def test_a_scene_notices_what_changed_around_it(scene, name):
    """A file that is new, and one that is another."""
    before = scene.traces()
    (scene.folder / name).write_text("changed")
    assert str(scene.folder / name) in dict(scene.traces().items() ^ before.items())


def test_a_scene_takes_what_grading_writes_for_granted(scene):
    """The gradebook and the folders that commands write."""
    before = scene.traces()
    for name in (
        "gradebook.db",
        "autograded/x.ipynb",
        ".examiner/x.json",
        "source/01_windows/examiner_checks/x.py",
    ):
        (scene.root / name).parent.mkdir(parents=True, exist_ok=True)
        (scene.root / name).write_text("written")
    assert scene.traces() == before


def test_a_scene_finds_canaries_in_outputs_and_pages(scene):
    """In what a submission printed, but not in the instructor's tests that stand in the same notebook."""
    [student, *_] = honest()
    scene.hand_in([student])
    folder = scene.root / "autograded" / student.student / "01_windows"
    folder.mkdir(parents=True)
    notebook = {"cells": [{"source": f"{CANARY}x", "outputs": []}]}
    (folder / "windows.ipynb").write_text(json.dumps(notebook))
    assert scene.leaks() == []
    notebook["cells"][0]["outputs"] = [{"text": f"{CANARY}x"}]
    (folder / "windows.ipynb").write_text(json.dumps(notebook))
    assert scene.leaks() == [student.student]


def test_a_keeper_reports_a_daemon_that_was_left_behind(tmp_path):
    """It forked twice, has a session of its own, and its parents are gone."""
    report, pipe = tmp_path / "report.json", tmp_path / "pipe"
    os.mkfifo(pipe)
    daemon = f"import os\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  open({str(pipe)!r}).read()"
    subprocess.run(
        [sys.executable, HERE / "keeper.py", report, "30", "2", sys.executable, "-c", daemon], check=True
    )
    left = json.loads(report.read_text())
    assert left["code"] == 0
    assert len(left["left"]) == 1


def test_a_keeper_ends_what_takes_too_long(tmp_path):
    """A run that hangs is a failure of the run, not of the tests."""
    report = tmp_path / "report.json"
    os.mkfifo(tmp_path / "pipe")
    subprocess.run(
        [sys.executable, HERE / "keeper.py", report, "0.5", "2", "cat", tmp_path / "pipe"], check=True
    )
    assert json.loads(report.read_text()) == {"code": -9, "left": {}}


@pytest.mark.parametrize(
    ("page", "count"),
    [
        (f"<script>alert('{MARK}')</script>", 1),
        (f"<img src=x onerror=alert('{MARK}')>", 1),
        (f"<a href=' javascript:alert(\"{MARK}\")'>x</a>", 1),
        (f"<pre>&lt;script&gt;alert('{MARK}')&lt;/script&gt;</pre>", 0),
        ("<script>ours()</script>", 0),
    ],
)
def test_active_content_is_told_from_text(page, count):
    """Markup that is shown as text harms nobody; scripts of our own are ours."""
    assert len(active(page)) == count


def test_the_harness_runs_this_environment():
    """The command line that students' work goes through, not one that is found by accident."""
    assert (BIN / "examiner").exists()
    assert (REPOSITORY / "pyproject.toml").exists()
