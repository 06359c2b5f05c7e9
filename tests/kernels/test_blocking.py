"""Walks over an array: windows of any array, never outside of it, whatever the strides of short axes are."""

import numpy as np
import pytest
from kernel_cases import odd

from tinygrad_notes.backend.kernels.blocking import walk


@pytest.mark.parametrize("stride", [0, -3, 10**9])
@pytest.mark.parametrize("shape", [(6, 5), (6, 1), (3, 1)])
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[::-1], lambda x: np.repeat(x, 2, 1)[:, ::2]])
def test_windows(shape, view, stride):
    """Of two rows, from row 1 on."""
    x = odd(view(np.arange(float(shape[0] * shape[1])).reshape(shape)), stride)
    count = shape[0] - 2
    windows = walk(x, (0, 1, count), (0, 1, 2), (1, 1, shape[1]), start=(0, 1))
    expected = np.array([x[p : p + 2] for p in range(1, 1 + count)])
    np.testing.assert_array_equal(windows, expected)
    np.testing.assert_array_equal(windows.reshape(count, -1), expected.reshape(count, -1))


def test_outside_is_refused():
    x = np.zeros((4, 5))
    walk(x, (0, 2, 2), (0, 1, 2), (1, 4, 2))
    for places in (((0, 2, 2), (0, 1, 3)), ((1, 5, 2),), ((0, 1, 5),)):
        with pytest.raises(IndexError, match=r"walk: the places .* outside of \(4, 5\)"):
            walk(x, *places)
    with pytest.raises(IndexError, match="walk"):
        walk(x, (0, 1, 4), start=(0, 1))
    assert walk(x, (0, 1, 0), (1, 1, 9)).shape == (0, 9)
