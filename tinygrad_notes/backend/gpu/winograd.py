"""Winograd convolution on a GPU: 3×3, stride 1, float32; derivation: kernels/winograd.py.

    V (36, C, T), U (36, O, C) of T input tiles 6×6 and the weights    one launch
    M (36, O, T) = U V                                                 a batch of products
    y of the output tiles 4×4 of M, and the bias                       one launch

and for the weight gradient V and dM of x and gy, dU = dM Vᵀ, gw of dU: no launch more than im2col takes.

F(4×4, 3×3) and not F(2×2, 3×3): for each pixel and each channel it has 36/16 numbers to move and to multiply,
where that has 16/4; and with the points of the CPU its errors are those of the CPU. It stands aside where
products round their factors to TF32 or float16: rounding errors of the products grow fivefold, beyond what
that setting allows, and V is up to 28561 times x.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import cupy
import numpy as np

from ..kernels import winograd
from ..kernels.geometry import Conv
from ..precision import get_float32_conv_precision, get_float32_matmul_precision
from . import launch
from .products import matmul
from .winograd_texts import BOTH, FIELDS, INPUTS, KERNELS, OUTPUTS, stands_out

Array = Any

FEW = 32  # channels on either side, as on the CPU: fewer leave most of a product's blocks empty
PER_NUMBER = 32  # float32 multiplications in the time of moving one number: 25 (A100) and more by data sheets
ROOM = 1 << 28  # elements of V or M made at once, 1 GiB: larger batches are cut


def takes(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """Whether this convolution and its two gradients are Winograd's: allowed, able, and less work."""
    allowed = get_float32_conv_precision() == "high" and get_float32_matmul_precision() == "highest"
    return allowed and _is_less(conv, dtype)


@functools.lru_cache(maxsize=1024)
def _is_less(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """By count, not by measurement: numbers moved to or from memory, and multiplications as so many of them.

    im2col reads x, writes and reads the columns 9·C·P; writes, reads and writes y. Winograd reads x, writes
    and reads V, writes and reads M, writes y; and writes and reads U, four times w.
    """
    if not (winograd.can(conv, dtype) and conv.w[2:] == (3, 3) and conv.groups == 1):
        return False
    (o, c), places = conv.w[:2], conv.x[0] * math.prod(conv.out)
    tiles, kernels = math.prod(_grid(conv)), o * c
    columns = (19 * c + 3 * o) * places + 9 * kernels + 9 * kernels * places / PER_NUMBER
    ours = (c + o) * (places + 72 * tiles) + 81 * kernels + 36 * kernels * tiles / PER_NUMBER
    return min(o, c) >= FEW and ours < columns


def forward(x: Array, w: Array, b: Array | None, conv: Conv) -> Array:
    """conv2d: x (N, C, H, W), w (O, C, 3, 3), b (O,) → y (N, O, OH, OW)."""
    return _correlate(x, w, b, conv, flipped=False)


def input_grad(gy: Array, w: Array, conv: Conv) -> Array:
    """The adjoint in x: gy correlated with w flipped, its channels exchanged."""
    (o, c), (top, left) = conv.w[:2], conv.padding
    adjoint = conv._replace(
        x=gy.shape, w=(c, o, 3, 3), out=(conv.x[2], conv.x[3]), padding=(2 - top, 2 - left)
    )
    return _correlate(gy, w, None, adjoint, flipped=True)


def _grid(conv: Conv) -> tuple[int, int, int]:
    """Tiles (images, rows, columns) of the output."""
    return conv.x[0], -(-conv.out[0] // 4), -(-conv.out[1] // 4)


def weight_grad(gy: Array, x: Array, conv: Conv) -> Array:
    """The transposed chain: gw (O, C, 3, 3) from dU (36, O, C) = Σ over tiles of (A gy Aᵀ) V."""
    gy, x = cupy.ascontiguousarray(gy), cupy.ascontiguousarray(x)
    parts = [_kernels(gy[part], x[part], conv._replace(x=x[part].shape)) for part in _parts(conv)]
    return functools.reduce(operator.add, parts)


def _kernels(gy: Array, x: Array, conv: Conv) -> Array:
    """gw of some images: two launches around a product."""
    (o, c), tiles = conv.w[:2], math.prod(_grid(conv))
    v, d = cupy.empty((37, c, tiles), x.dtype), cupy.empty((37, o, tiles), x.dtype)
    blocks, more = (-(-count * tiles // launch.THREADS) for count in (c, o))
    index, sizes = _sizes(conv, blocks)
    levels = stands_out(x.size), stands_out(gy.size)
    launch.over(BOTH(index), launch.THREADS * (blocks + more), x, gy, v, d, *levels, sizes)
    du, gw = matmul(d, v.swapaxes(1, 2)), cupy.empty(conv.w, x.dtype)
    launch.over(KERNELS(index), o * c, du, v[36], d[36], x, gy, gw, sizes)
    return gw


def _correlate(x: Array, w: Array, b: Array | None, conv: Conv, flipped: bool) -> Array:
    """x with w, or with w (C, O, 3, 3) turned around if `flipped`, some images at a time."""
    x, w = cupy.ascontiguousarray(x), cupy.ascontiguousarray(w)
    y = cupy.empty((conv.x[0], conv.w[0], *conv.out), x.dtype)
    for part in _parts(conv):
        _write(x[part], w, b, conv._replace(x=x[part].shape), flipped, y[part])
    return y


def _write(x: Array, w: Array, b: Array | None, conv: Conv, flipped: bool, y: Array) -> None:
    """y = the correlation and the bias: two launches around a product."""
    (o, c), tiles = conv.w[:2], math.prod(_grid(conv))
    v, u = cupy.empty((36, c, tiles), x.dtype), cupy.empty((36, *w.shape[:2]), x.dtype)
    blocks = -(-c * tiles // launch.THREADS)
    index, sizes = _sizes(conv, blocks)
    turned, threads = np.int32(flipped), launch.THREADS * blocks + o * c
    launch.over(INPUTS(index), threads, x, w, v, u, turned, stands_out(x.size), sizes)
    m = matmul(u.swapaxes(1, 2) if flipped else u, v)
    biased = np.int32(b is not None)
    b = m if b is None else cupy.ascontiguousarray(b)
    launch.over(OUTPUTS(index), o * tiles, m, x, w, b, y, biased, turned, sizes)


def _parts(conv: Conv) -> list[slice]:
    """Images whose tiles are in memory at once."""
    n = conv.x[0]
    step = max(1, ROOM * n // (36 * max(conv.w[:2]) * math.prod(_grid(conv))))
    return [slice(first, first + step) for first in range(0, n, step)]


def _sizes(conv: Conv, blocks: int) -> tuple[str, Any]:
    """The type of indices, and the struct; the weights come after so many blocks of input tiles."""
    (o, c), grid = conv.w[:2], _grid(conv)
    y, tiles = (conv.x[0], o, *conv.out), math.prod(grid)
    index = launch.index_type(conv.x, y, (37, c, tiles), (37, o, tiles), (37, o, c))
    return index, launch.packed(FIELDS, index, (*conv.x, *grid[1:], *conv.padding, *y[1:], blocks))
