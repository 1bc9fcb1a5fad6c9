"""Processes for tests about processes: forks that come back with an answer, as whatever user, and boxes."""

import json
import os
import select
import signal
import traceback
from pathlib import Path

import pytest

from examiner.box import reaper, syscalls
from examiner.box.box import enter_outer
from examiner.box.limits import ResourceLimits
from examiner.box.privileges import NOBODY
from examiner.box.view import View
from examiner.box.walls import Walls, available

SECONDS = 60
VIEW = View((Path("/lib"), Path("/lib64"), Path("/usr/lib"), Path("/usr/lib64")))

HERE = available()
KINDS = {"Landlock and a reaper": Walls(namespaces=False, landlock=HERE.landlock, seccomp=True)}
if HERE.namespaces:
    KINDS["namespaces"] = HERE


def fork(function, *, user=None):
    """Return what a function returns in a process of its own, or in the last it has become, as some user."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _become(user)
            os.write(writer, json.dumps(function()).encode())
        except BaseException:  # noqa: BLE001 - nothing may go back into the test run
            os.write(writer, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writer)
    try:
        answer = _read(reader)
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
    assert not answer.startswith("Traceback"), answer
    return json.loads(answer)


def _become(user):
    if user is not None and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # as after a login


def _read(reader):
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    text = b""
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while poll.poll(SECONDS * 1000):
            part = pipe.read(1 << 16)
            if not part:
                return text.decode()
            text += part
    pytest.fail("no answer")


@pytest.fixture
def in_child():
    return fork


def ask(box, question, limits=ResourceLimits(), keep=(), environment=None):  # noqa: B008 - it is frozen
    """Return what a function returns in a candidate, which is ended, and how it ended."""
    reader, writer = os.pipe()

    def body():
        os.write(writer, json.dumps(question()).encode())

    boxed = box.start(body, limits, {*keep, writer}, environment)
    os.close(writer)
    answer = _read(reader)
    reaper.is_over(boxed.pidfd, SECONDS)
    return json.loads(answer) if answer else None, box.end(boxed)


@pytest.fixture(name="ask")
def _ask():
    return ask


@pytest.fixture(params=KINDS)
def kind(request):
    """Walls of this machine: each way to wall in that it has."""
    return KINDS[request.param]


@pytest.fixture(params=["as we are", "as somebody else"])
def user(request):
    """A user: the one who runs the tests, and, if that is root, one who is not."""
    return NOBODY if request.param == "as somebody else" else None


@pytest.fixture
def view():
    """What is enough for a Python that has imported all it needs."""
    return VIEW


@pytest.fixture
def in_box(kind, user):
    """Run a scenario in a server: a function of its box, whose plain result comes back."""
    return lambda scenario, view=VIEW: fork(lambda: scenario(enter_outer(view, kind)), user=user)
