"""Convolution as matrix products on blocks of columns ("im2col"), with the channels last in memory.

The windows of a block of output rows are copied to a matrix that stays in the cache, and multiplied at
once: y = cols w, gw += colsᵀ gy, and gcols = gy wᵀ, added back window by window. A column runs over
(i, j, c), so that each window row is one contiguous run of kw·C numbers; with few channels those runs
would be too short, and the matrix is built transposed, (c, i, j) by positions, in runs of OW numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import threads
from .blocking import Array, Block, blocks, cut, places, take
from .geometry import Pair, Shape, window

COLUMNS = 1 << 18  # entries of one block of columns: 1 MiB of float32, what one core's cache holds
ROWS = 512  # but at least so many positions: a product must not re-read w too often
FEW = 8  # channels up to which the columns are built transposed


class Steps(NamedTuple):
    """How the windows walk over the image."""

    stride: Pair
    padding: Pair
    dilation: Pair


def forward(x: Array, w: Array, b: Array | None, out: Pair, steps: Steps) -> Array:
    """conv2d: x (N, C, H, W), w (O, C, kh, kw) → y (N, O, OH, OW), channels last in memory."""
    n, o = x.shape[0], w.shape[0]
    matrix = _matrix(w)
    y = np.empty((n, *out, o), dtype=x.dtype)
    parts, scratch = _plan(n, out, matrix.shape[0], x.dtype)

    def work(share: int, start: int, stop: int) -> None:
        for block in parts[start:stop]:
            cols = _lower(x, block, out[1], w.shape[2:], steps, scratch[share])
            n0, n1, r0, r1 = block
            rows = y[n0:n1, r0:r1].reshape(-1, o)
            np.matmul(cols, matrix, out=rows)
            if b is not None:
                rows += b

    threads.parallel(work, len(parts))
    return y.transpose(0, 3, 1, 2)


def weight_grad(gy: Array, x: Array, w_shape: Shape, steps: Steps) -> Array:
    """gw = Σ colsᵀ gy over all blocks: gy (N, O, OH, OW), x (N, C, H, W) → (O, C, kh, kw)."""
    (o, c, kh, kw), out = w_shape, gy.shape[2:]
    depth, gy = c * kh * kw, gy.transpose(0, 2, 3, 1)
    parts, scratch = _plan(x.shape[0], out, depth, gy.dtype)
    sums = np.zeros((len(threads.shares(len(parts))), depth, o), dtype=gy.dtype)
    products = np.empty_like(sums)

    def work(share: int, start: int, stop: int) -> None:
        for block in parts[start:stop]:
            cols = _lower(x, block, out[1], (kh, kw), steps, scratch[share])
            n0, n1, r0, r1 = block
            rows = gy[n0:n1, r0:r1].reshape(-1, o)
            sums[share] += np.matmul(cols.T, rows, out=products[share])

    threads.parallel(work, len(parts))
    total = sums[0]
    for part in sums[1:]:
        total += part
    if c <= FEW:
        return np.ascontiguousarray(total.T).reshape(w_shape)
    gw = np.empty((o, c, kh * kw), dtype=gy.dtype)
    for k, slab in enumerate(total.reshape(kh * kw, c, o)):
        gw[:, :, k] = slab.T
    return gw.reshape(w_shape)


def input_grad(gy: Array, w: Array, x_shape: Shape, steps: Steps) -> Array:
    """gx = the columns gy·wᵀ added back to the pixels they came from; channels last in memory."""
    n, c, h, wd = x_shape
    (o, oh, ow), (kh, kw) = gy.shape[1:], w.shape[2:]
    (ph, pw), gy, matrix = steps.padding, gy.transpose(0, 2, 3, 1), _matrix(w, few=0).T
    gx = np.empty((n, h, wd, c), dtype=gy.dtype)
    parts, scratch = _plan(n, (oh, ow), matrix.shape[1], gy.dtype)
    images = sorted({block[:2] for block in parts})

    def work(share: int, start: int, stop: int) -> None:
        for n0, n1 in images[start:stop]:
            padded = np.zeros((n1 - n0, h + 2 * ph, wd + 2 * pw, c), dtype=gy.dtype)
            for r0, r1 in (block[2:] for block in parts if block[:2] == (n0, n1)):
                rows = gy[n0:n1, r0:r1].reshape(-1, o)
                cols = np.matmul(rows, matrix, out=take(scratch[share], len(rows), matrix.shape[1]))
                cols = cols.reshape(n1 - n0, r1 - r0, ow, kh, kw, c)
                _fold(cols, padded[:, r0 * steps.stride[0] :], steps)
            gx[n0:n1] = padded[:, ph : ph + h, pw : pw + wd]

    threads.parallel(work, len(images))
    return gx.transpose(0, 3, 1, 2)


def _fold(cols: Array, padded: Array, steps: Steps) -> None:
    """padded[n, p·sh + i·dh, q·sw + j·dw, c] += cols[n, p, q, i, j, c]."""
    cols, pixels = cols.transpose(3, 4, 0, 5, 1, 2), padded.transpose(0, 3, 1, 2)
    for i in range(cols.shape[0]):
        for j in range(cols.shape[1]):
            part = window(pixels, i, j, cols.shape[4:], steps.stride, steps.dilation)
            part += cols[i, j]


def _matrix(w: Array, few: int = FEW) -> Array:
    """w (O, C, kh, kw) as (kh·kw·C, O), or (C·kh·kw, O) with few channels: the order of a column."""
    o, c, kh, kw = w.shape
    if c <= few:
        return w.reshape(o, -1).T
    matrix = np.empty((o, kh * kw, c), dtype=w.dtype)
    matrix[...] = w.reshape(o, c, kh * kw).swapaxes(1, 2)
    return matrix.reshape(o, kh * kw * c).T


def _plan(n: int, out: Pair, depth: int, dtype: np.dtype) -> tuple[list[Block], Array]:
    """The blocks of a batch, and scratch for the columns of the largest one, for every share."""
    parts = blocks(n, *out, max(ROWS, COLUMNS // depth))
    size = max((places(block, out[1]) for block in parts), default=0)
    return parts, np.empty((len(threads.shares(len(parts))), size * depth), dtype=dtype)


def _lower(x: Array, block: Block, ow: int, kernel: Pair, steps: Steps, scratch: Array) -> Array:
    """The columns (positions, kh·kw·C) of one block of output rows of x (N, C, H, W)."""
    n0, n1, r0, r1 = block
    (kh, kw), c, few = kernel, x.shape[1], x.shape[1] <= FEW
    (sh, sw), (ph, pw), (dh, dw) = steps
    height = (r1 - r0 - 1) * sh + dh * (kh - 1) + 1
    width = (ow - 1) * sw + dw * (kw - 1) + 1
    part = cut(x[n0:n1], r0 * sh - ph, -pw, height, width, channels_last=not few)
    tn, tc, th, tw = part.strides
    shape = (n1 - n0, c, r1 - r0, ow, kh, kw)
    windows = as_strided(part, shape, (tn, tc, sh * th, sw * tw, dh * th, dw * tw))
    windows = windows.transpose((1, 4, 5, 0, 2, 3) if few else (0, 2, 3, 4, 5, 1))
    cols = take(scratch, *windows.shape)
    cols[...] = windows
    return cols.reshape(c * kh * kw, -1).T if few else cols.reshape(-1, kh * kw * c)
