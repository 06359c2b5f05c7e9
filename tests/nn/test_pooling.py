"""Adaptive pooling: torch's windows for any output size, and its gradients."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.nn.functional import adaptive_avg_pool2d

SIZES = [(1, 1), (2, 3), (5, 4), (7, 6), (3, 6), (9, 8), (4, None), 2]


def naive(x, size):
    """The definition: window i goes from ⌊iH/OH⌋ to ⌈(i+1)H/OH⌉."""
    height, width = x.shape[2:]
    rows, columns = (size, size) if isinstance(size, int) else size
    rows, columns = rows or height, columns or width
    y = np.empty((*x.shape[:2], rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, bottom = i * height // rows, -(-(i + 1) * height // rows)
            left, right = j * width // columns, -(-(j + 1) * width // columns)
            y[:, :, i, j] = x[:, :, top:bottom, left:right].mean((2, 3))
    return y


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_windows_are_those_of_the_definition_and_of_torch(size):
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 6))
    y = nn.AdaptiveAvgPool2d(size)(tg.Tensor(x)).numpy()
    np.testing.assert_allclose(y, naive(x, size), rtol=1e-12, atol=1e-14)
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    np.testing.assert_allclose(y, torch.nn.AdaptiveAvgPool2d(size)(torch.from_numpy(x)).numpy(), atol=1e-14)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)], ids=str)
def test_gradients(size):
    x = tg.Tensor(np.random.default_rng(0).normal(size=(1, 2, 5, 6)), requires_grad=True)
    assert tg.gradcheck(lambda a: adaptive_avg_pool2d(a, size), (x,))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(1, 1), (5, 4), (7, 3)], ids=str)
def test_dtype_is_kept(size, dtype):
    assert adaptive_avg_pool2d(tg.Tensor(np.ones((1, 1, 7, 6)), dtype=dtype), size).dtype == dtype


def test_a_size_that_is_there_already_costs_nothing():
    x = tg.Tensor(np.ones((1, 1, 7, 6)))
    assert adaptive_avg_pool2d(x, (7, 6)) is x


@pytest.mark.parametrize("shape, size, message", [
    ((7, 7), 1, r"images must be \(N, C, H, W\)"),
    ((1, 1, 0, 7), 1, r"images must be \(N, C, H, W\)"),
    ((1, 1, 7, 7), 0, "positive integers or None"),
    ((1, 1, 7, 7), (1, 2, 3), "positive integers or None"),
])  # fmt: skip
def test_errors(shape, size, message):
    with pytest.raises(ValueError, match=message):
        adaptive_avg_pool2d(tg.Tensor(np.ones(shape)), size)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_integers_are_refused_where_their_means_would_be_cut_off(size):
    with pytest.raises(TypeError, match=r"adaptive_avg_pool2d: .*int64; use \.astype\('float32'\)"):
        adaptive_avg_pool2d(tg.Tensor(np.arange(36).reshape(1, 1, 6, 6)), size)


@pytest.mark.parametrize(("ceil_mode", "size"), [(False, 2), (True, 3)])
def test_the_last_window_of_a_layer_may_be_cut(ceil_mode, size):
    x = np.arange(36, dtype=np.float32).reshape(1, 1, 6, 6)
    y = nn.MaxPool2d(3, 2, ceil_mode=ceil_mode)(x).numpy()
    assert y.shape == (1, 1, size, size) and y[0, 0, 1, 1] == 28
    assert y.max() == (35 if ceil_mode else 28)


@pytest.mark.parametrize("ceil_mode, count_include_pad, expected", [
    (False, True, [2, 6, 10]), (True, True, [2, 6, 10, 6]), (False, False, [3, 6, 10]),
    (True, False, [3, 6, 10, 12]),
])  # fmt: skip
def test_a_layer_of_means_heeds_every_option(ceil_mode, count_include_pad, expected):
    x = tg.Tensor(np.array([2.0, 4, 6, 8, 10, 12]).reshape(1, 1, 1, 6))
    layer = nn.AvgPool2d((1, 3), (1, 2), (0, 1), ceil_mode, count_include_pad)
    np.testing.assert_allclose(layer(x).numpy().ravel(), expected)
