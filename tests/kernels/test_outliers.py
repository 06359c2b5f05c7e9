"""What stands out of an array is found; infinities stay with the outputs that see them, by any algorithm."""

import numpy as np
import pytest

from tinygrad_notes.backend.kernels import convolution, outliers, plain
from tinygrad_notes.backend.kernels.convolution import ALGORITHMS
from tinygrad_notes.backend.kernels.geometry import conv_geometry
from tinygrad_notes.backend.kernels.outliers import Level

ONE = (1, 1)
LIMITS = np.float32([1e38, 1e-38, -3e38, 0])


@pytest.mark.parametrize("shape", [(3,), (10, 11), (20, 30), (50, 60), (9, 200, 300)])
def test_one_number_of_any_array(shape):
    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(np.float32)
    assert Level(x).holds(x)
    for place in (0, -1, x.size // 2, *random.integers(0, x.size, 20)):
        for value in (1e6, -1e6, np.inf, -np.inf, np.nan):
            changed = x.copy()
            changed.reshape(-1)[place] = value
            assert x.size < 100 or not Level(changed).holds(changed)
        assert x.size > 100 or np.isfinite(value) or not Level(changed).holds(changed)


def test_zeros_sparse_numbers_and_the_largest_ones():
    zeros = np.zeros((300, 300), np.float32)
    assert Level(zeros).holds(zeros)
    sparse = np.where(np.random.default_rng(0).random((700, 700)) < 0.01, 3, 0).astype(np.float32)
    assert Level(sparse).holds(sparse)
    assert not Level(np.tile(LIMITS, 10**5)).holds(LIMITS)  # their sum overflows: no warning, no trust


def test_memory_in_any_order():
    x = np.random.default_rng(0).standard_normal((60, 70, 80)).astype(np.float32).transpose(1, 2, 0)[:, ::2]
    assert Level(x).most == pytest.approx(outliers.LEVEL * np.abs(x).mean(), rel=0.05)


SHAPES = [  # n, c, size, o, k, padding
    (2, 32, 20, 32, 3, 1), (2, 32, 20, 32, 3, 0), (2, 16, 12, 16, 5, 2), (9, 40, 40, 8, 3, 1),
    (33, 1, 12, 6, 5, 0), (33, 6, 14, 16, 5, 0), (33, 3, 9, 5, 3, 1), (33, 9, 8, 5, 3, 1), (2, 3, 9, 4, 1, 0),
    (2, 4, 9, 4, 3, 1),
]  # fmt: skip


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e30])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # BLAS computes with more than the matrix
def test_what_is_not_finite_stays_with_what_sees_it(shape, value):
    n, c, size, o, k, p = shape
    random, rest = np.random.default_rng(0), (ONE, (p, p), ONE, 1)
    x, w = (random.random(s).astype(np.float32) + 0.1 for s in ((n, c, size, size), (o, c, k, k)))
    y = plain.conv2d(np, x, w, None, *rest)
    g = random.random(y.shape).astype(np.float32) + 0.1
    gx = plain.conv2d_input_grad(np, g, w, x.shape, *rest)
    able = [
        name
        for name, a in ALGORITHMS.items()
        if a.can(conv_geometry("conv2d", x.shape, w.shape, *rest), x.dtype)
    ]
    for i, j in ((0, 0), (size // 2, 1), (y.shape[2] - 1, y.shape[3] - 1)):
        changed, gradient = x.copy(), g.copy()
        changed[1, 0, i, j] = gradient[1, 0, i, j] = value
        sees = np.s_[1, :, max(0, i + p - k + 1) : i + p + 1, max(0, j + p - k + 1) : j + p + 1]
        seen = np.s_[1, :, max(0, i - p) : max(0, i - p + k), max(0, j - p) : max(0, j - p + k)]
        for name in able:
            for now, before, around in (
                (convolution.conv2d(changed, w, None, *rest, name), y, sees),
                (convolution.conv2d_input_grad(gradient, w, x.shape, *rest, name), gx, seen),
            ):
                inside = now[around].copy()
                assert (np.isnan(inside) if np.isnan(value) else inside * np.sign(value) >= 1e28).all()
                now[around] = before[around]
                np.testing.assert_allclose(now, before, rtol=1e-4, err_msg=f"{name} {(i, j)}")


@pytest.mark.parametrize("shape", SHAPES[:4])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_weights_that_are_not_finite(shape):
    """∞ in one kernel: its channel is infinite, the others are as before."""
    n, c, size, o, k, _ = shape
    random, rest = np.random.default_rng(0), (ONE, (0, 0), ONE, 1)
    x, w = (random.random(s).astype(np.float32) + 0.1 for s in ((n, c, size, size), (o, c, k, k)))
    before = convolution.conv2d(x, w, None, *rest, "winograd")
    w[1, 0, 0, k - 1] = np.inf
    after = convolution.conv2d(x, w, None, *rest, "winograd")
    assert (after[:, 1] == np.inf).all()
    np.testing.assert_allclose(np.delete(after, 1, 1), np.delete(before, 1, 1), rtol=1e-4)
