"""Sums and means of arrays that wait: a chain is added up without being written down."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import lazy_kernels
from .lazy import in_one_piece, wrap

SUMMED_IN = {"b": np.dtype(np.int64), "i": np.dtype(np.int64), "u": np.dtype(np.uint64)}
MANY = 1 << 15


def sum_(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Σ x over `axis`, real numbers added up in float64."""
    dtype = SUMMED_IN.get(x.dtype.kind, x.dtype)
    return x.astype(dtype) if axis == () else _summed(x, axis, keepdims, dtype, None)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """(1/n) Σ x over `axis`, added up and divided in float64."""
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    count = math.prod(x.shape[a] for a in axes)
    return x.astype(x.dtype) if axis == () else _summed(x, axis, keepdims, x.dtype, float(count))


def _summed(x: Any, axis: Any, keepdims: bool, dtype: Any, count: float | None) -> Any:
    """Σ x; by many blocks where all of many numbers become one, which CuPy's kernels give to one block."""
    rows = min(x.size & -x.size, 1024)  # the largest power of two that divides it
    whole = axis is None or (type(axis) is tuple and len(axis) == x.ndim)
    if whole and x.size >= MANY and rows >= 32 and x.dtype.kind == "f" and in_one_piece(x, x.shape):
        parts = lazy_kernels.reduce_chain(x.reshape(rows, -1), 1, False, np.dtype(np.float64))
        total = lazy_kernels.reduce_chain(wrap(parts), None, False, dtype, count)
        return wrap(total.reshape((1,) * x.ndim if keepdims else ()))
    return wrap(lazy_kernels.reduce_chain(x, axis, keepdims, dtype, count))
