"""Winograd convolution by input tiles of 6×6: F(4×4, 3×3) takes 36 products where the direct sum takes
144, F(2×2, 5×5) takes 36 for 100.

In one dimension  yⱼ = Σᵢ wᵢ xᵢ₊ⱼ  with x of 6, w of k, y of m = 7 − k elements. For any a of m elements,
Σⱼ aⱼ yⱼ = Σₙ cₙ xₙ  where c holds the coefficients of a product of two homogeneous polynomials,

    C(X, Y) = a(X, Y) w(X, Y),    a = Σⱼ aⱼ Xʲ Yᵐ⁻¹⁻ʲ,    w = Σᵢ wᵢ Xⁱ Yᵏ⁻¹⁻ⁱ,

of degree 5: known from its values at six points (u, v), of which (1, 0) is ∞ (Toom 1963, Cook 1966),

    C = Σₑ C(uₑ, vₑ)/Nₑ Lₑ,    Lₑ(X, Y) = Π_{f≠e} (v_f X − u_f Y),    Nₑ = Lₑ(uₑ, vₑ)            (Lagrange).

With A and G the powers of the points, uʲ vᵐ⁻¹⁻ʲ and uⁱ vᵏ⁻¹⁻ⁱ/N, and Bᵀ the coefficients of all Lₑ, that is
Σⱼ aⱼ yⱼ = Σₑ (A a)ₑ (G w)ₑ (Bᵀ x)ₑ,  so  y = Aᵀ [(G w) ⊙ (Bᵀ x)].  In two dimensions the matrices act from
both sides. Summed over channels, the element-wise product becomes one matrix product for each of the 36
positions: M_e (tiles, O) = V_e (tiles, C) @ U_e (C, O). Written on flattened tiles the transforms are
products with Kronecker squares, (B⊗B)ᵀ etc., so that BLAS does all arithmetic. The adjoint of the same chain
in w gives the weight gradient. Float32 only: rounding errors are three to five times those of the direct sum
(docs/performance-log.md has a table, and what the points have to do with it).

A pixel reaches every output of its tile, multiplied by what adds up to zero for those that do not see it: an
infinite one would make NaN of them, a large one leave its rounding errors there. So blocks of tiles in which
a number stands out are left to im2col.

Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks".
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from . import lowering, threads
from .blocking import Array, Block, blocks, cut, places, take, walk
from .geometry import Conv, Pair
from .outliers import Level
from .products import matmul

# u/v = 0, ±2/3, ±3/2, ∞, as integers: A and Bᵀ are exact. No five reals beside ∞ amplify rounding errors by
# half a percent less (docs/performance-log.md).
POINTS = ((0, 1), (2, 3), (-2, 3), (3, 2), (-3, 2), (1, 0))


def _powers(degree: int) -> Array:
    """(6, degree + 1): uⁱ v^(degree − i) of every point."""
    return np.array([[u**i * v ** (degree - i) for i in range(degree + 1)] for u, v in POINTS], np.float64)


def _lagrange() -> Array:
    """(6, 6): the coefficients of X⁰Y⁵ … X⁵Y⁰ in Lₑ for every point e."""
    rows = []
    for e in range(6):
        row = np.ones(1)
        for u, v in POINTS[:e] + POINTS[e + 1 :]:
            row = np.convolve(row, [-u, v])
        rows.append(row)
    return np.array(rows)


BT = _lagrange()
N = (BT * _powers(5)).sum(1)


def matrices(k: int) -> tuple[Array, Array]:
    """(G, Aᵀ) for kernels of k: (6, k) and (7 − k, 6)."""
    return _powers(k - 1) / N[:, None], _powers(6 - k).T


def _on_tiles(k: int) -> tuple[Array, Array]:
    """(G⊗G, Aᵀ⊗Aᵀ): (36, k²) from w to U and (m², 36) from M to the output tile."""
    g, at = matrices(k)
    return np.kron(g, g).astype(np.float32), np.kron(at, at).astype(np.float32)


IN = np.kron(BT, BT).astype(np.float32)  # (36, 36): input tile → V
KERNEL_OUT = {k: _on_tiles(k) for k in (3, 5)}
# Few of the 36 show what stands out: L of 0 and ∞ has the even and the odd pixels of a tile, and at (2, 3) no
# power vanishes. The gains: how much larger than independent numbers these are.
PIXELS, ALL = np.s_[::5, ::5], 7
IN_GAIN = float(np.linalg.norm(IN[0]))
OUT_GAIN = {k: float(np.linalg.norm(out[:, ALL])) for k, (_, out) in KERNEL_OUT.items()}

TILES = 200  # in one block: enough for the products, few enough for V and M to stay in the cache
GROUP = 1 << 24  # floats of V and M kept at once by the weight gradient: 64 MiB


def can(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """3×3 or 5×5, stride 1, no dilation, float32; the input gradient pads by k − 1 − padding."""
    return (
        dtype == np.float32
        and conv.w[2:] in ((3, 3), (5, 5))
        and conv.stride == conv.dilation == (1, 1)
        and max(conv.padding) < conv.w[2]
    )


def forward(x: Array, w: Array, b: Array | None, conv: Conv) -> Array:
    """conv2d, stride 1: x (N, C, H, W), w (O, C, k, k) → y (N, O, OH, OW) in channels-last memory."""
    o, c, k, _ = w.shape
    u = _transformed(w, KERNEL_OUT[k][0]).reshape(36, o, c).swapaxes(1, 2)
    return _correlate(x, w, u, b, conv)


def input_grad(gy: Array, w: Array, conv: Conv) -> Array:
    """The adjoint in x is again a k×k convolution: of gy with w flipped, its channels exchanged."""
    o, c, k, _ = w.shape
    u = _transformed(w, KERNEL_OUT[k][0][:, ::-1]).reshape(36, o, c)
    padding = k - 1 - conv.padding[0], k - 1 - conv.padding[1]
    adjoint = conv._replace(x=gy.shape, w=(c, o, k, k), out=(conv.x[2], conv.x[3]), padding=padding)
    return _correlate(gy, w[:, :, ::-1, ::-1].swapaxes(0, 1), u, None, adjoint)


def _transformed(w: Array, by: Array) -> Array:
    """U (36, O·C) of w (O, C, k, k)."""
    with np.errstate(invalid="ignore", over="ignore"):
        return matmul(by, w.reshape(-1, by.shape[1]).T)


def _correlate(x: Array, w: Array, u: Array, b: Array | None, conv: Conv) -> Array:
    """x (N, C, H, W) with the kernel w (O, C, k, k), transformed u (36, C, O), block by block of tiles."""
    o, c, k, _ = conv.w
    m = 7 - k
    grid = _Grid(conv.x[0], *conv.out, m)
    y = np.empty((conv.x[0], *conv.out, o), dtype=np.float32)
    shares = len(threads.shares(len(grid.blocks)))
    scratch = np.empty((shares, 2, 36 * grid.size * max(c, o)), dtype=np.float32)
    level = Level(x)
    weights, direct = bool(np.isfinite(u[ALL]).all()), list[Block]()

    def work(share: int, start: int, stop: int) -> None:
        one, two = scratch[share]
        for block in grid.blocks[start:stop]:
            t = grid.tiles(block)
            v = take(two, 36, t * c)
            if not (grid.transform(IN, x, level, block, conv.padding, one, v) and weights):
                direct.append(block)
                continue
            products = np.matmul(v.reshape(36, t, c), u, out=take(one, 36, t, o))
            z = np.matmul(KERNEL_OUT[k][1], products.reshape(36, t * o), out=take(two, m * m, t * o))
            grid.write(z.reshape(m, m, t, o), block, b, y)

    threads.parallel(work, len(grid.blocks))
    if direct:
        lowering.write(x, w, b, conv, grid.rows(direct, conv), y)
    return y.transpose(0, 3, 1, 2)


def weight_grad(gy: Array, x: Array, conv: Conv) -> Array:
    """gw = (G⊗G)ᵀ dU,  dU_e = Σ_tiles dM_eᵀ V_e,  dM = (A⊗A) gy: the transposed chain.

    In groups of blocks: first all tiles are transformed, block by block, then summed over, e by e.
    """
    o, c, k, _ = conv.w
    grid = _Grid(conv.x[0], *conv.out, 7 - k)
    together = max(1, GROUP // (36 * (c + o) * grid.size))
    room = min(together, len(grid.blocks)) * grid.size
    v = np.empty((36, room * c), dtype=np.float32)
    dm = np.empty((36, room * o), dtype=np.float32)
    scratch = np.empty((threads.threads(), 36 * grid.size * max(c, o)), dtype=np.float32)
    du = np.empty((36, o, c), dtype=np.float32)
    more = np.empty((threads.threads(), o, c), dtype=np.float32)
    images = (x, Level(x)), (gy, Level(gy))
    how, direct = (conv.padding, KERNEL_OUT[k][1].T), list[Block]()
    for first in range(0, len(grid.blocks), together):
        group = grid.blocks[first : first + together]
        ends = list(itertools.accumulate(map(grid.tiles, group), initial=0))
        transform = functools.partial(
            _transform_both, grid, group, ends, images, how, (v, dm), scratch, direct
        )
        threads.parallel(transform, len(group))
        summed = v[:, : ends[-1] * c].reshape(36, -1, c), dm[:, : ends[-1] * o].reshape(36, -1, o)
        threads.parallel(functools.partial(_sum_tiles, *summed, more if first else None, du), 36)
    gw = matmul(du.reshape(36, o * c).T, KERNEL_OUT[k][0]).reshape(conv.w)
    if direct:
        gw += lowering.weight_grad(gy, x, conv, grid.rows(direct, conv))
    return gw


def _transform_both(
    grid: _Grid,
    group: list[Block],
    ends: list[int],
    images: tuple[tuple[Array, Level], tuple[Array, Level]],
    how: tuple[Pair, Array],
    out: tuple[Array, Array],
    scratch: Array,
    direct: list[Block],
    share: int,
    start: int,
    stop: int,
) -> None:
    """V of x and dM of gy for some blocks of a group, each into its run of tiles; 0 if left to im2col."""
    (x, gy), (padding, back), (v, dm) = images, how, out
    c, o = x[0].shape[1], gy[0].shape[1]
    for block, t0, t1 in zip(group[start:stop], ends[start:], ends[start + 1 :], strict=False):
        vs, dms = v[:, t0 * c : t1 * c], dm[:, t0 * o : t1 * o]
        level = grid.transform(IN, *x, block, padding, scratch[share], vs)
        if not (grid.transform(back, *gy, block, (0, 0), scratch[share], dms) and level):
            vs[...] = dms[...] = 0
            direct.append(block)


def _sum_tiles(v: Array, dm: Array, more: Array | None, du: Array, share: int, start: int, stop: int) -> None:
    """dU_e = dM_eᵀ V_e, or += by way of `more`, for some of the 36 positions e."""
    for e in range(start, stop):
        if more is None:
            np.matmul(dm[e].T, v[e], out=du[e])
        else:
            du[e] += np.matmul(dm[e].T, v[e], out=more[share])


class _Grid:
    """The m×m tiles of an output (N, OH, OW), and their cut into blocks (n0, n1, row0, row1)."""

    def __init__(self, n: int, oh: int, ow: int, m: int) -> None:
        self.out, self.m = (oh, ow), m
        self.cols = -(-ow // m)
        self.blocks = blocks(n, -(-oh // m), self.cols, TILES)
        self.size = max((self.tiles(block) for block in self.blocks), default=0)

    def tiles(self, block: Block) -> int:
        return places(block, self.cols)

    def rows(self, some: list[Block], conv: Conv) -> list[Block]:
        """Blocks of tiles as blocks of output rows for im2col, always in one order."""
        down = [(n0, n1, self.m * r0, min(self.m * r1, self.out[0])) for n0, n1, r0, r1 in sorted(some)]
        return [part for block in down for part in lowering.cut_up(block, conv)]

    def transform(
        self, by: Array, x: Array, level: Level, block: Block, padding: Pair, scratch: Array, out: Array
    ) -> bool:
        """out (36, tiles·C) = by · the tiles of one block of x (N, C, H, W), zeros outside x.

        False where a number of x stands out.
        """
        (n0, n1, r0, r1), c, m = block, x.shape[1], self.m
        k = 6 if by.shape[1] == 36 else m
        height, width = m * (r1 - r0) + k - m, m * self.cols + k - m
        part = cut(x[n0:n1], m * r0 - padding[0], -padding[1], height, width, channels_last=True)
        tiles = take(scratch, k, k, n1 - n0, r1 - r0, self.cols, c)
        part = part.transpose(0, 2, 3, 1)
        places = (0, 1, n1 - n0), (1, m, r1 - r0), (2, m, self.cols), (3, 1, c)
        tiles[...] = walk(part, (1, 1, k), (2, 1, k), *places)
        with np.errstate(invalid="ignore", over="ignore"):
            np.matmul(by, tiles.reshape(k * k, -1), out=out)
        if k == 6:
            return level.holds(out.reshape(6, 6, -1)[PIXELS], IN_GAIN)
        return level.holds(out[ALL], OUT_GAIN[7 - m])

    def write(self, z: Array, block: Block, b: Array | None, y: Array) -> None:
        """Write the tiles z (m, m, tiles, O) of one block into y (N, OH, OW, O), adding b."""
        (n0, n1, r0, r1), m = block, self.m
        z = z.reshape(m, m, n1 - n0, r1 - r0, self.cols, -1)
        for i in range(m):
            for j in range(m):
                to = y[n0:n1, m * r0 + i : m * r1 : m, j::m]
                part = z[i, j, :, : to.shape[1], : to.shape[2]]
                if b is None:
                    to[...] = part
                else:
                    np.add(part, b, out=to)
