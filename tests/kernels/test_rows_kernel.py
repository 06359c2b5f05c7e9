"""Chains of operations on rows, some rows at a time, equal the same chain on whole arrays."""

import numpy as np
import pytest
from kernel_cases import laid_out

from tinygrad_notes.backend.kernels import plain, rows


def softmax_less(x, labels, weight, spread, number):
    """As in a loss: sums over a row, a place in a row, things that are the same for all rows."""
    e = np.exp(x - x.max(1, keepdims=True))
    y = e / e.sum(1, keepdims=True) * weight[:, None] - (0 if spread is None else spread) * number
    y[np.arange(len(x)), labels] -= 1
    return y


@pytest.mark.parametrize("shape", [(2000, 300), (3, 200_000), (1, 400_000), (400_000, 1), (7, 3), (0, 3)])
@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("layout", ["plain", "turned"])
def test_rowwise_is_plain(shape, spread, layout):
    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(np.float32)
    if layout == "turned":
        x = np.asfortranarray(x)
    arrays = (x, random.integers(0, shape[1], shape[0]), random.standard_normal(shape[0]).astype(np.float32),
              random.standard_normal((1, shape[1])).astype(np.float32) if spread else None, 0.5)  # fmt: skip
    kept = x.copy()
    y = rows.rowwise(softmax_less, *arrays)
    expected = plain.rowwise(np, softmax_less, *arrays)
    assert y.dtype == np.float32 and y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(x, kept)
    sums = rows.rowwise(lambda x: x.sum(1), x)
    assert sums.shape == shape[:1]
    np.testing.assert_allclose(sums, x.sum(1), rtol=1e-4, atol=1e-4)


def test_more_axes_and_other_dtypes():
    x = laid_out(np.random.default_rng(0).standard_normal((40, 3, 100, 100)), "channels_last")
    y = rows.rowwise(lambda x: x - x.max((1, 2, 3), keepdims=True), x)
    np.testing.assert_array_equal(y, x - x.max((1, 2, 3), keepdims=True))
    whole = np.arange(400_000).reshape(1000, 400)
    np.testing.assert_array_equal(rows.rowwise(lambda x: x * 2, whole), whole * 2)


def test_an_error_in_a_block_is_raised():
    def fails(x):
        if len(x) > 1:
            raise ZeroDivisionError("in a block")
        return x

    with pytest.raises(ZeroDivisionError, match="in a block"):
        rows.rowwise(fails, np.zeros((2000, 300), np.float32))
