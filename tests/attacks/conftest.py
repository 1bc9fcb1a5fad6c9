"""A class of honest students, graded first: it also shows whether there is a box at all.

Each commit has another fifth of them; `make whole` has them all.
"""

import shutil

import pytest

from tests.turns import in_turn

from .scene import NBGRADER, Scene
from .suite import HERE, honest, read_submission

HONEST = in_turn(honest(), 8)


@pytest.fixture(scope="session")
def honest_class(tmp_path_factory):
    """Honest students, and one attack that reaches for its own course only.

    Nothing dangerous runs before it: where it changes anything, all tests end.
    """
    path = HERE / "hostile" / "harm_to_others" / "classmates_submission.toml"
    probe = read_submission(path, path.parent.name)
    scene = Scene(tmp_path_factory.mktemp("honest")).hand_in([*HONEST, probe])
    outcome = scene.grade(*NBGRADER)
    if outcome.changed:
        reason = f"no box holds here, the attacks would reach this machine: {outcome.changed} changed"
        pytest.exit(reason, returncode=1)
    return scene, outcome


@pytest.fixture(scope="session")
def new_scene(honest_class):
    """Makes scenes; what was tried of the course's grade cells need not be tried again."""
    known = honest_class[0].root / "evidence"

    def make(folder, **limits):
        scene = Scene(folder, **limits)
        shutil.copytree(known, scene.root / known.name)
        return scene

    return make
