"""Normalizing layers: what they keep between batches, modes, conventions, errors."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.nn import functional as F
from tinygrad_notes.ops.normalization import group_norm
from tinygrad_notes.ops.response import local_response_norm


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(3.0, 2.0, (4, 3, 5, 2)).astype(np.float32)


def test_training_normalizes_each_channel_with_the_biased_variance(images):
    y = nn.BatchNorm2d(3)(tg.Tensor(images)).detach().numpy()
    mean, var = images.mean((0, 2, 3), keepdims=True), images.var((0, 2, 3), keepdims=True)
    expected = (images - mean) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_running_statistics_take_a_tenth_of_the_new_unbiased_variance(images):
    layer = nn.BatchNorm2d(3)
    layer(tg.Tensor(images))
    state = layer.state_dict()
    np.testing.assert_allclose(state["running_mean"], 0.1 * images.mean((0, 2, 3)), rtol=1e-5)
    unbiased = images.var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(state["running_var"], 0.9 + 0.1 * unbiased, rtol=1e-5)
    assert state["num_batches_tracked"] == 1
    for dtype in ("float64", "float16"):  # a counter stays a counter
        layer.astype(dtype)
        assert layer.running_mean.dtype == dtype and layer.num_batches_tracked.dtype == np.int64
    assert state["num_batches_tracked"].dtype == np.int64 and state["num_batches_tracked"].shape == ()


def test_momentum_none_averages_the_batches_alike(images):
    layer = nn.BatchNorm2d(3, momentum=None)
    for shift in (0.0, 1.0, 5.0):
        layer(tg.Tensor(images + np.float32(shift)))
    np.testing.assert_allclose(layer.state_dict()["running_mean"], images.mean((0, 2, 3)) + 2, rtol=1e-5)


def test_evaluation_uses_the_running_statistics_and_leaves_them(images):
    layer = nn.BatchNorm2d(3)
    layer(tg.Tensor(images))
    before = layer.eval().state_dict()
    y = layer(tg.Tensor(images[:1])).detach().numpy()
    mean, var = (before[k].reshape(1, 3, 1, 1) for k in ("running_mean", "running_var"))
    np.testing.assert_allclose(y, (images[:1] - mean) / np.sqrt(var + 1e-5), rtol=1e-5, atol=1e-5)
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_evaluation_has_no_gradient_through_the_batch(images):
    layer = nn.BatchNorm2d(3)
    x = tg.Tensor(images, requires_grad=True)
    c = np.random.default_rng(1).normal(size=images.shape).astype(np.float32)
    trained = tg.grad((layer(x) * tg.Tensor(c)).sum(), x)[0].numpy()
    fixed = tg.grad((layer.eval()(x) * tg.Tensor(c)).sum(), x)[0].numpy()
    np.testing.assert_allclose(trained.sum((0, 2, 3)), 0, atol=1e-4)  # a shift of a channel changes nothing
    scale = 1 / np.sqrt(layer.state_dict()["running_var"] + 1e-5).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(fixed, c * scale, rtol=1e-5)


def test_a_graph_is_not_changed_by_later_batches(images):
    """The running statistics are replaced, not written into: an earlier evaluation still differentiates."""
    layer = nn.BatchNorm2d(3)
    x = tg.Tensor(images, requires_grad=True)
    y = layer.eval()(x).sum()
    layer.train()(tg.Tensor(10 * images))
    np.testing.assert_allclose(tg.grad(y, x)[0].numpy(), 1 / np.sqrt(1 + 1e-5), rtol=1e-6)


def test_without_statistics_or_parameters(images):
    layer = nn.BatchNorm2d(3, affine=False, track_running_stats=False)
    assert layer.state_dict() == {} and not list(layer.parameters())
    np.testing.assert_allclose(layer.eval()(tg.Tensor(images)).numpy().mean((0, 2, 3)), 0, atol=1e-5)


def test_one_number_per_channel_raises_in_training_only():
    layer = nn.BatchNorm1d(3)
    one = tg.Tensor(np.ones((1, 3), np.float32))
    with pytest.raises(ValueError, match="1 numbers per channel; training needs at least 2"):
        layer(one)
    assert layer.state_dict()["num_batches_tracked"] == 0
    assert layer.eval()(one).shape == (1, 3)


@pytest.mark.parametrize("layer, shape", [
    (nn.BatchNorm2d(3), (2, 3)), (nn.BatchNorm2d(3), (2, 4, 2, 2)), (nn.BatchNorm1d(3), (2, 3, 4, 4)),
])  # fmt: skip
def test_wrong_shapes_raise(layer, shape):
    with pytest.raises(ValueError, match=r"must have .* axes"):
        layer(tg.Tensor(np.ones(shape, np.float32)))


def test_dtype_of_parameters_must_be_that_of_the_input(images):
    with pytest.raises(TypeError, match="batch_norm: input is float64 but gamma is float32"):
        nn.BatchNorm2d(3)(tg.Tensor(images.astype(np.float64)))
    with pytest.raises(TypeError, match="batch_norm: input is float64 but mean is float32"):
        nn.BatchNorm2d(3, affine=False).eval()(tg.Tensor(images.astype(np.float64)))
    layer = nn.BatchNorm2d(3).astype(np.float64)
    assert layer(tg.Tensor(images.astype(np.float64))).dtype == np.float64
    assert {layer.state_dict()[k].dtype for k in ("running_mean", "running_var")} == {np.dtype(np.float64)}


@pytest.mark.parametrize("layer, shape, message", [
    (lambda x: nn.LayerNorm(4)(x), (2, 3), "does not end in normalized_shape"),
    (lambda x: group_norm(x, 2), (2, 3), "num_groups = 2 must divide the 3 channels"),
    (lambda x: nn.InstanceNorm1d(3)(x), (2, 3), r"InstanceNorm1d: input \(2, 3\) must have 3 axes"),
    (lambda x: nn.InstanceNorm2d(3)(x), (2, 4, 2, 2), "with C = num_features = 3"),
    (lambda x: nn.InstanceNorm2d(3)(x), (2, 3, 1, 1), "instance_norm: each map .* at least 2 numbers"),
    (lambda x: nn.InstanceNorm2d(3, track_running_stats=True), (1,), "running statistics are those of"),
    (lambda x: nn.LocalResponseNorm(0)(x), (2, 3), "size must be a positive integer"),
    (lambda x: nn.LocalResponseNorm(5, convention="keras")(x), (2, 3), "convention is"),
])  # fmt: skip
def test_errors_name_what_is_wrong(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer(tg.Tensor(np.ones(shape, np.float32)))


def test_large_means_do_not_cost_digits():
    """Large means and small spreads: x − μ first, so no digits are lost to cancellation."""
    rng = np.random.default_rng(0)
    x = (1000 + rng.normal(size=(64, 3))).astype(np.float32)
    y = nn.BatchNorm1d(3)(tg.Tensor(x)).detach().numpy()
    exact = (x.astype(np.float64) - x.mean(0, dtype=np.float64)) / np.sqrt(x.var(0, dtype=np.float64) + 1e-5)
    np.testing.assert_allclose(y, exact, atol=2e-4)


def test_response_norm_conventions_differ_by_the_window():
    x = tg.Tensor(np.random.default_rng(0).normal(size=(2, 7, 3, 3)))
    paper = local_response_norm(x, 5, 1e-4, 0.75, 2.0, convention="paper").numpy()
    torch_form = local_response_norm(x, 5, 5e-4, 0.75, 2.0, convention="torch").numpy()
    np.testing.assert_allclose(paper, torch_form, rtol=1e-14)
    assert np.abs(paper).max() < np.abs(x.numpy()).max()  # with k = 2 every value shrinks


def test_layers_follow_torch_for_three_batches():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    pairs = [
        (nn.BatchNorm2d(4, momentum=0.3), torch.nn.BatchNorm2d(4, momentum=0.3), (3, 4, 2, 5)),
        (nn.BatchNorm1d(4), torch.nn.BatchNorm1d(4), (3, 4, 5)),
        (nn.BatchNorm1d(4, momentum=None), torch.nn.BatchNorm1d(4, momentum=None), (6, 4)),
        (nn.BatchNorm1d(4, momentum=0.0), torch.nn.BatchNorm1d(4, momentum=0.0), (6, 4)),
        (nn.BatchNorm1d(4, momentum=1.0), torch.nn.BatchNorm1d(4, momentum=1.0), (6, 4)),
        (nn.LayerNorm((4, 5)), torch.nn.LayerNorm((4, 5)), (3, 4, 5)),
        (nn.GroupNorm(2, 4), torch.nn.GroupNorm(2, 4), (3, 4, 5, 2)),
        (nn.InstanceNorm1d(4), torch.nn.InstanceNorm1d(4), (3, 4, 5)),
        (nn.InstanceNorm2d(4, 1e-3, 0.1, True), torch.nn.InstanceNorm2d(4, 1e-3, 0.1, True), (3, 4, 5, 2)),
        (nn.LocalResponseNorm(3), torch.nn.LocalResponseNorm(3), (3, 4, 5, 2)),
    ]
    rng = np.random.default_rng(0)
    for ours, theirs, shape in pairs:
        assert set(ours.state_dict()) == set(theirs.state_dict())
        for training in (True, True, False):
            x = rng.normal(1, 2, shape).astype(np.float32)
            y, e = ours.train(training)(tg.Tensor(x)), theirs.train(training)(torch.from_numpy(x))
            np.testing.assert_allclose(y.detach().numpy(), e.detach().numpy(), atol=2e-6, err_msg=repr(ours))
        for key, value in theirs.state_dict().items():
            np.testing.assert_allclose(ours.state_dict()[key], value.numpy(), rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm_has_the_gradients_of_torch(affine):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    rng = np.random.default_rng(0)
    arrays = [rng.normal(1, 2, shape) for shape in ((2, 3, 4, 2), (3,), (3,), (2, 3, 4, 2))]
    found = []
    for make, function in ((tg.tensor, F.instance_norm), (torch.tensor, torch.nn.functional.instance_norm)):
        x, gamma, beta = (make(a, requires_grad=True) for a in arrays[:3])
        y = function(x, weight=gamma, bias=beta) if affine else function(x)
        (y * make(arrays[3])).sum().backward()
        leaves = (x, gamma, beta) if affine else (x,)
        found.append([y.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_gradient_check_leaves_the_running_statistics(images):
    layer = nn.BatchNorm2d(3).astype(np.float64)
    before = layer.state_dict()
    x = tg.Tensor(images[:2].astype(np.float64), requires_grad=True)
    assert tg.gradcheck(layer, (x,)) and tg.gradgradcheck(layer, (x,))
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


# ---- options of every layer ----------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_eps_of_a_batch_norm_in_both_modes_with_and_without_running_statistics(training, tracked, images):
    layer = nn.BatchNorm2d(3, eps=0.5, track_running_stats=tracked).astype("float64").train(training)
    x = images.astype(np.float64)
    y = layer(tg.Tensor(x)).numpy()
    own = training or not tracked
    mean, var = (x.mean((0, 2, 3)), x.var((0, 2, 3))) if own else (np.zeros(3), np.ones(3))
    expected = (x - mean.reshape(3, 1, 1)) / np.sqrt(var.reshape(3, 1, 1) + 0.5)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    names = ["running_mean", "running_var", "num_batches_tracked"] if tracked else []
    assert list(layer.state_dict()) == ["weight", "bias", *names]
    assert not tracked or layer.num_batches_tracked.item() == training


STATES = {
    "both": (["weight", "bias"], {}), "no bias": (["weight"], dict(bias=False)),
    "none": ([], dict(affine=False)),
    "none, bias": ([], dict(affine=False, bias=True)), "none, no bias": ([], dict(affine=False, bias=False)),
}  # fmt: skip


@pytest.mark.parametrize("case", STATES)
@pytest.mark.parametrize("kind, sizes", [
    (nn.BatchNorm1d, (4,)), (nn.BatchNorm2d, (4,)), (nn.GroupNorm, (2, 4)), (nn.InstanceNorm1d, (4,)),
    (nn.InstanceNorm2d, (4,)), (nn.LayerNorm, (4,)), (nn.RMSNorm, (4,)),
])  # fmt: skip
def test_a_scale_and_a_shift_are_there_where_they_are_asked_for(kind, sizes, case):
    """β needs γ; numbers of 1 and of 0 at first, as without them."""
    names, options = STATES[case]
    options = {"affine": True} | options
    if kind in (nn.LayerNorm, nn.RMSNorm):
        options["elementwise_affine"] = options.pop("affine")
    if kind is nn.RMSNorm:
        names, options = names[:1], {k: v for k, v in options.items() if k != "bias"}
    layer = kind(*sizes, **options)
    state = {k: v for k, v in layer.state_dict().items() if k in ("weight", "bias")}
    assert list(state) == names
    assert all((value == (name == "weight")).all() and value.shape == (4,) for name, value in state.items())
    shape = (3, 4, 2, 4) if kind.__name__.endswith("2d") else (3, 4, 4)
    x = np.random.default_rng(0).normal(size=shape)
    y = layer.astype("float64")(tg.Tensor(x))
    assert y.dtype == np.float64
    np.testing.assert_allclose(y.numpy(), kind(*sizes).astype("float64")(tg.Tensor(x)).numpy(), rtol=1e-12)


REFUSED = {
    "BatchNorm1d: input (2, 3, 4, 5) must have 2 or 3 axes (N, C, ...) with C = num_features = 3": (
        lambda: nn.BatchNorm1d(3)(tg.zeros((2, 3, 4, 5)))
    ),
    "BatchNorm2d: input (2, 3, 4) must have 4 axes (N, C, ...) with C = num_features = 3": (
        lambda: nn.BatchNorm2d(3)(tg.zeros((2, 3, 4)))
    ),
    "GroupNorm: num_groups 3 must divide num_channels 4": lambda: nn.GroupNorm(3, 4),
    "GroupNorm: num_groups 0 must divide num_channels 4": lambda: nn.GroupNorm(0, 4),
    "GroupNorm: num_groups -2 must divide num_channels 4": lambda: nn.GroupNorm(-2, 4),
    "InstanceNorm1d: input (3,) must have 3 axes (N, C, ...), or one less without N, "
    "with C = num_features = 3": (
        lambda: nn.InstanceNorm1d(3)(tg.zeros((3,)))
    ),
    "InstanceNorm2d: running statistics are those of BatchNorm, use that": (
        lambda: nn.InstanceNorm2d(3, track_running_stats=True)
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused_is_told_with_its_shape(message):
    with pytest.raises(ValueError) as error:
        REFUSED[message]()
    assert str(error.value) == message
