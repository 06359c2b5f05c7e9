"""What each layer says of itself when it is printed: its sizes, and each setting with its value."""

import numpy as np
import pytest

from tinygrad_notes import nn

PRINTED = {
    "Linear(3, 2, bias=True)": lambda: nn.Linear(3, 2),
    "Linear(3, 2, bias=False)": lambda: nn.Linear(3, 2, bias=False),
    "MaxPool2d(kernel_size=3, stride=2, padding=1)": lambda: nn.MaxPool2d(3, 2, 1),
    "AvgPool2d(kernel_size=(3, 4), stride=None, padding=1)": lambda: nn.AvgPool2d((3, 4), padding=1),
    "AdaptiveAvgPool2d(output_size=(2, 3))": lambda: nn.AdaptiveAvgPool2d((2, 3)),
    "Dropout(p=0.25)": lambda: nn.Dropout(0.25),
    "LeakyReLU(negative_slope=0.3)": lambda: nn.LeakyReLU(0.3),
    "ELU(alpha=0.7)": lambda: nn.ELU(0.7),
    "Softmax(axis=1)": lambda: nn.Softmax(1),
    "LogSoftmax(axis=0)": lambda: nn.LogSoftmax(0),
    "Conv2d(3, 4, kernel_size=(2, 2), bias=False)": lambda: nn.Conv2d(3, 4, 2, bias=False),
    "Conv2d(2, 4, kernel_size=(3, 3), padding=same, dilation=(2, 1), groups=2)": (
        lambda: nn.Conv2d(2, 4, 3, padding="same", dilation=(2, 1), groups=2)
    ),
    "BatchNorm1d(3, eps=0.01, momentum=0.2)": lambda: nn.BatchNorm1d(3, 0.01, 0.2),
    "BatchNorm2d(4, eps=1e-05, momentum=None)": lambda: nn.BatchNorm2d(4, momentum=None),
    "LayerNorm((2, 3), eps=0.1)": lambda: nn.LayerNorm((2, 3), 0.1),
    "GroupNorm(2, 6, eps=0.1)": lambda: nn.GroupNorm(2, 6, 0.1),
    "InstanceNorm2d(5, eps=0.1)": lambda: nn.InstanceNorm2d(5, 0.1),
    "RMSNorm((3,), eps=None)": lambda: nn.RMSNorm(3),
    "LocalResponseNorm(3, alpha=0.1, beta=0.5, k=2.0, 'paper')": (
        lambda: nn.LocalResponseNorm(3, 0.1, 0.5, 2.0, "paper")
    ),
    "RNNCell(3, 4, nonlinearity=relu)": lambda: nn.RNNCell(3, 4, nonlinearity="relu"),
    "GRUCell(3, 4, bias=False, reset_after=False)": lambda: nn.GRUCell(3, 4, False, reset_after=False),
    "LSTMCell(3, 4, variant=peephole)": lambda: nn.LSTMCell(3, 4, variant="peephole"),
    "RNN(3, 4, batch_first=True, nonlinearity=relu)": (
        lambda: nn.RNN(3, 4, nonlinearity="relu", batch_first=True)
    ),
    "GRU(3, 4, num_layers=2, bias=False, dropout=0.25)": (
        lambda: nn.GRU(3, 4, 2, bias=False, dropout=0.25)
    ),
    "LSTM(3, 4, proj_size=2, bidirectional=True)": lambda: nn.LSTM(3, 4, proj_size=2, bidirectional=True),
    "DotAttention()": nn.DotAttention,
}  # fmt: skip


@pytest.mark.parametrize("text", PRINTED)
def test_a_layer_prints_its_settings(text):
    assert repr(PRINTED[text]()) == text


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [nn.PositionalEncoding, nn.LearnedPositions, nn.MultiheadAttention])
def test_a_layer_with_parts_prints_its_settings_before_them(kind, batch_first):
    if kind is nn.MultiheadAttention:
        layer, settings, part = kind(4, 2, batch_first=batch_first), "num_heads=2", "(out_proj): Linear("
    else:
        layer, settings, part = kind(4, 0.25, 7, batch_first), "max_len=7", "(dropout): Dropout(p=0.25)"
    first, second, *_ = repr(layer).splitlines()
    assert first == f"{kind.__name__}(4, {settings}, batch_first={batch_first}"
    assert second.startswith(f"  {part}")


def test_a_part_that_is_the_whole_is_named_so():
    net = nn.Sequential(nn.ReLU())
    net.whole = net
    assert repr(net) == "Sequential(\n  (0): ReLU()\n  (whole): Sequential, the same as the whole\n)"


def test_a_list_of_parameters_prints_shapes_and_dtypes():
    parts = nn.ParameterList([np.ones((2, 3), np.float32), np.ones((), np.float64)])
    assert repr(parts) == "ParameterList((2, 3) float32, () float64)"
