"""What a change of a solution cell can reach, and which cells only show something."""

import pytest

from examiner.gate import reach
from examiner.notebook import Cell

CELL = """
TABLE = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b}

def one(x, y=1):
    def inner(): return 5
    return inner() + x

class Two:
    @property
    def half(self): return 0.5
"""


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("a + b", "a * b", {"cell#0"}),
        ("return inner() + x", "return x", {"cell#2"}),
        ("return 5", "return 6", {"cell#2"}),
        ("return 0.5", "return 1", {"cell#3"}),
        ("5", "5  # a comment", set()),
    ],
)
def test_a_changed_body_is_named(old, new, keys):
    """What stands inside a function runs only after that was called."""
    assert reach.changed("cell", CELL, CELL.replace(old, new)) == keys


@pytest.mark.parametrize(
    ("old", "new"),
    [("y=1", "y=2"), ("@property", "@staticmethod"), ('"add"', '"plus"'), ("class Two", "x = 1\nclass Two")],
)
def test_a_change_outside_of_bodies_reaches_everything(old, new):
    """It takes effect when the cell runs, without any call."""
    assert reach.changed("cell", CELL, CELL.replace(old, new)) is None


def test_a_watched_cell_does_what_it_did_and_notes_what_is_called(monkeypatch):
    """In the numbers by which changes are named."""
    called = []

    class Runtime:
        @staticmethod
        def calling(key):
            def decorate(function):
                def noting(*args, **kwargs):
                    called.append(key)
                    return function(*args, **kwargs)

                return noting

            return decorate

    monkeypatch.setitem(__import__("sys").modules, reach.RUNTIME_MODULE, Runtime)
    names = {}
    exec(reach.watched("cell", CELL), names)
    assert (names["TABLE"]["sub"](3, 1), names["one"](1), names["Two"]().half) == (2, 6, 0.5)
    assert called == ["cell#1", "cell#2", "cell#3"]


def test_a_mutant_reaches_the_cells_that_call_what_it_changes():
    """All of them, if that is not known."""
    called = {"test_one": frozenset({"cell#2"}), "test_two": frozenset({"cell#3"})}
    changed = {"cell": CELL.replace("return 5", "return 6")}
    assert reach.reached({"cell": CELL}, changed, called) == {"test_one"}
    assert reach.reached({"cell": CELL}, {"cell": CELL + "x = 1"}, called) is None
    assert reach.reached({"cell": CELL}, {"cell": "def"}, called) is None


def shown(*sources, solutions=()):
    """Return which of these cells only show something."""
    cells = [Cell(n, f"c{n}", "code", source, is_solution=n in solutions) for n, source in enumerate(sources)]
    return set(reach.demonstrations(cells))


def test_what_nobody_uses_later_is_a_demonstration():
    """A plot, a small training run: whatever it makes is its own."""
    plot = "import numpy as np\nfor p in [f]:\n    p.data = np.ones(3)\nprint(p)"
    assert shown("import numpy as np", "def f(): return np", plot, solutions={1}) == {2}
    assert shown("x = 1", "y = x") == {0, 1}  # y is shown to nobody, and x only for it


@pytest.mark.parametrize(
    "source",
    ["from os import *", "f.cache = {}", "rows[0] = 1", "def helper(): pass", "import json as used"],
)
def test_what_changes_something_is_none(source):
    """A later cell may find it."""
    assert shown("f, rows = print, [0]", source, "helper, used, f, rows", solutions={0, 2}) == set()


def test_importing_what_is_imported_already_changes_nothing():
    """Cells that can be run by themselves begin with their imports."""
    assert shown("import numpy as np", "import numpy as np\nnp.ones(3)", "np", solutions={2}) == {1}
