"""Pooling on NumPy: one strided view per window offset, never a k²-fold copy of the image.

Every offset (i, j) of the window is an element-wise step on arrays of the output's size. Padding is not
copied: an offset touches only the outputs whose window reaches inside the image there. Results keep the
memory order of their input. The definitions are in plain/pooling.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import batch_last, plain, threads
from .blocking import Array
from .geometry import Pair, Shape, expect_shape, pool_size, window_counts
from .ufuncs import SIGNED

ONE = (1, 1)
PIECE = 1 << 19  # elements of the image handled at once: in fewer, threads wait for the interpreter lock
ALONE = 1 << 20  # elements below which one thread is quicker than two


class Offset(NamedTuple):
    """One place of the window: pixels `source` of the image belong to outputs `target`."""

    place: int
    source: tuple[Any, ...]
    target: tuple[Any, ...]


def max_pool2d(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """(y, index) as plain.max_pool2d, by running maxima."""
    out = pool_size("max_pool2d", x.shape, kernel, stride, padding, dilation, ceil_mode)
    if x.dtype.kind != "f":
        return plain.max_pool2d(np, x, kernel, stride, padding, dilation, ceil_mode)
    y, index = like(x, out, x.dtype), like(x, out, plain.index_dtype(kernel))
    steps = offsets(x.shape, out, kernel, stride, padding, dilation)
    first = plain.first_inside(np, out, kernel, stride, padding, dilation)
    # One offset that covers all outputs spares the fill.
    whole = bool(steps) and steps[0].target == (..., slice(0, out[0]), slice(0, out[1]))
    bad: list[bool] = []  # not empty: a window held NaN

    def work(part: Any) -> None:
        image, best, place = x[part], y[part], index[part]
        best[...] = image[steps[0].source] if whole else -np.inf
        place[...] = first
        for k, source, target in steps[whole:]:
            value, so_far, winner = image[source], best[target], place[target]
            wins = np.greater(value, so_far).view(np.uint8)
            # The places are visited in increasing order: the winner is the largest that ever won.
            np.maximum(winner, wins * winner.dtype.type(k), out=winner)
            np.maximum(value, so_far, out=so_far)
        if np.isnan(best.max(initial=-np.inf)):
            bad.append(True)

    _in_pieces(work, x)
    if bad:
        # NaN compares as not greater, so its place was not recorded.
        return plain.max_pool2d(np, x, kernel, stride, padding, dilation, ceil_mode)
    return y, index


def max_pool2d_scatter(
    gy: Array,
    index: Array,
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    """gx as plain.max_pool2d_scatter: each offset adds gy where the index names it."""
    op, out = "max_pool2d_scatter", gy.shape[2:]
    plain.check_index(op, index, x_shape, gy.shape, kernel, stride, padding, dilation)
    if gy.dtype.kind != "f":
        return plain.max_pool2d_scatter(np, gy, index, x_shape, kernel, stride, padding, dilation)
    signed = SIGNED[gy.itemsize]
    steps = offsets(x_shape, out, kernel, stride, padding, dilation)
    tiling = kernel == stride and padding == (0, 0) and dilation == ONE
    gx = like(gy, (x_shape[2], x_shape[3]), gy.dtype)

    def work(part: Any) -> None:
        image, bits, place = gx[part], gy[part].view(signed), index[part]
        image[...] = 0
        for k, source, target in steps:
            # Masking bits, not multiplying by 0 or 1: an infinite gradient stays out of other pixels.
            mask = np.equal(place[target], k).view(np.int8)
            np.negative(mask, out=mask)
            if tiling:
                np.bitwise_and(bits[target], mask, out=image[source].view(signed))
            else:
                image[source] += np.bitwise_and(bits[target], mask).view(gy.dtype)

    _in_pieces(work, gx)
    return gx


def max_pool2d_gather(
    x: Array, index: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """y = x[place that `index` names], as plain.max_pool2d_gather; used by second derivatives only."""
    return plain.max_pool2d_gather(np, x, index, kernel, stride, padding, dilation)


def avg_pool2d(
    x: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """y as plain.avg_pool2d: the sum of strided views over the number of places that count."""
    out = pool_size("avg_pool2d", x.shape, kernel, stride, padding, ONE, ceil_mode)
    steps = offsets(x.shape, out, kernel, stride, padding, ONE)
    divisor = _divisor(x, x.shape, out, kernel, stride, padding, count_include_pad)
    y = like(x, out, x.dtype)
    everywhere = (..., slice(0, out[0]), slice(0, out[1]))
    covering = len(steps) > 1 and all(step.target == everywhere for step in steps[:2])

    def work(part: Any) -> None:
        image, total = x[part], y[part]
        if covering:
            np.add(image[steps[0].source], image[steps[1].source], out=total)
        else:
            total[...] = 0
        for _, source, target in steps[2 * covering :]:
            total[target] += image[source]
        total /= divisor

    _in_pieces(work, x)
    return y


def avg_pool2d_adjoint(
    gy: Array,
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """gx as plain.avg_pool2d_adjoint: gy / divisor given back to every place of its window."""
    op = "avg_pool2d_adjoint"
    out = pool_size(op, x_shape, kernel, stride, padding, ONE, ceil_mode)
    expect_shape(op, "gy", gy, (*x_shape[:2], *out))
    steps = offsets(x_shape, out, kernel, stride, padding, ONE)
    divisor = _divisor(gy, x_shape, out, kernel, stride, padding, count_include_pad)
    tiling = kernel == stride and padding == (0, 0)
    covering = tiling and (out[0] * kernel[0], out[1] * kernel[1]) == tuple(x_shape[2:])
    if gy.flags.c_contiguous and batch_last.suits(*gy.shape[:2]):
        # Out of a flatten the images come first; the convolution below has its batch last. gy is small.
        gy = batch_last.batch_last(gy).transpose(3, 2, 0, 1)
    gx = like(gy, (x_shape[2], x_shape[3]), gy.dtype)

    def work(part: Any) -> None:
        image, given = gx[part], gy[part] / divisor
        if not covering:
            image[...] = 0
        for _, source, target in steps:
            if tiling:
                image[source] = given[target]
            else:
                image[source] += given[target]

    _in_pieces(work, gx)
    return gx


def like(x: Array, size: Pair, dtype: Any) -> Array:
    """An empty (N, C, *size) array with the axes in the same memory order as those of x."""
    order = sorted(range(4), key=lambda axis: (-abs(x.strides[axis]), axis))
    shape = (*x.shape[:2], *size)
    buffer = np.empty([shape[axis] for axis in order], dtype=dtype)
    return buffer.transpose([order.index(axis) for axis in range(4)])


@functools.lru_cache(maxsize=1024)
def offsets(
    x_shape: Shape, out: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[Offset, ...]:
    """The places of the window in scan order, without those that never fall inside the image."""
    rows, cols = (
        [_inside(n, o, s, i * d - p) for i in range(k)]
        for n, o, k, s, p, d in zip(x_shape[2:], out, kernel, stride, padding, dilation, strict=True)
    )
    return tuple(
        Offset(i * kernel[1] + j, (..., row[0], col[0]), (..., row[1], col[1]))
        for i, row in enumerate(rows)
        for j, col in enumerate(cols)
        if row is not None and col is not None
    )


def _inside(n: int, out: int, stride: int, shift: int) -> tuple[slice, slice] | None:
    """(pixels, outputs) along one axis for which 0 ≤ output·stride + shift < n."""
    first = max(0, -(shift // stride))
    last = min(out - 1, (n - 1 - shift) // stride)
    if first > last:
        return None
    pixels = slice(first * stride + shift, last * stride + shift + 1, stride)
    return pixels, slice(first, last + 1)


def _divisor(
    like_: Array,
    x_shape: Shape,
    out: Pair,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    include_pad: bool,
) -> Array:
    """The places per window: one number where all windows are alike, else (OH, OW)."""
    rows, cols = window_counts(x_shape, out, kernel, stride, padding, include_pad)
    if len(set(rows)) == len(set(cols)) == 1:
        return np.asarray(rows[0] * cols[0], dtype=like_.dtype)[()]
    return np.multiply.outer(np.array(rows, like_.dtype), np.array(cols, like_.dtype))


def _in_pieces(work: Callable[[Any], None], x: Array) -> None:
    """work(slice of images), in pieces that fit the cache.

    All of x at once where memory does not begin with the images: pieces out of its middle take twice as long.
    """
    if not x.size:
        return
    count = len(x)
    if abs(x.strides[0]) < max(map(abs, x.strides)):
        return work(slice(count))
    step = max(1, PIECE * count // x.size)

    def share(_: int, start: int, stop: int) -> None:
        for at in range(start, stop, step):
            work(slice(at, min(at + step, stop)))

    if x.size < ALONE:
        share(0, 0, count)
    else:
        threads.parallel(share, count)
