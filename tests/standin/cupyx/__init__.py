"""cupyx: what CuPy adds to NumPy's names."""

import numpy as np
from cupy._array import ndarray
from cupy._index import scatter
from cupy.cuda import alloc_pinned_memory


def empty_pinned(shape: tuple[int, ...], dtype: type = float, order: str = "C") -> np.ndarray:
    """A host array in pinned memory."""
    size = int(np.prod(shape))
    memory = alloc_pinned_memory(size * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype, size).reshape(shape, order=order)


def zeros_pinned(shape: tuple[int, ...], dtype: type = float, order: str = "C") -> np.ndarray:
    """A host array of zeros in pinned memory."""
    out = empty_pinned(shape, dtype, order)
    out[...] = 0
    return out


def scatter_add(a: ndarray, slices: object, value: object) -> None:
    """a[slices] += value, repeated entries accumulating."""
    scatter(np.add, a, slices, value)


def scatter_max(a: ndarray, slices: object, value: object) -> None:
    """a[slices] = max(a[slices], value), repeated entries accumulating."""
    scatter(np.maximum, a, slices, value)


def scatter_min(a: ndarray, slices: object, value: object) -> None:
    """a[slices] = min(a[slices], value), repeated entries accumulating."""
    scatter(np.minimum, a, slices, value)
