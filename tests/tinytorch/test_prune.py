"""Dropping weights: which ones, that they stay away, and that what is stored without them is the same."""

import numpy as np
import pytest

from tinytorch import check_grads, nn, no_grad, optim, prune, quantize
from tinytorch.data import batches
from tinytorch.prune import Bitmask, MaskedOptimizer, Masks, PaddedRows, Rows, SparseLinear

FORMS = pytest.mark.parametrize("form", [Bitmask, Rows, PaddedRows])


def pruned(shape, sparsity, seed=0):
    """Return a float32 matrix with so many zeros."""
    weight = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return weight * prune.magnitude_mask(weight, sparsity)


def test_the_smallest_weights_go_whatever_their_sign():
    """By value, all negative ones would be the first."""
    weight = np.array([[-5.0, 0.1], [2.0, -0.2]])
    assert prune.magnitude_mask(weight, 0.5).tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.33, 0.5, 0.9, 0.999, 1])
@pytest.mark.parametrize("values", [np.arange(60.0), np.ones(60), np.zeros(60)], ids=["all", "equal", "zero"])
def test_the_share_is_met_exactly(sparsity, values):
    """Also among equals: a threshold with < drops none of them, and with <= all."""
    mask = prune.magnitude_mask(values.reshape(5, 12), sparsity)
    assert np.count_nonzero(~mask) == round(60 * sparsity)


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, np.nan])
def test_a_share_that_is_none_is_refused(sparsity):
    """95 may mean per cent."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        prune.magnitude_mask(np.ones(4), sparsity)


def model():
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Linear(6, 20, rng=rng), nn.ReLU(), nn.Linear(20, 3, rng=rng))


def test_weights_compete_everywhere_or_within_their_layer():
    """Weights of the second layer are smaller, so that together it loses more; biases are left."""
    for everywhere, equal in ((True, False), (False, True)):
        net = model()
        biases = [p.numpy().copy() for p in net.parameters() if p.ndim == 1]
        masks = Masks(net, 0.5, everywhere)
        shares = [np.mean(w.numpy() == 0) for w in masks.weights]
        assert masks.sparsity == pytest.approx(0.5)
        assert np.isclose(shares[0], shares[1]) == equal
        assert shares[0] <= shares[1]
        for before, p in zip(biases, (p for p in net.parameters() if p.ndim == 1), strict=True):
            np.testing.assert_array_equal(before, p.numpy())


@pytest.mark.parametrize(
    "make",
    [lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: optim.Adam(p, lr=0.1)],
    ids=["momentum", "adam"],
)
def test_dropped_weights_stay_away_in_training(make):
    """Momentum from the steps before moves a weight that has no gradient any more."""
    net = model()
    optimizer = make(net.parameters())
    x, y = np.random.default_rng(0).normal(size=(30, 6)), np.arange(30) % 3
    nn.cross_entropy(net(x), y).backward()
    optimizer.step()
    masked = MaskedOptimizer(optimizer, Masks(net, 0.8, everywhere=False))
    before = [w.numpy().copy() for w in masked.masks.weights]
    for _ in range(3):
        masked.zero_grad()
        nn.cross_entropy(net(x), y).backward()
        masked.step()
    for weight, mask, old in zip(masked.masks.weights, masked.masks.masks, before, strict=True):
        assert np.all(weight.numpy()[~mask] == 0)
        assert np.any(weight.numpy()[mask] != old[mask])


@FORMS
@pytest.mark.parametrize("sparsity", [0, 0.5, 0.95, 1])
@pytest.mark.parametrize("shape", [(7, 5), (1, 9), (9, 1), (200, 130)])
def test_a_sparse_form_is_the_matrix(form, sparsity, shape):
    """With nothing dropped, and with everything; with rows that are empty."""
    weight = pruned(shape, sparsity)
    stored = form.of(weight)
    assert stored.shape == shape
    np.testing.assert_array_equal(stored.dense(), weight)
    for samples in (1, 2, 33):
        x = np.random.default_rng(samples).normal(size=(samples, shape[1])).astype(np.float32)
        got = stored.times(x)
        assert (got.dtype, got.shape) == (np.float32, (samples, shape[0]))
        np.testing.assert_allclose(got, x @ weight.T, rtol=1e-4, atol=1e-5)


@FORMS
def test_rows_of_very_different_length_are_stored_as_well(form):
    """One row is full, and most are empty."""
    weight = np.zeros((100, 40), np.float32)
    weight[50], weight[3, ::7] = 1, np.arange(1, 7)
    np.testing.assert_array_equal(form.of(weight).dense(), weight)
    np.testing.assert_allclose(form.of(weight).times(np.eye(40, dtype=np.float32)), weight.T)


def test_bytes_are_those_of_all_arrays_with_indices_counted():
    """At 95 %, twenty times fewer weights are not twenty times fewer bytes; padding costs some as well."""
    weight = pruned((512, 512), 0.95)
    ratios = {form: weight.nbytes / form.of(weight).nbytes for form in (Bitmask, Rows, PaddedRows)}
    assert 12 <= ratios[Bitmask] < 13
    assert 9 <= ratios[Rows] < 10
    assert 5 <= ratios[PaddedRows] < ratios[Rows]
    n = np.count_nonzero(weight)
    assert Bitmask.of(weight).nbytes == 4 * n + weight.size // 8
    assert Rows.of(weight).nbytes == 8 * n + 4 * 513


@FORMS
def test_a_sparse_layer_is_the_pruned_layer(form):
    """Its gradients too, and nothing dense is kept beside it."""
    layer = nn.Linear(12, 9, rng=np.random.default_rng(0))
    Masks(layer, 0.7)
    sparse, x = SparseLinear(layer, form), np.random.default_rng(1).normal(size=(2, 4, 12))
    np.testing.assert_allclose(sparse(x).numpy(), layer(x).numpy(), rtol=1e-5, atol=1e-6)
    check_grads(sparse, x[0])
    assert sparse.nbytes == sparse.weight.nbytes + layer.bias.numpy().nbytes
    assert set(vars(sparse)) == {"weight", "bias"}


def test_units_with_the_largest_weights_stay():
    """In their order, and one at least: a layer of none ends the network."""
    weight = np.array([[1.0, 1], [0, 3], [0, -0.5], [2, 2]])
    assert prune.largest_units(weight, 0.5).tolist() == [1, 3]
    assert prune.largest_units(weight, 1).tolist() == [1]
    assert prune.largest_units(weight, 0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("first", "between", "second", "shape"),
    [
        (lambda: nn.Linear(4, 6), [nn.ReLU()], lambda: nn.Linear(6, 3), (5, 4)),
        (lambda: nn.Conv2d(2, 6, 3), [nn.ReLU()], lambda: nn.Conv2d(6, 3, 2, padding=1), (2, 2, 6, 5)),
        (
            lambda: nn.Conv2d(2, 6, 3, padding=1),
            [nn.MaxPool2d(2), nn.Flatten()],
            lambda: nn.Linear(36, 3, bias=False),
            (2, 2, 6, 4),
        ),
    ],
    ids=["linear", "filters", "flattened"],
)
def test_layers_without_units_that_are_zero_compute_the_same(first, between, second, shape):
    """They are smaller arrays, though: zeros that stay where they are cost what they did."""
    first, second, kept = first(), second(), np.array([0, 2, 5])
    gone = np.array([1, 3, 4])
    first.weight.numpy()[gone] = 0
    first.bias.numpy()[gone] = 0
    x = np.random.default_rng(0).normal(size=shape)
    want = nn.Sequential(first, *between, second)(x).numpy()
    small = prune.keep_units(first, second, kept)
    np.testing.assert_allclose(nn.Sequential(small[0], *between, small[1])(x).numpy(), want, atol=1e-6)
    assert [len(small[0].weight), 2 * small[1].weight.size] == [3, second.weight.size]
    assert len(first.weight) == 6
    assert not np.shares_memory(small[1].weight.numpy(), second.weight.numpy())
    assert len(small[0].parameters()) == 2


@no_grad()
def accuracy(model, images, labels):
    return np.mean(model(images).numpy().argmax(axis=1) == labels)


def test_a_trained_network_needs_its_large_weights_and_recovers_by_training(trained):
    """Dropping 80 % by chance ruins it, 80 % of the smallest little, and an epoch mends much of the rest."""
    small = trained.copy()
    masks = Masks(small, 0.8)
    one_shot = accuracy(small, *trained.unseen)
    chance, rng = trained.copy(), np.random.default_rng(0)
    for weight in (p for p in chance.parameters() if p.ndim > 1):
        weight.numpy()[rng.random(weight.shape) < 0.8] = 0
    assert one_shot > accuracy(chance, *trained.unseen) + 0.2
    Masks(small, 0.95)
    masks = Masks(small, 0.95)
    before = accuracy(small, *trained.unseen)
    optimizer = MaskedOptimizer(optim.Adam(small.parameters(), lr=2e-3), masks)
    for x, y in batches(trained.images, trained.labels, size=64, rng=rng):
        optimizer.zero_grad()
        nn.cross_entropy(small(x), y).backward()
        optimizer.step()
    assert accuracy(small, *trained.unseen) > before + 0.05
    assert masks.sparsity == pytest.approx(0.95, abs=1e-3)
    layers = [
        SparseLinear(layer, Bitmask) if isinstance(layer, nn.Linear) else layer for layer in small.layers
    ]
    sparse = nn.Sequential(*layers)
    assert accuracy(sparse, *trained.unseen) == accuracy(small, *trained.unseen)
    assert quantize.nbytes(small) / quantize.nbytes(sparse) > 9
