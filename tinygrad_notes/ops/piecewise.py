"""Functions made of pieces: |x|, the larger or smaller of two, limits, a choice.

Inside a piece each is linear, y = s x + c, so ∂L/∂x = gy · s with the slope s of the piece. At a kink the
one-sided slopes differ, and any number between them is a sub-gradient, f(u) ≥ f(x) + s (u − x) for convex f:

    |x|:          1 for x > 0, −1 for x < 0            0 at 0
    max(a, b):    1 to the larger, 0 to the other      ½ to each where a = b: max = ½ (a + b) + ½ |a − b|
    min(a, b):    1 to the smaller, 0 to the other     ½ to each where a = b: min = ½ (a + b) − ½ |a − b|
    clip(x):      1 between the limits, 0 outside      1 at the limits; the limit that y is gets the rest

A choice by a condition has no kink: the condition is a constant, and the side not taken gets 0. The gradient
is chosen as well, not multiplied by 0 or 1, since 0 · ∞ is NaN.
"""

from __future__ import annotations

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_tensor, check_held, constant, integer, number, raw_array


class Abs(Function):
    """y = |x|;  y′ = sign x: 0 at 0, and at NaN."""

    def forward(xp, x):
        return xp.abs(x)

    def backward(xp, gy, x):
        return xp.where(x > 0, gy, xp.where(x < 0, -gy, 0))


class Maximum(Function):
    """y = max(a, b). Where a = b each gets half of the gradient (the mean of the two sides).

    Where one is NaN, so is y, and both get the gradient, as in torch: only what lost gets none.
    """

    broadcasts = True

    def forward(xp, a, b):
        return xp.maximum(a, b)

    def backward_a(xp, gy, a, b):
        return xp.where(a < b, 0, xp.where(a == b, 0.5 * gy, gy))

    def backward_b(xp, gy, a, b):
        return xp.where(b < a, 0, xp.where(a == b, 0.5 * gy, gy))


class Minimum(Function):
    """y = min(a, b). Where a = b each gets half of the gradient; NaN as for the maximum."""

    broadcasts = True

    def forward(xp, a, b):
        return xp.minimum(a, b)

    def backward_a(xp, gy, a, b):
        return xp.where(a > b, 0, xp.where(a == b, 0.5 * gy, gy))

    def backward_b(xp, gy, a, b):
        return xp.where(b > a, 0, xp.where(a == b, 0.5 * gy, gy))


class Clip(Function):
    """y = min(max(x, low), high);  ∂y/∂x = 1 on [low, high]; outside y is a limit, which has the slope 1."""

    broadcasts = True

    def forward(xp, x, low, high):
        return xp.minimum(xp.maximum(x, low), high)

    def backward_x(xp, gy, x, low, high):
        return xp.where((x >= low) & (x <= high), gy, 0)

    def backward_low(xp, gy, x, low, high):
        return xp.where((x < low) & (low <= high), gy, 0)

    def backward_high(xp, gy, x, low, high):
        return xp.where(xp.maximum(x, low) > high, gy, 0)


class Where(Function):
    """y = a where the condition holds, else b."""

    broadcasts = True

    def forward(xp, a, b, *, condition):
        return xp.where(condition, a, b)

    def backward_a(xp, gy, *, condition):
        return xp.where(condition, gy, 0)  # not gy · condition: the side not taken may be ∞ · 0

    def backward_b(xp, gy, *, condition):
        return xp.where(condition, 0, gy)


def abs(x) -> Tensor:
    """|x|, element by element."""
    return Abs.apply(x)


def maximum(a, b) -> Tensor:
    """The larger of a and b, element by element; equal values share the gradient."""
    return Maximum.apply(a, b)


def minimum(a, b) -> Tensor:
    """The smaller of a and b, element by element; equal values share the gradient."""
    return Minimum.apply(a, b)


def clip(x, a_min=None, a_max=None) -> Tensor:
    """x limited to [a_min, a_max]: numbers, None, or Tensors that broadcast, which get gradients.

    Raises ValueError for numbers a_min > a_max. Of Tensors that are so somewhere, y is a_max there.
    """
    x = as_tensor(x)
    whole = np.iinfo(x.dtype) if x.dtype.kind in "iu" else None
    low = (whole.min if whole else -np.inf) if a_min is None else _limit("a_min", a_min)
    high = (whole.max if whole else np.inf) if a_max is None else _limit("a_max", a_max)
    if not isinstance(low, Tensor) and not isinstance(high, Tensor) and not low <= high:
        raise ValueError(f"clip: a_min = {low} must not be above a_max = {high}")
    return Clip.apply(x, low, high)


def _limit(name: str, value):
    """A number as one, which never changes the dtype of x; anything else as a Tensor."""
    if isinstance(value, int | float | np.generic):
        return number("clip", name, value)
    return as_tensor(value)


def where(condition, a, b) -> Tensor:
    """a where `condition` holds, else b. No gradient flows through the side not taken."""
    for value, other in ((a, b), (b, a)):  # NumPy would let it wrap around
        if isinstance(value, int | np.integer) and hasattr(other, "dtype"):
            check_held("where", int(value), other.dtype)
    return Where.apply(a, b, condition=constant("where", "condition", condition).astype(bool))


def sign(x) -> Tensor:
    """−1, 0 or 1; 0 for NaN, as in torch; no gradient."""
    array, xp = raw_array(x), backend.xp
    return Tensor._wrap(xp.asarray(xp.sign(xp.where(array == array, array, xp.zeros_like(array)))))


def isfinite(x) -> Tensor:
    """Where x is neither infinite nor NaN: booleans, without gradient."""
    return Tensor._wrap(backend.xp.asarray(backend.xp.isfinite(raw_array(x))))


def isnan(x) -> Tensor:
    """Where x is NaN: booleans, without gradient."""
    return Tensor._wrap(backend.xp.asarray(backend.xp.isnan(raw_array(x))))


def floor(x) -> Tensor:
    """The largest whole number that is not above x, in the dtype of x; no gradient."""
    return _stepwise(x, backend.xp.floor)


def ceil(x) -> Tensor:
    """The smallest whole number that is not below x, in the dtype of x; no gradient."""
    return _stepwise(x, backend.xp.ceil)


def round(x, decimals: int = 0) -> Tensor:
    """x rounded to `decimals` places, halves to the even neighbor; no gradient."""
    decimals = integer("round", "decimals", decimals)
    return _stepwise(x, lambda array: backend.xp.round(array, decimals), "fiu" if decimals < 0 else "f")


def _stepwise(x, function, kinds="f") -> Tensor:
    """A function whose slope is 0 wherever it has one; numbers of no other kinds than `kinds` change."""
    array = raw_array(x)
    return Tensor._wrap(backend.xp.asarray(function(array)) if array.dtype.kind in kinds else array.copy())
