"""Winograd convolution F(4×4, 3×3): a 4×4 output tile from a 6×6 input tile by 36 products instead of 144.

In one dimension  y = Aᵀ [(G w) ⊙ (Bᵀ x)]  with x of 6, w of 3, y of 4 elements; in two, both sides of a
matrix. Summed over channels, the element-wise product becomes one matrix product for each of the 36
positions e:  M_e (tiles, O) = V_e (tiles, C) @ U_e (C, O). Written on flattened tiles the transforms are
products with Kronecker squares, (B⊗B)ᵀ etc., so that BLAS does all arithmetic. The adjoint of the same
chain in w gives the weight gradient. Float32 only: the transforms amplify rounding about tenfold.

Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks".
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import threads
from .blocking import Array, Block, blocks, cut, places, take
from .geometry import Conv, Pair

BT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
)
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
AT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

IN = np.kron(BT, BT).astype(np.float32)  # (36, 36): input tile → V
KERNEL = np.kron(G, G).astype(np.float32)  # (36, 9): w → U
OUT = np.kron(AT, AT).astype(np.float32)  # (16, 36): M → output tile

TILES = 200  # in one block: enough for the products, few enough for V and M to stay in the cache
GROUP = 1 << 24  # floats of V and M kept at once by the weight gradient: 64 MiB


def can(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """3×3, stride 1, no dilation, float32; the input gradient pads by 2 − padding."""
    return (
        dtype == np.float32
        and conv.w[2:] == (3, 3)
        and conv.stride == conv.dilation == (1, 1)
        and max(conv.padding) <= 2
    )


def forward(x: Array, w: Array, b: Array | None, conv: Conv) -> Array:
    """conv2d, stride 1: x (N, C, H, W), w (O, C, 3, 3) → y (N, O, OH, OW) in channels-last memory."""
    o, c = w.shape[:2]
    u = KERNEL @ w.reshape(o * c, 9).T
    return _correlate(x, u.reshape(36, o, c).swapaxes(1, 2), b, conv.padding)


def input_grad(gy: Array, w: Array, conv: Conv) -> Array:
    """The adjoint in x is again a 3×3 convolution: of gy with w flipped, its channels exchanged."""
    o, c = w.shape[:2]
    u = KERNEL[:, ::-1] @ w.reshape(o * c, 9).T
    return _correlate(gy, u.reshape(36, o, c), None, (2 - conv.padding[0], 2 - conv.padding[1]))


def _correlate(x: Array, u: Array, b: Array | None, padding: Pair) -> Array:
    """x (N, C, H, W) with the transformed kernel u (36, C, O), block by block of tiles."""
    n, c, h, w = x.shape
    o = u.shape[2]
    grid = _Grid(n, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2)
    y = np.empty((n, *grid.out, o), dtype=np.float32)
    shares = len(threads.shares(len(grid.blocks)))
    scratch = np.empty((shares, 2, 36 * grid.size * max(c, o)), dtype=np.float32)

    def work(share: int, start: int, stop: int) -> None:
        one, two = scratch[share]
        for block in grid.blocks[start:stop]:
            t = grid.tiles(block)
            v = grid.transform(IN, x, block, padding, one, take(two, 36, t * c))
            m = np.matmul(v.reshape(36, t, c), u, out=take(one, 36, t, o))
            z = np.matmul(OUT, m.reshape(36, t * o), out=take(two, 16, t * o))
            grid.write(z.reshape(4, 4, t, o), block, b, y)

    threads.parallel(work, len(grid.blocks))
    return y.transpose(0, 3, 1, 2)


def weight_grad(gy: Array, x: Array, conv: Conv) -> Array:
    """gw = (G⊗G)ᵀ dU,  dU_e = Σ_tiles dM_eᵀ V_e,  dM = (A⊗A) gy: the transposed chain.

    In groups of blocks: first all tiles are transformed, block by block, then summed over, e by e.
    """
    o, c = conv.w[:2]
    grid = _Grid(conv.x[0], *conv.out)
    together = max(1, GROUP // (36 * (c + o) * grid.size))
    v = np.empty((36, together * grid.size * c), dtype=np.float32)
    dm = np.empty((36, together * grid.size * o), dtype=np.float32)
    scratch = np.empty((threads.threads(), 36 * grid.size * max(c, o)), dtype=np.float32)
    du = np.zeros((36, o, c), dtype=np.float32)
    products = np.empty((threads.threads(), o, c), dtype=np.float32)
    for first in range(0, len(grid.blocks), together):
        group = grid.blocks[first : first + together]
        ends = list(itertools.accumulate(map(grid.tiles, group), initial=0))
        transform = functools.partial(
            _transform_both, grid, group, ends, (x, gy), conv.padding, (v, dm), scratch
        )
        threads.parallel(transform, len(group))
        summed = v[:, : ends[-1] * c].reshape(36, -1, c), dm[:, : ends[-1] * o].reshape(36, -1, o)
        threads.parallel(functools.partial(_sum_tiles, *summed, products, du), 36)
    return (du.reshape(36, o * c).T @ KERNEL).reshape(conv.w)


def _transform_both(
    grid: _Grid,
    group: list[Block],
    ends: list[int],
    images: tuple[Array, Array],
    padding: Pair,
    out: tuple[Array, Array],
    scratch: Array,
    share: int,
    start: int,
    stop: int,
) -> None:
    """V of x and dM of gy for some blocks of a group, each into its run of tiles."""
    (x, gy), (v, dm) = images, out
    c, o = x.shape[1], gy.shape[1]
    for block, t0, t1 in zip(group[start:stop], ends[start:], ends[start + 1 :], strict=False):
        grid.transform(IN, x, block, padding, scratch[share], v[:, t0 * c : t1 * c])
        grid.transform(OUT.T, gy, block, (0, 0), scratch[share], dm[:, t0 * o : t1 * o])


def _sum_tiles(v: Array, dm: Array, products: Array, du: Array, share: int, start: int, stop: int) -> None:
    """dU_e += dM_eᵀ V_e for some of the 36 positions e."""
    for e in range(start, stop):
        du[e] += np.matmul(dm[e].T, v[e], out=products[share])


class _Grid:
    """The 4×4 tiles of an output (N, OH, OW), and their cut into blocks (n0, n1, row0, row1)."""

    def __init__(self, n: int, oh: int, ow: int) -> None:
        self.out = oh, ow
        self.cols = -(-ow // 4)
        self.blocks = blocks(n, -(-oh // 4), self.cols, TILES)
        self.size = max((self.tiles(block) for block in self.blocks), default=0)

    def tiles(self, block: Block) -> int:
        return places(block, self.cols)

    def transform(
        self, by: Array, x: Array, block: Block, padding: Pair, scratch: Array, out: Array
    ) -> Array:
        """out (·, tiles·C) = by · the k×k tiles of one block of x (N, C, H, W), zeros outside x."""
        (n0, n1, r0, r1), c = block, x.shape[1]
        k = 6 if by.shape[1] == 36 else 4
        height, width = 4 * (r1 - r0) + k - 4, 4 * self.cols + k - 4
        part = cut(x[n0:n1], 4 * r0 - padding[0], -padding[1], height, width, channels_last=True)
        sn, sc, sh, sw = part.strides
        shape = (k, k, n1 - n0, r1 - r0, self.cols, c)
        tiles = take(scratch, *shape)
        tiles[...] = as_strided(part, shape, (sh, sw, sn, 4 * sh, 4 * sw, sc))
        return np.matmul(by, tiles.reshape(k * k, -1), out=out)

    def write(self, z: Array, block: Block, b: Array | None, y: Array) -> None:
        """Write the tiles z (4, 4, tiles, O) of one block into y (N, OH, OW, O), adding b."""
        n0, n1, r0, r1 = block
        z = z.reshape(4, 4, n1 - n0, r1 - r0, self.cols, -1)
        for i in range(4):
            for j in range(4):
                to = y[n0:n1, 4 * r0 + i : 4 * r1 : 4, j::4]
                part = z[i, j, :, : to.shape[1], : to.shape[2]]
                if b is None:
                    to[...] = part
                else:
                    np.add(part, b, out=to)
