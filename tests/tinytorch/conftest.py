"""Run a test that takes `<family>_case` once for each case in `fixtures/<family>.npz`; forget its rules."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tinytorch import nn, optim
from tinytorch.data import NAMES, batches, shapes
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


@dataclass(frozen=True)
class Trained:
    """A network that was trained on images and labels; it belongs to all tests."""

    model: nn.Sequential
    images: np.ndarray
    labels: np.ndarray
    unseen: tuple[np.ndarray, np.ndarray]

    def copy(self):
        """Return a network of one's own with the same weights."""
        model = network()
        for mine, other in zip(model.parameters(), self.model.parameters(), strict=True):
            mine.data = other
        return model


def network():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(256, 64, rng=rng),
        nn.ReLU(),
        nn.Linear(64, 32, rng=rng),
        nn.ReLU(),
        nn.Linear(32, len(NAMES), rng=rng),
    )


@pytest.fixture(scope="session")
def trained():
    """Train a small network on drawn shapes, in about a second."""
    model, rng = network(), np.random.default_rng(0)
    images, labels = shapes(1500, seed=1, size=16)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(8):
        for x, y in batches(images, labels, size=64, rng=rng):
            optimizer.zero_grad()
            nn.cross_entropy(model(x), y).backward()
            optimizer.step()
    return Trained(model, images, labels, shapes(1000, seed=2, size=16))
