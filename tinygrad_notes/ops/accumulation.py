"""Products, running sums and norms along axes.

    y = Π xᵢ:               ∂y/∂xⱼ = Π xᵢ over i ≠ j        not y/xⱼ, which is 0/0 where xⱼ = 0
    yᵢ = Σ xⱼ over j ≤ i:   ∂L/∂xⱼ = Σ gyᵢ over i ≥ j       each xⱼ stands in all sums from its place on
    y = (Σ aᵢᵖ)^(1/p):      ∂y/∂aⱼ = (1/p) (yᵖ)^(1/p − 1) p aⱼᵖ⁻¹ = (aⱼ/y)ᵖ⁻¹         a = |x|, or x for p = 2

The products of all the others come from a tree. Upward each node is the product of the two below it; downward
each node gets what lies outside of it, its parent's outside times its neighbor. n numbers take about 3n
products in log₂ n steps, and no division.
"""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Function, Tensor
from .arguments import as_tensor, check_real, in_float32, normalize_axis, number, one_axis
from .piecewise import abs
from .reduction import _kept_shape, max


class Prod(Function):
    """y = Π x over the axes;  ∂y/∂xⱼ = Π of the others, right also where some are 0."""

    def forward(xp, x, *, axis, keepdims):
        return xp.prod(x, axis=axis, keepdims=keepdims)

    def backward(xp, gy, x, *, axis):
        axes = normalize_axis(axis, x.shape)
        last = tuple(range(-len(axes), 0))
        moved = xp.moveaxis(x, axes, last)
        count = math.prod(x.shape[a] for a in axes)
        kept = math.prod(n for a, n in enumerate(x.shape) if a not in axes)
        others = xp.reshape(_of_the_others(xp, xp.reshape(moved, (kept, count))), moved.shape)
        return xp.reshape(gy, _kept_shape(x.shape, axis)) * xp.moveaxis(others, last, axes)


def _of_the_others(xp, x):
    """For each x of a row, the product of the others of its row.   x (rows, n)"""
    rows, n = x.shape
    depth = (n - 1).bit_length() if n else 0
    level = xp.pad(x, ((0, 0), (0, 2**depth - n)), constant_values=1)
    pairs = ()  # of every level, the lowest first
    for k in range(depth):
        two = xp.reshape(level, (rows, 2 ** (depth - 1 - k), 2))
        pairs = (*pairs, two)
        level = two[:, :, 0] * two[:, :, 1]
    outside = xp.ones_like(level)
    for k in range(depth):
        two = pairs[depth - 1 - k]
        outside = xp.reshape(xp.flip(two, axis=2) * xp.expand_dims(outside, 2), (rows, 2 ** (k + 1)))
    return outside[:, :n]


class CumSum(Function):
    """yᵢ = x₀ + ... + xᵢ along `axis`; the adjoint is the running sum from the end."""

    def forward(xp, x, *, axis):
        return xp.cumsum(x, axis=axis)

    def backward(xp, gy, *, axis):
        return xp.flip(xp.cumsum(xp.flip(gy, axis=axis), axis=axis), axis=axis)


class Norm(Function):
    """y = (Σ aᵖ)^(1/p) over the axes, a ≥ 0 unless p = 2;  ∂y/∂a = (a/y)ᵖ⁻¹, a sub-gradient where y = 0."""

    def forward(xp, a, *, p, axis, keepdims):
        if p == 2:
            return xp.sqrt(xp.sum(a * a, axis=axis, keepdims=keepdims))
        return xp.sum(a**p, axis=axis, keepdims=keepdims) ** (1 / p)

    def backward(xp, gy, a, y, *, p, axis):
        shape = _kept_shape(a.shape, axis)
        safe = xp.reshape(y + (y == 0), shape)  # where y = 0 every a is 0: 0/1 instead of 0/0
        # Not (a / safe)ᵖ⁻¹: for p < 2 its slope at a = 0 is infinite, and would reach y by way of 0 · ∞.
        return xp.reshape(gy, shape) * (a ** (p - 1) / safe ** (p - 1))


@in_float32
def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Π x over `axis`. The product of nothing is 1. Integers and booleans give integers."""
    x = as_tensor(x)
    axis = None if axis is None else normalize_axis(axis, x.shape, "prod")
    return Prod.apply(x, axis=axis, keepdims=keepdims)


def cumsum(x: Any, axis: int) -> Tensor:
    """x₀, x₀ + x₁, x₀ + x₁ + x₂, ... along `axis`. Real numbers are added up in float64."""
    x = as_tensor(x)
    return CumSum.apply(x, axis=one_axis(axis, x.shape, "cumsum"))


@in_float32
def norm(x: Any, p: float = 2, axis: Any = None, keepdims: bool = False) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over `axis`, p ≥ 1; p = ∞ is max |x|. All numbers are one vector, those of a matrix too.

    At x = 0 the gradient is 0, as torch's sub-gradient. Raises TypeError for integers.
    """
    x, p = as_tensor(x), number("norm", "p", p)
    check_real("norm", "x", x)
    if not p >= 1:
        raise ValueError(f"norm: p must be at least 1, got {p}; below it this is no norm")
    if p == math.inf:
        return max(abs(x), axis, keepdims)
    axis = None if axis is None else normalize_axis(axis, x.shape, "norm")
    return Norm.apply(x if p == 2 else abs(x), p=p, axis=axis, keepdims=keepdims)
