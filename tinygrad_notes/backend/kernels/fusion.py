"""Chains of element-wise operations on large arrays: block by block in the cache, shared among the cores.

NumPy streams every intermediate of x·a + b through memory, on one core. A rule hands the chain over as a
function of its arrays; the plain definition calls it once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .blocking import BLOCK, even
from .reduction import add_up, over_rows, sum
from .threads import parallel

LARGE = 2 * BLOCK  # below, the hand-over to another thread costs more than a chain saves


def elementwise(function: Callable[..., Any], *arrays: Any) -> Any:
    """function(*arrays), which must be element-wise; the arrays broadcast to the shape of the first.

    The result has the memory order of the first.
    """
    x = arrays[0]
    if x.size < LARGE or x.dtype.kind != "f":
        return function(*arrays)
    order = sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))
    walked = [_walked(a, order) for a in arrays]
    shape = walked[0].shape
    if all(not isinstance(a, np.ndarray) or (a.shape == shape and a.flags.c_contiguous) for a in walked):
        walked = [a.reshape(-1) if isinstance(a, np.ndarray) else a for a in walked]  # of one layout: a line
    whole = walked[0].shape
    axis, parts = _blocks(whole, BLOCK)
    spread = [_spread(a, whole, axis, parts) for a in walked]
    one = (slice(1),) * len(whole)
    dtype = function(*[a[one] if isinstance(a, np.ndarray) and a.ndim else a for a in walked]).dtype
    y = np.empty(whole, dtype)

    def work(_: int, start: int, stop: int) -> None:
        for part in parts[start:stop]:
            y[part] = function(*[take(part) for take in spread])

    parallel(work, len(parts))
    return y.reshape(shape).transpose(np.argsort(order))


def elementwise_sum(function: Callable[..., Any], axes: tuple[int, ...], *arrays: Any) -> Any:
    """Σ function(*arrays) over `axes` of the first array, which stay with length 1; see `elementwise`.

    Where the summed axes are the outer ones in memory, every block is summed while it is in the cache.
    """
    x = arrays[0]
    order = sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))
    kept = [a for a in order if a not in axes]
    if x.size < LARGE or x.dtype.char not in "fd" or not kept or order[-len(kept) :] != kept:
        return sum(elementwise(function, *arrays), axis=axes, keepdims=True)
    walked = [_walked(a, order) for a in arrays]
    shape = walked[0].shape
    axis, parts = _blocks(shape, BLOCK)
    if axis >= len(axes):  # the blocks cut a kept axis
        return sum(elementwise(function, *arrays), axis=axes, keepdims=True)
    spread = [_spread(a, shape, axis, parts) for a in walked]
    width = math.prod(shape[len(axes) :])
    sums: list[Any] = [None] * len(parts)

    def work(_: int, start: int, stop: int) -> None:
        for i in range(start, stop):
            values = function(*[take(parts[i]) for take in spread])
            sums[i] = over_rows(values.reshape(1, -1, width))

    parallel(work, len(parts))
    total = add_up(np.stack(sums), axis=0, dtype=np.float64).astype(x.dtype)
    return total.reshape((1,) * len(axes) + shape[len(axes) :]).transpose(np.argsort(order))


def over_blocks(work: Callable[[tuple[slice, ...]], None], x: Any) -> None:
    """work(slices) for all blocks of `x`, which follow its memory."""
    order = sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))
    parts = cut(tuple(x.shape[a] for a in order), BLOCK)
    back = [order.index(a) for a in range(x.ndim)]

    def share(_: int, start: int, stop: int) -> None:
        for part in parts[start:stop]:
            work(tuple(part[i] for i in back))

    parallel(share, len(parts))


def _walked(a: Any, order: list[int]) -> Any:
    """`a` with its axes in `order`, missing ones added in front; a number stays one."""
    if not isinstance(a, np.ndarray) or a.ndim == 0:
        return a
    return a.reshape((1,) * (len(order) - a.ndim) + a.shape).transpose(order)


def cut(shape: tuple[int, ...], most: int) -> list[tuple[slice, ...]]:
    """Slices of at most about `most` elements that make up `shape`, along its last axes."""
    return _blocks(shape, most)[1]


def _blocks(shape: tuple[int, ...], most: int) -> tuple[int, list[tuple[slice, ...]]]:
    """Slices of at most about `most` elements: single places of outer axes, a run of one, all of the rest.

    Returns the axis of the runs as well. They are of even length, and their number fills the threads.
    """
    inner, axis = 1, len(shape) - 1
    while axis and inner * shape[axis] <= most:
        inner *= shape[axis]
        axis -= 1
    ends = even(shape[axis], max(1, most // inner), math.prod(shape[:axis]))
    runs = [slice(start, stop) for start, stop in itertools.pairwise(ends)]
    outer = itertools.product(*([slice(i, i + 1) for i in range(n)] for n in shape[:axis]))
    rest = [slice(None)] * (len(shape) - axis - 1)
    return axis, [(*single, run, *rest) for single in outer for run in runs]


def _spread(
    a: Any, shape: tuple[int, ...], axis: int, parts: list[tuple[slice, ...]]
) -> Callable[[tuple[slice, ...]], Any]:
    """A function from a block's slices to that block of `a`.

    What stretches along the cut axes is written out once for a whole block: NumPy's loops over operands
    of one shape are the longest.
    """
    if not isinstance(a, np.ndarray) or a.ndim == 0:
        return lambda part: a
    if a.shape == shape:
        return lambda part: a[part]
    if all(n == 1 for n in a.shape[: axis + 1]):
        size = max(part[axis].stop - part[axis].start for part in parts)
        whole = np.ascontiguousarray(np.broadcast_to(a, (*a.shape[:axis], size, *shape[axis + 1 :])))
        before = (slice(None),) * axis

        def head(part: tuple[slice, ...]) -> Any:
            length = part[axis].stop - part[axis].start
            return whole if length == size else whole[(*before, slice(0, length))]

        return head
    return lambda part: a[tuple(s if n > 1 else slice(None) for n, s in zip(a.shape, part, strict=True))]
