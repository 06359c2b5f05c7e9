"""Convolution with the batch innermost in memory, (H, W, C, N): for many small images with few channels.

Every pixel is a contiguous run of C·N numbers, so a copy of pixels is one of long runs, however few channels
there are. Outputs are computed q neighbors of a row at a time, all their channels in one matrix product:

    y[p, bq + s, o, n] = Σ T[(s, o), (i, t, c)] x̄[p + i, bq + t, c, n]
    T[(s, o), (i, t, c)] = w[o, c, i, t − s]

over the kh rows i and q + kw − 1 columns t that they see: a band matrix, zero where w has no column t − s.
With more than FEW channels q is 1 and each row i is a product of its own, read where it lies in the padded
image x̄. With fewer, such matrices would be too small: the width is lowered, x̃[b, r, t] = x̄[r, bq + t], which
holds (q + kw − 1)/q copies of x̄, and the window of output row p is its rows p … p+kh−1, already one matrix
(kh·(q + kw − 1)·C, N). A larger q copies less and multiplies taller matrices, some of it with zeros. These
make NaN of all that is computed beside an infinite pixel, so that one channel of the result tells whether to
leave the numbers to im2col.

Stride 1. After MEC (Cho & Brand 2017, "MEC: Memory-efficient Convolution"), with the batch in the place of
the rows.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from . import lowering, threads
from .blocking import BLOCK, Array, walk
from .geometry import Conv

FEW = 8  # channels up to which the width is lowered
TALL = 24  # rows of T from which BLAS is quick


def can(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """Stride 1 and no dilation."""
    return conv.stride == conv.dilation == (1, 1)


def suits(images: int, channels: int) -> bool:
    """Whether memory with the batch innermost is quick for so many images of so few channels."""
    return images >= 32 and channels <= 16


def forward(x: Array, w: Array, b: Array | None, conv: Conv) -> Array:
    """conv2d: x (N, C, H, W), w (O, C, kh, kw) → y (N, O, OH, OW), the batch innermost in memory."""
    (o, _, kh, _), (oh, ow), q = w.shape, conv.out, _neighbours(conv)
    y = np.empty((oh, ow // q, q * o, x.shape[0]), dtype=x.dtype)
    bands = _band(w, q).reshape(q * o, _products(conv), -1).swapaxes(0, 1)
    bias = None if b is None else _long(b, q, x.shape[0])

    def work(share: int, start: int, stop: int) -> None:
        windows = _windows(x, conv, q, start, stop)
        for run in _runs(stop - start, y[0].size):
            rows = y[start:stop][run]
            np.matmul(bands[0], windows[0, run], out=rows)
            for band, window in zip(bands[1:], windows[1:], strict=True):
                np.add(rows, np.matmul(band, window[run]), out=rows)
            if bias is not None:
                np.add(rows, bias, out=rows)

    with _zeros_may_meet_infinity(q):
        threads.parallel(work, oh)
    if q > 1 and not _finite(y, kh):
        return lowering.forward(x, w, b, conv)
    return _image(y.reshape(oh, ow, o, -1))


def weight_grad(gy: Array, x: Array, conv: Conv) -> Array:
    """∂T = Σ gy · windowᵀ over output rows and blocks; gw is the sum of the q places of w in T."""
    (o, c, kh, kw), (oh, ow), q = conv.w, conv.out, _neighbours(conv)
    blocks, width = ow // q, q + kw - 1
    groups = _products(conv)
    size = q * o * (kh // groups) * width * c
    sums = np.zeros((len(threads.shares(oh)), groups, size), dtype=gy.dtype)

    def work(share: int, start: int, stop: int) -> None:
        windows = _windows(x, conv, q, start, stop).swapaxes(3, 4)
        g = batch_last(gy[:, :, start:stop]).reshape(stop - start, blocks, q * o, -1)
        for run in _runs(stop - start, blocks * size):
            for window, total in zip(windows, sums[share], strict=True):
                total += np.matmul(g[run], window[run]).reshape(-1, size).sum(0)

    threads.parallel(work, oh)
    band = sums.sum(0).reshape(groups, q, o, kh // groups, width, c)
    gw = sum(band[:, s, :, :, s : s + kw] for s in range(q))  # (groups, O, kh/groups, kw, C)
    return np.ascontiguousarray(gw.transpose(1, 4, 0, 2, 3)).reshape(conv.w)


def input_grad(gy: Array, w: Array, conv: Conv) -> Array:
    """Row r of the padded gx: Σ Tᵢᵀ gy[r − i], one product for each block; overlapping blocks are added."""
    (n, c, h, wd), (o, _, kh, kw), (oh, ow), q = conv.x, conv.w, conv.out, _neighbours(conv)
    (top, left), blocks, width = conv.padding, ow // q, q + kw - 1
    # Columns of T by i = kh−1 … 0: the order in which the rows r−kh+1 … r of gy lie in memory.
    band = _band(w, q).reshape(q * o, kh, width * c)[:, ::-1].transpose(2, 1, 0).reshape(width * c, -1)
    gx = np.empty((h, wd, c, n), dtype=gy.dtype)

    def work(share: int, start: int, stop: int) -> None:
        begin = max(0, start + top - (kh - 1))  # of the rows of gy that this share needs
        end = max(begin, min(oh, stop + top))
        rows = batch_last(gy[:, :, begin:end]).reshape(end - begin, blocks, q * o, n)
        g = np.ascontiguousarray(rows.swapaxes(0, 1))
        for run in _runs(stop - start, blocks * width * c * n):
            low, high = start + run.start, start + run.stop
            columns = np.empty((high - low, blocks, width * c, n), dtype=gy.dtype)
            # In one product the rows that see kh rows of gy, which are views of `g` that overlap.
            inner = min(high, max(low, kh - 1 - top))
            outer = max(inner, min(high, oh - top))
            if inner < outer:
                oldest = inner + top - (kh - 1) - begin
                places = (1, 1, outer - inner), (0, 1, blocks), (1, 1, kh), (2, 1, q * o), (3, 1, n)
                seen = walk(g, *places, start=(1, oldest)).reshape(outer - inner, blocks, -1, n)
                np.matmul(band, seen, out=columns[inner - low : outer - low])
            for r in (*range(low, inner), *range(outer, high)):
                oldest = r + top - (kh - 1)
                first, last = max(0, oldest), min(oh, r + top + 1)
                if first >= last:  # padding wider than the kernel: no window reaches this row
                    columns[r - low] = 0
                    continue
                part = band[:, (first - oldest) * q * o : (last - oldest) * q * o]
                seen = g[:, first - begin : last - begin].reshape(blocks, -1, n)
                np.matmul(part, seen, out=columns[r - low])
            gx[low:high] = _overlap(columns.reshape(-1, blocks, width, c, n), q)[:, left : left + wd]

    with _zeros_may_meet_infinity(q):
        threads.parallel(work, h)
    if q > 1 and not _finite(gx, kh):
        return lowering.input_grad(gy, w, conv)
    return _image(gx)


def batch_last(x: Array) -> Array:
    """x (N, C, H, W) as contiguous (H, W, C, N); no copy where it is that already."""
    n, c, h, w = x.shape
    if n == 0 or x.strides[0] < max(x.strides):
        return np.ascontiguousarray(x.transpose(2, 3, 1, 0))
    # Images are often a power of two apart: their pixels would meet in one set of the cache.
    apart = np.empty((n, c * h * w + 16), dtype=x.dtype)
    apart[:, :-16].reshape(x.shape)[...] = x
    return np.ascontiguousarray(apart[:, :-16].reshape(x.shape).transpose(2, 3, 1, 0))


def reshape(x: Array, shape: Any) -> Array:
    """numpy.reshape(x, shape); images flattened to (N, C·H·W) keep the batch innermost in memory."""
    flattened = x.ndim == 4 and shape == (len(x), x.size // max(1, len(x)))
    if not flattened or x.strides[0] != x.itemsize or x.flags.c_contiguous:
        return np.reshape(x, shape)
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0)).reshape(-1, len(x)).T


def _image(x: Array) -> Array:
    return x.transpose(3, 2, 0, 1)


def _products(conv: Conv) -> int:
    """Into how many products the kernel's rows are divided: 1 where the width is lowered."""
    return 1 if conv.w[1] <= FEW else conv.w[2]


@functools.lru_cache(maxsize=1024)
def _neighbours(conv: Conv) -> int:
    """q: the smallest divisor of OW that makes T tall, and none beyond kw, where zeros would prevail."""
    if conv.w[1] > FEW:
        return 1
    divisors = [q for q in range(1, min(conv.w[3], conv.out[1]) + 1) if conv.out[1] % q == 0]
    return next((q for q in divisors if q * conv.w[0] >= TALL), divisors[-1])


def _runs(rows: int, size: int) -> list[slice]:
    """range(rows) in runs that one NumPy call handles, each row of `size` numbers."""
    step = max(1, 2 * BLOCK // max(1, size))
    return [slice(p, min(p + step, rows)) for p in range(0, rows, step)]


def _band(w: Array, q: int) -> Array:
    """T (q·O, kh·(q + kw − 1)·C)."""
    o, c, kh, kw = w.shape
    band = np.zeros((q, o, kh, q + kw - 1, c), dtype=w.dtype)
    for s in range(q):
        band[s, :, :, s : s + kw] = w.transpose(0, 2, 3, 1)
    return band.reshape(q * o, -1)


def _zeros_may_meet_infinity(q: int) -> np.errstate:
    """No warning of the NaN that only a band makes: im2col, which computes anew, warns of the others."""
    return np.errstate(invalid="ignore" if q > 1 else None)


def _finite(image: Array, kh: int) -> bool:
    """Whether (rows, blocks, channels, N) is finite, by one channel: ∞ times the zeros of a band is NaN.

    What is not finite is so in kh rows next to each other, or fewer at an end: one in kh tells, and the last.
    """
    step = next(d for d in range(kh, 0, -1) if (len(image) - 1) % d == 0)
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(np.add.reduce(image[::step, :, 0], None))


def _windows(x: Array, conv: Conv, q: int, start: int, stop: int) -> Array:
    """What the blocks of output rows start … stop−1 see, (kh or 1, rows, OW/q, columns, N): overlapping views
    of x̄, one for each kernel row, or, with few channels, of x̃."""
    (n, c, h, w), (_, _, kh, kw), (top, left) = conv.x, conv.w, conv.padding
    height, width, blocks = stop - start + kh - 1, q + kw - 1, conv.out[1] // q
    first = max(0, start - top)
    last = max(first, min(h, start - top + height))
    rows = batch_last(x[:, :, first:last])
    if top or left:
        padded = np.zeros((height, w + 2 * left, c, n), dtype=x.dtype)
        padded[first + top - start : last + top - start, left : left + w] = rows
        rows = padded
    pixel = (1, 1, width), (2, 1, c), (3, 1, n)
    if c > FEW:
        windows = walk(rows, (0, 1, kh), (0, 1, stop - start), (1, q, blocks), *pixel)
    else:
        lowered = np.empty((blocks, height, width, c, n), dtype=x.dtype)
        lowered[...] = walk(rows, (1, q, blocks), (0, 1, height), *pixel)
        windows = walk(
            lowered, (1, 1, stop - start), (0, 1, blocks), (1, 1, kh), (2, 1, width), (3, 1, c), (4, 1, n)
        )[None]
    return windows.reshape(_products(conv), stop - start, blocks, -1, n)


def _overlap(columns: Array, q: int) -> Array:
    """row[r, bq + t, c, n] = Σ columns[r, b, t, c, n] over blocks b and their columns t."""
    rows, blocks, width, *inner = columns.shape
    row = np.empty((rows, blocks + (width - 1) // q, q, *inner), dtype=columns.dtype)
    row[:, :blocks] = columns[:, :, :q]
    row[:, blocks:] = 0
    for later, t in enumerate(range(q, width, q), 1):
        part = columns[:, :, t : t + q]
        row[:, later : later + blocks, : part.shape[2]] += part
    return row.reshape(rows, -1, *inner)


def _long(b: Array, q: int, n: int) -> Array:
    """The bias b (O,) of q neighbors for n images, written out (q·O, n): NumPy adds it in long runs."""
    bias = np.empty((q, len(b), n), dtype=b.dtype)
    bias[...] = b[:, None]
    return bias.reshape(-1, n)
