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
