"""What the recording shell does with the text of a cell; what it records is tested with the candidate."""

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from examiner.candidate.recording import RecordingShell, recording_shell

PYTHON = [
    "x = 1",
    "def f(x):\n    return x + 1",
    "class A:\n\n    b = (1,\n    2)\n\nA().b",
    "x = 7 % 3",
    "'''\n%time\n'''",
    "x != 3",
    "# what?",
    "x = (5\n% 3)",
    "print('In [1]:', x)",
    "",
    "\n\nx = 1",
    "x = 1;",
]
NOT_PYTHON = [
    "%matplotlib inline",
    "%%time\nx = 1",
    "x = %pwd",
    "x = !ls",
    "!ls",
    "if x:\n    !ls",
    "x?",
    "?x",
    "x??",
    "/f 1",
    ",f a b",
    ";f a b",
    ">>> x = 1\n... y = 2",
    "In [1]: x = 1",
    "In [1]: if x:\n   ...:     y = 2",
    "    x = 1\n    y = 2",
    "a = 1\n  %time\n",
]


@pytest.fixture(scope="module")
def shell():
    yield recording_shell()
    RecordingShell.clear_instance()


@pytest.mark.parametrize("cell", PYTHON + NOT_PYTHON)
def test_a_cell_becomes_the_python_that_ipython_makes_of_it(shell, cell):
    """Most cells are not taken apart, which is a third of what running them costs; none may be missed."""
    ours = shell.transform_cell(cell)
    assert ours.strip() == TransformerManager().transform_cell(cell).strip()


def test_a_cell_can_await(shell, capsys):
    """As in Jupyter, where a loop is running."""
    shell.run_cell("import asyncio\nawait asyncio.sleep(0)\nprint('done')")
    shell.run_cell("async def three():\n    for n in range(3): yield n\nprint([n async for n in three()])")
    assert capsys.readouterr().out == "done\n[0, 1, 2]\n"


def test_a_transformer_that_a_student_adds_is_asked(shell):
    """It can make Python of anything, as in a kernel."""
    shell.input_transformers_post.append(lambda lines: [line.replace("one", "1") for line in lines])
    assert shell.transform_cell("x = one") == "x = 1\n"
    shell.input_transformers_post.clear()
