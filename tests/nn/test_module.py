"""Modules: what they are made of, their state, their modes."""

import copy
import pickle
import re

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.models.count import parameter_count
from tinygrad_notes.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        self.body = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Dropout(0.5))
        self.heads = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)])
        self.mean = nn.Buffer(np.zeros(3))
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.comment = "not a part"

    def forward(self, x):
        h = self.body(x) * self.scale
        return self.heads[0](h) + self.heads[1](h)


KEYS = [
    "mean", "scale", "body.0.weight", "body.0.bias", "heads.0.weight", "heads.0.bias", "heads.1.weight",
    "heads.1.bias",
]  # fmt: skip


def test_names_of_parameters_buffers_and_parts():
    net = Net()
    assert list(net.state_dict()) == KEYS
    assert [name for name, _ in net.named_parameters()] == KEYS[1:]
    assert [name for name, _ in net.named_buffers()] == ["mean"]
    names = [name for name, _ in net.named_modules()]
    assert names == ["", "body", "body.0", "body.1", "body.2", "heads", "heads.0", "heads.1"]


def test_shared_parameters_count_once_and_save_under_both_names():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert sum(p.size for p in net.parameters()) == 9 + 3 + 3
    assert {"0.weight", "1.weight"} <= set(net.state_dict())
    x = tg.Tensor(np.ones((1, 3), np.float32))
    net(x).sum().backward()
    tg.optim.SGD(net.parameters(), lr=0.1).step()


def test_state_dict_round_trip_and_copies():
    a, b = Net(), Net()
    state = a.state_dict()
    assert b.load_state_dict(state) == ([], [])
    for name, value in b.state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    state["scale"][:] = 9
    np.testing.assert_array_equal(a.state_dict()["scale"], np.ones(3))


def test_load_state_dict_is_strict_and_changes_nothing_on_failure():
    net = Net()
    before = net.state_dict()
    state = net.state_dict()
    state["extra"] = state.pop("scale")
    with pytest.raises(KeyError, match=r"missing \['scale'\], unexpected \['extra'\]"):
        net.load_state_dict(state)
    assert net.load_state_dict(state, strict=False) == (["scale"], ["extra"])
    bad = {**net.state_dict(), "scale": np.zeros(4), "mean": np.ones(3)}
    with pytest.raises(ValueError, match=r"scale: \(4,\) for \(3,\)"):
        net.load_state_dict(bad)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_train_and_eval_reach_every_part():
    net = Net()
    net.eval()
    assert not any(m.training for m in net.modules())
    x = tg.Tensor(np.ones((2, 4), np.float32))
    np.testing.assert_array_equal(net(x).numpy(), net(x).numpy())
    net.train()
    assert all(m.training for m in net.modules())


def test_astype_and_freezing():
    net = Net().astype(np.float64)
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net(tg.Tensor(np.ones((1, 4)))).dtype == np.float64
    net.requires_grad_(False)
    assert not net(tg.Tensor(np.ones((1, 4)))).requires_grad
    net.requires_grad_()
    net(tg.Tensor(np.ones((1, 4)))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_sequential_indexing_slicing_and_wrong_parts():
    body = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    assert len(body) == 3 and isinstance(body[1], nn.ReLU) and len(body[:2]) == 2
    assert [name for name, _ in nn.Sequential({"a": nn.ReLU()}).named_children()] == ["a"]
    with pytest.raises(TypeError, match="parts must be Modules"):
        nn.Sequential(nn.ReLU(), np.tanh)
    with pytest.raises(TypeError, match=r"Module defines no forward"):
        nn.Module()(1)


def test_printed_form():
    text = repr(Net())
    assert "(0): Linear(4, 3, bias=True)" in text and "(2): Dropout(p=0.5)" in text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(0, 3), "in_features must be a positive integer, got 0"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups = 2 must divide in_channels 3"),
        (lambda: nn.Conv2d(3, 4, (1, 2, 3)), "kernel_size must be an integer or a pair"),
        (lambda: nn.Conv2d(3, 4, 0), "Conv2d: kernel_size must be at least 1, got 0"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), "Conv2d: stride must be at least 1, got 0"),
        (lambda: nn.Conv2d(3, 4, 3, padding=(1, -1)), "Conv2d: padding must be at least 0, got (1, -1)"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), "Conv2d: padding must be 'same', 'valid', an integer"),
        (lambda: nn.Conv2d(3, 4, 3, 2, padding="same"), "Conv2d: padding='same' needs stride 1, got (2, 2)"),
        (lambda: nn.Conv2d(3, 4, 3, dilation=0.5), "Conv2d: dilation must be an integer or a pair"),
        (lambda: nn.Dropout(1.5), "p is a probability, got 1.5"),
    ],
)
def test_layers_check_their_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_layers_name_the_shapes_they_refuse():
    with pytest.raises(ValueError, match=r"linear: x \(2, 5\) needs a last axis equal to in .* \(3, 4\)"):
        nn.Linear(4, 3)(tg.Tensor(np.ones((2, 5), np.float32)))
    with pytest.raises(ValueError, match=r"images must be \(N, C, H, W\) or \(C, H, W\), got \(8, 8\)"):
        nn.Conv2d(3, 4, 3)(tg.Tensor(np.ones((8, 8), np.float32)))


@pytest.mark.parametrize(
    ("layer", "name", "shape"),
    [
        (nn.Linear(4, 3), "linear", (2, 4)),
        (nn.Conv2d(4, 3, 1), "conv2d", (1, 4, 2, 2)),
        (nn.LayerNorm(4), "layer_norm", (2, 4)),
        (nn.GroupNorm(2, 4), "group_norm", (2, 4)),
        (nn.BatchNorm1d(4), "batch_norm", (2, 4)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_input_of_another_precision_is_refused(layer, name, shape):
    """A float64 batch would silently make everything behind the first layer float64."""
    x = np.ones(shape)
    with pytest.raises(TypeError, match=rf"{name}: input is float64 but \w+ is float32"):
        layer(tg.Tensor(x))
    fix = re.escape("use x.astype('float32'), or module.astype('float64')")
    with pytest.raises(TypeError, match=fix):
        layer(tg.Tensor(x))
    assert layer(tg.Tensor(x).astype("float32")).dtype == np.float32
    assert layer.astype("float64")(tg.Tensor(x)).dtype == np.float64
    with pytest.raises(TypeError, match="input is float32 but"):
        layer(tg.Tensor(x).astype("float32"))


@pytest.mark.parametrize("function", [
    lambda x, w, b: F.linear(x[0, 0], w[0, 0], b), F.conv2d, F.conv_transpose2d,
])  # fmt: skip
@pytest.mark.parametrize("odd", range(3))
def test_input_weight_and_bias_have_one_dtype(function, odd):
    arrays = [np.ones(shape, np.float32) for shape in ((1, 1, 3, 3), (1, 1, 3, 3), (3,))]
    arrays[2] = arrays[2] if function not in (F.conv2d, F.conv_transpose2d) else arrays[2][:1]
    function(*map(tg.Tensor, arrays))
    arrays[odd] = arrays[odd].astype(np.float64)
    with pytest.raises(TypeError, match="must have one dtype"):
        function(*map(tg.Tensor, arrays))


def test_parameters_are_no_integers():
    layer = nn.Linear(2, 3)
    with pytest.raises(TypeError, match=r"Linear\.astype: parameters are real numbers"):
        layer.astype("int32")
    assert layer.weight.dtype == layer.bias.dtype == np.float32 and layer.weight.requires_grad


def test_integers_are_no_input_of_a_linear_layer():
    with pytest.raises(TypeError, match="linear: input is int64 but weight is float32 and bias is float32"):
        nn.Linear(2, 3)(tg.Tensor([[1, 2]]))


def test_a_part_that_refers_to_its_parent_is_no_endless_walk():
    class Part(nn.Module):
        def __init__(self, parent):
            self.parent = parent
            self.w = nn.Parameter(np.ones(2))

    class Whole(nn.Module):
        def __init__(self):
            self.part = Part(self)

    whole = Whole()
    assert [name for name, _ in whole.named_parameters()] == ["part.w"] == list(whole.state_dict())
    assert whole.astype("float32").part.w.dtype == np.float32


@pytest.mark.parametrize("name", ["forward", "a.b", ""])
def test_names_that_sequential_refuses(name):
    with pytest.raises(KeyError, match="cannot name a part"):
        nn.Sequential({name: nn.ReLU()})


def test_astype_converts_the_gradient():
    layer = nn.Linear(2, 1)
    layer(tg.Tensor([[1.0, 2.0]])).sum().backward()
    layer.astype("float64")
    assert layer.weight.grad.dtype == np.float64 and layer.weight.grad.numpy().tolist() == [[1, 2]]
    layer(tg.Tensor([[1.0, 2.0]], dtype="float64")).sum().backward()
    assert layer.weight.grad.numpy().tolist() == [[2, 4]]


# ---- names keep their kind -----------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda p: tg.Tensor(p.numpy()), lambda p: p.numpy(), lambda p: p * 2, lambda p: 3.0, lambda p: nn.ReLU(),
    lambda p: nn.Buffer(p.numpy()),
])  # fmt: skip
def test_nothing_but_a_parameter_takes_the_name_of_one(make):
    """As in torch; otherwise it would silently never train nor be saved again."""
    layer = nn.Linear(2, 3)
    weight = layer.weight
    with pytest.raises(TypeError, match=r"Linear: weight is the name of a Parameter, and a \w+ cannot take"):
        layer.weight = make(weight)
    assert layer.weight is weight
    layer.weight = None
    with pytest.raises(TypeError, match=r"assign an nn\.Parameter or None"):
        layer.weight = make(weight)
    layer.weight = other = nn.Parameter(weight.numpy())
    assert dict(layer.named_parameters())["weight"] is other
    del layer.weight
    layer.weight = make(weight)


@pytest.mark.parametrize("make", [
    lambda: nn.Linear(2, 2, bias=False), lambda: nn.Conv2d(2, 2, 1, bias=False),
    lambda: nn.LayerNorm(2, bias=False), lambda: nn.BatchNorm1d(2, affine=False),
    lambda: nn.GroupNorm(1, 2, affine=False), lambda: nn.InstanceNorm1d(2),
])  # fmt: skip
def test_a_bias_that_is_left_out_can_only_become_a_parameter(make):
    layer = make()
    with pytest.raises(TypeError, match="bias is the name of a Parameter"):
        layer.bias = tg.Tensor(np.zeros(2), requires_grad=True)
    layer.bias = nn.Parameter(np.zeros(2))
    assert "bias" in layer.state_dict()


def test_buffers_stay_buffers_and_modules_modules():
    norm = nn.BatchNorm1d(2)
    norm.running_mean = tg.Tensor([1.0, 2.0])
    assert isinstance(norm.running_mean, nn.Buffer) and norm.state_dict()["running_mean"].tolist() == [1, 2]
    norm.running_mean += 1
    norm.running_mean *= tg.Tensor([2.0, 2.0])
    assert isinstance(norm.running_mean, nn.Buffer) and norm.state_dict()["running_mean"].tolist() == [4, 6]
    w = tg.Tensor([1.0, 1.0], requires_grad=True)
    norm.running_var = w * 2
    assert isinstance(norm.running_var, nn.Buffer) and tg.grad(norm.running_var.sum(), w)[
        0
    ].numpy().tolist() == [2, 2]
    norm.running_var = None
    norm.running_var = tg.Tensor([1.0, 1.0])
    assert "running_var" in norm.state_dict()
    with pytest.raises(
        TypeError, match="running_mean is the name of a Buffer, and a list cannot take its place"
    ):
        norm.running_mean = [0.0, 0.0]
    net = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="0 is the name of a Module, and a Tensor cannot take its place"):
        setattr(net, "0", tg.Tensor([1.0]))
    setattr(net, "0", nn.ReLU())
    assert list(net.state_dict()) == []


def test_augmented_assignment_keeps_the_parameter():
    torch = pytest.importorskip("torch")
    changes = {
        "+=": lambda m, k: setattr(m, k, getattr(m, k).__iadd__(0.5)),
        "-=": lambda m, k: setattr(m, k, getattr(m, k).__isub__(0.5)),
        "*=": lambda m, k: setattr(m, k, getattr(m, k).__imul__(getattr(m, k))),
        "/=": lambda m, k: setattr(m, k, getattr(m, k).__itruediv__(3)),
        "**=": lambda m, k: setattr(m, k, getattr(m, k).__ipow__(2)),
    }
    for change in changes.values():
        ours, theirs = nn.Linear(3, 2), torch.nn.Linear(3, 2)
        ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
        before, optimizer = ours.weight, tg.optim.SGD(ours.parameters(), lr=1.0)
        with pytest.raises(RuntimeError, match=r"= would change a leaf that requires grad behind its graph"):
            change(ours, "weight")
        with tg.no_grad(), torch.no_grad():
            change(ours, "weight"), change(theirs, "weight")
        assert ours.weight is before and type(before) is nn.Parameter and before.requires_grad
        np.testing.assert_allclose(
            ours.state_dict()["weight"], theirs.state_dict()["weight"].numpy(), rtol=1e-6
        )
        ours(tg.Tensor(np.ones((1, 3), np.float32))).sum().backward()
        optimizer.step()
        np.testing.assert_allclose(ours.weight.numpy(), theirs.weight.detach().numpy() - 1, rtol=1e-5)
    with tg.no_grad(), pytest.raises(TypeError, match="weight is the name of a Parameter"):
        ours.weight @= tg.Tensor(np.eye(3, dtype=np.float32))  # a new Tensor, as in torch


# ---- what load_state_dict refuses ------------------------------------------------------------------

WRONG_VALUES = {
    "complex": (np.ones(3, complex), TypeError), "strings": (np.array(["a", "b", "c"]), TypeError),
    "objects": (np.array([1.0, None, 2.0]), TypeError), "None": (None, TypeError),
    "masked": (np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]), TypeError),
    "long doubles": (np.ones(3, np.longdouble), TypeError),
    "dates": (np.zeros(3, "datetime64[s]"), TypeError),
    "a ragged list": ([[1.0], [1.0, 2.0]], TypeError), "a dict": ({"a": 1}, TypeError),
    "shape": (np.ones(4), ValueError), "one more axis": (np.ones((1, 3)), ValueError),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG_VALUES)
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", ["scale", "mean", "heads.1.bias"])
def test_a_value_that_does_not_fit_changes_nothing(kind, strict, name):
    if kind == "long doubles" and np.longdouble == np.float64:
        pytest.skip("the platform has none")
    net = Net()
    before, value = net.state_dict(), WRONG_VALUES[kind][0]
    if name == "heads.1.bias" and getattr(value, "shape", ()) == (3,):
        value = value[:2]
    state = {key: np.full_like(array, 7) for key, array in before.items()}
    for place in (0, len(state)):  # as the first and as the last
        items = [(k, v) for k, v in state.items() if k != name]
        items.insert(place, (name, value))
        with pytest.raises(WRONG_VALUES[kind][1], match=rf"Net\.load_state_dict: .*{re.escape(name)}"):
            net.load_state_dict(dict(items), strict)
        for key, array in net.state_dict().items():
            np.testing.assert_array_equal(array, before[key])


def test_other_refusals_of_load_state_dict_change_nothing():
    net = nn.BatchNorm1d(2)
    before = net.state_dict()
    state = {key: array + 1 for key, array in before.items()}
    for bad, error, message in (
        (list(state), TypeError, "needs a mapping of names to arrays, got a list"),
        (None, TypeError, "needs a mapping"),
        (state | {"num_batches_tracked": np.array(1.5)}, TypeError, "float64 numbers would be cut to int64"),
        (state | {5: np.ones(2)}, KeyError, r"unexpected \[5\]"),
        ({k: v for k, v in state.items() if k != "bias"}, KeyError, r"missing \['bias'\]"),
        (state | {"weight": np.ones(3), "bias": np.ones(1)}, ValueError, r"weight: \(3,\) .* bias: \(1,\)"),
        (state | {"weight": np.ones(2, complex), "bias": "x"}, (TypeError, ValueError), "weight|bias"),
    ):
        with pytest.raises(error, match=message):
            net.load_state_dict(bad)
        for key, array in net.state_dict().items():
            np.testing.assert_array_equal(array, before[key])
    net.load_state_dict(state)
    assert net.state_dict()["bias"].tolist() == [1, 1]


# ---- shared parts ----------------------------------------------------------------------------------


class Twice(nn.Module):
    """Two ways down to one part."""

    def __init__(self, part):
        self.left = self.right = part


def diamond(levels):
    net = nn.Linear(2, 2)
    for _ in range(levels):
        net = Twice(net)
    return net


def test_apply_calls_parts_before_what_they_are_in_from_the_first_to_the_last():
    """As in torch; a part of two modules comes once, before both."""

    def tree(library):
        shared = library.Tanh()
        inner = library.Sequential(library.Linear(2, 3), library.ReLU())
        return library.Sequential(
            inner, library.Sequential(library.Sigmoid(), shared), library.Sequential(shared)
        )

    net, names = tree(nn), []
    assert net.apply(lambda module: names.append(type(module).__name__)) is net
    expected = ["Linear", "ReLU", "Sequential", "Sigmoid", "Tanh", "Sequential", "Sequential", "Sequential"]
    assert names == expected
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    theirs = []
    tree(torch.nn).apply(lambda module: theirs.append(module))
    once = list({id(module): type(module).__name__ for module in theirs}.values())
    assert names == once


def test_a_diamond_of_60_levels_is_walked_once():
    """2⁶⁰ ways lead to its one layer."""
    net = diamond(60)
    assert len(list(net.parameters())) == len(list(net.named_parameters())) == 2
    assert len(list(net.modules())) == len(list(net.named_modules())) == 61
    assert len(list(net.children())) == 1 and list(net.buffers()) == []
    calls = []
    net.apply(calls.append)
    assert len(calls) == 61 and isinstance(calls[0], nn.Linear)
    assert not any(m.training for m in net.eval().modules())
    assert {p.dtype.name for p in net.astype("float64").parameters()} == {"float64"}
    net.requires_grad_(False).requires_grad_().zero_grad()
    assert repr(net).count("the same as") == 60
    twin = copy.deepcopy(net)
    assert len(list(twin.parameters())) == 2 and len(list(pickle.loads(pickle.dumps(net)).modules())) == 61
    assert parameter_count(net) == 6
    next(net.parameters()).requires_grad = False
    assert parameter_count(net) == 6 - next(net.parameters()).size


def test_a_state_has_every_name_of_a_shared_part_as_torchs_has():
    net = diamond(2)
    names = [f"{a}.{b}.{leaf}" for a in ("left", "right") for b in ("left", "right")
             for leaf in ("weight", "bias")]  # fmt: skip
    state = net.state_dict()
    assert list(state) == names
    assert net.load_state_dict({name: value + 1 for name, value in state.items()}) == ([], [])
    np.testing.assert_array_equal(net.state_dict()[names[0]], state[names[0]] + 1)
    with pytest.raises(KeyError, match=r"left\.right\.bias"):
        net.load_state_dict({name: value for name, value in state.items() if name != "left.right.bias"})


def test_a_shared_module_runs_as_often_as_it_stands_there():
    torch = pytest.importorskip("torch")
    ours = nn.Sequential(*[nn.Linear(2, 2)] * 3)
    theirs = torch.nn.Sequential(*[torch.nn.Linear(2, 2)] * 3)
    assert len(ours) == 3 and len(list(ours.children())) == len(list(theirs.children())) == 1
    assert ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()}) == ([], [])
    x = np.ones((1, 2), np.float32)
    np.testing.assert_allclose(
        ours(tg.Tensor(x)).numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-6
    )
    names = [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in ours.named_parameters()] == names
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours).splitlines()[2] == "  (1): Linear, the same as 0"


def test_a_deep_network_is_printed_without_recursion():
    net = nn.ReLU()
    for _ in range(2000):
        net = nn.Sequential(net)
    assert len(repr(net).splitlines()) == 4001


def test_deep_copies_of_modules_keep_what_is_shared():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3))
    net[1].weight = net[0].weight
    net[0].bias.requires_grad = False
    net(tg.Tensor(np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32))).sum().backward()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin[1].weight is twin[0].weight is not net[0].weight
        assert len(list(twin.parameters())) == len(list(net.parameters()))
        assert [p.requires_grad for p in twin.parameters()] == [p.requires_grad for p in net.parameters()]
        assert isinstance(twin[2].running_mean, nn.Buffer) and all(p.grad is None for p in twin.parameters())
        for key, value in twin.state_dict().items():
            np.testing.assert_array_equal(value, net.state_dict()[key])
        with tg.no_grad():
            twin[0].weight += 1
        assert not np.array_equal(twin[0].weight.numpy(), net[0].weight.numpy())
        with pytest.raises(TypeError, match="weight is the name of a Parameter"):
            twin[0].weight = tg.Tensor([1.0])
