"""Layers that bind the options of a function: each, alone and beside the others, reaches the function."""

import inspect

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.nn import functional as F

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((2, 4, 7, 6))
ROWS = RNG.standard_normal((5, 4))
CLASSES = np.array([0, 3, 1, 3, 2])
SHARES = RNG.uniform(size=(5, 4))
WEIGHTS = np.array([0.5, 2.0, 1.0, 3.0])

# layer, function, inputs, what the layer must have, and another value for each option of both
LAYERS = {
    "MaxPool2d": (F.max_pool2d, [IMAGES], dict(kernel_size=3),
                  dict(stride=2, padding=1, dilation=2, ceil_mode=True)),
    "AvgPool2d": (F.avg_pool2d, [IMAGES], dict(kernel_size=(2, 3), padding=(0, 1)),
                  dict(stride=2, padding=(1, 0), ceil_mode=True, count_include_pad=False)),
    "AdaptiveAvgPool2d": (F.adaptive_avg_pool2d, [IMAGES], dict(output_size=3), dict(output_size=(2, 4))),
    "LeakyReLU": (F.leaky_relu, [ROWS], {}, dict(negative_slope=0.3)),
    "Softplus": (F.softplus, [ROWS], {}, dict(beta=2.0)),
    "ELU": (F.elu, [ROWS], {}, dict(alpha=0.5)),
    "GELU": (F.gelu, [ROWS], {}, dict(approximate="tanh")),
    "Sigmoid": (F.sigmoid, [ROWS], {}, {}),
    "Tanh": (F.tanh, [ROWS], {}, {}),
    "ReLU": (F.relu, [ROWS], {}, {}),
    "SiLU": (F.silu, [ROWS], {}, {}),
    "Flatten": (F.flatten, [IMAGES], dict(start_axis=1), dict(start_axis=2, end_axis=2)),
    "Softmax": (F.softmax, [ROWS], {}, dict(axis=0)),
    "LogSoftmax": (F.log_softmax, [ROWS], {}, dict(axis=0)),
    "LocalResponseNorm": (F.local_response_norm, [IMAGES], dict(size=3, alpha=0.1),
                          dict(size=2, alpha=1.0, beta=0.5, k=2.0, convention="paper")),
    "MSELoss": (F.mse_loss, [ROWS, SHARES], {}, dict(reduction="sum", convention="notes")),
    "L1Loss": (F.l1_loss, [ROWS, SHARES], {}, dict(reduction="none")),
    "HuberLoss": (F.huber_loss, [ROWS, SHARES], {}, dict(reduction="sum", delta=0.3)),
    "CrossEntropyLoss": (F.cross_entropy, [ROWS, CLASSES], dict(label_smoothing=0.1, ignore_index=0),
                         dict(weight=WEIGHTS, ignore_index=3, reduction="sum", label_smoothing=0.2,
                              convention="transformer")),
    "NLLLoss": (F.nll_loss, [ROWS, CLASSES], {}, dict(weight=WEIGHTS, ignore_index=3, reduction="none")),
    "BCEWithLogitsLoss": (F.binary_cross_entropy_with_logits, [ROWS, SHARES], {},
                          dict(weight=WEIGHTS, reduction="sum", pos_weight=WEIGHTS[::-1])),
    "LayerNorm": (F.layer_norm, [ROWS], dict(normalized_shape=4), dict(eps=0.5)),
    "GroupNorm": (F.group_norm, [IMAGES], dict(num_groups=2), dict(num_groups=4, eps=0.5)),
    "RMSNorm": (F.rms_norm, [ROWS], dict(normalized_shape=4), dict(eps=0.5)),
}  # fmt: skip
OF_THE_LAYER = {"GroupNorm": dict(num_channels=4)}  # what the function does not ask for


def cases():
    for name, (_, _, given, other) in LAYERS.items():
        yield name, given
        for option, value in other.items():
            yield name, given | {option: value}
        yield name, given | other


@pytest.mark.parametrize("name, options", [*cases()])
def test_an_option_reaches_the_function(name, options):
    function, inputs, *_ = LAYERS[name]
    layer = getattr(nn, name)(**options, **OF_THE_LAYER.get(name, {})).astype("float64")
    tensors = [tg.Tensor(x) for x in inputs]
    np.testing.assert_array_equal(layer(*tensors).numpy(), function(*tensors, **options).numpy())


@pytest.mark.parametrize("name", LAYERS)
def test_every_option_changes_the_result(name):
    """Else the test above would not see one that is lost."""
    function, inputs, given, other = LAYERS[name]
    tensors = [tg.Tensor(x) for x in inputs]
    plain = function(*tensors, **given).numpy()
    for option, value in other.items():
        changed = function(*tensors, **given | {option: value}).numpy()
        assert changed.shape != plain.shape or not np.allclose(changed, plain), option


@pytest.mark.parametrize("name", LAYERS)
def test_no_option_is_left_out(name):
    _, _, given, other = LAYERS[name]
    known = {"elementwise_affine", "affine", "bias"} | given.keys() | other.keys()
    known |= OF_THE_LAYER.get(name, {}).keys()
    assert set(inspect.signature(getattr(nn, name)).parameters) <= known


def test_the_layers_without_options_are_four_curves():
    x = tg.Tensor(ROWS)
    for layer, expected in (
        (nn.Sigmoid(), 1 / (1 + np.exp(-ROWS))), (nn.Tanh(), np.tanh(ROWS)), (nn.ReLU(), np.maximum(ROWS, 0)),
        (nn.SiLU(), ROWS / (1 + np.exp(-ROWS))),
    ):  # fmt: skip
        np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.25, 0.8, 1.0])
def test_the_layer_of_dropout_drops_its_share_in_training_only(p):
    layer, x = nn.Dropout(p), np.arange(1.0, 10_001.0)
    y = layer(tg.Tensor(x)).numpy()
    kept = y != 0
    assert abs(kept.mean() - (1 - p)) < 0.03  # 10,000 draws: six sigma
    np.testing.assert_allclose(y[kept], x[kept] / (1 - p if p < 1 else 1), rtol=1e-12)
    np.testing.assert_array_equal(layer.eval()(tg.Tensor(x)).numpy(), x)


WRONG = {
    "Linear: in_features must be a positive integer, got 2.0": lambda: nn.Linear(2.0, 3),
    "Linear: out_features must be a positive integer, got 0": lambda: nn.Linear(2, 0),
    "Dropout: p is a probability, got -0.5": lambda: nn.Dropout(-0.5),
    "Conv2d: in_channels must be a positive integer, got 0": lambda: nn.Conv2d(0, 3, 1),
    "Conv2d: out_channels must be a positive integer, got -1": lambda: nn.Conv2d(2, -1, 1),
    "ConvTranspose2d: out_channels must be a positive integer, got 1.5": (
        lambda: nn.ConvTranspose2d(2, 1.5, 1)
    ),
    "ConvTranspose2d: groups must be a positive integer, got 0": (
        lambda: nn.ConvTranspose2d(2, 2, 1, groups=0)
    ),
    "ConvTranspose2d: padding must be at least 0, got -1": lambda: nn.ConvTranspose2d(2, 2, 1, padding=-1),
    "ConvTranspose2d: output_padding must be at least 0, got -1": (
        lambda: nn.ConvTranspose2d(2, 2, 1, output_padding=-1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_an_argument_that_is_refused_is_told_with_its_value(message):
    with pytest.raises(ValueError) as error:
        WRONG[message]()
    assert str(error.value) == message


def test_sizes_are_integers_whatever_they_came_as():
    linear, conv = (
        nn.Linear(np.int64(2), np.uint8(3)),
        nn.Conv2d(np.int32(2), np.int64(4), 1, groups=np.int8(2)),
    )
    sizes = linear.in_features, linear.out_features, conv.in_channels, conv.out_channels, conv.groups
    assert sizes == (2, 3, 2, 4, 2) and {type(size) for size in sizes} == {int}


@pytest.mark.parametrize("name", ["Conv2d", "ConvTranspose2d"])
@pytest.mark.parametrize("options", [
    dict(stride=2), dict(stride=(1, 3)), dict(padding=(2, 1)), dict(dilation=(1, 2)), dict(groups=2),
    dict(bias=False), dict(stride=(2, 1), padding=1, dilation=2, groups=2),
])  # fmt: skip
def test_an_option_of_a_convolution_reaches_it(name, options):
    """Each alone changes the result; a bias is handed on by name."""
    layer = getattr(nn, name)(4, 6, (3, 2), **options).astype("float64")
    function = getattr(F, "conv2d" if name == "Conv2d" else "conv_transpose2d")
    x, handed = tg.Tensor(IMAGES), {k: v for k, v in options.items() if k != "bias"}
    assert (layer.bias is None) == (options.get("bias") is False)
    expected = function(x, layer.weight, bias=layer.bias, **handed).numpy()
    np.testing.assert_array_equal(layer(x).numpy(), expected)
    for option in handed:
        if option != "groups":  # the weight has another shape
            fewer = {k: v for k, v in handed.items() if k != option}
            changed = function(x, layer.weight, bias=layer.bias, **fewer).numpy()
            assert changed.shape != expected.shape
