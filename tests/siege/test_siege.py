"""A run that is killed, starved or disturbed at any step ends soon and says why, and the next one mends all.

With each commit others are tried; `make siege` tries all of them, and 300 kills. It has nothing to do with
`examiner/box/siege.py`, which tries the walls around a student's code.
"""

import pytest

from tests.turns import every_third, in_turn

from .disturbances import DISTURBANCES
from .kills import BASES, GRADED, HANDED_IN, PAIRS, Bases, kill
from .run import EVIDENCE, STEPS, TARGETS
from .table import table
from .trying import alone

pytestmark = [pytest.mark.course, every_third(0)]

KILLS = [str(number) for number in range(len(PAIRS)) if kill(number).step != EVIDENCE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a course to start from."""
    place = tmp_path_factory.mktemp("siege")
    Bases.made(place / "bases", is_whole=False)
    return place


@pytest.mark.parametrize("number", in_turn(KILLS, len(KILLS)))
def test_a_process_killed_at_a_step_costs_nothing(folder, number):
    """Power fails, the kernel runs out of memory, an operator means another process."""
    found = alone(folder, number)
    assert found["faults"] == []


@pytest.mark.parametrize("name", in_turn(list(DISTURBANCES), 20))
def test_a_disturbed_run_says_so_and_the_next_one_mends_it(folder, name):
    """Each of these has happened to somebody, most of them on the last day of term."""
    found = alone(folder, name)
    assert found["faults"] == []


def test_the_kills_go_through_all_steps_and_processes():
    """Else the table has holes that nobody sees."""
    chosen = [kill(number) for number in range(len(PAIRS))]
    assert {(one.target, one.step) for one in chosen} == set(PAIRS)
    assert {one.step for one in chosen} == set(STEPS) == {step for steps in BASES.values() for step in steps}
    assert {one.target for one in chosen} == set(TARGETS)
    assert set(BASES) >= {HANDED_IN, GRADED}


def test_the_table_counts_what_was_hit_and_what_went_wrong():
    """A kill that met nobody is no kill."""
    line = {"target": "main", "step": "export", "hit": True, "faults": []}
    text = table([line, line | {"faults": ["lost"]}, line | {"hit": False}])
    assert "| main |  |  |  |  |  |  |  |  | 2 (1 wrong) | 2 |" in text
    assert "2 kills, 1 missed, 1 with faults" in text
