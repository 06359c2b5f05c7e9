"""Reductions over axes. `axis` is None (all), an integer or a tuple; negative counts from the end."""

from __future__ import annotations

import math

from .. import backend
from ..autograd import Function, Tensor
from .arithmetic import raw, sqrt


class Sum(Function):
    """y = Σ x over the axes. The adjoint of broadcasting."""

    def forward(xp, x, *, axis, keepdims):
        return xp.sum(x, axis=axis, keepdims=keepdims)

    def backward(xp, gy, x_shape, *, axis, keepdims):
        return xp.broadcast_to(xp.reshape(gy, kept_shape(x_shape, axis)), x_shape)


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
        count = size_over(x_shape, axis)
        return xp.broadcast_to(xp.reshape(gy / count, kept_shape(x_shape, axis)), x_shape)


class Var(Function):
    """y = Σ (x − μ)² / (n − ddof);  ∂y/∂x = 2 (x − μ) / (n − ddof): the mean's own part sums to 0."""

    saves = ("centered",)

    def save(xp, x, *, axis):
        return (x - xp.mean(x, axis=axis, keepdims=True),)

    def forward(xp, centered, *, axis, keepdims, ddof):
        count = size_over(centered.shape, axis)
        return xp.sum(centered * centered, axis=axis, keepdims=keepdims) / (count - ddof)

    def backward(xp, gy, centered, *, axis, ddof):
        count = size_over(centered.shape, axis)
        return xp.reshape(gy, kept_shape(centered.shape, axis)) * (2 / (count - ddof)) * centered


class Extremum(Function):
    """y = max x over the axes (sign = 1), or min (sign = −1). Equal extrema share the gradient."""

    def forward(xp, x, *, axis, keepdims, sign):
        reduce = xp.max if sign > 0 else xp.min
        return reduce(x, axis=axis, keepdims=keepdims)

    def backward(xp, gy, x, y, *, axis):
        shape = kept_shape(x.shape, axis)
        hit = (x == xp.reshape(y, shape)).astype(x.dtype)
        return xp.reshape(gy, shape) * (hit / xp.sum(hit, axis=axis, keepdims=True))


class LogSumExp(Function):
    """y = m + ln Σ eˣ⁻ᵐ with m = max x: never overflows.  ∂y/∂x = eˣ⁻ʸ, the softmax."""

    def forward(xp, x, *, axis, keepdims):
        m = xp.max(x, axis=axis, keepdims=True)
        m = xp.where(xp.isfinite(m), m, xp.zeros_like(m))  # all −∞: e⁻∞ = 0, not e^(−∞+∞)
        total = xp.log(xp.sum(xp.exp(x - m), axis=axis, keepdims=True)) + m
        return total if keepdims else xp.reshape(total, dropped_shape(x.shape, axis))

    def backward(xp, gy, x, y, *, axis):
        shape = kept_shape(x.shape, axis)
        return xp.reshape(gy, shape) * xp.exp(x - xp.reshape(y, shape))


def normalize_axis(axis, ndim: int) -> tuple[int, ...]:
    """The axes as a tuple of numbers in 0..ndim−1."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"axis {a} is out of range for an array of {ndim} dimensions")
    axes = tuple(a % ndim for a in axes)
    if len(set(axes)) != len(axes):
        raise ValueError(f"axis {axis} names one axis twice")
    return axes


def kept_shape(shape, axis) -> tuple[int, ...]:
    """`shape` with 1 in place of the reduced axes."""
    axes = normalize_axis(axis, len(shape))
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def dropped_shape(shape, axis) -> tuple[int, ...]:
    """`shape` without the reduced axes."""
    axes = normalize_axis(axis, len(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def size_over(shape, axis) -> int:
    """The number of elements that one result is made from."""
    return math.prod(shape[a] for a in normalize_axis(axis, len(shape)))


def _checked(op: str, x, axis, empty_ok: bool = False) -> Tensor:
    """`x` as a Tensor whose reduction over `axis` is defined."""
    x = x if isinstance(x, Tensor) else Tensor(x)
    try:
        count = size_over(x.shape, axis)
    except ValueError as error:
        raise ValueError(f"{op}: {error}; the shape is {x.shape}") from None
    if count == 0 and not empty_ok:
        raise ValueError(f"{op}: nothing to reduce over axis {axis} of an array of shape {x.shape}")
    return x


def sum(x, axis=None, keepdims: bool = False) -> Tensor:
    """Σ x over `axis`. The sum of nothing is 0. Integers and booleans sum to integers."""
    return Sum.apply(_checked("sum", x, axis, empty_ok=True), axis=axis, keepdims=keepdims)


def mean(x, axis=None, keepdims: bool = False) -> Tensor:
    """The mean of x over `axis`. Raises ValueError over nothing."""
    return Mean.apply(_checked("mean", x, axis), axis=axis, keepdims=keepdims)


def var(x, axis=None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Variance over `axis`, divided by n − ddof (NumPy's default 0: biased; torch's is 1)."""
    x = _checked("var", x, axis)
    if size_over(x.shape, axis) <= ddof:
        raise ValueError(f"var: n − ddof must be positive, n = {size_over(x.shape, axis)}, ddof = {ddof}")
    return Var.apply(x, axis=axis, keepdims=keepdims, ddof=ddof)


def std(x, axis=None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Standard deviation: the square root of `var`."""
    return sqrt(var(x, axis, keepdims, ddof))


def max(x, axis=None, keepdims: bool = False) -> Tensor:
    """The largest value over `axis`; equal largest values share the gradient."""
    return Extremum.apply(_checked("max", x, axis), axis=axis, keepdims=keepdims, sign=1)


def min(x, axis=None, keepdims: bool = False) -> Tensor:
    """The smallest value over `axis`; equal smallest values share the gradient."""
    return Extremum.apply(_checked("min", x, axis), axis=axis, keepdims=keepdims, sign=-1)


def logsumexp(x, axis=None, keepdims: bool = False) -> Tensor:
    """ln Σ eˣ over `axis`, without overflow."""
    return LogSumExp.apply(_checked("logsumexp", x, axis), axis=axis, keepdims=keepdims)


def broadcast_to(x, shape) -> Tensor:
    """x repeated along new and length-1 axes to `shape`."""
    return BroadcastTo.apply(x, shape=tuple(shape))


def argmax(x, axis=None, keepdims: bool = False) -> Tensor:
    """Position of the first largest value; integers, no gradient."""
    return _position("argmax", x, axis, keepdims)


def argmin(x, axis=None, keepdims: bool = False) -> Tensor:
    """Position of the first smallest value; integers, no gradient."""
    return _position("argmin", x, axis, keepdims)


def _position(name: str, x, axis, keepdims: bool) -> Tensor:
    array = _checked(name, x, axis)._data
    xp = backend.xp
    return Tensor._wrap(xp.asarray(getattr(xp, name)(array, axis=axis, keepdims=keepdims)))


def all(x, axis=None, keepdims: bool = False) -> Tensor:
    """Whether every value is true; booleans, no gradient."""
    return Tensor._wrap(backend.xp.asarray(raw(x).all(axis=axis, keepdims=keepdims)))


def any(x, axis=None, keepdims: bool = False) -> Tensor:
    """Whether some value is true; booleans, no gradient."""
    return Tensor._wrap(backend.xp.asarray(raw(x).any(axis=axis, keepdims=keepdims)))
