"""Attention, a small decoder made of it, and the cache that makes its next token cheap.

A decoder guesses each token from those before it. To guess token t + 1 it needs the keys and values of all t
tokens, and these do not change once they are there. Computed anew for every token, t tokens cost time in
proportion to t² in the linear layers and t³ in attention; kept in a cache, t and t².
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch.autograd import no_grad
from tinytorch.nn.embedding import Embedding
from tinytorch.nn.module import Linear, Module, ReLU, Sequential
from tinytorch.nn.norm import LayerNorm, softmax
from tinytorch.tensor import Tensor, apply, as_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray


def attention(q: Any, k: Any, v: Any, causal: bool = True) -> Tensor:
    """Return for each query the mean of the values, weighted by how well their keys match it.

    Parameters
    ----------
    q
        Queries (..., T, d).
    k, v
        Keys (..., S, d) and values (..., S, e).
    causal
        Whether a query sees only its own token and those before it. The last query belongs to the last key.

    Returns
    -------
    Tensor
        softmax(q kᵀ / √d) v, of shape (..., T, e) (Vaswani et al. 2017). Without the root, long rows have
        large products, and softmax picks one key alone.

    Raises
    ------
    ValueError
        If there are more queries than keys, and the first would see nothing.
    """
    axes = np.ndim(as_array(k))
    turned = apply("transpose", k, axes=(*range(axes - 2), axes - 1, axes - 2))
    scores = apply("matmul", q, turned) * turned.shape[-2] ** -0.5
    queries, keys = scores.shape[-2:]
    if causal and queries > keys:
        raise ValueError(f"attention: the first of {queries} queries comes before the first of {keys} keys")
    if causal and queries > 1:  # a single one is the last, and sees all
        scores = scores + np.triu(np.full((queries, keys), -np.inf, scores.dtype), keys - queries + 1)
    return softmax(scores) @ v


class KVCache:
    """The keys and values of one layer for the tokens so far, in memory that is allocated once.

    Parameters
    ----------
    batch, heads, capacity, features
        How many sequences, heads in a layer, tokens at most, and numbers in a key.

    Attributes
    ----------
    keys, values
        float32 (batch, heads, capacity, features), of which the first `length` tokens count.
    length
        How many tokens are there.
    """

    def __init__(self, batch: int, heads: int, capacity: int, features: int) -> None:
        self.keys, self.values = np.zeros((2, batch, heads, capacity, features), np.float32)
        self._scores = np.empty(batch * heads * capacity, np.float32)
        self.length = 0

    @property
    def capacity(self) -> int:
        """How many tokens there is room for."""
        return self.keys.shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes of keys, values and scores, from the first token on."""
        return self.keys.nbytes + self.values.nbytes + self._scores.nbytes

    def append(self, keys: Array, values: Array) -> tuple[Array, Array]:
        """Copy keys and values (batch, heads, T, features) behind the others; return views of all so far.

        Raises
        ------
        ValueError
            If there is no room, or the shapes do not fit. Nothing has changed then.
        """
        want = (*self.keys.shape[:2], keys.shape[2], self.keys.shape[3])
        if keys.shape != want or values.shape != want:
            raise ValueError(f"the cache takes keys and values {want}, not {keys.shape} and {values.shape}")
        end = self.length + keys.shape[2]
        if end > self.capacity:
            raise ValueError(
                f"{end} tokens do not fit a cache of {self.capacity}: make a larger one, or reset()"
            )
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def attend(self, q: Array) -> Array:
        """Return `attention` of one query in each head, (batch, heads, 1, features), to all tokens so far.

        The scores have memory of their own: nothing is allocated that grows with the number of tokens,
        but for NumPy's buffer of at most 8192 numbers.
        """
        keys, values = self.keys[:, :, : self.length], self.values[:, :, : self.length]
        batch, heads, length, _ = keys.shape
        scores = self._scores[: batch * heads * length].reshape(batch, heads, 1, length)
        np.matmul(q * q.shape[-1] ** -0.5, keys.swapaxes(-1, -2), out=scores)
        np.subtract(scores, np.maximum.reduce(scores, axis=-1, keepdims=True), out=scores)
        np.exp(scores, out=scores)
        mixed = scores @ values
        # The mean is divided, and not each of the scores: there are fewer features than tokens.
        mixed /= np.add.reduce(scores, axis=-1, keepdims=True)
        return mixed

    def reset(self) -> None:
        """Forget all tokens; what is left of them in memory is never looked at."""
        self.length = 0


class SelfAttention(Module):
    """Attention of a sequence to itself, in several heads, each with its own share of the features.

    Parameters
    ----------
    features
        Of a token.
    heads
        A divisor of features.
    rng
        Where the first values come from.
    """

    def __init__(self, features: int, heads: int, rng: np.random.Generator | None = None) -> None:
        if features % heads:
            raise ValueError(f"{heads} heads cannot share {features} features evenly")
        self.heads = heads
        self.into = Linear(features, 3 * features, rng=rng)  # queries, keys and values in one product
        self.out = Linear(features, features, rng=rng)

    def forward(self, x: Any, cache: KVCache | None = None) -> Tensor:
        """Return what each token of x (N, T, C) takes from those before it, and from those in the cache.

        With a cache, x continues what is there and is put behind it; no gradient passes through a cache.
        """
        n, length, features = np.shape(as_array(x))
        parts, shape = self.into(x), (n, length, 3, self.heads, features // self.heads)
        if cache is not None and length == 1:  # by arrays: nothing of it is ever differentiated
            q, k, v = parts.numpy().reshape(shape).transpose(2, 0, 3, 1, 4)
            cache.append(k, v)
            return self.out(cache.attend(q).reshape(n, 1, features))
        q, k, v = parts.reshape(shape).transpose(2, 0, 3, 1, 4)
        if cache is not None:
            k, v = cache.append(k.numpy(), v.numpy())
        mixed = attention(q, k, v)
        return self.out(mixed.transpose(0, 2, 1, 3).reshape(n, length, features))


class Block(Module):
    """Tokens look at one another, then each thinks for itself; either adds to what was there.

    Normalization comes before either part, so that the sum itself passes unchanged from the first block to
    the last (Radford et al. 2019).
    """

    def __init__(self, features: int, heads: int, rng: np.random.Generator | None = None) -> None:
        self.norms = LayerNorm(features), LayerNorm(features)
        self.look = SelfAttention(features, heads, rng)
        self.think = Sequential(
            Linear(features, 4 * features, rng=rng), ReLU(), Linear(4 * features, features, rng=rng)
        )

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """Return tokens (N, T, C) as (N, T, C)."""
        x = x + self.look(self.norms[0](x), cache)
        return x + self.think(self.norms[1](x))


class Decoder(Module):
    """A small language model: from tokens (N, T) to scores (N, T, V) for the token after each.

    Parameters
    ----------
    vocabulary
        How many different tokens there are, V.
    capacity
        The longest sequence, in tokens: each place has a row of its own.
    features, heads, layers
        Numbers for a token, heads of a layer, layers.
    rng
        Where the first values come from; by default they differ from run to run.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the five sizes of a decoder
        self,
        vocabulary: int,
        capacity: int,
        features: int,
        heads: int,
        layers: int,
        rng: np.random.Generator | None = None,
    ) -> None:
        rng = rng or np.random.default_rng()
        self.tokens = Embedding(vocabulary, features, rng)
        self.places = Embedding(capacity, features, rng)
        self.blocks = [Block(features, heads, rng) for _ in range(layers)]
        self.norm = LayerNorm(features)
        self.head = Linear(features, vocabulary, bias=False, rng=rng)

    def forward(self, tokens: Any, caches: Sequence[KVCache] | None = None) -> Tensor:
        """Return the scores of the token after each.

        Parameters
        ----------
        tokens
            Whole numbers (N, T).
        caches
            One for each layer, from `new_caches`: then the tokens continue those that are there.

        Raises
        ------
        ValueError
            If the sequence becomes longer than the places that there are.
        """
        tokens = np.asarray(as_array(tokens))
        start = caches[0].length if caches else 0
        end = start + tokens.shape[1]
        if end > len(self.places.weight):
            raise ValueError(
                f"a sequence of {end} tokens is longer than the {len(self.places.weight)} places"
            )
        x = self.tokens(tokens) + self.places(np.arange(start, end))
        for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):
            x = block(x, cache)
        return self.head(self.norm(x))

    def new_caches(self, batch: int = 1) -> list[KVCache]:
        """Return an empty cache for each layer, for so many sequences of the full length."""
        capacity, features = self.places.weight.shape
        heads = [block.look.heads for block in self.blocks]
        return [KVCache(batch, each, capacity, features // each) for each in heads]


@no_grad()
def generate(model: Decoder, prompt: Any, count: int, cached: bool = True) -> Array:
    """Return a prompt (N, T) continued by the likeliest token, count times: int64 (N, T + count).

    Parameters
    ----------
    model
        Anything that is called as a `Decoder` is.
    prompt
        Whole numbers (N, T), at least one token.
    count
        How many to add.
    cached
        Whether keys and values are kept: the first step reads the prompt, each later one a single token.
        Otherwise every step reads all there is.
    """
    prompt = np.asarray(as_array(prompt))
    length = prompt.shape[1]
    out = np.empty((len(prompt), length + count), np.int64)
    out[:, :length] = prompt
    caches = model.new_caches(len(prompt)) if cached else None
    for end in range(length, length + count):
        new = out[:, :end] if caches is None or end == length else out[:, end - 1 : end]
        out[:, end] = model(new, caches).numpy()[:, -1].argmax(axis=-1)
    return out
