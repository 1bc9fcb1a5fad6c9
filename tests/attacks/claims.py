"""The claims about each attack: what it earned, what it changed, what it showed."""

from collections.abc import Iterable
from typing import Final

from .scene import Outcome, Scene, active
from .suite import HERE, HONEST, POINTS, REFUSED, Submission, read_submission

BYSTANDERS: Final = [
    read_submission(HERE / "honest" / f"{name}.toml", HONEST) for name in ("by_the_book", "slow_import")
]


def changed_nothing(outcome: Outcome) -> None:
    """Assert that files, shared memory and installed packages are as they were, and no process is left."""
    assert outcome.changed == ()
    assert outcome.left == ()


def have_full_marks(outcome: Outcome, students: Iterable[Submission]) -> None:
    """Assert that honest students got every point."""
    for submission in students:
        assert outcome.score(submission) == POINTS, (
            submission.student,
            outcome.marks.get(submission.student),
        )


def earned_what_its_code_did(outcome: Outcome, submission: Submission) -> None:
    """Assert that a submission got the points of its code; or was refused, and the instructor told."""
    assert outcome.score(submission) == submission.earned, outcome.marks.get(submission.student)
    if submission.earned == REFUSED:
        assert submission.student in outcome.output


def shows_nothing_it_should_not(scene: Scene, submission: Submission) -> None:
    """Assert that an attack took place, and that its feedback neither runs nor tells anything."""
    assert submission.says in scene.outputs(submission)
    for page in scene.pages(submission):
        assert active(page) == []
        assert not submission.unseen or submission.unseen not in page


def harms_nobody(scene: Scene, outcome: Outcome, submission: Submission) -> None:
    """Assert all claims about an attack that was graded with the bystanders alone."""
    earned_what_its_code_did(outcome, submission)
    have_full_marks(outcome, BYSTANDERS)
    changed_nothing(outcome)
    assert scene.leaks() == []
    shows_nothing_it_should_not(scene, submission)
