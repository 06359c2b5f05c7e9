"""Convolution as matrix products on blocks of columns, in channels-last memory ("im2col").

The windows of a block of output rows are copied to a matrix (positions, kh·kw·C) that stays in the cache,
and multiplied at once: y = cols wᵀ, gw += gyᵀ cols, and gcols = gy w, added back window by window.
With the channels innermost each window row is one contiguous run of kw·C numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import threads
from .blocking import Array, blocks, cut, places, take
from .geometry import Pair, Shape, window

COLUMNS = 1 << 18  # entries of one block of columns: 1 MiB of float32
ROWS = 256  # at least so many positions in a block: a product should not re-read w too often


class Steps(NamedTuple):
    """How the windows walk over the image."""

    stride: Pair
    padding: Pair
    dilation: Pair


def forward(x: Array, w: Array, b: Array | None, out: Pair, steps: Steps) -> Array:
    """conv2d: x (N, C, H, W), w (O, C, kh, kw) → y (N, O, OH, OW), channels-last in memory."""
    n, o = x.shape[0], w.shape[0]
    x, matrix = x.transpose(0, 2, 3, 1), _matrix(w)
    y = np.empty((n, *out, o), dtype=x.dtype)
    parts, scratch = _plan(n, out, matrix)

    def work(share: int, start: int, stop: int) -> None:
        for block in parts[start:stop]:
            cols = _lower(x, block, out[1], w.shape[2:], steps, scratch[share])
            n0, n1, r0, r1 = block
            rows = y[n0:n1, r0:r1].reshape(-1, o)
            np.matmul(cols, matrix.T, out=rows)
            if b is not None:
                rows += b

    threads.parallel(work, len(parts))
    return y.transpose(0, 3, 1, 2)


def weight_grad(gy: Array, x: Array, w_shape: Shape, steps: Steps) -> Array:
    """gw = Σ gyᵀ cols over all blocks: gy (N, O, OH, OW), x (N, C, H, W) → (O, C, kh, kw)."""
    o, c, kh, kw = w_shape
    out = gy.shape[2], gy.shape[3]
    x, gy = x.transpose(0, 2, 3, 1), gy.transpose(0, 2, 3, 1)
    sums = np.zeros((threads.threads(), o, kh * kw * c), dtype=gy.dtype)
    parts, scratch = _plan(x.shape[0], out, sums[0])
    products = np.empty_like(sums)

    def work(share: int, start: int, stop: int) -> None:
        for block in parts[start:stop]:
            cols = _lower(x, block, out[1], (kh, kw), steps, scratch[share])
            n0, n1, r0, r1 = block
            rows = gy[n0:n1, r0:r1].reshape(-1, o)
            sums[share] += np.matmul(rows.T, cols, out=products[share])

    threads.parallel(work, len(parts))
    total = sums.sum(0).reshape(o, kh * kw, c)
    gw = np.empty((o, c, kh * kw), dtype=gy.dtype)
    for k in range(kh * kw):
        gw[:, :, k] = total[:, k]
    return gw.reshape(w_shape)


def input_grad(gy: Array, w: Array, x_shape: Shape, steps: Steps) -> Array:
    """gx = the columns gy·w added back to the pixels they came from; channels-last in memory."""
    n, c, h, wd = x_shape
    (o, oh, ow), (kh, kw) = gy.shape[1:], w.shape[2:]
    (top, left), gy, matrix = steps.padding, gy.transpose(0, 2, 3, 1), _matrix(w)
    gx = np.empty((n, h, wd, c), dtype=gy.dtype)
    parts, scratch = _plan(n, (oh, ow), matrix)
    images = sorted({block[:2] for block in parts})

    def work(share: int, start: int, stop: int) -> None:
        first, last = images[start][0], images[stop - 1][1]
        for n0, n1 in images[start:stop]:
            padded = np.zeros((n1 - n0, c, h + 2 * top, wd + 2 * left), dtype=gy.dtype)
            padded = np.zeros((n1 - n0, h + 2 * top, wd + 2 * left, c), dtype=gy.dtype)
            pixels = padded.transpose(0, 3, 1, 2)
            for block in parts:
                if block[:2] != (n0, n1):
                    continue
                r0, r1 = block[2:]
                rows = gy[n0:n1, r0:r1].reshape(-1, o)
                cols = np.matmul(rows, matrix, out=take(scratch[share], len(rows), matrix.shape[1]))
                cols = cols.reshape(n1 - n0, r1 - r0, ow, kh, kw, c).transpose(3, 4, 0, 5, 1, 2)
                for i in range(kh):
                    for j in range(kw):
                        at = pixels[:, :, r0 * steps.stride[0] :]
                        window(at, i, j, (r1 - r0, ow), steps.stride, steps.dilation)[...] += cols[i, j]
            gx[n0:n1] = padded[:, top : top + h, left : left + wd]

    threads.parallel(work, len(images))
    return gx.transpose(0, 3, 1, 2)


def _matrix(w: Array) -> Array:
    """w (O, C, kh, kw) → (O, kh·kw·C), the order of a column."""
    o, c, kh, kw = w.shape
    matrix = np.empty((o, kh * kw, c), dtype=w.dtype)
    matrix[...] = w.reshape(o, c, kh * kw).swapaxes(1, 2)
    return matrix.reshape(o, kh * kw * c)


def _plan(n: int, out: Pair, matrix: Array) -> tuple[list[Any], Array]:
    """The blocks of a batch, and scratch for the columns of the largest one, for every share."""
    depth = matrix.shape[1]
    parts = blocks(n, *out, max(ROWS, COLUMNS // depth))
    size = max((places(block, out[1]) for block in parts), default=0)
    shares = len(threads.shares(len(parts)))
    return parts, np.empty((shares, size * depth), dtype=matrix.dtype)


def _lower(x: Array, block: Any, ow: int, kernel: Pair, steps: Steps, scratch: Array) -> Array:
    """The columns (positions, kh·kw·C) of one block of output rows of x (N, H, W, C)."""
    n0, n1, r0, r1 = block
    (kh, kw), c = kernel, x.shape[3]
    (sh, sw), (ph, pw), (dh, dw) = steps
    height = (r1 - r0 - 1) * sh + dh * (kh - 1) + 1
    width = (ow - 1) * sw + dw * (kw - 1) + 1
    part = cut(x[n0:n1], r0 * sh - ph, -pw, height, width)
    tn, th, tw, tc = part.strides
    windows = as_strided(
        part,
        (n1 - n0, r1 - r0, ow, kh, kw, c),
        (tn, sh * th, sw * tw, dh * th, dw * tw, tc),
    )
    cols = take(scratch, *windows.shape)
    cols[...] = windows
    return cols.reshape(-1, kh * kw * c)
