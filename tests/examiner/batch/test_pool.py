"""Jobs run side by side in processes of their own; one that fails, dies or hangs ends itself and no other."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from examiner.batch.pool import Task, run
from examiner.errors import BadSource, PlatformFault, WorkerLost
from tests.exceptions import each_exception
from tests.turns import REPOSITORY


def tell_its_end(pipe):
    """Say that work has begun, and that it is ended."""
    with pipe.open("w", buffering=1) as told:
        try:
            told.write("at work\n")
            threading.Event().wait()
        finally:
            told.write("ended in order\n")


def work(item):  # noqa: C901 - one case for each thing that can happen
    """Do what the item says; it stands for a grading, which would take longer."""
    match item:
        case "fail":
            raise BadSource("here", "it is wrong", "correct it")
        case ["raise", name]:
            raise each_exception()[name]
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case Path() if not item.exists():
            item.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case "orphan":
            os.kill(os.getppid(), signal.SIGKILL)
        case "hang":
            threading.Event().wait()
        case "print":
            os.write(1, b"out\n")
            sys.stderr.write("err\n")
        case "pid":
            return os.getpid()
        case ["tell", pipe]:
            tell_its_end(Path(pipe))
        case ["alone", folder]:
            return max(len(list(folder.iterdir())) for _ in range(300))
        case ["meet", folder, pipe, mode]:
            (folder / f"{os.getpid()}").touch()
            pipe.open(mode).close()  # once the other job opens its end, too
            (folder / f"{os.getpid()}").unlink()
    return item


@contextmanager
def opened():
    """Give what does the items."""
    yield work


@contextmanager
def refused():
    """Stand for a worker that cannot be opened."""
    raise PlatformFault("here", "it is broken", "mend it")
    yield


@pytest.fixture
def jobs(tmp_path):
    """Return a function that makes jobs, each with a log of its own."""

    def make(*items, seconds=60):
        return [Task(item, tmp_path / f"{n}.log", seconds) for n, item in enumerate(items)]

    return make


def results(jobs, workers=2, **options):
    """Return what came of each item."""
    return {job.item: result for job, result in run(opened, jobs, workers, **options)}


def test_every_job_has_a_result(jobs):
    """More jobs than workers, and the other way round."""
    assert results(jobs("a", "b", "c", "d", "e")) == dict(zip("abcde", "abcde", strict=True))
    assert results(jobs("a"), workers=8) == {"a": "a"}
    assert results([]) == {}


def test_a_worker_does_job_after_job(jobs):
    """What is slow to open is opened once."""
    pids = {result for _, result in run(opened, jobs("pid", "pid", "pid"), 1)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


def test_a_foreseen_error_comes_back_as_it_was_raised(jobs):
    """Whose fault it is and what to do is known where it happened."""
    fault = results(jobs("fail"))["fail"]
    assert (type(fault), str(fault)) == (BadSource, "here: it is wrong; correct it.")


def test_an_unforeseen_error_is_ours_and_its_traceback_is_in_the_log(jobs, tmp_path):
    """It must be told, it must not stop the others, and it is never a student's zero."""
    crash = "raise", "ZeroDivisionError"
    found = results(jobs(crash, "a"))
    assert isinstance(found[crash], PlatformFault)
    assert "ZeroDivisionError" in str(found[crash])
    assert "Traceback" in (tmp_path / "0.log").read_text()
    assert found["a"] == "a"


def test_every_exception_is_a_fault_of_its_own_job(jobs):
    """Also those that end a process, and those that come back in no other form than a sentence."""
    names = sorted(each_exception())
    ended = run(opened, jobs(*(("raise", name) for name in names), "a"), 2)
    found = {job.item: result for job, result in ended}
    assert found.pop("a") == "a"
    assert len(found) == len(names)
    assert all(isinstance(fault, PlatformFault) for fault in found.values())


def test_a_worker_that_dies_costs_one_try_of_one_job(jobs, tmp_path):
    """A machine can run out of memory for a moment."""
    found = results(jobs(tmp_path / "mark", "a", "b"))
    assert found == {tmp_path / "mark": tmp_path / "mark", "a": "a", "b": "b"}


def test_a_job_whose_worker_dies_again_is_a_fault_of_ours(jobs):
    """It is told, and the others are done."""
    found = results(jobs("die", "a", "b"))
    assert isinstance(found["die"], WorkerLost)
    assert "2 times (exit code -9)" in str(found["die"])
    assert (found["a"], found["b"]) == ("a", "b")


def test_a_worker_that_cannot_be_opened_says_why(jobs):
    """For every job, since the next one may be luckier."""
    found = {job.item: str(fault) for job, fault in run(refused, jobs("a", "b"), 2)}
    assert found == dict.fromkeys("ab", "here: it is broken; mend it.")


def test_a_job_that_must_be_alone_is(tmp_path):
    """Nothing else runs meanwhile; the others go on before and after it, side by side."""
    folder = tmp_path / "running"
    folder.mkdir()
    todo = []
    for number in range(6):
        pipe = tmp_path / f"pipe{number}"
        os.mkfifo(pipe)
        todo += [Task(["meet", folder, pipe, mode], tmp_path / "log", 60) for mode in ("rb", "wb")]
        todo.append(Task(["alone", folder], tmp_path / "log", 60, alone=True))
    found = [(job.alone, result) for job, result in run(opened, todo, 3)]
    assert [result for is_alone, result in found if is_alone] == [0] * 6
    assert not [result for _, result in found if isinstance(result, PlatformFault)]
    assert len(found) == 18


def test_jobs_are_asked_for_when_they_can_start(jobs):
    """The memory of a run does not grow with the class."""
    asked = []

    def many():
        for job in jobs(*"abcdef"):
            asked.append(job.item)
            yield job

    running = run(opened, many(), 2)
    next(running)
    assert len(asked) <= 4
    running.close()


def test_a_job_that_never_ends_is_ended(jobs):
    """The others go on meanwhile."""
    found = results([*jobs("hang", seconds=0.5), *jobs("a", "b")])
    assert isinstance(found["hang"], PlatformFault)
    assert "not done after 0.5 seconds" in str(found["hang"])
    assert (found["a"], found["b"]) == ("a", "b")


def test_what_a_job_prints_goes_into_its_log(jobs, tmp_path, capfd):
    """Kernels and nbgrader print at will; the terminal shows the progress."""
    results(jobs("print"))
    assert (tmp_path / "0.log").read_text() == "out\nerr\n"
    assert capfd.readouterr() == ("", "")


def test_closing_ends_what_still_runs(jobs):
    """An interrupt leaves no process behind that goes on writing."""
    running = run(opened, [*jobs("a", "hang")], 2)
    next(running)
    before = time.monotonic()
    running.close()
    assert time.monotonic() - before < 10


def test_jobs_are_announced_in_their_order(jobs):
    """The progress display names what is being done."""
    seen = []
    results(jobs("a", "b", "c"), workers=1, starting=lambda job: seen.append(job.item))
    assert seen == ["a", "b", "c"]


def test_a_killed_fork_server_is_started_once_more(jobs):
    """It has imported much, so a machine without memory takes it among the first."""
    found = results(jobs("a", "orphan", "b", "c"), workers=2)
    assert found == {item: item for item in ("a", "orphan", "b", "c")}
    assert results(jobs("d")) == {"d": "d"}


ABANDONED = """
import os, signal, sys
from pathlib import Path
from examiner.batch.pool import Task, run
from tests.examiner.batch.test_pool import opened
def starting(task):
    print(flush=True)
for _ in run(opened, [Task(["tell", sys.argv[1]], Path(sys.argv[2]), 60)], 1, starting=starting):
    pass
"""


def test_a_worker_ends_when_the_run_is_killed(tmp_path):
    """It would go on grading for minutes, and write into a course that somebody else grades by then."""
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-c", ABANDONED, str(tmp_path / "pipe"), str(tmp_path / "log")]
    with (
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as another,
        (tmp_path / "pipe").open() as pipe,  # the worker has it open as long as it lives
    ):
        assert pipe.readline() == "at work\n"
        another.kill()
        assert pipe.read() == "ended in order\n"
