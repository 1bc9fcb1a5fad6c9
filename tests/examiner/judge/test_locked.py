"""What a locked cell computes stays the judge's, whatever a student rebinds: over every kind of statement."""

import ast

import pytest

from examiner.judge.cell import Conditions, judge_cell
from examiner.judge.compile import prepare
from examiner.notebook import Cell
from examiner.verdict import Outcome

# One locked cell for each kind of statement: it gives X, [1.0, 2.0, 3.0], from our modules and locked names.
GIVES_X = {
    ast.FunctionDef: "def load():\n    return [1.0, 2.0, 3.0]\nX = load()",
    ast.AsyncFunctionDef: "import asyncio\nasync def load():\n    return [1.0, 2.0, 3.0]\n"
    "X = asyncio.run(load())",
    ast.ClassDef: "class Data:\n    x = [1.0, 2.0, 3.0]\nX = Data().x",
    ast.Delete: "X = [1.0, 2.0, 9.0, 3.0]\ndel X[2]",
    ast.Assign: "X, Y = [1.0, 2.0, 3.0], 7",
    ast.AugAssign: "X = [1.0]\nX += [2.0, 3.0]",
    ast.AnnAssign: "X: list = [1.0, 2.0, 3.0]",
    ast.For: "import numpy as np\nX = np.zeros(3)\nfor i in range(3):\n    X[i] = i + 1.0\nX = X.tolist()",
    ast.AsyncFor: "import asyncio\nasync def some():\n    for x in (1.0, 2.0, 3.0):\n        yield x\n"
    "async def load():\n    made = []\n    async for x in some():\n        made.append(x)\n    return made\n"
    "X = asyncio.run(load())",
    ast.While: "X = []\nwhile len(X) < 3:\n    X.append(len(X) + 1.0)",
    ast.If: "if len('ab') == 2:\n    t = 1.0\n    X = [t, 2.0, 3.0]\nelse:\n    X = []",
    ast.With: "import io, json\nwith io.StringIO('[1.0, 2.0, 3.0]') as file:\n    X = json.load(file)",
    ast.AsyncWith: "import asyncio\nasync def load():\n    async with asyncio.Lock():\n"
    "        return [1.0, 2.0, 3.0]\n"
    "X = asyncio.run(load())",
    ast.Match: "match (1.0, [2.0, 3.0]):\n    case (a, [b, c]):\n        X = [a, b, c]",
    ast.Raise: "def fails():\n    raise ValueError\n"
    "try:\n    fails()\nexcept ValueError:\n    X = [1.0, 2.0, 3.0]",
    ast.Try: "try:\n    X = [1.0, 2.0, 3.0]\nfinally:\n    Y = 1",
    ast.TryStar: "try:\n    X = [1.0, 2.0, 3.0]\nexcept* ValueError:\n    X = []",
    ast.Assert: "X = [1.0, 2.0, 3.0]\nassert X",
    ast.Import: "import math\nX = [math.floor(1.5) / 1, 2.0, 3.0]",
    ast.ImportFrom: "from math import floor\nX = [floor(1.5) / 1, 2.0, 3.0]",
    ast.Global: "def load():\n    global made\n    made = [1.0, 2.0, 3.0]\n    return made\nX = load()",
    ast.Nonlocal: "def load():\n    x = 0.0\n    def step():\n        nonlocal x\n"
    "        x += 1\n        return x\n"
    "    return [step() for _ in range(3)]\nX = load()",
    ast.Expr: "X = [3.0, 2.0, 1.0]\nX.reverse()",
    ast.Pass: "pass\nX = [1.0, 2.0, 3.0]",
    ast.Break: "X = [1.0, 2.0, 3.0]\nfor i in X:\n    break",
    ast.Continue: "X = []\nfor i in range(4):\n    if i == 0:\n        continue\n    X.append(float(i))",
    ast.Return: "load = lambda: [1.0, 2.0, 3.0]\nX = load()",
}
# Statements that fill X only together with others about the same data.
TOGETHER = {
    "by another name": "X = [1.0]\nY = X\nY.extend([2.0, 3.0])",
    "by a function": "X = []\ndef fill(x):\n    x += [1.0, 2.0, 3.0]\nfill(X)",
    "by a function of a global": "X = []\ndef fill():\n    X.extend([1.0, 2.0, 3.0])\nfill()",
    "from the global generator": "import numpy as np\nnp.random.seed(3)\nY = np.random.rand(4)\n"
    "X = np.random.rand(2)\nX = [1.0, 2.0, 3.0] if abs(X[0] - 0.89294695) < 1e-6 else []",
    "in two cells": ["X = [1.0, 2.0]", "X = [*X, 3.0]"],
    "from an instance": "class Bag:\n    def __init__(self): self.x = []\n"
    "    def put(self, v): self.x.append(v)\n"
    "bag = Bag()\nfor v in (1.0, 2.0, 3.0):\n    bag.put(v)\nX = bag.x",
}
REBOUND = "X = load = Data = made = math = floor = None"


def notebook(*cells):
    """Return cells of a notebook, from pairs of kind and source."""
    marks = {"locked": {"is_locked": True}, "solution": {"is_solution": True}, "plain": {}}
    return [
        Cell(i, f"c{i}", "code", source, f"c{i}", 1.0, is_grade=True, is_locked=True)
        if kind == "grade"
        else Cell(i, f"c{i}", "code", source, f"c{i}", 0.0, **marks[kind])
        for i, (kind, source) in enumerate(cells)
    ]


@pytest.fixture
def verdict(forked):
    """Return a function that judges the last of some cells, on a student whose process ran some text."""

    def judged(student, *cells):
        *_, cell = prepare(notebook(*cells))
        with forked(student).snapshot() as channel:
            return judge_cell(cell, channel, "5eed", Conditions(20.0))

    return judged


def test_every_kind_of_statement_is_tried():
    """A new kind of statement needs a decision."""
    kinds = {cls for cls in vars(ast).values() if isinstance(cls, type) and issubclass(cls, ast.stmt)}
    assert kinds - {ast.stmt} - GIVES_X.keys() <= {getattr(ast, "TypeAlias", None)}


@pytest.mark.parametrize("kind", [*GIVES_X, *TOGETHER], ids=lambda kind: getattr(kind, "__name__", kind))
def test_what_a_locked_cell_computes_is_the_judges(verdict, kind):
    """The student's process holds nothing of it, and something else in its place."""
    sources = GIVES_X.get(kind) or TOGETHER[kind]
    cells = [("locked", source) for source in ([sources] if isinstance(sources, str) else sources)]
    got = verdict(REBOUND, *cells, ("solution", "answer = 1"), ("grade", "assert X == [1.0, 2.0, 3.0]"))
    assert got.outcome is Outcome.PASSED, got.message


@pytest.mark.parametrize(
    "source",
    [
        "X = theirs()",
        "X = [1.0]\nX[0] = theirs()",
        "X = []\nfor i in range(3):\n    X.append(theirs())",
        "X = []\nX.append(theirs())",
        "def helper():\n    return theirs()\nX = helper()",
        "class Mine:\n    def f(self): return theirs()\nX = Mine().f()",
        "if theirs():\n    X = 1",
        "with theirs() as X:\n    pass",
        "import plot\nX = plot.x",
        "from plot import X",
        "X = eval('theirs()')",
        "X = 1\ndel X",
        "X = (lambda: theirs())()",
        "X = [theirs() for _ in range(2)]",
        "X = f'{theirs()}'",
        "try:\n    import plot\n    X = 1\nexcept ImportError:\n    X = 2",
    ],
)
def test_what_a_student_computes_in_a_locked_cell_is_the_students(verdict, source):
    """Their function fills it, so their process holds it."""
    got = verdict("X = 5", ("locked", source), ("grade", "assert X == 5"))
    assert got.outcome is Outcome.PASSED, got.message


@pytest.mark.parametrize(
    ("later", "is_ours"),
    [
        (("locked", "X = 6"), True),
        (("locked", "X = theirs()"), False),
        (("solution", "X = 6"), False),
        (("solution", "X.append(6)"), False),
        (("solution", "X[0] = 6"), False),
        (("solution", "def f(x):\n    X = 6"), True),
        (("solution", "f = max(X)"), True),
        (("plain", "print(theirs(X))"), True),
        (("locked", "print(theirs(X))"), True),
    ],
)
def test_who_rebinds_a_locked_name_in_the_instructors_notebook_decides_whose_it_is(verdict, later, is_ours):
    """What the instructor's own solution rebinds or fills was meant to be the student's."""
    got = verdict("X = 'theirs'", ("locked", "X = [5]"), later, ("grade", "print(X == 'theirs')"))
    assert got.output == f"{not is_ours}\n", got.message


def test_a_function_of_a_locked_cell_uses_a_students_name_as_a_proxy(verdict):
    """It is the judge's code, which calls the student's function over there."""
    locked = ("locked", "def twice(x):\n    return 2 * theirs(x)\nscale = 3")
    got = verdict("def theirs(x):\n    return x + 1", locked, ("grade", "assert twice(scale) == 8"))
    assert got.outcome is Outcome.PASSED, got.message


def test_a_locked_name_that_was_used_before_it_became_a_students_keeps_its_use(verdict):
    """Y was computed from the locked X; X itself is the student's by now."""
    cells = [("locked", "X = 2\nY = X + 1"), ("solution", "X = 7"), ("grade", "assert (X, Y) == (7, 3)")]
    assert verdict("X, Y = 7, 0", *cells).outcome is Outcome.PASSED


def test_the_prelude_needs_nothing_of_a_student_and_nothing_of_a_cell():
    """So it can be run once for all of them."""
    locked = "import numpy as np\nfrom examiner_checks import rng\na = np.ones(2)\nb = rng('x').normal()\n"
    locked += "def helper():\n    return theirs(a)"
    [cell] = prepare(notebook(("locked", locked), ("grade", "a, b, helper()")))
    names = {}
    exec(
        cell.prelude,
        names | {"__attribute__": getattr, "__method__": lambda o, n, *a: getattr(o, n)(*a)},
        names,
    )
    assert names.keys() == {"np", "a"}
    assert cell.wanted == ("theirs",)


def test_what_a_locked_cell_prints_and_seeds_is_not_the_grade_cells(verdict):
    """Its output was shown where it ran, and from its seed anybody could tell a hidden draw."""
    locked = ("locked", "import numpy as np\nnp.random.seed(0)\nX = np.random.rand(2)\nprint(X)")
    got = verdict(
        "", locked, ("grade", "import numpy as np\nprint(X.size, np.random.rand() == 0.6027633760716439)")
    )
    assert got.output == "2 False\n", got.message
