"""The convolution trio on NumPy, each by the quickest of four algorithms. Definitions: plain/convolution.py.

    pointwise    1×1 kernel, no padding: one matrix product
    batch_last   many images, few channels, stride 1: the batch innermost in memory
    winograd     3×3 or 5×5, stride 1, float32: 36 products where the direct sum takes 144 or 100
    im2col       everything else: blocks of columns, channels last in memory

`algorithm=None` chooses from the shapes, the dtype and the precision that was set, so equal calls give equal
bits. Numbers that stand out (outliers.py) are left to im2col by batch_last and winograd. Results are
(N, C, H, W) views of whatever memory order was quickest; weight gradients are C-contiguous.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ..precision import get_float32_conv_precision
from . import batch_last, lowering, plain, pointwise, winograd
from .blocking import Array
from .geometry import Conv, Pair, Shape, conv_geometry, expect_shape

ALGORITHMS: dict[str, ModuleType] = {
    "pointwise": pointwise,
    "batch_last": batch_last,
    "winograd": winograd,
    "im2col": lowering,
}


def im2col(x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """plain.im2col: its copy is all there is to do."""
    return plain.im2col(np, x, kernel, stride, padding, dilation)


def col2im(cols: Array, x_shape: Shape, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """plain.col2im, likewise."""
    return plain.col2im(np, cols, x_shape, stride, padding, dilation)


def conv2d(
    x: Array,
    w: Array,
    b: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    algorithm: str | None = None,
) -> Array:
    """y = w ⋆ x + b.  x (N, C, H, W), w (O, C/groups, kh, kw), b (O,) or None → (N, O, OH, OW)."""
    conv = conv_geometry("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    if b is not None:
        expect_shape("conv2d", "b", b, w.shape[:1])
    dtypes = tuple(array.dtype for array in (x, w, b) if array is not None)
    chosen = choose("conv2d", conv, dtypes, algorithm, get_float32_conv_precision())
    if chosen is None:
        return plain.conv2d(np, x, w, b, stride, padding, dilation, groups)
    return _by_group(chosen.forward, conv, ((x, 1), (w, 0), (b, 0)), join=1)


def conv2d_input_grad(
    gy: Array,
    w: Array,
    x_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    algorithm: str | None = None,
) -> Array:
    """gx, the adjoint of conv2d in x, for gy (N, O, OH, OW)."""
    op = "conv2d_input_grad"
    conv = conv_geometry(op, x_shape, w.shape, stride, padding, dilation, groups)
    expect_shape(op, "gy", gy, (x_shape[0], w.shape[0], *conv.out))
    chosen = choose(op, conv, (gy.dtype, w.dtype), algorithm, get_float32_conv_precision())
    if chosen is None:
        return plain.conv2d_input_grad(np, gy, w, x_shape, stride, padding, dilation, groups)
    return _by_group(chosen.input_grad, conv, ((gy, 1), (w, 0)), join=1)


def conv2d_weight_grad(
    gy: Array,
    x: Array,
    w_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    algorithm: str | None = None,
) -> Array:
    """gw, the adjoint of conv2d in w, for gy (N, O, OH, OW)."""
    op = "conv2d_weight_grad"
    conv = conv_geometry(op, x.shape, w_shape, stride, padding, dilation, groups)
    expect_shape(op, "gy", gy, (x.shape[0], w_shape[0], *conv.out))
    chosen = choose(op, conv, (gy.dtype, x.dtype), algorithm, get_float32_conv_precision())
    if chosen is None:
        return plain.conv2d_weight_grad(np, gy, x, w_shape, stride, padding, dilation, groups)
    return _by_group(chosen.weight_grad, conv, ((gy, 1), (x, 1)), join=0)


@functools.lru_cache(maxsize=1024)
def choose(
    op: str, conv: Conv, dtypes: tuple[np.dtype[Any], ...], algorithm: str | None, precision: str
) -> ModuleType | None:
    """The module that computes this convolution; None means the plain kernel.

    Plain are symbols, integers, mixed dtypes and empty batches; float16 is computed in float32.
    """
    dtype, *others = set(dtypes)
    tuned = not others and dtype.kind == "f" and dtype.itemsize <= 8
    dtype = np.result_type(dtype, np.float32) if tuned else dtype
    if algorithm is not None:
        able = [name for name, module in ALGORITHMS.items() if tuned and module.can(conv, dtype)]
        if algorithm not in able:
            raise ValueError(
                f"{op}: algorithm {algorithm!r} cannot do x {conv.x}, w {conv.w}, stride "
                f"{conv.stride}, padding {conv.padding}, dilation {conv.dilation} in {dtype}; "
                f"use {' or '.join(map(repr, [*able, None]))}"
            )
    if not tuned or conv.x[0] == 0:
        return None
    return _quickest(conv, dtype, precision) if algorithm is None else ALGORITHMS[algorithm]


def _quickest(conv: Conv, dtype: np.dtype[Any], precision: str) -> ModuleType:
    """The choice by measurement on two cores (docs/performance-log.md)."""
    n, _, h, w = conv.x
    c, o = conv.w[1], conv.w[0] // conv.groups
    if pointwise.can(conv, dtype):
        return pointwise
    # The next convolution must want the batch innermost too: with many channels it would not.
    few = o <= 32 or conv.out == (1, 1)
    if batch_last.suits(n, c) and few and h * w <= 64 * 64 and batch_last.can(conv, dtype):
        return batch_last
    # Over few tiles, reading a kernel transformed to 36/9 of its size takes longer than it saves.
    few_tiles = conv.w[2] == 3 and n * conv.out[0] * conv.out[1] <= 512
    many = min(c, o) >= (32 if conv.w[2] == 3 else 16)
    if precision == "high" and winograd.can(conv, dtype) and many and not few_tiles:
        return winograd
    return lowering


def _by_group(
    rule: Callable[..., Array],
    conv: Conv,
    operands: tuple[tuple[Array | None, int], ...],
    join: int,
) -> Array:
    """rule(operands, conv) group by group: each operand is split along its axis, the results joined."""
    (n, c, h, w), o, groups = conv.x, conv.w[0], conv.groups
    first = operands[0][0]
    assert first is not None
    dtype = first.dtype
    if dtype == np.float16:
        wide = tuple((a if a is None else a.astype(np.float32), axis) for a, axis in operands)
        return _by_group(rule, conv, wide, join).astype(dtype)
    if groups == 1:
        return rule(*(a for a, _ in operands), conv)
    split = [[None] * groups if a is None else np.split(a, groups, axis) for a, axis in operands]
    one = conv._replace(x=(n, c // groups, h, w), w=(o // groups, *conv.w[1:]), groups=1)
    return np.concatenate([rule(*part, one) for part in zip(*split, strict=True)], axis=join)
