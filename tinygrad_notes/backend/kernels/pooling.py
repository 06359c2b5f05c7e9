"""Pooling on NumPy: one strided view per window offset, never a k²-fold copy of the image.

Every offset (i, j) of the window is one element-wise step on arrays of the output's size. Padding is not
copied either: an offset touches only those outputs whose window reaches inside the image there.
Outputs keep the memory order of their input. The definitions are in plain.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import plain, threads
from .blocking import Array
from .geometry import Pair, Shape, expect_shape, pool_size

ONE = (1, 1)
UNSIGNED = {2: np.uint16, 4: np.uint32, 8: np.uint64}


def max_pool2d(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """(y, index) of plain.max_pool2d, by running maxima."""
    if x.dtype.kind != "f":
        return plain.max_pool2d(np, x, kernel, stride, padding, dilation, ceil_mode)
    out = pool_size("max_pool2d", x.shape, kernel, stride, padding, dilation, ceil_mode)
    y = like(x, out)
    index = like(x, out, plain.index_dtype(kernel))
    offsets = list(_offsets(x.shape, out, kernel, stride, padding, dilation))
    first = plain.first_inside(np, out, kernel, stride, padding, dilation)

    def work(share: int, start: int, stop: int) -> None:
        for part in _pieces(x, start, stop):
            _running_max(x[part], y[part], index[part], offsets, first)

    _each_image(work, x)
    if np.isnan(y).any():
        # Where NaN takes part, > no longer tells which place won.
        return plain.max_pool2d(np, x, kernel, stride, padding, dilation, ceil_mode)
    return y, index


def _running_max(x: Array, y: Array, index: Array, offsets: list[_Offset], first: Array) -> None:
    if offsets and offsets[0].full:
        y[...] = x[offsets[0].source]
        index[...] = 0
        offsets = offsets[1:]
    else:
        y[...] = -np.inf
        index[...] = first
    for offset in offsets:
        value, best, place = x[offset.source], y[offset.target], index[offset.target]
        wins = np.greater(value, best).view(np.uint8)
        # A later place that wins has the larger number, so the maximum of the numbers is the winner's.
        np.maximum(place, wins * place.dtype.type(offset.place), out=place)
        np.maximum(best, value, out=best)
