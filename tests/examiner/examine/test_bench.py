"""Students' functions measured through the whole engine, beside an instructor's; ratios are wide."""

import contextlib
import hashlib
import json
import os
import sys
import textwrap
from pathlib import Path

import pytest

from examiner.box import usage
from examiner.box.walls import Walls
from examiner.examine.engine import Engine, Job
from examiner.examine.server import SandboxSettings
from examiner.judge.cell import MEASURING_SECONDS
from examiner.model import GradeKey, Identity, TimeLimits
from examiner.plain import from_plain, to_plain
from examiner.verdict import Outcome, Verdict
from tests.turns import in_turn

PYTHON = Path(__file__).parents[3] / ".venv-student" / "bin" / "python"
POINTS = 2

LOOP = """
def loop(x):
    total = 0.0
    for weight in range(8):
        for value in x.tolist():
            total += weight * value
    return total
"""
BEFORE = "import numpy as np\nfrom examiner_checks import award, growth, held, memory, rng, speed\n"
DRAWN = "random = rng('x')\ndef drawn(size=1000):\n    return (random.normal(size=size),)\n"
SPEED = BEFORE + LOOP + DRAWN + "speed(f, loop, drawn, at_most=1.25, what='your f', hint='Faster.')"
LADDER = f"{BEFORE}{LOOP}{DRAWN}def turns(x):\n    return [loop(x) for _ in range(16)][0]\n"
LADDER += "speed(f, turns, drawn, at_least={10: 2, 2: 1}, hint='Faster.')\naward(0)"

EQUAL = LOOP.replace("loop", "f")
TRIPLE = f"{EQUAL}g = f\ndef f(x):\n    return [g(x) for _ in range(3)][0]"
SLOW = TRIPLE.replace("range(3)", "range(16)")
VECTOR = "import numpy as np\ndef f(x):\n    return float(28 * x.sum())"


def notebook(solution, tests, after="", before=""):
    """Return a notebook of one solution and some grade cells."""
    sources = {
        "before": before,
        "f": solution,
        **{f"t{i}": test for i, test in enumerate(tests)},
        "own": after,
    }
    cells = []
    for name, source in sources.items():
        marks = {"grade_id": name, "schema_version": 3, "points": POINTS, "grade": name[0] == "t"}
        marks |= {"solution": name == "f", "locked": name[0] == "t" or name == "before"}
        cell = {"cell_type": "code", "id": name, "metadata": {"nbgrader": marks}, "source": source}
        if name == "own":
            cell["metadata"] = {}
        cells.append(cell | {"outputs": [], "execution_count": None})
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


def run(engine, solution, *tests, after="", before=""):
    """Return what the engine makes of a student's solution, tried by some grade cells."""
    submitted = notebook(solution, tests, after, before)
    identity = Identity(
        "course", "ada", "ps1", "1", GradeKey(hashlib.sha256(submitted).hexdigest(), "a", "e")
    )
    instructor = notebook("def f(x):\n    pass", tests, before=before)
    return engine.run(
        Job(identity, instructor, submitted, limits=TimeLimits(cell_seconds=4, notebook_seconds=60))
    )


def verdicts(engine, solution, *tests, **more):
    """Return the verdicts alone."""
    return run(engine, solution, *tests, **more).sheet.verdicts


def states(processes):
    """Return the state of each process, as the kernel names it."""
    found = {}
    for number in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            found[number] = Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0]
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A package of the instructor's, of which the student environment knows nothing."""
    root = tmp_path_factory.mktemp("reference")
    (root / "measured_answers").mkdir()
    (root / "measured_answers" / "__init__.py").write_text(f'"""Answers."""\n{LOOP}')
    sys.path.insert(0, str(root))
    import measured_answers  # noqa: PLC0415 - it is only there now

    sys.path.remove(str(root))
    return measured_answers


@pytest.fixture(scope="module")
def engine(reference):
    with Engine(SandboxSettings(PYTHON), b"secret", reference) as engine:
        yield engine


def test_a_function_equal_to_the_baseline_passes_and_one_of_three_times_its_time_fails(engine):
    """A threshold a quarter above the truth is missed by nobody who writes the same."""
    [equal] = verdicts(engine, EQUAL, SPEED)
    [triple] = verdicts(engine, TRIPLE, SPEED)
    assert (equal.outcome, equal.points) == (Outcome.PASSED, POINTS)
    assert (triple.outcome, triple.points, triple.hint) == (Outcome.FAILED, 0, "Faster.")
    assert 0.7 < equal.measured[0].middle < 1.25
    assert 2 < triple.measured[0].middle < 4.5


DRAWS = "import sys\ndef {name}(x):\n    return float('matpl' + 'otlib' in sys.modules)\n"


def test_both_sides_are_forks_of_processes_that_have_imported_what_draws():
    """A fork of a larger process costs more; neither text says a word of drawing."""
    test = f"{BEFORE}{DRAWS.format(name='base')}{DRAWN}seen = []\n"
    test += "speed(f, base, drawn, at_most=100, check=lambda *both: seen.append(both))\n"
    test += "assert set(seen) == {(1.0, 1.0)}, seen"
    with Engine(SandboxSettings(PYTHON), b"secret") as engine:
        [verdict] = verdicts(engine, DRAWS.format(name="f"), test)
    assert verdict.outcome is Outcome.PASSED, verdict.message


FAULTS = """
import resource
import numpy as np

def f(x):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [np.ones(30_000) for _ in range(8)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""
COUNT = "faults = []\ndef keep(got, _):\n    faults.append(got)\n"
COUNT += "speed(f, loop, drawn, at_most=100, check=keep)\nassert max(faults[-10:]) < 20, faults"


def test_a_call_that_is_timed_uses_memory_that_was_freed_before(engine):
    """Else the 470 pages of such arrays are given back after each call, where nothing lies behind them."""
    [verdict] = verdicts(engine, FAULTS, BEFORE + LOOP + DRAWN + COUNT)
    assert verdict.outcome is Outcome.PASSED, verdict.message


@pytest.mark.parametrize(
    ("solution", "outcome", "points"),
    [(VECTOR, Outcome.PASSED, 2), (TRIPLE, Outcome.PARTIAL, 1), (SLOW, Outcome.FAILED, 0)],
    ids=["vector", "three loops", "as slow as the baseline"],
)
def test_a_ladder_gives_the_points_of_the_best_rung_that_is_reached(engine, solution, outcome, points):
    """Partial credit: the baseline takes sixteen loops."""
    [verdict] = verdicts(engine, solution, LADDER)
    assert (verdict.outcome, verdict.points) == (outcome, points), verdict.measured[0].sentence
    assert verdict.measured[0].is_settled
    assert verdict.measured[0].rungs == ((10.0, 2.0), (2.0, 1.0))


def test_all_samples_are_on_the_verdict_and_stay_there(engine):
    """A plot, a dispute and a regrade use the same numbers."""
    verdict, _ = verdicts(engine, EQUAL, SPEED, LADDER)
    [measured] = verdict.measured
    samples = len(measured.figures)
    assert samples >= 5
    raw = measured.raw
    for series in (raw.candidate, raw.baseline, raw.candidate_wall, raw.baseline_wall):
        assert [len(sample) for sample in series] == [samples]
        assert min(series[0]) > 0
    pairs = zip(raw.candidate[0], raw.baseline[0], strict=True)
    assert measured.figures == pytest.approx([ours / theirs for ours, theirs in pairs])
    assert measured.low <= measured.middle <= measured.high
    assert "your f" in measured.sentence
    assert measured.sentence in verdict.output
    assert from_plain(json.loads(json.dumps(to_plain(verdict))), Verdict) == verdict


def test_a_function_of_the_reference_is_a_baseline(engine):
    """It is laid beside the baseline's notebook, and beside no student's."""
    named = BEFORE + DRAWN + "speed(f, reference.loop, drawn, at_most=1.25)"
    hidden = f"### BEGIN HIDDEN TESTS\n{named}\n### END HIDDEN TESTS"
    looks = "try:\n    import measured_answers\nexcept ImportError:\n    print('none')"
    graded = run(engine, EQUAL, hidden, named, after=looks)
    passed, refused = graded.sheet.verdicts
    assert passed.outcome is Outcome.PASSED
    assert (refused.outcome, "hidden tests only" in refused.message) == (Outcome.ERROR, True)
    [own] = [cell for cell in json.loads(graded.notebook)["cells"] if cell["id"] == "own"]
    assert [output["text"] for output in own["outputs"]] == ["none\n"]


def test_a_baseline_of_a_locked_cell_is_one_of_the_cell(engine):
    """Its constants and imports come with it."""
    before = "import math\nTURNS = 100\ndef slow(x):\n    return [28 * math.fsum(x) for _ in range(TURNS)][0]"
    [verdict] = verdicts(engine, VECTOR, BEFORE + DRAWN + "speed(f, slow, drawn, at_least=3)", before=before)
    assert verdict.outcome is Outcome.PASSED


GROWTH = f"{BEFORE}{DRAWN}def want(x):\n    return float(28 * x.sum())\n"
GROWTH += "growth(f, drawn, [100, 200, 400, 800], expected=want, at_most=1.5)"
QUADRATIC = """
def f(x):
    values = x.tolist()
    return sum(sum(a * b for b in values) for a in values) * 0 + sum(28 * a for a in values)
"""


def test_growth_tells_a_loop_from_a_loop_in_a_loop(engine):
    """By the exponent over a ladder of sizes."""
    [linear] = verdicts(engine, EQUAL, GROWTH)
    [quadratic] = verdicts(engine, QUADRATIC, GROWTH)
    assert (linear.outcome, quadratic.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert quadratic.measured[0].middle - linear.measured[0].middle > 0.5
    assert quadratic.measured[0].raw.sizes == (100, 200, 400, 800)


MEMORY = f"{BEFORE}{DRAWN}def thrifty(x):\n    return float(28 * x.sum())\n"
MEMORY += "memory(f, lambda: drawn(1_000_000), baseline=thrifty, at_most=1.5)"
WASTEFUL = "def f(x):\n    copies = [x * x for _ in range(6)]\n    return float(28 * x.sum())"


def test_memory_counts_what_is_in_use_at_once(engine):
    """Temporary arrays that are gone when the call ends, too."""
    [thrifty] = verdicts(engine, VECTOR, MEMORY)
    [wasteful] = verdicts(engine, WASTEFUL, MEMORY)
    assert (thrifty.outcome, wasteful.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert wasteful.measured[0].middle > 2 * thrifty.measured[0].middle


HELD = f"{BEFORE}held(Box, lambda: (1_000_000,), at_most=2_000_000)"
KEEPS = """
import numpy as np
class Box:
    def __init__(self, n):
        self.x = np.arange(n, dtype={})
f = 1
"""


def test_held_counts_what_objects_keep(engine):
    """Whatever they say of themselves; a byte an item fits, eight do not."""
    [small] = verdicts(engine, KEEPS.format("'uint8'"), HELD)
    [large] = verdicts(engine, KEEPS.format("float"), HELD)
    assert (small.outcome, large.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert large.measured[0].middle > 4 * small.measured[0].middle
    [copied] = verdicts(engine, KEEPS.format("float"), HELD.replace("Box", "lambda n: Box(n).x"))
    assert copied.outcome is Outcome.ERROR
    assert "return the student's object" in copied.message


HIDES = {
    "array of an earlier cell": """
        kept = np.ones(8_000_000)
        class Box:
            made = 0
            def __init__(self, n):
                place = Box.made % 8 * n
                Box.made += 1
                self.x = kept[place : place + n]
                self.x[:] = np.arange(n)
        """,
    "hoard that is given back": """
        hoard = [np.ones(1_000_000) for _ in range(16)]
        class Box:
            def __init__(self, n):
                hoard and hoard.pop()
                self.x = np.arange(n, dtype=float)
        """,
    "pipes": """
        import os
        pipes = [os.pipe() for _ in range(40)]
        class Box:
            made = 0
            def __init__(self, n):
                for _ in range(4):
                    Box.made += 1
                    os.write(pipes[Box.made % 40][1], bytes(1 << 15))
        """,
    "sockets": """
        import socket
        pairs = [socket.socketpair() for _ in range(36)]
        class Box:
            made = 0
            def __init__(self, n):
                for _ in range(4):
                    Box.made += 1
                    pairs[Box.made % 36][0].setblocking(False)
                    pairs[Box.made % 36][0].send(bytes(100_000))
        """,
    "claims": """
        class Box:
            nbytes = itemsize = size = 0
            def __init__(self, n):
                self.x = np.arange(n, dtype=float)
            def __sizeof__(self):
                return 0
        """,
}


@pytest.mark.parametrize("way", HIDES)
def test_what_objects_keep_cannot_be_hidden(engine, way):
    """Each keeps megabytes where a look at the memory of its process before and after sees nothing."""
    source = "import numpy as np\nf = 1\n" + textwrap.dedent(HIDES[way])
    [verdict] = verdicts(engine, source, HELD.replace("2_000_000", "1_500_000"))
    assert verdict.outcome is Outcome.FAILED


def test_files_cannot_be_written_while_something_is_measured(engine):
    """They would be memory that no process has; before, and behind, they can."""
    source = """
        import tempfile
        import numpy as np
        def write(n):
            with open(tempfile.gettempdir() + "/some", "wb") as file:
                file.write(bytes(n))
        write(9)
        class Box:
            def __init__(self, n):
                write(n)
        f = 1
        """
    graded = run(engine, textwrap.dedent(source), HELD, after="write(9)\nprint('written')")
    assert graded.sheet.verdicts[0].outcome is Outcome.ERROR
    [own] = [cell for cell in json.loads(graded.notebook)["cells"] if cell["id"] == "own"]
    assert [output["text"] for output in own["outputs"]] == ["written\n"]


def test_memory_that_calls_before_have_left_counts(engine):
    """Else the first call makes room for those that are measured."""
    source = """
        import numpy as np
        room = []
        def f(x):
            room or room.append(np.ones(6_000_000))
            room[0][:] = np.tile(x, 6_000_000 // len(x)) if len(x) > 9 else 1
            return float(28 * x.sum())
        """
    [verdict] = verdicts(engine, textwrap.dedent(source), MEMORY.replace("memory(", "f(np.ones(3))\nmemory("))
    assert verdict.outcome is Outcome.FAILED


def test_the_examiner_does_nothing_for_what_is_measured(engine):
    """A function that it has lent would compute where no clock of the student's counts."""
    lend = "def help(x):\n    return float(28 * x.sum())\nassert lend(help) is None\n"
    source = "kept = []\ndef lend(g):\n    kept.append(g)\ndef f(x):\n    return kept[0](x)"
    [verdict] = verdicts(engine, source, SPEED.replace("speed(", lend + "speed("))
    assert verdict.outcome is Outcome.TAMPERED
    assert "called back into the test" in verdict.message


def test_a_child_that_is_woken_up_gives_its_parent_away(engine):
    """It is stopped, and the measured process can send it a signal."""
    source = """
        import os, signal
        children = []
        def f(x):
            if not children:
                children.append(os.fork())
            while children == [0]:
                pass
            os.kill(children[0], signal.SIGCONT)
            return float(28 * x.sum())
        """
    [verdict] = verdicts(engine, textwrap.dedent(source), f"{BEFORE}assert f(np.ones(3)) == 84.0\n{SPEED}")
    assert (verdict.outcome, verdict.points) == (Outcome.TAMPERED, 0)


@pytest.mark.parametrize(
    "baseline",
    [
        "speed(f, f, drawn, at_most=2)",
        "speed(f, lambda x: 1.0, drawn, at_most=2)",
        "def make():\n    return lambda x: 1.0\nspeed(f, make(), drawn, at_most=2)",
        "def named(x):\n    return f(x)\nspeed(f, named, drawn, at_most=2)",
        "import math\nspeed(f, math.fsum, drawn, at_most=2)",
    ],
    ids=["the student's", "a lambda", "a closure", "one that calls the student's", "one of a library"],
)
def test_a_baseline_that_cannot_run_by_itself_is_the_authors_error(engine, baseline):
    """It says what to write, and `examiner check` says it before any student is graded."""
    [verdict] = verdicts(engine, EQUAL, BEFORE + DRAWN + baseline)
    assert verdict.outcome is Outcome.ERROR
    assert verdict.message.startswith("AuthorError: ")
    assert "a baseline runs in a box of its own" in verdict.message
    assert verdict.measured == ()


DYING = "import os\ndef dying(x):\n    os._exit(1)\nspeed(f, dying, drawn, at_most=2)"


def test_a_baseline_whose_process_dies_is_nobodys_zero(engine):
    """It is left to a person, and the cells and students behind it are measured as ever."""
    first, second = verdicts(engine, EQUAL, BEFORE + DRAWN + DYING, SPEED)
    assert (first.outcome, first.points) == (Outcome.INFRASTRUCTURE, None)
    assert "baseline" in first.message
    assert second.outcome is Outcome.PASSED
    [another] = verdicts(engine, f"{EQUAL}# another", SPEED)
    assert another.outcome is Outcome.PASSED


ON_THE_THIRD_CALL = """
calls = []
def f(x):
    calls.append(0)
    if len(calls) > 2:
        {}
    return float(28 * x.sum())
"""


@pytest.mark.parametrize(
    ("does", "outcome"),
    [
        ("import os; os._exit(0)", Outcome.CRASHED),
        ("import os; os.kill(os.getpid(), 9)", Outcome.CRASHED),
        ("raise KeyError(x)", Outcome.ERROR),
        ("return x", Outcome.FAILED),
        ("return None", Outcome.FAILED),
        ("while True: pass", Outcome.TIMEOUT),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", Outcome.TIMEOUT),
    ],
)
def test_what_a_student_does_while_measured_costs_that_cell_alone(engine, does, outcome):
    """The next cell and the next student are measured as ever, and nothing stands still."""
    solution = f"{ON_THE_THIRD_CALL.format(does)}\ng = lambda x: float(28 * x.sum())"
    first, second = verdicts(engine, solution, SPEED, SPEED.replace("speed(f,", "speed(g,"))
    assert (first.outcome, first.points) == (outcome, 0)
    assert first.seconds < MEASURING_SECONDS, "no answer is waited for as long as all of them may take"
    assert second.outcome is Outcome.PASSED
    assert "T" not in states(usage.processes(os.getpid())).values()
    [another] = verdicts(engine, f"{EQUAL}# {does}", SPEED)
    assert another.outcome is Outcome.PASSED, another.message


def test_what_a_student_has_started_goes_on_behind_a_grade_cell(engine):
    """It is ended only when all of the student's cells have run, before the first of them is measured."""
    start = "import subprocess\nchild = subprocess.Popen(['cat'], stdin=-1, stdout=-1, bufsize=0)\n"
    after = "child.stdin.write(b'still there\\n')\nprint(child.stdout.readline().decode(), end='')"
    graded = run(engine, start + EQUAL, SPEED, after=after)
    assert graded.sheet.verdicts[0].outcome is Outcome.PASSED
    [own] = [cell for cell in json.loads(graded.notebook)["cells"] if cell["id"] == "own"]
    assert [output["text"] for output in own["outputs"]] == ["still there\n"]


def test_a_cell_that_measures_may_check_other_things_as_well(engine):
    """Values before and behind, and two measurements in one cell."""
    both = f"{SPEED}\nassert f(np.ones(3)) == 84.0\nspeed(f, loop, drawn, at_least=0.5)"
    [verdict] = verdicts(engine, EQUAL, both)
    assert verdict.outcome is Outcome.PASSED
    assert [measured.more_is_better for measured in verdict.measured] == [False, True]


@pytest.mark.parametrize("walls", in_turn([None, Walls(namespaces=False, landlock=6, seccomp=True)], 2))
def test_it_is_the_same_behind_other_walls(walls, started):
    """Inside most containers there are no namespaces; nothing is left of it, and nothing stands still."""
    students = [KEEPS.format("'uint8'") + "\n" + VECTOR, KEEPS.format("float") + "\n" + WASTEFUL]
    with Engine(SandboxSettings(PYTHON, walls), b"secret") as engine:
        got = [verdicts(engine, student, SPEED, MEMORY, HELD) for student in students]
        seen = states(started())
    assert [[str(verdict.outcome) for verdict in student] for student in got] == [
        ["passed", "passed", "passed"],
        ["passed", "failed", "failed"],
    ], [verdict.message for student in got for verdict in student]
    assert seen
    assert "T" not in seen.values()
    assert not [number for number in seen if Path(f"/proc/{number}").exists()]


CHILD = """
import os, signal
import numpy as np
def slow(x):
    return sum(weight * value for weight in range(8) for value in x.tolist())
def f(x):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except OSError:
        child = -1
    if child > 0:
        answer = os.read(reader, 8)
    elif child == 0:
        os.write(writer, np.float64(slow(x)).tobytes())
        os._exit(0)
    os.close(reader)
    os.close(writer)
    return float(np.frombuffer(answer)[0]) if child > 0 else slow(x)
"""


@pytest.mark.parametrize(
    "walls", [None, Walls(namespaces=False, landlock=6, seccomp=True)], ids=["all", "some"]
)
def test_what_a_child_computes_is_not_for_nothing(walls):
    """It ends before anybody looks, and nobody waits for it; root is kept by no limit from starting it."""
    test = SPEED.replace("size=1000", "size=10_000").replace("at_most=1.25", "at_most=0.4")
    with Engine(SandboxSettings(PYTHON, walls), b"secret") as engine:
        [verdict] = verdicts(engine, CHILD, test)
    assert verdict.outcome is Outcome.FAILED
