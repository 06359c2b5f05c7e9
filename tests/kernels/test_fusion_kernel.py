"""Chains of element-wise operations block by block equal the same chain on whole arrays, bit for bit."""

import numpy as np
import pytest
from kernel_cases import laid_out

from tinygrad_notes.backend.kernels import fusion, plain, ufuncs

SHAPES = [
    ((8, 64, 40, 40), (1, 64, 1, 1)),
    ((8, 64, 40, 41), (8, 1, 40, 1)),
    ((2, 1, 300, 300), ()),
    ((3, 70001), (3, 1)),
    ((400, 1000), (1000,)),
    ((300001,), (1,)),
    ((4, 5), (5,)),
]


@pytest.mark.parametrize("order", ["plain", "channels_last", "batch_last", "reversed", "strided"])
@pytest.mark.parametrize(("shape", "small"), SHAPES)
def test_elementwise_is_plain(shape, small, order):
    if len(shape) != 4 and order != "plain":
        order = "plain"
    random = np.random.default_rng(0)
    x, g = (random.standard_normal(shape).astype(np.float32) for _ in range(2))
    x = laid_out(x, order)
    scale = random.standard_normal(small).astype(np.float32)

    def chain(x, g, scale, number):
        return (x - scale) * g * (x > 0) + number * scale

    kept = x.copy()
    y = fusion.elementwise(chain, x, g, scale, 2.0)
    expected = plain.elementwise(np, chain, x, g, scale, 2.0)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(x, kept)
    if order in ("plain", "channels_last", "batch_last") and x.size >= fusion.LARGE:
        assert y.strides == x.strides


@pytest.mark.parametrize("order", ["plain", "channels_last", "batch_last", "reversed", "strided"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((8, 64, 40, 41), (0, 2, 3)), ((8, 3, 300, 300), (0, 2, 3)), ((2000, 400), (0,)), ((2000, 400), (1,)),
     ((2, 3, 4, 5), (0, 2, 3)), ((700001,), (0,)), ((2, 900_000), (0,))],
)  # fmt: skip
def test_elementwise_sum_is_plain(shape, axes, order):
    random = np.random.default_rng(0)
    x, g = (random.standard_normal(shape).astype(np.float32) for _ in range(2))
    if len(shape) == 4:
        x = laid_out(x, order)
    small = tuple(1 if a in axes else n for a, n in enumerate(shape))
    mean = random.standard_normal(small).astype(np.float32)

    def chain(x, g, mean):
        return (x - mean) * g

    y = fusion.elementwise_sum(chain, axes, x, g, mean)
    exact = plain.elementwise_sum(np, chain, axes, *(a.astype(np.float64) for a in (x, g, mean)))
    assert y.shape == small
    assert y.dtype == np.float32
    terms = x.size / y.size
    np.testing.assert_allclose(y, exact, rtol=1e-5, atol=2e-6 * terms**0.5)


@pytest.mark.parametrize("width", [2, 3, 64])
def test_elementwise_sum_over_long_axes_is_exact(width):
    x = np.full((1 << 21, width), 0.1, np.float32)[: (1 << 22) // width]
    y = fusion.elementwise_sum(lambda x: x + 0, (0,), x)
    np.testing.assert_allclose(y, np.full((1, width), len(x) * np.float64(np.float32(0.1))), rtol=1e-6)


def test_symbols_are_computed_at_once():
    calls = []
    fusion.elementwise(lambda x: calls.append(x.shape) or x, np.ones(200_000, object))
    assert calls == [(200_000,)]


@pytest.mark.parametrize("name", ["add", "multiply"])
@pytest.mark.parametrize("order", ["plain", "channels_last", "strided"])
def test_sums_and_products_of_large_arrays(name, order):
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((8, 64, 40, 40)).astype(np.float32) for _ in range(2))
    a = laid_out(a, order)
    ours, numpys = getattr(ufuncs, name), getattr(np, name)
    expected = numpys(a, b)
    np.testing.assert_array_equal(ours(a, b), expected)
    assert ours(a, 2.0).dtype == np.float32
    np.testing.assert_array_equal(ours(a, b[:1]), numpys(a, b[:1]))
    assert ours(a, b, out=a) is a
    np.testing.assert_array_equal(a, expected)
