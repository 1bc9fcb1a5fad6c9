"""Compare the core of TinyTorch with PyTorch on the CPU: one thread, float32, both in one process.

Run it as `python -m benchmarks.core`. Everything goes through the public interface and is recorded. The
convolutions are timed a second time as bare rules, forward and backward without recording; PyTorch records
its side there, too.
"""

from __future__ import annotations

from benchmarks.paired import Work, run

# isort: split
from typing import TYPE_CHECKING

import numpy as np
import torch

from tinytorch import Parameter, Tensor, nn, optim
from tinytorch.data import NAMES, shapes
from tinytorch.tensor import rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Shape = tuple[int, ...]

Arrays = tuple[np.ndarray, ...]


def normal(*shape: int) -> np.ndarray:
    """Draw float32 numbers."""
    return np.random.default_rng(len(shape)).standard_normal(shape, np.float32)


def differentiated(
    function: Callable, leaves: list, gradient: np.ndarray | torch.Tensor
) -> Callable[[], Arrays]:
    """Return a function that runs `function` forward and backward, and returns the gradient of each leaf."""

    def forward_backward() -> Arrays:
        for leaf in leaves:
            leaf.grad = None
        function(*leaves).backward(gradient)
        return tuple(leaf.grad.numpy() for leaf in leaves)

    return forward_backward


def both(arrays: Arrays) -> tuple[list[Tensor], list[torch.Tensor]]:
    """Return the arrays as leaves that need gradients, in both libraries."""
    ours = [Tensor(array, requires_grad=True) for array in arrays]
    return ours, [torch.tensor(array, requires_grad=True) for array in arrays]


def matmul(n: int) -> Work:
    """Return the product of two square matrices, in both libraries."""
    a, b = normal(n, n), normal(n, n)
    ours, theirs = (Tensor(a), Tensor(b)), (torch.tensor(a), torch.tensor(b))
    return Work(
        f"matmul {n}", lambda: [(ours[0] @ ours[1]).numpy()], lambda: [(theirs[0] @ theirs[1]).numpy()], 1.05
    )


def convolution(x: Shape, weight: Shape, goal: float) -> Iterator[Work]:
    """Yield a convolution, forward and backward: recorded, and as the bare rule."""
    arrays = normal(*x), normal(*weight)
    ours, theirs = both(arrays)
    g = normal(*nn.conv2d(*arrays).shape)
    torch_side = differentiated(torch.nn.functional.conv2d, theirs, torch.tensor(g))
    rule = rules["conv2d"]

    def bare() -> Arrays:
        inputs, options = (*arrays, None), {"stride": (1, 1), "padding": (0, 0)}
        out = rule.forward(*inputs, **options)
        return tuple(rule.backward[i](g, out, *inputs, **options) for i in (0, 1))

    name = f"conv2d {','.join(map(str, x))} * {','.join(map(str, weight))}"
    yield Work(name, differentiated(nn.conv2d, ours, g), torch_side, goal)
    yield Work(f"{name}, rule", bare, torch_side, goal)


def pooling(shape: Shape) -> Work:
    """Return max pooling by 2, forward and backward."""
    x = normal(*shape)
    ours, theirs = both((x,))
    g = normal(*nn.max_pool2d(x, 2).shape)
    return Work(
        f"max_pool2d 2x2 {','.join(map(str, shape))}",
        differentiated(lambda x: nn.max_pool2d(x, 2), ours, g),
        differentiated(lambda x: torch.nn.functional.max_pool2d(x, 2), theirs, torch.tensor(g)),
        0.7,
    )


def training_step() -> Work:
    """Return a training step of the tests' network: two convolutions, two poolings, one linear layer."""

    def network(of: object) -> Callable:
        layers = (
            of.Conv2d(1, 8, 3),
            of.ReLU(),
            of.MaxPool2d(2),
            of.Conv2d(8, 16, 3),
            of.ReLU(),
            of.MaxPool2d(2),
        )
        return of.Sequential(*layers, of.Flatten(), of.Linear(400, len(NAMES)))

    def step(
        model: Callable, optimizer: object, loss: Callable, x: object, y: object
    ) -> Callable[[], Arrays]:
        def train() -> Arrays:
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
            return tuple(parameter.detach().numpy() for parameter in model.parameters())

        return train

    ours, theirs = network(nn), network(torch.nn)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine.data = other.detach().numpy()
    images, labels = shapes(32)
    options = {"lr": 1e-3, "momentum": 0.9}
    return Work(
        "CNN training step, batch 32, 28x28",
        step(ours, optim.SGD(ours.parameters(), **options), nn.cross_entropy, Tensor(images), labels),
        step(
            theirs,
            torch.optim.SGD(theirs.parameters(), **options),
            torch.nn.functional.cross_entropy,
            torch.tensor(images),
            torch.tensor(labels),
        ),
        1.1,
    )


def optimizer_step(name: str, goal: float, **options: float) -> Work:
    """Return the step of an optimizer for one parameter of a million numbers."""
    start, gradient = normal(1000, 1000), normal(1000, 1000)
    mine, other = Parameter(start), torch.tensor(start, requires_grad=True)
    mine.grad, other.grad = gradient, torch.tensor(gradient)
    ours, theirs = getattr(optim, name)([mine], **options), getattr(torch.optim, name)([other], **options)

    def step(optimizer: object, parameter: object) -> Callable[[], Arrays]:
        def move() -> Arrays:
            optimizer.step()
            return (parameter.detach().numpy(),)

        return move

    momentum = " with momentum" if "momentum" in options else ""
    return Work(f"{name}{momentum}, 1 M parameters", step(ours, mine), step(theirs, other), goal)


def works() -> Iterator[Work]:
    """Yield the rows of the table."""
    for n in (128, 256, 512, 1024):
        yield matmul(n)
    yield from convolution((1, 3, 32, 32), (16, 3, 3, 3), 0.6)
    yield from convolution((8, 3, 32, 32), (32, 3, 3, 3), 0.7)
    yield from convolution((32, 16, 28, 28), (32, 16, 3, 3), 1.9)
    yield pooling((32, 32, 26, 26))
    yield training_step()
    yield optimizer_step("Adam", 1.1, lr=1e-3)
    yield optimizer_step("SGD", 1.4, lr=1e-3, momentum=0.9)
    yield optimizer_step("SGD", 1.4, lr=1e-3)


if __name__ == "__main__":
    run("core", works())
