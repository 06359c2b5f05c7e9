"""Normalization with its factors put together equals the formula, in every order of memory."""

import functools

import numpy as np
import pytest
from kernel_cases import laid_out

from tinygrad_notes.backend.kernels import fusion, normalization, plain

SHAPES = [(8, 64, 40, 41), (2, 3, 5, 4), (3000, 100), (4, 2), (4, 6, 9000)]


def arguments(shape, order, dtype):
    """x, gy; μ, σ, and two more of (1, C, 1, ...); γ, β of (C,)."""
    random = np.random.default_rng(0)
    x, gy = (random.standard_normal(shape).astype(dtype) for _ in range(2))
    wide = (1, shape[1], *(1,) * (len(shape) - 2))
    mean, std, one, other = (random.uniform(0.5, 2, wide).astype(dtype) for _ in range(4))
    gamma, beta = random.standard_normal((2, shape[1])).astype(dtype)
    if len(shape) == 4:
        x, gy = laid_out(x, order), laid_out(gy, order)
    return x, gy, mean, std, one, other, gamma, beta


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["plain", "channels_last", "batch_last", "reversed", "strided"])
@pytest.mark.parametrize("shape", SHAPES)
def test_tuned_is_plain(shape, order, dtype):
    x, gy, mean, std, one, other, gamma, beta = arguments(shape, order, dtype)
    close = functools.partial(np.testing.assert_allclose, rtol=0, atol=50 * np.finfo(dtype).eps)
    y = normalization.normalize(x, mean, std, gamma, beta)
    close(y, plain.normalize(np, x, mean, std, gamma, beta))
    gx = normalization.normalize_grad(gy, x, mean, std, gamma, one, other)
    close(gx, plain.normalize_grad(np, gy, x, mean, std, gamma, one, other))
    assert y.dtype == gx.dtype == dtype
    if order in ("plain", "channels_last", "batch_last") and x.size >= fusion.LARGE:
        assert y.strides == gx.strides == x.strides


def test_the_gradient_is_that_of_the_batch():
    """By differences of Σ gy · normalize(x) with μ and σ of x itself, a and b being its two means."""
    x, gy, *_, gamma, beta = arguments((5, 3, 2), "plain", np.float64)

    def value(x):
        mean, std = x.mean((0, 2), keepdims=True), np.sqrt(x.var((0, 2), keepdims=True) + 0.1)
        return (gy * plain.normalize(np, x, mean, std, gamma, beta)).sum(), mean, std

    _, mean, std = value(x)
    g, x_hat = gy * gamma.reshape(1, 3, 1), (x - mean) / std
    means = g.mean((0, 2), keepdims=True), (g * x_hat).mean((0, 2), keepdims=True)
    gx = normalization.normalize_grad(gy, x, mean, std, gamma, *means)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = 1e-5
        slope = (value(x + step)[0] - value(x - step)[0]) / 2e-5
        assert abs(slope - gx[place]) < 1e-8
