"""The error function against Python's, densely."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_notes.backend.kernels.elementwise import BLOCK, erf, plain_erf

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


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_special_values(dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 300.0], dtype)
    np.testing.assert_array_equal(erf(x), np.array([0, -0.0, 1, -1, np.nan, 1], dtype))
    assert np.signbit(erf(x)[1])


def test_shapes_blocks_and_order():
    x = np.linspace(-3, 3, 2 * BLOCK + 2).reshape(2, -1)
    np.testing.assert_array_equal(erf(x), plain_erf(np, x))
    np.testing.assert_array_equal(erf(x.T), plain_erf(np, x).T)
    assert erf(np.zeros((0, 2))).shape == (0, 2)
    assert erf(np.array(0.5)).shape == ()
    np.testing.assert_allclose(erf(np.array([0, 1])), [0, math.erf(1)])
