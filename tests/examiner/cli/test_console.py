"""What is printed may go nowhere, and a run that is to end ends once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examiner.cli.console import interrupts

PRINT = "from examiner.cli.console import out, prepare_streams\nprepare_streams()\n"
PRINT += "for _ in range(3):\n    out.print('† \\udcff')\nopen('course', 'w').write('kept')\n"


def printed(folder, **options):
    """Print some lines, then write a file, in a process of its own; return how it ended."""
    return subprocess.run(
        [sys.executable, "-c", PRINT], cwd=folder, stderr=subprocess.PIPE, check=False, **options
    )


def test_a_reader_that_is_gone_ends_nothing(tmp_path):
    """As in `examiner grade | head`: the run has better things to do than to be read."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = printed(tmp_path, stdout=writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (tmp_path / "course").read_text() == "kept"


def test_a_full_disk_behind_the_output_ends_nothing(tmp_path):
    """As in `examiner grade > log` when the disk of the log is full."""
    with Path("/dev/full").open("wb") as full:
        ended = printed(tmp_path, stdout=full)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_no_file_takes_the_number_of_a_closed_output(tmp_path):
    """Else what is printed would be written into the course."""
    ended = printed(tmp_path, preexec_fn=lambda: os.close(1))
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (tmp_path / "course").read_text() == "kept"


def raise_three(sign):
    """Raise a signal, and two more while what was begun is ended."""
    with interrupts():
        try:
            signal.raise_signal(sign)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_once(sign):
    """Who presses Ctrl-C twice would leave processes behind; what ends them is bounded."""
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(KeyboardInterrupt):
        raise_three(sign)
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_what_is_ignored_stays_ignored():
    """As SIGHUP is below `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
