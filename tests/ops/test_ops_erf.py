"""The error function against Python's, densely."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_notes.backend.kernels import plain
from tinygrad_notes.backend.kernels.elementwise import BLOCK, erf, erf_block

POINTS = np.concatenate([np.linspace(-7, 7, 20_001), np.geomspace(1e-300, 1, 2001)])


def test_float64_is_exact_to_three_units_in_the_last_place():
    exact = np.array([math.erf(v) for v in POINTS])
    error = np.abs(erf(POINTS) - exact) / np.spacing(np.abs(exact) + 1e-300)
    assert error.max() <= 3


def test_float32_is_exact_to_three_units_in_the_last_place():
    x = POINTS[np.abs(POINTS) > 1e-30].astype(np.float32)
    exact = np.array([math.erf(v) for v in x.astype(float)])
    y = erf(x)
    assert y.dtype == np.float32
    assert (np.abs(y - exact) / np.spacing(np.abs(exact).astype(np.float32) + 1e-37)).max() <= 3


def test_the_series_and_the_fitted_quotients_are_one_function():
    np.testing.assert_allclose(plain.erf(np, POINTS), [math.erf(v) for v in POINTS], rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(erf(POINTS), plain.erf(np, POINTS), rtol=1e-14, atol=1e-300)
    x = POINTS.astype(np.float32)
    np.testing.assert_allclose(erf(x), plain.erf(np, x.astype(np.float64)), rtol=4e-7, atol=1e-37)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_special_values(dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 300.0], dtype)
    np.testing.assert_array_equal(erf(x), np.array([0, -0.0, 1, -1, np.nan, 1], dtype))
    assert np.signbit(erf(x)[1])


def test_shapes_blocks_and_order():
    x = np.linspace(-3, 3, 2 * BLOCK + 2).reshape(2, -1)
    np.testing.assert_array_equal(erf(x), erf_block(np, x))
    np.testing.assert_array_equal(erf(x.T), erf_block(np, x).T)
    assert erf(np.zeros((0, 2))).shape == (0, 2)
    assert erf(np.array(0.5)).shape == ()
    np.testing.assert_allclose(erf(np.array([0, 1])), [0, math.erf(1)])
