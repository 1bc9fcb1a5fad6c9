"""Central differences agree with the calculus, and check_gradient finds every wrong gradient it is shown."""

import numpy as np
import pytest

from examiner_checks import CheckFailed, check_array, check_gradient, numeric_gradient, rng


def scaled(x, y):
    """Some function of two arrays with a gradient one can write down."""
    return x**2 * y


def test_numeric_gradient_agrees_with_the_derivative():
    """For weights of ones and for others, where inputs broadcast, and with integers as the point."""
    draw = rng("numeric gradient")
    x, y, w = draw.normal(size=(3, 2)), draw.normal(size=(1, 2)), draw.normal(size=(3, 2))
    dx, dy = numeric_gradient(scaled, [x, y], w)
    check_array(dx, 2 * x * y * w)
    check_array(dy, (x**2 * w).sum(0, keepdims=True))
    (ones,) = numeric_gradient(lambda a: a * a, [[1, 2, 3]])
    check_array(ones, [2.0, 4.0, 6.0])


def test_an_absent_input_is_passed_on_and_has_no_gradient():
    """A convolution without bias has one."""
    dx, dy = numeric_gradient(lambda x, y: x if y is None else x + y, [[1.0], None])
    check_array(dx, [1.0])
    assert dy is None
    check_gradient(lambda x, _: x, [[1.0], None], [np.ones(1), None])
    with pytest.raises(CheckFailed, match="gradient 1 is a ndarray, expected None"):
        check_gradient(lambda x, _: x, [[1.0], None], [np.ones(1), np.ones(1)])


def test_a_function_that_changes_its_input_does_not_move_the_point():
    """It gets copies."""
    (dx,) = numeric_gradient(lambda x: np.multiply(x, x, out=x), [[3.0, 4.0]])
    check_array(dx, [6.0, 8.0])


@pytest.mark.parametrize("out", [None, [1.0], np.array([None]), np.float64(1.0)])
def test_a_function_must_return_a_numeric_array(out):
    """What cannot be summed has no gradient."""
    with pytest.raises(CheckFailed, match="expected a numeric"):
        numeric_gradient(lambda _: out, [[1.0]])


def test_a_result_must_have_the_shape_of_the_weights():
    """An empty result would otherwise broadcast to gradients of zero."""
    with pytest.raises(CheckFailed, match="array of shape"):
        numeric_gradient(lambda _: np.zeros(0), [[1.0]], weights=[1.0])


def answers(x, y, w):
    """Return the right gradients of `scaled`."""
    return [2 * x * y * w, x**2 * w]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda g: [g[1], g[0]], "gradient 0"),
        (lambda g: [g[0], 1.001 * g[1]], "gradient 1: element"),
        (lambda g: [0 * g[0], g[1]], "gradient 0: element"),
        (lambda g: [g[0], g[1][:, :0]], "gradient 1: the shape"),
        (lambda g: [g[0], g[1] * np.nan], "gradient 1: element"),
        (lambda g: [g[0]], "got 1 gradients, expected 2"),
        (lambda _: [], "got 0 gradients"),
        (lambda _: None, "got a NoneType"),
        (np.array, "got a ndarray"),
        (lambda g: [g[0].tolist(), g[1]], "gradient 0: got a list"),
        (lambda g: [g[0].data, g[1]], "gradient 0: got a memoryview"),
    ],
)
def test_right_gradients_pass_and_wrong_ones_fail_at_every_scale(scale, spoil, says):
    """A tolerance that fits numbers near one would let all small gradients through."""
    draw = rng("scales")
    x, y, w = scale * draw.normal(size=(2, 3)), draw.normal(size=(2, 3)), draw.normal(size=(2, 3))
    right = answers(x, y, w)
    eps = 1e-5 * scale
    check_gradient(scaled, [x, y], right, weights=w, eps=eps)
    with pytest.raises(CheckFailed, match=says):
        check_gradient(scaled, [x, y], spoil(right), weights=w, eps=eps)


def test_a_gradient_of_zero_must_be_zero():
    """Its tolerance is what rounding does, no more."""
    check_gradient(lambda x: 0 * x, [np.ones(3)], [np.zeros(3)])
    with pytest.raises(CheckFailed):
        check_gradient(lambda x: 0 * x, [np.ones(3)], [np.full(3, 1e-6)])


def test_the_hint_reaches_the_student():
    """Whichever part is wrong."""
    with pytest.raises(CheckFailed) as caught:
        check_gradient(lambda x: x, [np.ones(3)], [np.zeros(3)], hint="d(x)/dx is 1")
    assert caught.value.hint == "d(x)/dx is 1"
