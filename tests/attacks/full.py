"""The attacks at length: each alone between two honest students, and all as a class with every page.

An hour on a busy machine; `make attacks` runs it. pytest finds it only when told its name.
"""

import pytest

from .claims import (
    BYSTANDERS,
    changed_nothing,
    earned_what_its_code_did,
    harms_nobody,
    have_full_marks,
    shows_nothing_it_should_not,
)
from .scene import active
from .suite import ASSIGNMENT, REFUSED, attacks, honest

pytestmark = pytest.mark.course

REFUSED_SOME = 3  # the exit code


@pytest.mark.parametrize("submission", attacks(), ids=lambda submission: submission.student)
def test_an_attack_alone_earns_what_its_code_did_and_changes_nothing(submission, tmp_path_factory, new_scene):
    """Between two honest students, so that there is somebody to harm before it and behind it."""
    scene = new_scene(tmp_path_factory.mktemp("alone")).hand_in([*BYSTANDERS, submission])
    outcome = scene.grade()
    assert outcome.code == (REFUSED_SOME if submission.earned == REFUSED else 0), outcome.output
    harms_nobody(scene, outcome, submission)


@pytest.fixture(scope="module")
def one_class(tmp_path_factory, new_scene):
    """All attacks and all honest students, graded and explained in one run."""
    scene = new_scene(tmp_path_factory.mktemp("class")).hand_in([*attacks(), *honest()])
    return scene, scene.grade(seconds=1800)


@pytest.mark.parametrize("submission", attacks(), ids=lambda submission: submission.student)
def test_in_a_class_of_attackers_each_earns_what_its_code_did(submission, one_class):
    """Also where another one attacked the machine at the same time."""
    scene, outcome = one_class
    earned_what_its_code_did(outcome, submission)
    shows_nothing_it_should_not(scene, submission)


def test_a_class_of_attackers_harms_nobody_and_ends_in_order(one_class):
    """Some submissions cannot be graded: that is what the exit code says, and nothing else happened."""
    scene, outcome = one_class
    assert outcome.code == REFUSED_SOME, outcome.output
    have_full_marks(outcome, honest())
    changed_nothing(outcome)
    assert not [text for student in honest() for page in scene.pages(student) for text in active(page)]


def test_no_hidden_test_of_the_class_can_be_read(one_class):
    """Neither in what was printed or written, nor in feedback, nor in the release."""
    scene, _ = one_class
    assert scene.leaks() == []
    run = scene.run("nbgrader", "generate_feedback", ASSIGNMENT, "--force")
    assert run.returncode == 0, run.stderr
    assert scene.leaks() == []
