"""Matrix products shared among the cores by our own threads, each with a single-threaded BLAS.

OpenBLAS's threads spin for tens of milliseconds after every product, in case another follows: on the cores
that element-wise kernels and other programs want. Waiting threads of ours sleep (docs/performance.md has
the figures).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import threads

SMALL = 1 << 18  # multiply-adds up to which OpenBLAS itself stays on one thread
VECTOR = 1 << 13  # the same for a matrix and a vector
ALONE = 1 << 23  # below, the hand-over to another thread costs more than it saves
TERMS = 512  # of the running sums that make up the product of a matrix and a vector (of four at most)


def matmul(a: Any, b: Any) -> Any:
    """numpy.matmul(a, b)."""
    if a.ndim < 2 or b.ndim < 2 or a.dtype != b.dtype or a.dtype.char not in "fd":
        return np.matmul(a, b)
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    if inner == b.shape[-2] == 1:  # sums of one term, which NumPy does without BLAS in four times the time
        return a * b
    few = min(rows, columns) <= 4 and inner > max(4 * TERMS, 16 * rows, 16 * columns)
    if few and a.ndim == b.ndim == 2 and inner == len(b):
        return _in_blocks(a, b)
    # The function takes 10 µs, even for matrices alone.
    batch = () if a.ndim == b.ndim == 2 else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    work = math.prod(batch) * rows * inner * columns
    if work <= (SMALL if min(rows, columns) > 1 else VECTOR) or inner != b.shape[-2]:
        return np.matmul(a, b)
    if work < ALONE:
        with threads.one_blas_thread():
            return np.matmul(a, b)
    if not batch and inner > 4 * max(rows, columns):
        return _over_inner(a, b)
    y = np.empty((*batch, rows, columns), a.dtype)
    if batch:
        a, b = np.broadcast_to(a, (*batch, rows, inner)), np.broadcast_to(b, (*batch, inner, columns))
        _over_batch(a, b, y)
    elif rows >= columns:
        threads.parallel(lambda _, i, j: np.matmul(a[i:j], b, out=y[i:j]), rows)
    else:
        threads.parallel(lambda _, i, j: np.matmul(a, b[:, i:j], out=y[:, i:j]), columns)
    return y


def _in_blocks(a: Any, b: Any) -> Any:
    """Σ over blocks of the inner axis, in float64: BLAS adds a long one up number by number."""
    (rows, inner), columns = a.shape, b.shape[1]
    blocks = inner // TERMS
    used = blocks * TERMS
    parts = matmul(a[:, :used].reshape(rows, blocks, TERMS).swapaxes(0, 1),
                   b[:used].reshape(blocks, TERMS, columns))  # fmt: skip
    total = np.sum(parts, axis=0, dtype=np.float64)
    if used < inner:
        total += np.matmul(a[:, used:], b[used:])
    return total.astype(a.dtype)


def _over_inner(a: Any, b: Any) -> Any:
    """Σ over shares of the inner axis, in their order: few outputs of many terms."""
    parts = np.empty((len(threads.shares(a.shape[1])), a.shape[0], b.shape[1]), a.dtype)
    threads.parallel(lambda share, i, j: np.matmul(a[:, i:j], b[i:j], out=parts[share]), a.shape[1])
    for part in parts[1:]:
        parts[0] += part
    return parts[0]


def _over_batch(a: Any, b: Any, y: Any) -> None:
    """One product for each place of the leading axes; the longest of them is cut."""
    axis = max(range(y.ndim - 2), key=lambda i: y.shape[i])
    a, b, y = (np.moveaxis(m, axis, 0) for m in (a, b, y))
    threads.parallel(lambda _, i, j: np.matmul(a[i:j], b[i:j], out=y[i:j]), len(y))
