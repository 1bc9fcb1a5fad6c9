"""The gate: what it lets through, and the sentence for each thing that it does not.

Where there are several examples of a thing, each commit has another one; `make whole` has them all.
"""

import json
import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from examiner.cli.main import app
from examiner.errors import AuthorFault, UnknownName
from examiner.gate import evidence, hollow
from examiner.gate.check import RUNS_ALONE, CheckRequest, check
from examiner.model import Assignment, Mode, TimeLimits
from examiner.report.gate import warnings
from tests.turns import every_third, in_turn, with_each_commit

pytestmark = every_third(2)

THRICE = """
mistake = "three times as large"
loses = ["numeric_double"]
[[edits]]
cell = "double"
old = "2 *"
new = "3 *"
"""
FORGETFUL = """
mistake = "counts only once"
loses = ["interface_count:20"]
[[edits]]
cell = "counter_class"
old = "self._total += 1"
new = "self._total += self._total in (0, 7)"
"""
SLOPPY = """
mistake = "keeps the type of a list"
loses = []
equivalent = "asarray makes an array of it anyway"
proof = '''
assert double([1]).tolist() == [2]
'''
[[edits]]
cell = "double"
old = "np.asarray(x)"
new = "np.array(x)"
"""
CALLS = """
from examiner_checks import check_equal
### BEGIN HIDDEN TESTS
canary = "canary-tiny-interface_start"
two = double(1)
### END HIDDEN TESTS
"""


def ignore(done, total, name):
    """Take no notice of progress."""


@pytest.fixture
def alone(tiny):
    """The course with its function `double` alone, of which a third as many worthless answers can be made."""
    leave_out(tiny, "counter_class", "interface_count", "interface_start")
    tiny.change("written_why", nbgrader={"points": 60})  # all points are 100
    return tiny


@pytest.fixture
def pair(tiny):
    """The course with its function `double`, and two grade cells that call it; one does not look."""
    leave_out(tiny, "counter_class", "interface_count")
    tiny.change("interface_start", source=CALLS)
    tiny.change("written_why", nbgrader={"points": 40})  # all points are 100
    return tiny


def leave_out(tiny, *names):
    """Take cells out of the notebook."""
    document = json.loads(tiny.path.read_text())
    document["cells"] = [cell for cell in document["cells"] if cell["id"] not in names]
    tiny.path.write_text(json.dumps(document))


@pytest.fixture
def report(tiny):
    """Return a function that runs the gate on the course as it is when called.

    Its cells are known to be examined: kernels, which take longer than all else, run only for those tests
    that are about them.
    """

    def run(repeat=2, *, known=True):
        if known:
            know(tiny)
        [report] = check(tiny.course, CheckRequest(repeat=repeat, known=known), ignore)
        return report

    return run


def know(tiny):
    """Have all cells of the assignment as it is now known to be examined."""
    version = evidence.version(tiny.course, tiny.assignment)
    modes = {cell.grade_id: Mode.EXAMINED for cell in tiny.notebook.grade_cells if cell.is_autograded}
    evidence.write(tiny.course, evidence.Evidence(tiny.assignment.name, version, modes))


def sentences(report):
    """Return the breaches of a report as sentences."""
    return [str(breach) for breach in report.breaches]


@with_each_commit()
def test_a_good_assignment_has_no_breach(tiny, report):
    """Solution 100 %, release 0, every mutant loses what it names, every grade cell can be failed."""
    for name, text in {"thrice": THRICE, "forgetful": FORGETFUL, "sloppy": SLOPPY}.items():
        tiny.mutant(name, text)
    found = report(3, known=False)
    assert sentences(found) == []
    assert (found.points, found.grade_cells, found.perfect_runs, found.runs) == (90, 3, 3, 3)
    assert found.release_points == 0
    lost = {mutant.name: dict(mutant.lost) for mutant in found.mutants}
    assert lost == {"thrice": {"numeric_double": 40}, "forgetful": {"interface_count": 20}, "sloppy": {}}
    assert len(found.automatic) == 6 + 6 + 6 + 1


def test_what_is_known_is_tried_in_one_mode_and_found_the_same(alone, report):
    """A mutant that came later is held against what it names all the same."""
    alone.mutant("thrice", THRICE)
    first = report(known=False)
    [again] = check(alone.course, CheckRequest(repeat=2, known=True), ignore)
    assert again == replace(first, breaches=(), automatic=again.automatic)
    told = [
        [(stub.name, bool(stub.lost), stub.excuse) for stub in found.automatic] for found in (again, first)
    ]
    assert told[0] == told[1]
    alone.mutant("again", THRICE.replace("numeric_double", "numeric_double:10"))
    know(alone)
    [later] = check(alone.course, CheckRequest(repeat=1, known=True), ignore)
    [sentence] = sentences(later)
    assert "it loses numeric_double (40) instead of numeric_double (10)" in sentence


def test_what_is_known_is_tried_in_some_cells_and_a_second_loss_is_found(tiny):
    """A cell that punishes a mistake twice does so for more than one mutant."""
    tiny.edit("interface_start", "first.count()", "first.count()\ncheck_equal(double(1).item(), 2)")
    for number in range(8):
        tiny.mutant(f"thrice{number}", THRICE)
    know(tiny)
    [found] = check(tiny.course, CheckRequest(repeat=1, known=True), ignore)
    assert 0 < len(sentences(found)) < 8
    told = "it loses numeric_double (40), interface_start (20) instead of numeric_double (40)"
    assert all(told in sentence for sentence in sentences(found))


@pytest.mark.parametrize(
    ("elsewhere", "asked"),
    [("two = double(1)", 6), ("check_equal(double(1).item(), 2)", 1)],
    ids=["called", "tested"],
)
def test_what_is_measured_is_asked_again_only_where_nothing_else_tells(pair, report, elsewhere, asked):
    """All six worthless answers lose points; those of a cell that measures, if there are no others."""
    pair.edit("numeric_double", "check_array, rng", "check_array, memory, rng")
    kept = "memory(double, lambda: (x,), at_most=1e8, check=lambda got, _: check_array(got, x + x))"
    pair.edit("numeric_double", "x + x)", f"x + x)\n{kept}")
    pair.edit("interface_start", "two = double(1)", elsewhere)
    first = report(1, known=False)
    [again] = check(pair.course, CheckRequest(repeat=1, known=True), ignore)
    for found in (first, again):  # a cell that only calls the function tests nothing, and that is told
        told = [
            sentence.startswith(f"{pair.place('interface_start')}: it passes")
            for sentence in sentences(found)
        ]
        assert told == [True] * (asked > 1)
    stubs = [mutant for mutant in again.automatic if mutant.what == "double"]
    lost = [stub.lost for stub in stubs if hollow.ZEROS not in stub.name]
    assert (len(lost), all(lost), sum("numeric_double" in cells for cells in lost)) == (6, True, asked)


MEASURED = """
from examiner_checks import memory, quality, speed
def ones(n=300_000):
    return (np.ones(n),)
def has_its_shape(got, _):
    assert got.shape == (300_000,)
def is_twice(got, _):
    check_array(got, np.full(300_000, 2.0))
def twice(x):
    return sum([x, x])
def same(x):
    return 2 * np.asarray(x)
"""


MEASURED_CELLS = [
    ("memory(double, ones, at_most=1e8, check=has_its_shape)", "double returns zeros"),
    ("memory(double, ones, at_most=1e8, check=is_twice)", ""),
    ("speed(double, twice, ones, at_most=50, check=has_its_shape)", "double returns zeros"),
    ("speed(double, twice, ones, at_most=50)", ""),
    ("quality(double(np.ones(3)).size, at_least=3)", "double returns zeros"),
    ("quality(double(np.ones(3)).sum(), at_least=6)", ""),
]


@pytest.mark.parametrize(("measured", "told"), in_turn(MEASURED_CELLS, 3))
def test_what_is_measured_has_to_be_right_in_its_values(alone, report, measured, told):
    """The cell tests values before it measures; a stub is right until then, and zero from then on."""
    alone.edit("numeric_double", "x + x)", f"x + x)\n{MEASURED}\n{measured}")
    found = sentences(report(1))
    assert len(found) == bool(told)
    for sentence in found:
        assert sentence.startswith(f"{alone.place('numeric_double')}: nothing is lost when {told}")
        assert "compare the values of what is measured, and read back what is kept" in sentence


def test_a_threshold_that_seems_too_close_is_measured_again_with_nothing_beside_it(alone, report):
    """Those runs decide: beside others, a machine tells less."""
    alone.edit("numeric_double", "x + x)", f"x + x)\n{MEASURED}\nspeed(double, same, ones, at_most=1.2)")
    [sentence] = [found for found in sentences(report(1)) if "too close to the threshold of 1.2," in found]
    figures = sentence.partition("reaches ")[2].partition(" times")[0]
    assert len(figures.split(", ")) == RUNS_ALONE


@pytest.mark.parametrize(
    ("read_back", "count"), [("", 1), ("assert all((one.times(2) == 2).all() for one in made)", 0)]
)
def test_what_is_kept_has_to_be_read_back(alone, report, read_back, count):
    """An object with arrays of the right shape that are all zeros takes the same memory."""
    keeper = "class Keeper:\n    def __init__(self, x): self.x = x.copy()\n"
    keeper += "    def times(self, n): return n * self.x\n"
    alone.edit("double", "def double", f"{keeper}def double")
    held = "made = []\ndef make(x):\n    made.append(Keeper(x))\n    return made[-1]\n"
    held += "from examiner_checks import held\n"
    held += f"held(make, lambda: (np.ones(300_000),), at_most=1e8)\n{read_back}"
    alone.edit("numeric_double", "x + x)", f"x + x)\nassert Keeper(x).times(2)[0] == 2 * x[0]\n{held}")
    found = [sentence for sentence in sentences(report(1)) if "Keeper" in sentence]
    assert len(found) == count
    assert all(
        "nothing is lost when Keeper makes an object of zeros while measured" in text for text in found
    )


def test_progress_counts_every_run(alone):
    """The last call says that all are done."""
    seen = []
    request = CheckRequest(repeat=1, workers=2)
    check(alone.course, request, lambda done, total, _name: seen.append((done, total)))
    assert seen == [(n, seen[0][1]) for n in range(seen[0][1] + 1)]


def test_a_solution_that_fails_with_some_seeds_is_named_with_one_of_them(alone, report):
    """Students' points must not depend on the numbers that were drawn."""
    alone.edit("numeric_double", "x = rng", "x = 1 / rng('other').integers(0, 2)\nx = rng")
    [sentence] = sentences(report(12, known=False))
    assert sentence.startswith(f"{alone.place('numeric_double')}: the instructor's solution fails it in ")
    assert "of 12 runs (stderr:" in sentence
    assert re.search("run it with EXAMINER_SEED=[0-9a-f]{64} and mend it", sentence)


def test_a_cell_without_points_must_run_too(alone, report):
    """A demonstration that fails in front of students is a defect."""
    alone.edit("setup", "import numpy as np", "import numpy as np\nimport sys\nprint('oh', file=sys.stderr)")
    [sentence] = sentences(report())
    assert sentence.startswith(
        f"{alone.place('setup')}: the instructor's solution fails it in 2 of 2 runs (stderr: oh)"
    )


SHOWN = "import numpy as np\nshown = []\ndef show(x): shown.append(x)"


def test_a_demonstration_that_a_test_needs_is_run_whenever_the_solution_is(alone, report):
    """What its calls change inside cannot be seen from its text."""
    alone.edit("setup", "import numpy as np", SHOWN)
    alone.edit("numeric_double", "x + x)", "x + x)\nassert len(shown) == 1")
    document = json.loads(alone.path.read_text())
    [place] = [i for i, cell in enumerate(document["cells"]) if cell["id"] == "numeric_double"]
    demo = {"id": "demo", "cell_type": "code", "source": "show(double(1))", "outputs": []}
    document["cells"].insert(place, demo | {"metadata": {}, "execution_count": None})
    alone.path.write_text(json.dumps(document))
    assert report(6, known=False).perfect_runs == 6


def test_a_value_above_the_points_is_an_error_of_the_cell(alone, report):
    """It would abort the grading of every right submission."""
    alone.edit("numeric_double", "### END HIDDEN TESTS", "41\n### END HIDDEN TESTS")
    assert "(the cell ends in 41 of 40 points)" in sentences(report())[0]


@with_each_commit()
def test_points_for_no_work_are_a_breach(alone, report):
    """A cell that only defines its tests gives them to everybody, and no mutant fails it."""
    alone.edit("numeric_double", "check_array(double([1.0, 2.0]), [2.0, 4.0])\n", "")
    alone.edit("numeric_double", "check_array(double(x), x + x)", "def test(): check_array(double(x), x + x)")
    release, vacuous = sentences(report())
    assert release.startswith(
        f"{alone.place('numeric_double')}: the release gets 40 points for no work at all"
    )
    assert vacuous.startswith(
        f"{alone.place('numeric_double')}: it passes whatever the functions of a solution return"
    )


def test_comparing_by_broadcasting_is_found_by_automatic_mutants(alone, report):
    """An empty array equals everything it is broadcast against."""
    compare = "import numpy as np\nassert (np.abs(double(x) - 2 * x) < 1e-9).all()"
    alone.edit("numeric_double", "check_array(double([1.0, 2.0]), [2.0, 4.0])\n", "")
    alone.edit(
        "numeric_double", "normal(size=5)\ncheck_array(double(x), x + x)", f"normal(size=1)\n{compare}"
    )
    assert sentences(report()) == [
        f"{alone.place('double')}: nothing is lost when double returns {empty}; test what it returns."
        for empty in ("[]", "zeros(0)")
    ]


def test_an_object_that_agrees_with_everything_passes_no_examined_cell(alone, report):
    """It has no items, so a loop over them compares nothing; the fix says what to write."""
    compare = "for got, want in zip(double(x), x + x):\n    assert got == want"
    alone.edit("numeric_double", "check_array(double([1.0, 2.0]), [2.0, 4.0])\n", "")
    alone.edit("numeric_double", "check_array(double(x), x + x)", compare)
    fact = f"{alone.place('numeric_double')}: it passes when double returns an object that agrees"
    [found] = [sentence for sentence in sentences(report()) if sentence.startswith(fact)]
    assert "float(f(x))" in found


BOX = """
class Box:
    def __init__(self, v):
        self.v = np.asarray(v)
    def __sub__(self, other):
        return Box(self.v - other.v)
    def same(self, other):
        return bool((self.v == other.v).all())
    def read(self):
        return self.v
"""
HANDS_OVER = {
    "to an operator": "assert not (double(x) - Box(x + x)).read().any()",
    "to an operator, and asks again": "double(x) - Box(x + x)\ncheck_array(double(x).read(), x + x)",
    "to a method, and asks again": "double(x).same(Box(x + x))\ncheck_array(double(x).read(), x + x)",
}


@pytest.mark.parametrize("compare", in_turn([*HANDS_OVER.values()], 3))
def test_no_examined_cell_hands_what_it_wants_to_a_student(alone, report, compare):
    """Who notes it can give it back, at once or when it is asked again."""
    alone.edit("double", "def double(x):", f"{BOX}\ndef double(x):")
    alone.edit("double", "return 2 * np.asarray(x)", "return Box(2 * np.asarray(x))")
    alone.edit("numeric_double", "check_array(double([1.0, 2.0]), [2.0, 4.0])\n", "")
    alone.edit("numeric_double", "check_array(double(x), x + x)", compare)
    fact = "it passes when double returns an object that gives back what it is given"
    found = [sentence for sentence in sentences(report()) if fact in sentence]
    assert [sentence.startswith(alone.place("numeric_double")) for sentence in found] == [True]


def test_a_locked_cell_that_ends_its_process_is_named(alone, report):
    """Before anything is tried: no trial of it could be judged."""
    alone.edit("setup", "import numpy as np", "import os\nimport numpy as np\nnumber = os._exit(1)")
    with pytest.raises(AuthorFault, match="locked cell setup, line 3: it cannot be run"):
        report()


def test_what_no_cell_names_may_agree_with_the_students_own_code(alone, report):
    """The function that the cell does name is tried as well, and nothing else comes from there."""
    alone.edit("double", "def double(x):", "def ready(x):\n    return 1\n\ndef double(x):")
    alone.edit("double", "return 2 * np.asarray(x)", "return 2 * np.asarray(x) if ready(x) > 0 else None")
    assert [found for found in sentences(report()) if "agrees with everything" in found] == []


def test_points_that_rest_on_claims_are_counted(alone, report):
    """Nothing is wrong with them, but an instructor should know."""
    alone.edit(
        "numeric_double",
        "check_array(double(x), x + x)",
        "check_array(double(x), x + x)\nassert double.__name__ == 'double'",
    )
    found = report()
    assert sentences(found) == []
    assert (found.claimed, found.claims) == (40, {alone.place("numeric_double"): "__name__"})
    assert [*warnings([found])][-1] == "01_tiny: 40 of 40 points rest on claims."


LOSES = {
    '"numeric_double:39"': "it loses numeric_double (40) instead of numeric_double (39)",
    '"interface_count"': "it loses numeric_double (40) instead of interface_count (30)",
    '"numeric_double", "interface_start"': (
        "it loses numeric_double (40) instead of numeric_double (40), interface_start (20)"
    ),
}


@with_each_commit()
def test_a_mutant_loses_exactly_what_it_names(tiny, report):
    """More would be a cell that punishes one mistake twice, less a test that is not there."""
    for number, loses in enumerate(LOSES):
        tiny.mutant(f"thrice{number}", THRICE.replace('"numeric_double"', loses))
    assert sentences(report(known=False)) == [
        f"tests/mutants/01_tiny/thrice{number}.toml: {fact}; "
        "sharpen or narrow the grade cells, or correct 'loses'."
        for number, fact in enumerate(LOSES.values())
    ]


def test_a_mutant_that_does_not_fit_is_a_breach_and_stops_nothing(alone, report):
    """The notebook has moved on; the other mutants are still tried."""
    alone.mutant("thrice", THRICE)
    alone.mutant("stale", THRICE.replace("2 *", "two *"))
    found = report()
    assert "stale.toml, edit of double: 'two *' occurs 0 times" in sentences(found)[0]
    assert [mutant.name for mutant in found.mutants] == ["thrice"]


def test_an_equivalent_mutant_needs_a_proof_that_runs(alone, report):
    """Otherwise it is an excuse."""
    alone.mutant("sloppy", SLOPPY.replace("== [2]", "== [3]"))
    assert sentences(report())[0].startswith(
        "tests/mutants/01_tiny/sloppy.toml: its proof fails (AssertionError: )"
    )


def test_an_equivalent_mutant_that_loses_points_is_none(alone, report):
    """A test has been written that tells it apart."""
    alone.mutant(
        "sloppy", SLOPPY.replace("np.array(x)", "np.array(x) + 0.5").replace("assert", "assert 1 or")
    )
    assert "it loses numeric_double (40) instead of nothing; it is not equivalent" in sentences(report())[0]


def test_one_equivalent_mutant_is_enough(alone, report):
    """A second one says that something cannot be tested that should be."""
    alone.mutant("sloppy", SLOPPY)
    alone.mutant("worse", SLOPPY)
    [sentence] = sentences(report())
    assert sentence.startswith(
        "tests/mutants/01_tiny/worse.toml: it is the assignment's second equivalent mutant"
    )


def test_a_hanging_mutant_loses_what_it_reaches(alone, report):
    """And costs its time once."""
    text = THRICE.replace("3 *", "next(iter(int, 1)) *")
    alone.mutant("endless", text)
    alone.course = replace(alone.course, limits=TimeLimits(cell_seconds=1, notebook_seconds=30))
    assert sentences(report(1)) == []


def test_what_never_runs_is_void_and_shown_as_such(alone, report):
    """Nobody should believe that it was tested."""
    alone.edit("double", "def double", "def unused(x):\n    return x\n\ndef double")
    excuses = {mutant.excuse for mutant in report().automatic if mutant.name.startswith("unused")}
    assert excuses == {"it is never called"}


def test_an_assignment_without_a_notebook_is_a_breach_and_the_next_one_is_checked(alone):
    """One unfinished assignment must not hide the state of the others."""
    course = replace(alone.course, assignments=(Assignment("02_later"), alone.assignment))
    first, second = check(course, CheckRequest(repeat=1), ignore)
    assert "there is no notebook in it" in sentences(first)[0]
    assert sentences(second) == []
    assert second.runs == 1


def test_each_notebook_of_an_assignment_has_a_report(alone):
    """A plain nbgrader course has several; their evidence is one, and is used for both."""
    later = alone.path.with_name("later.ipynb")
    text = alone.path.read_text().replace("canary-tiny", "canary-later")
    later.write_text(
        text.replace("numeric_double", "test_double").replace("check_array(double(x), x + x)", "")
    )
    alone.mutant("thrice", THRICE)
    request = CheckRequest(repeat=1)
    for again in (request, replace(request, known=True)):
        first, second = reports = check(alone.course, again, ignore)
        assert [report.assignment for report in reports] == ["01_tiny/later", "01_tiny/tiny"]
        assert (first.perfect_runs, second.perfect_runs) == (1, 1)
        assert "thrice.toml, edit" not in " ".join([*sentences(first), *sentences(second)])
    found = evidence.read(alone.course, alone.assignment)
    assert set(found.modes) == {"numeric_double", "test_double"}


def test_a_notebook_that_cannot_be_released_is_not_run(alone, report):
    """Where a solution ends is not to be guessed."""
    alone.edit("double", "    ### END SOLUTION", "")
    found = report()
    [sentence] = sentences(found)
    assert (
        "cell 3 (double): line 3 says 'BEGIN SOLUTION', but no line after it says 'END SOLUTION'" in sentence
    )
    assert found.runs == 0


def test_a_solution_that_cannot_be_watched_is_a_breach(alone, report):
    """Otherwise every automatic mutant that survives would pass for one that is never called."""
    alone.edit(
        "setup",
        "import numpy as np",
        "import numpy as np\nimport sys\nsys.modules['examiner_automatic'] = None",
    )
    assert (
        "the solution fails once its functions are decorated to record what they return ("
        in sentences(report())[0]
    )


def test_what_is_beside_the_notebook_is_there(alone, report):
    """Data files of an assignment, as in a release."""
    (alone.path.parent / "data").mkdir()
    (alone.path.parent / "data" / "numbers.txt").write_text("2")
    alone.edit("double", "return 2 *", "return int(open('data/numbers.txt').read()) *")
    assert sentences(report()) == []


THRICE_NAMES_ANOTHER = THRICE.replace("numeric_double", "interface_start")


def command(tiny, *options):
    """Run `examiner check` as in a shell."""
    return CliRunner().invoke(app, ["check", "--course", str(tiny.root), "--repeat", "1", *options])


@with_each_commit()
def test_the_command_exits_with_0_if_there_is_no_breach(alone):
    """And shows each mutant where it is asked to, on the terminal and as JSON."""
    alone.mutant("thrice", THRICE)
    path = alone.root / "gate.json"
    ended = command(alone, "01_tiny", "--verbose", "--json", str(path))
    assert ended.exit_code == 0, ended.output
    assert "three times as large" in ended.output
    assert json.loads(path.read_text())[0]["mutants"][0]["name"] == "thrice"


def test_the_command_exits_with_2_and_a_sentence_for_each_breach(pair):
    """Continuous integration stops there."""
    pair.mutant("thrice", THRICE_NAMES_ANOTHER)
    ended = command(pair)
    assert ended.exit_code == 2
    sentence = (
        "! tests/mutants/01_tiny/thrice.toml: it loses numeric_double (40) instead of interface_start (20); "
    )
    assert sentence in ended.stderr


def test_an_unknown_assignment_is_refused_with_the_known_ones(alone):
    """Before anything runs."""
    with pytest.raises(UnknownName, match="choose from 01_tiny"):
        CliRunner().invoke(app, ["check", "01_tinny", "--course", str(alone.root)], catch_exceptions=False)
