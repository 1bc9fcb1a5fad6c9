"""Gradients are right, arrive where they belong, and say what is wrong when they cannot be had."""

import copy
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch import Tensor, Variable, apply, check_grads, no_grad, rule
from tinytorch.autograd import unbroadcast
from tinytorch.tensor import rules


def leaf(*values, dtype=None):
    return Tensor(values, dtype=dtype, requires_grad=True)


OPERATIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "reflected": lambda a, b: 2 - a + 3 / b - (-a) * 0.5 + 2**b,
    "exp_log": lambda a, b: a.exp() * b.log(),
    "twice": lambda a, b: a * a + b * a,
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
def test_gradients_agree_with_differences_for_all_shapes_that_broadcast(operation, shapes):
    """Broadcasting is undone in one place, and has more cases than anyone lists by hand."""
    rng = np.random.default_rng(0)
    check_grads(operation, *(rng.uniform(0.5, 2, shape) for shape in shapes.input_shapes))


@given(
    hnp.array_shapes(min_dims=1, max_dims=4, max_side=3),
    st.data(),
    st.sampled_from(["sum", "mean", "max"]),
    st.booleans(),
)
def test_gradients_of_reductions_agree_with_differences(shape, data, name, keepdims):
    """One axis, several in any order, negative ones, or all."""
    one = st.integers(-len(shape), len(shape) - 1)
    several = st.lists(one, min_size=1, unique_by=lambda i: i % len(shape)).map(tuple)
    axis = data.draw(st.none() | one | several)
    x = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) / 7
    check_grads(lambda x: getattr(x, name)(axis=axis, keepdims=keepdims) ** 2, x)


@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
def test_gradients_of_indexing_agree_with_differences(shape, data):
    """Slices with steps, new axes and the ellipsis, in any mixture."""
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    check_grads(lambda x: x[index] * 3, np.random.default_rng(0).normal(size=shape))


def test_gradients_of_matmul_agree_with_differences_for_every_rank():
    """Vectors have no axis to transpose, and batches may broadcast."""
    rng = np.random.default_rng(0)
    lefts, rights = ((3,), (2, 3), (4, 2, 3), (1, 4, 2, 3)), ((3,), (3, 2), (4, 3, 2), (2, 1, 3, 2))
    for left in lefts:
        for right in rights:
            check_grads(lambda a, b: a @ b, rng.normal(size=left), rng.normal(size=right))


def test_gradients_of_shapes_agree_with_differences():
    """Axes may be given from the end."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    check_grads(lambda x: x.transpose(-1, 0, 1).reshape(4, -1) ** 2, x)
    check_grads(lambda x: x.T.astype(np.float64)[::-1] ** 2, x)


def test_a_gradient_through_other_dtypes_comes_back_in_the_leafs():
    """A float64 target must not turn the whole way back, and a float32 parameter, into float64."""
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    (y * np.array([1.0, 2.0])).astype(np.float16).sum().backward()
    assert y.grad.dtype == x.grad.dtype == np.float32
    assert x.grad.numpy().tolist() == [2, 4]


@pytest.mark.usefixtures("rules_kept")
def test_results_that_are_not_floats_need_no_gradient():
    """There is nothing a whole number could pass on."""
    assert not leaf(1.5).astype(np.int64).requires_grad
    rule("argmax", np.argmax)
    assert not apply("argmax", leaf(1.5, 2.5)).requires_grad


def test_a_backward_that_fails_leaves_every_gradient_as_it_was():
    """Half of the leaves with new gradients would be a trap."""
    x = leaf(1.0)
    x.grad = [5.0]
    part = x * 2
    whole = part * 3 + x
    part.backward()
    assert x.grad.item() == 7
    with pytest.raises(RuntimeError, match="freed"):
        whole.backward()
    assert x.grad.item() == 7


@pytest.mark.usefixtures("rules_kept")
@pytest.mark.parametrize("backward", [(), (None,)])
def test_a_missing_derivative_is_named_when_it_is_needed(backward):
    """A rule is useful before it has one: forward, and for inputs that need no gradient."""
    rule("double", lambda x: 2 * x, *backward)
    y = apply("double", leaf(1.0))
    assert y.requires_grad
    with pytest.raises(RuntimeError, match="rule 'double' has no derivative for input 0"):
        y.backward()


@pytest.mark.usefixtures("rules_kept")
@pytest.mark.parametrize("shape", [(2,), (4,), (1, 3), (3, 3), ()])
def test_a_derivative_of_a_wrong_shape_is_named(shape):
    """NumPy would add it up without a word where it happens to broadcast."""
    rule("double", lambda x: 2 * x, lambda g, out, x: np.ones(shape))  # noqa: ARG005
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(RuntimeError, match=r"rule 'double' does not fit.*\(2, 3\)"):
        apply("double", x).sum().backward()


@pytest.mark.usefixtures("rules_kept")
def test_a_derivative_that_returns_no_array_is_named():
    """A forgotten return is the most frequent mistake there is."""
    rule("double", lambda x: 2 * x, lambda g, out, x: None)  # noqa: ARG005
    with pytest.raises(TypeError, match=r"rule 'double' must return arrays.*NoneType"):
        apply("double", leaf(1.0)).backward()


@pytest.mark.usefixtures("rules_kept")
def test_a_rule_registered_again_has_its_derivative_from_then_on():
    """This is how students make an operation differentiable that has a forward already."""
    rule("half", lambda x: x / 2)
    rule("half", rules["half"].forward, lambda g, out, x: g / 2)  # noqa: ARG005
    check_grads(lambda x: apply("half", x), [1.0, 2.0])


@pytest.mark.usefixtures("rules_kept")
def test_derivatives_are_not_computed_for_inputs_that_need_none():
    """The gradient of the images is most of the work of a first convolution."""
    calls = []
    rule("left", lambda a, b: a * b, lambda g, out, a, b: calls.append("a"), lambda g, out, a, b: g * a)  # noqa: ARG005
    apply("left", Tensor([2.0]), leaf(3.0)).backward()
    assert calls == []


def test_check_grads_says_where_a_gradient_is_wrong():
    """Which element of which input, with both values: enough to begin to search."""
    with pytest.raises(
        AssertionError, match=r"input 1, element \(1,\).*backward gives .* central differences"
    ):
        check_grads(lambda a, b: a * b + b.detach() * [0.0, 1.0], [1.0, 2.0], [3.0, 4.0])


def test_check_grads_takes_what_is_not_used_for_a_gradient_of_zero():
    """A function may ignore an input."""
    check_grads(lambda a, b: a * 2, [1.0], [[2.0]])  # noqa: ARG005


@pytest.mark.usefixtures("rules_kept")
def test_check_grads_notices_a_gradient_that_is_not_finite():
    """nan compares as not greater, which must not mean close."""
    rule("nan", lambda x: x * 2, lambda g, out, x: g * np.nan)  # noqa: ARG005
    with pytest.raises(AssertionError, match="gives nan"):
        check_grads(lambda x: apply("nan", x), [1.0])


def test_unbroadcast_sums_new_axes_and_repeated_ones_alone():
    """An axis of length 1 that stayed 1 is not one that was repeated."""
    assert unbroadcast(np.ones((5, 3, 1, 4)), (3, 1, 1)).shape == (3, 1, 1)
    assert unbroadcast(np.ones((5, 3, 1, 4)), (3, 1, 1)).ravel().tolist() == [20, 20, 20]
    assert unbroadcast(np.ones((2, 3)), ()).item() == 6
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2,\)"):
        unbroadcast(np.ones((2, 3)), (2,))


def test_a_graph_left_without_backward_is_taken_down_without_recursion():
    """It is a chain of references as long as the computation."""
    x = leaf(1.0)
    for _ in range(100_000):
        x = x * 1.0
    del x


def test_a_variable_of_another_dtype_is_a_cast_that_passes_gradients_on():
    """Sharing memory is impossible then, the graph is not."""
    t = leaf(1.0, 2.0)
    v = Variable(t, dtype=np.float64)
    assert v.dtype == np.float64
    (v * v).sum().backward()
    assert t.grad.dtype == np.float32
    assert t.grad.numpy().tolist() == [2, 4]


def test_a_variable_made_under_no_grad_is_a_leaf():
    """Nothing is recorded there, identity included."""
    with no_grad():
        v = Variable(leaf(1.0))
    assert v.is_leaf
    assert not v.requires_grad


def test_retain_grad_on_a_leaf_changes_nothing_and_without_gradient_is_refused():
    """A leaf has its gradient anyway."""
    x = leaf(2.0)
    x.retain_grad()
    (x * x).backward()
    assert x.grad.item() == 4
    with pytest.raises(RuntimeError, match="needs no gradient"):
        Tensor([1.0]).retain_grad()


def test_a_held_gradient_does_not_change_under_ones_hands():
    """Before-and-after comparisons would otherwise always be equal."""
    x = leaf(1.0)
    (x * 2).backward()
    first = x.grad
    (x * 2).backward()
    assert (first.item(), x.grad.item()) == (2, 4)


def test_a_leaf_used_a_thousand_times_gets_the_sum():
    """Weights shared over time steps: each use adds to the same memory."""
    x, y = leaf(1.0, 2.0), Tensor([0.0, 0.0])
    for _ in range(1000):
        y = y + x * 2
    y.sum().backward()
    assert x.grad.numpy().tolist() == [2000, 2000]


def test_backward_on_a_leaf_gives_it_the_seed():
    """The shortest graph is no special case."""
    x = leaf(1.0)
    x.backward()
    x.backward([3.0])
    assert x.grad.item() == 4


def test_no_grad_can_be_entered_again_while_it_is_open():
    """A decorated function may call itself."""

    @no_grad()
    def depth(n):
        return depth(n - 1) if n else leaf(1.0) * 2

    assert not depth(3).requires_grad
    assert (leaf(1.0) * 2).requires_grad


def test_graphs_of_two_threads_do_not_mix():
    """Ages are counted together, and each walk has its own queue."""
    found = {}

    def work(factor):
        x = y = leaf(1.0)
        for _ in range(200):
            y = y * factor
        y.backward()
        found[factor] = x.grad.item()

    threads = [threading.Thread(target=work, args=(factor,)) for factor in (1.0, -1.0, 0.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1.0: 1, -1.0: 1, 0.0: 0}


def test_a_deep_copy_of_a_graph_keeps_its_own_leaves():
    """The copy's backward does not reach the original."""
    x = leaf(3.0)
    pair = copy.deepcopy({"x": x, "y": x * x})
    pair["y"].backward()
    assert pair["x"].grad.item() == 6
    assert x.grad is None


def test_a_seed_is_no_gradient_of_a_leaf():
    """A seed is read where it is: a leaf that held it would change it at the next backward."""
    for through in (lambda x: x, lambda x: x.reshape(4), lambda x: x + 0.0):
        x, seed = Tensor(np.ones(4), requires_grad=True), np.ones(4)
        for _ in range(2):
            through(x).backward(seed)
        np.testing.assert_array_equal(seed, 1)
        np.testing.assert_array_equal(x.grad.numpy(), 2)
