"""A class of honest students, graded first: it also shows whether there is a box at all."""

import pytest

from .scene import NBGRADER, Scene
from .suite import HERE, honest, read_submission


@pytest.fixture(scope="session")
def honest_class(tmp_path_factory):
    """All honest students, and one attack that reaches for its own course only.

    Nothing dangerous runs before it: where it changes anything, all tests end.
    """
    path = HERE / "hostile" / "harm_to_others" / "classmates_submission.toml"
    probe = read_submission(path, path.parent.name)
    scene = Scene(tmp_path_factory.mktemp("honest")).hand_in([*honest(), probe])
    outcome = scene.grade(*NBGRADER)
    if outcome.changed:
        pytest.exit("submissions run without a box here: the attacks would reach this machine", returncode=1)
    return scene, outcome
