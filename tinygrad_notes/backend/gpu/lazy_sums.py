"""Sums, means and largest elements of arrays that wait: a chain is added up without being written down.

They wait as well. Sums over the same axes that a rule needs by the time that one is needed share a kernel.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import cupy
import numpy as np

from ..kernels.steps import Step
from .lazy import Lazy, in_one_piece, opaque
from .lazy_chains import Reduction

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
    count = math.prod(x.shape[a] for a in _reduced_shape(x.shape, axis, False)[0])
    return x.astype(x.dtype) if axis == () else _summed(x, axis, keepdims, x.dtype, float(count))


def max_(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element over `axis`; NaN if there is one."""
    if type(x.step) is not Step or x.dtype.kind != "f" or 0 in x.shape:
        return opaque(cupy.max)(x, axis=axis, keepdims=keepdims)
    return _reduced("max", x, axis, keepdims, x.dtype)


def _summed(x: Any, axis: Any, keepdims: bool, dtype: Any, count: float | None) -> Any:
    """Σ x; by many blocks where all of many numbers become one, which CuPy's kernels give to one block."""
    whole = axis is None or (type(axis) is tuple and len(axis) == x.ndim)
    kind, numbers = ("sum", ()) if count is None else ("mean", (count,))
    size = x.size if whole and x.dtype.kind == "f" else 0
    rows = min(size & -size, 1024)  # the largest power of two that divides it
    if size >= MANY and rows >= 32 and in_one_piece(x, x.shape):
        parts = _reduced("sum", x.reshape(rows, -1), 1, False, np.dtype(np.float64))
        return _reduced(kind, parts, None, False, dtype, numbers).reshape((1,) * x.ndim if keepdims else ())
    return _reduced(kind, x, axis, keepdims, dtype, numbers)


def _reduced(kind: str, x: Any, axis: Any, keepdims: bool, dtype: Any, numbers: Any = ()) -> Any:
    """A reduction of x that waits."""
    axes, shape = _reduced_shape(x.shape, axis, bool(keepdims))
    return Lazy(None, shape, dtype, Reduction(kind, dtype, axes, bool(keepdims), numbers), (x,))


@functools.lru_cache(4096)
def _reduced_shape(
    shape: tuple[int, ...], axis: Any, keepdims: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes in order, and the shape of what is left."""
    given = range(len(shape)) if axis is None else axis
    axes = tuple(sorted(np.lib.array_utils.normalize_axis_tuple(given, len(shape))))
    kept = (1 if i in axes else n for i, n in enumerate(shape) if keepdims or i not in axes)
    return axes, tuple(kept)
