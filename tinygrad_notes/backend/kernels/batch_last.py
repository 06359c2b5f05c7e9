"""Convolution with the batch innermost in memory, (C, H, W, N): for many small images with few channels.

Every pixel is a contiguous run of N numbers, so a window offset is a copy of long runs, however few
channels there are. Only the width is lowered: rows[h, j, c, q, n] = x̄[n, c, h, q + j] holds kw copies of x,
and the columns of output row p are its rows p … p+kh−1, already a matrix (kh·kw·C, OW·N). Stride 1.

After MEC (Cho & Brand 2017, "MEC: Memory-efficient Convolution"), with the batch in the place of the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import threads
from .blocking import Array
from .geometry import Conv, Pair

COLUMNS = 320  # of one product: longer rows of the operands would leave the cache before their reuse


def can(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """Stride 1 and no dilation."""
    return conv.stride == conv.dilation == (1, 1)


def suits(images: int, channels: int) -> bool:
    """Whether memory with the batch innermost is quick for so many images of so few channels."""
    return images >= 32 and channels <= 16


def forward(x: Array, w: Array, b: Array | None, conv: Conv) -> Array:
    """conv2d: x (N, C, H, W), w (O, C, kh, kw) → y (N, O, OH, OW), the batch innermost in memory."""
    n, o, kh, (oh, ow) = x.shape[0], w.shape[0], w.shape[2], conv.out
    rows = _lower(x, w.shape[3], conv.padding)
    matrix = w.transpose(0, 2, 3, 1).reshape(o, -1)
    y = np.empty((o, oh, ow, n), dtype=x.dtype)

    def work(share: int, start: int, stop: int) -> None:
        part = _strips(y[:, start:stop].swapaxes(0, 1))
        np.matmul(matrix, _strips(_stacks(rows, kh, start, stop)), out=part)
        if b is not None:
            part += b[:, None]

    threads.parallel(work, oh)
    return y.transpose(3, 0, 1, 2)


def weight_grad(gy: Array, x: Array, conv: Conv) -> Array:
    """gw = Σ over the output rows of columns (kh·kw·C, OW·N) · gyᵀ."""
    o, c, kh, kw = conv.w
    rows = _lower(x, kw, conv.padding)
    g = _strips(batch_last(gy).swapaxes(0, 1)).swapaxes(2, 3)
    sums = np.empty((*g.shape[:2], kh * kw * c, o), dtype=gy.dtype)

    def work(share: int, start: int, stop: int) -> None:
        columns = _strips(_stacks(rows, kh, start, stop))
        np.matmul(columns, g[start:stop], out=sums[start:stop])

    threads.parallel(work, conv.out[0])
    gw = sums.sum((0, 1)).reshape(kh, kw, c, o).transpose(3, 2, 0, 1)
    return np.ascontiguousarray(gw)


def input_grad(gy: Array, w: Array, conv: Conv) -> Array:
    """Row r of gx from the rows r + ph − i of gy, 0 ≤ i < kh: one product, then the kw shifts summed."""
    (n, c, h, wd), (o, _, kh, kw), (oh, ow) = conv.x, conv.w, conv.out
    top, left = conv.padding
    g = np.ascontiguousarray(batch_last(gy).swapaxes(0, 1))
    matrix = w[:, :, ::-1].transpose(3, 1, 2, 0).reshape(kw * c, kh * o)
    gx = np.zeros((c, h, wd, n), dtype=gy.dtype)

    def work(share: int, start: int, stop: int) -> None:
        columns = np.empty((1, kw * c, ow, n), dtype=gy.dtype)
        for row in range(start, stop):
            shift = row + top - (kh - 1)
            first, last = max(0, shift), min(oh, shift + kh)
            if first >= last:
                continue
            read = matrix[:, (first - shift) * o : (last - shift) * o]
            fed = g[first:last].reshape(1, -1, ow, n)
            np.matmul(read, _strips(fed), out=_strips(columns))
            _add_shifts(columns.reshape(kw, c, ow, n), gx[:, row], left)

    threads.parallel(work, h)
    return gx.transpose(3, 0, 1, 2)


def _add_shifts(shifts: Array, row: Array, left: int) -> None:
    """row[c, q + j − pw, n] += shifts[j, c, q, n] for one row (C, W, N) of gx."""
    kw, _, ow, _ = shifts.shape
    for j in range(kw):
        first, last = max(0, j - left), min(row.shape[1], j - left + ow)
        if first < last:
            row[:, first:last] += shifts[j, :, first - j + left : last - j + left]


def batch_last(x: Array) -> Array:
    """x (N, C, H, W) as contiguous (C, H, W, N); no copy where it is that already."""
    n, c, h, w = x.shape
    if x.strides[0] == x.itemsize or not x.flags.c_contiguous:
        return np.ascontiguousarray(x.transpose(1, 2, 3, 0))
    # Images are often a power of two apart: their pixels would meet in one set of the cache.
    apart = np.empty((n, c * h * w + 16), dtype=x.dtype)
    apart[:, :-16] = x.reshape(n, -1)
    return np.ascontiguousarray(apart[:, :-16].T).reshape(c, h, w, n)


def _lower(x: Array, kw: int, padding: Pair) -> Array:
    """rows (H + 2·ph, kw, C, OW, N): row h of the padded image, shifted by j = 0 … kw−1."""
    n, c, h, w = x.shape
    top, left = padding
    x = batch_last(x).swapaxes(0, 1)
    ow = w + 2 * left - kw + 1
    shape = (h + 2 * top, kw, c, ow, n)
    rows = np.zeros(shape, dtype=x.dtype) if top or left else np.empty(shape, dtype=x.dtype)

    def work(share: int, start: int, stop: int) -> None:
        for j in range(kw):
            first, last = max(0, left - j), min(ow, w + left - j)
            if first < last:
                shifted = x[start:stop, :, first + j - left : last + j - left]
                rows[top + start : top + stop, j, :, first:last] = shifted

    threads.parallel(work, h)
    return rows


def _stacks(rows: Array, kh: int, start: int, stop: int) -> Array:
    """(stop − start, kh·kw·C, OW, N): for each output row its kh rows, as overlapping views."""
    h, kw, c, ow, n = rows.shape
    flat = rows.reshape(h * kw * c, ow, n)[start * kw * c : (stop - 1 + kh) * kw * c]
    stacks = sliding_window_view(flat, kh * kw * c, axis=0)[:: kw * c]
    return np.moveaxis(stacks, -1, 1)


def _strips(x: Array) -> Array:
    """x (A, B, OW, N) as (A, strips, B, columns): matrices whose columns fit the cache."""
    a, b, ow, n = x.shape
    strips = next(s for s in range(1, ow + 1) if ow % s == 0 and (s == ow or ow // s * n <= COLUMNS))
    return x.reshape(a, b, strips, ow // strips * n).swapaxes(1, 2)
