"""Compare a cached token, an int8 layer and a sparse layer with PyTorch's. Goals are ratios of times."""

from __future__ import annotations

from benchmarks.claims import normal
from benchmarks.paired import Work

# isort: split
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from benchmarks.tokens import Cached, decoder
from tinytorch import nn, no_grad, prune, quantize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinytorch.attention import Decoder

SIZE = 1024


class TorchCached:
    """The decoder of `benchmarks.tokens` in PyTorch, with the same weights and a cache allocated once."""

    def __init__(self, state: Cached) -> None:
        model: Decoder = state.model
        self.text = torch.tensor(state.text)
        self.weights = {name: torch.tensor(p.numpy()) for name, p in model.named_parameters()}
        self.caches = [(torch.tensor(c.keys), torch.tensor(c.values)) for c in state.caches]

    def normed(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Normalize with the parameters of that name."""
        w = self.weights
        return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Multiply with the parameters of that name."""
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def token(self, place: int) -> np.ndarray:
        """Return the scores after the token at a place, counted from 1."""
        w, end = self.weights, place
        x = w["tokens.weight"][self.text[:, end - 1 : end]] + w["places.weight"][end - 1 : end]
        for i, (keys, values) in enumerate(self.caches):
            at = f"blocks.{i}"
            parts = self.linear(self.normed(x, f"{at}.norms.0"), f"{at}.look.into")
            q, k, v = parts.view(1, 1, 3, 4, 32).permute(2, 0, 3, 1, 4)
            keys[:, :, end - 1 : end] = k
            values[:, :, end - 1 : end] = v
            mixed = functional.scaled_dot_product_attention(q, keys[:, :, :end], values[:, :, :end])
            x = x + self.linear(mixed.transpose(1, 2).reshape(1, 1, 128), f"{at}.look.out")
            hidden = functional.relu(self.linear(self.normed(x, f"{at}.norms.1"), f"{at}.think.layers.0"))
            x = x + self.linear(hidden, f"{at}.think.layers.2")
        return self.linear(self.normed(x, "norm"), "head").numpy()


def inference(ours: Callable, theirs: Callable) -> tuple[Callable, Callable]:
    """Return functions that call both sides without recording for gradients."""

    @no_grad()
    def mine() -> list[np.ndarray]:
        return [ours()]

    @torch.inference_mode()
    def other() -> list[np.ndarray]:
        return [theirs()]

    return mine, other


def works() -> Iterator[Work]:
    """Yield the rows of the table."""
    state = Cached(decoder())
    theirs = TorchCached(state)
    for place in (64, 512):
        sides = inference(lambda n=place: state.token(n), lambda n=place: theirs.token(n))
        yield Work(f"a cached token at {place}", *sides, 0.95)
    for size, batch, goal in ((256, 1, 2.7), (SIZE, 1, 2.7), (SIZE, 128, 4.5)):
        yield int8_linear(size, batch, goal)
    yield from sparse_linear()


def int8_linear(size: int, batch: int, goal: float) -> Work:
    """Return a layer with int8 weights; PyTorch also quantizes its inputs, and multiplies integers."""
    layer = nn.Linear(size, size, rng=np.random.default_rng(0))
    other = torch.nn.Linear(size, size)
    other.weight.data, other.bias.data = (torch.tensor(p.numpy()) for p in layer.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch announces that this function will move
        int8 = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(other), {torch.nn.Linear})
    small, x = quantize.QuantizedLinear(layer), normal(batch, size)
    y = torch.tensor(x)
    sides = inference(lambda: small(x).numpy(), lambda: int8(y).numpy())
    return Work(f"int8 linear {size}², batch {batch}", *sides, goal, 0.05)


def sparse_linear() -> Iterator[Work]:
    """Yield products with a matrix of which 5 % are left; PyTorch stores it as compressed sparse rows."""
    weight = normal(SIZE, SIZE)
    weight *= prune.magnitude_mask(weight, 0.95)
    rows = prune.PaddedRows.of(weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls its sparse rows a beta version
        theirs = torch.tensor(weight).to_sparse_csr()
    for batch in (1, 32):
        x = normal(batch, SIZE)
        y = torch.tensor(x)
        sides = inference(lambda x=x: rows.times(x), lambda y=y: (theirs @ y.T).T.numpy())
        yield Work(f"sparse linear {SIZE}² at 95 %, batch {batch}", *sides, 2.2)
