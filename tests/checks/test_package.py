"""The package stands alone: it goes where a student's notebook goes."""

import subprocess
import sys
from pathlib import Path

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
