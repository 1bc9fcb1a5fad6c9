"""Boxes for the instructor's functions: one process for a text, a fresh snapshot each time."""

import time
from pathlib import Path

import pytest

import tinytorch
from examiner.box.limits import ResourceLimits
from examiner.examine import baselines
from examiner.examine.baselines import Baselines
from examiner.examine.instruments import process_behind
from examiner.examine.server import SandboxSettings
from examiner.judge.lent import AuthorError
from examiner.judge.lost import CandidateLost
from examiner.judge.proxy import Remote

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
TEXT = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)"


@pytest.fixture
def boxes():
    with Baselines(SandboxSettings(PYTHON), tinytorch, ResourceLimits()) as boxes:
        yield boxes


def called(boxes, text, *arguments):
    """Return what `f` of a text gives for these arguments in a snapshot, and whose child that is."""
    deadline = time.monotonic() + 30
    with boxes.opened(text) as (channel, box):
        function = Remote(channel, deadline).ask("resolve", "f")["f"]
        return function(*arguments), process_behind(channel, deadline), box.processes()


def test_every_measurement_has_a_fresh_snapshot(boxes):
    """What a baseline keeps for one student is gone for the next, and the text has run once."""
    first, one, beside = called(boxes, TEXT, 1.0)
    second, other, still = called(boxes, TEXT, 1.0)
    assert (first, second) == (1, 1)
    assert one != other
    assert one in beside
    assert beside[0] == still[0]


def test_a_process_gives_so_many_snapshots_and_then_there_is_another(boxes, monkeypatch):
    """Each snapshot needs a line that was handed over when the process was started."""
    monkeypatch.setattr(baselines, "SNAPSHOTS", 2)
    firsts = [called(boxes, TEXT, 1.0)[2][0] for _ in range(5)]
    assert len({*firsts}) == 3


def test_another_text_has_another_process(boxes):
    """Names of one cell are not there in the other."""
    assert called(boxes, TEXT, 1.0)[0] == 1
    assert called(boxes, "def f(x):\n    return 'seen' in globals()", 1.0)[0] is False
    assert called(boxes, TEXT, 1.0)[0] == 1


def test_the_reference_is_beside_it(boxes):
    """It is not installed there, and no student ever finds it."""
    text = "import tinytorch as reference\ndef f():\n    return reference.__name__"
    assert called(boxes, text)[0] == "tinytorch"


def test_a_text_that_cannot_be_run_is_the_authors_error_each_time(boxes):
    """With what was raised."""
    for _ in range(2):
        with pytest.raises(AuthorError, match="NameError: name 'student' is not defined"):
            called(boxes, "a = student(1)")


def test_a_snapshot_that_dies_takes_nothing_with_it(boxes):
    """The next one is as good as ever."""
    with pytest.raises(CandidateLost):
        called(boxes, "import os\ndef f():\n    os._exit(3)")
    assert called(boxes, "import os\ndef f():\n    return 1")[0] == 1


def test_closed_boxes_leave_no_process_and_open_again(boxes):
    """The engine closes them when a server has failed."""
    _, process, beside = called(boxes, TEXT, 1.0)
    boxes.close()
    assert not [number for number in (process, *beside) if Path(f"/proc/{number}").exists()]
    assert called(boxes, TEXT, 1.0)[0] == 1
