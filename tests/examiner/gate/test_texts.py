"""Where a student's value would be more than data in the judge."""

import ast

import pytest

from examiner.gate.texts import students_texts

LOCKED = frozenset({"folder", "np", "names"})


def found(source):
    """Return the functions and uses that are found in a cell whose locked cells bound some names."""
    return [(function, use) for _, function, use in students_texts(ast.parse(source), LOCKED)]


@pytest.mark.parametrize(
    ("source", "function", "use"),
    [
        ("eval(answer)", "eval", "code"),
        ("exec(answer())", "exec", "code"),
        ("compile(f'{answer}', 'x', 'eval')", "compile", "code"),
        ("import importlib\nimportlib.import_module(answer)", "importlib.import_module", "code"),
        ("open(answer)", "open", "a path"),
        ("open(folder + answer.name)", "open", "a path"),
        ("from pathlib import Path\nPath(folder, answer)", "pathlib.Path", "a path"),
        ("import numpy as np\nnp.load(answer)", "numpy.load", "a path"),
        ("import numpy as np\nnp.loadtxt(fname=answer)", "numpy.loadtxt", "a path"),
        ("import numpy as np\nnp.dtype(answer)", "numpy.dtype", "a dtype"),
        ("import re\nre.search(answer, 'text')", "re.search", "a pattern"),
        ("from re import compile as pattern\npattern(answer)", "re.compile", "a pattern"),
        ("import pickle as p\np.loads(answer)", "pickle.loads", "a pickle"),
        ("import torch\ntorch.load(answer)", "torch.load", "a pickle"),
        ("import torch\ntorch.jit.CompilationUnit(answer)", "torch.jit.CompilationUnit", "code"),
        ("import torch\ntorch.save(1, answer)", "torch.save", "a path"),
        ("import marshal\nmarshal.loads(answer)", "marshal.loads", "a pickle"),
        ("getattr(np, answer)", "getattr", "the name of an attribute"),
        ("setattr(object(), answer, 1)", "setattr", "the name of an attribute"),
        (
            "from operator import attrgetter\nattrgetter(answer)",
            "operator.attrgetter",
            "the name of an attribute",
        ),
        ("import os\nos.system(answer)", "os.system", "a path"),
        ("import subprocess\nsubprocess.run([answer])", "subprocess.run", "a command"),
        ("import string\nstring.Template(answer)", "string.Template", "a format"),
        ("answer.format(1)", "answer.format", "a format"),
        ("text = answer()\nopen(text)", "open", "a path"),
        ("for text in answer:\n    open(text)", "open", "a path"),
        ("[open(text) for text in answer]", "open", "a path"),
        ("with answer() as text:\n    open(text)", "open", "a path"),
        ("if (text := answer()):\n    open(text)", "open", "a path"),
        ("def helper():\n    return answer()\nopen(helper())", "open", "a path"),
        ("a = b = answer\nc = a\nopen(c)", "open", "a path"),
        ("from theirs import text\nopen(text)", "open", "a path"),
    ],
)
def test_a_students_value_that_is_more_than_data_is_found(source, function, use):
    """By the function that takes it, under whichever name, and by whichever way it came there."""
    assert (function, use) in found(source)


@pytest.mark.parametrize(
    "source",
    [
        "eval('answer(1)')",
        "open('data.csv')\nopen(folder)",
        "import re\nre.search('a+', answer)\nre.sub('a', 'b', answer())",
        "getattr(answer, 'name')\nhasattr(answer, names)",
        "for name in ('add', 'sub'):\n    getattr(answer, name)",
        "import torch\ntorch.save(answer, 'it.pt')\ntorch.equal(torch.load('it.pt'), answer)",
        "import numpy as np\nnp.zeros(answer)\nnp.asarray(answer).astype(np.dtype('f8'))",
        "'{}'.format(answer)\nf'{answer}'",
        "import operator\noperator.add(answer, 1)",
        "def helper(name):\n    return getattr(answer, name)\nhelper('x')",
        "import json\njson.loads(answer)",
        "import ast\nast.literal_eval(answer)",
        "import io\nio.StringIO(answer)",
    ],
)
def test_a_students_value_that_is_data_is_none_of_it(source):
    """The author's own text decides what is done."""
    assert found(source) == []
