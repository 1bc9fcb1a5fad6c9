"""Temporary files lie in the course, go with the process, and those of a killed one go with the next run."""

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from examiner.errors import PlatformFault
from examiner.store import records
from examiner.store.temporary import clear, temporary_files

RUN = """
import sys, tempfile
from pathlib import Path
from examiner.course.load import load_course
from examiner.store.temporary import temporary_files
with temporary_files(load_course(Path(sys.argv[1]))):
    tempfile.mkstemp()
    print(Path(tempfile.gettempdir()).resolve(), flush=True)
    sys.stdin.read()
"""
WORKER = """
import sys
from examiner.store.temporary import share
share(sys.argv[1])
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def process(text, argument):
    """Give a process that goes on until its input ends, and the line that it has printed."""
    command = [sys.executable, "-c", text, str(argument)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        yield started, started.stdout.readline().strip()
        started.kill()


@pytest.fixture
def place(small):
    """Where the folders of all processes lie."""
    return small.course.state / "temporary"


def test_a_process_keeps_them_below_the_course_and_removes_them_at_its_end(small, place):
    """Nothing stays in the machine's folder, and nothing in the course."""
    with process(RUN, small.root) as (run, folder):
        assert Path(folder).parent == place
        run.communicate("")
    assert run.returncode == 0
    assert not place.exists()


def test_a_socket_fits_below_a_course_whose_path_is_long(tmp_path, make_bare_course):
    """The kernel takes 107 bytes for the path of one."""
    (tmp_path / ("long" * 25)).mkdir()
    course = make_bare_course(tmp_path / ("long" * 25) / "course").course
    with temporary_files(course):
        assert len(tempfile.gettempdir()) < 60
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).resolve().is_relative_to(course.state)


def test_the_next_run_removes_those_of_a_killed_one_and_no_others(small, place):
    """`examiner check` may be at work beside it."""
    with process(RUN, small.root) as (_, living), process(RUN, small.root) as (killed, dead):
        killed.kill()
        killed.wait()
        with records.alone(small.course):
            assert [str(folder) for folder in place.iterdir()] == [living]
        assert not Path(dead).exists()


def test_a_run_waits_for_the_workers_of_a_killed_one(small):
    """They may be in the middle of writing feedback."""
    with process(RUN, small.root) as (killed, folder), process(WORKER, folder) as (worker, _):
        killed.kill()
        killed.wait()
        with pytest.raises(PlatformFault, match="a run that was killed are still at work"):
            clear(small.course, patience=0.2)
        worker.kill()
        clear(small.course)
        assert not Path(folder).exists()


def test_where_nothing_can_be_written_they_stay_with_the_machine(small):
    """Here a file is in the way, as a full or read-only disk would be; what counts then says why it fails."""
    small.course.state.mkdir(exist_ok=True)
    (small.course.state / "temporary").write_text("")
    before = tempfile.gettempdir()
    with temporary_files(small.course):
        assert tempfile.gettempdir() == before


def test_a_course_whose_path_is_too_long_for_a_database_is_told_so(tmp_path, make_bare_course):
    """SQLite would only say that it cannot open it."""
    folder = tmp_path.joinpath(*["long" * 50] * 2)
    folder.mkdir(parents=True)
    course = make_bare_course(folder / "course").course
    with pytest.raises(PlatformFault, match="too long for a database") as fault, records.alone(course):
        pass
    assert fault.value.place == str(course.root)
