"""Sums over axes, as exact in every order of memory, and in one pass over it.

NumPy adds pairwise along the innermost axis only. The rows of a tall array it adds one after another: such a
running sum of n float32 numbers loses up to n·6e-8 of itself, and 0.1 added 2²⁵ times gives half of what is
right. Here no running sum in float32 is longer than TERMS; the sums of many such blocks are added in float64.
A block is summed as a product with ones, since BLAS reads memory in order on every core (5 times faster than
NumPy's rows). Short rows are laid side by side first, in rows of about WIDE numbers. What the axes mean does
not matter here, only how the memory is walked.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from . import contraction, plain
from .products import matmul

SMALL = 2048  # elements below which NumPy's own sum is quicker
TERMS = 64  # of a running sum in float32, which is off by 6e-7 at most
LINE = 6 * TERMS  # of a product of a contiguous line with ones: BLAS adds it in several running sums
WIDE = 512  # numbers of a row from which its product with ones is quick

add_up: Any = np.add.reduce  # numpy.sum without its overhead


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Σ x over `axis` (None, a number or a tuple), as numpy.sum. float16 is added up in float32 or wider."""
    if x.dtype.char not in "efd" or x.size == 0:
        return add_up(x, axis=axis, keepdims=keepdims)
    if x.size < SMALL or x.ndim == 0:
        return _small(x, axis, keepdims)
    if x.dtype.char == "e":
        return sum(x.astype(np.float32), axis, keepdims).astype(x.dtype)
    if axis is None and x.flags.c_contiguous and not keepdims:
        return add_up(x.reshape(-1))  # pairwise
    axes = set(range(x.ndim)) if axis is None else {a % x.ndim for a in _tuple(axis)}
    total = _sum(x, axes)
    if keepdims:
        return total.reshape([1 if a in axes else n for a, n in enumerate(x.shape)])
    return total if total.ndim else total[()]


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """(1/n) Σ x over `axis`, as numpy.mean; in float16 neither the sum nor n need be less than 65504."""
    if x.dtype.char not in "efd":
        return np.mean(x, axis=axis, keepdims=keepdims)
    count = x.size if axis is None else math.prod(x.shape[a] for a in _tuple(axis))
    wide = x.astype(np.float32) if x.dtype.char == "e" else x
    return (sum(wide, axis, keepdims) / count).astype(x.dtype, copy=False)


def cumsum(x: Any, axis: int) -> Any:
    """x₀, x₀ + x₁, ... along `axis`; see plain.cumsum."""
    return plain.cumsum(np, x, axis)


def _tuple(axis: Any) -> tuple[int, ...]:
    return axis if isinstance(axis, tuple) else (axis,)


def _small(x: Any, axis: Any, keepdims: bool) -> Any:
    """In float64, unless there is not much to add."""
    count = x.size if axis is None else math.prod(x.shape[a] for a in _tuple(axis))
    if x.dtype.char != "e" and (count <= TERMS // 2 or x.dtype.char == "d" or (x.ndim == 1 and axis is None)):
        return add_up(x, axis=axis, keepdims=keepdims)
    return add_up(x, axis=axis, keepdims=keepdims, dtype=np.float64).astype(x.dtype)


def _sum(x: Any, axes: set[int]) -> Any:
    """The sum over `axes`, which drop out."""
    times = 1
    for a in axes:
        if x.strides[a] == 0 and x.shape[a] > 1:  # one number, repeated
            times *= x.shape[a]
            x = x[(slice(None),) * a + (slice(1),)]
    order = sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))  # stable: the order of memory
    walked, reduced = x.transpose(order), [a in axes for a in order]
    if walked.flags.c_contiguous:
        total = _walk(walked, reduced)
    elif reduced[-1]:
        total = _with_gaps(walked, reduced)
    else:
        total = _walk(np.ascontiguousarray(walked), reduced)
    total = total.astype(x.dtype, copy=np.may_share_memory(total, x))  # a sum over lengths of 1 is a view
    if times > 1:
        total = total * times
    kept = [a for a in order if a not in axes]  # the axes of the result, by their old numbers
    return total if kept == sorted(kept) else total.transpose(np.argsort(kept))


def _with_gaps(x: Any, reduced: list[bool]) -> Any:
    """`_walk` without a copy, where the last axis is marked: NumPy adds pairwise along its line."""
    length, last = x.shape[-1], x.ndim - 1
    while last and reduced[last - 1] and x.strides[last - 1] == x.strides[-1] * length:
        last -= 1
        length *= x.shape[last]
    lines = add_up(x.reshape(*x.shape[:last], length), axis=-1)
    return _walk(np.asarray(lines, order="C"), reduced[:last])


def _walk(x: Any, reduced: list[bool]) -> Any:
    """The sum of contiguous `x` over the marked axes, from the outside in."""
    shape = x.shape
    at = 0
    while at < len(shape):
        if not reduced[at]:
            at += 1
            continue
        end = at + 1
        while end < len(shape) and reduced[end]:
            end += 1
        before, after = math.prod(shape[:at]), math.prod(shape[end:])
        x = over_rows(x.reshape(before, math.prod(shape[at:end]), after))
        shape, reduced = (*shape[:at], *shape[end:]), [*reduced[:at], *reduced[end:]]
    return x.reshape(shape)


def over_rows(x: Any) -> Any:
    """Σ of contiguous x (A, R, K) over its middle axis → (A, K), in float32 or float64."""
    a, r, k = x.shape
    if r == 1:
        return x[:, 0]
    if k == 1:
        return _over_lines(x.reshape(a, r)).reshape(a, 1)
    if r <= TERMS or (a == 1 and r <= 2 * TERMS and k % 4 == 0):  # BLAS adds rows four at a time
        return matmul(_ones(1, r, x.dtype), x[0]) if a == 1 else add_up(x, axis=1)
    side = max(1, min(WIDE // k & -4, r // TERMS))  # rows that are laid side by side
    blocks = -(-r // (TERMS * side))
    terms = r // (blocks * side)
    used = blocks * terms * side
    rows = x[:, :used].reshape(a, blocks, terms, side * k)
    sums = matmul(_ones(1, terms, x.dtype), rows)[:, :, 0]
    if blocks <= TERMS:
        sums = np.matmul(_ones(1, blocks, x.dtype), sums)[:, 0] if blocks > 1 else sums[:, 0]
    else:
        sums = add_up(sums, axis=1, dtype=np.float64)
    total = add_up(sums.reshape(a, side, k), axis=1, dtype=np.float64) if side > 1 else sums
    return total if used == r else total + over_rows(x[:, used:])


def _over_lines(x: Any) -> Any:
    """Σ of contiguous x (A, R) over its last axis → (A,), in float32 or float64."""
    a, r = x.shape
    fewest = -(-r // LINE)
    parts = next((n for n in range(fewest, min(4 * fewest, r) + 1) if r % n == 0), 0)
    if a == 1 or not parts or a * r < SMALL:
        return add_up(x, axis=1)  # pairwise
    sums = matmul(x.reshape(a * parts, r // parts), _ones(r // parts, 1, x.dtype)).reshape(a, parts)
    if parts <= TERMS:
        return np.matmul(sums, _ones(parts, 1, x.dtype))[:, 0] if parts > 1 else sums[:, 0]
    return add_up(sums, axis=1, dtype=np.float64)


@functools.lru_cache(maxsize=256)
def _ones(rows: int, columns: int, dtype: Any) -> Any:
    ones = np.ones((rows, columns), dtype)
    ones.flags.writeable = False
    return ones


def einsum(subscripts: str, a: Any, b: Any) -> Any:
    """numpy.einsum of two operands, by `contraction.einsum`; float16 is added up in float32."""
    if a.dtype.char == b.dtype.char == "e":
        return einsum(subscripts, a.astype(np.float32), b.astype(np.float32)).astype(a.dtype)
    return contraction.einsum(np, matmul, sum, subscripts, a, b)
