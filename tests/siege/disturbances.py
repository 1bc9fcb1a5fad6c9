"""All that can happen to a run besides a killed process, and what it then has to end with.

Each disturbance is one run; the next run is undisturbed, and gives what an undisturbed one always gives.
"""

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from . import scene
from .kills import GRADED, HANDED_IN, NEW, Place, after_the_next_run
from .run import ENTERING, FEEDBACK, GRADING, KEEPING, RELEASE, USUAL, Manner

DONE, PLATFORM, AUTHOR, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130
MB = 1 << 20
FAKETIME = "libfaketime.so.1"
LOCKED_SECONDS = 60  # as long as a run waits for a gradebook


@dataclass(frozen=True)
class Disturbance:
    """A run that is disturbed, in a course to start from.

    Parameters
    ----------
    codes : set of int
        The exit codes that it may have.
    around : callable
        Takes a place and returns a context manager, inside which the course is disturbed. It yields what is
        called at each event, or None.
    has_own_files : bool
        Whether it runs in namespaces of its own, in which it may mount.
    """

    codes: frozenset[int]
    base: str = HANDED_IN
    manner: Manner | Callable[[Place], Manner] = USUAL
    around: Callable[[Place], contextlib.AbstractContextManager] = lambda _: contextlib.nullcontext()
    folder: str | bytes = "course"
    has_own_files: bool = False


def once(wanted, do):
    """Return what calls a function at the first event of a step."""
    left = [do]

    def at_event(step, _, run):
        if step == wanted and left:
            left.pop()(run)

    return at_event


def mounted(place, *options):
    """Mount something over the course."""
    subprocess.run(["mount", *options, place.course], check=True)


@contextlib.contextmanager
def full_disk(place):
    """The course is on a disk that has 200 kB left."""
    aside = place.folder / "aside"
    place.course.rename(aside)
    place.course.mkdir()
    mounted(place, "-t", "tmpfs", "-o", "size=64M", "tmpfs")
    shutil.copytree(aside, place.course, dirs_exist_ok=True)
    free = shutil.disk_usage(place.course).free
    filler = place.course / "filler"
    filler.write_bytes(bytes(free - 200_000))
    yield
    filler.unlink()


@contextlib.contextmanager
def read_only(place, name):
    """A file or folder of the course cannot be written."""
    path = place.course / name
    for options in (["--bind", path, path], ["-o", "remount,bind,ro", path]):
        subprocess.run(["mount", *options], check=True)
    yield
    subprocess.run(["umount", path], check=True)


@contextlib.contextmanager
def locked(place):
    """Another program holds the gradebook longer than anybody waits."""
    with contextlib.closing(sqlite3.connect(place.course / "gradebook.db", isolation_level=None)) as book:
        book.execute("BEGIN IMMEDIATE")
        yield
        book.execute("ROLLBACK")


@contextlib.contextmanager
def locked_for_a_moment(place):
    """Another program holds the gradebook when grades are to be entered, and lets go while the run waits."""
    path = place.course / "gradebook.db"
    book = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    letting_go = Timer(1.0, book.execute, ["ROLLBACK"])
    hold = once(KEEPING, lambda _: book.execute("BEGIN IMMEDIATE"))
    let_go = once(ENTERING, lambda _: letting_go.start())

    def at_event(*event):
        hold(*event)
        let_go(*event)

    yield at_event
    letting_go.join()
    book.close()


@contextlib.contextmanager
def damaged(place):
    """Bytes in the middle of the gradebook are others."""
    path = place.course / "gradebook.db"
    good = path.read_bytes()
    path.write_bytes(good[:4096] + bytes(len(good) - 8192) + good[-4096:])
    yield
    for stray in place.course.glob("gradebook.db*"):
        stray.unlink()
    path.write_bytes(good)


@contextlib.contextmanager
def no_database(place):
    """The gradebook is text."""
    path = place.course / "gradebook.db"
    good = path.read_bytes()
    path.write_text("here was a gradebook\n" * 1000)
    yield
    path.write_bytes(good)


def signalled(step, *signs):
    """Return a disturbance by signals at a step, to the whole group as a terminal sends them."""

    def send(run):
        for sign in signs:
            os.killpg(run.main.pid, sign)

    return lambda _: contextlib.nullcontext(once(step, send))


@contextlib.contextmanager
def second_grader(place):
    """Somebody else begins to grade the same course."""
    told = []

    def begin(_):
        told.append(
            subprocess.run(
                [scene.EXAMINER, "grade"], cwd=place.course, capture_output=True, text=True, check=False
            )
        )

    yield once(GRADING, begin)
    [second] = told
    assert second.returncode == PLATFORM, second
    assert "another examiner is grading this course" in second.stderr


@contextlib.contextmanager
def changing_file(place):
    """A student hands in anew while others are graded; afterwards the first version is back."""
    path = place.course / "submitted" / scene.STUDENTS[3] / scene.ASSIGNMENT / "double.ipynb"
    good = path.read_bytes()
    yield once(GRADING, lambda _: path.write_bytes(good.replace(b"x + x", b"x * 2")))
    path.write_bytes(good)


@contextlib.contextmanager
def jumping_clock(place, first, then):
    """The machine's clock jumps in the middle of the run."""
    path = place.folder / "clock"
    path.write_text(first)
    yield once(GRADING, lambda _: path.write_text(then))


def faked(place):
    """Return how a run is started whose clock the folder's file sets."""
    [library] = Path("/usr/lib").glob(f"*/faketime/{FAKETIME}")
    variables = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(place.folder / "clock")}
    return Manner(variables=variables | {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})


def limited(kind, most):
    """Return how a run is started that has less of something."""
    return Manner(limits=((kind, most),))


def few_processes(most):
    """Return how a run is started as a user who may have few processes; root is not held to that limit."""
    if os.geteuid() != 0:
        return limited(resource.RLIMIT_NPROC, most)
    user = ("setpriv", "--ruid=65533", "--bounding-set=-sys_admin,-sys_resource")
    return Manner((*user, "prlimit", f"--nproc={most}"))


FAILED, ENDED = frozenset({PLATFORM}), frozenset({DONE})
EITHER, STOPPED = frozenset({DONE, PLATFORM}), frozenset({INTERRUPTED})
DISTURBANCES = {
    "disk full": Disturbance(FAILED, around=full_disk, has_own_files=True),
    "disk full, nothing released": Disturbance(FAILED, NEW, around=full_disk, has_own_files=True),
    "files of 20 kB at most": Disturbance(FAILED, manner=limited(resource.RLIMIT_FSIZE, 20_000)),
    "files of 20 kB at most, nothing released": Disturbance(
        FAILED, NEW, limited(resource.RLIMIT_FSIZE, 20_000)
    ),
    "course read-only": Disturbance(FAILED, around=lambda place: read_only(place, "."), has_own_files=True),
    "gradebook read-only": Disturbance(
        FAILED, around=lambda place: read_only(place, "gradebook.db"), has_own_files=True
    ),
    "gradebook locked": Disturbance(FAILED, around=locked),
    "gradebook locked, feedback to be made": Disturbance(FAILED, GRADED, around=locked),
    "gradebook locked for a moment": Disturbance(ENDED, around=locked_for_a_moment),
    "gradebook damaged": Disturbance(FAILED, around=damaged),
    "gradebook damaged, nothing released": Disturbance(FAILED, NEW, around=damaged),
    "gradebook is text": Disturbance(FAILED, around=no_database),
    "16 descriptors": Disturbance(EITHER, manner=limited(resource.RLIMIT_NOFILE, 16)),
    "32 descriptors": Disturbance(EITHER, manner=limited(resource.RLIMIT_NOFILE, 32)),
    "48 descriptors": Disturbance(EITHER, manner=limited(resource.RLIMIT_NOFILE, 48)),
    "5 processes": Disturbance(EITHER, manner=few_processes(5)),
    "12 processes": Disturbance(EITHER, manner=few_processes(12)),
    "300 MB of addresses": Disturbance(EITHER, manner=limited(resource.RLIMIT_AS, 300 * MB)),
    "600 MB of addresses": Disturbance(EITHER, manner=limited(resource.RLIMIT_AS, 600 * MB)),
    "clock jumps ahead": Disturbance(
        ENDED, manner=faked, around=lambda place: jumping_clock(place, "+0", "+3650d")
    ),
    "clock jumps back": Disturbance(
        ENDED, manner=faked, around=lambda place: jumping_clock(place, "+0", "-3650d")
    ),
    "SIGTERM while grading": Disturbance(STOPPED, around=signalled(GRADING, signal.SIGTERM)),
    "SIGTERM while releasing": Disturbance(STOPPED, NEW, around=signalled(RELEASE, signal.SIGTERM)),
    "SIGHUP while keeping": Disturbance(STOPPED, around=signalled(KEEPING, signal.SIGHUP)),
    "SIGHUP while feedback is made": Disturbance(STOPPED, GRADED, around=signalled(FEEDBACK, signal.SIGHUP)),
    "SIGINT while keeping": Disturbance(STOPPED, around=signalled(KEEPING, signal.SIGINT)),
    "SIGINT twice": Disturbance(STOPPED, around=signalled(GRADING, signal.SIGINT, signal.SIGINT)),
    "SIGINT twice while feedback is made": Disturbance(
        STOPPED, GRADED, around=signalled(FEEDBACK, signal.SIGINT, signal.SIGINT)
    ),
    "no output": Disturbance(ENDED, manner=Manner(out="closed")),
    "output that nobody reads": Disturbance(EITHER, manner=Manner(out="broken")),
    "two graders": Disturbance(ENDED, around=second_grader),
    "a file that changes": Disturbance(frozenset({REFUSED, DONE}), around=changing_file),
    "no home": Disturbance(ENDED, manner=Manner(variables={"HOME": None})),
    "a home that is not there": Disturbance(ENDED, manner=Manner(variables={"HOME": "/nonexistent"})),
    "LANG=C": Disturbance(
        ENDED,
        NEW,
        Manner(variables={"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ),
    "a path with spaces and quotes": Disturbance(ENDED, NEW, folder='it\'s a "course" $HOME & %s'),
    "a path with a newline": Disturbance(ENDED, NEW, folder="two\nlines"),
    "a path that is no UTF-8": Disturbance(ENDED, NEW, folder=b"caf\xe9"),
    "a long path": Disturbance(ENDED, NEW, folder="/".join(["long" * 15] * 5)),
}


def disturb(bases, name, folder):
    """Disturb a run, run the same command again, and return what there is to say of both, as plain data."""
    disturbance = DISTURBANCES[name]
    place = Place.copied(bases, disturbance.base, folder, os.fsdecode(disturbance.folder))
    manner = disturbance.manner(place) if callable(disturbance.manner) else disturbance.manner
    with disturbance.around(place) as at_event:
        ended = place.run(at_event, manner)
    faults = [*after_a_disturbance(ended, disturbance), *after_the_next_run(bases, place)]
    if not faults and not disturbance.has_own_files:
        place.remove()
    return {"disturbance": name, "code": ended.code, "said": ended.said, "faults": faults}


def after_a_disturbance(ended, disturbance):
    """Yield what is wrong with how a disturbed run ended."""
    if not ended.is_clean:
        yield f"it shows a traceback: {ended.err[-3000:]}"
    if ended.code not in disturbance.codes:
        yield f"it ended with {ended.code}: {ended.err[-2000:]}"
    if ended.code in {PLATFORM, AUTHOR, REFUSED, INTERRUPTED} and not ended.said:
        yield f"it says nothing of its fault: {ended.err[-1000:]}"
    if ended.left:
        yield f"it left {ended.left}"
