"""Tensors of PyTorch cross exactly, or stay where they are; parts that make none are refused.

Tried by `make torch`, since PyTorch is large.
"""

import contextlib
import random
import warnings
from collections import OrderedDict

import numpy as np
import pytest

from examiner.wire.codec import Handle, decode, encode
from examiner.wire.libraries import rebuilt
from examiner.wire.limits import MessageLimits, WireError
from examiner.wire.shared_memory import SharedBlock
from tests.fuzz.wire import slightly_changed
from tests.libraries import WITH_TORCH, find_libraries

find_libraries(WITH_TORCH)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch

torch.set_num_threads(1)
LIMITS = MessageLimits(frame=1 << 16, items=2000, depth=12, shared=1 << 18)
STAYS = Handle(7, "it")
WHOLE = [torch.bool, torch.int8, torch.int16, torch.int32, torch.int64]
WHOLE += [torch.uint8, torch.uint16, torch.uint32, torch.uint64]
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128]
SHAPES = [(), (0,), (3,), (2, 3), (2, 0, 3), (1, 1, 2, 1)]


def crossed(value):
    return decode(encode(value, lambda _: STAYS), to_value=rebuilt)


def bits(tensor):
    """Return the bytes of a tensor, so that NaN is itself and -0.0 is not 0.0."""
    whole = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())
    return bytes(whole.flatten().view(torch.uint8).numpy()) if whole.numel() else b""


def same(got, tensor):
    assert type(got) is type(tensor)
    assert (got.shape, got.dtype, got.device) == (tensor.shape, tensor.dtype, tensor.device)
    assert bits(got) == bits(tensor)
    assert got.requires_grad == tensor.requires_grad
    assert got.is_leaf
    assert got.grad_fn is None
    assert got.stride() == torch.empty(tensor.shape).stride()


def numbers(shape, dtype):
    drawn = np.random.default_rng(4).integers(-9, 9, shape)
    return torch.from_numpy(np.asarray(drawn)).to(dtype)


@pytest.mark.parametrize("dtype", [*WHOLE, *FLOATS], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_tensor_of_every_dtype_and_shape_crosses(dtype, shape):
    """With nothing in it, and with a single number."""
    same(crossed(numbers(shape, dtype)), numbers(shape, dtype))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("wants", [True, False])
@pytest.mark.parametrize("make", [torch.nn.Parameter, torch.Tensor.requires_grad_])
def test_whether_a_gradient_is_wanted_crosses(dtype, wants, make):
    """Of a parameter as well."""
    tensor = make(numbers((2, 3), dtype), wants)
    same(crossed(tensor), tensor)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_numbers_that_equal_nothing_or_each_other_cross(dtype):
    """NaN is compared by PyTorch's own rules."""
    tensor = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-7], dtype=dtype)
    got = crossed(tensor)
    same(got, tensor)
    assert not torch.allclose(got, tensor)
    assert torch.allclose(got, tensor, equal_nan=True)


STRIDED = {
    "turned": numbers((2, 3), torch.float32).T,
    "every second": numbers((9,), torch.int64)[::2],
    "broadcast": numbers((1, 3), torch.float64).expand(4, 3),
    "a part": numbers((4, 4), torch.bfloat16)[1:3, 1:3],
    "conjugated": numbers((3,), torch.complex64).conj(),
    "negated": numbers((3,), torch.complex128).conj().imag,
    "without a gradient": torch.inference_mode()(lambda: torch.ones(2))(),
}


@pytest.mark.parametrize("what", STRIDED)
def test_a_view_crosses_as_a_copy(what):
    """By what it holds, whatever its memory."""
    same(crossed(STRIDED[what]), STRIDED[what])


def test_a_result_crosses_without_what_it_was_computed_from():
    """A graph holds functions of the student's process."""
    weights = torch.nn.Parameter(torch.ones(3))
    loss = (2 * weights).sum()
    got = crossed(loss)
    same(got, loss)
    assert got.item() == float(got.detach()) == 6.0
    loss.backward()
    got = crossed(weights)
    same(got.grad, torch.full((3,), 2.0))
    assert got.grad.grad is None
    loss = (weights**2).sum()
    weights.grad = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss.backward(create_graph=True)
    same(crossed(weights).grad, torch.full((3,), 2.0, requires_grad=True))


def test_a_tensor_that_crossed_can_be_used_as_any_other():
    """It has memory of its own."""
    tensor = torch.ones(3)
    got = crossed(tensor)
    got.add_(1).resize_(5)
    assert tensor.tolist() == [1, 1, 1]
    assert got[:3].numpy().tolist() == [2, 2, 2]


def test_a_large_tensor_crosses_in_shared_memory():
    """As an array does."""
    ours, theirs = SharedBlock.create(), SharedBlock.create()
    tensor = torch.rand(300, 300)
    try:
        data = encode(tensor, block=ours)
        assert len(data) < 1000
        same(decode(data, block=ours, to_value=rebuilt), tensor)
    finally:
        ours.close()
        theirs.close()


def test_shapes_dtypes_and_the_cpu_cross():
    """A function may be given a dtype, and a shape is a tuple with methods."""
    for dtype in [*WHOLE, *FLOATS]:
        assert crossed(dtype) is dtype
    got = crossed(torch.Size([2, 0]))
    assert type(got) is torch.Size
    assert got == (2, 0)
    assert crossed(torch.device("cpu")) == torch.device("cpu")


def test_tensors_in_containers_cross():
    """Such as what a module holds."""
    layer = torch.nn.Linear(2, 3)
    got = crossed({"state": layer.state_dict(), "all": [*layer.parameters()], "pair": (layer.bias, 1)})
    assert type(got["state"]) is OrderedDict
    same(got["state"]["weight"], layer.weight.detach())
    same(got["all"][1], layer.bias)
    same(got["pair"][0], layer.bias)


class Mine(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *_, **__):
        return True


def with_attribute():
    tensor = torch.ones(3)
    tensor.allclose = lambda _: True
    return tensor


def with_gradient(gradient):
    tensor = torch.ones(3, requires_grad=True)
    tensor.grad = gradient
    return tensor


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    STAYING = {
        "a subclass": torch.ones(3).as_subclass(Mine),
        "a subclass of a parameter": type("Mine", (torch.nn.Parameter,), {})(torch.ones(2)),
        "a buffer": torch.nn.Buffer(torch.ones(3)),
        "a parameter that has no shape yet": torch.nn.LazyLinear(2).weight,
        "an attribute of its own": with_attribute(),
        "a gradient with an attribute": with_gradient(with_attribute()),
        "a gradient that is a subclass": with_gradient(torch.ones(3).as_subclass(Mine)),
        "a gradient with a gradient": with_gradient(with_gradient(torch.ones(3))),
        "sparse": torch.eye(3).to_sparse(),
        "compressed": torch.eye(3).to_sparse_csr(),
        "quantized": torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.quint8),
        "nested": torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]),
        "of another layout": torch.ones(2, 2).to_mkldnn(),
        "without numbers": torch.ones(2, device="meta"),
        "of 8 bits": torch.ones(2).to(torch.float8_e4m3fn),
        "of zeros that are none": torch._efficientzerotensor(3),  # noqa: SLF001 - what derivatives are made of
        "larger than its memory": torch.ones(1).expand(1 << 40),
        "empty and long": torch.ones(0, 1 << 40),
        "of many dimensions": torch.ones([1] * 40),
        "a module": torch.nn.Linear(2, 2),
        "an optimizer": torch.optim.SGD([torch.nn.Parameter(torch.ones(1))]),
        "a memory": torch.ones(2).untyped_storage(),
        "another device": torch.device("meta"),
        "another dtype": torch.float8_e4m3fn,
        "a generator": torch.Generator(),
    }


@pytest.mark.parametrize("what", STAYING)
def test_what_could_not_be_made_again_stays(what):
    """A subclass may agree with everything; what has no numbers here has none there."""
    assert crossed(STAYING[what]) == STAYS


def test_what_belongs_to_a_transformation_stays():
    """It stands for a tensor of another shape."""
    seen = []
    torch.vmap(lambda x: seen.append(crossed(x)) or x)(torch.ones(3))
    assert seen == [STAYS]


ones = np.ones(2, np.float32)
HOSTILE = {
    "an unknown dtype": ("tensor", ("quint8", ones.astype(np.uint8), False, None)),
    "a dtype that is no text": ("tensor", (["float32"], ones, False, None)),
    "an attribute of the library": ("tensor", ("load", ones, False, None)),
    "another dtype": ("tensor", ("float64", ones, False, None)),
    "bits as numbers": ("tensor", ("bfloat16", ones, False, None)),
    "no array": ("tensor", ("float32", [1.0], False, None)),
    "an object": ("tensor", ("float32", STAYS, False, None)),
    "an array of objects": ("tensor", ("float32", np.array([None]), False, None)),
    "a gradient of integers": ("tensor", ("int64", np.ones(2, np.int64), True, None)),
    "a flag that is none": ("tensor", ("float32", ones, 1, None)),
    "too few parts": ("tensor", ("float32", ones)),
    "no parts": ("parameter", None),
    "a gradient that is none": ("tensor", ("float32", ones, True, ones)),
    "a gradient of another shape": ("tensor", ("float32", ones, True, ("float32", ones[:1], False, None))),
    "a gradient of another dtype": (
        "parameter",
        ("float32", ones, True, ("float64", ones.astype(float), False, None)),
    ),
    "a gradient of a gradient": (
        "tensor",
        ("float32", ones, True, ("float32", ones, True, ("float32", ones, False, None))),
    ),
    "a negative size": ("torch size", (-1,)),
    "a size that is none": ("torch size", (1.5,)),
    "sizes in a list": ("torch size", [1]),
    "a dtype by another name": ("torch dtype", "Tensor"),
    "a dtype by no name": ("torch dtype", {}),
    "another device": ("torch device", "cuda"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_parts_that_make_no_tensor_are_refused(what):
    """A candidate may send any parts."""
    kind, parts = HOSTILE[what]
    with pytest.raises(WireError):
        rebuilt(kind, parts)


def test_changed_bytes_give_a_value_or_an_error():
    """Whatever PyTorch says of parts that make no tensor."""
    draw = random.Random(4)
    values = [numbers((2, 3), dtype) for dtype in [*WHOLE, *FLOATS]]
    values += [torch.nn.Parameter(torch.ones(2)), torch.Size([1, 2]), torch.float64, torch.device("cpu")]
    seeds = [encode(value) for value in values]
    for _ in range(3000):
        data = slightly_changed(draw.choice(seeds), draw)
        with contextlib.suppress(WireError):
            decode(data, lambda handle: handle, limits=LIMITS, to_value=rebuilt)
