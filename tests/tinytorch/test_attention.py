"""Attention and its cache: against PyTorch's results, central differences, and a decoder without one."""

import tracemalloc

import numpy as np
import pytest

from tinytorch import Tensor, attention, check_grads, nn, no_grad, optim
from tinytorch.attention import Decoder, KVCache, SelfAttention, generate


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def decoder(layers=2, capacity=40):
    return Decoder(11, capacity, 24, 3, layers, np.random.default_rng(0))


def tokens(batch, length):
    return np.random.default_rng(length).integers(0, 11, (batch, length))


def test_attention_agrees_with_pytorch(attention_case):
    """Among the cases are more keys than queries, and values longer than keys: what is scaled by is d."""
    case = attention_case
    q, k, v = (Tensor(case[name], requires_grad=True) for name in "qkv")
    out = attention.attention(q, k, v, causal=bool(case["causal"]))
    out.backward(case["grad_out"])
    np.testing.assert_allclose(out.numpy(), case["out"], rtol=1e-10)
    for name, tensor in zip("qkv", (q, k, v), strict=True):
        np.testing.assert_allclose(tensor.grad.numpy(), case[f"grad_{name}"], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_those_of_central_differences(seed):
    """Through attention itself, and through a layer of it."""
    q, k, v = normal(2, 3, 4, seed=seed), normal(2, 5, 4, seed=seed + 9), normal(2, 5, 3, seed=seed + 18)
    check_grads(attention.attention, q, k, v)
    layer = SelfAttention(6, 2, np.random.default_rng(seed))
    check_grads(layer, normal(2, 3, 6, seed=seed), tolerance=1e-5)


def test_no_token_sees_those_after_it():
    """Otherwise a decoder is trained to copy what it is asked to guess."""
    model, before = decoder(), tokens(1, 8)
    changed = before.copy()
    changed[0, 5] = (changed[0, 5] + 1) % 11
    with no_grad():
        a, b = model(before).numpy(), model(changed).numpy()
    np.testing.assert_array_equal(a[0, :5], b[0, :5])
    assert np.all(np.any(a[0, 5:] != b[0, 5:], axis=1))


def test_with_fewer_queries_than_keys_the_last_belong_together():
    """As when several tokens continue what is in a cache."""
    q, k, v = normal(1, 6, 4), normal(1, 6, 4, seed=1), normal(1, 6, 4, seed=2)
    whole = attention.attention(q, k, v).numpy()
    np.testing.assert_allclose(attention.attention(q[:, 4:], k, v).numpy(), whole[:, 4:], rtol=1e-12)
    with pytest.raises(ValueError, match="before the first"):
        attention.attention(q, k[:, :5], v[:, :5])


@pytest.mark.parametrize("steps", [[1] * 12, [12], [5, 1, 1, 1, 4], [1, 11]], ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_scores_with_a_cache_are_those_without_at_every_position(steps, batch):
    """One token at a time, all at once, and anything in between: places and masks have to fit."""
    model, sequence = decoder(), tokens(batch, 12)
    with no_grad():
        want, caches, got = model(sequence).numpy(), model.new_caches(batch), []
        for start, step in zip(np.cumsum([0, *steps]), steps, strict=False):
            got.append(model(sequence[:, start : start + step], caches).numpy())
    np.testing.assert_allclose(np.concatenate(got, axis=1), want, rtol=1e-5, atol=1e-5)


def test_a_decoder_with_a_cache_writes_the_same_text():
    """Scores that differ in the last digit must not change a word."""
    model, prompt = decoder(), tokens(2, 4)
    with_cache = generate(model, prompt, 20)
    np.testing.assert_array_equal(with_cache, generate(model, prompt, 20, cached=False))
    np.testing.assert_array_equal(with_cache[:, :4], prompt)
    assert with_cache.shape == (2, 24)


def test_a_cache_is_as_good_as_new_after_a_reset():
    """What is left in its memory must not be looked at."""
    model, caches = decoder(), decoder().new_caches(1)
    with no_grad():
        first = model(tokens(1, 9), caches).numpy()
        for cache in caches:
            cache.reset()
        again = model(tokens(1, 9), caches).numpy()
    np.testing.assert_array_equal(first, again)


def test_each_layer_has_a_cache_of_its_own():
    """Shared, the second would overwrite the first one's keys."""
    caches = decoder(layers=3).new_caches(2)
    assert len(caches) == 3
    assert not any(np.shares_memory(a.keys, b.keys) for a in caches for b in caches if a is not b)
    assert caches[0].keys.shape == (2, 3, 40, 8)


def test_a_full_cache_says_so_and_stays_as_it_was():
    """Wrapping around would forget the beginning without a word."""
    cache = KVCache(1, 2, 3, 4)
    cache.append(np.ones((1, 2, 2, 4)), np.ones((1, 2, 2, 4)))
    with pytest.raises(ValueError, match="do not fit a cache of 3"):
        cache.append(np.ones((1, 2, 2, 4)), np.ones((1, 2, 2, 4)))
    with pytest.raises(ValueError, match="takes keys and values"):
        cache.append(np.ones((1, 2, 1, 4)), np.ones((2, 2, 1, 4)))
    assert cache.length == 2
    with pytest.raises(ValueError, match="places"):
        decoder(capacity=5)(tokens(1, 6))


def test_a_cache_copies_what_it_is_given():
    """Its caller may reuse the memory."""
    cache, keys = KVCache(1, 1, 4, 2), np.ones((1, 1, 1, 2), np.float32)
    cache.append(keys, keys)
    keys[...] = 9
    np.testing.assert_array_equal(cache.append(keys, keys)[0][0, 0], [[1, 1], [9, 9]])


def test_attending_with_a_cache_is_attention():
    """The short way for one query, and the general one."""
    cache, keys, values = KVCache(2, 3, 9, 4), normal(2, 3, 7, 4), normal(2, 3, 7, 4, seed=1)
    cache.append(keys, values)
    q = 30 * normal(2, 3, 1, 4, seed=2).astype(np.float32)
    want = attention.attention(q, keys, values).numpy()
    np.testing.assert_allclose(cache.attend(q), want, rtol=1e-5, atol=1e-6)


def test_scores_stay_what_they_were_when_more_tokens_follow():
    """The cache has memory of its own to work in, and must not hand it out."""
    model, caches = decoder(), decoder().new_caches(1)
    with no_grad():
        outs = [model(tokens(1, 6)[:, i : i + 1], caches).numpy() for i in range(6)]
        want = model(tokens(1, 6)).numpy()
    np.testing.assert_allclose(np.concatenate(outs, axis=1), want, rtol=1e-5, atol=1e-5)
    q = np.ones((1, 3, 1, 8), np.float32)
    first = caches[0].attend(q)
    before = first.copy()
    caches[0].attend(-q)
    np.testing.assert_array_equal(first, before)


def test_each_head_has_its_own_share_of_the_features():
    """Its scores are divided by the root of that share, and not of all features."""
    layer, x = SelfAttention(6, 3, np.random.default_rng(0)), normal(4, 6)
    q, k, v = np.split(layer.into(x).numpy(), 3, axis=1)
    heads = []
    for at in (slice(0, 2), slice(2, 4), slice(4, 6)):
        scores = np.exp(q[:, at] @ k[:, at].T / np.sqrt(2)) * np.tri(4)
        heads.append(scores / scores.sum(axis=1, keepdims=True) @ v[:, at])
    want = layer.out(np.concatenate(heads, axis=1)).numpy()
    np.testing.assert_allclose(layer(x[None]).numpy()[0], want, rtol=1e-6)


def test_a_token_allocates_no_more_late_than_early():
    """Joining arrays at each step would copy all that is there: a quadratic number of bytes."""
    model = Decoder(11, 6000, 32, 2, 2, np.random.default_rng(0))
    caches, peaks = model.new_caches(1), []
    with no_grad():
        for length in (10, 5900):
            for cache in caches:
                cache.length = length
            model(tokens(1, 1), caches)
            tracemalloc.start()
            model(tokens(1, 1), caches)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] <= peaks[0] + 500
    assert sum(cache.nbytes for cache in caches) == 2 * (2 * 6000 * 32 + 2 * 6000) * 4


def test_attending_allocates_nothing_for_each_token():
    """Scores with gaps between the heads would be copied; at 5900 tokens NumPy buffers nothing any more."""
    cache, peaks = KVCache(1, 4, 6000, 8), []
    q = np.ones((1, 4, 1, 8), np.float32)
    for length in (10, 5900):
        cache.length = length
        cache.attend(q)
        tracemalloc.start()
        cache.attend(q)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= peaks[0] + 500


def test_heads_that_do_not_divide_the_features_are_refused():
    """Some features would belong to none."""
    with pytest.raises(ValueError, match="evenly"):
        SelfAttention(10, 3)


def test_every_parameter_of_a_decoder_learns():
    """And together they learn to count in circles, which takes a look at the token before."""
    model = Decoder(5, 10, 16, 2, 1, np.random.default_rng(0))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    sequence = (np.arange(10)[None] + np.arange(5)[:, None]) % 5
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(sequence[:, :-1]).reshape(-1, 5), sequence[:, 1:].ravel())
        loss.backward()
        optimizer.step()
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.numpy().any()]
    assert missing == []
    assert loss.item() < 0.05
    assert generate(model, [[3, 4]], 6).tolist() == [[3, 4, 0, 1, 2, 3, 4, 0]]
