"""Modules find their parameters, layers and losses compute what they say, and parameters survive a file."""

import numpy as np
import pytest

from tinytorch import Parameter, Tensor, Variable, check_grads, load, nn, save
from tinytorch.nn.module import uniform_parameter


def rng():
    return np.random.default_rng(0)


class Tree(nn.Module):
    """Parameters at every place where a module may keep them."""

    def __init__(self):
        self.own = Parameter([1.0])
        self.layers = [nn.Linear(2, 2), (nn.Linear(2, 1, bias=False), "not a module")]
        self.heads = {"left": Parameter([2.0]), "right": [Parameter([3.0])]}
        self.number, self.constant, self.nothing = 5, Tensor([4.0]), None


def test_parameters_are_found_by_the_path_that_leads_to_them():
    """Lists in tuples in dicts: where a model keeps its layers is its own business."""
    assert [name for name, _ in Tree().named_parameters()] == [
        "own",
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.0.weight",
        "heads.left",
        "heads.right.0",
    ]


def test_a_module_that_refers_to_itself_is_walked_once():
    """A part may know the whole."""
    tree = Tree()
    tree.part = nn.Sequential(nn.Linear(1, 1, bias=False))
    tree.part.whole = tree
    assert len(tree.parameters()) == 7


def test_a_parameter_under_two_names_has_the_first():
    """An optimizer that saw it twice would step twice."""
    tree = Tree()
    tree.tied = tree.own
    assert len(tree.parameters()) == 6
    assert "tied" not in dict(tree.named_parameters())


def test_a_module_without_forward_says_so():
    """By its name, which is what one has to look for."""
    with pytest.raises(NotImplementedError, match=r"Tree has no forward\(\)"):
        Tree()(Tensor([1.0]))


def test_zero_grad_reaches_every_parameter():
    """One gradient left over spoils the next step."""
    tree = Tree()
    for parameter in tree.parameters():
        parameter.grad = np.ones(parameter.shape)
    tree.zero_grad()
    assert all(parameter.grad is None for parameter in tree.parameters())


def test_linear_keeps_its_weights_as_pytorch_does():
    """(out, in): files and formulas can be compared."""
    layer = nn.Linear(3, 2)
    assert (layer.weight.shape, layer.bias.shape) == ((2, 3), (2,))
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    assert nn.Linear(3, 2, bias=False).bias is None


def test_linear_starts_differently_every_time_unless_it_is_given_a_generator():
    """Equal units would stay equal for ever; equal runs need equal seeds."""
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    assert not np.array_equal(first.weight.numpy(), second.weight.numpy())
    assert len(np.unique(first.weight.numpy())) == 16
    same = [nn.Linear(4, 4, rng=np.random.default_rng(7)).weight.numpy() for _ in range(2)]
    np.testing.assert_array_equal(*same)


def test_first_weights_keep_the_scale_of_what_they_sum():
    """Within ±1/√n, whatever n."""
    for fan_in in (1, 100, 10_000):
        values = uniform_parameter((1000,), fan_in, rng()).numpy() * fan_in**0.5
        assert np.abs(values).max() <= 1 + 1e-6
        assert values.std() == pytest.approx(1 / 3**0.5, rel=0.05)


def test_layers_have_the_gradients_that_differences_give():
    """For weights and bias as for the input."""
    x, weight, bias = (rng().normal(size=shape) for shape in ((2, 4, 3), (2, 3), (2,)))
    check_grads(nn.linear, x, weight, bias)
    check_grads(nn.linear, x[0, 0], weight)
    for f in (nn.relu, nn.sigmoid, nn.tanh, nn.log_softmax):
        check_grads(f, x)
    check_grads(lambda x: nn.mse_loss(x, np.ones((2, 4, 3))), x)
    check_grads(lambda x: nn.cross_entropy(x, [0, 2, 1, 1]), x[0])


def test_layers_take_arrays_and_return_tensors():
    """The first layer of a model is given plain data."""
    for layer in (nn.Linear(3, 2), nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.log_softmax):
        result = layer(np.ones((1, 3), np.float32))
        assert type(result) is Tensor
        assert result.dtype == np.float32


def test_sequential_applies_its_layers_in_order():
    """Functions may stand between modules."""
    model = nn.Sequential(lambda x: x + 1, nn.ReLU(), lambda x: x * 10)
    assert model(Tensor([-3.0, 1.0])).numpy().tolist() == [0, 20]
    assert [name for name, _ in nn.Sequential(nn.ReLU(), nn.Linear(1, 1)).named_parameters()] == [
        "layers.1.weight",
        "layers.1.bias",
    ]


@pytest.mark.parametrize("loss", [nn.mse_loss, nn.MSELoss()])
def test_mse_is_the_mean_over_all_elements(loss):
    """Not the sum, and not the mean of a row."""
    assert loss(Tensor([[1.0, 2.0], [3.0, 4.0]]), [[1, 2], [3, 0]]).item() == 4
    assert loss(np.zeros(2), Variable([3.0, 4.0], requires_grad=True)).requires_grad


def test_mse_refuses_shapes_that_would_broadcast():
    """(N, 1) and (N,) make N² differences, and a loss that falls to the wrong place."""
    with pytest.raises(ValueError, match=r"mse_loss.*\(3, 1\).*\(3,\)"):
        nn.mse_loss(Tensor(np.ones((3, 1))), np.ones(3))


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.CrossEntropyLoss()])
@pytest.mark.parametrize("wrap", [list, np.array, Tensor, np.uint8])
def test_cross_entropy_takes_labels_in_any_form(loss, wrap):
    """And is log(C) where all scores are equal."""
    assert loss(Tensor(np.zeros((3, 4))), wrap([0, 3, 1])).item() == pytest.approx(np.log(4))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0.0, 1.0], TypeError, "class numbers"),
        ([[0, 1]], ValueError, r"\(2, 3\).*\(1, 2\)"),
        ([0, 1, 2], ValueError, r"\(2, 3\).*\(3,\)"),
        ([0, 3], ValueError, "3 classes"),
        ([-1, 0], ValueError, "3 classes"),
    ],
)
def test_cross_entropy_refuses_labels_that_do_not_fit(labels, error, message):
    """-1 would silently mean the last class."""
    with pytest.raises(error, match=message):
        nn.cross_entropy(Tensor(np.zeros((2, 3))), labels)


def test_saved_parameters_come_back_into_the_same_arrays(tmp_path):
    """An optimizer made before loading goes on with them."""
    source, target = Tree(), Tree()
    arrays = [parameter.numpy() for parameter in target.parameters()]
    save(source, tmp_path / "tree.npz")
    load(target, tmp_path / "tree.npz")
    for saved, loaded, array in zip(source.parameters(), target.parameters(), arrays, strict=True):
        np.testing.assert_array_equal(saved.numpy(), loaded.numpy())
        assert loaded.numpy() is array


def test_the_file_is_numpys_own_and_holds_no_pickle(tmp_path):
    """A pickle runs whatever its author wished; and the name is taken as it is given."""
    save(Tree(), str(tmp_path / "weights"))
    with np.load(tmp_path / "weights", allow_pickle=False) as file:
        assert file.files == [name for name, _ in Tree().named_parameters()]
        assert file["layers.0.weight"].dtype == np.float32


def test_any_attribute_name_can_be_saved(tmp_path):
    """np.savez calls its own arguments file and allow_pickle."""
    module = nn.Module()
    module.file, module.allow_pickle = Parameter([1.0]), Parameter([2.0])
    save(module, tmp_path / "m.npz")
    module.file.data = [9.0]
    load(module, tmp_path / "m.npz")
    assert module.file.item() == 1


def test_a_file_of_another_module_is_refused_before_anything_changes(tmp_path):
    """Half loaded is worse than not loaded; the message lists what differs."""
    save(nn.Sequential(nn.Linear(2, 3)), tmp_path / "m.npz")
    for other in (
        nn.Sequential(nn.Linear(2, 4)),
        nn.Linear(2, 3),
        nn.Sequential(nn.Linear(2, 3, bias=False)),
    ):
        before = [parameter.numpy().copy() for parameter in other.parameters()]
        with pytest.raises(ValueError, match=r"another module: .*(bias|weight)"):
            load(other, tmp_path / "m.npz")
        for parameter, array in zip(other.parameters(), before, strict=True):
            np.testing.assert_array_equal(parameter.numpy(), array)


def test_loading_keeps_the_modules_dtype(tmp_path):
    """A model made for float64 checks stays one."""
    module = nn.Module()
    module.weight = Parameter(np.ones(2))
    save(module, tmp_path / "m.npz")
    module.weight = Parameter(np.zeros(2, np.float32))
    load(module, tmp_path / "m.npz")
    assert module.weight.dtype == np.float32
    assert module.weight.numpy().tolist() == [1, 1]
