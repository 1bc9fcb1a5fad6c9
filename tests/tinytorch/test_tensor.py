"""Tensors hold an array, follow NumPy's promotion, and say what is wrong with what they are given."""

import array
import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch import Tensor, apply, rule


class OnlyNumpy:
    """Something of another library that has an array and nothing else."""

    def __init__(self, value):
        self.value = value

    def numpy(self):
        return self.value


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, np.float32),
        ([1.0, 2.0], np.float32),
        ([], np.float32),
        (7, np.int64),
        ([[1, 2], [3, 4]], np.int64),
        (True, np.bool_),
        (np.float64(1.5), np.float64),
        (np.float16([1.5]), np.float16),
        (np.arange(3, dtype=np.uint8), np.uint8),
        (array.array("d", [1.0, 2.0]), np.float64),
        (memoryview(np.ones(3)), np.float64),
    ],
)
def test_what_has_a_dtype_keeps_it_and_python_numbers_get_the_default(data, dtype):
    """A float64 array made for a gradient check must not quietly lose half its digits."""
    assert Tensor(data).dtype == dtype
    np.testing.assert_array_equal(Tensor(data).numpy(), np.asarray(data))


def test_a_list_of_tensors_is_stacked():
    """Rows collected in a loop are the usual way to a batch."""
    rows = [Tensor([1.0, 2.0]), Tensor([3.0, 4.0])]
    assert Tensor(rows).shape == (2, 2)
    assert Tensor(rows).dtype == np.float32


def test_dtype_casts_whatever_comes_in():
    """An explicit wish is stronger than every default."""
    assert Tensor([1.7, -1.7], dtype=np.int64).numpy().tolist() == [1, -1]
    assert Tensor(Tensor([1]), dtype="float16").dtype == np.float16


@pytest.mark.parametrize("data", ["text", None, [object()], 1j, np.array(["1"]), np.datetime64("2020-01-01")])
def test_what_is_not_a_number_is_refused_by_name_of_its_dtype(data):
    """An object array would fail much later, somewhere inside NumPy."""
    with pytest.raises(TypeError, match="bools, ints or floats"):
        Tensor(data)


def test_a_tensor_is_stored_in_rows_whatever_the_layout_it_came_in():
    """Views taken by reshape then share memory, and parameters are quick to walk through."""
    assert Tensor(np.asfortranarray(np.ones((3, 4)))).numpy().flags.c_contiguous


def test_from_numpy_refuses_what_it_could_not_share():
    """A list has no memory to share, and writing to a read-only array would fail far from here."""
    with pytest.raises(TypeError, match="use Tensor"):
        Tensor.from_numpy([1.0])
    frozen = np.ones(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        Tensor.from_numpy(frozen)


def test_from_numpy_of_a_subclass_is_a_plain_array_on_the_same_memory():
    """A np.matrix would change what * means in every operation to come."""
    matrix = np.ones((2, 2)).view(np.matrix)
    tensor = Tensor.from_numpy(matrix)
    matrix[0, 0] = 5
    assert type(tensor.numpy()) is np.ndarray
    assert tensor.numpy()[0, 0] == 5


def test_item_float_and_bool_read_a_single_element():
    """A loss is printed, compared and branched on as a Python number."""
    assert Tensor([[2.5]]).item() == 2.5
    assert float(Tensor(2)) == 2.0
    assert not Tensor([0.0])
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor([1, 2]))


def test_length_and_iteration_go_along_the_first_axis():
    """A batch is a sequence of samples."""
    rows = list(Tensor([[1, 2], [3, 4], [5, 6]]))
    assert [row.numpy().tolist() for row in rows] == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(TypeError):
        iter(Tensor(1.0)).__next__()


def test_repr_shows_values_type_and_whether_a_gradient_is_needed():
    """It is what a student sees most often."""
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.], dtype=float32)"
    assert repr(Tensor(1.0, requires_grad=True)) == "Tensor(1., dtype=float32, requires_grad=True)"


def test_a_deep_copy_is_independent():
    """Models are copied to keep the best one so far."""
    tensor = Tensor([1.0], requires_grad=True)
    other = copy.deepcopy(tensor)
    other.data = [5.0]
    assert tensor.item() == 1.0
    assert other.requires_grad


@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    st.sampled_from(["+", "-", "*", "/", "**"]),
    st.sampled_from([np.float16, np.float32, np.float64, np.int64]),
    st.sampled_from([np.float16, np.float32, np.float64, np.int64]),
)
def test_arithmetic_is_numpys_in_value_shape_and_dtype(shapes, sign, left, right):
    """Promotion and broadcasting are NumPy's: nothing is to be learned twice."""
    rng = np.random.default_rng(0)
    a, b = (
        rng.integers(1, 5, shape).astype(d)
        for shape, d in zip(shapes.input_shapes, (left, right), strict=True)
    )
    names = {"x": Tensor(a), "y": Tensor(b), "a": a, "b": b}
    want = np.asarray(eval(f"a {sign} b", names))
    for expression in (f"x {sign} y", f"x {sign} b", f"a {sign} y"):
        got = eval(expression, names)
        assert type(got) is Tensor
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got.numpy(), want)


def test_a_foreign_object_takes_part_through_its_numpy_method():
    """Other libraries' tensors need no conversion by hand."""
    foreign = OnlyNumpy(np.ones(2))
    assert (Tensor([1.0, 2.0]) + foreign).numpy().tolist() == [2, 3]
    assert Tensor(foreign).numpy() is not foreign.value
    with pytest.raises(TypeError, match="must return an array"):
        Tensor([1.0]) + OnlyNumpy([1.0])


def test_numpy_functions_refuse_a_tensor_but_asarray_takes_it():
    """np.exp(x) would drop out of the graph without a word; np.asarray(x) says so."""
    with pytest.raises(TypeError):
        np.exp(Tensor([1.0]))
    assert np.asarray(Tensor([1.0])).tolist() == [1.0]


def test_an_index_may_hold_tensors():
    """Labels picked out of log-probabilities are tensors as often as arrays."""
    x = Tensor(np.arange(6.0).reshape(2, 3))
    assert x[Tensor([0, 1]), Tensor([2, 0])].numpy().tolist() == [2, 3]
    assert x[x.numpy() > 2].shape == (3,)
    assert x[..., None, -1].shape == (2, 1)


def test_shapes_and_axes_are_given_as_numbers_or_as_a_tuple():
    """NumPy takes both, and so does PyTorch."""
    x = Tensor(np.zeros((2, 3, 4)))
    assert x.reshape(6, -1).shape == x.reshape((6, -1)).shape == (6, 4)
    assert x.transpose(0, 2, 1).shape == x.transpose((0, 2, 1)).shape == (2, 4, 3)
    assert x.T.shape == x.transpose().shape == (4, 3, 2)


@pytest.mark.usefixtures("rules_kept")
def test_a_registered_rule_gets_arrays_numbers_none_and_options():
    """This is all the interface there is between an operation and the engine."""
    seen = []

    def forward(*arrays, **params):
        seen.extend([*arrays, params])
        return arrays[0]

    rule("spy", forward)
    apply("spy", Tensor([1.0]), [2.0], OnlyNumpy(np.ones(1)), np.float16(3), 4, None, option="x")
    assert [type(array) for array in seen[:4]] == [np.ndarray] * 4
    assert [array.dtype for array in seen[:4]] == [np.float32, np.float32, np.float64, np.float16]
    assert seen[4:] == [4, None, {"option": "x"}]


@pytest.mark.usefixtures("rules_kept")
@pytest.mark.parametrize("result", [None, 1.0, [1.0], Tensor([1.0])])
def test_a_rule_that_returns_no_array_is_named(result):
    """Students write rules: the message has to say which one, and what it did."""
    rule("wrong", lambda _: result)
    with pytest.raises(TypeError, match=f"'wrong' must return arrays.*{type(result).__name__}"):
        apply("wrong", Tensor([1.0]))


def test_an_unknown_rule_is_answered_with_those_there_are():
    """A typing mistake shows when the right name stands beside it."""
    with pytest.raises(KeyError, match=r"'ad'.*'add'"):
        apply("ad", 1, 2)


def test_results_of_a_single_element_are_arrays_too():
    """NumPy makes scalars of them, which have no memory to write to."""
    for result in (Tensor(1.0) + 1, Tensor([1.0]).sum(), Tensor([1.0])[0]):
        assert type(result.numpy()) is np.ndarray
        assert result.numpy().flags.writeable


def test_assigning_data_from_its_own_reverse_is_safe():
    """Source and target overlap then."""
    x = Tensor([1.0, 2.0, 3.0])
    x.data = x.data[::-1]
    assert x.numpy().tolist() == [3, 2, 1]
