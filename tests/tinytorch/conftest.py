"""Run a test that takes `<family>_case` once for each case in `fixtures/<family>.npz`; forget its rules."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tinytorch.tensor import rules

# The same examples every time, and no clock: a busy machine finds nothing new.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

FIXTURES = Path(__file__).parent / "fixtures"


def cases(family):
    """Return the arrays of each case; fixtures/make_fixtures.py says what they are."""
    found = {}
    with np.load(FIXTURES / f"{family}.npz", allow_pickle=False) as file:
        for key in file.files:
            case, name = key.split("/")
            found.setdefault(case, {})[name] = file[key]
    return found


def pytest_generate_tests(metafunc):
    for argument in metafunc.fixturenames:
        if argument.endswith("_case"):
            found = cases(argument.removesuffix("_case"))
            metafunc.parametrize(argument, found.values(), ids=found.keys())


@pytest.fixture
def rules_kept():
    """Forget the rules that a test registered."""
    before = dict(rules)
    yield
    rules.clear()
    rules.update(before)
