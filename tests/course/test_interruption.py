"""An interrupted run keeps what is finished, leaves nothing running, and goes on where it was."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examiner.store.grades import read_grades
from tests.turns import every_third

pytestmark = [pytest.mark.course, every_third(1)]


@pytest.fixture
def interrupted(small):
    """A run that was ended, by the signal that the test asks for, after its first submission."""

    def run(sign):
        small.hand_in("anna", "02_triple")
        small.hand_in("fred", code="import time\nwhile True: time.sleep(0.1)")
        command = [Path(sys.executable).parent / "examiner", "grade", "--workers", "2"]
        with subprocess.Popen(command, cwd=small.root, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.startswith("submissions 1/2 anna"):
                    break
            process.send_signal(sign)
            process.communicate(timeout=60)
        return process.returncode

    return run


def kernels(small):
    """Return the command lines of kernels that run in this course's folders."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str(small.root) in str((process / "cwd").readlink()):
                    found.append((process / "cmdline").read_bytes())
            except OSError:
                continue
    return [line for line in found if b"ipykernel" in line]


def test_an_interrupt_ends_everything_and_keeps_what_is_done(small, interrupted):
    """Ctrl-C is how most long runs end."""
    assert interrupted(signal.SIGINT) == 130
    assert kernels(small) == []
    assert read_grades(small.course).of("anna", "02_triple").score == 10
    run = small.called("grade", "-s", "anna")
    assert "submissions" not in run.stdout
    assert "feedback 1/1 anna/02_triple" in run.stdout


def test_a_killed_run_goes_on_where_it_was(small, interrupted):
    """Nothing was half written; what the run left in its scratch folder is cleared away."""
    assert interrupted(signal.SIGKILL) == -signal.SIGKILL
    small.hand_in("fred", "02_triple")
    run = small.called("grade", "-a", "02_triple")
    assert run.returncode == 0, run.stderr
    assert "submissions 1/1 fred/02_triple" in run.stdout
    assert not list((small.root / ".examiner" / "staging").iterdir())
