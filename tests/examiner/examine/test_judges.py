"""Judges behind real walls: what they can reach, what a lost one costs, and what the next one finds."""

import hashlib
import json
import math
import os
import re
import signal
import socket
import subprocess
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from examiner.box import usage
from examiner.box.limits import ResourceLimits
from examiner.box.walls import Walls
from examiner.errors import AuthorFault
from examiner.examine.engine import Engine, Job
from examiner.examine.instruments import BoxInstruments
from examiner.examine.judges import JudgeRun
from examiner.examine.server import SandboxSettings
from examiner.judge.compile import GradeCell
from examiner.judge.work import JudgeFrame
from examiner.model import GradeKey, Identity, Mode, TimeLimits
from examiner.verdict import Outcome
from examiner.wire.channel import Channel
from examiner.wire.codec import encode
from tests.turns import in_turn

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
RIGHT = "def f(x):\n    return x + 1"
WORKS = "assert f(1) == 2"
SMALL = ResourceLimits(memory_mb=300, together_mb=400)
WITHOUT_NAMESPACES = Walls(namespaces=False, landlock=6, seccomp=True)


def notebook(solution, tests, locked=""):
    """Return a notebook of a locked cell, a solution and some grade cells."""
    sources = {"locked": locked, "f": solution, **{f"t{n}": test for n, test in enumerate(tests)}}
    cells = []
    for name, source in sources.items():
        marks = {"grade_id": name, "schema_version": 3, "points": 1, "grade": name[0] == "t"}
        marks |= {"solution": name == "f", "locked": name != "f"}
        cell = {"cell_type": "code", "id": name, "metadata": {"nbgrader": marks}, "source": source}
        cells.append(cell | {"outputs": [], "execution_count": None})
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def job(*tests, solution=RIGHT, locked="", student="student01", seconds=30, **more):
    """Return the job of a student, tried by some grade cells; where one hangs, the test waits less."""
    submitted = notebook(solution, tests, locked)
    key = GradeKey(hashlib.sha256(submitted).hexdigest(), "a", "e")
    identity = Identity("course", student, "ps1", "1", key)
    limits = TimeLimits(cell_seconds=seconds, notebook_seconds=90)
    return Job(identity, notebook("", tests, locked), submitted, limits=limits, **more)


def outcomes(engine, *tests, **more):
    """Return what became of each cell."""
    return [verdict.outcome for verdict in engine.run(job(*tests, **more)).sheet.verdicts]


def printed(engine, *tests, **more):
    """Return what each cell printed; each must pass."""
    verdicts = engine.run(job(*tests, **more)).sheet.verdicts
    assert {verdict.outcome for verdict in verdicts} == {Outcome.PASSED}, verdicts
    return [verdict.output.strip() for verdict in verdicts]


WALLS = [pytest.param(None, id="all"), pytest.param(WITHOUT_NAMESPACES, id="no namespaces")]


@pytest.fixture(scope="module", params=in_turn(WALLS, 2))
def engine(request):
    with Engine(SandboxSettings(PYTHON, request.param), b"secret", limits=SMALL) as engine:
        yield engine


FILL = """
import os
for _ in range(8):
    if os.fork() == 0:
        x = b"1" * (150 << 20)
        while True:
            os.sched_yield()
os.wait()
"""
LOSSES = {
    "it ends": ("import os\nos._exit(0)", Outcome.CRASHED),
    "it crashes": ("import ctypes\nctypes.string_at(0)", Outcome.CRASHED),
    "it kills itself": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\nos.abort()",
        Outcome.CRASHED,
    ),
    "it never ends": ("while True:\n    pass", Outcome.TIMEOUT),
    "it ignores the alarm": (
        "import signal as s\ns.pthread_sigmask(s.SIG_BLOCK, s.valid_signals())\nwhile True: pass",
        Outcome.TIMEOUT,
    ),
    "it computes in C": ("x = 10 ** 10 ** 9", Outcome.TIMEOUT),
    "it stops": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nwhile True:\n    pass",
        Outcome.TIMEOUT,
    ),
    "it makes a large array": ("import numpy as np\nnp.ones(1 << 30)", Outcome.OUT_OF_MEMORY),
    "it fills memory": (
        FILL,
        Outcome.OUT_OF_MEMORY,
    ),
    "a shape of the student's is an amount": (
        "import numpy as np\nnp.ones(f(1 << 30))",
        Outcome.OUT_OF_MEMORY,
    ),
}


@pytest.mark.parametrize(("source", "outcome"), LOSSES.values(), ids=LOSSES.keys())
def test_a_judge_that_is_lost_costs_its_cell_alone(engine, source, outcome):
    """Another is started for the cells after it, and the next submission notices nothing."""
    seconds = 1 if outcome is Outcome.TIMEOUT else 30
    found = outcomes(engine, WORKS, source, WORKS, seconds=seconds)
    assert found == [Outcome.PASSED, outcome, Outcome.PASSED]
    assert outcomes(engine, WORKS) == [Outcome.PASSED]


DAEMON = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, ["left-by-a-judge", "-c", "while True: pass"])
    os._exit(0)
"""


def test_a_judge_is_gone_when_its_submission_is_graded(engine):
    """With all that its cells have started."""
    assert outcomes(engine, DAEMON, WORKS) == [Outcome.PASSED] * 2
    assert outcomes(engine, WORKS) == [Outcome.PASSED]
    assert not [number for number in usage.processes(os.getpid()) if b"left-by" in command(number)]


def command(process):
    """Return the command line of a process; nothing if it has just ended, as those of a box do."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


REACHES = {
    "the course's folder": "open(@HERE@).read()",
    "a listing of it": "import os\nos.listdir(os.path.dirname(@HERE@))",
    "somebody's own file": "open(@OWN@).read()",
    "the machine's processes": "import os\nassert len([*filter(str.isdigit, os.listdir('/proc'))]) > 1",
    "an address": "import socket\nsocket.create_connection(('127.0.0.1', @PORT@), 1)",
    "a socket of the machine's": "import socket\nsocket.socket(socket.AF_UNIX).connect(@SOCKET@)",
    "a file of its environment": "import numpy\nopen(numpy.__file__, 'a')",
    "a folder of its environment": "import os, numpy\nos.open(numpy.__path__[0], os.O_TMPFILE | os.O_RDWR)",
    "a large file": "with open('large', 'wb') as file:\n    file.write(bytes(80 << 20))\n    file.flush()",
    "another's clock": "import os\nos.sched_setaffinity(0, os.sched_getaffinity(0))",
}


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES.keys())
def test_a_judge_reaches_nothing_that_its_walls_keep(engine, reach, tmp_path):
    """Its cells are the instructor's, but they eat a student's values; outside, each of these works."""
    ours, own = tmp_path / "socket", tmp_path / "own"
    own.touch(0o600)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(ours))
        local.listen()
        source = reach.replace("@HERE@", repr(__file__)).replace("@PORT@", str(server.getsockname()[1]))
        source = source.replace("@SOCKET@", repr(str(ours))).replace("@OWN@", repr(str(own)))
        outside = subprocess.run([PYTHON, "-c", source], cwd=tmp_path, capture_output=True, check=False)
        [verdict] = engine.run(job(source)).sheet.verdicts
    assert outside.returncode == 0, outside.stderr
    assert verdict.outcome in {Outcome.ERROR, Outcome.FAILED}, verdict
    assert verdict.raised in {"AssertionError", "FileNotFoundError", "OSError", "PermissionError"}, verdict


PATCHES = {
    "a function of NumPy's": (
        "import numpy as np\nnp.linalg.solve = None",
        "import numpy as np\nassert np.linalg.solve",
    ),
    "deleted": ("import math\ndel math.pi", "import math\nassert math.pi"),
    "added": ("import math\nmath.mine = 1", "import math\nassert not hasattr(math, 'mine')"),
    "by setattr": ("import json\nsetattr(json, 'dumps', 1)", "import json\nassert json.dumps({}) == '{}'"),
    "by mock": (
        "from unittest import mock\nmock.patch('random.random', lambda: 4).start()",
        "import random\nassert random.random() < 1",
    ),
    "twice": ("import math\nmath.e = 1\nmath.e = 2", "import math\nassert 2.7 < math.e < 2.8"),
    "the checks": (
        "import numpy.testing as t\nt.assert_allclose = print",
        "import numpy.testing as t\nassert t.assert_allclose is not print",
    ),
    "the environment": ("import os\nos.environ['MINE'] = '1'", "import os\nassert 'MINE' not in os.environ"),
    "the working folder": ("import os\nos.chdir('/')", "import os\nassert os.getcwd() != '/'"),
    "the path": ("import sys\nsys.path.append('/mine')", "import sys\nassert '/mine' not in sys.path"),
    "streams": ("import sys\nsys.stdout = None", "print(1)"),
    "warnings": ("import warnings\nwarnings.simplefilter('error')", "import warnings\nwarnings.warn('x')"),
    "errors of numbers": ("import numpy as np\nnp.seterr(all='raise')", "import numpy as np\nnp.ones(1) / 0"),
    "how arrays are printed": (
        "import numpy as np\nnp.set_printoptions(precision=1)",
        "import numpy as np\nassert str(np.array([0.123])) == '[0.123]'",
    ),
    "chance": (
        "import numpy as np, random\nnp.random.seed(0)\nrandom.seed(0)",
        "import random\nassert random.random() != 0.8444218515250481",
    ),
}


@pytest.mark.parametrize(("patch", "look"), PATCHES.values(), ids=PATCHES.keys())
def test_what_a_cell_changes_is_whole_again_for_the_next(engine, patch, look):
    """And so it is for the next submission."""
    assert outcomes(engine, patch, look) == [Outcome.PASSED] * 2
    assert outcomes(engine, look) == [Outcome.PASSED]


def test_locked_cells_are_computed_once_for_all_submissions(engine):
    """Not by a judge, but by the server that it was forked from."""
    locked = "import time\nWHEN = time.monotonic_ns()\nDATA = [1, 2]"
    cells = ("DATA.append(3)\nprint(WHEN, DATA)", "print(WHEN, DATA)")
    first, second = printed(engine, *cells, locked=locked)
    assert first.partition(" ")[2] == "[1, 2, 3]"
    assert second.partition(" ")[2] == "[1, 2, 3]", "what a grade cell changes stays so, as in a notebook"
    assert printed(engine, *cells, locked=locked, student="student02") == [first, second]


def test_what_locked_cells_draw_is_drawn_for_each_submission(engine):
    """Else one who has seen it could tell the others."""
    locked = "import numpy as np\nDRAWN = np.random.random()"
    drawn = {printed(engine, "print(DRAWN)", locked=locked, student=f"student{n}")[0] for n in range(3)}
    assert len(drawn) == 3


BEFORE = "import ctypes, math, os, signal, sys, time\nimport numpy as np\n"
# What stands in line 3 of a locked cell, and what the instructor reads of it.
ENDS = {
    "it ends": ("X = os._exit(0)", "ended"),
    "it ends, and nobody needs it": ("os._exit(0)", "ended"),
    "it kills itself": ("X = os.kill(os.getpid(), signal.SIGKILL)", "ended"),
    "it ends its group": ("X = os.killpg(0, signal.SIGKILL)", "ended"),
    "it crashes": ("X = ctypes.string_at(0)", "ended"),
}
# One of them sleeps, so that no core is busy meanwhile: with all signals blocked, nothing wakes it.
HANGS = {
    "it computes in C without end": ("X = max(iter(int, 1))", "did not end in time"),
    "it ignores the alarm": (
        "X = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: time.sleep(9)",
        "did not end in time",
    ),
    "it never ends": ("X = 1\nwhile X:\n    X += 1", "it takes longer than the 1 s of a cell"),
}
FAILS = {
    "it makes a large array": ("X = np.ones(1 << 30)", "MemoryError"),
    "it exits": ("X = sys.exit()", "SystemExit"),
    "it exits with a word": ("X = sys.exit('no')", "SystemExit: no"),
    "it interrupts": ("X = (_ for _ in ()).throw(KeyboardInterrupt)", "KeyboardInterrupt"),
    "it recurs": ("X = (lambda f: f(f))(lambda f: f(f))", "RecursionError"),
    "it fails": ("X = math.sqrt(-1)", "ValueError: math domain error"),
}


@pytest.mark.parametrize(("source", "why"), [*ENDS.values(), *FAILS.values()], ids=[*ENDS, *FAILS])
def test_a_locked_cell_that_cannot_be_run_is_the_authors_and_no_students(engine, source, why):
    """It is named with its line, before a student's work is looked at; all other work is graded."""
    for student in ("student01", "student02"):
        is_the_authors(engine, job("assert X is None", locked=f"{BEFORE}{source}", student=student), why)
    assert outcomes(engine, WORKS) == [Outcome.PASSED]


@pytest.mark.parametrize("engine", [None], ids=["all"], indirect=True)
@pytest.mark.parametrize(("source", "why"), HANGS.values(), ids=HANGS)
def test_a_locked_cell_that_hangs_is_the_authors_and_no_students(engine, source, why):
    """Nobody waits for it longer than for a cell, and for what the machine may have done once more."""
    is_the_authors(engine, job("assert X is None", locked=f"{BEFORE}{source}", seconds=1), why)
    assert outcomes(engine, WORKS) == [Outcome.PASSED]


def is_the_authors(engine, work, why):
    """Whether the locked cell is named with its line, and why it cannot be run."""
    with pytest.raises(AuthorFault) as fault:
        engine.run(work)
    assert re.fullmatch(r"the instructor's notebook, locked cell locked, line [34]", fault.value.place)
    assert why in fault.value.fact


def test_assignments_that_cannot_be_run_take_no_others_place(engine):
    """A server has eight ready at a time: those that were ready still are, each under its own number."""
    right = [f"assert f({number}) == {number + 1}" for number in range(9)]
    for number, test in enumerate(right):
        assert outcomes(engine, test) == [Outcome.PASSED]
        with pytest.raises(AuthorFault):
            engine.run(job("assert X", locked=f"import os\nX = os._exit({number})"))
    for test in (*right, *reversed(right)):
        assert outcomes(engine, test, solution="def f(x):\n    return x + 1 + (x == 4)") == [
            Outcome.FAILED if "f(4)" in test else Outcome.PASSED
        ]


FILLS = """
import os, time
X = [os.fork(), bytearray(b"1") * (230 << 20)]
UNTIL = time.monotonic() + 1
while time.monotonic() < UNTIL: pass
"""


def test_a_locked_cell_that_fills_memory_is_the_authors(engine):
    """All processes of a judge are counted together."""
    with pytest.raises(AuthorFault, match="used too much memory"):
        engine.run(job("assert X", locked=FILLS))
    assert outcomes(engine, WORKS) == [Outcome.PASSED]


@pytest.mark.parametrize(
    "locked",
    ["import math\nmath.sqrt(-1)", "import sys\nsys.exit()", "while True: pass"],
    ids=["it fails", "it exits", "it never ends"],
)
def test_a_locked_cell_that_no_grade_cell_needs_may_fail(engine, locked):
    """It shows something to students, who see what it raises."""
    seconds = 1 if "while" in locked else 30
    assert outcomes(engine, WORKS, locked=locked, seconds=seconds) == [Outcome.PASSED]


# What a rewritten expression asks of a snapshot, or hands on to one, where there is none yet.
BEFORE_A_SNAPSHOT = {
    "a seed": "import random\nrandom.seed(1)\nX = random.random()",
    "NumPy's seed": "import numpy as np\nnp.random.seed(1)\nX = np.random.rand()",
    "names": "X = dir()",
    "names, and what needs them": "names = dir()\nX = len(names)",
    "a patch": "import math\nfrom unittest.mock import patch\n"
    "with patch('math.sqrt', lambda x: 7):\n    X = math.sqrt(4)",
    "an attribute of a module": "import math\nm = math\nm.more = 6\nX = m.more",
    "its own exception": "class E(Exception): pass\ntry:\n    raise E(3)\nexcept E as e:\n    X = e.args",
    "a printed text": "import contextlib, io\n"
    "with contextlib.redirect_stdout(io.StringIO()) as X:\n    print('a')",
    "a signature": "import inspect\ndef g(a): pass\nX = str(inspect.signature(g))",
    "a pickle": "import pickle\nX = pickle.loads(pickle.dumps({'a': 1}))",
}


@pytest.mark.parametrize("locked", BEFORE_A_SNAPSHOT.values(), ids=BEFORE_A_SNAPSHOT)
def test_a_locked_cell_may_need_a_snapshot(engine, locked):
    """It runs when there is one, and is no fault of the author's before."""
    assert outcomes(engine, f"assert X is not None\n{WORKS}", locked=locked) == [Outcome.PASSED]


def test_a_locked_cell_reads_the_files_beside_it(engine):
    """They are there when it is run for the first time, too."""
    files = {"data.csv": b"right"}
    cells = ("assert X == 'right'",)
    assert outcomes(engine, *cells, locked="X = open('data.csv').read()", files=files, instructors=files) == [
        Outcome.PASSED
    ]


def test_the_gate_sees_which_cells_need_what_fails():
    """A kernel may judge them; what ends a process ends a kernel, too."""
    with Engine(SandboxSettings(PYTHON), b"secret", limits=SMALL, locked_may_fail=True) as gate:
        [verdict] = gate.run(job("assert BAD", locked="import math\nBAD = math.sqrt(-1)")).sheet.verdicts
        assert (verdict.outcome, verdict.message) == (Outcome.ERROR, "ValueError: math domain error")
        with pytest.raises(AuthorFault):
            gate.run(job(WORKS, locked="import os\nX = os._exit(0)"))


NAMED = """
import ctypes, time
X = ctypes.CDLL(None).prctl(15, b"rehearsing")
UNTIL = time.monotonic() + 1
while time.monotonic() < UNTIL: pass
"""


def test_a_process_that_the_machine_takes_is_nobodys_fault(engine):
    """Whoever runs the locked cells a second time comes through."""
    assert outcomes(engine, WORKS) == [Outcome.PASSED]  # its servers are there, which run locked cells, too
    servers, taken, over = {*usage.processes(os.getpid())}, [], threading.Event()

    def take():
        while not (taken or over.is_set()):
            found = [n for n in usage.processes(os.getpid()) if n not in servers and b"rehearsing" in name(n)]
            taken.extend(found)
            for number in found:
                os.kill(number, signal.SIGKILL)

    killer = threading.Thread(target=take)
    killer.start()
    try:
        assert outcomes(engine, f"assert not X and UNTIL\n{WORKS}", locked=NAMED) == [Outcome.PASSED]
    finally:
        over.set()
        killer.join()
    assert taken


def test_a_locked_cell_that_forks_leaves_one_server(engine):
    """Two of them would answer by turns, and other assignments would be lost with this one.

    Its own notebook goes wrong wherever it runs, since the student's process forks there, too.
    """
    engine.run(job(f"assert X >= 0\n{WORKS}", locked="import os\nX = os.fork()"))
    assert [outcomes(engine, WORKS, student=f"student{n}") for n in range(5)] == 5 * [[Outcome.PASSED]]


def name(process):
    """Return the name of a process; nothing if it has just ended."""
    try:
        return Path(f"/proc/{process}/comm").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_a_cell_reads_the_instructors_file_and_a_students_where_there_is_none(engine):
    """It has its own copies, so that nobody after it finds them spoiled."""
    read = "assert open('data.csv').read() == 'right'"
    other = "import os\nassert os.path.exists('own.txt') and open('own.txt').read() == 'own'"
    spoil = "import os\nos.remove('data.csv')\nwritten = open('data.csv', 'w').write('wrong')"
    given = {"data.csv": b"right"}
    files = {"data.csv": b"theirs", "own.txt": b"own"}
    cells = (read, other, spoil)
    for _ in range(2):
        assert outcomes(engine, *cells, files=files, instructors=given) == [Outcome.PASSED] * 3


def test_an_engine_forgets_the_assignment_that_it_had_first(engine):
    """A server has eight ready at a time; one that comes back is prepared again."""
    for _ in range(2):
        for number in range(12):
            assert outcomes(engine, f"assert f({number}) == {number + 1}") == [Outcome.PASSED]


def test_no_seed_of_another_cell_is_in_a_judge(engine):
    """A seed comes with its cell, and the secret that they are made of never does."""
    look = "import os\nprint(os.environ['EXAMINER_SEED'], sorted(os.environ))"
    first, second = printed(engine, look, look + "\n")
    assert first.split()[0] != second.split()[0]
    assert b"secret" not in first.encode()


FULL = {"outcome": "passed", "points": 1.0, "message": "", "hint": "", "line": None, "is_hidden": False}
FULL |= {"awards": [], "output": "", "seconds": 0.1, "calls": 0, "measured": [], "raised": ""}
FORGED = {
    "no dict": [(JudgeFrame.VERDICT, "passed")],
    "no outcome": [(JudgeFrame.VERDICT, {name: FULL[name] for name in FULL if name != "outcome"})],
    "an unknown outcome": [(JudgeFrame.VERDICT, FULL | {"outcome": "right"})],
    "too many points": [(JudgeFrame.VERDICT, FULL | {"points": 2.0})],
    "points of no size": [(JudgeFrame.VERDICT, FULL | {"points": math.nan})],
    "points for a failure": [(JudgeFrame.VERDICT, FULL | {"outcome": "failed"})],
    "another field": [(JudgeFrame.VERDICT, FULL | {"bonus": 1.0})],
    "an unknown kind of message": [(JudgeFrame.ANSWER, FULL)],
    "a request that is not listed": [(JudgeFrame.ASK, ("__exit__", ()))],
    "a request of another form": [(JudgeFrame.ASK, "begin")],
    "a request with text": [(JudgeFrame.ASK, ("enter", ("0",)))],
    "a side that nobody opened": [(JudgeFrame.ASK, ("sample", (1,))), (JudgeFrame.VERDICT, "")],
    "no message": [],
}


class Forger:
    """A server whose judge sends what it likes."""

    def __init__(self, frames):
        self.frames = frames

    def launch(self, _limits, descriptors):
        """Start a process that is asked for a verdict, sends the frames and ends."""
        process = os.fork()
        if process == 0:
            control = Channel(socket.socket(fileno=descriptors[0]))
            control.receive(time.monotonic() + 10)
            for kind, value in self.frames:
                control.send(kind, 0, encode(value), time.monotonic() + 10)
            os._exit(0)
        return os.pidfd_open(process)

    def memory_kills(self):
        """Nothing is ever too large."""
        return 0

    def check(self):
        """It never ends."""

    def end(self, pidfd):
        """Reap the process."""
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        os.close(pidfd)


def test_the_verdict_of_an_honest_judge_is_taken(forked):
    """Else the next test would show nothing."""
    assert judged(forked, [(JudgeFrame.VERDICT, FULL)]).outcome is Outcome.PASSED


@pytest.mark.parametrize("frames", FORGED.values(), ids=FORGED.keys())
def test_what_is_no_verdict_gives_no_points(forked, frames):
    """Whatever a judge says: the supervisor takes one plain verdict within bounds, and nothing else."""
    verdict = judged(forked, frames)
    assert (verdict.outcome, verdict.points) == (Outcome.CRASHED, 0.0), verdict


def judged(forked, frames):
    """Return the verdict on a cell whose judge sends these frames."""
    cell = GradeCell("t0", 1.0, Mode.EXAMINED, "")
    with forked("").snapshot() as channel:
        instruments = partial(BoxInstruments, channel, None, None, "", 0.0)
        run = JudgeRun(Forger(frames), 0, SMALL, 2.0, lambda *_: instruments())
        with run:
            return run.judge(cell, channel, "5eed")


FOREIGN = "import packaging.version as theirs\ntheirs.Version = lambda *_: 4\n" + RIGHT


@pytest.mark.parametrize("imports", ["locked", "cell"])
def test_a_module_of_the_environment_is_the_judges_own(engine, imports):
    """A student who patches it decides nothing by that; nobody has to have listed it."""
    use = "assert str(Version('1.2')) == '1.2'\nassert Version('1.10') > Version('1.9')\n" + WORKS
    line = "from packaging.version import Version\n"
    cell, locked = (line + use, "") if imports == "cell" else (use, line)
    assert outcomes(engine, cell, solution=FOREIGN, locked=locked) == [Outcome.PASSED]


def test_a_module_beside_the_notebook_is_the_candidates(engine):
    """Also under a name that the environment has: it lies there for the student's code."""
    files = {
        "packaging/__init__.py": b"",
        "packaging/version.py": b"def Version(text):\n    return len(text)",
    }
    cell = "from packaging.version import Version\nassert Version('1.2') == 3"
    assert outcomes(engine, cell, files=files, instructors=files) == [Outcome.PASSED]


def test_matplotlib_is_the_students(engine):
    """What a cell asks of it is what the student has drawn and set; the judge's own would have nothing."""
    draw = "import matplotlib.pyplot as plt\nplt.rcParams['lines.linewidth'] = 7\n" + RIGHT
    look = "import matplotlib.pyplot as plt\nassert plt.rcParams['lines.linewidth'] == 7"
    assert outcomes(engine, look, solution=draw) == [Outcome.PASSED]
