"""Sums over axes as products with ones: BLAS reads memory in order on every core.

NumPy adds the rows of a tall array one after another (5 times slower than a product, and in float32 less
exact, one running sum for each column); summing over the channels-last memory behind an (N, C, H, W) view
is the same case. What the axes mean does not matter here, only how the memory is walked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .products import matmul

SMALL = 2048  # elements below which NumPy's own sum is quicker


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Σ x over `axis` (None, a number or a tuple), as numpy.sum."""
    if axis is None or x.size < SMALL or x.dtype.char not in "fd":
        return np.sum(x, axis=axis, keepdims=keepdims)
    axes = {a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))}
    order = sorted(range(x.ndim), key=lambda a: -x.strides[a])  # stable: the order of memory
    walked = x.transpose(order)
    if len(axes) in (0, x.ndim) or not walked.flags.c_contiguous:
        return np.sum(x, axis=axis, keepdims=keepdims)
    total = _peel(walked, [a in axes for a in order])
    kept = [a for a in order if a not in axes]  # the axes of `total`, by their old numbers
    if kept != sorted(kept):
        total = total.transpose(sorted(range(len(kept)), key=kept.__getitem__))
    if keepdims:
        total = total.reshape([1 if a in axes else n for a, n in enumerate(x.shape)])
    return total


def _peel(x: Any, reduced: list[bool]) -> Any:
    """Sum contiguous `x` over the marked axes: from the outside while that is marked, then inside."""
    outer = reduced.index(False)
    if outer:
        size = math.prod(x.shape[:outer])
        x = matmul(np.ones((1, size), x.dtype), x.reshape(size, -1)).reshape(x.shape[outer:])
        reduced = reduced[outer:]
    inner = reduced[::-1].index(False)
    if inner:
        size = math.prod(x.shape[x.ndim - inner :])
        ones = np.ones((size, 1), x.dtype)
        x = matmul(x.reshape(-1, size), ones).reshape(x.shape[: x.ndim - inner])
        reduced = reduced[: x.ndim]
    left = tuple(i for i, r in enumerate(reduced) if r)
    return np.sum(x, axis=left) if left else x


def einsum(subscripts: str, a: Any, b: Any) -> Any:
    """numpy.einsum of two operands; through matrix products where they are large."""
    return np.einsum(subscripts, a, b, optimize=a.size * b.size > 1 << 16)
