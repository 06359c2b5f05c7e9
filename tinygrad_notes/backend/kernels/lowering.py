"""Convolution as matrix products on blocks of columns ("im2col"), with the channels last in memory.

The windows of a block of output rows are copied to a matrix that stays in the cache, and multiplied at
once: y = cols w, gw += colsᵀ gy, and gcols = gy wᵀ, added back window by window. A column runs over
(i, j, c), so that each window row is one contiguous run of kw·C numbers; with few channels those runs
would be too short, and the matrix is built transposed, (c, i, j) by positions, in runs of OW numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import threads
from .blocking import Array, Block, blocks, cut, places, take, walk
from .geometry import Conv, window

COLUMNS = 1 << 18  # entries of one block of columns: 1 MiB of float32, what one core's cache holds
ROWS = 512  # but at least so many positions: a product must not re-read w too often
ALONE = 1 << 19  # weights below which one thread reorders them sooner than two
WIDE = 4  # positions for each output channel up to which the columns are built all at once for gw
FEW = 8  # channels up to which the columns are built transposed


def can(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """im2col does every convolution of one group."""
    return True


def forward(x: Array, w: Array, b: Array | None, conv: Conv) -> Array:
    """conv2d: x (N, C, H, W), w (O, C, kh, kw) → y (N, O, OH, OW), channels last in memory."""
    y = np.empty((x.shape[0], *conv.out, w.shape[0]), dtype=x.dtype)
    write(x, w, b, conv, _parts(conv), y)
    return y.transpose(0, 3, 1, 2)


def write(x: Array, w: Array, b: Array | None, conv: Conv, parts: list[Block], y: Array) -> None:
    """conv2d into y (N, OH, OW, O), for the blocks `parts` of output rows."""
    o, matrix, scratch = w.shape[0], _matrix(w), _scratch(conv, parts, x.dtype)

    def work(share: int, start: int, stop: int) -> None:
        for block in parts[start:stop]:
            cols = _lower(x, block, conv, scratch[share])
            n0, n1, r0, r1 = block
            rows = y[n0:n1, r0:r1].reshape(-1, o)
            np.matmul(cols, matrix, out=rows)
            if b is not None:
                rows += b

    threads.parallel(work, len(parts))


def weight_grad(gy: Array, x: Array, conv: Conv, parts: list[Block] | None = None) -> Array:
    """gw = Σ colsᵀ gy over all blocks, or `parts`: gy (N, O, OH, OW), x (N, C, H, W) → (O, C, kh, kw)."""
    o, c, kh, kw = conv.w
    if parts is None and c > FEW and conv.x[0] * conv.out[0] * conv.out[1] <= WIDE * o:
        return _wide_weight_grad(gy, x, conv)
    gy = gy.transpose(0, 2, 3, 1)
    parts = _parts(conv) if parts is None else parts
    scratch = _scratch(conv, parts, gy.dtype)
    sums = np.zeros((len(threads.shares(len(parts))), kh * kw * c, o), dtype=gy.dtype)
    products = np.empty_like(sums)

    def work(share: int, start: int, stop: int) -> None:
        for block in parts[start:stop]:
            cols = _lower(x, block, conv, scratch[share])
            n0, n1, r0, r1 = block
            rows = gy[n0:n1, r0:r1].reshape(-1, o)
            sums[share] += np.matmul(cols.T, rows, out=products[share])

    threads.parallel(work, len(parts))
    total = sums[0]
    for part in sums[1:]:
        total += part
    if c <= FEW:
        return np.ascontiguousarray(total.T).reshape(conv.w)
    gw = np.empty((o, c, kh * kw), dtype=gy.dtype)
    for k, slab in enumerate(total.reshape(kh * kw, c, o)):
        gw[:, :, k] = slab.T
    return gw.reshape(conv.w)


def _wide_weight_grad(gy: Array, x: Array, conv: Conv) -> Array:
    """gw = gyᵀ cols over all positions at once, some rows of gw on each thread.

    Where the weights are many and the positions few, a sum over blocks would spend its time on adding up gw.
    """
    (n, c), (o, _, kh, kw), (oh, ow) = conv.x[:2], conv.w, conv.out
    rows = gy.transpose(0, 2, 3, 1).reshape(-1, o)
    cols = np.empty((n, oh * ow * kh * kw * c), dtype=gy.dtype)
    threads.parallel(lambda _, i, j: _lower(x, (i, j, 0, oh), conv, cols[i:j].reshape(-1)), n)
    cols, gw = cols.reshape(len(rows), -1), np.empty(conv.w, dtype=gy.dtype)

    def work(share: int, start: int, stop: int) -> None:
        part = np.matmul(rows[:, start:stop].T, cols)
        gw[start:stop] = part.reshape(-1, kh, kw, c).transpose(0, 3, 1, 2)

    threads.parallel(work, o)
    return gw


def input_grad(gy: Array, w: Array, conv: Conv) -> Array:
    """gx = the columns gy·wᵀ added back to the pixels they came from; channels last in memory."""
    (n, c, h, wd), (o, _, kh, kw), (ph, pw) = conv.x, conv.w, conv.padding
    gy, matrix = gy.transpose(0, 2, 3, 1), _matrix(w, few=0).T
    gx, parts = np.empty((n, h, wd, c), dtype=gy.dtype), _parts(conv)
    scratch = _scratch(conv, parts, gy.dtype)
    images = sorted({block[:2] for block in parts})

    def work(share: int, start: int, stop: int) -> None:
        for n0, n1 in images[start:stop]:
            padded = np.zeros((n1 - n0, h + 2 * ph, wd + 2 * pw, c), dtype=gy.dtype)
            for r0, r1 in (block[2:] for block in parts if block[:2] == (n0, n1)):
                rows = gy[n0:n1, r0:r1].reshape(-1, o)
                cols = np.matmul(rows, matrix, out=take(scratch[share], len(rows), matrix.shape[1]))
                cols = cols.reshape(n1 - n0, r1 - r0, conv.out[1], kh, kw, c)
                _fold(cols, padded[:, r0 * conv.stride[0] :], conv)
            gx[n0:n1] = padded[:, ph : ph + h, pw : pw + wd]

    threads.parallel(work, len(images))
    return gx.transpose(0, 3, 1, 2)


def _fold(cols: Array, padded: Array, conv: Conv) -> None:
    """padded[n, p·sh + i·dh, q·sw + j·dw, c] += cols[n, p, q, i, j, c]."""
    cols, pixels = cols.transpose(3, 4, 0, 5, 1, 2), padded.transpose(0, 3, 1, 2)
    for i in range(cols.shape[0]):
        for j in range(cols.shape[1]):
            part = window(pixels, i, j, cols.shape[4:], conv.stride, conv.dilation)
            part += cols[i, j]


def _matrix(w: Array, few: int = FEW) -> Array:
    """w (O, C, kh, kw) as (kh·kw·C, O), or (C·kh·kw, O) with few channels: a column's order."""
    o, c, kh, kw = w.shape
    if c <= few:
        return w.reshape(o, -1).T
    matrix = np.empty((o, kh * kw, c), dtype=w.dtype)
    windows = w.reshape(o, c, kh * kw).swapaxes(1, 2)
    if w.size < ALONE:
        matrix[...] = windows
    else:
        threads.parallel(lambda _, i, j: np.copyto(matrix[i:j], windows[i:j]), o)
    return matrix.reshape(o, kh * kw * c).T


def _parts(conv: Conv) -> list[Block]:
    return cut_up((0, conv.x[0], 0, conv.out[0]), conv)


def cut_up(block: Block, conv: Conv) -> list[Block]:
    """A block of output rows in smaller ones, whose columns fit the cache."""
    n0, n1, r0, r1 = block
    target = max(ROWS, COLUMNS // (conv.w[1] * conv.w[2] * conv.w[3]))
    small = blocks(n1 - n0, r1 - r0, conv.out[1], target)
    return [(n0 + a, n0 + b, r0 + p, r0 + q) for a, b, p, q in small]


def _scratch(conv: Conv, parts: list[Block], dtype: np.dtype[Any]) -> Array:
    """Room for the columns of the largest block, for every share."""
    size = max(places(block, conv.out[1]) for block in parts)
    return np.empty((len(threads.shares(len(parts))), size * conv.w[1] * conv.w[2] * conv.w[3]), dtype=dtype)


def _lower(x: Array, block: Block, conv: Conv, scratch: Array) -> Array:
    """The columns (positions, kh·kw·C) of one block of output rows of x (N, C, H, W)."""
    n0, n1, r0, r1 = block
    (_, c, kh, kw), ow, few = conv.w, conv.out[1], conv.w[1] <= FEW
    (sh, sw), (ph, pw), (dh, dw) = conv.stride, conv.padding, conv.dilation
    height = (r1 - r0 - 1) * sh + dh * (kh - 1) + 1
    width = (ow - 1) * sw + dw * (kw - 1) + 1
    part = cut(x[n0:n1], r0 * sh - ph, -pw, height, width, channels_last=not few)
    image, row, column = (0, 1, n1 - n0), (2, sh, r1 - r0), (3, sw, ow)
    if few:
        windows = walk(part, (1, 1, c), (2, dh, kh), (3, dw, kw), image, row, column)
    else:
        part = part.transpose(0, 2, 3, 1)
        row, column = (1, *row[1:]), (2, *column[1:])
        windows = walk(part, image, row, column, (1, dh, kh), (2, dw, kw), (3, 1, c))
    cols = take(scratch, *windows.shape)
    cols[...] = windows
    return cols.reshape(c * kh * kw, -1).T if few else cols.reshape(-1, kh * kw * c)
