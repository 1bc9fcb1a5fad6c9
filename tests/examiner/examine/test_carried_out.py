"""What a snapshot learns stays in the box: no way on which it could reach what the student's own cells print.

Each way is tried twice. Told by a process that one of the student's own cells has forked, the word arrives
in the executed notebook, so the way is a way. Told by a snapshot, when the examiner passes the word, it does
not.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from examiner.box.walls import Walls
from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.model import GradeKey, Identity, TimeLimits
from examiner.verdict import Outcome
from tests.turns import in_turn

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
WORD = "2b7e151628aed2a6"  # what the hidden test passes
TOLD = WORD[::-1]  # how it is passed on, since a filter of the word itself would not find that
HEARD = f"{WORD!r}[::-1]"  # what a cell prints that found a mere number: its own text must not look told
WALLS = {"namespaces": None, "Landlock": Walls(namespaces=False, landlock=6, seccomp=True)}


@dataclass(frozen=True)
class Way:
    """A way out: what is made before, how `told` is passed on, and a cell that prints what it finds."""

    before: str
    tell: str
    look: str
    needs_namespaces: bool = False


def file(place):
    """Return the way by a file in a folder."""
    path = f"import os\nplace = os.path.join({place}, 'note')"
    return Way(path, "open(place, 'w').write(told)", "print(open(place).read())")


WAIT = "import time\ntime.sleep(0.5)"  # a student's cell, which listens so long
CONTROL = """
import json, os, stat, struct
def is_socket(descriptor):
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False
control = os.dup(next(filter(is_socket, range(4096))))
def report(text):
    outputs = {"0": [{"output_type": "stream", "name": "stdout", "text": text}]}
    event = json.dumps({"cell": 2, "outputs": outputs}).encode()
    return struct.pack("<IBQ", len(event), 16, 0) + event
"""

WAYS = {
    "a file beside the notebook": file("os.getcwd()"),
    "a file in /tmp": file("os.environ['TMPDIR']"),
    "a file in /dev/shm": Way(
        "",
        "open('/dev/shm/note', 'w').write(told)",
        "print(open('/dev/shm/note').read())",
        needs_namespaces=True,
    ),
    "the name of a folder": Way("", "import os; os.mkdir(told)", "import os; print(os.listdir())"),
    "where a link leads": Way(
        "", "import os; os.symlink(told, 'link')", "import os; print(os.readlink('link'))"
    ),
    "the size of a file": Way(
        "",
        "open('size', 'wb').truncate(77)",
        f"import os; print({HEARD} if os.path.getsize('size') == 77 else 0)",
    ),
    "the time of a file": Way(
        "open('note', 'w').close()",
        "import os; os.utime('note', (0, 86_400))",
        f"import os; print({HEARD} if os.path.getmtime('note') == 86_400 else 0)",
        needs_namespaces=True,
    ),
    "the space that is left": Way(
        "import os; space = os.statvfs('.').f_ffree",
        "[open(f'filler{n}', 'w').close() for n in range(200)]",
        f"print({HEARD} if space - os.statvfs('.').f_ffree > 150 else 0)",
        needs_namespaces=True,
    ),
    "a file that is open and has no name": Way(
        "import os; note = os.open('.', os.O_TMPFILE | os.O_RDWR)",
        "import os; os.write(note, told.encode())",
        "print(os.pread(note, 100, 0))",
    ),
    "the offset of a file that both have open": Way(
        "import os; note = os.open('.', os.O_TMPFILE | os.O_RDWR)",
        "import os; os.lseek(note, 77, 0)",
        f"print({HEARD} if os.lseek(note, 0, 1) == 77 else 0)",
    ),
    "a lock on a file": Way(
        "import fcntl; note = open('lock', 'w')",
        "fcntl.flock(note, fcntl.LOCK_EX)",
        "try: fcntl.flock(open('lock'), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        f"except BlockingIOError: print({HEARD})",
    ),
    "memory that is shared": Way(
        "import mmap; page = mmap.mmap(-1, 4096)", "page[: len(told)] = told.encode()", "print(page[:100])"
    ),
    "a file that is mapped": Way(
        "import mmap, os; open('map', 'wb').write(bytes(4096))\n"
        "page = mmap.mmap(os.open('map', os.O_RDWR), 4096)",
        "page[: len(told)] = told.encode()",
        "print(page[:100])",
    ),
    "an array that is mapped": Way(
        "import numpy as np\nnote = np.memmap('array', np.uint8, 'w+', shape=100)",
        "note[: len(told)] = np.frombuffer(told.encode(), np.uint8)",
        "print(note.tobytes())",
    ),
    "a value of multiprocessing": Way(
        "import ctypes, multiprocessing\nnote = multiprocessing.RawArray(ctypes.c_char, 100)",
        "note.value = told.encode()",
        "print(note.value)",
        needs_namespaces=True,
    ),
    "a pipe": Way(
        "import os; reader, writer = os.pipe(); os.set_blocking(reader, False)",
        "import os; os.write(writer, told.encode())",
        "print(os.read(reader, 100))",
    ),
    "a pipe with a name": Way(
        "import os; os.mkfifo('fifo'); fifo = os.open('fifo', os.O_RDWR | os.O_NONBLOCK)",
        "import os; os.write(os.open('fifo', os.O_RDWR), told.encode())",
        "print(os.read(fifo, 100))",
    ),
    "a pair of sockets": Way(
        "import socket; ours, theirs = socket.socketpair(); ours.setblocking(False)",
        "theirs.send(told.encode())",
        "print(ours.recv(100))",
    ),
    "a descriptor that is sent": Way(
        "import os, socket; ours, theirs = socket.socketpair(); ours.setblocking(False)",
        "note = os.open('.', os.O_TMPFILE | os.O_RDWR)\n"
        "    os.write(note, told.encode()); socket.send_fds(theirs, [b'1'], [note])",
        "print(os.pread(socket.recv_fds(ours, 1, 1)[1][0], 100, 0))",
    ),
    "a counter of events": Way(
        "import os; counter = os.eventfd(0, os.EFD_NONBLOCK)",
        "import os; os.eventfd_write(counter, 77)",
        f"print({HEARD} if os.eventfd_read(counter) == 77 else 0)",
    ),
    "a signal": Way(
        "import os, signal; student, heard = os.getpid(), []\n"
        "signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))",
        "try: os.kill(student, signal.SIGUSR1)\n    except OSError: pass",
        f"print({HEARD} if heard else 0)",
    ),
    "the number of the next process": Way(
        "import os\n"
        "def next_process():\n"
        "    child = os.fork()\n"
        "    if not child: os._exit(0)\n"
        "    return os.waitpid(child, 0)[0]\n"
        "first = next_process()",
        "[next_process() for _ in range(50)]",
        f"print({HEARD} if next_process() - first > 40 else 0)",
        needs_namespaces=True,
    ),
    "a thread that waits": Way(
        "import os, threading; (reader, writer), cell = os.pipe(), threading.Event()\n"
        "def listen(): told = os.read(reader, 100); cell.wait(); print(told)\n"
        "listening = threading.Thread(target=listen, daemon=True); listening.start()",
        "import os; os.write(writer, told.encode())",
        "cell.set(); listening.join(1)",
    ),
    "a child that waits and writes to stdout": Way(
        "import os; reader, writer = os.pipe()\n"
        "if os.fork() == 0: os.write(1, os.read(reader, 100)); os._exit(0)",
        "import os; os.write(writer, told.encode())",
        WAIT,
    ),
    "stdout of before": Way(
        "import os; stdout = os.dup(1)", "import os; os.write(stdout, told.encode())", WAIT
    ),
    "a display that is updated at the end": Way(
        "import atexit, mmap; page = mmap.mmap(-1, 4096); shown = display('-', display_id=True)\n"
        "get_ipython().events.register('post_run_cell', lambda *_: shown.update(page[:100]))",
        "page[: len(told)] = told.encode()",
        "1",
    ),
    "a forged report": Way(CONTROL, "try: os.write(control, report(told))\n    except OSError: pass", WAIT),
}


@pytest.fixture(scope="module", params=in_turn([*WALLS], len(WALLS)))
def engine(request):
    with Engine(SandboxSettings(PYTHON, WALLS[request.param]), b"secret") as engine:
        yield engine


@pytest.fixture(params=WAYS)
def way(request, engine):
    found = WAYS[request.param]
    if found.needs_namespaces and not engine.run(job({})).sheet.versions["walls"].startswith("namespaces"):
        found = WAYS["a file beside the notebook"]
    return found


def job(own):
    """Return the job of a notebook with a function, its test, and cells of the student's own behind them."""
    test = f"assert f('open') == 4\n### BEGIN HIDDEN TESTS\nassert f('{WORD}') == 16\n### END HIDDEN TESTS"
    sources = {"f": "def f(x):\n    return len(x)", "test_f": test}
    submitted = document({**sources, **own})
    key = GradeKey(hashlib.sha256(submitted).hexdigest(), "", "")
    identity = Identity("course", "student", "ps1", "1", key)
    return Job(identity, document(sources), submitted, limits=TimeLimits(cell_seconds=5, notebook_seconds=60))


def document(sources):
    """Return a notebook with these cells, of which `test_f` is graded."""
    cells = []
    for name, source in sources.items():
        marks = {"grade_id": name, "schema_version": 3, "points": 2, "task": False}
        marks |= {"grade": name == "test_f", "locked": name == "test_f", "solution": name == "f"}
        metadata = {"nbgrader": marks} if name in {"f", "test_f"} else {}
        cell = {"cell_type": "code", "id": name, "metadata": metadata, "source": source, "outputs": []}
        cells.append(cell | {"execution_count": None})
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def function(way):
    """Return a function that passes on what it gets, and is right."""
    telling = f"def tell(told):\n    {way.tell}\n"
    return f"{way.before}\n{telling}\ndef f(x):\n    if len(x) == 16: tell(x[::-1])\n    return len(x)"


def shown(graded):
    """Return all that the student's cells put out, as JSON."""
    cells = json.loads(graded.notebook)["cells"]
    return json.dumps([cell["outputs"] for cell in cells if cell["id"] != "test_f"])


FORKED = f"""
import os
child = os.fork()
if child == 0:
    f({WORD!r})
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_cell_of_the_students_can_be_told(engine, way):
    """Otherwise the next test would show nothing."""
    assert TOLD in shown(engine.run(job({"f": function(way), "own": FORKED, "look": way.look})))


def test_no_snapshot_can_tell_what_it_was_asked(engine, way):
    """Neither to a cell behind its own nor to anything that goes on beside the cells; to try is free."""
    graded = engine.run(job({"f": function(way), "look": way.look}))
    assert TOLD not in shown(graded)
    assert [verdict.outcome for verdict in graded.sheet.verdicts] == [Outcome.PASSED]
