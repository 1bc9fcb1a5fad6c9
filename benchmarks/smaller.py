"""Measure quantization and pruning: bytes, speed, and the accuracy that a trained network keeps."""

from __future__ import annotations

from benchmarks.claims import TIMES, Claim, break_even, counted, faster, normal
from benchmarks.paired import Work, measure

# isort: split
from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch import nn, no_grad, optim, prune, quantize
from tinytorch.data import NAMES, batches, shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 1024  # of the square layers that are timed
SPARSITIES = (0.5, 0.8, 0.9, 0.95, 0.98)
LADDER = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)  # sparsities between which break-even is looked for
BATCHES = (1, 8, 32, 128)
FEW_PAIRS = 11

Model = nn.Sequential
Curves = dict[str, Any]


class Trained:
    """A network with layers of 784, 256 and 128 inputs that tells drawn shapes apart, and its data."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.data, self.unseen = shapes(4000, seed=1), shapes(2000, seed=2)
        widths = (784, 256, 128, len(NAMES))
        layers = [nn.Linear(i, o, rng=self.rng) for i, o in pairwise(widths)]
        self.model = nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        self.train(self.model, optim.Adam(self.model.parameters(), lr=1e-3), 10)

    def train(self, model: Model, optimizer: Any, epochs: int) -> None:
        """Train a model with an optimizer, which is anything that has `step` and `zero_grad`."""
        for _ in range(epochs):
            for x, y in batches(*self.data, size=64, rng=self.rng):
                optimizer.zero_grad()
                nn.cross_entropy(model(x), y).backward()
                optimizer.step()

    @no_grad()
    def predicted(self, model: Model) -> np.ndarray:
        """Return the class of each unseen picture."""
        return model(self.unseen[0]).numpy().argmax(axis=1)

    def accuracy(self, model: Model) -> float:
        """Return the share of unseen pictures that a model gets right, in per cent."""
        return 100 * float(np.mean(self.predicted(model) == self.unseen[1]))


@no_grad()
def quantization(trained: Trained, curves: Curves) -> Iterator[Claim]:
    """Yield bytes, noise and agreement on the trained network, and the speed of a large layer."""
    model, images = trained.model, trained.unseen[0]
    whole, right = trained.predicted(model), trained.accuracy(model)
    bytes_before, logits = quantize.nbytes(model), model(images)
    curves["bits"] = []
    group = "quantization"
    for bits in range(2, 9):
        small = quantize.quantize_model(model, bits)
        weight = model.layers[1].weight.numpy()
        noise = {
            grid: quantize.sqnr(
                weight,
                quantize.quantize(
                    weight, quantize.symmetric_grid(weight, bits, grid == "channel")
                ).dequantize(),
            )
            for grid in ("tensor", "channel")
        }
        agree = 100 * float(np.mean(trained.predicted(small) == whole))
        db = quantize.sqnr(logits, small(images))
        curves["bits"].append({"bits": bits, **noise, "logits": db, "agreement": agree})
        if bits in (4, 8):
            goal = {8: (3.9, 40, 95), 4: (7.5, None, 95)}[bits]
            kept = f"accuracy {trained.accuracy(small):.1f} %, before {right:.1f} %"
            ratio = bytes_before / quantize.nbytes(small)
            yield counted(group, f"int{bits} weights, bytes", "float32", ratio, TIMES, goal[0], kept)
            yield counted(group, f"int{bits} weights, SQNR of outputs", "float32", db, "dB", goal[1], kept)
            yield counted(group, f"int{bits} weights, same predictions", "float32", agree, "%", goal[2], kept)
    static = quantize.quantize_model(model, 8, trained.data[0][:500])
    agree = 100 * float(np.mean(trained.predicted(static) == whole))
    kept = f"accuracy {trained.accuracy(static):.1f} %, SQNR {quantize.sqnr(logits, static(images)):.1f} dB"
    yield counted(group, "int8 weights and inputs, same predictions", "float32", agree, "%", 95, kept)
    ratio = 2 * bytes_before / quantize.nbytes(quantize.quantize_model(model))
    yield counted(
        group, "int8 weights, bytes", "float64", ratio, TIMES, None, "NumPy's default, not the field's"
    )
    yield from quantized_speed(curves)


def quantized_speed(curves: Curves) -> Iterator[Claim]:
    """Yield the speed of one large layer at several batch sizes."""
    layer = nn.Linear(SIZE, SIZE, rng=np.random.default_rng(0))
    small, packed = quantize.QuantizedLinear(layer), quantize.QuantizedLinear(layer, 4)
    whole = nn.Linear(SIZE, SIZE)
    whole.weight, whole.bias = (nn.Parameter(p, dtype=np.float64) for p in layer.parameters())
    curves["int8_speed"] = []
    for batch in BATCHES:
        x = normal(batch, SIZE)
        claim = faster(
            "quantization",
            f"int8 linear {SIZE}², batch {batch}, speed",
            lambda x=x: [small(x).numpy()],
            ("float32", lambda x=x: [layer(x).numpy()]),
            0.8 if batch == BATCHES[-1] else None,
            quality="all outputs, within 2 % of the largest",
            rtol=0.02,
            pairs=21,
        )
        curves["int8_speed"].append({"batch": batch, "times": claim.figure})
        yield claim
    x = normal(BATCHES[-1], SIZE)
    for bits, quantized, name, dense, rtol in (
        (4, packed, "float32", layer, 0.3),
        (8, small, "float64", whole, 0.02),
    ):
        big = x.astype(name)
        yield faster(
            "quantization",
            f"int{bits} linear {SIZE}², batch {len(x)}, speed",
            lambda quantized=quantized: [quantized(x).numpy()],
            (name, lambda dense=dense, big=big: [dense(big).numpy()]),
            quality=f"all outputs, within {100 * rtol:.0f} % of the largest",
            rtol=rtol,
            pairs=21,
        )


def pruning(trained: Trained, curves: Curves) -> Iterator[Claim]:
    """Yield accuracy, bytes and speed, at one or more sparsities."""
    curves["sparsity"] = [dropped(trained, sparsity) for sparsity in SPARSITIES]
    before = trained.accuracy(trained.model)
    for row in curves["sparsity"]:
        kept = f"one-shot {row['one_shot']:.1f} %, dense {before:.1f} %"
        name = f"accuracy at {100 * row['sparsity']:.0f} %, fine-tuned"
        yield counted("pruning", name, "dense", row["tuned"], "%", None, kept)
    weight = normal(SIZE, SIZE)
    sparse = weight * prune.magnitude_mask(weight, 0.95)
    for form, goal in ((prune.Bitmask, 12.0), (prune.Rows, None), (prune.PaddedRows, None)):
        ratio = weight.nbytes / form.of(sparse).nbytes
        name = f"{form.__name__} {SIZE}² at 95 %, bytes"
        yield counted("pruning", name, "dense float32", ratio, TIMES, goal, "exact; indices counted")
    yield from sparse_speed(sparse)
    yield from structured(trained)
    curves["break_even"] = list(map(crossing, BATCHES))
    for row in curves["break_even"]:
        name, point = f"PaddedRows {SIZE}², batch {row['batch']}, faster from", row["break_even"]
        kept = "same numbers"
        if point is None:  # the end of the ladder is then a bound, not a measured crossing
            point = LADDER[0] if row["times"][-1] > 1 else LADDER[-1]
            kept = f"{'already there' if point == LADDER[0] else 'not yet there'}: no crossing was measured"
        yield counted("pruning", name, "dense", 100 * point, "% zeros", None, kept)


def dropped(trained: Trained, sparsity: float) -> dict[str, float]:
    """Return the accuracy without some weights, before and after two more epochs; and the same for units."""
    small = deepcopy(trained.model)
    masks = prune.Masks(small, sparsity)
    one_shot = trained.accuracy(small)
    trained.train(small, prune.MaskedOptimizer(optim.Adam(small.parameters(), lr=1e-3), masks), 2)
    units = without_units(trained.model, sparsity)
    units_one_shot = trained.accuracy(units)
    trained.train(units, optim.Adam(units.parameters(), lr=1e-3), 2)
    return {
        "sparsity": sparsity,
        "one_shot": one_shot,
        "tuned": trained.accuracy(small),
        "units_one_shot": units_one_shot,
        "units_tuned": trained.accuracy(units),
    }


def without_units(model: Model, sparsity: float) -> Model:
    """Return the network with a share of both hidden layers removed."""
    flat, first, relu, second, relu_too, third = model.layers
    first, second = prune.keep_units(first, second, prune.largest_units(first.weight.numpy(), sparsity))
    second, third = prune.keep_units(second, third, prune.largest_units(second.weight.numpy(), sparsity))
    return nn.Sequential(flat, first, relu, second, relu_too, third)


def sparse_speed(sparse: np.ndarray) -> Iterator[Claim]:
    """Yield the speed of the two sparse formats that compute without the zeros."""
    for form, sizes in ((prune.PaddedRows, BATCHES), (prune.Rows, (1, 32))):
        stored = form.of(sparse)
        for batch in sizes:
            x = normal(batch, SIZE)
            yield faster(
                "pruning",
                f"{form.__name__} {SIZE}² at 95 %, batch {batch}, speed",
                lambda x=x, stored=stored: [stored.times(x)],
                ("dense", lambda x=x: [x @ sparse.T]),
                pairs=21,
            )


def structured(trained: Trained) -> Iterator[Claim]:
    """Yield the speed of two layers without 95 % of the units between them."""
    rng = np.random.default_rng(0)
    layers = nn.Linear(SIZE, SIZE, rng=rng), nn.Linear(SIZE, SIZE, rng=rng)
    units = prune.largest_units(layers[0].weight.numpy(), 0.95)
    small, x = prune.keep_units(*layers, units), normal(128, SIZE)
    gone = np.setdiff1d(np.arange(SIZE), units)
    layers[0].weight.numpy()[gone] = 0  # the baseline computes the same, with zeros in its arrays
    layers[0].bias.numpy()[gone] = 0
    kept = without_units(trained.model, 0.95)
    trained.train(kept, optim.Adam(kept.parameters(), lr=1e-3), 2)
    yield faster(
        "pruning",
        f"95 % of units removed, {SIZE}-{SIZE}-{SIZE}, batch 128, speed",
        lambda: [small[1](nn.relu(small[0](x))).numpy()],
        ("zeros in place", lambda: [layers[1](nn.relu(layers[0](x))).numpy()]),
        10,
        quality=f"same numbers; the trained net so reduced, fine-tuned: {trained.accuracy(kept):.1f} %",
    )


def crossing(batch: int) -> dict[str, Any]:
    """Return the speed of `PaddedRows` at each sparsity of the ladder, and from which on it is faster."""
    weight, x, times = normal(SIZE, SIZE), normal(batch, SIZE), []
    for sparsity in LADDER:
        dense = weight * prune.magnitude_mask(weight, sparsity)
        stored = prune.PaddedRows.of(dense)
        work = Work("", lambda s=stored: [s.times(x)], lambda d=dense: [x @ d.T], 1)
        times.append(1 / measure(work, FEW_PAIRS).median)
    return {
        "batch": batch,
        "sparsities": LADDER,
        "times": times,
        "break_even": break_even(LADDER, times),
    }
