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


def can(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """Stride 1 and no dilation."""
    return conv.stride == conv.dilation == (1, 1)


def forward(x: Array, w: Array, b: Array | None, conv: Conv) -> Array:
    """conv2d: x (N, C, H, W), w (O, C, kh, kw) → y (N, O, OH, OW), the batch innermost in memory."""
    n, (o, _, kh, kw) = x.shape[0], w.shape
    rows = _lower(x, kw, conv.padding)
    oh, ow = rows.shape[0] - kh + 1, rows.shape[3]
    matrix = w.transpose(0, 2, 3, 1).reshape(o, -1)
    y = np.empty((o, oh, ow * n), dtype=x.dtype)

    def work(share: int, start: int, stop: int) -> None:
        part = y[:, start:stop]
        np.matmul(matrix, _stacks(rows, kh, start, stop), out=part.swapaxes(0, 1))
        if b is not None:
            part += b[:, None, None]

    threads.parallel(work, oh)
    return y.reshape(o, oh, ow, n).transpose(3, 0, 1, 2)


def weight_grad(gy: Array, x: Array, conv: Conv) -> Array:
    """gw = Σ over output rows of columns (kh·kw·C, OW·N) · gyᵀ."""
    o, c, kh, kw = conv.w
    rows = _lower(x, kw, conv.padding)
    g = batch_last(gy)
    oh = g.shape[1]
    g = g.reshape(o, oh, -1).transpose(1, 2, 0)
    sums = np.empty((oh, kh * kw * c, o), dtype=gy.dtype)

    def work(share: int, start: int, stop: int) -> None:
        np.matmul(_stacks(rows, kh, start, stop), g[start:stop], out=sums[start:stop])

    threads.parallel(work, oh)
    gw = sums.sum(0).reshape(kh, kw, c, o).transpose(3, 2, 0, 1)
    return np.ascontiguousarray(gw)


def input_grad(gy: Array, w: Array, conv: Conv) -> Array:
    """Each row of gx from the kh rows of gy it fed: one product, then the kw shifts added up."""
    (n, c, h, wd), (o, _, kh, kw), (oh, ow) = conv.x, conv.w, conv.out
    top, left = conv.padding
    g = np.zeros((h + kh - 1, o, ow, n), dtype=gy.dtype)
    at = kh - 1 - top  # the row of g that holds row 0 of gy
    g0 = max(0, at)
    g[g0 : at + oh] = gy[:, :, g0 - at :].transpose(2, 1, 3, 0)[: len(g) - g0]
    matrix = w[:, :, ::-1].transpose(3, 1, 2, 0).reshape(kw * c, kh * o)
    gx = np.zeros((c, h, wd, n), dtype=gy.dtype)

    def work(share: int, start: int, stop: int) -> None:
        columns = np.empty((kw * c, ow * n), dtype=gy.dtype)
        for row in range(start, stop):
            np.matmul(matrix, g[row : row + kh].reshape(kh * o, ow * n), out=columns)
            shifts = columns.reshape(kw, c, ow, n)
            for j in range(kw):
                first, last = max(0, j - left), min(wd, j - left + ow)
                if first < last:
                    gx[:, row, first:last] += shifts[j, :, first - j + left : last - j + left]

    threads.parallel(work, h)
    return gx.transpose(3, 0, 1, 2)


def batch_last(x: Array) -> Array:
    """x (N, C, H, W) as contiguous (C, H, W, N); no copy where it is that already."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


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
    """(stop − start, kh·kw·C, OW·N): for each output row its kh rows, as overlapping views."""
    h, kw, c, ow, n = rows.shape
    flat = rows.reshape(h * kw * c, ow * n)[start * kw * c : (stop - 1 + kh) * kw * c]
    stacks = sliding_window_view(flat, kh * kw * c, axis=0)[:: kw * c]
    return stacks.swapaxes(1, 2)
