"""What attacks earn, and what they leave alone: some of them as one class, one alone.

Three claims about each: it gets the points that its code really earned, no other student's result changed,
nothing outside the box changed and no process is left. And nobody ever sees a hidden test. Each commit has
others; `make whole` has all of them, and `full.py` does the same at length.
"""

import pytest

from tests.turns import in_turn

from .claims import (
    BYSTANDERS,
    changed_nothing,
    earned_what_its_code_did,
    harms_nobody,
    have_full_marks,
    shows_nothing_it_should_not,
)
from .scene import NBGRADER
from .suite import ASSIGNMENT, attacks, honest

pytestmark = pytest.mark.course

CELL_SECONDS = 4  # a neighbour that takes all memory at once stalls a busy machine for seconds
EXPLAINED = (
    "page_attacks",
    "reading_hidden_tests",
)  # pages take most of the time: these have something to show
BY_NBGRADER = "reading_hidden_tests"
ALONE = in_turn(("death_and_denial.kills_its_parent", "white_box.forged_reports"), 2)


def of_this_turn():
    """Return the attacks of this turn: of those that are after hidden tests, after pages, and all others."""
    reading = [attack for attack in attacks() if attack.kind == BY_NBGRADER]
    shown = [attack for attack in attacks() if is_explained(attack) and attack not in reading]
    others = [attack for attack in attacks() if not is_explained(attack)]
    return [*in_turn(reading, 15), *in_turn(shown, 8), *in_turn(others, 60)]


def is_explained(attack):
    """Whether there is something to look for on the pages of an attack."""
    return attack.kind in EXPLAINED or bool(attack.unseen)


HOSTILE, HONEST = of_this_turn(), in_turn(honest(), 30)


def by_name(submissions):
    """Show each by its name."""
    return pytest.mark.parametrize("submission", submissions, ids=lambda submission: submission.student)


@by_name([submission for submission in attacks() if submission.student in ALONE])
def test_an_attack_alone_earns_what_its_code_did_and_changes_nothing(submission, tmp_path_factory, new_scene):
    """Between two honest students, so that there is somebody to harm before it and behind it."""
    scene = new_scene(tmp_path_factory.mktemp("alone"), cell_seconds=CELL_SECONDS).hand_in(
        [*BYSTANDERS, submission]
    )
    outcome = scene.grade(*NBGRADER)
    harms_nobody(scene, outcome, submission)


@pytest.fixture(scope="module")
def one_class(tmp_path_factory, new_scene):
    """The attacks and honest students whose turn it is, graded in one run."""
    scene = new_scene(tmp_path_factory.mktemp("class"), cell_seconds=CELL_SECONDS)
    scene.hand_in([*HOSTILE, *HONEST])
    return scene, scene.grade(*NBGRADER, seconds=900)


@pytest.fixture(scope="module")
def explained(one_class):
    """The same class, with pages for those who have something to show; what that changed."""
    scene, _ = one_class
    students = [submission.student for submission in HOSTILE if is_explained(submission)]
    outcome = scene.grade("examiner", "grade", *(word for name in students for word in ("--student", name)))
    return scene, outcome


@by_name(HOSTILE)
def test_in_a_class_of_attackers_each_earns_what_its_code_did(submission, one_class):
    """Also where another one attacked the machine at the same time."""
    scene, outcome = one_class
    earned_what_its_code_did(outcome, submission)
    shows_nothing_it_should_not(scene, submission)


@by_name(HONEST)
def test_in_a_class_of_attackers_an_honest_student_gets_full_marks(submission, one_class):
    """Cell by cell."""
    have_full_marks(one_class[1], [submission])


def test_a_class_of_attackers_leaves_everything_around_it_as_it_was(one_class):
    """Files, folders, shared memory, installed packages; and no process."""
    changed_nothing(one_class[1])


def test_pages_of_feedback_change_nothing_and_no_grade(one_class, explained):
    """What is graded stays as it is."""
    _, outcome = explained
    assert outcome.code == 0, outcome.output
    assert outcome.marks == one_class[1].marks
    changed_nothing(outcome)


@by_name([submission for submission in HOSTILE if is_explained(submission)])
def test_a_page_neither_runs_nor_tells_what_an_attack_put_there(submission, explained):
    """There is a page, and nothing in it is active."""
    scene, _ = explained
    assert scene.pages(submission)
    shows_nothing_it_should_not(scene, submission)


def test_no_hidden_test_of_the_class_can_be_read(explained):
    """Neither in what a submission printed or wrote, nor in feedback, nor in the release."""
    assert explained[0].leaks() == []


def test_nor_in_the_feedback_that_nbgrader_generates(explained):
    """Its own command, by the same settings."""
    scene, _ = explained
    students = f"--student={BY_NBGRADER}.*"
    run = scene.run("nbgrader", "generate_feedback", ASSIGNMENT, "--force", students)
    assert run.returncode == 0, run.stderr
    assert scene.leaks() == []
