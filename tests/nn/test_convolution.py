"""Convolutions as PyTorch computes them, and what both refuse."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.layer_parity import assert_equal_layers
from tinygrad_notes import nn
from tinygrad_notes.nn import functional as F

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")  # torch's own
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [2, 3, (4, 3)])
def test_padding_by_name_agrees_with_torch(padding, kernel):
    layer = nn.Conv2d(2, 3, kernel, padding=padding).astype(np.float64)
    x = np.random.default_rng(0).standard_normal((1, 2, 7, 6))
    y = torch.nn.functional.conv2d(
        torch.from_numpy(x), *(torch.from_numpy(layer.state_dict()[k]) for k in ("weight", "bias")),
        padding=padding,
    )  # fmt: skip
    np.testing.assert_allclose(layer(tg.Tensor(x)).detach().numpy(), y.numpy(), atol=1e-12)


@pytest.mark.parametrize("options", [
    {}, dict(stride=2, padding=1, output_padding=1), dict(groups=2), dict(dilation=2, output_padding=1),
    dict(stride=(1, 2), dilation=(4, 3), output_padding=(3, 2), padding=(2, 1)),
])  # fmt: skip
def test_transposed_convolution_agrees_with_torch(options):
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in ((2, 4, 5, 6), (4, 3, 3, 2), (3 * options.get("groups", 1),)))
    ours = F.conv_transpose2d(tg.Tensor(x), tg.Tensor(w), tg.Tensor(b), **options)
    theirs = torch.nn.functional.conv_transpose2d(*map(torch.from_numpy, (x, w, b)), **options)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize("options", [
    {}, dict(stride=2, padding=1, output_padding=1), dict(groups=2, bias=False),
    dict(stride=(2, 3), dilation=(1, 2), output_padding=(0, 1), groups=2),
])  # fmt: skip
def test_the_layer_of_transposed_convolution_is_torchs(options):
    ours, theirs = (library.ConvTranspose2d(4, 6, (3, 2), **options) for library in (nn, torch.nn))
    assert repr(ours) == repr(theirs).replace(", stride=(1, 1)", "")  # ours leaves out what is as usual
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 4))
    assert_equal_layers(ours, theirs, {"x": x}, lambda layer, t: layer(t["x"]))


def test_transposed_convolution_makes_images_of_the_size_that_convolution_reads():
    x = tg.Tensor(np.ones((1, 2, 9, 8), np.float32))
    down = nn.Conv2d(2, 3, 3, stride=2, padding=1)
    up = nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=(0, 1))
    assert up(down(x)).shape == x.shape
    bound = 1 / np.sqrt(2 * 9)  # torch counts the second axis of the weight, as in Conv2d
    assert 0.9 * bound < abs(up.weight).max().item() <= bound
    with pytest.raises(ValueError, match="ConvTranspose2d: groups = 2 must divide in_channels 3"):
        nn.ConvTranspose2d(3, 2, 3, groups=2)
    for layer in (nn.Conv2d, nn.ConvTranspose2d):
        with pytest.raises(ValueError, match="groups = 2 must divide in_channels 4 and out_channels 3"):
            layer(4, 3, 3, groups=2)


@pytest.mark.parametrize("options", [
    {}, dict(stride=2, padding=1), dict(dilation=2), dict(dilation=(1, 3), stride=(2, 1), padding=(0, 2)),
])  # fmt: skip
@pytest.mark.parametrize(("channels", "factor", "kernel"), [(3, 1, (3, 3)), (8, 2, (1, 2)), (32, 1, (3, 3))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_depthwise_convolution_agrees_with_torch(options, channels, factor, kernel, dtype):
    """groups = channels: every map has kernels of its own; value and all three gradients."""
    rng = np.random.default_rng(0)
    shapes = ((2, channels, 9, 8), (channels * factor, 1, *kernel), (channels * factor,))
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    found = []
    for make, conv in ((tg.tensor, F.conv2d), (torch.tensor, torch.nn.functional.conv2d)):
        x, w, b = (make(a, requires_grad=True) for a in arrays)
        y = conv(x, w, b, groups=channels, **options)
        (y * y).sum().backward()
        found.append([y.detach().numpy(), x.grad.numpy(), w.grad.numpy(), b.grad.numpy()])
    for ours, theirs in zip(*found, strict=True):
        error = np.abs(ours - theirs).max() / np.abs(theirs).max()
        assert ours.dtype == dtype and error < (1e-5 if dtype == np.float32 else 1e-13)


X, W, V = (1, 2, 5, 5), (4, 2, 3, 3), (2, 3, 3, 3)
POOLS = {name: getattr(F, name) for name in ("max_pool2d", "avg_pool2d")}
REFUSED = [
    (F.conv2d, (X, (4, 2, 6, 6)), {}, r"kernel \(6, 6\) .* more than the padded input"),
    (F.conv2d, (X, W), dict(padding=-1), "padding must be at least 0"),
    (F.conv2d, (X, W), dict(stride=0), "stride must be at least 1"),
    (F.conv2d, (X, W), dict(stride=1.5), "stride must be an integer or a pair of them, got 1.5"),
    (F.conv2d, (X, W), dict(dilation=(1, 0)), r"dilation must be at least 1, got \(1, 0\)"),
    (F.conv2d, (X, W), dict(groups=0), "groups must be a positive integer, got 0"),
    (F.conv2d, (X, (4, 1, 3, 3)), dict(groups=2.0), "groups must be a positive integer, got 2.0"),
    (F.conv2d, (X, W), dict(groups=2), "with groups=2 reads 4"),
    (F.conv2d, (X, W), dict(padding="full"), "padding must be 'same', 'valid', an integer or a pair"),
    (F.conv2d, (X, W), dict(padding="same", stride=2), "padding='same' needs stride 1"),
    (F.conv2d, (X, (0, 2, 3, 3)), {}, "weight must have four axes, none of them empty"),
    (F.conv2d, (X, (2, 2, 3)), {}, "weight must have four axes"),
    (F.conv2d, (X, W, (1,)), {}, r"b must have shape \(4,\); got \(1,\)"),
    (F.conv_transpose2d, (X, V), dict(output_padding=1), "output_padding .* must be below stride"),
    (F.conv_transpose2d, (X, V), dict(output_padding=(0, 1), stride=(2, 1)), "must be below stride"),
    (F.conv_transpose2d, (X, V), dict(output_padding=-1, stride=2), "output_padding must be at least 0"),
    (F.conv_transpose2d, (X, V), dict(padding=4), r"leaves nothing, the output would be \(-1, -1\)"),
    (F.conv_transpose2d, (X, V), dict(padding=-1), "padding must be at least 0"),
    (F.conv_transpose2d, (X, V), dict(padding="same"), "padding must be an integer or a pair"),
    (F.conv_transpose2d, (X, V), dict(stride=0), "stride must be at least 1"),
    (F.conv_transpose2d, (X, V), dict(dilation=0), "dilation must be at least 1"),
    (F.conv_transpose2d, (X, V), dict(groups=3), "weight must be .* groups = 3 dividing I"),
    (F.conv_transpose2d, (X, V, (1,)), {}, r"bias must be \(O,\) = \(3,\), got \(1,\)"),
    *((pool, (X,), options, f"{name}: {message}") for name, pool in POOLS.items() for options, message in (
        (dict(kernel_size=6), r"kernel \(6, 6\) .* is larger than the padded input"),
        (dict(kernel_size=0), "kernel_size must be at least 1"),
        (dict(kernel_size=3.0), "kernel_size must be an integer or a pair"),
        (dict(kernel_size=3, stride=0), "stride must be at least 1"),
        (dict(kernel_size=3, padding=-1), "padding must be at least 0"),
        (dict(kernel_size=3, padding=2), "padding .* more than half of kernel"),
    )),
    (F.max_pool2d, (X,), dict(kernel_size=2, dilation=0), "dilation must be at least 1"),
    (F.adaptive_avg_pool2d, (X,), dict(output_size=-1), "output_size must be positive"),
    (F.adaptive_avg_pool2d, (X,), dict(output_size=1.0), "output_size must be positive"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "shapes", "options", "message"), REFUSED)
def test_geometry_that_torch_refuses_is_refused_with_the_reason(function, shapes, options, message):
    arrays = [np.ones(shape, np.float32) for shape in shapes]
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        getattr(torch.nn.functional, function.__name__)(*map(torch.tensor, arrays), **options)
    with pytest.raises(ValueError, match=message):
        function(*map(tg.tensor, arrays), **options)


def test_lengths_may_be_integers_of_numpy():
    one, two = np.int64(1), np.int32(2)
    x = tg.tensor(np.ones((1, 2, 6, 6), np.float32))
    layer = nn.Conv2d(np.int64(2), two, (two, one), stride=two, padding=one, dilation=one, groups=two)
    assert layer(x).shape == (1, 2, 4, 4) and type(layer.stride[0]) is int
    assert F.max_pool2d(x, two).shape == F.adaptive_avg_pool2d(x, np.int64(3)).shape == (1, 2, 3, 3)
