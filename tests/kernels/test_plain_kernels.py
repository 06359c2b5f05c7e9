"""The plain kernels against definitions written as loops over single numbers, and on symbols."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import convolutions, poolings, views

from tinygrad_notes.backend.kernels import plain


def naive_conv2d(x, w, b, stride, padding, dilation, groups):
    (n, c, h, wd), (o, _, kh, kw) = x.shape, w.shape
    oh = (h + 2 * padding[0] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (wd + 2 * padding[1] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((n, o, oh, ow))
    for image, out, p, q in np.ndindex(y.shape):
        first = out // (o // groups) * (c // groups)
        total = 0.0 if b is None else float(b[out])
        for ch, i, j in np.ndindex(w.shape[1:]):
            row = p * stride[0] + i * dilation[0] - padding[0]
            col = q * stride[1] + j * dilation[1] - padding[1]
            if 0 <= row < h and 0 <= col < wd:
                total += float(w[out, ch, i, j]) * float(x[image, first + ch, row, col])
        y[image, out, p, q] = total
    return y


@settings(max_examples=25)
@given(convolutions(dtypes=(np.float64,), images=(1, 2), channels=(1, 2)))
def test_conv2d_is_its_definition(case):
    y = plain.conv2d(np, *case)
    np.testing.assert_allclose(y, naive_conv2d(*case), rtol=1e-10, atol=1e-12)


@settings(max_examples=40)
@given(convolutions(dtypes=(np.float64,)), st.data())
def test_the_two_gradients_are_adjoints(case, data):
    """⟨conv(x, w), g⟩ = ⟨x, input_grad(g, w)⟩ = ⟨w, weight_grad(g, x)⟩."""
    x, w = case.x, case.w
    y = plain.conv2d(np, x, w, None, *case.rest)
    g = data.draw(views(np.random.default_rng(0).standard_normal(y.shape)))
    expected = np.vdot(y, g)
    gx = plain.conv2d_input_grad(np, g, w, x.shape, *case.rest)
    gw = plain.conv2d_weight_grad(np, g, x, w.shape, *case.rest)
    assert gx.shape == x.shape and gw.shape == w.shape
    size = np.abs(g).sum() + 1
    assert abs(np.vdot(x, gx) - expected) < 1e-10 * size
    assert abs(np.vdot(w, gw) - expected) < 1e-10 * size


def test_col2im_adds_where_windows_overlap():
    cols = np.ones((1, 1, 2, 2, 2, 2))
    gx = plain.col2im(np, cols, (1, 1, 3, 3), (1, 1), (0, 0), (1, 1))
    assert gx[0, 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


@settings(max_examples=40)
@given(convolutions(dtypes=(np.float64,)), st.data())
def test_col2im_is_the_adjoint_of_im2col(case, data):
    window = case.w.shape[2:], case.stride, case.padding, case.dilation
    cols = plain.im2col(np, case.x, *window)
    g = data.draw(views(np.random.default_rng(0).standard_normal(cols.shape)))
    gx = plain.col2im(np, g, case.x.shape, *window[1:])
    assert abs(np.vdot(cols, g) - np.vdot(case.x, gx)) < 1e-10 * (np.abs(g).sum() + 1)


@settings(max_examples=40)
@given(poolings())
def test_max_pool2d_is_its_definition(pool):
    y, index = plain.max_pool2d(np, *pool)
    (kh, kw), stride, padding, dilation = pool.window
    for n, c, p, q in np.ndindex(y.shape):
        best, place = -np.inf, None
        for i, j in np.ndindex(kh, kw):
            row = p * stride[0] + i * dilation[0] - padding[0]
            col = q * stride[1] + j * dilation[1] - padding[1]
            if 0 <= row < pool.x.shape[2] and 0 <= col < pool.x.shape[3]:
                value = pool.x[n, c, row, col]
                if place is None or value > best:
                    best, place = value, i * kw + j
        assert y[n, c, p, q] == best
        assert place is None or index[n, c, p, q] == place


def test_max_pool2d_nan_wins():
    x = np.array([[[[1.0, np.nan], [3.0, 4.0]]]])
    y, index = plain.max_pool2d(np, x, (2, 2), (2, 2), (0, 0), (1, 1), False)
    assert np.isnan(y).all() and index.item() == 1


@pytest.mark.parametrize(("kernel", "dtype"), [((16, 16), "uint8"), ((1, 257), "uint16")])
def test_the_index_takes_the_smallest_type(kernel, dtype):
    x = np.arange(float(kernel[0] * kernel[1])).reshape(1, 1, *kernel)
    _, index = plain.max_pool2d(np, x, kernel, (1, 1), (0, 0), (1, 1), False)
    assert index.dtype == dtype and index.item() == kernel[0] * kernel[1] - 1


def test_symbols_pass_through():
    """Arrays of exact numbers, as the symbolic reading uses: no float may come in."""
    numbers = np.random.default_rng(0)
    exact = np.vectorize(lambda v: Fraction(int(v), 7), otypes=[object])
    x = exact(numbers.integers(-9, 9, (2, 4, 5, 5)))
    w = exact(numbers.integers(-9, 9, (2, 2, 3, 3)))
    steps = (2, 1), (1, 0), (1, 2), 2
    y = plain.conv2d(np, x, w, None, *steps)
    gx = plain.conv2d_input_grad(np, y, w, x.shape, *steps)
    gw = plain.conv2d_weight_grad(np, y, x, w.shape, *steps)
    assert (y * y).sum() == (gx * x).sum() == (gw * w).sum()
    a = plain.avg_pool2d(np, x, (3, 3), (2, 2), (1, 1), True, False)
    ga = plain.avg_pool2d_adjoint(np, a, x.shape, (3, 3), (2, 2), (1, 1), True, False)
    assert (a * a).sum() == (ga * x).sum() and isinstance(a[0, 0, 0, 0], Fraction)
