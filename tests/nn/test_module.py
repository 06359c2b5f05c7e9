"""Modules: what they are made of, their state, their modes."""

import re

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
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
    with pytest.raises(ValueError, match=r"images must be \(N, C, H, W\), got \(3, 8, 8\)"):
        nn.Conv2d(3, 4, 3)(tg.Tensor(np.ones((3, 8, 8), np.float32)))


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
    """A float64 batch would make everything behind the first layer float64, without a word."""
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
