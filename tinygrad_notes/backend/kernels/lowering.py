"""Convolution as matrix products on blocks of columns, in channels-last memory.

The windows of a block of output rows are copied to a matrix (positions, kh·kw·C) that stays in the cache,
and multiplied at once: y = cols wᵀ, gw += gyᵀ cols, and gcols = gy w, added back window by window.
With the channels innermost each window row is one contiguous run of kw·C numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import threads
from .geometry import Pair, Shape

Array = Any
Block = tuple[int, int, int, int]

COLUMN_FLOATS = 1 << 19  # entries of one block of columns: 2 MiB of float32
LEAST_ROWS = 256  # positions in a block, so that the product re-reads w seldom


def forward(x: Array, w: Array, b: Array | None, out: Pair, geometry: Geometry) -> Array:
    """conv2d: x (N, C, H, W), w (O, C, kh, kw) → y (N, O, OH, OW), channels-last in memory."""
    n, o = x.shape[0], w.shape[0]
    x = x.transpose(0, 2, 3, 1)
    matrix = _matrix(w)
    y = np.empty((n, *out, o), dtype=x.dtype)
    blocks, size = _blocks(n, out, matrix.shape[1])
    columns = _columns_scratch(blocks, size, matrix)

    def work(share: int, start: int, stop: int) -> None:
        for n0, n1, r0, r1 in blocks[start:stop]:
            cols = _lower(x[n0:n1], (r0, r1), out, w.shape[2:], geometry, columns[share])
            part = y[n0:n1, r0:r1].reshape(-1, o)
            np.matmul(cols, matrix.T, out=part)
            if b is not None:
                part += b

    threads.parallel(work, len(blocks))
    return y.transpose(0, 3, 1, 2)
