"""Optimizers: against PyTorch's trajectories, and what they must leave alone."""

import copy

import numpy as np
import pytest

from tinytorch import Parameter, Tensor
from tinytorch.optim import BLOCK, SGD, Adam

every_optimizer = pytest.mark.parametrize(
    "make",
    [lambda p: SGD(p, lr=0.1), lambda p: SGD(p, lr=0.1, momentum=0.9), lambda p: Adam(p, lr=0.1)],
    ids=["sgd", "momentum", "adam"],
)


def optimizer_of(case, parameters):
    """Return the optimizer that a fixture was made with."""
    if str(case["name"]) == "SGD":
        return SGD(parameters, lr=float(case["lr"]), momentum=float(case["momentum"]))
    betas = float(case["beta1"]), float(case["beta2"])
    return Adam(parameters, lr=float(case["lr"]), betas=betas, eps=float(case["eps"]))


class Plain:
    """The least that an optimizer may ask of a parameter."""

    def __init__(self, data):
        self.data = data
        self.grad = None


def test_twenty_steps_agree_with_pytorch(optimizers_case):
    """In some cases a parameter has no gradient in every third step: it rests, and its memory with it."""
    case = optimizers_case
    parameters = [Parameter(case[f"start_{i}"]) for i in range(2)]
    optimizer = optimizer_of(case, parameters)
    tolerance = 1e-5 if parameters[0].dtype == np.float32 else 1e-12
    for step in range(20):
        for i, parameter in enumerate(parameters):
            parameter.grad = case[f"grads_{i}"][step] if case[f"present_{i}"][step] else None
        optimizer.step()
        for i, parameter in enumerate(parameters):
            want = case[f"after_{i}"][step]
            assert parameter.dtype == want.dtype
            np.testing.assert_allclose(parameter.numpy(), want, rtol=tolerance, atol=tolerance)


@every_optimizer
def test_a_step_changes_the_values_and_neither_the_array_nor_the_gradient(make):
    """Whoever holds the array, a view of it or a module that shares it, sees the step."""
    parameter = Parameter(np.ones((3, 2), np.float32))
    array, first_row = parameter.data, parameter.data[0]
    parameter.grad = np.arange(6, dtype=np.float32).reshape(3, 2)
    gradient = parameter.grad
    make([parameter]).step()
    assert parameter.data is array
    assert parameter.grad is gradient
    np.testing.assert_array_equal(gradient.numpy(), np.arange(6).reshape(3, 2))
    assert first_row[0] == 1
    assert first_row[1] < 1


@every_optimizer
def test_a_parameter_without_a_gradient_stays(make):
    """Momentum would carry a frozen layer on."""
    moving, frozen = Parameter([1.0, 2.0]), Parameter([3.0])
    optimizer = make([moving, frozen])
    frozen.grad = [1.0]
    optimizer.step()
    here = frozen.numpy().copy()
    moving.grad, frozen.grad = [1.0, 1.0], None
    optimizer.step()
    np.testing.assert_array_equal(frozen.numpy(), here)
    assert moving.numpy()[0] < 1


@every_optimizer
def test_each_parameter_remembers_its_own_gradients(make):
    """Memory kept by position mixes parameters up as soon as one of them has no gradient."""
    together, alone = [Parameter([1.0]), Parameter([1.0])], Parameter([1.0])
    pair, single = make(together), make([alone])
    together[0].grad = [5.0]
    pair.step()
    for gradient in ([1.0], [2.0], [3.0]):
        together[0].grad, together[1].grad, alone.grad = None, gradient, gradient
        pair.step()
        single.step()
    np.testing.assert_array_equal(together[1].numpy(), alone.numpy())


@every_optimizer
@pytest.mark.parametrize(
    "gradient",
    [
        Tensor,
        lambda g: g,
        memoryview,
        np.asfortranarray,
        lambda g: np.repeat(g, 2, axis=1)[:, ::2],
        lambda g: g.tolist(),
    ],
    ids=["tensor", "array", "memoryview", "fortran", "strided", "list"],
)
def test_any_parameter_with_data_and_grad_will_do(make, gradient):
    """The layout of a gradient's memory is not its meaning."""
    g = np.arange(6, dtype=np.float32).reshape(2, 3) - 2
    plain, parameter = Plain(np.ones((2, 3), np.float32)), Parameter(np.ones((2, 3), np.float32))
    for trained, value in ((plain, gradient(g)), (parameter, g)):
        trained.grad = value
        optimizer = make([trained])
        optimizer.step()
        optimizer.step()
    np.testing.assert_array_equal(plain.data, parameter.numpy())


@every_optimizer
def test_a_parameter_may_be_a_view_of_any_layout(make):
    """Tensor.from_numpy shares a transposed or strided array as it is."""
    storage = np.ones((4, 6), np.float32)
    view, parameter = (
        Tensor.from_numpy(
            storage.T[::2],
        ),
        Parameter(np.ones((3, 4), np.float32)),
    )
    view.requires_grad = True
    g = np.arange(12, dtype=np.float32).reshape(3, 4)
    for trained in (view, parameter):
        trained.grad = g
        optimizer = make([trained])
        optimizer.step()
        optimizer.step()
    np.testing.assert_array_equal(storage.T[::2], parameter.numpy())
    np.testing.assert_array_equal(storage.T[1::2], 1)


@every_optimizer
@pytest.mark.parametrize("shape", [(), (0,), (2, BLOCK + 7)])
def test_numbers_are_moved_alike_whatever_the_size_of_the_array(make, shape):
    """A large array is worked on in blocks, and the last one is shorter; one number is an array too."""
    parameter, one = Parameter(np.ones(shape, np.float32)), Parameter(np.ones(1, np.float32))
    for trained in (parameter, one):
        optimizer = make([trained])
        for _ in range(2):
            trained.grad = np.full(trained.shape, 0.5, np.float32)
            optimizer.step()
    np.testing.assert_array_equal(parameter.numpy(), np.full(shape, one.numpy()[0]))


@every_optimizer
def test_memory_has_the_dtype_of_the_parameter(make):
    """Two float64 moments would make a float32 model three times its size rather than twice."""
    parameter = Parameter(np.ones(3, np.float32))
    parameter.grad = np.ones(3, np.float32)
    optimizer = make([parameter])
    optimizer.step()
    copies = {}
    copy.deepcopy(optimizer, copies)
    kept = [array for array in copies.values() if isinstance(array, np.ndarray)]
    assert kept
    assert {array.dtype for array in kept} == {np.dtype(np.float32)}


@every_optimizer
def test_the_learning_rate_can_be_changed_between_steps(make):
    """A schedule sets `lr`; with 0 nothing moves."""
    parameter = Parameter([1.0])
    optimizer = make([parameter])
    optimizer.lr = 0
    parameter.grad = [1.0]
    optimizer.step()
    assert parameter.item() == 1


@every_optimizer
def test_zero_grad_leaves_none(make):
    """A gradient of zeros would still be a step for momentum and Adam."""
    parameters = [Parameter([1.0]), Parameter([2.0])]
    parameters[0].grad = [1.0]
    make(parameters).zero_grad()
    assert [p.grad for p in parameters] == [None, None]


@every_optimizer
def test_a_parameter_given_twice_moves_once(make):
    """Shared layers are listed as often as they are used."""
    twice, once = Parameter([1.0]), Parameter([1.0])
    for parameters in ([twice, twice], [once]):
        parameters[0].grad = [1.0]
        make(iter(parameters)).step()
    assert twice.item() == once.item()


@every_optimizer
def test_what_cannot_be_optimized_is_refused(make):
    """No parameters is what a module without registered layers has: training it would change nothing."""
    with pytest.raises(ValueError, match="no parameters"):
        make([])
    plain = Plain(np.ones((2, 3)))
    plain.grad = np.ones(3)
    with pytest.raises(ValueError, match=r"\(3,\).*\(2, 3\)"):
        make([plain]).step()


def test_a_negative_learning_rate_is_refused():
    """It climbs."""
    for optimizer in (SGD, Adam):
        with pytest.raises(ValueError, match="lr -1"):
            optimizer([Parameter([1.0])], lr=-1)


def test_adam_steps_by_the_learning_rate_at_first_whatever_the_scale():
    """The means start from zero: without their correction the first step would be three times too long."""
    for scale in (1e-3, 1.0, 1e3):
        parameter = Parameter(np.zeros(1))
        parameter.grad = [scale]
        Adam([parameter], lr=0.1).step()
        assert parameter.item() == pytest.approx(-0.1, rel=1e-4)
