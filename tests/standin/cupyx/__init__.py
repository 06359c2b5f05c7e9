"""cupyx: what CuPy adds to NumPy's names."""

import numpy as np
from cupy._array import ndarray
from cupy._index import scatter


def scatter_add(a: ndarray, slices: object, value: object) -> None:
    """a[slices] += value, repeated entries accumulating."""
    scatter(np.add, a, slices, value)


def scatter_max(a: ndarray, slices: object, value: object) -> None:
    """a[slices] = max(a[slices], value), repeated entries accumulating."""
    scatter(np.maximum, a, slices, value)


def scatter_min(a: ndarray, slices: object, value: object) -> None:
    """a[slices] = min(a[slices], value), repeated entries accumulating."""
    scatter(np.minimum, a, slices, value)
