"""Jobs run side by side in processes of their own; one that fails, dies or hangs ends itself and no other."""

import os
import signal
import sys
import threading
import time

import pytest

from examiner.errors import BadSource, PlatformFault, StudentFault
from examiner.pool import Job, run


def work(item):
    """Do what the item says; it stands for a grading, which would take longer."""
    match item:
        case "fail":
            raise BadSource("here", "it is wrong", "correct it")
        case "crash":
            raise ZeroDivisionError("by zero")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            threading.Event().wait()
        case "print":
            os.write(1, b"out\n")
            sys.stderr.write("err\n")
        case "pid":
            return os.getpid()
    return item


@pytest.fixture
def jobs(tmp_path):
    """Return a function that makes jobs, each with a log of its own."""

    def make(*items, seconds=60):
        return [Job(item, tmp_path / f"{n}.log", seconds) for n, item in enumerate(items)]

    return make


def results(jobs, workers=2, **options):
    """Return what came of each item."""
    return {job.item: result for job, result in run(work, jobs, workers, **options)}


def test_every_job_has_a_result(jobs):
    """More jobs than workers, and the other way round."""
    assert results(jobs("a", "b", "c", "d", "e")) == dict(zip("abcde", "abcde", strict=True))
    assert results(jobs("a"), workers=8) == {"a": "a"}
    assert results([]) == {}


def test_a_job_has_a_process_of_its_own(jobs):
    """What one leaves behind in its interpreter is nothing to the next."""
    pids = [result for _, result in run(work, jobs("pid", "pid", "pid"), 1)]
    assert len({*pids, os.getpid()}) == 4


def test_a_foreseen_error_comes_back_as_it_was_raised(jobs):
    """Whose fault it is and what to do is known where it happened."""
    fault = results(jobs("fail"))["fail"]
    assert (type(fault), str(fault)) == (BadSource, "here: it is wrong; correct it.")


def test_an_unforeseen_error_is_ours_and_its_traceback_is_in_the_log(jobs, tmp_path):
    """It must be told, it must not stop the others, and it is never a student's zero."""
    found = results(jobs("crash", "a"))
    assert isinstance(found["crash"], PlatformFault)
    assert "ZeroDivisionError: by zero" in str(found["crash"])
    assert "Traceback" in (tmp_path / "0.log").read_text()
    assert found["a"] == "a"


def test_a_process_that_dies_ends_its_own_job_only(jobs):
    """A student's code can kill its parent, and a machine can run out of memory."""
    found = results(jobs("die", "a", "b"))
    assert isinstance(found["die"], PlatformFault)
    assert "exit code -9" in str(found["die"])
    assert (found["a"], found["b"]) == ("a", "b")


def test_a_job_that_never_ends_is_ended(jobs):
    """The others go on meanwhile."""
    found = results([*jobs("hang", seconds=0.5), *jobs("a", "b")])
    assert isinstance(found["hang"], StudentFault)
    assert "not done after 0.5 seconds" in str(found["hang"])
    assert (found["a"], found["b"]) == ("a", "b")


def test_what_a_job_prints_goes_into_its_log(jobs, tmp_path, capfd):
    """Kernels and nbgrader print at will; the terminal shows the progress."""
    results(jobs("print"))
    assert (tmp_path / "0.log").read_text() == "out\nerr\n"
    assert capfd.readouterr() == ("", "")


def test_closing_ends_what_still_runs(jobs):
    """An interrupt leaves no process behind that goes on writing."""
    running = run(work, [*jobs("a", "hang")], 2)
    next(running)
    before = time.monotonic()
    running.close()
    assert time.monotonic() - before < 10


def test_jobs_are_announced_in_their_order(jobs):
    """The progress display names what is being done."""
    seen = []
    results(jobs("a", "b", "c"), workers=1, starting=lambda job: seen.append(job.item))
    assert seen == ["a", "b", "c"]
