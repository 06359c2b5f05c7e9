"""Winograd convolution F(4×4, 3×3): a 4×4 output tile from a 6×6 input tile by 36 products instead of 144.

In one dimension  y = Aᵀ [(G w) ⊙ (Bᵀ x)]  with x of 6, w of 3, y of 4 elements; in two, both sides of a
matrix. Summed over channels, the element-wise product becomes one matrix product for each of the 36
positions e:  M_e (tiles, O) = V_e (tiles, C) @ U_e (C, O). Written on flattened tiles the transforms are
products with Kronecker squares, (B⊗B)ᵀ etc., so that BLAS does all arithmetic. The adjoint of the same
chain in w gives the weight gradient. Float32 only: the transforms amplify rounding about tenfold.

Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks".
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import threads
from .blocking import Array, Block, blocks, cut, places, take
from .geometry import Pair


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


def forward(x: Array, w: Array, b: Array | None, padding: Pair) -> Array:
    """conv2d, stride 1: x (N, C, H, W), w (O, C, 3, 3) → y (N, O, OH, OW) in channels-last memory."""
    o, c = w.shape[:2]
    u = KERNEL @ w.reshape(o * c, 9).T
    return _correlate(x, u.reshape(36, o, c).swapaxes(1, 2), b, padding)


def input_grad(gy: Array, w: Array, padding: Pair) -> Array:
    """The adjoint in x is again a 3×3 convolution: of gy with w flipped, its channels exchanged."""
    o, c = w.shape[:2]
    u = KERNEL[:, ::-1] @ w.reshape(o * c, 9).T
    return _correlate(gy, u.reshape(36, o, c), None, (2 - padding[0], 2 - padding[1]))


def _correlate(x: Array, u: Array, b: Array | None, padding: Pair) -> Array:
    """x (N, C, H, W) with the transformed kernel u (36, C, O), block by block of tiles."""
    n, c, h, w = x.shape
    o = u.shape[2]
    grid = _Grid(n, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2)
    y = np.empty((n, *grid.out, o), dtype=np.float32)
    scratch = [
        np.empty((2, 36 * grid.size * max(c, o)), dtype=np.float32)
        for _ in threads.shares(len(grid.blocks))
    ]

    def work(share: int, start: int, stop: int) -> None:
        one, two = scratch[share]
        for block in grid.blocks[start:stop]:
            t = grid.tiles(block)
            d = take(one, 36, t * c)
            grid.gather(x, block, padding, d.reshape(6, 6, t, c))
            v = np.matmul(IN, d, out=take(two, 36, t * c))
            m = np.matmul(v.reshape(36, t, c), u, out=take(one, 36, t, o))
            z = np.matmul(OUT, m.reshape(36, t * o), out=take(two, 16, t * o))
            grid.scatter(z.reshape(4, 4, t, o), block, b, y)

    threads.parallel(work, len(grid.blocks))
    return y.transpose(0, 3, 1, 2)


def weight_grad(gy: Array, x: Array, padding: Pair) -> Array:
    """gw = (G⊗G)ᵀ dU,  dU_e = Σ_tiles dM_eᵀ V_e,  dM = (A⊗A) gy: the transposed chain."""
    n, o, oh, ow = gy.shape
    c = x.shape[1]
    grid = _Grid(n, oh, ow)
    width = max(c, o)
    group = max(1, GROUP // (36 * (c + o) * grid.size))
    v = np.empty((36, group * grid.size, c), dtype=np.float32)
    dm = np.empty((36, group * grid.size, o), dtype=np.float32)
    scratch = [np.empty(36 * grid.size * width, np.float32) for _ in threads.shares(group)]
    du = np.zeros((36, o, c), dtype=np.float32)
    for first in range(0, len(grid.blocks), group):
        blocks = grid.blocks[first : first + group]
        ends = np.cumsum([grid.tiles(block) for block in blocks])

        def transform(share: int, start: int, stop: int, blocks=blocks, ends=ends) -> None:
            for block, end in zip(blocks[start:stop], ends[start:stop], strict=True):
                t = grid.tiles(block)
                d = take(scratch[share], 36, t * c)
                grid.gather(x, block, padding, d.reshape(6, 6, t, c))
                np.matmul(IN, d, out=v.reshape(36, -1)[:, (end - t) * c : end * c])
                d = take(scratch[share], 16, t * o)
                grid.gather(gy, block, (0, 0), d.reshape(4, 4, t, o))
                np.matmul(OUT.T, d, out=dm.reshape(36, -1)[:, (end - t) * o : end * o])

        def multiply(share: int, start: int, stop: int, total=int(ends[-1])) -> None:
            product = scratch2[share]
            for e in range(start, stop):
                np.matmul(dm[e, :total].T, v[e, :total], out=product)
                du[e] += product

        scratch2 = [np.empty((o, c), dtype=np.float32) for _ in threads.shares(36)]
        threads.parallel(transform, len(blocks))
        threads.parallel(multiply, 36)
    return (du.reshape(36, o * c).T @ KERNEL).reshape(o, c, 3, 3)


class _Grid:
    """The 4×4 tiles of an output (N, OH, OW), and their cut into blocks (n0, n1, row0, row1)."""

    def __init__(self, n: int, oh: int, ow: int) -> None:
        self.out = oh, ow
        self.cols = -(-ow // 4)
        self.blocks = blocks(n, -(-oh // 4), self.cols, TILES)
        self.size = max((self.tiles(block) for block in self.blocks), default=0)

    def tiles(self, block: Block) -> int:
        return places(block, self.cols)

    def gather(self, x: Array, block: Block, padding: Pair, d: Array) -> None:
        """Copy the k×k tiles of one block of x (N, C, H, W) into d (k, k, tiles, C), zeros outside."""
        n0, n1, r0, r1 = block
        k, c = d.shape[0], d.shape[3]
        height, width = 4 * (r1 - r0) + k - 4, 4 * self.cols + k - 4
        part = cut(x[n0:n1], 4 * r0 - padding[0], -padding[1], height, width, channels_last=True)
        sn, sc, sh, sw = part.strides
        shape = (k, k, n1 - n0, r1 - r0, self.cols, c)
        d.reshape(shape)[...] = as_strided(part, shape, (sh, sw, sn, 4 * sh, 4 * sw, sc))

    def scatter(self, z: Array, block: Block, b: Array | None, y: Array) -> None:
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
