"""Kills one process of a run at a named step, and holds what the next run gives against an undisturbed one.

A kill is chosen by its number: whom, in which step, and before which of its events at which there is such a
process.
"""

import fcntl
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from . import scene
from .run import (
    CANDIDATE,
    ENTERING,
    EVIDENCE,
    EXPORT,
    FEEDBACK,
    FORK_SERVER,
    GRADING,
    GROUP,
    JUDGE,
    JUDGE_SERVER,
    KEEPING,
    KERNEL,
    MAIN,
    PENALTIES,
    RELEASE,
    SERVER,
    START,
    USUAL,
    WORKER,
    Run,
    environment,
)

NEW, HANDED_IN, GRADED = "new", "handed in", "graded"
BASES = {
    NEW: (START, RELEASE, EVIDENCE),
    HANDED_IN: (GRADING, KEEPING, ENTERING),
    GRADED: (PENALTIES, FEEDBACK, EXPORT),
}
BASE_OF = {step: base for base, steps in BASES.items() for step in steps}

EVERYWHERE = (GROUP, MAIN, FORK_SERVER)
STUDENTS_SIDE = (SERVER, JUDGE_SERVER, CANDIDATE, JUDGE)
TARGETS_IN = {
    START: EVERYWHERE,
    RELEASE: (*EVERYWHERE, WORKER),
    EVIDENCE: (*EVERYWHERE, WORKER, *STUDENTS_SIDE, KERNEL),
    GRADING: (*EVERYWHERE, WORKER, *STUDENTS_SIDE),
    KEEPING: (*EVERYWHERE, WORKER, *STUDENTS_SIDE),
    ENTERING: EVERYWHERE,
    PENALTIES: (*EVERYWHERE, WORKER),
    FEEDBACK: (*EVERYWHERE, WORKER),
    EXPORT: EVERYWHERE,
}
PAIRS = [(target, step) for step, targets in TARGETS_IN.items() for target in targets]
STRIDE = 7  # so that a few kills in a row are of many steps; it has no factor in common with their number


@dataclass(frozen=True)
class Kill:
    """Who is killed, in which step, before which of its events and which of several, both as shares."""

    number: int
    target: str
    step: str
    share: float
    which: float


def kill(number):
    """Return the kill of a number, always the same one; a row of them goes through all pairs."""
    target, step = PAIRS[STRIDE * number % len(PAIRS)]
    chance = random.Random(number)
    return Kill(number, target, step, chance.random(), chance.random())


class Bases:
    """Courses from which runs start, and what an undisturbed run makes of them."""

    def __init__(self, folder):
        self._folder = folder

    @classmethod
    def made(cls, folder, *, is_whole=True):
        """Make the courses in a folder, unless they are there.

        The evidence of an assignment takes longest to gather. Unless it is whole, the siege begins with it.
        """
        bases, done = cls(folder), folder / "done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            bases._make(is_whole=is_whole)
            done.touch()
        return bases

    def _make(self, *, is_whole):
        small = scene.bare(self.course(HANDED_IN))
        if not is_whole:
            small.keep_evidence(scene.ASSIGNMENT)
        self._run(HANDED_IN)
        scene.grade_by_hand(small.root)
        for student in scene.STUDENTS:
            if student != scene.BY_HAND:
                scene.hand_in(small, student)
        for base in (NEW, GRADED):
            shutil.copytree(small.root, self.course(base))
        scene.forget(self.course(NEW), "release", ".examiner/releases")
        if is_whole:
            scene.forget(self.course(NEW), "evidence")
            self._run(GRADED, last=PENALTIES)
        self._note_undisturbed()

    def _note_undisturbed(self):
        place, counts = Place.copied(self, NEW, self._folder / "undisturbed"), Counter()
        ended = place.run(lambda step, _, run: counts.update(f"{one} in {step}" for one in run.processes()))
        assert ended.code == 0, ended.err
        known = {"picture": scene.picture(place.course), "names": place.names(), "counts": counts}
        (self._folder / "undisturbed.json").write_text(json.dumps(known))
        place.remove()

    def _run(self, base, last=None):
        """Run in a course to start from, up to a step if one is named."""
        place = Place(self._folder / "making", self.course(base))
        place.prepare()
        place.run(lambda step, _, run: step == last and run.kill(GROUP))
        place.remove()

    def course(self, base):
        """Return the folder of a course to start from."""
        return self._folder / base

    @property
    def undisturbed(self):
        """What an undisturbed run gives: a picture, names of files, and at how many events one can kill."""
        return json.loads((self._folder / "undisturbed.json").read_text())


@dataclass(frozen=True)
class Place:
    """A course, with a home and a folder for temporary files that only its runs use."""

    folder: Path
    course: Path

    @classmethod
    def copied(cls, bases, base, folder, name="course"):
        """Return a copy of a course to start from, by its own name in a folder of its own."""
        place = cls(folder, folder / name)
        place.prepare()
        no_socket = shutil.ignore_patterns("temporary")  # of the killed run; it cannot be copied
        shutil.copytree(bases.course(base), place.course, ignore=no_socket)
        return place

    @property
    def home(self):
        """The home folder of who grades."""
        return self.folder / "home"

    @property
    def temporary(self):
        """The folder for temporary files."""
        return self.folder / "tmp"

    def prepare(self):
        """Make both folders."""
        for folder in (self.home, self.temporary):
            folder.mkdir(parents=True)

    def remove(self):
        """Remove all that is not the course, and the course if it is a copy."""
        shutil.rmtree(self.folder)

    def start(self, at_event=None, manner=USUAL):
        """Start `examiner grade` here."""
        variables = environment(self.home, self.temporary, manner.variables)
        return Run(self.course, variables, at_event, manner)

    def run(self, at_event=None, manner=USUAL):
        """Run `examiner grade` here, and return how it ended."""
        return self.start(at_event, manner).follow()

    def names(self):
        """Return the names of all that lies here."""
        return scene.names(self.course, self.home, self.temporary)


def attempt(bases, chosen, folder):
    """Kill a process, run the same command again, and return what there is to say of both, as plain data."""
    began = time.monotonic()
    place = Place.copied(bases, BASE_OF[chosen.step], folder)
    strike = Strike(chosen, bases.undisturbed["counts"].get(f"{chosen.target} in {chosen.step}", 1))
    disturbed = place.run(strike)
    faults = list(after_a_kill(disturbed, strike))
    faults += after_the_next_run(bases, place)
    found = asdict(chosen) | {
        "hit": strike.hit,
        "at": strike.at,
        "code": disturbed.code,
        "said": disturbed.said,
        "lingered": round(disturbed.lingered, 1),
        "seconds": round(time.monotonic() - began, 1),
        "faults": faults,
    }
    if not faults:
        place.remove()
    return found


class Strike:
    """Kills once its event has come."""

    def __init__(self, chosen, count):
        self.target, self._chosen, self._left = chosen.target, chosen, int(chosen.share * count)
        self.hit, self.at = False, ""

    def __call__(self, step, event, run):
        """Note an event at which there is such a process, and kill before it happens if it is the one."""
        if self.hit or step != self._chosen.step or self.target not in run.processes():
            return
        if self._left > 0:
            self._left -= 1
            return
        self.hit = run.kill(self.target, self._chosen.which)
        self.at = f"{event.word} {event.text}"[:200]


def after_a_kill(ended, strike):
    """Yield what is wrong with how a disturbed run ended."""
    is_ours = strike.target in {GROUP, MAIN} and strike.hit
    if not ended.is_clean:
        yield f"the disturbed run shows a traceback: {ended.err[-3000:]}"
    if is_ours != (ended.code == -signal.SIGKILL) or ended.code not in {-signal.SIGKILL, 0, 1}:
        yield f"the disturbed run ended with {ended.code}: {ended.err[-1000:]}"
    if ended.code == 1 and not ended.said:
        yield f"the disturbed run says nothing of its fault: {ended.err[-1000:]}"
    if ended.left:
        yield f"the disturbed run left {ended.left}"


def after_the_next_run(bases, place):
    """Run the same command, undisturbed; yield where it gives something else than an undisturbed one did."""
    ended, known = place.run(), bases.undisturbed
    if ended.code != 0 or not ended.is_clean:
        yield f"the next run ended with {ended.code}: {ended.err[-2000:]}"
    if ended.left:
        yield f"the next run left {ended.left}"
    try:
        now = json.loads(json.dumps(scene.picture(place.course)))
    except Exception as error:  # noqa: BLE001 - whatever is missing
        yield f"what counts cannot be read: {error!r}"
        return
    for name in sorted(known["picture"].keys() | now.keys()):
        if now.get(name) != known["picture"].get(name):
            yield f"{name} differs: {_difference(known['picture'].get(name), now.get(name))}"
    names = place.names()
    if names != known["names"]:
        more, fewer = set(names) - set(known["names"]), set(known["names"]) - set(names)
        yield f"files left: {sorted(more)}; files missing: {sorted(fewer)}"
    if not _is_free(place.course / ".examiner" / "lock"):
        yield "the course is still locked"


def _difference(was, now):
    """Return where two values begin to differ, as texts."""
    texts = str(was), str(now)
    first = next((n for n, pair in enumerate(zip(*texts, strict=False)) if len(set(pair)) > 1), 0)
    return " became ".join(repr(text[max(0, first - 80) : first + 200]) for text in texts)


def _is_free(path):
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
