"""Reductions over axes. `axis` is None (all), an integer or a tuple; negative counts from the end.

Every x of a line has one path to its result y, so ∂L/∂xⱼ = gy · ∂y/∂xⱼ: gy is stretched over the line.

    Σ x:            ∂y/∂xⱼ = 1                     (1/n) Σ x:     ∂y/∂xⱼ = 1/n
    v = (1/m) Σ (xᵢ − μ)²,  m = n − ddof:          ∂(xᵢ − μ)/∂xⱼ = [i = j] − 1/n
        ∂v/∂xⱼ = (2/m) Σᵢ (xᵢ − μ) ([i = j] − 1/n) = (2/m) (xⱼ − μ)              since Σ (xᵢ − μ) = 0
    σ = √v:         ∂σ/∂xⱼ = 1/(2σ) · ∂v/∂xⱼ = (xⱼ − μ)/(m σ)
    y = ln Σ eˣ:    ∂y/∂xⱼ = eˣʲ / Σ eˣ = e^(xⱼ − y), the softmax
    y = max x:      1 at the largest x, 0 elsewhere; k equal ones get 1/k each, a sub-gradient
"""

from __future__ import annotations

import math
from builtins import any as _any
from typing import Any

from .. import backend
from ..autograd import Function, Tensor
from .arguments import Axis, as_shape, as_tensor, in_float32, normalize_axis, of_reals, raw_array


class Sum(Function):
    """y = Σ x over the axes. The adjoint of broadcasting."""

    def forward(xp, x, *, axis, keepdims):
        return xp.sum(x, axis=axis, keepdims=keepdims)

    def backward(xp, gy, x_shape, *, axis, keepdims):
        return xp.broadcast_to(xp.reshape(gy, _kept_shape(x_shape, axis)), x_shape)


class BroadcastTo(Function):
    """y = x repeated to a larger shape. The adjoint of the sum (which the engine takes)."""

    broadcasts = True

    def forward(xp, x, *, shape):
        return xp.broadcast_to(x, shape)

    def backward(xp, gy):
        return gy


class Mean(Function):
    """y = (1/n) Σ x over the axes."""

    def forward(xp, x, *, axis, keepdims):
        return xp.mean(x, axis=axis, keepdims=keepdims)

    def backward(xp, gy, x_shape, *, axis, keepdims):
        count = _count(x_shape, axis)
        return xp.broadcast_to(xp.reshape(gy / count, _kept_shape(x_shape, axis)), x_shape)


class Var(Function):
    """y = Σ (x − μ)² / (n − ddof);  ∂y/∂x = 2 (x − μ) / (n − ddof): the mean's own part sums to 0."""

    saves = ("centered",)

    def save(xp, x, *, axis):
        return (x - xp.mean(x, axis=axis, keepdims=True),)

    def forward(xp, centered, *, axis, keepdims, ddof):
        count = _count(centered.shape, axis)
        return xp.sum(centered * centered, axis=axis, keepdims=keepdims) / (count - ddof)

    def backward(xp, gy, centered, *, axis, ddof):
        count = _count(centered.shape, axis)
        return xp.reshape(2 * gy / (count - ddof), _kept_shape(centered.shape, axis)) * centered


class Std(Function):
    """y = σ = √(Σ (x − μ)² / (n − ddof));  ∂y/∂x = (x − μ) / ((n − ddof) σ), taken as 0 where σ = 0."""

    saves = ("centered",)

    def save(xp, x, *, axis):
        return (x - xp.mean(x, axis=axis, keepdims=True),)

    def forward(xp, centered, *, axis, keepdims, ddof):
        count = _count(centered.shape, axis)
        return xp.sqrt(xp.sum(centered * centered, axis=axis, keepdims=keepdims) / (count - ddof))

    def backward(xp, gy, y, centered, *, axis, ddof):
        shape = _kept_shape(centered.shape, axis)
        safe = y + (y == 0)  # where σ = 0 every x − μ is 0: 0/1 instead of 0/0
        count = _count(centered.shape, axis)
        return xp.reshape(xp.where(y == 0, 0, gy / ((count - ddof) * safe)), shape) * centered


class Extremum(Function):
    """y = max x over the axes (sign = 1), or min (sign = −1). Equal extrema share the gradient.

    y is NaN where a line holds NaN; then those share it.
    """

    def forward(xp, x, *, axis, keepdims, sign):
        reduce = xp.max if sign > 0 else xp.min
        return reduce(x, axis=axis, keepdims=keepdims)

    def backward(xp, gy, x, y, *, axis):
        shape = _kept_shape(x.shape, axis)
        hit = (x == xp.reshape(y, shape)) | (x != x)
        count = xp.sum(hit, axis=axis, keepdims=True).astype(gy.dtype)
        return xp.where(hit, xp.reshape(gy, shape) / count, 0)


class LogSumExp(Function):
    """y = m + ln Σ eˣ⁻ᵐ with m = max x: never overflows.  ∂y/∂x = eˣ⁻ʸ, the softmax.

    A line with m = ±∞ or NaN has y = m. Its gradient at y = ∞ is 0 at finite x and NaN (∞ − ∞) at x = ∞,
    at y = −∞ it is 0, and NaN spreads.
    """

    def forward(xp, x, *, axis, keepdims):
        m = xp.max(x, axis=axis, keepdims=True)
        total = xp.sum(xp.exp(_difference(xp, x, m)), axis=axis, keepdims=True)
        y = xp.log(total) + m
        return y if keepdims else xp.reshape(y, _dropped_shape(x.shape, axis))

    def backward(xp, gy, x, y, *, axis):
        shape = _kept_shape(x.shape, axis)
        y = xp.reshape(y, shape)
        p = xp.where(xp.isfinite(y), xp.exp(_difference(xp, x, y)), math.nan)
        zero = (y == math.inf) & (x != y) | (y == -math.inf)
        return xp.reshape(gy, shape) * xp.where(zero, 0, p)


def _difference(xp, x, m):
    """x − m; 0 where m is not finite, as ∞ − ∞ warns."""
    finite = xp.isfinite(m)
    return xp.where(finite, x, 0) - xp.where(finite, m, 0)


def _kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """`shape` with 1 in place of the reduced axes."""
    axes = normalize_axis(axis, shape)
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def _dropped_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """`shape` without the reduced axes."""
    axes = normalize_axis(axis, shape)
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    """The number of elements that one result is made from."""
    return math.prod(shape[a] for a in normalize_axis(axis, shape))


def _read(op: str, x: Any, axis: Any, least: int = 1) -> tuple[Tensor, Axis]:
    """`x` as a Tensor, and `axis` as None or a tuple over which it has `least` numbers."""
    x = as_tensor(x)
    axes = normalize_axis(axis, x.shape, op)
    if _count(x.shape, axes) < least:
        raise ValueError(
            f"{op}: needs at least {least} number{'s' * (least > 1)} for each result, got "
            f"{_count(x.shape, axes)} from an array of shape {x.shape} over axis {axis}"
        )
    return x, None if axis is None else axes


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Σ x over `axis`. The sum of nothing is 0. Integers and booleans sum to integers."""
    x, axis = _read("sum", x, axis, least=0)
    return Sum.apply(x, axis=axis, keepdims=keepdims)


@in_float32
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean of x over `axis`. Raises ValueError over nothing."""
    x, axis = _read("mean", x, axis)
    return Mean.apply(x, axis=axis, keepdims=keepdims)


@in_float32
def var(x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Variance over `axis`, divided by n − ddof (NumPy's default 0: biased; torch's is 1)."""
    x, axis = _read("var", x, axis, least=ddof + 1)
    return Var.apply(x, axis=axis, keepdims=keepdims, ddof=ddof)


@in_float32
def std(x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Standard deviation: the square root of `var`, with gradient 0 where it is 0."""
    x, axis = _read("std", x, axis, least=ddof + 1)
    return Std.apply(x, axis=axis, keepdims=keepdims, ddof=ddof)


@in_float32
def max(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest value over `axis`; equal largest values share the gradient."""
    x, axis = _read("max", x, axis)
    return Extremum.apply(x, axis=axis, keepdims=keepdims, sign=1)


@in_float32
def min(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest value over `axis`; equal smallest values share the gradient."""
    x, axis = _read("min", x, axis)
    return Extremum.apply(x, axis=axis, keepdims=keepdims, sign=-1)


def rowwise(function, *arrays) -> Tensor:
    """function(*arrays), whose rows need no other row: what a backend may compute some rows at a time."""
    return function(*arrays)


def elementwise_sum(function, axes, *arrays) -> Tensor:
    """Σ function(*arrays) over `axes`, which stay with length 1; `function` as in `elementwise`."""
    return sum(function(*arrays), axis=axes, keepdims=True)


@in_float32
@of_reals
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """ln Σ eˣ over `axis`, without overflow."""
    x, axis = _read("logsumexp", x, axis)
    return LogSumExp.apply(x, axis=axis, keepdims=keepdims)


def broadcast_to(x: Any, shape: Any) -> Tensor:
    """x repeated along new and length-1 axes to `shape`."""
    x = as_tensor(x)
    shape = as_shape(shape)
    lead = len(shape) - x.ndim
    if lead < 0 or _any(n not in (1, m) for n, m in zip(x.shape, shape[lead:], strict=True)):
        raise ValueError(
            f"broadcast_to: {x.shape} does not stretch to {shape}; lengths must agree, counted from "
            "the last axis, or be 1"
        )
    return BroadcastTo.apply(x, shape=shape)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Position of the first largest value; integers, no gradient."""
    return _position("argmax", x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Position of the first smallest value; integers, no gradient."""
    return _position("argmin", x, axis, keepdims)


def _position(op: str, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    x, axes = _read(op, x, axis)
    if axes is not None and len(axes) != 1:
        raise ValueError(f"{op}: axis must be one integer or None, got {axis!r}")
    xp = backend.xp
    position = getattr(xp, op)(x._data, axis=axes and axes[0], keepdims=keepdims)
    return Tensor._wrap(xp.asarray(position))


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether every value is true; booleans, no gradient."""
    return _truth("all", x, axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether some value is true; booleans, no gradient."""
    return _truth("any", x, axis, keepdims)


def _truth(op: str, x: Any, axis: Any, keepdims: bool) -> Tensor:
    array = raw_array(x)
    axes = None if axis is None else normalize_axis(axis, array.shape, op)
    return Tensor._wrap(backend.xp.asarray(getattr(array, op)(axis=axes, keepdims=keepdims)))
