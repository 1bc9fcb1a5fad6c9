"""The package stands alone: it goes where a student's notebook goes."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import examiner_checks

ROOT = Path(examiner_checks.__file__).parents[1]

IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy.random, numpy.testing
before = set(sys.modules)
import examiner_checks
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - sys.stdlib_module_names))
"""


def test_it_needs_numpy_and_nothing_else():
    """A student's environment has neither nbgrader nor the examiner."""
    command = [sys.executable, "-I", "-c", IMPORT, ROOT]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("examiner_checks numpy\n", "")


def test_every_public_name_has_a_docstring():
    """`check_array?` in a notebook is where students look first."""
    assert all(getattr(examiner_checks, name).__doc__ for name in examiner_checks.__all__)


def test_the_readme_shows_what_the_checks_really_say():
    """Each line of its example that fails has the failure below it, word for word."""
    readme = (ROOT / "examiner_checks" / "README.md").read_text("utf-8")
    setup, _, rest = readme.split("```python\n")[1].split("```")[0].partition("\n\n")
    namespace = {}
    exec(setup, namespace)
    lines = rest.splitlines()
    shown = [(call, says) for call, says in pairwise(lines) if says.startswith("# CheckFailed: ")]
    assert shown
    for call, says in shown:
        with pytest.raises(examiner_checks.CheckFailed) as caught:
            exec(call, namespace)
        assert says == f"# CheckFailed: {caught.value}"
