"""Element-wise arithmetic. Inputs broadcast as in NumPy; the engine sums gradients back."""

from __future__ import annotations

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_tensor, constant, number, raw_array


class Add(Function):
    """y = a + b."""

    broadcasts = True

    def forward(xp, a, b):
        return xp.add(a, b)

    def backward_a(xp, gy):
        return gy

    def backward_b(xp, gy):
        return gy


class Subtract(Function):
    """y = a − b."""

    broadcasts = True

    def forward(xp, a, b):
        return a - b

    def backward_a(xp, gy):
        return gy

    def backward_b(xp, gy):
        return -gy


class Multiply(Function):
    """y = a b;  ∂y/∂a = b,  ∂y/∂b = a."""

    broadcasts = True

    def forward(xp, a, b):
        return a * b

    def backward_a(xp, gy, b):
        return gy * b

    def backward_b(xp, gy, a):
        return gy * a


class Divide(Function):
    """y = a / b;  ∂y/∂a = 1/b,  ∂y/∂b = −a/b² = −y/b."""

    broadcasts = True

    def forward(xp, a, b):
        return a / b

    def backward_a(xp, gy, b):
        return gy / b

    def backward_b(xp, gy, y, b):
        return -gy * (y / b)


class Negative(Function):
    """y = −x."""

    def forward(xp, x):
        return -x

    def backward(xp, gy):
        return -gy


class Power(Function):
    """y = xᵖ for a number p;  y′ = p xᵖ⁻¹, and 0 for p = 0 also where x = 0."""

    def forward(xp, x, *, exponent):
        return x**exponent

    def backward(xp, gy, x, *, exponent):
        if exponent == 0:
            return xp.zeros_like(gy)
        if exponent == 1:
            return gy
        return gy * (exponent * x ** (exponent - 1))


class PowerTensor(Function):
    """y = aᵇ for arrays;  ∂y/∂a = b aᵇ⁻¹,  ∂y/∂b = y ln a (0 where a = 0 and b ≥ 0)."""

    broadcasts = True

    def forward(xp, a, b):
        return xp.power(a, b)

    def backward_a(xp, gy, a, b):
        # b = 0: the factor b is 0, so keep 1/a finite.
        return gy * b * xp.power(xp.where((b == 0) & ((a == 0) | (a != a)), 1, a), b - 1)

    def backward_b(xp, gy, y, a, b):
        return gy * y * xp.log(a + (a == 0) * (b >= 0))


class Abs(Function):
    """y = |x|;  y′ = sign x: 0 at 0, and at NaN."""

    def forward(xp, x):
        return xp.abs(x)

    def backward(xp, gy, x):
        return xp.where(x > 0, gy, xp.where(x < 0, -gy, 0))


class Exp(Function):
    """y = eˣ = y′."""

    def forward(xp, x):
        return xp.exp(x)

    def backward(xp, gy, y):
        return gy * y


class Log(Function):
    """y = ln x;  y′ = 1/x."""

    def forward(xp, x):
        return xp.log(x)

    def backward(xp, gy, x):
        return gy / x


class Sqrt(Function):
    """y = √x;  y′ = 1/(2√x) = 1/(2y)."""

    def forward(xp, x):
        return xp.sqrt(x)

    def backward(xp, gy, y):
        return gy / (2 * y)


class Sin(Function):
    """y = sin x;  y′ = cos x."""

    def forward(xp, x):
        return xp.sin(x)

    def backward(xp, gy, x):
        return gy * xp.cos(x)


class Cos(Function):
    """y = cos x;  y′ = −sin x."""

    def forward(xp, x):
        return xp.cos(x)

    def backward(xp, gy, x):
        return -gy * xp.sin(x)


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
    """y = min(max(x, low), high);  y′ = 1 on [low, high], 0 outside."""

    def forward(xp, x, *, low, high):
        return xp.minimum(xp.maximum(x, low), high)

    def backward(xp, gy, x, *, low, high):
        return xp.where((x >= low) * (x <= high), gy, 0)


class Where(Function):
    """y = a where the condition holds, else b."""

    broadcasts = True

    def forward(xp, a, b, *, condition):
        return xp.where(condition, a, b)

    def backward_a(xp, gy, *, condition):
        return xp.where(condition, gy, 0)  # not gy · condition: the side not taken may be ∞ · 0

    def backward_b(xp, gy, *, condition):
        return xp.where(condition, 0, gy)


class Astype(Function):
    """The same values in another dtype; the gradient comes back in the input's (the engine's work)."""

    def forward(xp, x, *, dtype):
        return x.astype(dtype)

    def backward(xp, gy):
        return gy


# ---- functions with NumPy's names -------------------------------------------------------------


def add(a, b) -> Tensor:
    """a + b, element by element, with broadcasting."""
    return Add.apply(a, b)


def subtract(a, b) -> Tensor:
    """a − b, element by element, with broadcasting."""
    return Subtract.apply(a, b)


def multiply(a, b) -> Tensor:
    """a · b, element by element, with broadcasting."""
    return Multiply.apply(a, b)


def divide(a, b) -> Tensor:
    """a / b, element by element, with broadcasting."""
    return Divide.apply(a, b)


def negative(x) -> Tensor:
    """−x."""
    return Negative.apply(x)


def power(a, b) -> Tensor:
    """aᵇ, element by element. A plain number as exponent takes the cheaper rule."""
    if isinstance(b, int | float | np.generic) and not isinstance(b, bool | np.bool_):
        return Power.apply(a, exponent=number("power", "the exponent", b))
    if isinstance(a, int | float | np.generic):  # as an array of b's dtype, which the rule can mask
        b = as_tensor(b)
        a = backend.asarray(a, b.dtype if b.dtype.kind == "f" else None)
    return PowerTensor.apply(a, b)


def elementwise(function, *arrays) -> Tensor:
    """function(*arrays), made of element-wise operations: what a backend may compute block by block."""
    return function(*arrays)


def abs(x) -> Tensor:
    """|x|, element by element."""
    return Abs.apply(x)


def exp(x) -> Tensor:
    """eˣ, element by element."""
    return Exp.apply(x)


def log(x) -> Tensor:
    """Natural logarithm, element by element."""
    return Log.apply(x)


def sqrt(x) -> Tensor:
    """√x, element by element."""
    return Sqrt.apply(x)


def sin(x) -> Tensor:
    """sin x, x in radians."""
    return Sin.apply(x)


def cos(x) -> Tensor:
    """cos x, x in radians."""
    return Cos.apply(x)


def maximum(a, b) -> Tensor:
    """The larger of a and b, element by element; equal values share the gradient."""
    return Maximum.apply(a, b)


def minimum(a, b) -> Tensor:
    """The smaller of a and b, element by element; equal values share the gradient."""
    return Minimum.apply(a, b)


def clip(x, a_min=None, a_max=None) -> Tensor:
    """x limited to [a_min, a_max]; either bound may be None."""
    x = as_tensor(x)
    whole = np.iinfo(x.dtype) if x.dtype.kind in "iu" else None
    low = (whole.min if whole else -np.inf) if a_min is None else number("clip", "a_min", a_min)
    high = (whole.max if whole else np.inf) if a_max is None else number("clip", "a_max", a_max)
    if not low <= high:
        raise ValueError(f"clip: a_min = {low} must not be above a_max = {high}")
    return Clip.apply(x, low=low, high=high)


def where(condition, a, b) -> Tensor:
    """a where `condition` holds, else b. No gradient flows through the side not taken."""
    return Where.apply(a, b, condition=constant("where", "condition", condition).astype(bool))


def astype(x, dtype) -> Tensor:
    """x in another dtype."""
    return Astype.apply(x, dtype=backend.check_dtype(dtype))


def sign(x) -> Tensor:
    """−1, 0 or 1; 0 for NaN, as in torch; no gradient."""
    array, xp = raw_array(x), backend.xp
    return Tensor._wrap(xp.asarray(xp.sign(xp.where(array == array, array, xp.zeros_like(array)))))


def isfinite(x) -> Tensor:
    """Where x is neither infinite nor NaN: booleans, without gradient."""
    return Tensor._wrap(backend.xp.asarray(backend.xp.isfinite(raw_array(x))))
