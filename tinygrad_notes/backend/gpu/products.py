"""Matrix products of arrays of any dtype; those of real numbers are cuBLAS's."""

from __future__ import annotations

from functools import partial
from typing import Any

import cupy
import numpy as np

from ..kernels import contraction, plain
from . import cublas


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """cupy.matmul."""
    dtype = a.dtype if a.dtype == b.dtype else np.result_type(a.dtype, b.dtype)
    if dtype.char not in cublas.TYPES or (out is not None and out.dtype != dtype):
        return cupy.matmul(a, b) if out is None else cupy.matmul(a, b, out=out)
    if min(a.ndim, b.ndim) < 2 or a.shape[-1] != b.shape[-2]:
        return _of_vectors(a, b)
    return cublas.multiply(a.astype(dtype, copy=False), b.astype(dtype, copy=False), out)


def _of_vectors(a: Any, b: Any) -> Any:
    """The product where an operand may have one axis: a row on the left, a column on the right."""
    if min(a.ndim, b.ndim) == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(
            f"matmul: {a.shape} @ {b.shape}: the last length of the first must equal the one "
            "before last of the second"
        )
    found = matmul(a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b)
    return found.squeeze(tuple(axis for axis, factor in ((-2, a), (-1, b)) if factor.ndim == 1))


einsum = partial(contraction.einsum, cupy, matmul, partial(plain.sum, cupy))
