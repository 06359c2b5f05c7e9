"""Layers are called as torch's: argument names, biases left out, one sample without its axis, any integer."""

import inspect

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.layer_parity import assert_equal_layers
from tinygrad_notes import nn
from tinygrad_notes.nn import functional as F

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
RNG = np.random.default_rng(0)

OURS = {"cache", "lengths", "start"}  # docs/torch.md
LAYERS = [
    name for name in nn.__all__
    if inspect.isclass(getattr(nn, name)) and hasattr(torch.nn, name) and name not in ("Buffer", "Parameter")
]  # fmt: skip


def parameters(layer: type) -> list[str]:
    return [
        p.name for p in inspect.signature(layer.forward).parameters.values() if p.kind is not p.VAR_KEYWORD
    ]


@pytest.mark.parametrize("name", LAYERS)
def test_a_call_has_the_argument_names_of_torch(name):
    ours, theirs = (parameters(getattr(library, name)) for library in (nn, torch.nn))
    if name in ("RNN", "LSTM", "GRU"):  # torch's forward is written for its compiler: *args
        theirs = parameters(torch.nn.RNNCell)
    if name == "RMSNorm":  # torch calls it x, only there
        theirs = ["self", "input"]
    if name in ("Module", "ModuleDict", "ModuleList", "ParameterList"):
        return  # they are not called
    ours = [n for n in ours if n not in OURS]
    assert ours == theirs[: len(ours)]
    assert set(theirs[len(ours) :]) <= {"output_size"}


def test_layers_are_called_by_name():
    x = tg.Tensor(RNG.normal(size=(2, 3, 4, 4)).astype(np.float32))
    chain = nn.Sequential(nn.Tanh())
    for layer in (nn.Conv2d(3, 2, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), chain):
        np.testing.assert_array_equal(layer(input=x).detach().numpy(), layer(x).detach().numpy())


@pytest.mark.parametrize("make, shape", [
    (lambda library: library.BatchNorm1d(3, bias=False), (4, 3)),
    (lambda library: library.BatchNorm2d(3, bias=False), (2, 3, 2, 2)),
    (lambda library: library.GroupNorm(2, 4, bias=False), (3, 4, 2)),
    (lambda library: library.InstanceNorm1d(3, affine=True, bias=False), (2, 3, 4)),
    (lambda library: library.InstanceNorm2d(3, affine=True, bias=False), (2, 3, 4, 2)),
    (lambda library: library.LayerNorm(4, bias=False), (2, 3, 4)),
])  # fmt: skip
def test_a_normalization_without_a_bias_is_torchs(make, shape):
    ours, theirs = make(nn), make(torch.nn)
    assert ours.bias is None and theirs.bias is None
    assert_equal_layers(ours, theirs, {"x": RNG.normal(size=shape)}, lambda layer, t: layer(t["x"]))


@pytest.mark.parametrize("make, shape", [
    (lambda library: library.Conv2d(3, 4, 3, padding=1), (3, 5, 6)),
    (lambda library: library.Conv2d(3, 4, 3, padding="same"), (3, 5, 6)),
    (lambda library: library.MaxPool2d(2), (3, 5, 6)),
    (lambda library: library.AvgPool2d(2, ceil_mode=True), (3, 5, 6)),
    (lambda library: library.AdaptiveAvgPool2d((2, 4)), (3, 5, 6)),
    (lambda library: library.AdaptiveAvgPool2d(1), (3, 5, 6)),
    (lambda library: library.InstanceNorm1d(3, affine=True), (3, 5)),
    (lambda library: library.InstanceNorm2d(3, affine=True), (3, 5, 6)),
    (lambda library: library.Flatten(), (3, 5, 6)),
])  # fmt: skip
def test_one_image_is_taken_where_torch_takes_it(make, shape):
    ours, theirs = make(nn).astype("float64"), make(torch.nn).double()
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    x = RNG.normal(size=shape)
    here, there = tg.Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    y, e = ours(here), theirs(there)
    np.testing.assert_allclose(y.detach().numpy(), e.detach().numpy(), atol=1e-12)
    (y * y * y).sum().backward()
    (e * e * e).sum().backward()
    np.testing.assert_allclose(here.grad.numpy(), there.grad.numpy(), atol=1e-12)


def test_one_image_is_convolved_back_as_in_torch():
    x, w = RNG.normal(size=(3, 4, 5)), RNG.normal(size=(3, 2, 3, 3))
    ours = F.conv_transpose2d(tg.Tensor(x), tg.Tensor(w), stride=2)
    theirs = torch.nn.functional.conv_transpose2d(torch.from_numpy(x), torch.from_numpy(w), stride=2)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name, target", [
    ("cross_entropy", np.array(2)), ("nll_loss", np.array(1)), ("cross_entropy", np.array([0.25, 0.5, 0.25])),
])  # fmt: skip
def test_logits_of_one_sample(name, target, reduction):
    x, weight = RNG.normal(size=3), np.array([1.0, 2.0, 3.0])
    here, there = tg.Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    ours = getattr(F, name)(here, tg.Tensor(target), weight, reduction=reduction)
    theirs = getattr(torch.nn.functional, name)(
        there, torch.from_numpy(target), torch.from_numpy(weight), reduction=reduction
    )
    assert ours.shape == theirs.shape == ()
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-14)
    ours.backward()
    theirs.backward()
    np.testing.assert_allclose(here.grad.numpy(), there.grad.numpy(), atol=1e-14)


def test_logits_of_one_sample_need_one_target():
    with pytest.raises(ValueError, match=r"cross_entropy: class indices \(1, 2\) for input \(1, 3\)"):
        F.cross_entropy(tg.Tensor([1.0, 2.0, 3.0]), tg.Tensor([0, 1]))
    with pytest.raises(ValueError, match=r"input must be \(N, C, ...\) or \(C,\) with C ≥ 1, got \(\)"):
        F.cross_entropy(tg.Tensor(1.0), tg.Tensor(0))


def test_integers_may_be_numpys():
    two, four = np.int64(2), np.int32(4)
    x = tg.Tensor(RNG.normal(size=(2, 4, 4, 4)).astype(np.float32))
    layers = [
        nn.LayerNorm(four), nn.RMSNorm(four), nn.GroupNorm(two, four), nn.LocalResponseNorm(two),
        nn.Softmax(two), nn.Linear(four, two), nn.Conv2d(four, two, two), nn.MaxPool2d(two),
        nn.AdaptiveAvgPool2d(two), nn.BatchNorm2d(four), nn.Flatten(two), nn.InstanceNorm2d(four),
    ]  # fmt: skip
    assert {layer(x).dtype for layer in layers} == {np.dtype(np.float32)}
    assert nn.LayerNorm(four).normalized_shape == (4,) and "(4,)" in repr(nn.LayerNorm(four))
    assert nn.Embedding(four, two)(tg.Tensor([1, 3])).shape == (2, 2)
    assert nn.LSTM(four, two, two)(x[0, 0])[0].shape == (4, 2)
    assert tg.broadcast_to(tg.Tensor(1.0), four).shape == (4,)
    assert x.reshape(np.int64(128)).shape == x.flatten().shape == (128,)
    assert tg.Tensor(np.ones((2, 3))).transpose(np.int64(1), np.int64(0)).shape == (3, 2)
    assert tg.scatter_add(tg.Tensor([1.0]), [1], four).shape == (4,)


# ---- defaults ----------------------------------------------------------------------------------

OWN = {
    "convention",
    "initialization",
    "reset_after",
    "variant",
    "forget_bias",
    "mask",
    "dropout_mask",
}  # docs/torch.md
RENAMED = {"axis": "dim", "start_axis": "start_dim", "end_axis": "end_dim"}
CHANGED = {
    "constant_values",
    "activation",
    "modules",
    "values",
    "requires_grad",
    "dtype",
    "axis",
}  # compared elsewhere


def defaults(call):
    found = inspect.signature(call).parameters.values()
    return {p.name: p.default for p in found if p.default is not p.empty}


def made(library):
    """{name: what is called} of the layers, initializers, optimizers, schedules and functions."""
    groups = {
        "nn": (nn, torch.nn, LAYERS), "init": (nn.init, torch.nn.init, None),
        "optim": (tg.optim, torch.optim, ["SGD", "Adam", "AdamW"]),
        "lr_scheduler": (tg.optim.lr_scheduler, torch.optim.lr_scheduler, None),
        "functional": (F, torch.nn.functional, None),
    }  # fmt: skip
    for group, (ours, theirs, names) in groups.items():
        for name in names or [n for n in vars(ours) if n[0] != "_" and n != "Tensor" and hasattr(theirs, n)]:
            mine, other = getattr(ours, name), getattr(theirs, name)
            if callable(mine) and (inspect.isclass(mine) or inspect.isfunction(mine)):
                yield f"{group}.{name}", mine, other


CALLS = {name: (ours, theirs) for name, ours, theirs in made(nn)}
NO_SIGNATURE = {  # of functions that are compiled; their defaults by torch's documentation
    "functional.avg_pool2d": dict(stride=None, padding=0, ceil_mode=False, count_include_pad=True),
    "functional.conv2d": dict(bias=None, stride=1, padding=0, dilation=1, groups=1),
    "functional.conv_transpose2d": dict(
        bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
    ),
    "functional.gelu": dict(approximate="none"),
    "functional.linear": dict(bias=None),
    "functional.max_pool2d": dict(stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False),
    "functional.one_hot": dict(num_classes=-1),
    "functional.scaled_dot_product_attention": dict(
        attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
    ),
    "functional.softplus": dict(beta=1, threshold=20),
}


@pytest.mark.parametrize("name", CALLS)
def test_defaults_are_torchs(name):
    ours, theirs = CALLS[name]
    expected = NO_SIGNATURE.get(name)
    if name in ("nn.RNN", "nn.LSTM", "nn.GRU"):  # torch's signature is *args: a layer tells
        expected = vars(theirs(2, 3))
        expected = expected | {"bias": expected["bias"], "nonlinearity": expected.get("nonlinearity")}
    elif expected is None:
        expected = defaults(theirs)
    for argument, value in defaults(ours).items():
        other = RENAMED.get(argument, argument)
        if argument in OWN or argument in CHANGED:
            continue
        assert other in expected, argument
        assert value == expected[other] and isinstance(value, bool) == isinstance(expected[other], bool), (
            argument
        )
