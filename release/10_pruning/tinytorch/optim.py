"""Optimizers: they move parameters in place, a little way against their gradients.

A step reads and writes each array several times. It does so in blocks that stay in the cache, with one block
of scratch for what lies in between, so that nothing of a parameter's size is allocated after the first step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch.tensor import as_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Array = np.ndarray

BLOCK = 1 << 18  # elements: enough for the work on a block to outweigh Python's


class Optimizer:
    """What all optimizers share: whose parameters, how fast, and what each has gone through.

    Parameters
    ----------
    parameters
        Tensors, or any objects with `data`, a writable array, and `grad`: None, or a tensor, array or buffer
        of the same shape. One that is given twice counts once.
    lr
        The learning rate; it may be changed between steps.

    Raises
    ------
    ValueError
        If there are no parameters, or lr is negative.
    """

    def __init__(self, parameters: Iterable[Any], lr: float) -> None:
        self.parameters = list({id(parameter): parameter for parameter in parameters}.values())
        if not self.parameters:
            raise ValueError(f"{type(self).__name__} got no parameters: pass model.parameters()")
        if not lr >= 0:
            raise ValueError(f"{type(self).__name__}: lr {lr} must not be negative")
        self.lr = lr
        self._memory: dict[int, Any] = {}

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient; the others stay where they are, and so does their memory.

        Raises
        ------
        ValueError
            If a gradient has another shape than its parameter.
        """
        for parameter in self.parameters:
            if parameter.grad is not None:
                self._move(parameter)

    def _move(self, parameter: Any) -> None:
        raise NotImplementedError

    def _remembered(self, parameter: Any, first: Any) -> Any:
        """Return what is kept for this parameter between steps, made by first() if it is new."""
        if id(parameter) not in self._memory:
            self._memory[id(parameter)] = first(parameter.data)
        return self._memory[id(parameter)]


class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum · v + g, then p = p - lr · v.

    Parameters
    ----------
    parameters, lr
        As in `Optimizer`.
    momentum
        How much of the last step goes into the next one.
    """

    def __init__(self, parameters: Iterable[Any], lr: float, momentum: float = 0.0) -> None:
        super().__init__(parameters, lr)
        self.momentum = momentum

    def _move(self, parameter: Any) -> None:
        if not self.momentum:
            for p, g, scratch in _blocks(parameter):
                _descend(p, g, self.lr, scratch)
            return
        velocity = self._remembered(parameter, np.zeros_like)
        for p, g, scratch, v in _blocks(parameter, velocity):
            _decay(v, self.momentum, g)
            _descend(p, v, self.lr, scratch)


@dataclass
class _Sums:
    """Decaying sums of a parameter's gradients and of their squares, and how many there were."""

    gradients: Array
    squares: Array
    count: int = 0


class Adam(Optimizer):
    """Steps of about lr each: p = p - lr · m / (√v + eps), where m and v are means of g and of g².

    In a mean, each step counts beta times as much as the next one. It is kept as a sum, and divided by the
    sum of the weights, 1 + beta + beta² + …, so that it is right from the first step on.

    Parameters
    ----------
    parameters, lr
        As in `Optimizer`.
    betas
        How fast the two means forget.
    eps
        What keeps the step small where gradients vanish.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, lr)
        self.betas, self.eps = betas, eps

    def _move(self, parameter: Any) -> None:
        sums = self._remembered(parameter, lambda data: _Sums(np.zeros_like(data), np.zeros_like(data)))
        sums.count += 1
        m_weight, v_weight = ((1 - beta**sums.count) / (1 - beta) for beta in self.betas)
        # lr · (m / m_weight) / (√(v / v_weight) + eps), with the weights taken out of the arrays' way
        lr, eps = self.lr / m_weight * math.sqrt(v_weight), self.eps * math.sqrt(v_weight)
        for p, g, scratch, m, v in _blocks(parameter, sums.gradients, sums.squares):
            _decay(m, self.betas[0], g)
            _decay(v, self.betas[1], np.multiply(g, g, out=scratch))
            np.add(np.sqrt(v, out=scratch), eps, out=scratch)
            _descend(p, np.divide(m, scratch, out=scratch), lr, scratch)


def _decay(total: Array, factor: float, new: Array) -> None:
    """Set total to factor · total + new."""
    total *= factor
    total += new


def _descend(p: Array, direction: Array, lr: float, scratch: Array) -> None:
    """Set p to p - lr · direction; direction may be scratch itself."""
    p -= np.multiply(direction, lr, out=scratch)


def _blocks(parameter: Any, *memory: Array) -> Iterator[tuple[Array, ...]]:
    """Yield blocks of the parameter, its gradient, scratch and its memory: flat, whatever their layout."""
    data, grad = parameter.data, np.asarray(as_array(parameter.grad))
    if grad.shape != data.shape:
        raise ValueError(f"a gradient of shape {grad.shape} does not fit a parameter of shape {data.shape}")
    scratch = np.empty(min(BLOCK, data.size), data.dtype)
    walk = np.nditer(
        [data, grad, *memory],
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=[["readwrite"], ["readonly"], *[["readwrite"]] * len(memory)],
        op_dtypes=[data.dtype] * (2 + len(memory)),
        casting="same_kind",
        buffersize=BLOCK,
    )
    with walk:
        for p, g, *others in walk:
            yield p, g, scratch[: len(p)], *others
