"""Mistakes in reductions, products, running sums and norms."""

from __future__ import annotations

from ...ops import accumulation, reduction
from .entry import Wrong, entry, normal

A = (3, 4)


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    r, x = reduction, normal(A)
    axis = {"axis": 0, "keepdims": False}
    return [
        entry("sum: divided by the count", r.Sum, x,
               {"backward": lambda xp, gy, x_shape: xp.broadcast_to(gy / 3, x_shape)}, **axis),
        entry("sum: not broadcast back", r.Sum, x,
               {"backward": lambda xp, gy: xp.expand_dims(gy, 0)}, **axis),
        entry("mean: without 1/n", r.Mean, x,
               {"backward": lambda xp, gy, x_shape: xp.broadcast_to(gy, x_shape)}, **axis),
        entry("var: without the mean", r.Var, x,
               {"backward": lambda xp, gy, x, *, axis: gy * x * 2 / 3}, ddof=0, **axis),
        entry("max: every element, not the largest", r.Extremum, x,
               {"backward": lambda xp, gy, x_shape: xp.broadcast_to(gy, x_shape)}, sign=1, **axis),
        entry("logsumexp: eˣ instead of eˣ⁻ʸ", r.LogSumExp, x,
               {"backward": lambda xp, gy, x: gy * xp.exp(x)}, **axis),
        entry("std: the derivative of the variance", r.Std, x,
               {"backward": lambda xp, gy, centered, *, axis: gy * 2 * centered / 3}, ddof=0, **axis),
        entry("std: divided by n where the forward divides by n − 1", r.Std, x,
               {"backward": lambda xp, gy, y, centered, *, axis: gy * centered / (3 * y)}, ddof=1, **axis),
        entry("prod: without the other numbers", accumulation.Prod, x,
               {"backward": lambda xp, gy, x_shape: xp.broadcast_to(gy, x_shape)}, **axis),
        entry("cumsum: not from the end", accumulation.CumSum, x,
               {"backward": lambda xp, gy, *, axis: xp.cumsum(gy, axis=axis)}, axis=0),
        entry("norm: not divided by y", accumulation.Norm, normal(A, least=0.5),
               {"backward": lambda xp, gy, a: gy * a}, p=2, **axis),
    ]  # fmt: skip
