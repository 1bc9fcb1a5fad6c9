"""All layers together: a small network learns to tell drawn shapes apart."""

import numpy as np
import pytest

from tinytorch import nn, no_grad, optim
from tinytorch.data import NAMES, batches, shapes


def network(rng):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, rng=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, rng=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, len(NAMES), rng=rng),
    )


def train(model, optimizer, data, epochs, rng):
    """Return the loss of every step."""
    losses = []
    for _ in range(epochs):
        for x, y in batches(*data, size=32, rng=rng):
            optimizer.zero_grad()
            loss = nn.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


@no_grad()
def accuracy(model, images, labels):
    return np.mean(model(images).numpy().argmax(axis=1) == labels)


@pytest.mark.parametrize(
    "make",
    [lambda p: optim.Adam(p, lr=3e-3), lambda p: optim.SGD(p, lr=0.03, momentum=0.9)],
    ids=["adam", "momentum"],
)
def test_a_small_network_learns_the_shapes(make):
    """It is judged on pictures it has not seen; guessing gives 0.2."""
    rng = np.random.default_rng(0)
    model = network(rng)
    unseen = shapes(500, seed=2)
    assert accuracy(model, *unseen) < 0.5
    losses = train(model, make(model.parameters()), shapes(2000, seed=1), epochs=4, rng=rng)
    assert np.mean(losses[-20:]) < 0.2 * np.mean(losses[:5])
    assert accuracy(model, *unseen) >= 0.95


def test_every_parameter_takes_part_in_learning():
    """A layer that gets no gradient stays as it was drawn, and the others learn around it."""
    rng = np.random.default_rng(0)
    model = network(rng)
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}
    train(model, optim.SGD(model.parameters(), lr=0.01), shapes(32), epochs=1, rng=rng)
    assert len(before) == 6
    for name, parameter in model.named_parameters():
        assert not np.array_equal(parameter.numpy(), before[name]), name


def test_training_repeats_itself_to_the_bit():
    """The same generator gives the same filters, the same order and the same losses."""
    runs = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        model = network(rng)
        runs.append(train(model, optim.Adam(model.parameters()), shapes(96), epochs=1, rng=rng))
    assert runs[0] == runs[1]
